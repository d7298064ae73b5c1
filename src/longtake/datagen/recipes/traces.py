"""The second entry to traces: questions that exist already, from a file. RFT sampling is this with the policy.

Owns how such a file is read: all of it, and all that is wrong with it, before anything is spent.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast, get_args

from ...agents.prompt import LETTERS
from ...clock import parse_seconds
from ...errors import ConfigError, RejectedError
from ...scoring.scorers import extract_choice
from ...store import digest
from ...types import JSON, Model, TimeSpan
from ..step import Context, Record, Step, Value
from ..steps.trace import TraceSettings, samples, trace
from ..values import Question, QuestionType, Source, as_value

__all__ = ["QuestionRow", "Settings", "build", "given_rows", "read_questions", "within_video"]

MAX_SHOWN = 20
_LETTERED = re.compile(r"\s*\(?([A-Z])[.):]\s+")


class Settings(TraceSettings):
    """What the recipe does: how traces are made, and of which questions."""

    questions: str
    """A file of JSON lines. A line has ``video`` (its path from the folder of videos on, or that without the suffix),
    ``question`` and ``answer``; it may have ``options`` or ``choices`` (the answer is then a letter or the text of
    one), ``start_time`` and ``end_time`` or ``spans`` (``[[start, end], ...]``, in seconds or h:mm:ss), and
    ``question_type``. What else it has is ignored. Spans are cut off where the video ends."""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A line of the file. ``video`` is the name that it gives."""

    line: int
    video: str
    question: Question


def build(settings: Settings, models: Callable[[str], Model]) -> list[Step]:
    """The chain after ``source``; ``models("trace")`` makes the traces. Raises `ConfigError` for a wrong file."""
    rows = read_questions(Path(settings.questions))
    if settings.min_temporal_iou > 0 and (bare := [f"line {row.line}" for row in rows if not row.question.spans]):
        raise ConfigError(
            f"min_temporal_iou compares with the spans of a question, and {len(bare)} questions have none:"
            f" {_listed(bare)}; give them start_time and end_time, or leave min_temporal_iou at 0"
        )
    return [given_rows(rows), within_video(rows), samples(settings), trace(models("trace"), settings)]


def given_rows(rows: Sequence[QuestionRow]) -> Step:
    """The `Question`s of a source among ``rows``, in their order; none is no error."""
    by_name = dict[str, list[Value]]()
    for row in rows:
        by_name.setdefault(row.video, []).append(as_value(row.question))

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        source = records[0].read(Source)
        return [*by_name.get(source.video, ()), *by_name.get(source.id, ())]

    digests: dict[str, JSON] = {name: digest([dict(value) for value in found]) for name, found in by_name.items()}
    return Step("rows", 1, {"questions": digests}, run, many=True, check=partial(_check_videos, rows))


def within_video(rows: Sequence[QuestionRow]) -> Step:
    """`Question` -> the same with its spans cut off where the video ends; dropped if one begins only after that."""
    lines = {row.question: row.line for row in reversed(rows)}

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        question, end = records[0].read(Question), records[0].find("source").read(Source).duration_seconds
        for span in question.spans:
            if span.start >= end:
                raise RejectedError(
                    f"line {lines.get(question, 0)}: the span from {span.start} to {span.end} s begins after the end"
                    f" of the video at {end:.1f} s"
                )
        spans = tuple(TimeSpan(span.start, min(span.end, end)) for span in question.spans)
        return [as_value(replace(question, spans=spans))]

    return Step("questions", 2, {}, run)


def _check_videos(rows: Sequence[QuestionRow], names: Collection[str]) -> None:
    """Raises `ConfigError` for questions about videos that are not there; ``names`` are all paths and ids there are."""
    lost = dict.fromkeys(f"{row.video!r} (line {row.line})" for row in rows if row.video not in names)
    if lost:
        raise ConfigError(
            f"the questions ask about {len(lost)} videos that are not in the folder of videos:"
            f" {_listed(list(lost))}; give their paths from that folder on"
        )


