"""Writing questions about groups of events (LongVT): one open question with a short answer and a time range a group.

Owns what a question must be like as far as rules can tell. Which of them are good is decided in `filters`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...agents.prompt import render
from ...clock import parse_seconds
from ...errors import FormatError, SpanError
from ...models.phrases import no_content
from ...types import Model, TimeSpan
from ..step import Context, Record, Step, Value
from ..values import Question, as_value
from .caption import caption_lines
from .events import Events
from .verdicts import ask_and_read, asking_config, read_object
from .wording import sources_in, times_in

__all__ = ["MAX_ANSWER_WORDS", "MAX_QUESTION_WORDS", "EventGroup", "drafts", "faults", "groups", "read_draft"]

MAX_QUESTION_WORDS, MAX_ANSWER_WORDS = 50, 25
TEMPERATURE = 0.7
MAX_TOKENS = 4096
ROUNDING_SECONDS = 0.1
"""A prompt shows times to the tenth; so much may a reply lie outside the part it is about, and is then cut to it."""

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class EventGroup:
    """The events ``first`` up to, not including, ``stop``; question ``number`` (from 1) of ``count`` is about them."""

    first: int
    stop: int
    number: int
    count: int


def groups(*, events_per_question: int, questions_per_group: int) -> Step:
    """An `EventGroup` for every question to be written about a video."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        num_events = len(records[0].find("events").read(Events).events)
        return [
            as_value(EventGroup(first, min(first + events_per_question, num_events), number, questions_per_group))
            for first in range(0, num_events, events_per_question)
            for number in range(1, questions_per_group + 1)
        ]

    config = {"events_per_question": events_per_question, "questions_per_group": questions_per_group}
    return Step("groups", 1, config, run, many=True)


def drafts(model: Model) -> Step:
    """The `Question` that a model writes about an `EventGroup`; a reply that breaks a rule may be mended once."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        group = records[0].read(EventGroup)
        found = records[0].find("events").read(Events).events[group.first : group.stop]
        span = TimeSpan(found[0].start_time, found[-1].end_time)
        prompt = render(
            "data_event_question",
            events=caption_lines(found),
            start=f"{span.start:.1f}",
            end=f"{span.end:.1f}",
            number=str(group.number),
            count=str(group.count),
            max_question_words=str(MAX_QUESTION_WORDS),
            max_answer_words=str(MAX_ANSWER_WORDS),
        )
        question = await ask_and_read(
            ctx,
            model,
            prompt,
            lambda said: read_draft(said, span, known=" ".join(event.caption for event in found)),
            temperature=TEMPERATURE,
            max_tokens=MAX_TOKENS,
        )
        return [as_value(question)]

    config = asking_config(
        model,
        ["data_event_question", "again"],
        temperature=TEMPERATURE,
        max_tokens=MAX_TOKENS,
        max_words=[MAX_QUESTION_WORDS, MAX_ANSWER_WORDS],
    )
    return Step("drafts", 2, config, run)


def read_draft(said: str, within: TimeSpan, *, known: str = "") -> Question:
    """The question in a JSON reply, about a moment inside ``within``. Raises `FormatError` naming all that is wrong.

    Times and captions of which ``known`` tells, what is said of the video, are part of what is asked."""
    reply = read_object(said)
    question, answer = reply.get("question"), reply.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str):
        raise FormatError(f"question and answer must be texts, got {question!r} and {answer!r}")
    question, answer = " ".join(question.split()), " ".join(answer.split())
    wrong = faults(question, answer, known=known)
    span: TimeSpan | None = None
    try:
        span = _inside(reply.get("start_time"), reply.get("end_time"), within)
    except SpanError as e:
        wrong.append(str(e))
    if wrong or span is None:
        raise FormatError("; ".join(wrong))
    return Question(question, answer, spans=(span,))


def faults(question: str, answer: str, *, known: str = "") -> list[str]:
    """What rules can tell to be wrong with an open question, one phrase each."""
    wrong = list[str]()
    for name, text, most in (("question", question, MAX_QUESTION_WORDS), ("answer", answer, MAX_ANSWER_WORDS)):
        count = len(text.split())
        if not _plain(text):
            wrong.append(f"the {name} is empty")
        elif what := no_content(text):
            wrong.append(f"the {name} is {what}")
        elif count > most:
            wrong.append(f"the {name} has {count} words and may have {most}")
        if times_in(text, known):
            wrong.append(f"the {name} names a time")
        if sources := sources_in(text, known):
            wrong.append(f"the {name} rests on {sources[0]!r}; it is about the video")
    plain = _plain(answer)
    if plain and plain not in ("yes", "no") and f" {plain} " in f" {_plain(question)} ":
        wrong.append("the question holds its answer")
    return wrong


def _inside(start: object, end: object, within: TimeSpan) -> TimeSpan:
    """The span that a model wrote. Raises `SpanError` when it is none or lies outside ``within``."""
    span = TimeSpan(parse_seconds(start), parse_seconds(end))
    if span.start < within.start - ROUNDING_SECONDS or span.end > within.end + ROUNDING_SECONDS:
        raise SpanError(
            f"start_time and end_time must lie between {within.start:.1f} and {within.end:.1f} s,"
            f" got {span.start:g} and {span.end:g}"
        )
    return TimeSpan(max(span.start, within.start), min(span.end, within.end))


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
