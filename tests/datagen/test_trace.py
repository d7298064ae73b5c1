"""Which traces are kept, and that a kept one is the same everywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fake_context import FakeContext, record, run_step, source_record
from pydantic import ValidationError
from talking import write_talk

from longtake.datagen.step import Record, Value
from longtake.datagen.steps.trace import Take, TraceSettings, portable, samples, trace
from longtake.datagen.values import Question, as_value
from longtake.errors import (
    ConfigError,
    FormatError,
    ModelConnectionError,
    ModelRateLimitError,
    ModelReplyError,
    ModelRequestError,
    RejectedError,
)
from longtake.models import heard
from longtake.models.reader import Reader
from longtake.models.scripted import Reply, ScriptedModel
from longtake.types import (
    Frames,
    GenerateConfig,
    Message,
    Model,
    ModelOutput,
    Score,
    TimeSpan,
    ToolResult,
    ToolSpec,
    Trace,
    from_json,
)

OPEN = Question("What was lost at the market?", "green umbrella", spans=(TimeSpan(4.0, 8.0),))
CHOICE = replace(OPEN, options=("a silver key", "a green umbrella"), answer="B")
LOOK: Reply = ("crop_video", {"start_time": 4, "end_time": 8})
RIGHT = "<think>It is green.</think><answer>my green umbrella</answer><evidence>4 - 8 s: an umbrella</evidence>"
SMALL = TraceSettings(overview_frames=2, temperature=0.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talk") / "shows"
    folder.mkdir()
    return write_talk(folder / "talk.mp4")


def question_record(film: Path, question: Question) -> Record:
    parent = source_record(film, "shows/talk")
    value = {**parent.value, "video": "shows/talk.mp4"}
    parent = record("source", value, id="shows/talk", video="shows/talk")
    return record("questions", as_value(question), id="shows/talk/0003", video="shows/talk", parents=[parent])


def made(
    film: Path, model: object, question: Question = OPEN, settings: TraceSettings = SMALL, root: Path | None = None
) -> Value:
    ctx = FakeContext(root or film.parent.parent)
    (take,) = run_step(samples(settings), [question_record(film, question)], ctx)
    (kept,) = run_step(trace(model, settings), [take], ctx)  # type: ignore[arg-type]
    return kept.value


def read(value: Value) -> Trace:
    return from_json(Trace, json.dumps(value["trace"]))


def test_a_right_trace_is_kept_with_its_scores(film: Path) -> None:
    model = ScriptedModel([LOOK, RIGHT])
    value = made(film, model)
    kept = read(value)
    assert kept.answer is not None
    assert kept.answer.text == "my green umbrella"
    assert kept.sample.id == "shows/talk/0003/0000"
    assert kept.sample.target == "green umbrella"
    assert kept.sample.target_spans == OPEN.spans
    assert [turn.calls[0].name for turn in kept.turns if turn.calls] == ["crop_video"]
    assert value["scores"] == [
        {
            "scorer": "contains",
            "value": 1.0,
            "explanation": "answered 'my green umbrella', right is 'green umbrella'",
            "error": None,
        }
    ]
    shown = "".join(message.text for message in model.requests[0].messages)
    assert "What was lost at the market?" in shown
    assert "green" not in shown, "the gold answer is not shown"


def test_frames_wait_as_files(film: Path) -> None:
    model = ScriptedModel([LOOK, RIGHT])
    made(film, model)
    frames = [p for m in model.requests[1].messages for p in m.content if isinstance(p, Frames)]
    assert [len(one) for one in frames] == [2, 4]
    assert all(one.data is None and one.jpegs is not None for one in frames)


def test_a_question_with_options_is_scored_by_choice(film: Path) -> None:
    value = made(film, ScriptedModel([LOOK, "<answer>B</answer>"]), CHOICE)
    assert [score["scorer"] for score in value["scores"]] == ["choice"]  # type: ignore[index,union-attr]
    with pytest.raises(RejectedError, match=r"choice gives 0\.00"):
        made(film, ScriptedModel([LOOK, "<answer>A</answer>"]), CHOICE)


def settings_with(**changes: object) -> TraceSettings:
    return TraceSettings(**{**SMALL.model_dump(), **changes})


CUT = ModelOutput(Message("assistant", ("<think>So long",)), "m", "length")


@pytest.mark.parametrize(
    ("replies", "settings", "reason"),
    [
        ([LOOK, "<answer>a key</answer>"], SMALL, r"contains gives 0\.00, and 1\.00 is asked for: answered 'a key'"),
        (
            [LOOK, "<answer>not a green umbrella</answer>"],
            SMALL,
            "it hedges: it denies the right answer: answered 'not",
        ),
        ([LOOK, "<answer>a green umbrella, or perhaps a key</answer>"], SMALL, "it hedges: 'or'"),
        ([LOOK, "<answer>I cannot tell; maybe a green umbrella</answer>"], SMALL, "it hedges: 'cannot tell'"),
        ([RIGHT], SMALL, "without looking"),
        ([("crop_video", {"start_time": 90, "end_time": 95}), RIGHT], SMALL, "without looking"),
        ([LOOK, "<abstain>too dark</abstain>"], SMALL, "abstained: too dark"),
        ([LOOK, LOOK], settings_with(max_turns=2), "max_turns: no answer within 2 turns"),
        (["so", "so", "so"], SMALL, "format_errors"),
        ([LOOK, CUT, CUT, CUT], SMALL, "max_tokens"),
        ([LOOK, CUT, RIGHT], SMALL, "turn 2 broke the form: Your reply was cut off"),
        (['<tool_call>{"name": "crop_video", "argu</tool_call>', LOOK, RIGHT], SMALL, "turn 1 broke the form"),
        (
            [("crop_video", {"start_time": 6, "end_time": 24}), "<answer>green umbrella</answer>"],
            settings_with(min_temporal_iou=0.3),
            r"looked_iou gives 0\.10",
        ),
        (
            [("crop_video", {"start_time": 12, "end_time": 24}), RIGHT],
            settings_with(min_temporal_iou=0.3),
            "iou gives 0",
        ),
        (
            [LOOK, ("crop_video", {"start_time": 20, "end_time": 24}), RIGHT],
            settings_with(min_temporal_iou=0.3),
            "gives 0",
        ),
        (
            [[("crop_video", {"start_time": 3 * i, "end_time": 3 * i + 4}) for i in range(8)], RIGHT],
            settings_with(min_temporal_iou=0.3),
            r"looked_iou gives 0\.17",
        ),
    ],
)
def test_other_traces_are_dropped_with_the_reason(
    film: Path, replies: Sequence[Reply], settings: TraceSettings, reason: str
) -> None:
    with pytest.raises(RejectedError, match=reason):
        made(film, ScriptedModel(replies), settings=settings)


def test_a_trace_may_be_kept_that_called_no_tool(film: Path) -> None:
    assert read(made(film, ScriptedModel([RIGHT]), settings=settings_with(require_tool=False))).answer is not None


def test_what_was_cropped_last_is_compared_with_the_gold_span(film: Path) -> None:
    strict = settings_with(min_temporal_iou=0.9)
    far: Reply = ("crop_video", {"start_time": 12, "end_time": 24})
    halves: Reply = [("crop_video", {"start_time": 4, "end_time": 6}), ("crop_video", {"start_time": 6, "end_time": 8})]
    for replies in ([LOOK, RIGHT], [far, LOOK, RIGHT], [far, halves, RIGHT]):
        value = made(film, ScriptedModel(replies), settings=strict)
        assert [score["value"] for score in value["scores"]] == [1.0, 1.0]  # type: ignore[index,union-attr]
    apart = replace(OPEN, spans=(TimeSpan(4.0, 8.0), TimeSpan(12.0, 24.0)))
    for replies in ([LOOK, RIGHT], [far, RIGHT], [[LOOK, far], RIGHT]):
        assert read(made(film, ScriptedModel(replies), apart, strict)).answer
    with pytest.raises(FormatError, match="no time range"):
        made(film, ScriptedModel([LOOK, RIGHT]), replace(OPEN, spans=()), strict)


def test_a_run_that_cropped_nothing_is_measured_by_what_it_states(film: Path) -> None:
    words = settings_with(min_temporal_iou=0.9, tools=("search_text",))
    search: Reply = ("search_text", {"query": "umbrella"})
    assert read(made(film, ScriptedModel([search, RIGHT]), settings=words)).answer
    with pytest.raises(RejectedError, match="looked nowhere"):
        made(film, ScriptedModel([search, "<answer>green umbrella</answer>"]), settings=words)


@pytest.mark.parametrize("error", [ModelConnectionError("gone"), ModelRateLimitError("slow"), ModelRequestError("bad")])
def test_an_error_of_the_model_is_no_trace(film: Path, error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        made(film, ScriptedModel([LOOK, error]))


class Keeping(FakeContext):
    """Remembers the models that are journaled."""

    kept: Model | None = None

    def journaled(self, model: Model) -> Model:
        self.kept = ScriptedModel([LOOK, RIGHT], name="from the journal")
        return self.kept


def test_every_call_goes_through_the_journal(film: Path) -> None:
    ctx = Keeping(film.parent.parent)
    (take,) = run_step(samples(SMALL), [question_record(film, OPEN)], ctx)
    (kept,) = run_step(trace(ScriptedModel([]), SMALL), [take], ctx)
    assert read(kept.value).model == "from the journal"


def test_an_error_message_is_no_reply(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "_FIRST_WAIT_SECONDS", 0.0)
    error = "Error: Connection error."
    assert "Connection error" not in json.dumps(made(film, ScriptedModel([error, LOOK, error, RIGHT])))
    with pytest.raises(ModelReplyError, match="replied with an error message"):
        made(film, ScriptedModel([LOOK, *[error] * 3]))


class Slow:
    """A model whose replies took a while and came from a cache."""

    name = "slow"

    def __init__(self, seconds: float) -> None:
        self._model, self._seconds = ScriptedModel([LOOK, RIGHT], name="slow"), seconds

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        output = await self._model.generate(messages, tools=tools, config=config)
        return replace(output, seconds=self._seconds, cached=self._seconds > 1)


def test_a_trace_is_the_same_wherever_and_whenever_it_was_made(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = made(film, Slow(0.5))
    (tmp_path / "shows").mkdir()
    for suffix in (".mp4", ".srt"):
        (tmp_path / "shows/talk").with_suffix(suffix).write_bytes(film.with_suffix(suffix).read_bytes())
    there = made(tmp_path / "shows/talk.mp4", Slow(2.5))
    assert json.dumps(here) == json.dumps(there)
    monkeypatch.chdir(tmp_path)
    assert json.dumps(made(film, Slow(0.0), root=Path())) == json.dumps(here)
    kept = read(here)
    assert kept.video.uri == kept.sample.video == "shows/talk.mp4"
    assert str(film.parent) not in json.dumps(here)


@pytest.mark.parametrize("folder", ["/data/all videos", "all videos", "."])
def test_notes_about_files_name_no_folder(film: Path, folder: str) -> None:
    kept = read(made(film, ScriptedModel([LOOK, RIGHT])))
    path = Path(folder) / "shows/talk.mp4"
    note = f"{path} is damaged; the subtitle file {path.with_suffix('.en.srt')} is empty"
    turn = replace(kept.turns[0], results=(ToolResult("1", (note,), error=note),))
    text = json.dumps(portable(replace(kept, turns=(turn,)), path, "shows/talk.mp4"))
    assert text.count("shows/talk.mp4 is damaged; the subtitle file shows/talk.en.srt is empty") == 2
    assert "all videos" not in text


def test_the_reader_finds_the_line_by_itself(film: Path) -> None:
    question = Question(
        'Which word do they say for ___ in "The ferry to ___ leaves at half past six."?',
        "Lisbon",
        spans=(TimeSpan(0.0, 4.0),),
    )
    kept = read(made(film, Reader(), question, settings_with(min_temporal_iou=0.3)))
    assert kept.answer is not None
    assert "Lisbon" in kept.answer.text


def test_others_than_the_reader_get_one_tool(film: Path) -> None:
    model = ScriptedModel([LOOK, RIGHT])
    made(film, model)
    assert [tool.name for tool in model.requests[0].tools] == ["crop_video"]
    model = ScriptedModel([LOOK, RIGHT])
    made(film, model, settings=settings_with(tools=("zoom", "crop_video")))
    assert [tool.name for tool in model.requests[0].tools] == ["zoom", "crop_video"]


def test_samples_are_as_many_as_asked_for(film: Path) -> None:
    step = samples(settings_with(samples_per_question=3, temperature=1.0))
    takes = run_step(step, [question_record(film, OPEN)], FakeContext(film.parent))
    assert [(one.id, one.read(Take).number) for one in takes] == [(f"shows/talk/0003/000{n}", n) for n in range(3)]
    more = samples(settings_with(samples_per_question=4, temperature=1.0))
    again = run_step(more, [question_record(film, OPEN)], FakeContext(film.parent))
    assert [one.digest for one in again[:3]] == [one.digest for one in takes], "more of them leave the others alone"
    with pytest.raises(ValidationError, match="all samples of a question would be the same"):
        settings_with(samples_per_question=2)


def test_wrong_settings_are_found_before_anything_is_spent() -> None:
    with pytest.raises(ConfigError, match="known: "):
        trace(ScriptedModel([]), settings_with(scorer="taste"))
    with pytest.raises(ConfigError, match="the tools are"):
        trace(ScriptedModel([]), settings_with(tools=("crop_video", "fly")))


def test_whatever_decides_a_trace_is_in_its_key() -> None:
    model = ScriptedModel([])
    changes: list[dict[str, object]] = [
        {"temperature": 0.5},
        {"max_tokens": 100},
        {"scorer": "exact"},
        {"min_score": 0.5},
        {"min_temporal_iou": 0.5},
        {"require_tool": False},
        {"overview_frames": 3},
        {"max_turns": 3},
        {"tools": ("crop_video", "zoom")},
    ]
    hashes = {trace(model, settings_with(**change)).hash for change in [{}, *changes]}
    assert len(hashes) == len(changes) + 1
    assert trace(ScriptedModel([], name="other"), SMALL).hash not in hashes


def test_a_verdict_that_is_none_is_unusable(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longtake.scoring.scorers.exact", lambda made, sample: Score("exact", None, error="no judge"))
    with pytest.raises(FormatError, match="exact gives no verdict: no judge"):
        made(film, ScriptedModel([LOOK, RIGHT]), settings=settings_with(scorer="exact"))
