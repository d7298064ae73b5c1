"""Times as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.clock import clock, frame_label, parse_seconds, span_label, split_span
from longtake.errors import SpanError
from longtake.types import TimeSpan


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00.0"),
        (751.04, "00:12:31.0"),
        (59.96, "00:01:00.0"),
        (3599.99, "01:00:00.0"),
        (360000, "100:00:00.0"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@given(st.floats(0, 1e6))
def test_a_clock_reads_back_to_the_tenth(seconds: float) -> None:
    assert parse_seconds(clock(seconds)) == pytest.approx(seconds, abs=0.0501)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(3, 3), (2.5, 2.5), ("7", 7), (" 75.5 s ", 75.5), ("12 seconds", 12), ("1:15.5", 75.5), ("01:02:03", 3723)],
)
def test_what_people_and_models_write(value: object, seconds: float) -> None:
    assert parse_seconds(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -1,
        True,
        None,
        "",
        "noon",
        "-3",
        "1:2:3:4",
        [1],
        "NaN",
        "1e3",
        10**400,
        -(10**400),
        "9" * 400,
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(SpanError, match="a time is"):
        parse_seconds(value)


@pytest.mark.parametrize(
    ("text", "start", "end", "rest"),
    [
        ("12.0 - 15.5: a dog", 12, 15.5, ": a dog"),
        ("between 1:02 and 1:07 it rains", 62, 67, " it rains"),
        ("from 3 s to 4 s", 3, 4, ""),
        ("[[2.0, 6.5]]", 2, 6.5, "]"),
        ("2.0..6.5 s", 2, 6.5, ""),
        ("9 - 2, then 2 - 9.", 2, 9, "."),
        (f"{span_label(TimeSpan(62, 65.5))} x", 62, 65.5, " | 62.0 - 65.5 s] x"),
    ],
)
def test_the_first_range_that_is_one(text: str, start: float, end: float, rest: str) -> None:
    assert split_span(text) == (TimeSpan(start, end), rest)


def test_no_range() -> None:
    assert split_span("it rains at 12:00") is None


def test_labels() -> None:
    assert frame_label(751.04) == "[00:12:31.0 | 751.0 s]"
    assert span_label(TimeSpan(0, 751.04)) == "[00:00:00.0 - 00:12:31.0 | 0.0 - 751.0 s]"


def test_a_reply_that_repeats_a_digit_is_read_through_once() -> None:
    found = split_span("1" * 200_000 + ", it was 12 - 15 s")  # looked at from every digit on, it would take an hour
    assert found is not None
    assert found[0] == TimeSpan(12.0, 15.0)
