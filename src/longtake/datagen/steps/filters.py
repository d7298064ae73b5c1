"""Which questions are worth keeping (LongVT): by their words, then by looking at the moment they are about.

Every question that is dropped is a record of its own with the reason, so nothing is judged, or paid for, twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from ...agents.prompt import render
from ...errors import FormatError, RejectedError
from ...models.pixels import as_jpegs
from ...types import JSON, Frames, Model, Part, TimeSpan
from ...video.decode import Video
from ...video.sample import by_fps
from ..step import Context, Record, Step, Value
from ..values import Question, as_value
from .caption import timed_words
from .events import Summary
from .questions import MAX_ANSWER_WORDS, MAX_QUESTION_WORDS
from .verdicts import ask_and_read, asking_config, read_object, read_score

__all__ = ["Verdict", "VisualScore", "kept_questions", "read_verdicts", "text_filter", "visual_filter"]

TEXT_TEMPERATURE, VISUAL_TEMPERATURE = 0.3, 0.1
TEXT_TOKENS, VISUAL_TOKENS = 8192, 2048
LONGEST_LOOK_SECONDS = 300.0
LOOK_FPS = 2.0
LOOK_PIXELS = 360 * 420


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a drafted question is kept: ``rank`` 1 is the best one of its video; ``reason`` says why it is not."""

    draft: Question
    rank: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VisualScore:
    """How well the moment bears out a question and its answer, from 0 to 1."""

    score: float


# ------------------------------------------------------------------------------------------------------------ by words


def text_filter(model: Model, *, max_questions: int) -> Step:
    """A `Verdict` on every draft of a video, all given at once; at most ``max_questions`` are kept."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        found = [record.read(Question) for record in records]
        rows = [json.dumps(_row(index, question), ensure_ascii=False) for index, question in enumerate(found)]
        prompt = render(
            "data_text_filter",
            summary=records[0].find("summary").read(Summary).summary,
            questions="\n".join(rows),
            max_questions=str(max_questions),
        )
        verdicts = await ask_and_read(
            ctx,
            model,
            prompt,
            lambda said: read_verdicts(said, found, max_questions),
            temperature=TEXT_TEMPERATURE,
            max_tokens=TEXT_TOKENS,
        )
        return [as_value(verdict) for verdict in verdicts]

    config = asking_config(
        model,
        ["data_text_filter", "again"],
        temperature=TEXT_TEMPERATURE,
        max_tokens=TEXT_TOKENS,
        max_questions=max_questions,
        max_words=[MAX_QUESTION_WORDS, MAX_ANSWER_WORDS],
    )
    return Step("text_filter", 2, config, run, gathers=True, many=True)


def kept_questions() -> Step:
    """The `Question` of every `Verdict` that keeps one; the others are dropped with the reason given there."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        verdict = records[0].read(Verdict)
        if verdict.rank is None:
            raise RejectedError(verdict.reason)
        return [as_value(verdict.draft)]

    return Step("questions", 1, {}, run)


def read_verdicts(said: str, drafts: Sequence[Question], max_questions: int) -> list[Verdict]:
    """A verdict on each of ``drafts``, in their order, from ``{"keep": [...], "rejected": [...]}``.

    What is kept beyond ``max_questions`` is the worst by rank and dropped for that; a draft of which nothing is said is
    dropped alone. Raises `FormatError` where none is named, one twice, ranks are the same or a rejection has no
    reason."""
    reply = read_object(said)
    kept, rejected = _rows(reply, "keep"), _rows(reply, "rejected")
    named = [_index(row, len(drafts)) for row in (*kept, *rejected)]
    if not named or len(set(named)) < len(named):
        raise FormatError(f"every index from 0 to {len(drafts) - 1} must stand in one list, once; got {sorted(named)}")
    ranks = {_index(row, len(drafts)): _rank(row) for row in kept}
    if len(set(ranks.values())) < len(ranks):
        raise FormatError(f"two questions have the same rank: {sorted(ranks.values())}")
    reasons = dict.fromkeys(set(range(len(drafts))) - set(named), "the filter said nothing about it")
    reasons.update((_index(row, len(drafts)), _reason(row)) for row in rejected)
    places = {index: place for place, index in enumerate(sorted(ranks, key=lambda index: ranks[index]), 1)}
    for index, place in places.items():
        if place > max_questions:
            reasons[index] = f"it is number {place} of the good ones, and {max_questions} of a video are kept"
    return [
        Verdict(draft, None, reasons[index]) if index in reasons else Verdict(draft, places[index])
        for index, draft in enumerate(drafts)
    ]


