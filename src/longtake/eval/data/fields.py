"""Reads the fields of benchmark rows: text, spans of time, strata; options and answers are in `options`. Pure.

A field that cannot be read raises `FieldError` with a reason for the list of malformed rows; nothing is guessed.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import cast

from ...media import TimeSpan
from ...types import JSON

__all__ = [
    "FieldError",
    "Row",
    "first",
    "is_empty",
    "is_span",
    "literal",
    "read_spans",
    "shown",
    "texts_of",
    "unwrapped",
]

Row = Mapping[str, JSON]

_TAGGED = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL | re.IGNORECASE)
_TIME = r"\d+(?:\.\d+)?(?::\d{1,2}(?:\.\d+)?){0,2}|nan"
_SPAN = re.compile(rf"({_TIME})(?:\s*s(?:ec(?:ond)?s?)?\b)?\s*(?:-|–|—|~|to|,)\s*({_TIME})", re.IGNORECASE)
_WORDS = re.compile(r"\b(?:seconds?|from|and|s)\b", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;()\[\]]*")
"""What may stand around spans: a sign or a point there is part of a number."""

_MAY_BE_COUNTS = re.compile(r"(?:from\s+)?(?:\d+(?:[-–—~]|\s+to\s+)\d+|[\d.]+\s*,\s*[\d.]+)")


class FieldError(ValueError):
    """Why a field cannot be read."""


def is_empty(value: JSON) -> bool:
    """None, NaN, and what has nothing in it. Words such as "None" are text: they may be the answer."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or value == {} or (isinstance(value, float) and math.isnan(value))


def first(row: Row, names: Sequence[str]) -> JSON:
    """The value of the first of these fields that the row has and that is not empty, else None."""
    return next((row[name] for name in names if name in row and not is_empty(row[name])), None)


def unwrapped(value: JSON) -> JSON:
    """What stands in the one pair of answer tags, if the text has just one."""
    if isinstance(value, str):
        found = _TAGGED.findall(value)
        return found[0] if len(found) == 1 else value.strip()
    return value


def read_spans(value: JSON) -> tuple[TimeSpan, ...]:
    """Gold spans in seconds: ``[st, ed]``, a list of such, "76.01-84.2", "MM:SS-MM:SS", "H:MM:SS-H:MM:SS", several
    with commas between. None given, or not-a-number, is (). Raises `FieldError` for one that is no span."""
    if isinstance(value, str):
        listed = literal(value)
        if listed is None:
            return () if is_empty(value) or value.strip().lower() in {"nan", "none", "n/a"} else _spans_in(value)
        value = listed
    if is_empty(value):
        return ()
    match value:
        case [(int() | float() | str()) as start, (int() | float() | str()) as end] if not (
            isinstance(start, str) and _SPAN.search(start)
        ):
            return _span(_seconds(str(start)), _seconds(str(end)), value)
        case {"start": start, "end": end} | {"start_time": start, "end_time": end}:
            return read_spans([start, end])
        case list():
            return tuple(span for each in value for span in read_spans(each))
        case _:
            raise FieldError(f"{shown(value)} is no span of time; write [start, end] in seconds or 'MM:SS-MM:SS'")


def is_span(value: JSON) -> bool:
    """Whether a value that may be anything is meant as a span of time, or several: it is one as a whole, and nothing
    else. 2-3 may be a score, 2019-2020 two years and 1,500 a number, so these are none without a unit or brackets."""
    match value:
        case [int() | float(), int() | float()]:
            return True  # also where it is inverted: that is malformed
        case str() if (listed := literal(value)) is not None:
            return is_span(listed)
        case [str(start), str(end)] if ":" not in start or ":" not in end:
            return False
        case str() if _MAY_BE_COUNTS.fullmatch(value.strip()):
            return False
        case str() | list() | dict():
            try:
                return bool(read_spans(value))
            except FieldError:
                return False
        case _:
            return False


def _spans_in(text: str) -> tuple[TimeSpan, ...]:
    rest = _WORDS.sub("", _SPAN.sub("", text.rstrip(". ")))
    if not _SPAN.search(text) or not _BETWEEN.fullmatch(rest):
        raise FieldError(f"{shown(text)} is no span of time; write [start, end] in seconds or 'MM:SS-MM:SS'")
    return tuple(s for m in _SPAN.finditer(text) for s in _span(_seconds(m[1]), _seconds(m[2]), text))


def _span(start: float, end: float, said: JSON) -> tuple[TimeSpan, ...]:
    if math.isnan(start) or math.isnan(end):
        return ()
    if not 0 <= start < end < math.inf:
        raise FieldError(f"the span {shown(said)} is empty, inverted or negative")
    return (TimeSpan(start, end),)


def _seconds(text: str) -> float:
    seconds = 0.0
    try:
        for part in text.strip().split(":"):
            seconds = seconds * 60 + float(part)
    except ValueError as e:
        raise FieldError(f"{text!r} is no time") from e
    return seconds


def texts_of(value: JSON) -> tuple[str, ...]:
    """The values of a stratum: one, or each of a list (also one written as text)."""
    if isinstance(value, str) and (listed := literal(value)) is not None:
        value = listed
    each = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(_word(one) for one in each if not is_empty(one)))


def _word(value: JSON) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return (
        value.strip() if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)
    )


def literal(text: str) -> JSON:
    """A list or table written as text, in JSON or Python; None for anything else."""
    text = text.strip()
    if text[:1] + text[-1:] not in {"[]", "{}"}:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError):
            continue
        if isinstance(value, list | dict):
            return cast("JSON", value)
    return None


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
