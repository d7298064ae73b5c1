"""Writes spans of a video as clip files: copied between key frames, or exact to the frame.

Owns where clips begin and end, their names, and which of them exist already. Packets are dealt out in `splice`,
encoding is in `recode`. Clips hold the picture track and all sound tracks; subtitle tracks, cover pictures and data
are left out (timed text of a clip is that of the source in ``Clip.span``).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import av
import av.error
import numpy as np

from ..errors import SpanError, StoreError, VideoDecodeError
from ..media import TimeSpan
from .decode import Video
from .probe import Track, open_container
from .recode import Recoder, Stretch, picture_stream
from .splice import Part, Plan, Scan, clip_mark, scan, write_clips

__all__ = ["Clip", "Mode", "cut", "split"]

log = logging.getLogger(__name__)

Mode: TypeAlias = Literal["copy", "exact"]

_EPSILON_SECONDS = 1e-6
"""Granted to times that went through floats, as in `Track.pts`."""
_GROUP_GAP_SECONDS = 60.0
"""Spans closer than this are cut in one pass: reading on is cheaper than seeking and listing packets again."""
_MIN_COPIED = 24
"""Fewer packets than this are not worth a joint in a clip."""
_MAX_STRETCH = 750
"""Pictures encoded in one go; bounds the memory and lets one long clip use all cores."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip file. Time t in it is ``span.start + t`` in the source; ``span`` is what its pictures cover there."""

    path: Path
    span: TimeSpan
    num_frames: int


def cut(
    video: Video,
    spans: Sequence[TimeSpan],
    out_dir: str | Path,
    *,
    mode: Mode = "exact",
    on_clip: Callable[[Clip], None] | None = None,
) -> list[Clip]:
    """Writes a clip for each span (seconds, half-open, on the video clock); gives the clips in order of time.

    "exact": a clip holds the pictures whose time lies in its span, neither more nor fewer. H.264 is copied where a
    whole group of pictures lies in the span and encoded anew at both ends; other codecs are encoded anew (to H.264;
    VP9 in webm). "copy": nothing is encoded and both ends move to the nearest key frame; a span without one becomes
    part of its neighbour, so there can be fewer clips than spans. Sound is never encoded: a packet goes to the clip
    in which it starts.

    Clips are called ``{stem}_{start}-{end}`` with seconds as 00123.400, so that names sort by time, and are webm,
    mkv or mp4 as the source is. A file appears once it is complete; one that is there already is kept, so a cut that
    was broken off goes on where it stopped. ``on_clip`` is called for each clip as it is ready.

    Spans past the end are clamped; one that holds no picture and touches another span gives no clip. Raises
    `SpanError` if such a span stands alone or lies outside the video, `StoreError` where a file cannot be written
    or belongs to another video, `VideoDecodeError` for a file that cannot be read.
    """
    clips: list[Clip] = []
    for group in _groups(sorted(video.clamp(span) for span in spans)):
        for clip in _cut_group(video, group, Path(out_dir), mode):
            clips.append(clip)
            if on_clip is not None:
                on_clip(clip)
    return sorted(clips, key=lambda clip: clip.span)


def split(
    video: Video,
    out_dir: str | Path,
    *,
    seconds: float = 10.0,
    mode: Mode = "copy",
    on_clip: Callable[[Clip], None] | None = None,
) -> list[Clip]:
    """Cuts the whole video into consecutive clips of about ``seconds``: every picture is in exactly one of them.

    As `cut` with the spans [0, seconds), [seconds, 2 seconds), ...; with mode "copy" also every sound packet is in
    exactly one clip. To split at scenes, give `longtake.video.scenes.detect(video)` to `cut`."""
    if not 0 < seconds < math.inf:
        raise SpanError(f"clips must last more than 0 seconds, got seconds={seconds}")
    duration = video.info.duration_seconds
    edges = [n * seconds for n in range(math.ceil(duration / seconds))] + [duration]
    return cut(video, [TimeSpan(a, b) for a, b in pairwise(edges) if a < b], out_dir, mode=mode, on_clip=on_clip)


