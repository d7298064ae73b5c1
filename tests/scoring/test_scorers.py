"""Scorers: verdicts on hard cases, and no verdict where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scoring_traces import trace

from longtake.registry import names, resolve
from longtake.scoring.scorers import Scorer, choice, contains, exact, format_, number, temporal_iou
from longtake.types import (
    Evidence,
    Message,
    ModelOutput,
    Sample,
    StopReason,
    TimeSpan,
    ToolResult,
    Turn,
)

OPTIONS = ("a red car", "a blue car", "Vitamin D", "none of the above")


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
    assert number(trace("in 2019-2020"), Sample("1", "v", "q", target="2020")).value == 0
    assert [number(trace("10-12"), Sample("1", "v", "q", target=t)).value for t in ("12", "-12")] == [0, 0]
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
