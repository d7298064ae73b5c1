"""How exported conversations name the frames in them: as moments of the source video, or as JPEG files.

A moment is ``film.mp4#t=12.04`` (a media fragment of the W3C; ``&xywh=percent:...`` for a region): nothing is copied,
and `parse_frame_url` gives back what to decode. The times are rounded up to the millisecond, which names the same
picture, since a picture is shown from its time on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from ...errors import ConfigError
from ...store import write_atomic
from ...types import Box, Frames
from ...video.decode import Video
from ...video.sheet import jpeg
from ..values import Source

__all__ = ["FrameFiles", "FrameUrls", "frame_urls", "parse_frame_url"]

FrameUrls: TypeAlias = Callable[[Source, Frames], list[str]]
"""One address per frame of a source video. Raises `VideoError` when frames must be decoded and cannot."""

_REGION = "&xywh=percent:"


def frame_urls(source: Source, frames: Frames) -> list[str]:
    """The frames as moments of the source; nothing is opened."""
    return [f"{source.video}#t={_short(_stamp(t))}{_region(frames.box)}" for t in _seconds(frames)]


def parse_frame_url(url: str) -> tuple[str, float, Box | None]:
    """The video, the time in seconds and the region of an address `frame_urls` made. Raises `ConfigError`."""
    video, mark, rest = url.rpartition("#t=")
    stamp, _, region = rest.partition(_REGION)
    try:
        numbers = [float(number) / 100 for number in region.split(",")] if region else []
        if not mark or len(numbers) not in (0, 4):
            raise ValueError
        left, top, width, height = numbers or (0.0, 0.0, 1.0, 1.0)
        box = Box(left, top, min(1.0, left + width), min(1.0, top + height)) if numbers else None
        return video, float(stamp), box
    except ValueError as e:
        raise ConfigError(f"a frame's address is FILE#t=SECONDS, got {url!r}") from e


class FrameFiles:
    """Writes frames as JPEG files under ``folder``; addresses are from ``beside`` on, where the export lies.

    ``root`` is the folder of the videos. Files that are there already are not made again."""

    def __init__(self, folder: Path, *, root: Path, beside: Path, quality: int = 90) -> None:
        self._folder = folder
        self._root = root
        self._beside = beside
        self._quality = quality
        self._open: tuple[str, Video] | None = None

    def __call__(self, source: Source, frames: Frames) -> list[str]:
        paths = [self._path(source, frames, t) for t in _seconds(frames)]
        if not all(path.exists() for path in paths):
            for path, pixels in zip(paths, self._video(source).load(frames).pixels, strict=True):
                write_atomic(path, jpeg(Image.fromarray(pixels), quality=self._quality))
        return [Path(os.path.relpath(path, self._beside)).as_posix() for path in paths]

    def _path(self, source: Source, frames: Frames, seconds: float) -> Path:
        region = "" if frames.box is None else "-" + _region(frames.box).removeprefix(_REGION).replace(",", "_")
        name = f"{round(_stamp(seconds) * 1000):09d}-{frames.width}x{frames.height}{region}.jpg"
        return self._folder / source.id / name

    def _video(self, source: Source) -> Video:
        """The last one is kept open, since questions come video by video."""
        if self._open is None or self._open[0] != source.video:
            self._open = (source.video, Video.open(self._root / source.video))
        return self._open[1]


def _seconds(frames: Frames) -> list[float]:
    return [float(t) for t in frames.seconds]


def _stamp(seconds: float) -> float:
    return math.ceil(seconds * 1000 - 1e-3) / 1000


def _region(box: Box | None) -> str:
    if box is None:
        return ""
    numbers = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    return _REGION + ",".join(_short(100 * number) for number in numbers)


def _short(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
