"""The step that divides a source into clips. A clip is a span of the source; files are written only if asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from ...errors import ConfigError
from ...media import TimeSpan
from ...video.cut import cut
from ...video.decode import Video
from ...video.scenes import detect
from ..step import Context, Record, Step, Value
from ..values import Clip, Source, as_value

__all__ = ["even_clips", "scene_clips", "split"]

MIN_CLIP_SECONDS = 1.0
"""What is left at the end and shorter than this belongs to the clip before it."""
MIN_SCENE_SECONDS = 2.0


def split(*, clip_seconds: float = 10.0, scenes: bool = False, materialize: bool = False) -> Step:
    """Source -> many `Clip`. Clips of ``clip_seconds``, or with ``scenes`` scenes of at most that length.

    ``materialize`` also writes a file for each, exact to the picture; ``Clip.file`` is its path in the run's folder.
    Raises `ConfigError` for clips shorter than a second."""
    if not MIN_CLIP_SECONDS <= clip_seconds < math.inf:
        raise ConfigError(f"clips last at least {MIN_CLIP_SECONDS:g} s, got clip_seconds={clip_seconds}")

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        (record,) = records
        source = record.read(Source)
        if not (scenes or materialize):
            return [as_value(Clip(span)) for span in even_clips(source.duration_seconds, clip_seconds)]
        video = await ctx.open(record.find("source"))

        def work() -> list[Clip]:
            duration = video.info.duration_seconds
            spans = scene_clips(detect(video, min_scene_seconds=MIN_SCENE_SECONDS), clip_seconds) if scenes else None
            spans = even_clips(duration, clip_seconds) if spans is None else spans
            return _written(video, spans, source.id, ctx) if materialize else [Clip(span) for span in spans]

        return [as_value(clip) for clip in await ctx.in_thread(work)]

    config: Value = {"clip_seconds": clip_seconds, "scenes": scenes, "materialize": materialize}
    return Step("split", 1, config, run, many=True)


def even_clips(duration_seconds: float, clip_seconds: float) -> list[TimeSpan]:
    """``[0, duration)`` in parts of ``clip_seconds``; the last is shorter, or longer by less than a second."""
    edges = [n * clip_seconds for n in range(math.ceil(duration_seconds / clip_seconds))]
    if len(edges) > 1 and duration_seconds - edges[-1] < MIN_CLIP_SECONDS:
        edges.pop()
    return [TimeSpan(start, end) for start, end in pairwise([*edges, duration_seconds])]


def scene_clips(scenes: Sequence[TimeSpan], max_seconds: float) -> list[TimeSpan]:
    """``scenes``, those longer than ``max_seconds`` in as few equal parts as are short enough."""
    clips = list[TimeSpan]()
    for scene in scenes:
        num_parts = math.ceil(scene.duration / max_seconds - 1e-9)
        edges = [scene.start + n * scene.duration / num_parts for n in range(num_parts)]
        clips += [TimeSpan(start, end) for start, end in pairwise([*edges, scene.end])]
    return clips


def _written(video: Video, spans: Sequence[TimeSpan], source: str, ctx: Context) -> list[Clip]:
    folder = ctx.folder / "clips" / source
    written = cut(video, spans, folder, mode="exact")
    return [Clip(clip.span, clip.path.relative_to(ctx.folder.parent).as_posix()) for clip in written]
