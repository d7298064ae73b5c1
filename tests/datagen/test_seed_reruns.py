"""LongVideo-Reason's commands run again into the same folder: what changed is made anew, nothing else is paid for."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import clips
from longtake.datagen.audit import open_run, status, verify
from longtake.datagen.recipes.longvideo_reason import Settings
from longtake.datagen.run import run_command
from longtake.datagen.scripts.commands import (
    SeedCommand,
    caption_clips,
    merge_captions,
    parse_replies,
    reformat_questions,
    split_videos,
    write_questions,
)
from longtake.types import GenerateConfig, Message, Model, ModelOutput, ToolSpec

REPLY = """QUESTION: What does the woman fetch?
OPTIONS:
A. A broom
B. A candle
ANSWER: B
REASONS:
##### From [10 to 20]:
- It gets dark in {word} light, so she needs one.
"""


def run(command: SeedCommand, out: Path, model: Model | None = None) -> list[Path]:
    """What the command writes, with the folder that the command line has; the books must be right."""
    folder = out / ".longtake" / command.name
    files = asyncio.run(run_command(command, folder, model=model))
    assert asyncio.run(verify(open_run(folder))).wrong == []
    return files


def put(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


class Answering:
    """Says what ``make`` makes of the number of the call and the prompt; counts its calls."""

    name = "answering"

    def __init__(self, make: Callable[[int, str], str]) -> None:
        self.calls = 0
        self._make = make

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        self.calls += 1
        return ModelOutput(Message("assistant", (self._make(self.calls, messages[0].text),)), self.name)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    clips.write_clock(tmp_path / "films" / "film.mp4", fps=5, num_frames=100)
    clips.write_clock(tmp_path / "films" / "other.mp4", fps=5, num_frames=51)
    return tmp_path / "films"


def test_splitting_again(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "clips"
    index = out / "clips.jsonl"
    run(split_videos(film, out, clip_duration=10), out)
    assert len(index.read_text().splitlines()) == 3
    clips.write_clock(film / "other.mp4", fps=5, num_frames=200)
    run(split_videos(film, out, clip_duration=10), out)
    assert len(index.read_text().splitlines()) == 6


def test_captioning_other_clips(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "captions"
    model = Answering(lambda n, _: f"<caption>Picture {n}.</caption>")
    for seconds, calls in ((10, 3), (5, 9), (5, 9), (10, 9)):
        run(split_videos(film, tmp_path / "clips", clip_duration=seconds), tmp_path / "clips")
        files = run(caption_clips(tmp_path / "clips", out, model), out, model)
        assert len(files) == {10: 3, 5: 6}[seconds] + 1
        assert model.calls == calls
        run(merge_captions(out, tmp_path / "merged.json"), tmp_path)
        merged = json.loads((tmp_path / "merged.json").read_text())
        assert [one["end_time"] - one["start_time"] for one in merged[0]["captions"]] == [seconds] * (20 // seconds)


def test_touching_a_video_costs_nothing_and_changing_it_or_its_words_does(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "captions"
    model = Answering(lambda n, _: f"<caption>Picture {n}.</caption>")
    run(split_videos(film, tmp_path / "clips"), tmp_path / "clips")

    def calls() -> int:
        run(caption_clips(tmp_path / "clips", out, model), out, model)
        return model.calls

    assert calls() == 3
    os.utime(film / "film.mp4", (1, 1))
    assert calls() == 3
    (film / "other.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n", encoding="utf-8")
    assert calls() == 4
    clips.write_clock(film / "film.mp4", fps=5, num_frames=100, gop=7)
    assert calls() == 6


def test_merging_other_captions(tmp_path: Path) -> None:
    out = tmp_path / "merged.json"

    def merged(folder: str) -> list[str]:
        run(merge_captions(tmp_path / folder, out), tmp_path)
        return [one["caption"] for video in json.loads(out.read_text()) for one in video["captions"]]

    put(tmp_path / "a" / "film_0000.json", {"film_0000": "OLD"})
    put(tmp_path / "b" / "film_0000.json", {"film_0000": "OTHER"})
    assert merged("a") == ["OLD"]
    assert merged("b") == ["OTHER"]
    put(tmp_path / "a" / "film_0000.json", {"film_0000": "NEW"})
    assert merged("a") == ["NEW"]
    (tmp_path / "a" / "film_0010.json").write_text('{"film')
    assert merged("a") == ["NEW"]
    steps = asyncio.run(status(open_run(tmp_path / ".longtake" / "merge"))).steps
    assert steps[0].count.invalid == 1
    assert any("film_0010.json is not JSON" in reason for reason in steps[0].reasons)
    put(tmp_path / "a" / "film_0010.json", {"film_0010": "AND"})
    assert merged("a") == ["NEW", "AND"]


def test_asking_about_other_captions(tmp_path: Path) -> None:
    model = Answering(lambda n, _: REPLY.format(word=f"the {n}th"))
    settings = Settings(question_types=("plot",))

    def replies(**captions: str) -> dict[str, object]:
        rows = [
            {"id": id, "captions": [{"start_time": 0, "end_time": 30, "caption": text}]}
            for id, text in captions.items()
        ]
        put(tmp_path / "m.json", rows)
        files = run(write_questions(tmp_path / "m.json", tmp_path / "out", model, settings), tmp_path / "out", model)
        return {path.stem: json.loads(path.read_text()) for path in files}

    first = replies(film="A man.", other="A dog.")
    assert model.calls == 2
    assert replies(film="A man.", other="A dog.") == first
    assert model.calls == 2
    second = replies(film="A cat.", other="A dog.", third="A cow.")
    assert model.calls == 4
    assert second["other"] == first["other"]
    assert second["film"] != first["film"]
    assert "A cat." in json.dumps(second["film"])


def test_reading_other_replies(tmp_path: Path) -> None:
    model = Answering(lambda n, _: REPLY.format(word="the mended"))

    def reasons(**replies: str) -> list[str]:
        for name, text in replies.items():
            put(tmp_path / "in" / f"{name}.json", {"video_name": name, "captions": "", "reasoning": text})
        run(parse_replies(tmp_path / "in", tmp_path / "p.json", model), tmp_path, model)
        parsed = json.loads((tmp_path / "p.json").read_text())
        return [item["REASONS"]["Step 1"]["reasons"][0].split()[4] for item in parsed]

    assert reasons(a=REPLY.format(word="old"), b="nothing") == ["old", "the"]
    assert model.calls == 1
    assert reasons(a=REPLY.format(word="new")) == ["new", "the"]
    assert model.calls == 1
    assert reasons(b="another") == ["new", "the"]
    assert model.calls == 2


def test_rewriting_other_questions(tmp_path: Path) -> None:
    model = Answering(lambda _, prompt: _rewritten(prompt))

    def problems(*words: str) -> list[tuple[int, str]]:
        items = [
            {
                "QUESTION": f"What is {word}?",
                "OPTIONS": {"A": "x", "B": "y"},
                "ANSWER": "B",
                "REASONS": {"Step 1": {"timestamp": "0 to 9", "reasons": [f"It is {word}."]}},
                "video_name": word[0],
            }
            for word in words
        ]
        put(tmp_path / "p.json", items)
        files = run(reformat_questions(tmp_path / "p.json", tmp_path / "out", model), tmp_path / "out", model)
        made = [json.loads(path.read_text()) for path in files]
        return [(one["problem_id"], one["problem"].split()[2]) for one in made]

    assert problems("apple", "bread") == [(0, "apple?"), (1, "bread?")]
    assert model.calls == 2
    assert problems("apple", "bread") == [(0, "apple?"), (1, "bread?")]
    assert model.calls == 2
    assert problems("candy", "apple", "butter") == [(0, "candy?"), (1, "apple?"), (2, "butter?")]
    assert model.calls == 4


def _rewritten(prompt: str) -> str:
    word = next(word for word in ("apple", "bread", "candy", "butter") if word in prompt)
    return f"REASONING: As checking the video shows, it is {word}, so B.\nANSWER: B"
