"""Taking a reply apart: the question, options, answer and reasons as they are written, in text or in JSON. Pure.

Whether they make a question is decided in `parse`. What cannot be told apart is a `FormatError`, never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from ...agents.replies import without_thinking
from ...errors import FormatError

__all__ = ["Parts", "WrittenReason", "plain", "ranges", "read_parts", "sections"]

_MARK = r"[ \t>#*_]*"
_HEADER = re.compile(
    rf"^{_MARK}(question|options|choices|(?:(?:final|correct) )?answer|reasons?|reasoning)(?: \d+)?[*_ \t]*"
    rf"(?::(?:\*+|__(?!_))?[ \t]*|(?=\r?$))",
    re.IGNORECASE | re.MULTILINE,
)
_SAME = {
    "choices": "options",
    "correct answer": "answer",
    "final answer": "answer",
    "reason": "reasons",
    "reasoning": "reasons",
}
_FENCE = re.compile(r"```\w*")
_OPTION = re.compile(r"^\s*(?:[-*•]\s+)?[*_]*(?:\(([A-Za-z])\)|([A-Za-z])[*_]*[).:])[).:*_]*(?:\s+(.*)|$)")
_UNIT = r"s(?:ec(?:ond)?s?)?\b"
_TIME = rf"\d+(?::\d+)*(?:\.\d+)?(?:\s*{_UNIT})?"
_RANGE = rf"{_TIME}\s*(?:-|–|—|→|,|to|until|through)\s*{_TIME}"
_BRACKETED = rf"[\[(]\s*(?:from\s+)?{_RANGE}\s*[\])](?:\s*{_UNIT})?"
_STEP = re.compile(
    rf"(?:\d+[.)] )?(?P<step>step \d+ ?[:.)–-]* ?)?(?P<from>from )?(?:"
    rf"(?P<bracketed>{_BRACKETED}(?: ?(?:,|;|and|&)? ?{_BRACKETED})*) ?:?"
    rf"|(?P<bare>{_RANGE}(?: ?{_BRACKETED})?) ?(?::|,|[–—-] |$)) ?(?P<rest>.*)$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_HEADING = re.compile(r"^\s*#+\s")
_SURELY_TIMES = re.compile(rf"\d\s*{_UNIT}|\d:\d\d", re.IGNORECASE)
_NAMES_TIMES = re.compile(r"(?:(?:from|at|between) )?\[[^\[\]]*\d", re.IGNORECASE)
_NUMBER_OF_STEP = re.compile(r"^(?:step )?\d+\b(?!\s*(?:to|-|–|→))", re.IGNORECASE)
_EACH_RANGE = re.compile(rf"({_TIME})\s*(?:-|–|—|→|,|to|until|through)\s*({_TIME})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WrittenReason:
    """A step of reasoning: its time ranges as text ("" without one), and what is said."""

    times: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """A reply taken apart. ``options`` are pairs of letter and text in the order they stand in."""

    question: str
    options: tuple[tuple[str, str], ...]
    answer: str
    reasons: tuple[WrittenReason, ...]


def read_parts(reply: str) -> Parts:
    """Raises `FormatError` naming what is missing or stands there twice."""
    said = _without_rules(without_thinking(reply))
    if said.startswith("{") or ("{" in said and not _HEADER.search(said)):
        return _from_json(said[said.find("{") :])
    found = sections(said)
    (question,) = _all(found, "question", "QUESTION: one question")
    options = found.get("options", [])
    if not options:  # some models write the options right under the question
        question, options = _split_options(question)
    if len(options) != 1:
        raise FormatError("the reply has more than one part OPTIONS; write one question with one list of options")
    answers = _all(found, "answer", "ANSWER: the letter of the right option", most=2)
    if len({plain(answer).rstrip(".").lower() for answer in answers}) > 1:
        raise FormatError(f"the reply gives two answers, {' and '.join(map(repr, answers))}; give one")
    reasons = "\n".join(_all(found, "reasons", "REASONS: the steps of reasoning", most=2))
    return Parts(plain(question), _options(options[0]), plain(answers[0]), _reasons(reasons))


def sections(said: str) -> dict[str, list[str]]:
    """The text under each header, by its name in lower case: question, options, answer, reasons; each may stand
    there several times. A header begins a line and ends with a colon or with the line."""
    said = _without_rules(said)
    found = dict[str, list[str]]()
    headers = list(_HEADER.finditer(said))
    ends = [*(header.start() for header in headers[1:]), len(said)]
    for header, end in zip(headers, ends, strict=False):
        name = " ".join(header[1].lower().split())
        found.setdefault(_SAME.get(name, name), []).append(said[header.end() : end].strip())
    return found


def plain(text: str) -> str:
    """``text`` on one line without Markdown marks around it; in it only paired ** are taken off."""
    text = re.sub(r"^#+\s+", "", " ".join(text.split()))
    text = re.sub(r"\*\*([^*\s](?:[^*]*[^*\s])?)\*\*", r"\1", text).strip(" *")
    for mark in ("`", "__"):
        inner = text[len(mark) : -len(mark)]
        if text == f"{mark}{inner}{mark}" and " " in inner and mark not in inner and inner.strip("_ ") == inner:
            return inner
    return text


def _without_rules(said: str) -> str:
    """``said`` with nothing in place of fences and of lines that only part what is above from what is below."""
    lines = [line.rstrip() for line in said.splitlines()]
    return "\n".join("" if _is_rule(line.strip()) else line for line in lines).strip()


def _is_rule(line: str) -> bool:
    return set(line) <= set("-*_=~ ") or _FENCE.fullmatch(line) is not None


def ranges(times: str) -> list[str]:
    """The time ranges in ``times``, in a form that `clock.split_span` reads; [] where something else is in it."""
    found = [f"{start} to {end}" for start, end in _EACH_RANGE.findall(times)]
    return [] if re.search(r"\d", _EACH_RANGE.sub("", times)) else found


def _all(found: Mapping[str, Sequence[str]], name: str, form: str, most: int = 1) -> Sequence[str]:
    given = [text for text in found.get(name, []) if text.strip()]
    if not given:
        raise FormatError(f"the reply has no part {name.upper()}; write {form}")
    if len(given) > most:
        raise FormatError(f"the reply has {len(given)} parts {name.upper()}; write one question only")
    return given


# ------------------------------------------------------------------------------------------------------ text form


def _split_options(question: str) -> tuple[str, list[str]]:
    lines = question.splitlines()
    first = next((n for n, line in enumerate(lines) if n and _OPTION.match(line)), None)
    if first is None:
        raise FormatError("the reply has no part OPTIONS; write OPTIONS: and then a line A. to D. for each option")
    return "\n".join(lines[:first]), ["\n".join(lines[first:])]


def _options(text: str) -> tuple[tuple[str, str], ...]:
    """An option ends with the next one or with an empty line; what stands after that is a note."""
    found = list[tuple[str, str]]()
    ended = True
    for line in text.splitlines():
        if match := _OPTION.match(line):
            found.append(((match[1] or match[2]).upper(), match[3] or ""))
            ended = False
        elif not line.strip():
            ended = True
        elif not ended:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line}")
    return tuple((letter, plain(option)) for letter, option in found)


def _reasons(text: str) -> tuple[WrittenReason, ...]:
    """A line that begins with a time range begins a step; other lines belong to the step they stand under.

    Two bare numbers (``1-2: the guests lead``) are a range only in a heading, with a unit or after "from"."""
    steps = list[tuple[str, list[str]]]()
    for line in text.splitlines():
        if not any(c.isalnum() for c in line):
            continue
        words, is_heading = plain(line).lstrip("#>*_•- "), _HEADING.match(line) is not None
        match = _STEP.match(words)
        if match and (match["bracketed"] or is_heading or match["step"] or match["from"] or _is_times(match["bare"])):
            steps.append((match["bracketed"] or match["bare"], [match["rest"]] if match["rest"] else []))
        elif _NAMES_TIMES.match(words) or (is_heading and re.search(r"\d", _NUMBER_OF_STEP.sub("", words))):
            raise FormatError(f"{words[:60]!r} names no time range that can be read; write ##### From [START to END]:")
        elif is_heading:
            steps.append(("", []))
        else:
            if not steps:
                steps.append(("", []))
            texts = steps[-1][1]
            if texts and line[:1].isspace() and not _BULLET.match(line):
                texts[-1] += " " + line.strip()
            else:
                texts.append(_BULLET.sub("", line))
    return _written(steps)


def _is_times(text: str) -> bool:
    return _SURELY_TIMES.search(text) is not None


def _written(steps: Sequence[tuple[str, Sequence[str]]]) -> tuple[WrittenReason, ...]:
    made = ((times, tuple(said for text in texts if (said := plain(text)))) for times, texts in steps)
    return tuple(WrittenReason(times, texts) for times, texts in made if times or texts)


# ------------------------------------------------------------------------------------------------------ JSON form


def _from_json(said: str) -> Parts:
    try:
        _, end = json.JSONDecoder().raw_decode(said)  # words may follow
        value: Any = orjson.loads(said[:end])
    except (ValueError, RecursionError) as e:
        raise FormatError(f"the reply begins as JSON but is not whole: {e}; write it again") from e
    given = _lowered(value)
    for old, new in _SAME.items():
        if old.replace(" ", "_") in given:
            given.setdefault(new, given[old.replace(" ", "_")])
    for name in ("question", "options", "answer", "reasons"):
        if not given.get(name):
            raise FormatError(f"the JSON reply has no {name!r}; it needs question, options, answer and reasons")
    question, answer = given["question"], given["answer"]
    if not isinstance(question, str) or not isinstance(answer, str):
        raise FormatError("question and answer must be strings in the JSON reply")
    return Parts(plain(question), _json_options(given["options"]), plain(answer), _json_reasons(given["reasons"]))


def _lowered(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {str(name).strip().lower(): item for name, item in cast("dict[object, Any]", value).items()}


def _json_options(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        return _options(value)
    if isinstance(value, dict):
        items = cast("dict[object, object]", value)
        return tuple((str(letter).strip(" ().:").upper(), plain(_text(text))) for letter, text in items.items())
    items = _list(value)
    if items and all(isinstance(item, dict) for item in items):
        return tuple(_lettered(_lowered(item)) for item in items)
    texts = [_text(item) for item in items]
    lettered = [_OPTION.match(text) for text in texts]
    if texts and all(lettered):
        return tuple(((m[1] or m[2]).upper(), plain(m[3] or "")) for m in lettered if m)
    return tuple((chr(ord("A") + n), plain(text)) for n, text in enumerate(texts[:26]))


def _lettered(given: Mapping[str, Any]) -> tuple[str, str]:
    letter = _first(given, "letter", "label", "key", "id", "option")
    return _text(letter).strip(" ().:").upper(), plain(_text(_first(given, "text", "content", "value", "answer")))


def _text(value: object) -> str:
    """Raises `FormatError` for what is no text: what Python writes for it nobody said."""
    if not isinstance(value, str):
        raise FormatError(f"the JSON reply has {str(value)[:60]!r} where a text must stand; write a string")
    return value


def _json_reasons(value: object) -> tuple[WrittenReason, ...]:
    if isinstance(value, str):
        return _reasons(value)
    if isinstance(value, dict):
        value = list(cast("dict[str, object]", value).values())
    steps = list[tuple[str, list[str]]]()
    for item in _list(value):
        if isinstance(item, dict):
            given = _lowered(cast("object", item))
            texts = _first(given, "reasons", "texts", "reason", "text", "explanation", "observation", "description")
            steps.append((_json_times(given), [_text(text) for text in (_list(texts) or [texts])]))
        else:
            steps += [(one.times, list(one.texts)) for one in _reasons(_text(item))]
    return _written(steps)


def _json_times(given: Mapping[str, Any]) -> str:
    for start, end in (("start_time", "end_time"), ("start", "end"), ("from", "to")):
        if start in given and end in given:
            return f"{given[start]} to {given[end]}"
    value = _first(given, "timestamp", "timestamps", "time", "times", "time_range", "span", "spans")
    pairs = _list(value)
    if len(pairs) == 2 and all(isinstance(time, int | float) for time in pairs):
        return f"{pairs[0]} to {pairs[1]}"
    inner = [_list(pair) for pair in pairs]
    if inner and all(inner):
        return " and ".join(f"{pair[0]} to {pair[-1]}" for pair in inner)
    return " and ".join(_strings(value))


def _first(given: Mapping[str, Any], *names: str) -> object:
    return next((given[name] for name in names if name in given), None)


def _strings(value: object) -> list[str]:
    items = _list(value) or ([] if value is None or value == [] else [value])
    return [str(item) for item in items]


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
