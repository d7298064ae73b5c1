"""Times as text: the label every frame carries, and reading the times people and models write. Pure."""

from __future__ import annotations

import math
import re

from .errors import SpanError
from .media import TimeSpan

__all__ = ["clock", "frame_label", "parse_seconds", "span_label", "split_span"]

_TOO_LATE = 1e9
"""Thirty years: no video is longer, and nothing overflows below."""
_NUMBER = r"\d+(?:\.\d+)?"
_TIME = rf"(?:\d+:)?\d+:{_NUMBER}|{_NUMBER}\s*s(?:ec(?:ond)?s?)?\b|{_NUMBER}"
_TIME_ALONE = re.compile(rf"\s*({_TIME})\s*", re.IGNORECASE)
_RANGE = re.compile(
    rf"({_TIME})\s*(?:-|–|—|\.\.+|to|until|and)\s*({_TIME})|\[\s*({_TIME})\s*,\s*({_TIME})\s*\]", re.IGNORECASE
)


def clock(seconds: float) -> str:
    """``751.04`` -> ``"00:12:31.0"``; hours do not wrap. Rounded to the tenth as a whole, so never ``:60.0``."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{tenths // 10:02d}.{tenths % 10}"


def frame_label(seconds: float) -> str:
    """What stands before a frame in a prompt: clock and seconds."""
    return f"[{clock(seconds)} | {seconds:.1f} s]"


def span_label(span: TimeSpan) -> str:
    """What stands before a line of timed text, in the form `split_span` reads back."""
    return f"[{clock(span.start)} - {clock(span.end)} | {span.start:.1f} - {span.end:.1f} s]"


def parse_seconds(value: object) -> float:
    """Seconds from a number or from text: ``75``, ``"75.5 s"``, ``"1:15.5"``, ``"00:01:15.5"``.

    Raises `SpanError` for anything else: NaN, infinity, booleans, negative times, words."""
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LATE):
        seconds = float(value)
    elif isinstance(value, str) and (match := _TIME_ALONE.fullmatch(value)):
        parts = [float(part) for part in re.sub(r"\s*s.*$", "", match[1].lower()).split(":")]
        seconds = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    else:
        seconds = math.nan
    if not 0 <= seconds < _TOO_LATE:
        raise SpanError(f"a time is a number of seconds >= 0 or h:mm:ss, got {str(value)[:40]!r}")
    return seconds


def split_span(text: str) -> tuple[TimeSpan, str] | None:
    """The first time range written in ``text`` (``12.0 - 15.5``, ``1:02 to 1:07``) and what follows it."""
    for match in _RANGE.finditer(text):
        start, end = (parse_seconds(time) for time in match.groups() if time is not None)
        if start < end:
            return TimeSpan(start, end), text[match.end() :]
    return None
