"""Values: invariants and the JSON round-trip."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.errors import SpanError, StoreError
from longtake.types import (
    Answer,
    Box,
    Evidence,
    Frames,
    Message,
    ModelOutput,
    Sample,
    Score,
    TimeSpan,
    Timings,
    Tokens,
    ToolCall,
    ToolResult,
    Trace,
    Turn,
    Usage,
    VideoInfo,
    from_json,
    to_json,
)

seconds = st.floats(0, 1e6, allow_nan=False)
spans = st.tuples(seconds, seconds).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: TimeSpan(*sorted(pair)))
texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
boxes = st.sampled_from([None, Box(0, 0, 0.5, 1), Box(0.25, 0.1, 1, 0.9)])
frames = st.builds(
    lambda times, box: Frames.of(np.zeros((len(times), 2, 3, 3), np.uint8), np.array(times, np.float64), "f", box),
    st.lists(seconds, max_size=4),
    boxes,
)
calls = st.builds(ToolCall, texts, texts, st.dictionaries(texts, json_values, max_size=3), st.none() | texts)
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.lists(texts | frames, max_size=3).map(tuple),
    st.lists(calls, max_size=2).map(tuple),
    st.none() | texts,
)
counts = st.integers(0, 10**9)
usages = st.builds(Usage, counts, counts, counts, counts, st.none() | st.floats(0, 1e6))
evidence = st.builds(Evidence, spans, texts, st.sampled_from(["subtitles", "screen", "speech", "frames", "stated"]))
results = st.builds(
    ToolResult,
    texts,
    st.lists(texts | frames, max_size=2).map(tuple),
    usages,
    st.none() | texts,
    st.lists(evidence, max_size=2).map(tuple),
    seconds,
)
tokens = st.none() | st.builds(Tokens, st.just((1, 2)), st.just((-0.5, -1.5)))
outputs = st.builds(ModelOutput, messages, texts, st.sampled_from(["stop", "length"]), usages, tokens, seconds)
turns = st.builds(
    Turn, outputs, st.lists(calls, max_size=2).map(tuple), st.lists(results, max_size=2).map(tuple), st.none() | texts
)
samples = st.builds(
    Sample,
    texts,
    texts,
    texts,
    st.lists(texts, max_size=3).map(tuple),
    st.none() | texts,
    st.none() | texts,
    st.lists(spans, max_size=2).map(tuple),
    st.dictionaries(texts, json_values, max_size=2),
)
infos = st.builds(VideoInfo, texts, texts, seconds, seconds, st.none() | counts, counts, counts, texts, st.booleans())
traces = st.builds(
    Trace,
    samples,
    infos,
    texts,
    texts,
    st.dictionaries(texts, json_values, max_size=2),
    st.lists(messages, max_size=2).map(tuple),
    st.lists(turns, max_size=2).map(tuple),
    st.none() | st.builds(Answer, texts, st.lists(evidence, max_size=2).map(tuple)),
    st.sampled_from([None, "answered", "abstained", "max_turns", "max_tokens", "format_errors", "model_error"]),
    st.none() | texts,
    st.builds(Timings, seconds, seconds, seconds),
)


@given(traces)
def test_a_trace_comes_back_from_json_as_it_was(trace: Trace) -> None:
    assert from_json(Trace, to_json(trace)) == trace


def test_pixels_never_reach_json_and_equality_is_by_picture() -> None:
    shown = Frames.of(np.full((1, 2, 3, 3), 7, np.uint8), np.array([1 / 3]), "f")
    again = from_json(Message, to_json(Message("user", (shown,)))).content[0]
    assert again == shown
    assert isinstance(again, Frames)
    with pytest.raises(StoreError, match="load"):
        _ = again.pixels


def test_jpegs_never_reach_json_and_do_not_count() -> None:
    bare = Frames(np.array([1 / 3]), 3, 2, "f")
    kept = replace(bare, jpegs=(b"JPEG-1",))
    assert kept == bare
    assert hash(kept) == hash(bare)
    assert "JPEG-1" not in repr(kept)
    assert to_json(Message("user", (kept,))) == to_json(Message("user", (bare,)))
    assert kept.without_pixels().jpegs is None
    with pytest.raises(StoreError, match="are kept as JPEG only"):
        _ = kept.pixels
    with pytest.raises(ValueError, match="one JPEG for each of 1 times, got 2"):
        replace(bare, jpegs=(b"a", b"b"))


@pytest.mark.parametrize("text", [b"{}", b"[]", b"not json", b'{"span": 3}'])
def test_what_is_no_trace_is_refused_with_what_is_wrong(text: bytes) -> None:
    with pytest.raises(StoreError, match="not a Trace"):
        from_json(Trace, text)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ('{"x": 1}', "seconds"),
        ('{"video": "f", "seconds": [1], "width": 2}', "height"),
        ('{"video": "f", "seconds": {"a": 1}, "width": 2, "height": 2}', "seconds"),
        ('{"video": "f", "seconds": [null], "width": 2, "height": 2}', "seconds"),
        ('{"video": 3, "seconds": [1], "width": 2, "height": 2}', "video"),
        ('{"video": "f", "seconds": [1], "width": "wide", "height": 2}', "width"),
        ('{"video": "f", "seconds": [1], "width": 2, "height": 2, "box": {"a": 1}}', "box.left"),
        ('{"video": "f", "seconds": [1], "width": 2, "height": 2, "box": 3}', "box"),
        ("{}", "seconds"),
        ("3", "str"),
    ],
)
def test_what_are_no_frames_is_refused_with_what_is_wrong(part: str, says: str) -> None:
    with pytest.raises(StoreError, match=rf"not a Message(.|\n)*\.{says}(\.\d+)?\n"):
        from_json(Message, f'{{"role": "user", "content": [{part}]}}')


@given(spans, spans)
def test_iou_is_symmetric_and_one_only_for_equal_spans(a: TimeSpan, b: TimeSpan) -> None:
    assert a.iou(b) == pytest.approx(b.iou(a))
    assert 0 <= a.iou(b) <= 1
    assert a.iou(a) == 1


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5), (-1, 2), (math.nan, 2), (0, math.nan), (0, math.inf)])
def test_a_span_that_is_none_is_refused(start: float, end: float) -> None:
    with pytest.raises(SpanError, match="0 <= start < end"):
        TimeSpan(start, end)


def test_spans_are_half_open() -> None:
    assert 1.0 in TimeSpan(1, 2)
    assert 2.0 not in TimeSpan(1, 2)
    assert TimeSpan(0, 1).overlap(TimeSpan(1, 2)) == 0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="N, H, W, 3"):
        Frames.of(np.zeros((2, 4, 4, 3), np.uint8), np.array([0.0]), "f")
    with pytest.raises(ValueError, match="one-dimensional"):
        Frames(np.zeros((2, 2)), 4, 4, "f")


def test_unknown_cost_stays_unknown_in_a_sum() -> None:
    assert (Usage(cost_usd=0.5) + Usage(cost_usd=0.25)).cost_usd == 0.75
    assert (Usage(cost_usd=0.5) + Usage(cost_usd=None)).cost_usd is None
    assert Usage(1, 2, 3, 4, 0.5) + Usage() == Usage(1, 2, 3, 4, 0.5)


def test_no_verdict_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="or an error"):
        Score("exact", None)
    with pytest.raises(ValueError, match="or an error"):
        Score("exact", 0.0, error="unreachable")
    with pytest.raises(ValueError, match="0, 1"):
        Score("exact", 1.5)


def test_gold_is_not_in_what_an_agent_sees() -> None:
    gold = Sample("1", "v.mp4", "q", ("a", "b"), "s.srt", "b", (TimeSpan(1, 2),), {"bbox": "gold"})
    assert gold.without_gold() == Sample("1", "v.mp4", "q", ("a", "b"), "s.srt")
