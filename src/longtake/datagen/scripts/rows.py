"""What the files of LongVideo-Reason's scripts hold as records, and records as what they hold.

A row is what a command begins with: it carries all that a file says; steps of no cost unfold it into the records that
the recipe's own steps expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, cast

import orjson

from ...errors import ConfigError, FormatError, RejectedError
from ...media import TimeSpan
from ...store import digest
from ...types import JSON, Message, ModelOutput
from ..sources import file_value, subtitles_in
from ..step import Context, Record, Step, Value
from ..steps.asking import content_of
from ..steps.parse import read_question
from ..steps.reason import ABOUT
from ..values import Caption, CaptionedVideo, Clip, Question, QuestionType, Source, as_value
from .files import INDEX, IndexedClip, VideoCaptions, seconds, video_file

__all__ = [
    "Row",
    "captioned_row",
    "captions_row",
    "clips_of",
    "given",
    "known_type",
    "merged",
    "problem_row",
    "read_item",
    "rows_of",
    "rows_of_clips",
    "screened",
    "step_5",
    "step_6",
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
    """A row for each video that ``clips`` are of."""
    videos = dict.fromkeys((clip.id, clip.video) for clip in clips)
    rows = list[Row]()
    try:
        subtitles = subtitles_in({(folder / video).parent for _, video in videos})
        for id, video in videos:
            rows.append((id, id, file_value(folder / video, video, subtitles)))
    except OSError as e:
        raise ConfigError(f"{folder / INDEX} names a video that cannot be read: {e.filename}: {e.strerror}") from e
    return rows


def captions_row(found: VideoCaptions) -> Row:
    """A video with its captions as they were found; `screened` judges them."""
    value: Value = {
        "source": text_source(found.id, found.video, found.captions),
        "captions": [dict(as_value(one)) for one in found.captions],
    }
    return found.id, found.id, value


def captioned_row(id: str, video: CaptionedVideo, file: object, more: Value) -> Row:
    """``file`` is the path of the video if that is known."""
    path = file if isinstance(file, str) and file else video_file(video.id)
    return id, video.id, {"source": text_source(video.id, path, video.captions), "merge": dict(as_value(video)), **more}


def problem_row(file: str, problem: str) -> Row:
    """Stands for a file that cannot be used, so that the run counts it and names it."""
    return file, file, {"problem": problem}


def text_source(id: str, video: str, captions: Sequence[Caption]) -> JSON:
    """A source of which only the captions are here: it lasts until the last of them ends, 0 (unknown) without any."""
    end = max((one.end_time for one in captions), default=0.0)
    return dict(as_value(Source(id, video, "", 0, end, 0.0, 0, 0)))


def known_type(value: object) -> QuestionType:
    kinds: list[QuestionType] = [kind for kind in ABOUT if kind == value]
    return kinds[0] if kinds else "detail"


# -------------------------------------------------------------------------------------- steps that unfold a row


def given(name: str, *, many: bool = False) -> Step:
    """Makes a record of what the root holds under ``name``, as if that step had made it."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        root = records[0].find("root").value
        if problem := root.get("problem"):
            raise FormatError(str(problem))
        held = root[name]
        return cast("list[Value]", held if many else [held])

    return Step(name, 1, {"given": True}, run, many=many)


def clips_of(clips: Sequence[IndexedClip]) -> Step:
    """The clips that the index names, or without any the whole file as one."""
    spans = dict[str, list[TimeSpan]]()
    for clip in clips:
        spans.setdefault(clip.video, []).append(clip.span)

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        source = records[0].read(Source)
        whole = [TimeSpan(0.0, source.duration_seconds)]
        return [as_value(Clip(span)) for span in spans.get(source.video, whole)]

    named: JSON = {video: [[span.start, span.end] for span in found] for video, found in spans.items()}
    return Step("split", 2, {"given": digest(named)}, run, many=True)


def screened() -> Step:
    """`Caption` -> the same, if it is one: scripts write down refusals and error messages as if they were."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        found = records[0].read(Caption)
        said = ModelOutput(Message("assistant", (found.caption,)), "the captioner")
        try:
            return [as_value(replace(found, caption=content_of(said, max_tokens=0)))]
        except (RejectedError, FormatError) as e:
            raise type(e)(f"{records[0].video} at {seconds(found.start_time)} s: {e}") from e

    return Step("caption", 1, {"given": True}, run)


def read_item() -> Step:
    """A question of step 5, checked again: the scripts keep broken ones. Which times it may speak of was decided when
    the captions were there."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        item = cast("dict[str, JSON]", records[0].find("root").value["item"])
        return [as_value(read_question(orjson.dumps(item).decode(), known_type(item.get("question_type"))))]

    return Step("parse", 2, {"given": True}, run)


# ------------------------------------------------------------------------------------------- what files are made


def merged(record: Record) -> VideoCaptions:
    found = record.read(CaptionedVideo)
    return VideoCaptions(found.id, record.find("source").read(Source).video, found.captions)


def step_5(record: Record) -> JSON:
    question = record.read(Question)
    reasons: dict[str, JSON] = {}
    for number, reason in enumerate(question.reasons, 1):
        times = "] and [".join(f"{seconds(span.start)} to {seconds(span.end)}" for span in reason.spans)
        reasons[f"Step {number}"] = {"timestamp": times, "reasons": list(reason.texts)}
    options: dict[str, JSON] = {chr(ord("A") + n): text for n, text in enumerate(question.options)}
    return {
        "QUESTION": question.question,
        "OPTIONS": options,
        "ANSWER": question.answer,
        "REASONS": reasons,
        "video_name": record.video,
        "video": record.find("source").read(Source).video,
        "question_type": question.question_type,
    }


def step_6(record: Record, number: int) -> JSON:
    question = record.read(Question)
    options = [f"{chr(ord('A') + n)}. {text}" for n, text in enumerate(question.options)]
    return {
        "problem_id": number,
        "data_type": "video",
        "videos": record.find("source").read(Source).video,
        "problem": "\n".join([question.question, *options]),
        "problem_type": "general" if question.question_type == "detail" else question.question_type,
        "reasoning": question.reasoning,
        "answer": f"<answer>{question.answer}</answer>",
    }
