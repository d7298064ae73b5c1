"""Decodes the numbered pictures of a folder: as `reader`, without packets or key frames. Which there are, and when each
is shown, is in `frame_folder`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import VideoDecodeError
from .frame_cache import Picture
from .frame_folder import BROKEN, FrameTrack
from .picture import Look

__all__ = ["FrameReader"]


class FrameReader:
    """As `reader.Reader`, for a `FrameTrack`. Holds nothing open."""

    def __init__(self, track: FrameTrack) -> None:
        self.track = track

    def close(self) -> None: ...

    def pictures(self, targets: Sequence[int], look: Look, check: Callable[[], None]) -> Iterator[tuple[int, Picture]]:
        for target in targets:
            yield target, self.key_picture(target, look, check)

    def key_picture(self, pts: int, look: Look, check: Callable[[], None]) -> Picture:
        """The picture shown at ``pts``. Raises `VideoDecodeError` if it is damaged."""
        check()
        track = self.track
        at = max(0, int(np.searchsorted(track.ticks, pts, side="right")) - 1)
        begin = int(track.ticks[at])
        is_last = at + 1 == len(track.ticks)
        until = max(begin, pts) + 1 if is_last else int(track.ticks[at + 1])
        try:
            return Picture(begin, until, _render(track.files[at], look))
        except BROKEN as e:
            raise VideoDecodeError(
                f"{track.files[at]} is damaged: the pictures from {track.seconds(begin):.3f} s to "
                f"{min(track.seconds(until), track.info.duration_seconds):.3f} s cannot be decoded ({e}); ask for a "
                "span outside of that"
            ) from e


def _render(file: str, look: Look) -> npt.NDArray[np.uint8]:
    size = (look.width, look.height)
    with Image.open(file) as image:
        if look.box is None:
            image.draft("RGB", size)  # a JPEG can be decoded at a half, a quarter or an eighth of its size
        picture = image.convert("RGB")
    region = (0.0, 0.0, float(picture.width), float(picture.height))
    if look.box is not None:
        left, right = _cells(look.box.left, look.box.right, picture.width)
        top, bottom = _cells(look.box.top, look.box.bottom, picture.height)
        region = (left, top, right, bottom)
    wide, high = region[2] - region[0], region[3] - region[1]
    if (wide, high) != size or look.box is not None:
        method = Image.Resampling.BOX if look.width <= wide and look.height <= high else Image.Resampling.BICUBIC
        picture = picture.resize(size, method, box=region)
    return np.asarray(picture)


def _cells(low: float, high: float, side: int) -> tuple[int, int]:
    """The pixels a fraction of a side covers: at least one."""
    first = min(math.floor(low * side), side - 1)
    return first, max(first + 1, min(side, round(high * side)))
