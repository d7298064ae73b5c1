"""A benchmark that the tests make: generated videos with clocks and spoken lines, questions of every kind with gold
spans and strata, and what goes wrong with data: a row without an answer, a missing video, one that is none.

``scripted`` models answer from the words of the question, so what each run must score is known beforehand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest
from PIL import Image

from clips import picture_of, write_frames
from longtake import registry
from longtake.eval.settings import EvalSettings, read_eval_settings
from longtake.models.scripted import Request
from longtake.types import JSON, GenerateConfig, Message, ModelOutput, ToolSpec, Usage

SECONDS, FPS = 20, 5
LINES = {
    "ferry": {2: "The ferry to Lisbon leaves at half past six.", 8: "My green umbrella was lost at the market.",
              14: "The lighthouse keeper speaks only Norwegian."},
    "harbour": {2: "A parrot escaped from the harbour office.", 8: "Grandmother baked 7 cherry pies yesterday.",
                14: "Nobody found the silver key."},
}  # fmt: skip
ROWS: tuple[dict[str, Any], ...] = (
    {"id": "when", "video": "ferry.mp4", "question": "When does the ferry to Lisbon leave?", "type": "detail",
     "options": ["at noon", "half past six", "at midnight", "at dawn"], "answer": "B", "spans": [[2, 4]]},
    {"id": "colour", "video": "ferry.mp4", "question": "Which umbrella was lost at the market?", "type": "detail",
     "options": ["the green one", "the blue one"], "answer": "A", "spans": "00:08-00:10"},
    {"id": "keeper", "video": "ferry", "question": "Which language does the lighthouse keeper speak?",
     "answer": "Norwegian", "spans": [14, 16], "type": "open"},
    {"id": "escaped", "video": "harbour.mp4", "question": "What escaped from the harbour office?", "type": "detail",
     "options": ["a dog", "a cat", "a horse", "a monkey", "a snake", "a parrot"], "answer": "F", "spans": [[2, 4]]},
    {"id": "pies", "video": "harbour.mp4", "question": "How many cherry pies were baked?", "answer": 7,
     "spans": [[8, 10]], "type": "count"},
    {"id": "parrot", "video": "harbour.mp4", "question": "From when to when is the parrot spoken of?",
     "answer": [2, 4], "type": "time"},
    {"id": "key", "video": "harbour.mp4", "question": "What colour is the key?", "answer": "silver",
     "spans": [[14, 16]], "type": "open"},
    {"id": "walk", "video": "walk", "question": "Where does the walk end?", "type": "detail",
     "options": ["at a gate", "at a well", "at a mill", "at a barn"], "answer": "B", "spans": [[3, 5]]},
    {"id": "secret", "video": "ferry.mp4", "question": "Which song is hummed?", "answer": None, "type": "open"},
    {"id": "missing", "video": "missing.mp4", "question": "Who waves?", "type": "detail",
     "options": ["the baker", "the pilot"], "answer": "B"},
    {"id": "broken", "video": "broken.mp4", "question": "Who rows the boat?", "type": "detail",
     "options": ["the baker", "the pilot", "the diver", "the guide"], "answer": "C"},
)  # fmt: skip
GOOD = [row["id"] for row in ROWS[:8]]
"""Rows with an answer and a video."""

RIGHT = {
    "ferry to Lisbon": "B", "umbrella": "A", "lighthouse keeper": "Norwegian", "escaped": "F", "cherry pies": "7",
    "From when to when": "2.0 - 4.0 s", "colour is the key": "silver", "walk end": "B", "hummed": "a hymn",
    "waves": "B", "rows the boat": "C",
}  # fmt: skip
"""A part of every question -> its right answer."""


def write_videos(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number, (name, lines) in enumerate(LINES.items()):
        pictures = ((i, picture_of(1000 * number + i)) for i in range(SECONDS * FPS))
        write_frames(folder / f"{name}.mp4", pictures, fps=FPS)
        timed = enumerate(lines.items(), 1)
        cues = [f"{n}\n00:00:{s:02},000 --> 00:00:{s + 2:02},000\n{line}\n" for n, (s, line) in timed]
        (folder / f"{name}.srt").write_text("\n".join(cues), encoding="utf-8")
    (folder / "walk").mkdir()
    for i in range(30):  # ten seconds at three a second
        Image.fromarray(picture_of(5000 + i)).save(folder / "walk" / f"{i + 1:05}.jpg", quality=95)
    (folder / "broken.mp4").write_bytes(b"this is no video")
    return folder


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]] = ROWS) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def settings(data: Path, videos: Path, **given: Any) -> EvalSettings:
    """Of the benchmark ``custom``; without words read off the pictures, which takes long."""
    agent = given.get("agent", "crop")
    if agent in ("crop", "reader", "tool"):
        given.setdefault("ocr", False)
    return read_eval_settings({"benchmark": "custom", "data": (str(data),), "videos": str(videos), **given})


# ------------------------------------------------------------------------------------------------------ models

Says: TypeAlias = Callable[[Request], "str | ModelOutput | Exception"]


class Played:
    """``--model played:NAME`` says what ``says[NAME]`` makes of a request; all requests are kept, by name."""

    says: ClassVar[dict[str, Says]] = {}
    requests: ClassVar[list[tuple[str, Request]]] = []

    def __init__(self, name: str) -> None:
        self.name = name
        self.reply_identity: JSON = ["played", name]

    @classmethod
    def from_spec(cls, name: str) -> Played:
        return cls(name)

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        request = Request(tuple(messages), tuple(tools), config)
        self.requests.append((self.name, request))
        said = self.says[self.name](request)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, ModelOutput):
            return said
        usage = Usage(1, 100, 10, 0, 0.001)
        return ModelOutput(Message("assistant", (said,)), self.name, usage=usage)


def play(monkeypatch: pytest.MonkeyPatch, **says: Says) -> list[tuple[str, Request]]:
    """Has models play, and gives the list that their requests will be in."""
    monkeypatch.setitem(registry._BUILTIN["model"], "played", f"{__name__}:Played")
    monkeypatch.setattr(Played, "says", {**says})
    monkeypatch.setattr(Played, "requests", [])
    return Played.requests


def text_of(request: Request) -> str:
    return "\n".join(message.text for message in request.messages)


def answers(found: Mapping[str, str]) -> Says:
    """Says the answer to the question that holds one of these words, else that it does not know."""

    def say(request: Request) -> str:
        asked = re.findall(r"Question: (.*)", text_of(request))[-1]
        said = next((answer for words, answer in found.items() if words in asked), "nobody knows")
        return f"<answer>{said}</answer>"

    return say
