"""Times as text: the label every frame carries, and reading the times people and models write. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from .errors import SpanError
from .media import TimeSpan

__all__ = ["TIME", "clock", "frame_label", "parse_seconds", "span_label", "spans_in", "split_span"]

_TOO_LATE = 1e9
"""Thirty years: no video is longer, and nothing overflows below."""
_NUMBER = r"\d+(?:\.\d+)?"
_HOURS, _MINUTES, _SECONDS = (
    rf"{_NUMBER}\s*{unit}(?![a-z])" for unit in ("h(?:(?:ou)?rs?)?", "m(?:in(?:ute)?s?)?", "s(?:ec(?:ond)?s?)?")
)
TIME = (
    rf"(?<!\d)(?:(?:\d+:)?\d+:{_NUMBER}(?:,\d{{3}}(?![\d:]))?(?:\s*s(?:ec(?:ond)?s?)?(?![a-z]))?"
    rf"|{_HOURS}(?:\s*{_MINUTES})?(?:\s*{_SECONDS})?|{_MINUTES}(?:\s*{_SECONDS})?|{_SECONDS}|{_NUMBER})"
)
"""A time as people and models write it, for patterns that ignore case. It begins where its digits do: a reply that
repeats one digit for thousands of letters is read through once."""
_TIME_ALONE = re.compile(rf"\s*({TIME})\s*", re.IGNORECASE)
_UNIT = re.compile(rf"({_NUMBER})\s*([hms]?)", re.IGNORECASE)
_IN_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}
_LONG_UNIT = re.compile(rf"{_NUMBER}(\s*[hm][a-z]*)", re.IGNORECASE)
_ABOUT = r"(?:(?:about|around|approximately|roughly|the|second|at)\s+)*"
_RANGE = re.compile(
    rf"({TIME})(?:\s*mark)?\s*(?:-+>?|–|—|~|→|\.\.+|to|until|till|through|and)\s*{_ABOUT}({TIME})"
    rf"|[\[(]\s*({TIME})\s*,\s*({TIME})\s*[\])]",
    re.IGNORECASE,
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
    """Seconds from a number or from text: ``75``, ``"75.5 s"``, ``"1:15.5"``, ``"00:01:15,500"``, ``"1 min 15 s"``.

    Raises `SpanError` for anything else: NaN, infinity, booleans, negative times, words."""
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LATE):
        seconds = float(value)
    elif isinstance(value, str) and (match := _TIME_ALONE.fullmatch(value)):
        seconds = _seconds(match[1])
    else:
        seconds = math.nan
    if not 0 <= seconds < _TOO_LATE:
        raise SpanError(f"a time is a number of seconds >= 0 or h:mm:ss, got {str(value)[:40]!r}")
    return seconds


def split_span(text: str) -> tuple[TimeSpan, str] | None:
    """The first time range written in ``text`` (``12.0 - 15.5``, ``1:02 to 1:07``) and what follows it."""
    return next(((span, text[end:]) for _, end, span in spans_in(text)), None)


def spans_in(text: str) -> Iterator[tuple[int, int, TimeSpan]]:
    """Every time range written in ``text``, and where it begins and ends there; one that ends before it starts is none.

    The unit of ``1 - 2 minutes`` is that of both."""
    for match in _RANGE.finditer(text):
        first, second = (time for time in match.groups() if time is not None)
        if first.replace(".", "").isdigit() and (unit := _LONG_UNIT.fullmatch(second)):
            first += unit[1]
        start, end = _seconds(first), _seconds(second)
        if start < end < _TOO_LATE:
            yield match.start(), match.end(), TimeSpan(start, end)


def _seconds(time: str) -> float:
    """Of what `TIME` matches."""
    if ":" not in time:
        return sum(float(figure) * _IN_UNITS[unit.lower()] for figure, unit in _UNIT.findall(time))
    parts = [float(part) for part in re.sub(r"[^\d:.]", "", time.replace(",", ".")).split(":")]
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))
