"""Decoded, resized pictures kept in memory: a span looked at again costs no decoding.

One for the process, bounded in bytes; the pictures least recently used go first. Opens no file.
"""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .picture import Look

__all__ = ["CACHE", "FrameCache", "Picture", "View"]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: shown from ``pts`` on, at least until ``until`` (exclusive), both in ticks.

    ``data`` uint8 (H, W, 3) RGB; shared, so never written to."""

    pts: int
    until: int
    data: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class View:
    """What makes two decodings of a file the same: fingerprint, picture track, size and region."""

    fingerprint: str
    track: int
    look: Look


class FrameCache:
    """Thread-safe. ``max_bytes`` bounds the pixels held; a picture larger than that is not kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._pictures: OrderedDict[tuple[View, int], Picture] = OrderedDict()
        self._times: dict[View, list[int]] = {}
        self._lock = threading.Lock()

    @property
    def num_bytes(self) -> int:
        return self._num_bytes

    def get(self, view: View, pts: int) -> Picture | None:
        """The picture shown at ``pts``, if it is here."""
        with self._lock:
            times = self._times.get(view, [])
            at = bisect.bisect_right(times, pts) - 1
            if at < 0:
                return None
            picture = self._pictures[view, times[at]]
            if pts >= picture.until:
                return None
            self._pictures.move_to_end((view, picture.pts))
            return picture

    def put(self, view: View, picture: Picture) -> None:
        if picture.data.nbytes > self._max_bytes:
            return
        with self._lock:
            known = self._pictures.get((view, picture.pts))
            if known is not None:
                if known.until < picture.until:
                    self._pictures[view, picture.pts] = Picture(known.pts, picture.until, known.data)
                return
            self._pictures[view, picture.pts] = picture
            bisect.insort(self._times.setdefault(view, []), picture.pts)
            self._num_bytes += picture.data.nbytes
            while self._num_bytes > self._max_bytes:
                self._drop_oldest()

    def clear(self) -> None:
        with self._lock:
            self._pictures.clear()
            self._times.clear()
            self._num_bytes = 0

    def _drop_oldest(self) -> None:
        (view, pts), picture = self._pictures.popitem(last=False)
        self._num_bytes -= picture.data.nbytes
        times = self._times[view]
        del times[bisect.bisect_left(times, pts)]
        if not times:
            del self._times[view]


CACHE = FrameCache(256 << 20)
