"""What is in a video: spans of time, pictures with their times, timed text. Frozen values, no I/O.

Times are seconds on the video clock (0 is the container's start), spans are half-open. Pixels never reach JSON:
`Frames` is stored as (video, seconds, size).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import SpanError, StoreError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["Box", "Chapter", "Cue", "CueList", "Evidence", "Frames", "Source", "SubtitleTrack", "TimeSpan", "VideoInfo"]

Source: TypeAlias = Literal["subtitles", "screen", "speech", "frames", "stated"]
"""Where evidence comes from: a cue of timed text, frames the agent looked at, or a span the model stated."""


@dataclass(frozen=True, slots=True, order=True)
class TimeSpan:
    """Half-open interval ``[start, end)`` in seconds. Raises `SpanError` unless ``0 <= start < end < inf``."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end < math.inf:
            raise SpanError(f"a span needs 0 <= start < end in seconds, got start={self.start} end={self.end}")

    @property
    def duration(self) -> float:
        return self.end - self.start

    def __contains__(self, seconds: float) -> bool:
        return self.start <= seconds < self.end

    def overlap(self, other: TimeSpan) -> float:
        """Seconds the two spans share; 0 when they do not meet."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))

    def iou(self, other: TimeSpan) -> float:
        """Temporal intersection over union, in [0, 1]."""
        shared = self.overlap(other)
        return shared / (self.duration + other.duration - shared)


@dataclass(frozen=True, slots=True)
class Box:
    """A region of a picture as fractions of its width and height. Raises `SpanError` unless it has an area in it."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            got = (self.left, self.top, self.right, self.bottom)
            raise SpanError(
                f"a box is left, top, right, bottom as fractions with left < right and top < bottom, got {got}"
            )


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a video that has a name of its own, such as a clip of an episode in TVQA."""

    id: str
    span: TimeSpan


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """A text track inside a video file. ``index`` is the stream index in the container."""

    index: int
    codec: str
    language: str | None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What probing found without decoding the file.

    ``width`` and ``height`` are as displayed (rotation and pixel aspect applied). ``num_frames`` is the length of
    the container's sample table, None where it has none. ``warnings`` say what was found wrong and what is done
    about it, one sentence each (a truncated file, say). ``chapters`` are in order of time. Pictures
    that lie in a folder have the codec "frames", and ``average_fps`` is then the rate they were read with.
    """

    uri: str
    fingerprint: str
    duration_seconds: float
    average_fps: float
    num_frames: int | None
    width: int
    height: int
    codec: str
    has_audio: bool
    subtitle_tracks: tuple[SubtitleTrack, ...] = ()
    warnings: tuple[str, ...] = ()
    chapters: tuple[Chapter, ...] = ()

    @property
    def span(self) -> TimeSpan:
        return TimeSpan(0.0, self.duration_seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Pictures of one video and when each is first shown.

    ``seconds`` float64 (N,), ``width`` and ``height`` in pixels, ``video`` the fingerprint of the file, ``box`` the
    region shown if not the whole picture. ``data`` uint8 (N, H, W, 3) RGB, or None once the frames come from a
    stored trace; `longtake.video.decode.Video.load` decodes them again. ``jpegs`` holds the pictures as JPEG files in
    place of ``data``, where many requests wait at once (`longtake.models.pixels.as_jpegs`). Two `Frames` are equal
    when they name the same pictures.
    """

    seconds: npt.NDArray[np.float64]
    width: int
    height: int
    video: str
    box: Box | None = None
    data: npt.NDArray[np.uint8] | None = None
    jpegs: tuple[bytes, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.seconds.ndim != 1:
            raise ValueError(f"seconds must be one-dimensional, got shape {self.seconds.shape}")
        want = (len(self.seconds), self.height, self.width, 3)
        if self.data is not None and self.data.shape != want:
            raise ValueError(f"data must be (N, H, W, 3) = {want}, got {self.data.shape}")
        if self.jpegs is not None and len(self.jpegs) != len(self.seconds):
            raise ValueError(f"there must be one JPEG for each of {len(self.seconds)} times, got {len(self.jpegs)}")

    @classmethod
    def of(
        cls, data: npt.NDArray[np.uint8], seconds: npt.NDArray[np.float64], video: str, box: Box | None = None
    ) -> Frames:
        """Frames from pixels (N, H, W, 3) and their times (N,)."""
        return cls(seconds, data.shape[2], data.shape[1], video, box, data)

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """``data``; raises `StoreError` when these frames are kept without it."""
        if self.data is None:
            origin = "come from a stored trace and hold no pixels" if self.jpegs is None else "are kept as JPEG only"
            raise StoreError(f"these frames {origin}; call Video.load(frames) to decode them")
        return self.data

    def without_pixels(self) -> Frames:
        return replace(self, data=None, jpegs=None)

    def __len__(self) -> int:
        return len(self.seconds)

    def _key(self) -> tuple[object, ...]:
        return (self.video, self.seconds.tobytes(), self.width, self.height, self.box)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frames) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        def read(stored: dict[str, Any]) -> Frames:
            seconds = np.asarray(stored["seconds"], dtype=np.float64)
            return Frames(seconds, stored["width"], stored["height"], stored["video"], stored.get("box"))

        def write(frames: Frames) -> dict[str, Any]:
            return {
                "video": frames.video,
                "seconds": frames.seconds.tolist(),
                "width": frames.width,
                "height": frames.height,
                "box": asdict(frames.box) if frames.box else None,
            }

        field, pixels = core_schema.typed_dict_field, core_schema.int_schema(ge=0)
        fields = {
            "video": field(core_schema.str_schema()),
            "seconds": field(core_schema.list_schema(core_schema.float_schema(allow_inf_nan=False))),
            "width": field(pixels),
            "height": field(pixels),
            "box": field(core_schema.nullable_schema(handler.generate_schema(Box)), required=False),
        }
        stored = core_schema.no_info_after_validator_function(read, core_schema.typed_dict_schema(fields))
        return core_schema.json_or_python_schema(
            stored,
            core_schema.union_schema([core_schema.is_instance_schema(cls), stored]),
            serialization=core_schema.plain_serializer_function_ser_schema(write),
        )


@dataclass(frozen=True, slots=True)
class Cue:
    """A piece of timed text: a subtitle, text seen on screen, or speech."""

    span: TimeSpan
    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class CueList:
    """Cues in order of time, and what was found wrong in reading them, one sentence each."""

    cues: tuple[Cue, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where an answer rests: a span, what was read or said there ("" if it was only looked at), and its source."""

    span: TimeSpan
    quote: str
    source: Source
