"""Two made episodes in the forms that LongVideoAgent's data have, and an endpoint whose models play its three agents.

Clips are folders of frames at three a second; the questions are a JSON array in a file called .jsonl, and the subtitles
one JSON object from clip to text. What each model says follows from the question, so every run is known beforehand.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image

from clips import picture_of
from fake_openai import Act, FakeOpenAI, Say

BBT, FRIENDS = "s01e01", "friends_s02e01"
WORDS = {
    f"{BBT}_seg01_clip_00": "Leonard: Agreed. What is your point?",
    f"{BBT}_seg01_clip_01": "Sheldon: There is no point. I just think it is a good idea for a shirt.",
    f"{BBT}_seg02_clip_00": "Penny: My bicycle was stolen on Tuesday.",
    f"{FRIENDS}_seg01_clip_00": "Ross: The plane from China was late.",
    f"{FRIENDS}_seg01_clip_01": "Monica: This is my only umbrella.",
}
SAME = "What is said first?"
QUESTIONS = [
    ("1", "What was stolen?", "a2", BBT, "seg02_clip_00"),
    ("2", SAME, "a0", BBT, "seg01_clip_00"),
    ("3", SAME, "a1", FRIENDS, "seg01_clip_00"),
    ("4", "Whose umbrella is it?", "a4", FRIENDS, "seg01_clip_01"),
]
"""(id, question, right option, episode, clip)."""


def options(number: str) -> list[str]:
    return [f"thing {number}.{n}" for n in range(5)]


def make_data(folder: Path) -> Path:
    for clip_number, clip in enumerate(WORDS):
        (folder / "frames" / clip).mkdir(parents=True)
        for number in range(1, 13):  # four seconds
            picture = Image.fromarray(picture_of(100 * clip_number + number))
            picture.save(folder / "frames" / clip / f"{number:05}.jpg")
    rows = [
        {
            "qid": int(id_),
            "q": question,
            **{f"a{n}": text for n, text in enumerate(options(id_))},
            "answer": answer,
            "ts": [0.5, 1.5],
            "episode_name": episode,
            "occur_clip": f"{episode}_{clip}",
            "bbox": {"3": [{"img_id": 3, "label": f"GOLDBOX{id_}", "top": 1, "left": 1, "width": 9, "height": 9}]},
        }
        for id_, question, answer, episode, clip in QUESTIONS
    ]
    (folder / "questions.jsonl").write_text(json.dumps(rows))
    (folder / "subs.json").write_text(json.dumps(WORDS))
    return folder


class Talking(FakeOpenAI):
    """Says what ``say`` makes of a request's body; ``count`` is how often each model was asked."""

    def __init__(self, say: Callable[[dict[str, Any]], Act], *models: str) -> None:
        super().__init__(models=models)
        self.say = say

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._acts.append(self.say(await request.json()))
        return await super()._answer(request)

    def count(self, model: str) -> int:
        return sum(body["model"] == model for body in self.requests)


def text_of(body: dict[str, Any]) -> str:
    parts = [part for message in body["messages"] for part in _parts(message["content"])]
    return "\n".join(part["text"] for part in parts if part["type"] == "text")


def num_images(body: dict[str, Any]) -> int:
    parts = [part for message in body["messages"] for part in _parts(message["content"])]
    return sum(part["type"] == "image_url" for part in parts)


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def number_of(text: str) -> str:
    """The id of the question that is asked: its options hold it."""
    found = re.search(r"thing (\d+)\.0", text)
    assert found is not None, text
    return found[1]


def right_clip(id_: str) -> str:
    return next(f"{episode}_{clip}" for each, _, _, episode, clip in QUESTIONS if each == id_)


def right_letter(id_: str) -> str:
    return next("ABCDE"[int(answer[1])] for each, _, answer, *_ in QUESTIONS if each == id_)


def team(body: dict[str, Any]) -> Act:
    """The grounder knows every clip, the master looks once and is right but for question 4."""
    text = text_of(body)
    if body["model"] == "grounder":
        return Say(f"it is <clip>{right_clip(number_of(text))}</clip>")
    if body["model"] == "viewer":
        return Say("a man with a parrot")
    if "<information>" not in text:
        return Say("<reasoning>look</reasoning><visual_query>what is there?</visual_query>")
    id_ = number_of(text)
    return Say(f"<answer>{'A' if id_ == '4' else right_letter(id_)}</answer>")


def longtake(*arguments: object, cwd: Path, code: int = 0, **env: str) -> tuple[str, str]:
    """Runs the command in ``cwd``, checks its exit code, returns what it printed. No run may show a traceback."""
    kept = {name: value for name, value in os.environ.items() if name not in ("qdd_api", "aliyun_api")}
    done = subprocess.run(
        [sys.executable, "-m", "longtake", "eval", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env={**kept, "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "COLUMNS": "160", **env},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr
