"""The overview of a whole video that an agent opens with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ConfigError
from ..types import Cue, Part, TimeSpan
from ..video.decode import Snap, Video
from ..video.sample import by_fps, uniform_over
from ..video.text import TimedText

__all__ = ["check_looks", "check_turns", "readable", "said", "skim"]


def skim(
    video: Video, *, num_frames: int, fps: float | None, max_pixels: int, spans: Sequence[TimeSpan] = ()
) -> list[Part]:
    """At most ``num_frames`` frames over the whole video: ``fps`` a second, or spread evenly when it is None.

    They are snapped to the nearest key frame where the video is long (an overview needs no exact times, and is tens
    of times faster so); every frame is labelled with the time it truly has. What is damaged is left out and said.
    With ``spans`` only those are looked at. [] for no frames."""
    if not num_frames:
        return []
    spans = [video.clamp(span) for span in spans] or [video.span]
    duration = sum(span.duration for span in spans)
    if fps is None:
        seconds = uniform_over(spans, num_frames)
    elif len(spans) == 1:
        seconds = by_fps(spans[0], fps, num_frames)
    else:
        seconds = uniform_over(spans, min(num_frames, max(1, round(duration * fps))))
    far_apart = duration / max(len(seconds), 1) > 2.0
    return readable(video, seconds, max_pixels=max_pixels, snap="keyframe" if far_apart else "exact")


def readable(video: Video, seconds: Sequence[float], *, max_pixels: int, snap: Snap = "exact") -> list[Part]:
    """The frames at ``seconds`` that can be decoded, and a note where some cannot."""
    frames, damage = video.readable_frames(seconds, max_pixels=max_pixels, snap=snap)
    return [frames, *(f"Note: {what}\n" for what in damage)]


def said(video: Video) -> tuple[Cue, ...]:
    """The subtitles of a video, none if it has none; nothing is recognised for this."""
    text = TimedText(video, ocr=False)
    return text.cues("subtitles") if "subtitles" in text.sources() else ()


def check_looks(num_frames: int, fps: float | None, max_pixels: int, *, least: int = 0) -> None:
    """Raises `ConfigError` for a look at a video that cannot be taken; found before anything is spent."""
    if num_frames < least or (fps is not None and not 0 < fps < math.inf) or max_pixels < 28 * 28:
        raise ConfigError(
            f"a look needs at least {least} frames, frames a second above 0 and at least 784 pixels a frame;"
            f" got {num_frames} frames, {fps} a second, {max_pixels} pixels"
        )


def check_turns(max_turns: int) -> None:
    """Raises `ConfigError` for a run without a turn."""
    if max_turns < 1:
        raise ConfigError(f"max_turns must be at least 1, got {max_turns}")
