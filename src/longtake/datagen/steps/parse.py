"""From a reply to a `Question`: what is written is checked against the video, and mended by the model if it fails.

Nothing is guessed and nothing missing is left empty: a reply either gives a whole question or a `FormatError`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from ...agents.prompt import prompt_digest
from ...clock import split_span
from ...errors import FormatError, SpanError
from ...media import TimeSpan
from ...models.journaled import model_identity
from ...models.phrases import no_content
from ...types import Model
from ..step import Context, Record, Step, Value
from ..values import CaptionedVideo, Question, QuestionType, Reason, Source, as_value
from .asking import read_or_repair
from .reason import Planned, Reply, question_prompt
from .sections import Parts, WrittenReason, plain, ranges, read_parts
from .wording import other_letter, sources_in, speaks_of_video, times_in

__all__ = ["parse", "read_question"]

_LONGEST_ANSWER = 1000
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ANSWER = re.compile(
    r"^\W*(?:the\s+)?(?:(?:correct|right|best)\s+)?(?:(?:answer|option|choice)\s*(?:is\s*)?)?[\W_]*([A-Za-z])"
    r"(?:$|(?=\s*[^A-Za-z0-9'’\s])\s*[).:,;*_\]}<\-–—]*\s*(.*)$)",
    re.IGNORECASE,
)
_TAGS = re.compile(r"</?answer>|\\boxed", re.IGNORECASE)
_ANOTHER = re.compile(r"^(?:and\b|or\b|&|/|,)?\s*\(?[A-Za-z]\)?\s*(?:$|[).,:;/&]|and\b|or\b)")
_PLACEHOLDER = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|the question|(?:first|second|third|fourth) option", re.IGNORECASE)
_ONE_LETTER = re.compile(r"(?<![\w'’])[A-Z](?![\w'’])")


def parse(
    model: Model | None = None,
    *,
    num_options: int | None = None,
    repairs: int = 1,
    temperature: float = 0.6,
    max_tokens: int = 32768,
) -> Step:
    """`Reply` -> `Question`, its reasoning the reasons as they are. With ``model``, a reply that cannot be used is
    shown to it with what is wrong, up to ``repairs`` times. None for ``num_options`` takes any number from two."""
    repairs = repairs if model is not None else 0

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        (record,) = records
        planned, video = record.find("plan").read(Planned), record.find("merge").read(CaptionedVideo)
        duration = record.find("source").read(Source).duration_seconds or math.inf
        known = " ".join(caption.caption for caption in video.captions)

        def read(reply: str) -> Question:
            kind = planned.question_type
            return read_question(reply, kind, duration_seconds=duration, known=known, num_options=num_options)

        question = await read_or_repair(
            ctx,
            model,
            record.read(Reply).reply,
            read,
            task=lambda: question_prompt(record),
            repairs=repairs,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        return [as_value(question)]

    config: Value = {"repairs": repairs, "num_options": num_options}
    if model is not None and repairs:
        prompts: Value = {"prompt": prompt_digest("data_repair"), "model": model_identity(model)}
        config = {**config, **prompts, "temperature": temperature, "max_tokens": max_tokens}
    return Step("parse", 2, config, run)


def read_question(
    reply: str,
    question_type: QuestionType,
    *,
    duration_seconds: float = math.inf,
    known: str | None = None,
    num_options: int | None = None,
) -> Question:
    """The question in ``reply``, which is text with headers or JSON; thinking in it does not count.

    Spans are cut off at ``duration_seconds``. A time in the question counts as a part of what is asked, not as a time
    stamp, if it is in ``known`` (what the captions say; with None that is not known and no time counts). With
    ``num_options`` there are so many. Raises `FormatError` saying what is wrong."""
    parts = read_parts(reply)
    options = _options(parts, num_options)
    if not parts.question or _PLACEHOLDER.fullmatch(parts.question):
        raise FormatError(f"the question is {parts.question!r}; write the question itself")
    if what := no_content(parts.question):
        raise FormatError(f"the question {parts.question!r} is {what}; write the question itself")
    for text in (parts.question, *options):
        if times := times_in(text, known, of=None if text is parts.question else parts.question):
            raise FormatError(f"{text!r} mentions the time {times[0]!r}; ask without times of the video")
        if sources := sources_in(text, known):
            raise FormatError(f"{text!r} rests on {sources[0]!r}; ask about what the video shows")
    answer = _letter(parts.answer, options)
    reasons = tuple(_reason(written, duration_seconds) for written in parts.reasons)
    spans = _union(span for reason in reasons for span in reason.spans)
    if not spans:
        raise FormatError("no step of the reasons says which seconds it rests on; write ##### From [START to END]:")
    told = [" ".join(reason.texts) for reason in reasons if reason.texts]
    if not told:
        raise FormatError("the reasons hold times but no text; say what is seen there and what follows from it")
    for text in (text for reason in reasons for text in reason.texts):
        if what := no_content(text):
            raise FormatError(f"the reason {text!r} is {what}; say what is seen and what follows from it")
        if other := other_letter(text, answer, _LETTERS[: len(options)]):
            raise FormatError(f"the reasons call {other} the answer and ANSWER is {answer}; make them agree")
    return Question(
        parts.question,
        answer,
        options,
        question_type,
        spans,
        reasons,
        speaks_of_video("\n".join(told), known),
    )


def _options(parts: Parts, num_options: int | None) -> tuple[str, ...]:
    letters = "".join(letter for letter, _ in parts.options)
    if not 2 <= len(letters) <= len(_LETTERS) or not _LETTERS.startswith(letters):
        raise FormatError(
            f"the options are lettered {letters or 'not at all'}; write a line for each of A to D in order"
        )
    if num_options not in (None, len(letters)):
        raise FormatError(
            f"there are {len(letters)} options, {letters}; write {num_options}, each on a line of its own"
        )
    if sum(bool(no_content(text)) for _, text in parts.options) > 1:
        raise FormatError("more than one option says nothing; write what each of them says")
    seen = dict[str, str]()
    for letter, text in parts.options:
        if not any(c.isalnum() for c in text) or _PLACEHOLDER.fullmatch(text):
            raise FormatError(f"option {letter} is {text!r}; write what it says")
        if (other := seen.setdefault(_folded(text), letter)) != letter:
            raise FormatError(f"the options {other} and {letter} are the same; make all options differ")
    return tuple(text for _, text in parts.options)


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+|[^\w\s.,;!?\"'’“”]", text.casefold())) or text


def _letter(answer: str, options: Sequence[str]) -> str:
    """The letter that ``answer`` names, by itself, with its option, or by the option's text."""
    said = plain(_TAGS.sub("", answer))
    by_text = [letter for letter, text in zip(_LETTERS, options, strict=False) if _folded(text) == _folded(said)]
    match = _ANSWER.match(said[:_LONGEST_ANSWER])
    if match is None:
        if by_text:
            return by_text[0]
        raise FormatError(f"the answer is {said!r}; give the letter of one option")
    letter, rest = match[1].upper(), (match[2] or "").strip()
    if letter not in _LETTERS[: len(options)]:
        raise FormatError(f"the answer {letter} is none of the options A to {_LETTERS[len(options) - 1]}")
    if rest and _ANOTHER.match(rest):
        raise FormatError(f"the answer {said!r} names more than one option; exactly one is right")
    own = options[_LETTERS.index(letter)]
    others = {_folded(text) for text in options} - {_folded(own)}
    if rest and _folded(rest) in others:
        raise FormatError(f"the answer {said!r} has the letter of one option and the text of another")
    rest = rest[len(own) :] if rest.casefold().startswith(own.casefold()) else rest
    if _folded(rest) != _folded(own) and set(_ONE_LETTER.findall(rest)) & set(_LETTERS[: len(options)]) - {letter}:
        raise FormatError(f"the answer {said!r} names more than one option; exactly one is right")
    return letter


def _reason(written: WrittenReason, duration_seconds: float) -> Reason:
    spans = list[TimeSpan]()
    try:
        found = [parts[0] if (parts := split_span(one)) else None for one in ranges(written.times)]
    except SpanError as e:
        raise FormatError(f"the reasons rest on {written.times!r}: {e}") from e
    if written.times.strip() and (not found or None in found):
        raise FormatError(f"{written.times!r} is not a time range; write [START to END] in seconds, START first")
    for span in (span for span in found if span):
        if span.start >= duration_seconds:
            raise FormatError(f"the reasons rest on {written.times}, but the video ends at {duration_seconds:.1f} s")
        spans.append(TimeSpan(span.start, min(span.end, duration_seconds)))
    return Reason(tuple(dict.fromkeys(spans)), written.texts)


def _union(spans: Iterable[TimeSpan]) -> tuple[TimeSpan, ...]:
    """The same seconds as ``spans``, in order, without overlaps."""
    joined = list[TimeSpan]()
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = TimeSpan(joined[-1].start, max(span.end, joined[-1].end))
        else:
            joined.append(span)
    return tuple(joined)
