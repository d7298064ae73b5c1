"""Reads the options of a question and which of them is right, in the many forms data have them. Pure.

Options come out bare: a prefix such as "A. " is taken off once, and only where every option has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

from ...types import JSON
from .benchmark import Form
from .fields import FieldError, Row, is_empty, literal, shown, unwrapped

__all__ = ["Options", "options_in", "read_options", "right_option"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _label(letter: str) -> str:
    """A label before an option: ``(B)``, ``B.``, ``b)``, ``2.``, also as Markdown has it, ``- B.``, ``**B.**``."""
    return (
        rf"(?:[-*•][ \t]+)?\**(?:[(\[](?P<in>{letter}|\d{{1,2}})[)\]][.:]?"
        rf"|(?P<out>{letter})\**(?:[):、．]|\.(?!{letter}\.))|(?P<num>\d{{1,2}})[.)](?=\**(?:\s|$)))\**"
    )


_LABELLED = re.compile(rf"\s*{_label('[A-Za-z]')}\s*(?P<text>.*)", re.DOTALL)
_AT_LINE = re.compile(rf"(?m)^[ \t]*{_label('[A-Za-z]')}[ \t]*")
_IN_BRACKETS = re.compile(r"(?:(?<=\s)|^)[(\[](?P<in>[A-Z])(?P<out>)(?P<num>)[)\]][.:]?\s*")
_INLINE = re.compile(rf"(?:(?<=\s)|^){_label('[A-Z]')}(?:\s+|(?<=[)\]]))")
_HEADING = re.compile(r"\s*\b(?:options|choices|candidates|answer choices)\s*:?\s*\Z", re.IGNORECASE)
_INSTRUCTION = re.compile(
    r"\n\s*(?=(?:please\b|answer\b|only\b|respond\b|select\b|choose\b|give\b|best option\b)[^\n]*\Z)|\n\s*\n",
    re.IGNORECASE,
)
_ANSWER_LETTER = re.compile(r"[(\[]?\s*([A-Za-z])\s*[)\]]?\s*[.:)]?")
_PADDING = frozenset({"", "n/a"})


@dataclass(frozen=True, slots=True)
class Options:
    """``texts`` are bare; ``labels`` what the data's letters call them; ``names`` what else the data call them, if
    anything: the fields they stood in, or the numbers before them."""

    texts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


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
    """A question that has its options in it, as lines or in the line: (the bare question, its options by letter).

    Lines may be in any order. Without options, the question as it is and none. Raises `FieldError` where lines are
    labelled and the labels are not A, B, C... once each: cutting at them would make up options."""
    marks = _by_lines(question)
    if not marks:
        marks = next((run for pattern in (_IN_BRACKETS, _INLINE) if (run := _run(pattern, question))), marks)
    if not marks:
        return question, Options()
    stem = _HEADING.sub("", question[: marks[0].start()].rstrip()).rstrip()
    ends = [*(mark.start() for mark in marks[1:]), len(question)]
    texts = [question[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    last, *rest = _INSTRUCTION.split(texts[-1], maxsplit=1)
    texts[-1] = last.strip()
    asked = "\n".join(part for part in (stem, *(part.strip() for part in rest)) if part)
    if not asked:
        return question, Options()
    by_label = tuple(text for _, text in sorted(zip((_place(mark) for mark in marks), texts, strict=True)))
    names = () if _label_of(marks[0]).isalpha() else _numbers(len(texts))
    return asked, _checked(Options(by_label, _letters(len(texts)), names))


def _by_lines(question: str) -> list[re.Match[str]]:
    """The labels that open lines, from the first option on: the longest end of them that is a whole set."""
    marks = list(_AT_LINE.finditer(question))
    for alike in (str.isupper, str.islower):
        if len(letters := [mark for mark in marks if alike(_label_of(mark))]) > 1:
            marks = letters
            break
    places = [_place(mark) for mark in marks]
    for start in range(len(marks) - 1):
        rest = places[start:]
        if sorted(rest) == list(range(len(rest))):
            if any(places[i : i + 2] == [0, 1] for i in range(start)):
                break  # another set before it
            return marks[start:]
    if len(marks) > 1 and {0, 1} <= set(places):
        said = ", ".join(_label_of(mark) for mark in marks)
        raise FieldError(f"the options in the question are labelled {said}, not A, B, C... once each")
    return []


def _run(pattern: re.Pattern[str], question: str) -> list[re.Match[str]]:
    """The last labels within the line that count from A (or 1) to the end; two in brackets, three without."""
    marks = list(pattern.finditer(question))
    for start in reversed(range(len(marks))):
        if _place(marks[start]) != 0:
            continue
        counted = [marks[start]]
        for mark in marks[start + 1 :]:
            if _place(mark) == len(counted) and _label_of(mark).isalpha() == _label_of(counted[0]).isalpha():
                counted.append(mark)
        if len(counted) >= (2 if pattern is _IN_BRACKETS else 3):
            return counted
    return []


def _place(mark: re.Match[str]) -> int:
    label = _label_of(mark)
    return _LETTERS.index(label.upper()) if label.isalpha() else int(label) - 1


def _numbered(row: Row, name: str) -> Options:
    """Fields like ``option0, option1, ...``. Those at the end that are empty are padding."""
    start = 0 if name.format(n=0) in row else 1
    names = list[str]()
    while (field := name.format(n=start + len(names))) in row:
        names.append(field)
    while names and _is_padding(row[names[-1]]):
        names.pop()
    found = _bare([str(row[field] or "").strip() for field in names])
    return Options(found.texts, found.labels, tuple(names))


def _is_padding(value: JSON) -> bool:
    return is_empty(value) or str(value).strip().lower() in _PADDING


def _options_of(value: JSON, name: str) -> Options:
    if isinstance(value, str):
        listed = literal(value)
        if listed is None and "|" in value and "\n" not in value:
            listed = list[JSON](value.split("|"))
        if listed is None:
            _, found = options_in(f"?\n{value}")
            if not found.texts:
                raise FieldError(
                    f"no options can be read in {name}: {shown(value)}; write a list, bars ('a cat|a dog') or labels"
                    " ('A. a cat B. a dog')"
                )
            return found
        value = listed
    if isinstance(value, Mapping):
        kept = {str(key).strip(): str(text).strip() for key, text in value.items() if not is_empty(text)}
        if sorted(key.upper() for key in kept) == list(_LETTERS[: len(kept)]):
            kept = {key: kept[key] for key in sorted(kept, key=str.upper)}
        return Options(_bare(list(kept.values())).texts, _letters(len(kept)), tuple(kept))
    if isinstance(value, list):
        value = [*value]
        while len(value) > 2 and _is_padding(value[-1]):
            value.pop()
        return _bare([_option_text(each).strip() for each in value])
    raise FieldError(f"{name} is {shown(value)}, not a list of options")


def _option_text(value: JSON) -> str:
    match value:
        case str() | int() | float():
            return str(value)
        case {"text": str(text)} | {"option": str(text)}:
            return text
        case _:
            raise FieldError(f"an option is {shown(value)}, not text")


def _bare(texts: Sequence[str]) -> Options:
    """The texts without their prefixes, and what these call them.

    Taken for prefixes only if every text has one with words after it, and they are A, B, C... in any order or 1, 2,
    3... in theirs: TVQA has the options "5.", "1.", "2.", "3.", "4."."""
    marks = [mark for text in texts if (mark := _LABELLED.fullmatch(text)) and mark["text"].strip()]
    labels = tuple(_label_of(mark) for mark in marks)
    if 1 < len(marks) == len(texts) <= len(_LETTERS):
        bare = tuple(mark["text"].strip() for mark in marks)
        if sorted(labels) in (list(_letters(len(marks))), list(_letters(len(marks), _LETTERS.lower()))):
            return Options(bare, tuple(label.upper() for label in labels))
        if labels == _numbers(len(marks)):
            return Options(bare, _letters(len(marks)), labels)
    return Options(tuple(texts), _letters(len(texts)))


def _label_of(mark: re.Match[str]) -> str:
    return mark["in"] or mark["out"] or mark["num"]


def _letters(number: int, letters: str = _LETTERS) -> tuple[str, ...]:
    return tuple(letters[:number])


def _numbers(number: int) -> tuple[str, ...]:
    return tuple(str(n) for n in range(1, number + 1))


def _checked(options: Options) -> Options:
    if not 2 <= len(options.texts) <= len(_LETTERS):
        raise FieldError(f"there are {len(options.texts)} options; 2 to {len(_LETTERS)} can be asked about")
    for letter, text in zip(_LETTERS, options.texts, strict=False):
        if not text:
            raise FieldError(f"option {letter} is empty")
    return options


# ----------------------------------------------------------------------------------------------------- answers


def right_option(value: JSON, forms: Sequence[Form], options: Options) -> int:
    """The index of the right option, from 0. Raises `FieldError` if no form reads it, or two read it differently.

    What the data themselves call an option (``name``) goes before letters and counting. Where they count its fields
    from 1, an index may do so too: unless ``index`` is the one form there is."""
    value = unwrapped(value)
    wanted = list[Form](forms)
    if "index" in forms and len(forms) > 1 and "index1" not in forms and _counted_from_one(options.names):
        wanted.append("index1")
    readings = {form: found for form in wanted if (found := _READERS[form](value, options)) is not None}
    if "name" in readings:
        readings = {form: found for form, found in readings.items() if form in {"name", "text"}}
    if len(set(readings.values())) > 1:
        said = ", ".join(f"{_LETTERS[index]} as {form}" for form, index in readings.items())
        raise FieldError(f"the answer {shown(value)} can be read in two ways: {said}; say which in a TOML file")
    if not readings:
        what = ", ".join(forms)
        raise FieldError(f"the answer {shown(value)} names none of the {len(options.texts)} options (read as {what})")
    return next(iter(readings.values()))


def _counted_from_one(names: Sequence[str]) -> bool:
    """Whether options stood in the fields ``option1``, ``option2``..."""
    return bool(names) and all(re.fullmatch(rf"\D+0*{n}", name) for n, name in enumerate(names, start=1))


def _by_letter(value: JSON, options: Options) -> int | None:
    if not isinstance(value, str) or not (found := _ANSWER_LETTER.fullmatch(value.strip())):
        return None
    letter = found[1].upper()
    return options.labels.index(letter) if letter in options.labels else None


def _by_index(value: JSON, options: Options, start: int = 0) -> int | None:
    try:
        number = float(value) - start if isinstance(value, str | int | float) else nan
    except (ValueError, OverflowError):
        return None
    if isinstance(value, bool) or not number.is_integer():
        return None
    return int(number) if 0 <= number < len(options.texts) else None


def _by_name(value: JSON, options: Options) -> int | None:
    said = int(value) if isinstance(value, float) and value.is_integer() else value
    name = str(said).strip().lower()
    names = [each.lower() for each in options.names]
    return names.index(name) if name in names else None


def _by_number(value: JSON, options: Options) -> int | None:
    return _by_index(value, options, 1)


def _by_nothing(value: JSON, options: Options) -> None:
    """Spans name no option."""


def _by_text(value: JSON, options: Options) -> int | None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    wanted = {str(value).strip()}
    if labelled := _LABELLED.fullmatch(str(value)):
        label, text = _label_of(labelled).upper(), labelled["text"].strip()
        called = options.labels if label.isalpha() else options.names
        if label in called and text and _plain(options.texts[called.index(label)]) == _plain(text):
            return called.index(label)
    same = [i for i, text in enumerate(options.texts) if text in wanted]
    same = same or [i for i, text in enumerate(options.texts) if _plain(text) == _plain(str(value))]
    if len(same) > 1:
        raise FieldError(f"the answer {shown(value)} is the text of options {', '.join(_LETTERS[i] for i in same)}")
    return same[0] if same else None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".").rstrip()


_READERS: Mapping[Form, Callable[[JSON, Options], int | None]] = {
    "letter": _by_letter,
    "index": _by_index,
    "index1": _by_number,
    "name": _by_name,
    "text": _by_text,
    "span": _by_nothing,
}
