"""What the files of LongVideo-Reason's scripts hold as records, and records as what they hold.

A row is what a command begins with: it carries all that a file says; steps of no cost unfold it into the records that
the recipe's own steps expect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import orjson

from ...errors import ConfigError
from ...media import TimeSpan
from ...types import JSON
from ..step import Context, Record, Step, Value
from ..steps.parse import read_question
from ..steps.reason import ABOUT
from ..values import Caption, CaptionedVideo, Clip, Question, QuestionType, Source, as_value
from .files import INDEX, IndexedClip

__all__ = [
    "Row",
    "captioned_row",
    "clips_of",
    "given",
    "known_type",
    "read_item",
    "rows_of",
    "rows_of_clips",
    "step_5",
    "step_6",
    "text_source",
]

Row: TypeAlias = tuple[str, str, Value]
"""(id, video, value) of a record to begin with; see `store.roots_of`."""


def rows_of(roots: Sequence[Record], *, keep_same: bool = False) -> list[Row]:
    """``keep_same``: files with the same content stay, as clips of one video they are different moments."""
    dropped = {"same_as"} if keep_same else set[str]()
    return [
        (root.id, root.video, {name: item for name, item in root.value.items() if name not in dropped})
        for root in roots
    ]


def rows_of_clips(clips: Sequence[IndexedClip], folder: Path) -> list[Row]:
    """A row a video, with the spans of its clips."""
    spans = dict[tuple[str, str], list[JSON]]()
    for clip in clips:
        spans.setdefault((clip.id, clip.video), []).append([clip.span.start, clip.span.end])
    rows = list[Row]()
    for (id, video), found in spans.items():
        try:
            stat = (folder / video).stat()
        except OSError as e:
            raise ConfigError(f"{folder / INDEX} names the video {video}, which cannot be read: {e.strerror}") from e
        value: Value = {
            "video": video,
            "num_bytes": stat.st_size,
            "modified_ns": stat.st_mtime_ns,
            "spans": found,
        }
        rows.append((id, id, value))
    return rows


def captioned_row(id: str, video: CaptionedVideo, more: Mapping[str, JSON] | None = None) -> Row:
    value: Value = {
        "source": text_source(video.id, video.captions),
        "merge": dict(as_value(video)),
        **(more or {}),
    }
    return id, video.id, value


def text_source(video: str, captions: Sequence[Caption]) -> JSON:
    """A source of which only the captions are here: it lasts until the last of them ends, 0 (unknown) without any."""
    end = max((one.end_time for one in captions), default=0.0)
    return dict(as_value(Source(video, f"{video}.mp4", "", 0, end, 0.0, 0, 0)))


def known_type(value: object) -> QuestionType:
    kinds: list[QuestionType] = [kind for kind in ABOUT if kind == value]
    return kinds[0] if kinds else "detail"


# -------------------------------------------------------------------------------------- steps that unfold a row


def given(name: str, *, many: bool = False) -> Step:
    """Makes a record of what the root holds under ``name``, as if that step had made it."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        held = records[0].find("root").value[name]
        return cast("list[Value]", held if many else [held])

    return Step(name, 1, {"given": True}, run, many=many)


def clips_of() -> Step:
    """The clips that the index names, or the whole file as one."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        root = records[0].find("root").value
        whole = [[0.0, records[0].read(Source).duration_seconds]]
        spans = cast("list[list[float]]", root.get("spans", whole))
        return [as_value(Clip(TimeSpan(start, end))) for start, end in spans]

    return Step("split", 1, {"given": True}, run, many=True)


def read_item() -> Step:
    """A question of step 5, checked again: the scripts keep broken ones."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        item = cast("dict[str, JSON]", records[0].find("root").value["item"])
        return [as_value(read_question(orjson.dumps(item).decode(), known_type(item.get("question_type"))))]

    return Step("parse", 1, {"given": True}, run)


# ------------------------------------------------------------------------------------------- what files are made


def step_5(record: Record) -> JSON:
    question = record.read(Question)
    reasons: dict[str, JSON] = {}
    for number, reason in enumerate(question.reasons, 1):
        times = "] and [".join(f"{span.start:g} to {span.end:g}" for span in reason.spans)
        reasons[f"Step {number}"] = {"timestamp": times, "reasons": list(reason.texts)}
    options: dict[str, JSON] = {chr(ord("A") + n): text for n, text in enumerate(question.options)}
    return {
        "QUESTION": question.question,
        "OPTIONS": options,
        "ANSWER": question.answer,
        "REASONS": reasons,
        "video_name": record.video,
        "question_type": question.question_type,
    }


def step_6(record: Record) -> JSON:
    question = record.read(Question)
    options = [f"{chr(ord('A') + n)}. {text}" for n, text in enumerate(question.options)]
    return {
        "problem_id": record.find("root").value["number"],
        "data_type": "video",
        "videos": f"{record.video}.mp4",
        "problem": "\n".join([question.question, *options]),
        "problem_type": "general" if question.question_type == "detail" else question.question_type,
        "reasoning": question.reasoning,
        "answer": f"<answer>{question.answer}</answer>",
    }