def _groups(spans: Sequence[TimeSpan]) -> Iterator[list[TimeSpan]]:
    """Runs of spans that do not overlap and lie close together."""
    group: list[TimeSpan] = []
    for span in spans:
        if group and not 0 <= span.start - group[-1].end <= _GROUP_GAP_SECONDS:
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _cut_group(video: Video, spans: Sequence[TimeSpan], out_dir: Path, mode: Mode) -> Iterator[Clip]:
    track = video.file_track("cutting clips")
    if track.in_order:
        raise VideoDecodeError(
            f"{track.path} does not say when its pictures are shown (B-frames in AVI), so it cannot be cut; convert it "
            "to mp4 or mkv first"
        )
    found = scan(track, spans[0].start, spans[-1].end)
    suffix = _suffix(track)
    with ExitStack() as stack:
        recoder = None
        if mode == "exact":
            with open_container(track.path) as container:
                recoder = stack.enter_context(Recoder(track, picture_stream(container, track), suffix))
        edges = _key_edges(track, found, spans) if mode == "copy" else _exact_edges(track, found, spans)
        plans: list[Plan] = []
        for first, stop in edges:
            span = _span(track, found, first, stop)
            parts = _copied(found, first, stop) if recoder is None else _parts(found, first, stop, recoder.is_joint)
            path = out_dir / f"{video.path.stem}_{span.start:09.3f}-{span.end:09.3f}{suffix}"
            num_frames = int(np.searchsorted(found.shown, stop) - np.searchsorted(found.shown, first))
            is_last = found.is_to_end and stop >= found.end
            is_first = spans[0].start == 0 and not plans
            plans.append(Plan(path, first, stop, num_frames, parts, is_first, is_last))
        missing: list[Plan] = []
        for plan in plans:
            if (num_frames := _num_frames_there(plan.path, track)) is None:
                missing.append(plan)
            else:
                yield Clip(plan.path, _span(track, found, plan.first, plan.stop), num_frames)
        if missing:
            try:
                out_dir.mkdir(parents=True, exist_ok=True)
            except OSError as e:
                raise StoreError(f"cannot make the folder {out_dir}: {e.strerror}; choose another") from e
            for plan, num_frames in write_clips(track, found, missing, recoder):
                yield Clip(plan.path, _span(track, found, plan.first, plan.stop), num_frames)


def _suffix(track: Track) -> str:
    """Clips are stored as the source is; what is neither mp4, mov nor webm goes to mkv, which takes everything."""
    with open_container(track.path) as container:
        name = container.format.name
    own = track.path.suffix.lower()
    if "mp4" in name:
        return ".mov" if own == ".mov" else ".mp4"
    return ".webm" if "webm" in name and own == ".webm" else ".mkv"


def _span(track: Track, found: Scan, first: int, stop: int) -> TimeSpan:
    return TimeSpan(max(0.0, track.seconds(first)), track.seconds(stop))


def _tick_of(track: Track, seconds: float) -> int:
    """The first tick not before ``seconds``."""
    return math.ceil((Fraction(seconds) - Fraction(_EPSILON_SECONDS) + track.start) / track.time_base)


def _zero(track: Track, found: Scan) -> int:
    """Where the first clip starts: at the video's time 0, though its first picture may be shown later."""
    return min(round(track.start / track.time_base), int(found.shown[0]))


def _exact_edges(track: Track, found: Scan, spans: Sequence[TimeSpan]) -> Iterator[tuple[int, int]]:
    """First tick and end of the pictures in each span."""
    inner = {span.start for span in spans} & {span.end for span in spans}
    for span in spans:
        low, high = (int(np.searchsorted(found.shown, _tick_of(track, t))) for t in (span.start, span.end))
        if found.is_to_end and span.end >= track.info.duration_seconds - _EPSILON_SECONDS:
            high = len(found.shown)
        if low == high and inner.isdisjoint((span.start, span.end)):
            raise SpanError(
                f"no picture starts in {span.start:.3f} to {span.end:.3f} s, so a clip of it would be empty; "
                "ask for a longer span"
            )
        if low < high:
            first = _zero(track, found) if low == 0 and spans[0].start == 0 else int(found.shown[low])
            yield first, int(found.shown[high]) if high < len(found.shown) else found.end


