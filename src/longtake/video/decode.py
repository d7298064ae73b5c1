"""`Video`: pictures of a file or a folder of frames at given times, for people and models.

Owns the time contract (the picture shown at t is the one with the largest presentation time not after t), deadlines
and the sharing of decoders among threads. How packets are read is in `reader`, how pixels are made in `picture`.
`thumbs` and `recode` decode on their own: scenes and clips need every picture once, not one at a time.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, SpanError, VideoDecodeError, VideoError, VideoNotFoundError, VideoTimeoutError
from ..media import Box, Frames, TimeSpan, VideoInfo
from .extent import scan_keys
from .frame_cache import CACHE, Picture, View
from .frame_folder import FrameTrack, open_track, stem_of
from .isolate import Child
from .picture import Look
from .probe import Track
from .sample import by_fps, fit_size, uniform
from .workers import Request, read, run_by_deadline

__all__ = ["Snap", "Video"]

log = logging.getLogger(__name__)

Snap: TypeAlias = Literal["exact", "keyframe"]
"""``exact``: the picture shown at the time asked for. ``keyframe``: the key frame nearest to it (in a container without
an index: one not after it), labelled with its own time; many times faster."""

Deliver: TypeAlias = Callable[[int, Picture], None]
_NEAR_SECONDS = 2.0
_CHECK_PIXELS = 112 * 112
_CHECK_SECONDS = 15.0
_NEAR_KEY_SECONDS = 5.0
_MAX_STRETCHES = 4


class Video:
    """One video. Safe to share among threads.

    ``info`` is what probing found, ``subtitles`` a sidecar file the user named (carried, not read), ``stem`` what files
    that belong to the video are called. Without ``use_text`` nobody reads or hears its words: `TimedText` has none."""

    def __init__(
        self,
        track: Track,
        subtitles: Path | None,
        deadline_seconds: float,
        child: Child | None,
        *,
        use_text: bool = True,
    ) -> None:
        self._track = track
        self._deadline_seconds = deadline_seconds
        self._child = child
        self._keys = track.key_pts
        self.info: VideoInfo = track.info
        self.path: Path = track.path
        self.stem = stem_of(track.path)
        self.subtitles: Path | None = subtitles
        self.use_text = use_text

    @classmethod
    def open(
        cls,
        uri: str | Path,
        *,
        subtitles: str | Path | None = None,
        deadline_seconds: float = 60.0,
        isolate: bool = False,
        frame_fps: float | None = None,
        use_text: bool = True,
    ) -> Video:
        """Probes a video file: its headers and one picture. Or a folder of numbered pictures, ``frame_fps`` a second (3
        if None), a folder of such folders, or a ``.frames.json`` file (see `frame_folder`).

        ``use_text=False``: no subtitles, named, beside it or inside, and no words read or heard, for this video.
        ``frame_fps`` does not count for files, so ``info.average_fps`` may always be given to open a video again.
        ``deadline_seconds`` bounds this and every later call. ``isolate`` decodes in a process of its own that is
        killed at the deadline: for files not trusted. Raises `VideoNotFoundError`, `VideoDecodeError` or
        `VideoTimeoutError`."""
        if not deadline_seconds > 0:
            raise ConfigError(f"deadline_seconds must be positive, got {deadline_seconds}")
        if not str(uri):  # as a path it would be the folder one is in
            raise VideoNotFoundError("no video is named; give the path of a video file or of a folder of frames")
        path = Path(uri)
        child = Child() if isolate else None
        if child is not None:
            track = child.probe(path, frame_fps, deadline_seconds)
        else:
            track = run_by_deadline(
                lambda: open_track(path, frame_fps), deadline_seconds, f"{path}: reading its header"
            )
        named = Path(subtitles) if subtitles and use_text else None
        return cls(track, named, deadline_seconds, child, use_text=use_text)

    def file_track(self, doing: str) -> Track:
        """The picture track of the video file. Raises `VideoError` for frames that lie in a folder: ``doing`` ("cutting
        clips") needs a file."""
        if isinstance(self._track, FrameTrack):
            raise VideoError(
                f"{self.path} holds single pictures, and {doing} needs a video file; encode them to one first"
            )
        return self._track

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
        """When the key frames are shown, ascending, float64.

        From the container's index; a file without one (MPEG-TS) is read once, without decoding."""
        if self._keys is None:
            track, deadline = self._track, self._deadline_seconds
            if self._child is not None:
                self._keys = self._child.keys(track, deadline)
            else:
                what = f"{self.path}: listing its key frames"
                self._keys = run_by_deadline(lambda: scan_keys(track.path, track.index, track.in_order), deadline, what)
        return np.array([self._track.seconds(int(key)) for key in self._keys], dtype=np.float64)

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
        """The pictures shown at ``seconds``, in that order, one for each.

        Times from 0 to the end inclusive; before the first picture the first is shown, at the end the last.
        ``Frames.seconds`` are the times the pictures really begin. Size: ``size`` (width, height) exactly; or with a
        budget of ``min_pixels`` to ``max_pixels`` a frame, multiples of 28 with the aspect kept; else as displayed.
        ``box`` is cut out before scaling. Raises `SpanError`, `VideoDecodeError` where a wanted picture is damaged,
        `VideoTimeoutError`."""
        look = self._look(max_pixels, min_pixels, size, box)
        return self._frames(seconds, look, snap, skip_damaged=False)[0]

    def readable_frames(
        self, seconds: Sequence[float], *, max_pixels: int | None = None, snap: Snap = "exact"
    ) -> tuple[Frames, tuple[str, ...]]:
        """As `frames_at`, but pictures that cannot be decoded are left out; the second value says so in a sentence.

        Raises `VideoDecodeError` only if none can be decoded."""
        frames, rows = self.readable_rows(seconds, max_pixels=max_pixels, snap=snap)
        lost = np.delete(np.asarray(seconds, dtype=np.float64), rows).tolist()
        return frames, (f"{self.damaged_stretches(lost)} and are left out",) if lost else ()

    def readable_rows(
        self,
        seconds: Sequence[float],
        *,
        max_pixels: int | None = None,
        min_pixels: int = 0,
        snap: Snap = "exact",
    ) -> tuple[Frames, npt.NDArray[np.intp]]:
        """The pictures of ``seconds`` that can be decoded, and which of ``seconds`` they are for: positions, ascending.

        What follows damage in its group of pictures counts as damaged. Raises `VideoDecodeError` if none is left."""
        look = self._look(max_pixels, min_pixels, None, None)
        try:
            return self._frames(seconds, look, snap, skip_damaged=False)
        except VideoDecodeError:
            self.keyframe_seconds()  # so that a damaged group ends at the next key frame, in every container
            return self._frames(seconds, look, snap, skip_damaged=True)

    def damaged_stretches(self, seconds: Sequence[float]) -> str:
        """ "the pictures from A s to B s ... cannot be decoded" for times at which that is so, each until its next key
        frame; neighbours are joined."""
        keys = self.keyframe_seconds()
        stretches: list[tuple[float, float]] = []
        for begin in sorted(seconds):
            following = int(np.searchsorted(keys, begin, side="right"))
            end = float(keys[following]) if following < len(keys) else self.info.duration_seconds
            if stretches and begin <= stretches[-1][1] + 1e-6:
                stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]))
            else:
                stretches.append((begin, max(begin, end)))
        said = [f"from {begin:.1f} s to {end:.1f} s" for begin, end in stretches[:_MAX_STRETCHES]]
        if len(stretches) > _MAX_STRETCHES:
            said.append(f"at {len(stretches) - _MAX_STRETCHES} later places")
        return f"the pictures {', '.join(said[:-1])}{' and ' if said[:-1] else ''}{said[-1]} cannot be decoded"

    def _frames(
        self, seconds: Sequence[float], look: Look, snap: Snap, *, skip_damaged: bool
    ) -> tuple[Frames, npt.NDArray[np.intp]]:
        """The pictures and their positions in ``seconds``: all, or those that are not damaged."""
        targets = np.array([self._target(t) for t in seconds], dtype=np.int64)
        # only an index counts here: what is returned must not depend on the calls before
        if snap == "keyframe" and self._track.key_pts is not None and len(targets):
            targets = _nearest(self._track.key_pts, targets)
        data = np.empty((len(targets), look.height, look.width, 3), dtype=np.uint8)
        times = np.full(len(targets), np.nan)
        rows: dict[int, list[int]] = {}
        for row, target in enumerate(targets.tolist()):
            rows.setdefault(target, []).append(row)

        def deliver(target: int, picture: Picture) -> None:
            for row in rows[target]:
                data[row] = picture.data
                times[row] = self._track.seconds(picture.pts)

        try:
            self._read(sorted(rows), look, snap, deliver, skip_damaged)
        except VideoDecodeError:
            if not skip_damaged or np.isnan(times).all():
                raise
        read = np.flatnonzero(~np.isnan(times))
        if len(read) < len(times):
            data, times = data[read], times[read]
        return Frames.of(data, times, self.info.fingerprint, look.box), read

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
        """Pictures of ``span`` (clamped to the video), ``fps`` a second, at most ``max_frames``, no picture twice.

        Sizes and errors as for `frames_at`."""
        times = by_fps(self.clamp(span), fps, max_frames)
        frames = self.frames_at(times, max_pixels=max_pixels, min_pixels=min_pixels, snap=snap)
        unique, first = np.unique(frames.seconds, return_index=True)
        return frames if len(unique) == len(frames) else Frames.of(frames.pixels[first], unique, frames.video)

    def load(self, frames: Frames) -> Frames:
        """``frames`` with their pixels, decoded again from their times. Raises `SpanError` for another video's."""
        if frames.video != self.info.fingerprint:
            raise SpanError(
                f"these frames are of the video with fingerprint {frames.video}, but {self.path} has "
                f"{self.info.fingerprint}; open the file they were taken from"
            )
        if frames.data is not None:
            return frames
        return self.frames_at(frames.seconds.tolist(), size=(frames.width, frames.height), box=frames.box)

    def check(self) -> None:
        """Decodes up to four pictures spread over the file: whether it is worth asking about, before anything is spent.

        Pictures soon after key frames, so it costs seconds even where key frames are hours apart. Raises
        `VideoDecodeError` when half of them cannot be decoded; a file damaged in fewer places is used where it
        decodes. A file too slow to be checked in `_CHECK_SECONDS` is not refused."""
        seconds = uniform(self.span, 4)
        if self._track.key_pts is not None:
            keys = self.keyframe_seconds()
            before = keys[np.maximum(0, np.searchsorted(keys, seconds, side="right") - 1)]
            seconds = np.unique(np.minimum(seconds, np.maximum(0, before) + _NEAR_KEY_SECONDS)).tolist()
        quick = copy(self)
        quick._deadline_seconds = min(self._deadline_seconds, _CHECK_SECONDS)
        try:
            frames, rows = quick.readable_rows(seconds, max_pixels=_CHECK_PIXELS)
        except VideoTimeoutError as e:
            log.info("not checked for damage: %s", e)
            return
        if 2 * len(frames) <= len(seconds):
            lost = self.damaged_stretches(np.delete(seconds, rows).tolist())
            raise VideoDecodeError(
                f"{self.path} is damaged: {lost}, which is too much of it to ask about; fetch or copy it again,"
                " or take out with longtake frames what is left"
            )

    def _target(self, seconds: float) -> int:
        if not (math.isfinite(seconds) and 0 <= seconds <= self.info.duration_seconds):
            raise SpanError(
                f"a time must be from 0 to {self.info.duration_seconds:.3f} s, where the video ends, got {seconds}"
            )
        return max(self._track.first_pts, self._track.pts(seconds))

    def _look(self, max_pixels: int | None, min_pixels: int, size: tuple[int, int] | None, box: Box | None) -> Look:
        if size is not None:
            if min(size) < 1 or max_pixels is not None or min_pixels:
                raise ConfigError(f"size is (width, height) of at least 1 and excludes a pixel budget, got {size}")
            return Look(size[0], size[1], box)
        width, height = self.info.width, self.info.height
        if box is not None:
            width = max(1, round((box.right - box.left) * width))
            height = max(1, round((box.bottom - box.top) * height))
        if max_pixels is not None or min_pixels:
            width, height = fit_size(width, height, min_pixels, max_pixels)
        return Look(width, height, box)

    def _read(self, targets: Iterable[int], look: Look, snap: Snap, deliver: Deliver, skip_damaged: bool) -> None:
        """Delivers every target once: from the cache, or decoded. With ``skip_damaged`` those that are not damaged."""
        view = View(self.info.fingerprint, self._track.index, look)
        missing: list[int] = []
        keys_only = snap == "keyframe"
        # without an index the key frame is not known until it is read: the picture kept may be a later one
        may_be_kept = not keys_only or self._track.key_pts is not None
        for target in targets:
            picture = CACHE.get(view, target) if may_be_kept else None
            if picture is None:
                missing.append(target)
            else:
                deliver(target, picture)
        if not missing:
            return

        def keep(target: int, picture: Picture) -> None:
            CACHE.put(view, picture)
            deliver(target, picture)

        groups = tuple((target,) for target in missing) if keys_only else self._groups(missing)
        request = Request(self._track, look, groups, keys_only, skip_damaged)
        run = read if self._child is None else self._child.read
        run(request, self._deadline_seconds, keep)

    def _groups(self, targets: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Targets that share a key frame; where key frames are not known, those less than two seconds apart."""
        ticks = np.array(targets, dtype=np.int64)
        if self._keys is not None:
            belongs = np.searchsorted(self._keys, ticks, side="right")
            cuts = np.flatnonzero(np.diff(belongs)) + 1
        else:
            cuts = np.flatnonzero(np.diff(ticks) * float(self._track.time_base) > _NEAR_SECONDS) + 1
        return tuple(tuple(part.tolist()) for part in np.split(ticks, cuts))


def _nearest(keys: npt.NDArray[np.int64], targets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    after = np.clip(np.searchsorted(keys, targets), 1, max(1, len(keys) - 1))
    before = after - 1
    after = np.minimum(after, len(keys) - 1)
    return np.where(targets - keys[before] <= keys[after] - targets, keys[before], keys[after])