def read_questions(path: Path) -> list[QuestionRow]:
    """All lines of a file of questions. Raises `ConfigError` with every line that is wrong, and why."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"cannot read the questions {path}: {e}; give a file of JSON lines in UTF-8") from e
    rows, wrong = list[QuestionRow](), list[str]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_row(number, json.loads(line)))
        except (ValueError, RecursionError) as e:
            wrong.append(f"line {number}: {e}")
    if wrong:
        raise ConfigError(f"{len(wrong)} lines of {path} cannot be used: {_listed(wrong)}")
    if not rows:
        raise ConfigError(f"{path} holds no question; a line is a JSON object with video, question and answer")
    return rows


def _listed(items: Sequence[str]) -> str:
    more = f"; and {len(items) - MAX_SHOWN} more" if len(items) > MAX_SHOWN else ""
    return "; ".join(items[:MAX_SHOWN]) + more


def _row(number: int, value: object) -> QuestionRow:
    """Raises `ValueError` with what is wrong."""
    json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be written to a training file
    if not isinstance(value, dict):
        raise ValueError(f"a line is a JSON object, got {str(value)[:40]!r}")
    row = cast("Mapping[str, JSON]", value)
    video, question, answer = _text(row, "video"), _text(row, "question"), _text(row, "answer", numbers=True)
    options = _options(row)
    if options:
        index = extract_choice(answer, options)
        if index is None:
            raise ValueError(f"the answer {answer!r} is none of the {len(options)} options")
        answer = LETTERS[index]
    kind = row.get("question_type", "detail")
    if kind not in get_args(QuestionType):
        raise ValueError(f"question_type is one of {', '.join(get_args(QuestionType))}, got {kind!r}")
    found = Question(question, answer, options, cast("QuestionType", kind), _spans(row))
    return QuestionRow(number, posixpath.normpath(video), found)


def _text(row: Mapping[str, JSON], name: str, *, numbers: bool = False) -> str:
    value = _written(row.get(name)) if numbers else row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text, got {value!r}")
    return value.strip()


def _written(value: JSON) -> JSON:
    """A number as text: answers are often numbers, and so are options."""
    return json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _options(row: Mapping[str, JSON]) -> tuple[str, ...]:
    """Without the letters before them, if all have theirs."""
    if "options" in row and "choices" in row:
        raise ValueError("it has options and choices; one of them")
    given = row.get("options", row.get("choices"))
    if isinstance(given, dict):
        given = [given[letter] for letter in sorted(given)]
    if not given:
        return ()
    given = [_written(option) for option in given] if isinstance(given, list) else given
    texts = [text.strip() for text in given if isinstance(text, str)] if isinstance(given, list) else []
    marks = [_LETTERED.match(text) for text in texts]
    if all(mark is not None and mark[1] == letter for mark, letter in zip(marks, LETTERS, strict=False)):
        texts = [text[mark.end() :].strip() for text, mark in zip(texts, marks, strict=True) if mark]
    if not isinstance(given, list) or len(texts) < len(given) or not 2 <= len(set(texts)) == len(texts) <= len(LETTERS):
        raise ValueError(f"options are 2 to {len(LETTERS)} different texts, got {given!r}")
    return tuple(texts)


def _spans(row: Mapping[str, JSON]) -> tuple[TimeSpan, ...]:
    times = (row.get("start_time"), row.get("end_time"))
    given = row.get("spans")
    if given is not None and times != (None, None):
        raise ValueError("it has spans and start_time or end_time; one of them")
    if given is None:
        given = [] if times == (None, None) else [list(times)]
    if not isinstance(given, list):
        raise ValueError(f"spans are a list of [start, end], got {given!r}")
    return tuple(_span(pair) for pair in given)


def _span(pair: JSON) -> TimeSpan:
    if isinstance(pair, dict):
        pair = [pair.get("start"), pair.get("end")]
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(f"a span is [start, end], got {pair!r}")
    return TimeSpan(parse_seconds(pair[0]), parse_seconds(pair[1]))
