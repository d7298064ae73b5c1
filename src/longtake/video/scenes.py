"""Where the scenes of a video begin and end.

Owns what counts as a change of scene: a hard cut, or a fade through an empty picture. Fast motion, a flash and a
dissolve are none. The pictures it looks at come from `thumbs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..errors import SpanError
from ..media import TimeSpan
from ..store import cache_dir, digest, kept
from .decode import Video
from .frame_folder import open_track
from .thumbs import NUM_LUMA, Thumbs, difference, thumbs_of
from .workers import nothing

__all__ = ["detect"]

_STANDS_OUT = 3.0
"""A cut changes the picture by so many times what the pictures around it do."""
_AROUND = 8
"""Pictures on either side that a change is compared with."""
_FLASH_SECONDS = 0.5
_EMPTY = 6.0
"""Spread of brightness (standard deviation) below which a picture is empty, as in the middle of a fade."""


VERSION = 1
"""Of the scenes kept on disk; a change makes them be found anew."""


@dataclass(frozen=True, slots=True)
class SceneList:
    """Scenes in the form in which they are kept on disk."""

    spans: tuple[TimeSpan, ...]


def detect(
    video: Video, *, threshold: float = 15.0, min_scene_seconds: float = 0.5, check: Callable[[], None] = nothing
) -> list[TimeSpan]:
    """The scenes of ``video`` in order: they cover ``[0, duration)`` without a gap. A still video is one scene.

    ``threshold`` is how far two pictures in a row must be apart for a cut, in steps of brightness and colour (0 to
    255, mean over the picture); lower finds more. No scene is shorter than ``min_scene_seconds``, unless the video
    is: of two changes closer together the weaker one is dropped. A scene starts at the time of its first picture.
    Found once and then kept on disk. ``check`` is called all along, from several threads, and may raise to end the
    pass. Raises `VideoDecodeError` if nothing can be decoded."""
    if not (threshold > 0 and min_scene_seconds >= 0):
        raise SpanError(
            "scenes need threshold > 0 and min_scene_seconds >= 0, got "
            f"threshold={threshold} min_scene_seconds={min_scene_seconds}"
        )
    name = f"scenes-{digest([VERSION, threshold, min_scene_seconds])[:16]}.json"
    path = cache_dir("scenes", video.info.fingerprint) / name
    return list(kept(SceneList, path, lambda: _detect(video, threshold, min_scene_seconds, check)).spans)


def _detect(video: Video, threshold: float, min_scene_seconds: float, check: Callable[[], None]) -> SceneList:
    track = open_track(video.path, video.info.average_fps)
    changes = _Changes(threshold)
    for thumbs in thumbs_of(track, alike=threshold / 2, check=check):
        changes.add(thumbs, np.array([track.seconds(int(p)) for p in thumbs.pts]))
    end = video.info.duration_seconds
    edges = [0.0, *_far_enough(changes.found(), min_scene_seconds, end), end]
    return SceneList(tuple(TimeSpan(a, b) for a, b in pairwise(edges)))


def _far_enough(changes: Iterable[tuple[float, float]], min_seconds: float, end: float) -> list[float]:
    """Times of the (seconds, strength) that are at least ``min_seconds`` apart; the strongest are chosen first."""
    kept: list[float] = []
    for seconds, _ in sorted(changes, key=lambda change: -change[1]):
        if all(abs(seconds - other) >= max(min_seconds, 1e-6) for other in (0.0, end, *kept)):
            kept.append(seconds)
    return sorted(kept)


@dataclass(slots=True)
class _Changes:
    """Takes tiny pictures in order and says where they change; keeps a number per picture, and few pictures.

    ``steps[i]`` is the difference of picture i from the one before it, ``sides[i]`` both of them if it is large."""

    threshold: float
    seconds: list[float] = field(default_factory=list[float])
    steps: list[float] = field(default_factory=list[float])
    empty: list[bool] = field(default_factory=list[bool])
    sides: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict[int, npt.NDArray[np.uint8]])
    last: npt.NDArray[np.uint8] | None = None

    def add(self, thumbs: Thumbs, seconds: npt.NDArray[np.float64]) -> None:
        if not len(seconds):
            return
        before = thumbs.data[:1] if self.last is None else self.last[None]
        data = np.concatenate([before, thumbs.data])
        steps = difference(data[1:], data[:-1])
        for n in np.flatnonzero(steps >= self.threshold).tolist():
            self.sides[len(self.steps) + n] = data[n : n + 2]
        self.steps += steps.tolist()
        self.seconds += seconds.tolist()
        self.empty += (thumbs.data[:, :NUM_LUMA].std(axis=1) < _EMPTY).tolist()
        self.last = data[-1]

    def found(self) -> list[tuple[float, float]]:
        """(seconds, strength) of the changes."""
        cuts = self._without_flashes([n for n in self.sides if self._stands_out(n)])
        return [(self.seconds[n], self.steps[n]) for n in cuts] + self._fades()

    def _stands_out(self, number: int) -> bool:
        around = self.steps[max(0, number - _AROUND) : number] + self.steps[number + 1 : number + 1 + _AROUND]
        # cuts that follow each other closely must not hide each other
        usual = float(np.median(around)) if around else 0.0
        return self.steps[number] >= _STANDS_OUT * usual

    def _without_flashes(self, cuts: list[int]) -> list[int]:
        """A flash is left again at once: from the picture before it to the one after it there is no cut."""
        dropped: set[int] = set()
        for at, first in enumerate(cuts):
            for last in reversed(cuts[at + 1 :]):
                if self.seconds[last] - self.seconds[first] > _FLASH_SECONDS:
                    continue
                if difference(self.sides[first][0], self.sides[last][1]) < self.threshold:
                    dropped.update(n for n in cuts if first <= n <= last)
                    break
        return [n for n in cuts if n not in dropped]

    def _fades(self) -> list[tuple[float, float]]:
        """The middles of runs of empty pictures that others turn into by and by. Cuts are stronger: they go first."""
        edges = np.flatnonzero(np.diff(np.array([False, *self.empty, False], dtype=np.int8)))
        runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        return [
            (self.seconds[(first + stop) // 2], 0.0)
            for first, stop in runs
            if first > 0 and stop < len(self.empty) and not self.sides.keys() & {first, stop}
        ]
