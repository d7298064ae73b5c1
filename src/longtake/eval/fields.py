"""Reads the fields of benchmark rows: options, the answer, spans of time, strata. Pure; no files.

A field that cannot be read raises `FieldError` with a reason for the list of malformed rows; nothing is guessed.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ..media import TimeSpan
from ..types import JSON
from .benchmark import Form

__all__ = [
    "FieldError",
    "Options",
    "Row",
    "first",
    "is_empty",
    "options_in",
    "read_options",
    "read_spans",
    "right_option",
]
__all__ += ["texts_of", "unwrapped"]

Row = Mapping[str, JSON]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LABEL = (
    r"(?:[(\[](?P<in>[A-Z]|\d{1,2})[)\]][.:]?|(?P<out>[A-Z])(?:[):、．]|\.(?![A-Z]\.|\d))|(?P<num>\d{1,2})[.)](?=\s|$))"
)
_LABELLED = re.compile(rf"\s*{_LABEL}\s*(?P<text>.*)", re.DOTALL)
_AT_LINE = re.compile(rf"(?m)^[ \t]*{_LABEL}[ \t]*")
_INLINE = re.compile(rf"(?:(?<=\s)|^){_LABEL}(?:\s+|(?<=[)\]]))")
_HEADING = re.compile(r"\s*\b(?:options|choices|candidates|answer choices)\s*:?\s*\Z", re.IGNORECASE)
_INSTRUCTION = re.compile(
    r"\n\s*(?=(?:please\b|answer\b|only\b|respond\b|select\b|choose\b|give\b|best option\b)[^\n]*\Z)|\n\s*\n",
    re.IGNORECASE,
)
_TAGGED = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL | re.IGNORECASE)
_ANSWER_LETTER = re.compile(r"[(\[]?\s*([A-Za-z])\s*[)\]]?\s*[.:)]?")
_TIME = r"\d+(?:\.\d+)?(?::\d{1,2}(?:\.\d+)?){0,2}|nan"
_SPAN = re.compile(rf"({_TIME})\s*(?:-|–|—|~|to|,)\s*({_TIME})", re.IGNORECASE)
_NOTHING = frozenset({"", "nan", "none", "null", "n/a"})


class FieldError(ValueError):
    """Why a field cannot be read."""


@dataclass(frozen=True, slots=True)
class Options:
    """``texts`` are bare; ``labels`` what the data's letters call them; ``names`` the fields they stood in, if any."""

    texts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def is_empty(value: JSON) -> bool:
    """None, NaN and the words data write for them."""
    if isinstance(value, str):
        return value.strip().lower() in _NOTHING
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


# ---------------------------------------------------------------------------------------------------- options


def read_options(row: Row, names: Sequence[str]) -> Options:
    """The options of a row that stand in fields of their own; none if it has no such field.

    A prefix ("A. ", "(B) ") is taken off once, and only where every option has one."""
    for name in names:
        if name.startswith("@"):
            continue
        if "{n}" in name:
            found = _numbered(row, name)
        elif is_empty(row.get(name)):
            continue
        else:
            found = _options_of(row[name], name)
        if found.texts:
            return _checked(found)
    return Options()


