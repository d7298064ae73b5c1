"""The values that steps of both recipes pass on: frozen, with a JSON round-trip. Times are seconds of the source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

import orjson

from ..media import TimeSpan
from ..types import JSON, to_json
from .step import Value

__all__ = ["Caption", "CaptionedVideo", "Clip", "Question", "QuestionType", "Reason", "Source", "as_value"]

QuestionType: TypeAlias = Literal["temporal", "goal", "plot", "spatial", "detail"]
"""The first four are LongVideo-Reason's (temporal, goal and purpose, plot and narrative, spatial)."""


@dataclass(frozen=True, slots=True)
class Source:
    """A video file. ``id`` is its path without the suffix and ``video`` with it, both from the folder of videos on.

    ``fingerprint`` names it in caches and frames, ``sha256`` is of all of it, ``subtitles`` are the sha256 of the
    subtitle files beside it."""

    id: str
    video: str
    fingerprint: str
    num_bytes: int
    duration_seconds: float
    average_fps: float
    width: int
    height: int
    warnings: tuple[str, ...] = ()
    subtitles: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Clip:
    """A part of the source. ``file`` is the clip file, from the run's folder on, if one was written."""

    span: TimeSpan
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Caption:
    start_time: float
    end_time: float
    caption: str


@dataclass(frozen=True, slots=True)
class CaptionedVideo:
    """LongVideo-Reason's merged form: the captions of a video in order of time."""

    id: str
    captions: tuple[Caption, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """A step of reasoning: what is concluded and the spans it rests on."""

    spans: tuple[TimeSpan, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one video with its answer: the letter of one of ``options``, or a text if there are none.

    ``spans`` is where the answer is seen. ``reasoning`` is the text to train on, "" if there is none."""

    question: str
    answer: str
    options: tuple[str, ...] = ()
    question_type: QuestionType = "detail"
    spans: tuple[TimeSpan, ...] = ()
    reasons: tuple[Reason, ...] = field(default=())
    reasoning: str = ""


def as_value(value: object) -> Value:
    """A dataclass as the JSON object that goes into the journal."""
    return cast("dict[str, JSON]", orjson.loads(to_json(value)))
