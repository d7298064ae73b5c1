"""From a decoded frame to RGB pixels: region, size and orientation, all inside FFmpeg's scaler.

Keeps no pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av.filter
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from ..media import Box

__all__ = ["Look", "Renderer"]


@dataclass(frozen=True, slots=True)
class Look:
    """How pictures are wanted: ``width`` x ``height`` pixels of the region ``box`` (None: all), upright."""

    width: int
    height: int
    box: Box | None = None


class Renderer:
    """Turns frames into uint8 (H, W, 3) RGB. Holds scaler state, so one per thread.

    ``turns``: quarter turns counter-clockwise that show the stored picture upright."""

    def __init__(self, turns: int) -> None:
        self._turns = turns
        self._scaler = VideoReformatter()
        self._graphs: dict[tuple[object, ...], av.filter.Graph] = {}

    def render(self, frame: VideoFrame, look: Look) -> npt.NDArray[np.uint8]:
        width, height = (look.height, look.width) if self._turns % 2 else (look.width, look.height)
        if look.box is not None:
            frame = self._crop(frame, _turned_back(look.box, self._turns))
        method = "AREA" if width <= frame.width and height <= frame.height else "BICUBIC"
        scaled = self._scaler.reformat(frame, width, height, "rgb24", interpolation=method, threads=1)
        pixels = scaled.to_ndarray()
        if self._turns:
            pixels = np.ascontiguousarray(np.rot90(pixels, self._turns))
        return pixels.astype(np.uint8, copy=False)

    def _crop(self, frame: VideoFrame, box: Box) -> VideoFrame:
        left, right = _cells(box.left, box.right, frame.width)
        top, bottom = _cells(box.top, box.bottom, frame.height)
        key = (frame.width, frame.height, frame.format.name, left, right, top, bottom)
        graph = self._graphs.get(key)
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
            )
            crop = graph.add("crop", f"{right - left}:{bottom - top}:{left}:{top}:exact=1")
            sink = graph.add("buffersink")
            graph.link_nodes(source, crop, sink).configure()
            self._graphs = {key: graph}
        graph.vpush(frame)
        return graph.vpull()


def _cells(low: float, high: float, side: int) -> tuple[int, int]:
    """The pixels a fraction of a side covers: at least one."""
    first = min(int(low * side), side - 1)
    return first, max(first + 1, min(side, round(high * side)))


def _turned_back(box: Box, turns: int) -> Box:
    """``box`` of the upright picture as a box of the stored one."""
    for _ in range(turns % 4):
        # one quarter turn counter-clockwise moved the stored right edge to the top
        box = Box(1 - box.bottom, box.left, 1 - box.top, box.right)
    return box
