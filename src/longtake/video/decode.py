"""`Video`: pictures of a file at given times. The only way pictures are read in this package.

Owns the time contract (the picture shown at t is the one with the largest presentation time not after t), deadlines
and the sharing of decoders among threads. How packets are read is in `reader`, how pixels are made in `picture`.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import LongtakeError, SpanError, VideoTimeoutError
from ..media import Box, Frames, TimeSpan, VideoInfo
from .picture import Look
from .probe import Track, probe
from .reader import Picture, Reader
from .sample import by_fps, fit_size

__all__ = ["Snap", "Video"]

Snap: TypeAlias = Literal["exact", "keyframe"]


class Video:
    """One video file. Safe to share among threads.

    ``info`` is what probing found, ``subtitles`` a sidecar file the user named (carried, not read)."""

    def __init__(self, track: Track, subtitles: Path | None, deadline_seconds: float) -> None:
        self._track = track
        self._deadline_seconds = deadline_seconds
        self.info: VideoInfo = track.info
        self.path: Path = track.path
        self.subtitles: Path | None = subtitles

    @classmethod
    def open(
        cls,
        uri: str | Path,
        *,
        subtitles: str | Path | None = None,
        deadline_seconds: float = 60.0,
        isolate: bool = False,
    ) -> Video:
        """Probes a file. Raises `VideoNotFoundError`, `VideoDecodeError` or `VideoTimeoutError`."""
        return cls(probe(Path(uri)), Path(subtitles) if subtitles else None, deadline_seconds)

    @property
    def span(self) -> TimeSpan:
        return self.info.span

    def clamp(self, span: TimeSpan) -> TimeSpan:
        """The part of ``span`` inside the video. Raises `SpanError` if nothing is left."""
        if span.start >= self.info.duration_seconds:
            raise SpanError(
                f"the span {span.start:.3f} to {span.end:.3f} s lies after the end of the video, which lasts "
                f"{self.info.duration_seconds:.3f} s; ask for a span that starts before that"
            )
        return TimeSpan(span.start, min(span.end, self.info.duration_seconds))

    def keyframe_seconds(self) -> npt.NDArray[np.float64]:
        """Seconds of the key frames, ascending, float64."""
        keys = self._track.key_pts
        return np.array([self._track.seconds(int(k)) for k in ([] if keys is None else keys)], dtype=np.float64)

    def frames_at(
        self,
        seconds: Sequence[float],
        *,
        max_pixels: int | None = None,
        min_pixels: int = 0,
        size: tuple[int, int] | None = None,
        box: Box | None = None,
        snap: Snap = "exact",
    ) -> Frames:
        """The pictures shown at ``seconds``, in that order, one for each."""
        look = self._look(max_pixels, min_pixels, size, box)
        self._check_seconds(seconds)
        targets = [self._track.pts(t) for t in seconds]
        pictures = self._read(targets, look, snap)
        shape = (len(targets), look.height, look.width, 3)
        data = np.stack([p.data for p in pictures]) if pictures else np.zeros(shape, np.uint8)
        times = np.array([self._track.seconds(p.pts) for p in pictures], dtype=np.float64)
        return Frames.of(data, times, self.info.fingerprint, box)

    def frames_in(
        self,
        span: TimeSpan,
        *,
        fps: float = 1.0,
        max_frames: int = 128,
        max_pixels: int | None = None,
        min_pixels: int = 0,
        snap: Snap = "exact",
    ) -> Frames:
        """Pictures of ``span`` (clamped to the video), ``fps`` a second, at most ``max_frames``, no picture twice."""
        times = by_fps(self.clamp(span), fps, max_frames)
        frames = self.frames_at(times, max_pixels=max_pixels, min_pixels=min_pixels, snap=snap)
        _, first = np.unique(frames.seconds, return_index=True)
        return Frames.of(frames.pixels[first], frames.seconds[first], frames.video)

    def load(self, frames: Frames) -> Frames:
        """``frames`` with their pixels, decoded again from their times."""
        if frames.data is not None:
            return frames
        return self.frames_at(frames.seconds.tolist(), size=(frames.width, frames.height), box=frames.box)

    def _check_seconds(self, seconds: Sequence[float]) -> None:
        for t in seconds:
            if not (math.isfinite(t) and 0 <= t <= self.info.duration_seconds):
                raise SpanError(
                    f"a time must lie between 0 and the end of the video at {self.info.duration_seconds:.3f} s, got {t}"
                )

    def _look(self, max_pixels: int | None, min_pixels: int, size: tuple[int, int] | None, box: Box | None) -> Look:
        if size is not None:
            return Look(*size, box)
        width, height = self.info.width, self.info.height
        if box is not None:
            width = max(1, round((box.right - box.left) * width))
            height = max(1, round((box.bottom - box.top) * height))
        if max_pixels is not None or min_pixels:
            width, height = fit_size(width, height, min_pixels, max_pixels)
        return Look(width, height, box)

    def _read(self, targets: Sequence[int], look: Look, snap: Snap) -> list[Picture]:
        order = sorted(set(targets))
        found: dict[int, Picture] = {}
        if not order:
            return []
        reader = Reader(self._track)
        try:
            keys = self._track.key_pts
            if snap == "keyframe" and keys is not None:
                for target in order:
                    key = int(keys[np.abs(keys - target).argmin()])
                    found[target] = reader.key_picture(key, look, lambda: None)
            else:
                groups: dict[int, list[int]] = {}
                for target in order:
                    at = -1 if keys is None else int(np.searchsorted(keys, target, side="right"))
                    groups.setdefault(at, []).append(target)
                for group in groups.values():
                    found.update(reader.pictures(group, look, lambda: None))
        finally:
            reader.close()
        return [found[target] for target in targets]