def _key_edges(track: Track, found: Scan, spans: Sequence[TimeSpan]) -> list[tuple[int, int]]:
    """The same with both ends at the nearest place where a copy can start."""
    places = found.pts[found.starts].tolist()
    if spans[0].start == 0:
        places = [_zero(track, found), *(p for p in places if p > found.shown[0])]
    if found.is_to_end:
        places.append(found.end)
    edges = np.array(places, dtype=np.int64)
    near = [[int(np.abs(edges - _tick_of(track, t)).argmin()) for t in (s.start, s.end)] for s in spans]
    if found.is_to_end and spans[-1].end >= track.info.duration_seconds - _EPSILON_SECONDS:
        near[-1][1] = len(edges) - 1
    wanted = {(low, high) for low, high in near if low < high}
    for at in (low for low, high in near if low == high):
        if not any(low <= at <= high for low, high in wanted):  # else it is part of its neighbour
            wanted.add((at, at + 1) if at + 1 < len(edges) else (at - 1, at))
    return [(int(edges[low]), int(edges[high])) for low, high in sorted(wanted)]


def _copied(found: Scan, first: int, stop: int) -> tuple[Part, ...]:
    begin = int(np.argmax(found.pts >= first)) if first > found.shown[0] else 0
    return (range(begin, int(np.argmax(found.pts >= stop)) if stop < found.end else len(found.pts)),)


def _parts(found: Scan, first: int, stop: int, is_joint: bool) -> tuple[Part, ...]:
    """Encoded up to the first key frame, copied to the last place a copy can end at, encoded to the end."""
    latest = np.maximum.accumulate(found.pts)
    begins = np.flatnonzero(found.joints & (found.pts >= first))
    ends = np.flatnonzero(found.clean[1:] & (latest < stop)) + 1
    if not is_joint or not len(begins) or not len(ends) or ends[-1] - begins[0] < _MIN_COPIED:
        return tuple(_stretches(found, first, stop))
    begin, end = int(begins[0]), int(ends[-1])
    head = _stretches(found, first, int(found.pts[begin]))
    tail = _stretches(found, found.end_of(int(latest[end - 1])), stop)
    return (*head, range(begin, end), *tail)


def _stretches(found: Scan, first: int, stop: int) -> Iterator[Stretch]:
    """The pictures from ``first`` to ``stop`` in pieces, each with the key frame it is decoded from."""
    shown = found.shown[np.searchsorted(found.shown, first) : np.searchsorted(found.shown, stop)]
    keys = np.sort(found.pts[found.keys])
    for at in range(0, len(shown), _MAX_STRETCH):
        low = int(shown[at])
        before = int(np.searchsorted(keys, low, side="right")) - 1
        end = int(shown[at + _MAX_STRETCH]) if at + _MAX_STRETCH < len(shown) else stop
        yield Stretch(int(keys[before]) if before >= 0 else int(found.pts[0]), low, end)


def _num_frames_there(path: Path, track: Track) -> int | None:
    """How many pictures the clip holds if it was written before; None if there is no such file."""
    if not path.exists():
        return None
    try:
        with av.open(str(path)) as container:
            marks = [value for key, value in container.metadata.items() if key.lower() == "comment"]
            if clip_mark(track) in marks:
                return sum(1 for packet in container.demux(container.streams.video[0]) if packet.size)
    except av.error.FFmpegError as e:
        log.debug("%s is not a clip: %s", path, e)
    raise StoreError(f"{path} exists and is not a clip of {track.path}; choose another folder, or move it away")
