"""Which seconds of a video, and at what size: pure arithmetic.

Opens no file. Sizes follow the rule of the Qwen vision models: both sides are multiples of a patch, the aspect is
kept, the number of pixels lies within a budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ConfigError
from ..media import TimeSpan

__all__ = ["PATCH", "by_fps", "fit_size", "pixels_per_frame", "uniform", "uniform_over"]

PATCH = 28
"""Pixels a side of one visual token of Qwen2-VL and Qwen2.5-VL (a 14-pixel patch, merged two by two)."""


def uniform(span: TimeSpan, num_frames: int) -> list[float]:
    """The middles of ``num_frames`` equal parts of ``span``, in seconds, ascending."""
    if num_frames < 1:
        raise ConfigError(f"num_frames must be at least 1, got {num_frames}")
    part = span.duration / num_frames
    return [span.start + (i + 0.5) * part for i in range(num_frames)]


def uniform_over(spans: Sequence[TimeSpan], num_frames: int) -> list[float]:
    """As `uniform`, over several spans put one after the other; where they overlap, twice."""
    total, placed, ends = sum(span.duration for span in spans), list[float](), 0.0
    for span in spans:
        begins, ends = ends, ends + span.duration
        wanted = uniform(TimeSpan(0.0, total), num_frames)
        placed += [span.start + (at - begins) for at in wanted if begins <= at < ends]
    return sorted(placed)


def by_fps(span: TimeSpan, fps: float, max_frames: int) -> list[float]:
    """Seconds ``start, start + 1/fps, ...`` inside ``span``; at least one.

    Where that is more than ``max_frames``, the middles of ``max_frames`` equal parts instead."""
    if not (fps > 0 and math.isfinite(fps)):
        raise ConfigError(f"fps must be a positive number, got {fps}")
    if max_frames < 1:
        raise ConfigError(f"max_frames must be at least 1, got {max_frames}")
    # a span of 0.1 * 30 seconds must not gain a frame from the rounding of its end
    wanted = max(1.0, span.duration * fps - 1e-9)
    if wanted > max_frames:
        return uniform(span, max_frames)
    times = [span.start + i / fps for i in range(math.ceil(wanted))]
    return [t for t in times if t < span.end]


def pixels_per_frame(num_frames: int, max_total_pixels: int, max_pixels: int) -> int:
    """The pixel budget of one frame when ``num_frames`` of them share ``max_total_pixels``; at most ``max_pixels``."""
    if num_frames < 1 or max_total_pixels < 1 or max_pixels < 1:
        got = f"num_frames={num_frames}, max_total_pixels={max_total_pixels}, max_pixels={max_pixels}"
        raise ConfigError(f"a pixel budget needs values of at least 1, got {got}")
    return max(1, min(max_pixels, max_total_pixels // num_frames))


def fit_size(
    width: int, height: int, min_pixels: int, max_pixels: int | None, multiple: int = PATCH
) -> tuple[int, int]:
    """(width, height) near the given shape, multiples of ``multiple``, ``min_pixels <= width * height <= max_pixels``.

    A budget smaller than one patch still gives one patch a side; ``max_pixels`` None is no upper bound. Very long
    strips keep at least one patch across, so their aspect may change. The upper bound wins where both cannot hold."""
    if width < 1 or height < 1 or multiple < 1:
        raise ConfigError(f"width, height and multiple must be at least 1, got {width}, {height}, {multiple}")
    if max_pixels is not None and max_pixels < max(1, min_pixels):
        raise ConfigError(
            f"max_pixels must be at least 1 and min_pixels, got {max_pixels} with min_pixels={min_pixels}"
        )
    sides = [max(multiple, round(side / multiple) * multiple) for side in (width, height)]
    if max_pixels is not None and sides[0] * sides[1] > max_pixels:
        scale = math.sqrt(max_pixels / (width * height))
        sides = [max(multiple, math.floor(side * scale / multiple) * multiple) for side in (width, height)]
        # a strip held at one patch across is still too long
        longer = 0 if sides[0] >= sides[1] else 1
        room = max_pixels // (sides[1 - longer] * multiple) * multiple
        sides[longer] = max(multiple, min(sides[longer], room))
    elif sides[0] * sides[1] < min_pixels:
        scale = math.sqrt(min_pixels / (width * height))
        grown = [math.ceil(side * scale / multiple) * multiple for side in (width, height)]
        sides = grown if max_pixels is None or grown[0] * grown[1] <= max_pixels else sides
    return sides[0], sides[1]
