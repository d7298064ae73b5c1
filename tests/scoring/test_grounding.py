"""Spans that answers state, clips that runs end in, and where agents looked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_traces import VIDEO, trace

from longtake.clock import parse_seconds, span_label, split_span
from longtake.registry import resolve
from longtake.scoring.grounding import asa, clip, clip_of, read_spans, temporal_iou, union, union_iou
from longtake.scoring.looked import Looked, look
from longtake.types import (
    Evidence,
    Frames,
    Message,
    ModelOutput,
    Sample,
    TimeSpan,
    ToolCall,
    ToolResult,
    Trace,
    Turn,
    Usage,
)

GOLD = Sample("1", "v", "q", target="x", target_spans=(TimeSpan(10, 20),))


@pytest.mark.parametrize(
    "text",
    [
        "24.3 - 30.4",
        "24.3-30.4",
        "24.3 – 30.4 s",
        "24.3 — 30.4",
        "24.3s–30.4s",
        "24.3 −  30.4",
        "24.3 ~ 30.4",
        "24.3 -> 30.4",
        "24.3 to 30.4",
        "24.3 seconds until 30.4 seconds",
        "from 24.3 to 30.4 seconds",
        "From the 24.3 second mark to the 30.4 second mark",
        "between 24.3 and 30.4 seconds",
        "about 24.3 to about 30.4 s",
        "The event happens in 24.3 - 30.4 seconds.",
        "00:24.3 - 00:30.4",
        "0:00:24.3 to 0:00:30.4",
        "00:00:24,300 --> 00:00:30,400",
        "24.3 sec - 30.4 sec",
        "[24.3, 30.4]",
        "[[24.3, 30.4]]",
        "(24.3, 30.4)",
        "24.3, 30.4",
        '{"start": 24.3, "end": 30.4}',
        '{"start_time": "24.3", "end_time": "30.4"}',
        "It starts at 24.3 seconds and ends at 30.4 seconds.",
        "Starting time: 24.3 seconds\nEnding time: 30.4 seconds",
        "Start: 0:24.3. End: 0:30.4",
        "It begins at 00:00:24.3 and lasts until 00:00:30.4",
        "**24.3 - 30.4**",
        "<answer>24.3 - 30.4</answer>",
        span_label(TimeSpan(24.3, 30.4)),
        "２４.３ - ３０.４",
        "twenty-four point three to thirty point four seconds",
        "not at the start; 24.3 - 30.4 s",
        "starts at 24.3 s and lasts 6.1 seconds",
        "begins around 24.3 s and goes on for 6.1 s",
        "Start: 24.3 (0:24), end: 30.4 (0:30)",
        "between 24.3 (0:24) and 30.4 (0:30)",
        "from 24.3 s (the door opens) to 30.4 s",
        "2-3 people are seen from 24.3 to 30.4 s",
        "step 1-2: 24.3 - 30.4 s",
        "从24.3秒到30.4秒",
        "24.3秒 至 30.4秒",
        "0分24.3秒到0分30.4秒",
        "von 24.3 bis 30.4 Sekunden",
        "de 24.3 à 30.4 secondes",
    ],
)
def test_one_span_in_every_wording(text: str) -> None:
    (span,) = read_spans(text)
    assert (span.start, span.end) == (pytest.approx(24.3), pytest.approx(30.4))


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("1:02 - 1:07 and 2:00 - 2:10", [(62, 67), (120, 130)]),
        ("1:00:02 - 1:00:07", [(3602, 3607)]),
        ("12:30 to 12:45", [(750, 765)]),
        ("between twenty four and thirty seconds", [(24, 30)]),
        ("from one to two minutes", [(60, 120)]),
        ("1 - 2 min", [(60, 120)]),
        ("1 min 5 s to 1 min 10 s", [(65, 70)]),
        ("1m05s - 1m10s", [(65, 70)]),
        ("from 1h2m to 1h3m", [(3720, 3780)]),
        ("10 - 20 s, then 10 - 20 s", [(10, 20)]),
        ("0 - 0.5", [(0, 0.5)]),
        ("30.4 - 24.3", []),
        ("-5 - 10", []),
        ("starts at 25 s and lasts 30 seconds", [(25, 55)]),
        ("starts at 25 s and lasts until 30 seconds", [(25, 30)]),
        ("starts at 25 s, with 2 men", []),
        ("5 - 5", []),
        ("at 24.3 seconds", []),
        ("at 0:24", []),
        ("nowhere", []),
        ("", []),
        ("9" * 400 + " - " + "9" * 401, []),
    ],
)
def test_spans(text: str, spans: list[tuple[float, float]]) -> None:
    assert [(span.start, span.end) for span in read_spans(text)] == spans


@given(st.text(max_size=300))
def test_any_text_has_spans_or_none(text: str) -> None:
    assert all(0 <= span.start < span.end for span in read_spans(text))


@given(st.integers(0, 80000), st.integers(1, 80000))
def test_labels_read_back(start: int, tenths: int) -> None:
    (span,) = read_spans(span_label(TimeSpan(start / 10, (start + tenths) / 10)))
    assert (span.start, span.end) == (pytest.approx(start / 10), pytest.approx((start + tenths) / 10))


def test_times_that_tools_and_evidence_understand_too() -> None:
    assert [parse_seconds(t) for t in ("1 min 5 s", "2m", "1h", "00:01:05,500", "1:05 s")] == [65, 120, 3600, 65.5, 65]
    assert split_span("9" * 400 + " - " + "9" * 401) is None


def test_iou_and_recall() -> None:
    assert temporal_iou(trace("15 - 25 s"), GOLD).value == pytest.approx(1 / 3)
    recalls = [resolve("scorer", f"recall@{t}")(trace("15 - 25 s"), GOLD) for t in ("0.3", "0.5", "0.7")]
    assert [(r.scorer, r.value) for r in recalls] == [("recall@0.3", 1), ("recall@0.5", 0), ("recall@0.7", 0)]
    assert resolve("scorer", "recall@0.5")(trace("10 - 15"), GOLD).value == 1
    unread = temporal_iou(trace("at the end"), GOLD)
    assert unread.value == 0
    assert unread.explanation.startswith("unread")
    assert resolve("scorer", "recall@0.3")(trace("x"), GOLD).explanation.startswith("unread")
    assert temporal_iou(trace("10 - 20"), Sample("1", "v", "q")).value is None
    two = replace(GOLD, target_spans=(TimeSpan(0, 1), TimeSpan(10, 20)))
    assert temporal_iou(trace("10 - 20"), two).value == 1


def test_the_times_in_an_option_are_not_the_span() -> None:
    sample = replace(GOLD, choices=("from 30 to 40 s", "from 10 to 20 s"), target="A")
    said = trace("A. from 30 to 40 s", spans=(TimeSpan(10, 20),))
    assert temporal_iou(said, sample).value == 1
    assert asa(said, sample).value == 1
    assert asa(trace("B", spans=(TimeSpan(10, 20),)), sample).value == 0
    assert asa(trace("A", spans=(TimeSpan(10, 14),)), sample).value == 0
    assert asa(trace("A", spans=(TimeSpan(10, 20),)), replace(sample, target_spans=())).value is None


def test_unions() -> None:
    spans = [TimeSpan(5, 8), TimeSpan(0, 2), TimeSpan(1, 3), TimeSpan(3, 4)]
    assert union(spans) == [TimeSpan(0, 4), TimeSpan(5, 8)]
    assert union_iou(spans, [TimeSpan(2, 6)]) == pytest.approx(3 / 8)


# ------------------------------------------------------------------------------------------------ runs with tools


def pictures(*seconds: float) -> Frames:
    return Frames(np.array(seconds, dtype=np.float64), 64, 48, "f")


def tool_run(*turns: tuple[str, ToolResult], opening: tuple[Message, ...] = ()) -> Trace:
    made = tuple(
        Turn(ModelOutput(Message("assistant", ("",)), "m"), (ToolCall(result.call_id, name, {}),), (result,))
        for name, result in turns
    )
    return replace(trace("B"), turns=made, opening=opening)


def moved(clip_id: str, span: TimeSpan) -> tuple[str, ToolResult]:
    text = f"<New_clip>{clip_id} {span_label(span)}\n{span_label(TimeSpan(90, 91))} subtitles: hello</New_clip>"
    return "ground", ToolResult("g", (text,))


OPENING = (
    Message("system", ("rules",)),
    Message("user", (f"Question: where?\n\ns01_clip_00 {span_label(TimeSpan(0, 10))}\n(no words)",)),
)


def test_the_clip_a_run_ends_in() -> None:
    sample = replace(GOLD, metadata={"clip": "s01_clip_02"})
    right, wrong = moved("s01_clip_02", TimeSpan(20, 30)), moved("s01_clip_01", TimeSpan(10, 20))
    lost = ("ground", ToolResult("g", ("<grounding_info>named no known clip</grounding_info>",)))
    assert clip(tool_run(wrong, right, opening=OPENING), sample).value == 1
    assert clip(tool_run(right, wrong, opening=OPENING), sample).value == 0
    assert clip(tool_run(right, lost, opening=OPENING), sample).value == 1
    assert clip_of(tool_run(lost, opening=OPENING)) == "s01_clip_00"
    assert clip(tool_run(opening=OPENING), replace(GOLD, metadata={"clip": "s01_clip_00"})).value == 1
    assert clip(tool_run(opening=OPENING), GOLD).value is None
    assert clip(trace("B"), sample).value is None
    assert clip(trace(None, stop="model_error"), sample).value is None


def test_looks_of_crops() -> None:
    def crop(span: TimeSpan, *seconds: float) -> tuple[str, ToolResult]:
        frames = pictures(*seconds)
        evidence = (Evidence(span, "", "frames"),)
        return "crop_video", ToolResult("c", ("head", frames), Usage(num_frames=len(frames)), evidence=evidence)

    overview = (Message("user", (pictures(0, 12, 24), "Question")),)
    refused = ("crop_video", ToolResult("c", error="past the end"))
    run = tool_run(crop(TimeSpan(5, 15), 5, 10, 14), crop(TimeSpan(12, 16), 12, 15.5), refused, opening=overview)
    found = look(run, GOLD)
    assert (found.num_looks, found.looked_seconds, found.num_frames, found.num_gold_frames) == (2, 11, 8, 5)
    assert (found.hit, found.coverage, found.iou) == (True, pytest.approx(0.6), pytest.approx(6 / 15))
    assert found.shown == 1
    assert look(run, Sample("1", "v", "q")) == Looked(2, 11, 8)
    missed = look(tool_run(crop(TimeSpan(30, 40), 30)), GOLD)
    assert (missed.hit, missed.coverage, missed.iou, missed.num_gold_frames) == (False, 0, 0, 0)


def test_looks_of_a_team_and_of_none() -> None:
    seen = ("look", ToolResult("l", ("<information>a dog</information>",), Usage(num_frames=32)))
    seen = ("look", replace(seen[1], evidence=(Evidence(TimeSpan(10, 20), "a dog", "frames"),)))
    found = look(tool_run(moved("clip_1", TimeSpan(10, 20)), seen, opening=OPENING), GOLD)
    assert (found.num_looks, found.looked_seconds, found.num_frames, found.iou) == (2, 10, 32, 1)
    overview = look(tool_run(opening=(Message("user", (pictures(5, 15), "q")),)), GOLD)
    assert overview == Looked(0, 0.0, 2, 1, False, 0.0, 0.0, 1.0)
    assert look(replace(trace(None, stop="model_error"), video=VIDEO), GOLD).hit is False