def _row(index: int, question: Question) -> dict[str, JSON]:
    return {
        "index": index,
        "question": question.question,
        "answer": question.answer,
        "start_time": question.spans[0].start,
        "end_time": question.spans[0].end,
    }


def _rows(reply: Mapping[str, JSON], name: str) -> list[Mapping[str, JSON]]:
    rows = reply.get(name)
    if not isinstance(rows, list) or not _are_objects(rows):
        raise FormatError(f"{name!r} must be a list of JSON objects, got {str(rows)[:80]}")
    return rows


def _are_objects(rows: list[JSON]) -> TypeGuard[list[Mapping[str, JSON]]]:
    return all(isinstance(row, dict) for row in rows)


def _index(row: Mapping[str, JSON], count: int) -> int:
    index = _whole(row.get("index"))
    if index is None or not 0 <= index < count:
        raise FormatError(f"an index is a whole number from 0 to {count - 1}, got {row.get('index')!r}")
    return index


def _rank(row: Mapping[str, JSON]) -> int:
    rank = _whole(row.get("rank"))
    if rank is None:
        raise FormatError(f"a rank is a whole number, got {row.get('rank')!r}")
    return rank


def _whole(value: JSON) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _reason(row: Mapping[str, JSON]) -> str:
    reason = row.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise FormatError(f"a rejection needs a reason, got {reason!r} for index {row.get('index')}")
    return " ".join(reason.split())


# ---------------------------------------------------------------------------------------------------------- by looking


def visual_filter(model: Model, *, min_score: float, max_frames: int, ocr: bool) -> Step:
    """The `VisualScore` of a question by a model that looks at its moment; below ``min_score`` it is dropped.

    It sees at most ``max_frames`` frames, two a second, of the first 300 s, and the words that go with them."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        question = records[0].read(Question)
        video = await ctx.open(records[0].find("source"))
        moment = question.spans[0]
        moment = TimeSpan(moment.start, min(moment.end, moment.start + LONGEST_LOOK_SECONDS))
        frames, words = await ctx.in_thread(lambda: _look(video, moment, max_frames, ocr))
        prompt = render(
            "data_visual_filter",
            start=f"{moment.start:.1f}",
            end=f"{moment.end:.1f}",
            words=words,
            question=question.question,
            answer=question.answer,
        )
        parts: tuple[Part, ...] = (frames, prompt)
        score = await ask_and_read(
            ctx, model, parts, read_score, temperature=VISUAL_TEMPERATURE, max_tokens=VISUAL_TOKENS
        )
        if score < min_score:
            raise RejectedError(f"its moment bears it out to {score:.2f}, and {min_score:.2f} is asked for")
        return [as_value(VisualScore(score))]

    config = asking_config(
        model,
        ["data_visual_filter", "again"],
        temperature=VISUAL_TEMPERATURE,
        max_tokens=VISUAL_TOKENS,
        min_score=min_score,
        look=[LONGEST_LOOK_SECONDS, LOOK_FPS, LOOK_PIXELS, max_frames],
        ocr=ocr,
    )
    return Step("visual_filter", 2, config, run)


def _look(video: Video, moment: TimeSpan, max_frames: int, ocr: bool) -> tuple[Frames, str]:
    """The frames of the moment that can be decoded, as JPEG files, and what is said of its words."""
    moment = video.clamp(moment)
    frames, _ = video.readable_frames(by_fps(moment, LOOK_FPS, max_frames), max_pixels=LOOK_PIXELS)
    return as_jpegs(frames), timed_words(video, moment, ocr=ocr)
