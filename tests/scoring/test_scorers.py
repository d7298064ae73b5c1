"""Scorers: verdicts on hard cases, and no verdict where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longtake.registry import names, resolve
from longtake.scoring.scorers import Scorer, choice, contains, exact, extract_choice, format_, number, temporal_iou
from longtake.types import (
    Answer,
    Evidence,
    Message,
    ModelOutput,
    Sample,
    StopReason,
    TimeSpan,
    ToolResult,
    Trace,
    Turn,
    VideoInfo,
)

VIDEO = VideoInfo("v", "f", 100.0, 25.0, 2500, 64, 48, "h264", False)
OPTIONS = ("a red car", "a blue car", "Vitamin D", "none of the above")


def trace(
    text: str | None, *, spans: tuple[TimeSpan, ...] = (), stop: StopReason = "answered", reply: str = ""
) -> Trace:
    answer = None if text is None else Answer(text, tuple(Evidence(span, "", "stated") for span in spans))
    turns = (Turn(ModelOutput(Message("assistant", (reply,)), "m")),) if reply else ()
    error = None if answer else "the endpoint is unreachable"
    return Trace(Sample("1", "v", "q"), VIDEO, "crop", "m", {}, (), turns, answer, stop, error)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("B", 1),
        ("b", 1),
        ("(B)", 1),
        ("B.", 1),
        ("B: a blue car", 1),
        ("The answer is B", 1),
        ("The correct answer is (B).", 1),
        ("Answer: B", 1),
        ("Option B", 1),
        ("**B**", 1),
        ("a blue car", 1),
        ("A blue car.", 1),
        ("It is a blue car that stops", 1),
        ("vitamin d", 2),
        ("D", 3),
        ("A", 0),
        ("a red car or a blue car", None),
        ("B or C", None),
        ("C is wrong, it is D", None),
        ("A, because it stops", 0),
        ("B) a red car", None),
        ("A car", None),
        ("a green car", None),
        ("E", None),
        ("", None),
        ("I do not know", None),
    ],
)
def test_extract_choice(text: str, index: int | None) -> None:
    assert extract_choice(text, OPTIONS) == index


def test_choice_by_letter_and_by_text() -> None:
    sample = Sample("1", "v", "q", OPTIONS, target="B")
    assert choice(trace("the answer is B"), sample).value == 1
    assert choice(trace("A"), sample).value == 0
    assert choice(trace("a green car"), sample).value == 0
    assert choice(trace("B"), Sample("1", "v", "q", OPTIONS, target="a blue car")).value == 1


def test_exact_and_contains() -> None:
    sample = Sample("1", "v", "q", target="The Café")
    assert exact(trace("cafe!"), sample).value == 1
    assert exact(trace("the old cafe"), sample).value == 0
    assert contains(trace("they met at the café, late"), sample).value == 1
    assert contains(trace("they met at a cafeteria"), sample).value == 0


def test_number() -> None:
    assert number(trace("about 1,170 steps"), Sample("1", "v", "q", target="1170")).value == 1
    assert number(trace("170"), Sample("1", "v", "q", target="171")).value == 0
    assert number(trace("many"), Sample("1", "v", "q", target="171")).value == 0
    assert number(trace("in 2019-2020"), Sample("1", "v", "q", target="2020")).value == 1
    assert number(trace("10-12"), Sample("1", "v", "q", target="12")).value == 1
    assert number(trace("it was -5 degrees"), Sample("1", "v", "q", target="-5")).value == 1
    assert number(trace("1"), Sample("1", "v", "q", target="many")).value is None


def test_temporal_iou() -> None:
    sample = Sample("1", "v", "q", target="x", target_spans=(TimeSpan(10, 20),))
    assert temporal_iou(trace("x", spans=(TimeSpan(15, 25),)), sample).value == pytest.approx(1 / 3)
    assert temporal_iou(trace("from 10 to 20 s"), sample).value == 1
    assert temporal_iou(trace("x"), sample).value == 0
    many = (*(TimeSpan(i, i + 1) for i in range(9)), TimeSpan(10, 20))
    assert temporal_iou(trace("x", spans=many), sample).value == 0
    looked = ToolResult("1", evidence=(Evidence(TimeSpan(10, 20), "", "frames"),))
    output = ModelOutput(Message("assistant", ()), "m")
    assert temporal_iou(replace(trace("x"), turns=(Turn(output, results=(looked,)),)), sample).value == 0
    assert temporal_iou(trace("x"), Sample("1", "v", "q")).value is None


def test_format() -> None:
    sample = Sample("1", "v", "q")
    assert format_(trace("x", reply="<think>a</think> <answer>x</answer>"), sample).value == 1
    assert format_(trace("x", reply="<answer>x</answer>"), sample).value == 0
    assert format_(trace(None, reply="hm", stop="format_errors"), sample).value == 0


@pytest.mark.parametrize("name", names("scorer"))
@pytest.mark.parametrize("stop", ["model_error", "abstained", "max_turns", "max_tokens"])
def test_a_run_without_an_answer_has_no_verdict(name: str, stop: StopReason) -> None:
    scorer: Scorer = resolve("scorer", name)
    sample = Sample("1", "v", "q", OPTIONS, target="B", target_spans=(TimeSpan(1, 2),))
    score = scorer(trace(None, stop=stop), sample)
    assert score.value is None
    assert "unreachable" in (score.error or "")


def test_a_sample_without_gold_has_no_verdict() -> None:
    for scorer in (exact, contains, number, choice, temporal_iou):
        assert scorer(trace("x"), Sample("1", "v", "q", OPTIONS)).value is None
    assert choice(trace("A"), Sample("1", "v", "q", OPTIONS, target="Z")).value is None
