"""The LongVT recipe and the recipe of given questions, whole, on a generated video, through the engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pytest
from fake_context import FakeContext, run_step, source_record
from pydantic import ValidationError
from talking import write_talk

from longtake.datagen.audit import open_run, status, verify
from longtake.datagen.export.items import Item, read_item
from longtake.datagen.recipe import read_data_settings
from longtake.datagen.recipes import longvt, traces
from longtake.datagen.recipes.traces import QuestionRow, given_rows, read_questions
from longtake.datagen.run import make
from longtake.datagen.step import Step
from longtake.datagen.values import Question
from longtake.errors import ConfigError, FormatError, ModelConnectionError, ModelError, RejectedError
from longtake.models import heard
from longtake.models.reader import Reader
from longtake.types import GenerateConfig, Message, ModelOutput, TimeSpan, ToolSpec, to_json
from longtake.video.decode import Video

SMALL: Mapping[str, object] = {"events_per_question": 3, "questions_per_group": 2, "overview_frames": 2}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    (folder / "old").mkdir()
    write_talk(folder / "old/talk.mp4")
    return folder


def run(videos: Path, out: Path, **settings: object) -> list[Item]:
    """The items at the end of a run of a recipe with the reader."""
    asyncio.run(make(read_data_settings({"model": "reader", **settings}), videos, out))
    opened = open_run(out)
    assert asyncio.run(verify(opened)).wrong == []
    return [read_item(one) for one in asyncio.run(opened.leaves())]


def counts(out: Path) -> dict[str, tuple[int, int, int]]:
    """Step -> (done, rejected, invalid)."""
    steps = asyncio.run(status(open_run(out))).steps
    return {step.name: (step.count.ok, step.count.rejected, step.count.invalid) for step in steps}


def test_the_reader_plays_the_whole_recipe(videos: Path, tmp_path: Path) -> None:
    items = run(videos, tmp_path / "run", recipe="longvt", **SMALL)
    assert len(items) == 4
    for item in items:
        assert item.trace is not None
        assert item.trace.answer is not None
        assert item.question.answer in item.trace.answer.text
        assert item.question.spans[0].duration == pytest.approx(4.0)
        assert item.scores[0].value == 1.0
    again = run(videos, tmp_path / "again", recipe="longvt", **SMALL)
    assert [to_json(item) for item in again] == [to_json(item) for item in items]


def test_what_a_video_keeps_and_drops_is_counted(videos: Path, tmp_path: Path) -> None:
    items = run(videos, tmp_path / "run", recipe="longvt", **SMALL, max_questions=1, visual_filter=False)
    assert len(items) == 1
    found = counts(tmp_path / "run")
    assert found["drafts"] == (4, 0, 0)
    assert found["text_filter"] == (1, 0, 0)
    assert found["questions"] == (1, 3, 0)
    assert "visual_filter" not in found


def names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


def test_every_role_has_its_model_and_every_setting_its_step() -> None:
    asked = list[str]()

    def models(role: str) -> Reader:
        asked.append(role)
        return Reader()

    chain = longvt.build(longvt.Settings(), models)
    expected = "scenes caption events summary groups drafts text_filter questions visual_filter samples trace"
    assert names(chain) == expected.split()
    assert set(asked) == {"caption", "reason", "trace"}
    hashes = {step.name: step.hash for step in chain}
    changes: dict[str, object] = {
        "max_scene_seconds": 5.0,
        "scene_threshold": 9.0,
        "caption_fps": 1.0,
        "max_frames": 8,
        "max_pixels": 1000,
        "caption_max_tokens": 100,
        "min_captioned_share": 0.5,
        "events_per_question": 3,
        "questions_per_group": 2,
        "max_questions": 2,
        "min_visual_score": 0.5,
        "visual_frames": 8,
        "max_turns": 2,
    }
    for name, value in changes.items():
        changed = longvt.build(longvt.Settings(**{name: value}), models)  # type: ignore[arg-type]
        assert {step.name: step.hash for step in changed} != hashes, name
    with pytest.raises(ValidationError):
        longvt.Settings(max_scenes=3)  # type: ignore[call-arg]


BAD = "ZZZ"
"""Stands in everything bad that the endpoint says, and nowhere else."""


class Moody:
    """The reader behind an endpoint of which every seventh call goes wrong, each time in another way."""

    name = "moody"

    def __init__(self, first: int) -> None:
        self._reader, self._count = Reader(), first

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        self._count += 1
        if self._count % 7:
            return await self._reader.generate(messages, tools=tools, config=config)
        bad: list[ModelOutput | Exception] = [
            said(f"Error: Connection error. {BAD}"),
            said(f"I'm sorry, I can't help with {BAD}."),
            said(f"The man {BAD} and then", "length"),
            said(f"{BAD}", "refused"),
            said(f"<think>{BAD}</think>"),
            said('{"question": "What'),
            ModelConnectionError(f"gone {BAD}"),
        ]
        reply = bad[self._count // 7 % len(bad)]
        if isinstance(reply, Exception):
            raise reply
        return reply


def said(text: str, stop_reason: Literal["stop", "length", "refused"] = "stop") -> ModelOutput:
    return ModelOutput(Message("assistant", (text,)), "moody", stop_reason)


@pytest.mark.parametrize("first", range(7))
def test_nothing_that_a_bad_endpoint_says_becomes_content(
    videos: Path, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard, "_FIRST_WAIT_SECONDS", 0.0)
    model, ctx = Moody(first), FakeContext(videos / "old")
    settings = longvt.Settings.model_validate({**SMALL, "min_captioned_share": 0.0})
    left, lost = [source_record(videos / "old/talk.mp4")], 0
    for step in longvt.build(settings, lambda role: model):
        inputs, left = ([left] if step.gathers else [[one] for one in left]), []
        for group in inputs:
            try:
                left += run_step(step, group, ctx)
            except (RejectedError, FormatError, ModelError):
                lost += 1
        assert BAD not in json.dumps([one.value for one in left])
        if not left:
            break
    assert lost


# ------------------------------------------------------------------------------------------------- given questions

ASKED = {
    "video": "old/talk.mp4",
    "question": "Who speaks only Norwegian?",
    "answer": "lighthouse keeper",
    "start_time": 16,
    "end_time": "0:20",
    "note": "ours",
}
CHOSEN = {
    "video": "./old/talk",
    "question": "What escaped from the harbour office?",
    "choices": ["A. a parrot", "B. a monkey"],
    "answer": "A",
    "spans": [[20, 24]],
    "question_type": "plot",
}


def written(path: Path, *rows: object) -> str:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def test_given_questions_become_traces(videos: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "q.jsonl", ASKED, "", CHOSEN)
    items = run(videos, tmp_path / "run", recipe="traces", questions=file, samples_per_question=2, overview_frames=2)
    assert [item.question.question for item in items] == [ASKED["question"]] * 2 + [CHOSEN["question"]] * 2
    assert [item.scores[0].scorer for item in items] == ["contains"] * 2 + ["choice"] * 2
    assert [item.id for item in items] == [f"old/talk/000{n}/000{m}" for n in (0, 1) for m in (0, 1)]


def test_rows_are_read_as_they_come(tmp_path: Path) -> None:
    letters = {**CHOSEN, "choices": None, "options": {"B": "a monkey", "A": "a parrot"}, "answer": "a parrot"}
    del letters["choices"]
    spans = {**CHOSEN, "spans": [{"start": 1, "end": 2}, ["0:03", "4 s"]]}
    rows = read_questions(Path(written(tmp_path / "q.jsonl", "\ufeff" + json.dumps(ASKED), CHOSEN, letters, spans)))
    options = ("a parrot", "a monkey")
    chosen = Question("What escaped from the harbour office?", "A", options, "plot", (TimeSpan(20, 24),))
    assert rows[0] == QuestionRow(
        1, "old/talk.mp4", Question("Who speaks only Norwegian?", "lighthouse keeper", spans=(TimeSpan(16, 20),))
    )
    assert rows[1] == QuestionRow(2, "old/talk", chosen)
    assert rows[2].question == chosen
    assert rows[3].question.spans == (TimeSpan(1, 2), TimeSpan(3, 4))


def test_answers_and_options_may_be_numbers(tmp_path: Path) -> None:
    counted = {**CHOSEN, "choices": [7, 2.5], "answer": 2.5}
    file = written(tmp_path / "q.jsonl", {**ASKED, "answer": 3}, counted, {**CHOSEN, "choices": ["x", 3]})
    texts = [(row.question.answer, row.question.options) for row in read_questions(Path(file))]
    assert texts == [("3", ()), ("B", ("7", "2.5")), ("A", ("x", "3"))]


def test_spans_end_where_the_video_ends(videos: Path, tmp_path: Path) -> None:
    late = {**ASKED, "start_time": 20, "end_time": 9999}
    file = written(tmp_path / "q.jsonl", late, {**ASKED, "start_time": 70, "end_time": 80}, ASKED)
    items = run(videos, tmp_path / "run", recipe="traces", questions=file, overview_frames=2)
    end = Video.open(videos / "old/talk.mp4").info.duration_seconds
    assert [item.question.spans for item in items] == [(TimeSpan(20, end),), (TimeSpan(16, 20),)]
    assert counts(tmp_path / "run")["questions"] == (2, 1, 0)
    (why,) = asyncio.run(status(open_run(tmp_path / "run"))).steps[2].reasons
    assert "line 2: the span from 70" in why


def test_what_has_no_span_cannot_be_compared_with_one(tmp_path: Path) -> None:
    bare = {name: value for name, value in ASKED.items() if name not in ("start_time", "end_time")}
    settings = traces.Settings(questions=written(tmp_path / "q.jsonl", ASKED, bare), min_temporal_iou=0.3)
    with pytest.raises(ConfigError, match="1 questions have none: line 2; give them start_time"):
        traces.build(settings, lambda role: Reader())


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    wrong: dict[str, object] = {
        "{": "",
        "[1]": "a line is a JSON object",
        json.dumps({**ASKED, "answer": "\ud83d"}): "'utf-8' codec can't encode character",
        json.dumps({**ASKED, "answer": ""}): "answer must be a text, got ''",
        json.dumps({**ASKED, "answer": True}): "answer must be a text, got True",
        json.dumps({**ASKED, "video": 3}): "video must be a text, got 3",
        json.dumps({**ASKED, "end_time": None}): "a time is a number",
        json.dumps({**ASKED, "end_time": 3}): "a span needs 0 <= start < end",
        json.dumps({**ASKED, "spans": [[1, 2]]}): "it has spans and start_time",
        json.dumps({**CHOSEN, "spans": [[1]]}): "a span is",
        json.dumps({**CHOSEN, "answer": "C"}): "the answer 'C' is none of the 2 options",
        json.dumps({**CHOSEN, "choices": ["x", "x"]}): "options are 2 to 26 different texts",
        json.dumps({**CHOSEN, "choices": ["x", None]}): "options are 2 to 26 different texts",
        json.dumps({**CHOSEN, "options": ["x", "y"]}): "it has options and choices",
        json.dumps({**CHOSEN, "question_type": "odd"}): "question_type is one of temporal",
    }
    file = written(tmp_path / "q.jsonl", ASKED, *wrong)
    with pytest.raises(ConfigError) as caught:
        traces.build(traces.Settings(questions=file), lambda role: Reader())
    said = str(caught.value)
    assert f"{len(wrong)} lines" in said
    for number, problem in enumerate(wrong.values(), 2):
        assert f"line {number}: {problem}" in said


@pytest.mark.parametrize(("text", "problem"), [("", "holds no question"), (None, "cannot read")])
def test_a_file_without_questions_is_an_error(tmp_path: Path, text: str | None, problem: str) -> None:
    path = tmp_path / "q.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_questions(path)


def test_questions_about_videos_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    file = written(tmp_path / "q.jsonl", ASKED, CHOSEN, {**ASKED, "video": "talk.mp4"})
    check = given_rows(read_questions(Path(file))).check
    assert check is not None
    check({"old/talk.mp4", "old/talk", "talk.mp4"})
    with pytest.raises(ConfigError, match=r"about 1 videos .*'talk.mp4' \(line 3\)"):
        check({"old/talk.mp4", "old/talk"})


def test_a_new_question_about_one_video_leaves_the_others_as_they_are(videos: Path, tmp_path: Path) -> None:
    before = given_rows(read_questions(Path(written(tmp_path / "a.jsonl", ASKED))))
    after = given_rows(read_questions(Path(written(tmp_path / "b.jsonl", ASKED, {**ASKED, "video": "new.mp4"}))))
    assert before.hash != after.hash
    source = source_record(videos / "old/talk.mp4", "old/talk")
    ctx = FakeContext(videos)
    digests = [[one.digest for one in run_step(step, [source], ctx)] for step in (before, after)]
    assert digests[0] == digests[1]