def options_in(question: str) -> tuple[str, Options]:
    """A question that has its options in it, as lines or in the line: (the bare question, its options).

    The last run of labels that begins with A (or 1) counts. Without one, the question as it is and no options."""
    for pattern, least in ((_AT_LINE, 2), (_INLINE, 3)):
        marks = _run(list(pattern.finditer(question)))
        if len(marks) < least:
            continue
        stem = _HEADING.sub("", question[: marks[0].start()].rstrip()).rstrip()
        ends = [*(mark.start() for mark in marks[1:]), len(question)]
        texts = [question[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
        last, *rest = _INSTRUCTION.split(texts[-1], maxsplit=1)
        texts[-1] = last.strip()
        asked = "\n".join(part for part in (stem, *(part.strip() for part in rest)) if part)
        if asked:
            return asked, _checked(Options(tuple(texts), _letters(len(texts))))
    return question, Options()


def _run(marks: list[re.Match[str]]) -> list[re.Match[str]]:
    """The last marks that count A, B, C... (or 1, 2, 3...) up to the end, others between them left out."""
    for start in reversed(range(len(marks))):
        if (label := _label_of(marks[start])) not in {"A", "1"}:
            continue
        counted = [marks[start]]
        for mark in marks[start + 1 :]:
            following = chr(ord("A") + len(counted)) if label == "A" else str(len(counted) + 1)
            if _label_of(mark) == following:
                counted.append(mark)
        if len(counted) > 1:
            return counted
    return []


def _numbered(row: Row, name: str) -> Options:
    """Fields like ``option0, option1, ...``. Those at the end that are empty are padding."""
    start = 0 if name.format(n=0) in row else 1
    names = list[str]()
    while (field := name.format(n=start + len(names))) in row:
        names.append(field)
    while names and is_empty(row[names[-1]]):
        names.pop()
    # "N/A" or an empty text before the end is an option that is damaged, which the check of options says
    bare, labels = _bare([str(row[field] or "").strip() for field in names])
    return Options(bare, labels, tuple(names))


def _options_of(value: JSON, name: str) -> Options:
    if isinstance(value, str):
        listed = _literal(value)
        if listed is None:
            _, found = options_in(f"?\n{value}")
            if not found.texts:
                raise FieldError(f"no options can be read in {name}: {_short(value)}")
            return found
        value = listed
    if isinstance(value, Mapping):
        kept = {str(key).strip(): str(text).strip() for key, text in value.items() if not is_empty(text)}
        texts, _ = _bare(list(kept.values()))
        labels = tuple(key.upper() for key in kept)
        return Options(texts, labels if all(key in _LETTERS for key in labels) else _letters(len(texts)), tuple(kept))
    if isinstance(value, list):
        texts, labels = _bare([_option_text(each).strip() for each in value])
        return Options(texts, labels)
    raise FieldError(f"{name} is {_short(value)}, not a list of options")


def _option_text(value: JSON) -> str:
    match value:
        case str() | int() | float():
            return str(value)
        case {"text": str(text)} | {"option": str(text)}:
            return text
        case _:
            raise FieldError(f"an option is {_short(value)}, not text")


def _bare(texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts without their prefixes, and the letters these gave. The prefixes must be A, B, C... in any order, or
    1, 2, 3..., one each."""
    marks = [_LABELLED.fullmatch(text) for text in texts]
    labels = [_label_of(mark) for mark in marks if mark]
    positions = [_LETTERS.find(label) if label.isalpha() else int(label) - 1 for label in labels]
    if len(texts) > 1 and sorted(positions) == list(range(len(texts))):
        bare = tuple(mark["text"].strip() for mark in marks if mark)
        return bare, tuple(_LETTERS[position] for position in positions)
    return tuple(texts), _letters(len(texts))


def _label_of(mark: re.Match[str]) -> str:
    return mark["in"] or mark["out"] or mark["num"]


def _letters(number: int) -> tuple[str, ...]:
    return tuple(_LETTERS[:number])


def _checked(options: Options) -> Options:
    if not 2 <= len(options.texts) <= len(_LETTERS):
        raise FieldError(f"there are {len(options.texts)} options; 2 to {len(_LETTERS)} can be asked about")
    for letter, text in zip(_LETTERS, options.texts, strict=False):
        if not text:
            raise FieldError(f"option {letter} is empty")
    return options


# ----------------------------------------------------------------------------------------------------- answers


def right_option(value: JSON, forms: Sequence[Form], options: Options) -> int:
    """The index of the right option, from 0. Raises `FieldError` if no form reads it, or two read it differently."""
    value = unwrapped(value)
    readings = {form: found for form in forms if (found := _READERS[form](value, options)) is not None}
    if len(set(readings.values())) > 1:
        said = ", ".join(f"{_LETTERS[index]} as {form}" for form, index in readings.items())
        raise FieldError(f"the answer {_short(value)} can be read in two ways: {said}; say which in a TOML file")
    if not readings:
        what = ", ".join(forms)
        raise FieldError(f"the answer {_short(value)} names none of the {len(options.texts)} options (read as {what})")
    return next(iter(readings.values()))


def _by_letter(value: JSON, options: Options) -> int | None:
    if not isinstance(value, str) or not (found := _ANSWER_LETTER.fullmatch(value.strip())):
        return None
    letter = found[1].upper()
    return options.labels.index(letter) if letter in options.labels else None


def _by_index(value: JSON, options: Options, start: int = 0) -> int | None:
    try:
        number = float(value) - start if isinstance(value, str | int | float) else math.nan
    except ValueError:
        return None
    if isinstance(value, bool) or not number.is_integer():
        return None
    return int(number) if 0 <= number < len(options.texts) else None


def _by_name(value: JSON, options: Options) -> int | None:
    name = str(value).strip().lower()
    names = [each.lower() for each in options.names]
    return names.index(name) if name in names else None


def _by_text(value: JSON, options: Options) -> int | None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    wanted = {str(value).strip()}
    if labelled := _LABELLED.fullmatch(str(value)):
        label, text = _label_of(labelled), labelled["text"].strip()
        if label in options.labels and text and _plain(options.texts[options.labels.index(label)]) == _plain(text):
            return options.labels.index(label)
    same = [i for i, text in enumerate(options.texts) if text in wanted]
    same = same or [i for i, text in enumerate(options.texts) if _plain(text) == _plain(str(value))]
    if len(same) > 1:
        raise FieldError(f"the answer {_short(value)} is the text of options {', '.join(_LETTERS[i] for i in same)}")
    return same[0] if same else None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".").rstrip()


_READERS = {
    "letter": _by_letter,
    "index": _by_index,
    "index1": lambda value, options: _by_index(value, options, 1),
    "name": _by_name,
    "text": _by_text,
    "span": lambda value, options: None,
}


# ---------------------------------------------------------------------------------------------- spans and strata


def read_spans(value: JSON) -> tuple[TimeSpan, ...]:
    """Gold spans in seconds: ``[st, ed]``, a list of such, "76.01-84.2", "MM:SS-MM:SS", "H:MM:SS-H:MM:SS", several
    with commas between. None given, or not-a-number, is (). Raises `FieldError` for one that is no span."""
    if isinstance(value, str):
        if is_empty(value):
            return ()
        listed = _literal(value)
        if listed is None:
            return _spans_in(value)
        value = listed
    if is_empty(value):
        return ()
    match value:
        case [(int() | float() | str()) as start, (int() | float() | str()) as end] if not (
            isinstance(start, str) and _SPAN.search(start)
        ):
            return _span(_seconds(str(start)), _seconds(str(end)), value)
        case {"start": start, "end": end}:
            return read_spans([start, end])
        case list():
            return tuple(span for each in value for span in read_spans(each))
        case _:
            raise FieldError(f"{_short(value)} is no span of time; write [start, end] in seconds or 'MM:SS-MM:SS'")


def _spans_in(text: str) -> tuple[TimeSpan, ...]:
    rest = _SPAN.sub("", text)
    if re.search(r"\w", re.sub(r"seconds|second|from|and|s\b", "", rest, flags=re.IGNORECASE)):
        raise FieldError(f"{_short(text)} is no span of time; write [start, end] in seconds or 'MM:SS-MM:SS'")
    return tuple(s for m in _SPAN.finditer(text) for s in _span(_seconds(m[1]), _seconds(m[2]), text))


def _span(start: float, end: float, said: JSON) -> tuple[TimeSpan, ...]:
    if math.isnan(start) or math.isnan(end):
        return ()
    if not 0 <= start < end < math.inf:
        raise FieldError(f"the span {_short(said)} is empty, inverted or negative")
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
    if isinstance(value, str) and (listed := _literal(value)) is not None:
        value = listed
    each = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(_word(one) for one in each if not is_empty(one)))


def _word(value: JSON) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return (
        value.strip() if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)
    )


def _literal(text: str) -> JSON:
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


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
