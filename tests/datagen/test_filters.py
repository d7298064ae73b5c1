"""Writing questions about events, and which of them are kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_context import FakeContext, record, run_step, source_record
from hypothesis import given
from hypothesis import strategies as st
from talking import write_talk

from longtake.datagen.step import Record
from longtake.datagen.steps import filters
from longtake.datagen.steps.events import Events, Summary
from longtake.datagen.steps.filters import (
    Verdict,
    VisualScore,
    kept_questions,
    read_verdicts,
    text_filter,
    visual_filter,
)
from longtake.datagen.steps.questions import EventGroup, drafts, faults, groups, read_draft
from longtake.datagen.steps.verdicts import read_object, read_score, read_yes_no
from longtake.datagen.values import Caption, Question, as_value
from longtake.errors import FormatError, RejectedError
from longtake.models.scripted import Reply, ScriptedModel
from longtake.types import Frames, TimeSpan

# --------------------------------------------------------------------------------------------------------- drafts

GOOD = {"question": "What does the baker drop?", "answer": "a tray", "start_time": 12.5, "end_time": 18.0}


def events_record(num: int) -> Record:
    found = Events(tuple(Caption(10.0 * n, 10.0 * n + 10, f"event {n}") for n in range(num)))
    return record("events", as_value(found))


def test_every_window_of_events_has_its_questions() -> None:
    step = groups(events_per_question=15, questions_per_group=2)
    made = run_step(step, [events_record(32)], FakeContext(Path()))
    assert [one.read(EventGroup) for one in made] == [
        EventGroup(first, stop, number, 2) for first, stop in ((0, 15), (15, 30), (30, 32)) for number in (1, 2)
    ]


def drafted(model: ScriptedModel, group: EventGroup | None = None) -> Question:
    parent = events_record(6)
    made = record("groups", as_value(group or EventGroup(1, 3, 1, 1)), id="film/0000", parents=[parent])
    (draft,) = run_step(drafts(model), [made], FakeContext(Path()))
    return draft.read(Question)


def test_a_draft_has_its_time_range_and_sees_its_events_only() -> None:
    model = ScriptedModel([f"<think>{{}}</think>Here it is:\n```json\n{json.dumps(GOOD)}\n```"])
    expected = Question("What does the baker drop?", "a tray", spans=(TimeSpan(12.5, 18.0),))
    assert drafted(model) == expected
    asked = model.requests[0].messages[0].text
    assert asked.startswith("Task: event_question\n")
    assert "From 10.0 to 20.0 s: event 1\nFrom 20.0 to 30.0 s: event 2\n" in asked
    assert "event 0" not in asked
    assert "event 3" not in asked


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"question": "What happens at 0:12?"}, "names a time"),
        ({"question": "What is dropped 12 seconds into the video?"}, "names a time"),
        ({"question": "What falls between 12 and 18 s?"}, "names a time"),
        ({"question": "Why does a tray fall?"}, "holds its answer"),
        ({"question": "word " * 51 + "?"}, "has 52 words and may have 50"),
        ({"answer": "word " * 26}, "has 26 words and may have 25"),
        ({"answer": " "}, "answer is empty"),
        ({"answer": 7}, "must be texts"),
        ({"answer": "N/A"}, "answer is nothing"),
        ({"answer": "not specified"}, "answer is nothing"),
        ({"answer": "I'm sorry, I can't tell you"}, "answer is a refusal"),
        ({"answer": "Error: Connection error."}, "answer is an error message"),
        ({"answer": "at 0:45"}, "answer names a time"),
        ({"question": "I cannot assist with that."}, "question is a refusal"),
        ({"question": "What happens in the first 30 seconds?"}, "names a time"),
        ({"question": "What falls between 12.0 and 14.0?"}, "names a time"),
        ({"question": "According to the caption, what falls?"}, "rests on 'According to the caption'"),
        ({"question": "In event 3, what falls?"}, "rests on 'In event 3'"),
        ({"start_time": 2.0}, "must lie between 10.0 and 30.0 s"),
        ({"end_time": 31.0}, "must lie between 10.0 and 30.0 s"),
        ({"start_time": 18.0}, "start < end"),
        ({"end_time": None}, "a time is a number"),
    ],
)
def test_a_draft_that_breaks_a_rule_may_be_mended_once(change: dict[str, object], problem: str) -> None:
    bad = json.dumps({**GOOD, **change})
    model = ScriptedModel([bad, json.dumps(GOOD)])
    assert drafted(model).answer == "a tray"
    assert problem in model.requests[1].messages[0].text
    with pytest.raises(FormatError, match=problem):
        drafted(ScriptedModel([bad, bad]))


def test_all_that_is_wrong_is_said_at_once() -> None:
    model = ScriptedModel([json.dumps({**GOOD, "answer": "", "end_time": 99}), json.dumps(GOOD)])
    drafted(model)
    assert "the answer is empty; start_time and end_time must lie" in model.requests[1].messages[0].text


def test_rounded_times_are_cut_to_the_group() -> None:
    assert drafted(ScriptedModel([json.dumps({**GOOD, "start_time": 9.95})])).spans == (TimeSpan(10.0, 18.0),)


def test_a_model_may_abstain_from_a_question() -> None:
    with pytest.raises(RejectedError, match="a black picture"):
        drafted(ScriptedModel(["<abstain>a black picture</abstain>"]))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many seconds does he hold his breath?", "40"),
        ("Is the door open at the end?", "No"),
        ("Which art is on the wall?", "a cart"),
        ("What is written on bus 12 to Sutton?", "EXPRESS"),
    ],
)
def test_what_only_looks_like_a_fault_is_none(question: str, answer: str) -> None:
    assert faults(question, answer) == []


def test_the_last_whole_object_is_read() -> None:
    assert read_object('{broken {"a": 1} then {"b": {"c": 2}} end') == {"b": {"c": 2}}
    with pytest.raises(FormatError, match="no JSON object"):
        read_object("[1, 2] {")


@pytest.mark.parametrize("said", ['{"a": "\\ud83d"}', '{"a": ' + "9" * 5000 + "}", '{"a":' * 5000])
def test_what_cannot_be_kept_is_no_object(said: str) -> None:
    with pytest.raises(FormatError):
        read_object(said)


@given(st.text(alphabet='{}[]":,. 0123456789/%-yesnoscore\\u', max_size=60))
def test_readers_of_replies_raise_nothing_else(said: str) -> None:
    for read in (read_object, read_score, read_yes_no, lambda text: read_draft(text, TimeSpan(0, 9))):
        with contextlib.suppress(FormatError):
            read(said)


# ----------------------------------------------------------------------------------------------------- by words


def draft(n: int) -> Question:
    return Question(f"What is number {n}?", f"answer {n}", spans=(TimeSpan(n, n + 1),))


def verdicts(reply: object, num: int = 3, most: int = 5) -> list[tuple[int | None, str]]:
    found = read_verdicts(json.dumps(reply), [draft(n) for n in range(num)], most)
    assert [one.draft for one in found] == [draft(n) for n in range(num)]
    return [(one.rank, one.reason) for one in found]


def test_every_draft_gets_its_verdict() -> None:
    reply = {
        "keep": [{"index": 2, "rank": 1}, {"index": 0, "rank": 7}],
        "rejected": [{"index": 1, "reason": "common  sense"}],
    }
    assert verdicts(reply) == [(2, ""), (None, "common sense"), (1, "")]
    assert verdicts(reply, most=1)[0] == (None, "it is number 2 of the good ones, and 1 of a video are kept")
    assert verdicts({"keep": [], "rejected": [{"index": 0, "reason": "opinion"}]}, num=1) == [(None, "opinion")]


def test_a_draft_of_which_the_filter_says_nothing_is_dropped_alone() -> None:
    reply = {"keep": [{"index": "0", "rank": "1"}], "rejected": [{"index": 2, "reason": "opinion"}]}
    assert verdicts(reply) == [(1, ""), (None, "the filter said nothing about it"), (None, "opinion")]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ({"keep": [{"index": 0, "rank": 1}]}, "'rejected' must be a list"),
        ({"keep": [], "rejected": []}, "every index from 0 to 2"),
        ({"keep": [{"index": 0, "rank": 1}], "rejected": [{"index": 0, "reason": "x"}]}, "every index from 0 to 2"),
        ({"keep": [{"index": 3, "rank": 1}], "rejected": []}, "whole number from 0 to 2, got 3"),
        ({"keep": [{"index": True, "rank": 1}], "rejected": []}, "whole number from 0 to 2, got True"),
        ({"keep": [{"index": n, "rank": 1} for n in range(3)], "rejected": []}, "same rank"),
        ({"keep": [{"index": n, "rank": "first"} for n in range(3)], "rejected": []}, "a rank is a whole number"),
        ({"keep": [], "rejected": [{"index": n, "reason": " "} for n in range(3)]}, "needs a reason"),
        ({"keep": [0, 1, 2], "rejected": []}, "'keep' must be a list of JSON objects"),
    ],
)
def test_a_verdict_is_read_strictly(reply: object, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        verdicts(reply)


def questions_of(num: int) -> list[Record]:
    told = record("summary", as_value(Summary("A baker works.", 3)))
    return [record("drafts", as_value(draft(n)), id=f"film/{n:04d}", parents=[told]) for n in range(num)]


def test_each_question_is_kept_or_dropped_with_its_reason() -> None:
    reply = {"keep": [{"index": 1, "rank": 1}], "rejected": [{"index": 0, "reason": "ambiguous"}]}
    model = ScriptedModel(["no JSON", json.dumps(reply)])
    ctx = FakeContext(Path())
    made = run_step(text_filter(model, max_questions=5), questions_of(2), ctx)
    assert [one.read(Verdict).rank for one in made] == [None, 1]
    asked = model.requests[0].messages[0].text
    assert "A baker works." in asked
    assert '{"index": 1, "question": "What is number 1?", "answer": "answer 1"' in asked
    assert "at most 5" in asked
    with pytest.raises(RejectedError, match="ambiguous"):
        run_step(kept_questions(), [made[0]], ctx)
    (kept,) = run_step(kept_questions(), [made[1]], ctx)
    assert kept.read(Question) == draft(1)
    with pytest.raises(FormatError, match="no JSON object"):
        run_step(text_filter(ScriptedModel(["no", "no"]), max_questions=5), questions_of(2), ctx)


# --------------------------------------------------------------------------------------------------- by looking


def looked(folder: Path, replies: Sequence[Reply], *, span: TimeSpan | None = None) -> tuple[float, ScriptedModel]:
    source = source_record(folder / "talk.mp4")
    question = Question("What is lost?", "an umbrella", spans=(span or TimeSpan(4.0, 8.0),))
    model = ScriptedModel(replies)
    step = visual_filter(model, min_score=0.85, max_frames=6, ocr=False)
    inputs = [record("questions", as_value(question), parents=[source])]
    (made,) = run_step(step, inputs, FakeContext(folder))
    return made.read(VisualScore).score, model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_talk(tmp_path_factory.mktemp("talk") / "talk.mp4").parent


def test_a_moment_is_looked_at_with_its_words(folder: Path) -> None:
    score, model = looked(folder, ["It is shown clearly.\nScore: 0.9"])
    assert score == 0.9
    parts = model.requests[0].messages[0].content
    frames = next(part for part in parts if isinstance(part, Frames))
    assert len(frames) == 6
    assert frames.data is None
    assert frames.jpegs is not None
    assert all(4.0 <= t < 8.0 for t in frames.seconds)
    text = model.requests[0].messages[0].text
    assert text.startswith("Task: visual_filter\n")
    assert "subtitles: My green umbrella was lost at the market." in text
    assert "Lisbon" not in text


def test_what_is_not_borne_out_is_dropped_with_its_score(folder: Path) -> None:
    with pytest.raises(RejectedError, match=r"0\.40, and 0\.85 is asked for"):
        looked(folder, ["0.4"])


def test_a_reply_without_a_score_is_asked_for_once_more(folder: Path) -> None:
    assert looked(folder, ["It looks fine.", "Score: 1"])[0] == 1.0
    with pytest.raises(FormatError, match="0 numbers"):
        looked(folder, ["It looks fine.", "It does."])


def test_a_long_moment_is_looked_at_from_its_beginning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "LONGEST_LOOK_SECONDS", 3.0)
    _, model = looked(folder, ["1.0"], span=TimeSpan(4.0, 24.0))
    frames = next(part for part in model.requests[0].messages[0].content if isinstance(part, Frames))
    assert all(4.0 <= t < 7.0 for t in frames.seconds)
    assert "from 4.0 to 7.0 s" in model.requests[0].messages[0].text


def test_a_moment_has_no_more_frames_than_allowed(folder: Path) -> None:
    _, model = looked(folder, ["1.0"], span=TimeSpan(0.0, 24.0))
    frames = next(part for part in model.requests[0].messages[0].content if isinstance(part, Frames))
    assert len(frames) == 6
    assert frames.seconds[-1] > 20


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ("0.9", 0.9),
        ("Score: 0.85", 0.85),
        ("**Score:** 90%", 0.9),
        ("Relevance 1.0, evidence 0.8.\nScore: .8.", 0.8),
        ("The score is 9/10", 0.9),
        ("I give it 0,7", 0.7),
        ("Score: 0.2. A score of 0.9 would need better timing", 0.2),
        ("Score: 0.9. Note: a score 1 would be perfect", 0.9),
        ("Score: 1\nRelevance score 0", 1.0),
        ("Score: 1 out of 5", 0.2),
        ("My score is 1 of 10.", 0.1),
        ("**Score**: **0.95**", 0.95),
        ("Score:\n0.9", 0.9),
    ],
)
def test_scores_are_read_however_they_are_written(said: str, score: float) -> None:
    assert read_score(said) == pytest.approx(score)


DIFFER = [
    "score 0.2 at first, in the end score 1",
    "If evidence were there, Score: 1. But it is not. Score: 0",
    "Score: 0.9\nScore: 0.1",
    "Score: 0-1 -> 0.2",
    "score of 0 to 1: 0.2",
]


@pytest.mark.parametrize("said", [*DIFFER, "9", "-0.5", "Score: 1.5", "relevance 1.0, evidence 0.8", "none", "1/0"])
def test_what_is_no_score(said: str) -> None:
    with pytest.raises(FormatError):
        read_score(said)
