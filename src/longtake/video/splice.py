"""Reads the packets of a video once and deals them out to clip files.

Owns the list of packets (`scan`), the routing of packets to clips (`write_clips`) and the files being written. Where
clips begin and end, and what they are called, is decided in `cut`; encoding is in `recode`.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import math
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.container.core import Flags
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from ..errors import StoreError, VideoDecodeError
from .probe import Track, open_container, reason
from .recode import Coded, Recoder, Stretch, nal_bytes_of, picture_stream

__all__ = ["Part", "Plan", "Scan", "clip_mark", "scan", "write_clips"]

log = logging.getLogger(__name__)

_MARGIN_SECONDS = 2.0
_LATE_SECONDS = 30.0
"""A clip file is closed when the pictures are so far past its end, even if a sound track has not got there."""
_MAX_REORDER = 17

Part: TypeAlias = Stretch | range
"""What a clip's pictures come from: a stretch encoded anew, or packets copied, by number in `Scan`."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """The picture packets of a part of the file in the order they are stored.

    ``pts`` int64 (N,) ticks. All bool (N,): ``keys`` are key frames; ``starts`` those of them that a copy can start
    at, as no picture stored after them is shown before them; ``joints`` those of them that end all reference to
    what was before (H.264 IDR); ``hidden`` pictures are decoded but not shown (edit lists). ``clean`` bool (N+1,):
    all pictures before are shown before all pictures from there on. ``shown`` is the ``pts`` of visible pictures,
    sorted, ``end`` the tick at which the last one ends. ``seek`` is where reading started (None: at the
    beginning), ``is_to_end`` whether it went on to the end of the file."""

    pts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.bool_]
    joints: npt.NDArray[np.bool_]
    hidden: npt.NDArray[np.bool_]
    clean: npt.NDArray[np.bool_]
    shown: npt.NDArray[np.int64]
    end: int
    seek: int | None
    is_to_end: bool

    @property
    def reorder(self) -> int:
        """How many packets a picture may be stored after the place it is shown at."""
        places = np.argsort(np.argsort(self.pts, kind="stable"), kind="stable")
        return int((np.arange(len(places)) - places).max(initial=0))

    def end_of(self, pts: int) -> int:
        """The tick at which the picture shown at ``pts`` ends."""
        at = int(np.searchsorted(self.shown, pts, side="right"))
        return int(self.shown[at]) if at < len(self.shown) else self.end


@dataclass(frozen=True, slots=True)
class Plan:
    """One clip to write. ``first`` and ``stop`` are ticks of the picture track: where its time 0 and its end are.

    Sound that starts before ``first`` goes in too if ``is_first``, and sound after ``stop`` if ``is_last``."""

    path: Path
    first: int
    stop: int
    num_frames: int
    parts: tuple[Part, ...]
    is_first: bool
    is_last: bool


def clip_mark(track: Track) -> str:
    """What a clip file says of itself: which video it was cut from."""
    return f"longtake clip of {track.info.fingerprint}"


def _packets(container: InputContainer, streams: Sequence[Stream], seek: int | None) -> Iterator[Packet[Stream]]:
    """Packets from ``seek`` (a tick of the first stream) to the end, or to where the file is cut off."""
    container.flags |= Flags.gen_pts.value  # AVI stores no presentation times
    if seek is not None:
        container.seek(seek, stream=streams[0], backward=True)
    source = container.demux(*streams)
    while True:
        try:
            packet = next(source, None)
        except av.error.FFmpegError as e:
            log.warning("%s is used up to where it can be read: %s", container.name, reason(e))
            return
        if packet is None:
            return
        if packet.is_corrupt:
            log.warning("%s: a packet is left out, it is cut off or damaged", container.name)
        elif packet.size and packet.pts is not None:
            yield packet
        elif packet.size and packet.stream is streams[0]:
            raise VideoDecodeError(f"{container.name}: a picture has no time; convert the file to mp4 first")


def scan(track: Track, start: float, stop: float) -> Scan:
    """Reads the picture packets from a key frame before ``start`` to one after ``stop`` (video seconds)."""
    seek = None if start <= _MARGIN_SECONDS else track.pts(start - _MARGIN_SECONDS)
    after = track.pts(stop + _MARGIN_SECONDS)
    rows: list[tuple[int, bool, bool, bool]] = []
    end, num_after = 0, 0
    with open_container(track.path) as container:
        stream = picture_stream(container, track)
        nal_bytes = nal_bytes_of(stream)
        for packet in _packets(container, [stream], seek):
            assert packet.pts is not None
            is_joint = packet.is_keyframe and (nal_bytes is None or _has_idr(bytes(packet), nal_bytes))
            rows.append((packet.pts, packet.is_keyframe, is_joint, packet.is_discard))
            end = max(end, packet.pts + (packet.duration or 1))
            num_after += bool(num_after or (packet.is_keyframe and packet.pts > after))
            if num_after > _MAX_REORDER:
                break
    if not rows:
        raise VideoDecodeError(f"{track.path} has no pictures from {start:.3f} s on; it may be cut off before")
    table = np.array(rows, dtype=np.int64)
    pts, (keys, joints, hidden) = table[:, 0], table[:, 1:].T.astype(np.bool_)
    least_after = np.minimum.accumulate(pts[::-1])[::-1]
    clean = np.ones(len(pts) + 1, dtype=np.bool_)
    clean[1:-1] = np.maximum.accumulate(pts)[:-1] < least_after[1:]
    starts = keys & ~hidden & clean[:-1] & (pts == least_after)
    shown = np.sort(pts[~hidden])
    return Scan(pts, keys, starts, joints & starts, hidden, clean, shown, end, seek, num_after <= _MAX_REORDER)


def _has_idr(data: bytes, nal_bytes: int) -> bool:
    at = 0
    while at + nal_bytes < len(data):
        if data[at + nal_bytes] & 0x1F == 5:
            return True
        at += nal_bytes + int.from_bytes(data[at : at + nal_bytes], "big")
    return False


class _ClipFile:
    """A clip being written beside its final name; `close` puts it there, `discard` removes it.

    ``behind`` are the sound tracks that have not been read up to the clip's end."""

    def __init__(
        self, plan: Plan, track: Track, found: Scan, streams: Sequence[Stream], recoder: Recoder | None
    ) -> None:
        self.plan = plan
        self.num_frames = 0
        self._temporary = plan.path.with_name(f".{plan.path.name}.{os.getpid()}.part")
        kind = {".mp4": "mp4", ".mov": "mov", ".webm": "webm"}.get(plan.path.suffix, "matroska")
        try:
            self._container = av.open(str(self._temporary), "w", format=kind)
        except OSError as e:
            raise StoreError(f"cannot write {plan.path}: {e}") from e
        self._container.metadata["comment"] = clip_mark(track)
        self._tick = track.time_base
        self._sounds: dict[int, Stream] = {}
        try:
            self._pictures = self._add_pictures(streams[0], track, recoder)
            for stream in streams[1:]:
                sound = self._container.add_stream_from_template(stream)  # pyright: ignore[reportUnknownMemberType]
                sound.metadata.update(stream.metadata)
                self._sounds[stream.index] = sound
        except ValueError as e:
            self.discard()
            raise VideoDecodeError(f"{track.path} cannot be cut into {plan.path.suffix} files: {e}") from e
        self.behind = set(self._sounds)
        # decoding times are counted anew: those of the source and of the encoder do not fit together
        self._found = found
        self._reorder = found.reorder if any(isinstance(p, range) for p in plan.parts) else 0
        self._waiting: list[int] = []

    def _add_pictures(self, source: Stream, track: Track, recoder: Recoder | None) -> VideoStream:
        assert isinstance(source, VideoStream)
        if recoder is not None and not recoder.is_joint:
            stream = self._container.add_stream(recoder.encoder, rate=None)  # pyright: ignore[reportUnknownMemberType]
            assert isinstance(stream, VideoStream)
            recoder.configure(stream.codec_context)
            stream.time_base = track.time_base
            if track.turns:
                stream.set_display_rotation(90 * track.turns)
            return stream
        stream = self._container.add_stream_from_template(source, opaque=True)  # pyright: ignore[reportUnknownMemberType]
        if recoder is not None:
            stream.codec_context.extradata = recoder.extradata
        return stream

    def copy(self, packet: Packet[Stream], is_hidden: bool) -> None:
        assert packet.pts is not None
        self._write_picture(packet, packet.pts)
        self.num_frames += not is_hidden

    def add(self, pictures: Sequence[Coded]) -> None:
        for coded in pictures:
            packet: Packet[Stream] = Packet(coded.data)
            packet.time_base = self._tick
            packet.is_keyframe = coded.is_keyframe
            self._write_picture(packet, coded.pts)
        self.num_frames += len(pictures)

    def _write_picture(self, packet: Packet[Stream], pts: int) -> None:
        heapq.heappush(self._waiting, pts)
        ahead = self._reorder - len(self._waiting)
        if ahead < 0:
            dts = heapq.heappop(self._waiting)
        else:
            step = self._found.end_of(self.plan.first) - self.plan.first
            dts = self._waiting[0] - (ahead + 1) * max(1, step)
        packet.stream = self._pictures
        packet.pts, packet.dts = pts - self.plan.first, dts - self.plan.first
        packet.duration = self._found.end_of(pts) - pts
        self._mux(packet)

    def add_sound(self, packet: Packet[Stream]) -> None:
        assert packet.pts is not None
        packet.stream = self._sounds[packet.stream_index]
        shift = round(self.plan.first * self._tick / packet.time_base)
        packet.pts -= shift
        packet.dts = packet.pts
        self._mux(packet)

    def close(self) -> None:
        try:
            self._container.close()
            os.replace(self._temporary, self.plan.path)
        except OSError as e:
            self._temporary.unlink(missing_ok=True)
            raise StoreError(f"cannot write {self.plan.path}: {reason(e)}") from e

    def discard(self) -> None:
        # closing writes what is left, which a full disk refuses again
        with contextlib.suppress(OSError):
            self._container.close()
        self._temporary.unlink(missing_ok=True)

    def _mux(self, packet: Packet[Stream]) -> None:
        try:
            self._container.mux_one(packet)  # pyright: ignore[reportUnknownMemberType]
        except OSError as e:
            raise StoreError(f"cannot write {self.plan.path}: {reason(e)}") from e


def write_clips(
    track: Track, found: Scan, plans: Sequence[Plan], recoder: Recoder | None
) -> Iterator[tuple[Plan, int]]:
    """Writes the clips in one pass; gives each with the number of its pictures once its file is in place.

    ``plans`` are in order of time and share no picture. A clip of which nothing could be decoded is left out."""
    with open_container(track.path) as container:
        streams: list[Stream] = [picture_stream(container, track), *container.streams.audio]
        dealer = _Dealer(track, found, plans, streams, recoder)
        try:
            number = -1
            for packet in _packets(container, streams, found.seek):
                if packet.stream_index != track.index:
                    dealer.deal_sound(packet)
                else:
                    number += 1
                    if number >= len(found.pts) or packet.pts != found.pts[number]:
                        if found.is_to_end:
                            raise VideoDecodeError(f"{track.path} was changed while it was cut; cut it again")
                        break
                    dealer.deal_picture(packet, number)
                yield from dealer.finished()
                if dealer.is_done:
                    return
            dealer.finish_pictures()
            yield from dealer.finished(at_end=True)
        finally:
            dealer.discard()


class _Dealer:
    """Gives each packet to the clip it belongs to."""

    def __init__(
        self, track: Track, found: Scan, plans: Sequence[Plan], streams: Sequence[Stream], recoder: Recoder | None
    ) -> None:
        self._track, self._found, self._plans, self._streams, self._recoder = track, found, plans, streams, recoder
        self._todo = deque((n, part) for n, plan in enumerate(plans) for part in plan.parts)
        stretches = [part for _, part in self._todo if isinstance(part, Stretch)]
        self._coded = recoder.encode(stretches) if recoder is not None else iter(())
        self._files: dict[int, _ClipFile] = {}
        self._num_closed = 0
        self._now = int(found.pts[0])
        self._late = math.ceil(_LATE_SECONDS / track.time_base)
        self._bounds = {s.index: _bounds(plans, track, s) for s in streams[1:]}

    @property
    def is_done(self) -> bool:
        return self._num_closed == len(self._plans)

    def deal_picture(self, packet: Packet[Stream], number: int) -> None:
        assert packet.pts is not None
        self._now = max(self._now, packet.pts)
        while self._todo and isinstance(part := self._todo[0][1], Stretch) and packet.pts >= part.stop:
            self._finish_stretch()
        if not self._todo:
            return
        plan, part = self._todo[0]
        if isinstance(part, range) and number in part:
            self._file(plan).copy(packet, bool(self._found.hidden[number]))
            if number == part[-1]:
                self._todo.popleft()

    def deal_sound(self, packet: Packet[Stream]) -> None:
        assert packet.pts is not None
        starts, stops = self._bounds[packet.stream_index]
        at = bisect_right(starts, packet.pts) - 1
        if at >= 0 and packet.pts < stops[at]:
            if at < self._num_closed:
                raise VideoDecodeError(
                    f"{self._track.path}: sound is stored over {_LATE_SECONDS:.0f} s apart from the pictures; "
                    "interleave the file again (remux it), then cut"
                )
            self._file(at).add_sound(packet)
        for n, file in self._files.items():
            if packet.pts >= stops[n]:
                file.behind.discard(packet.stream_index)

    def finish_pictures(self) -> None:
        while self._todo:
            if isinstance(self._todo[0][1], Stretch):
                self._finish_stretch()
            else:
                self._todo.popleft()

    def finished(self, *, at_end: bool = False) -> Iterator[tuple[Plan, int]]:
        """Closes the clips nothing more can come for, in order."""
        while not self.is_done:
            n = self._num_closed
            if self._todo and self._todo[0][0] <= n:
                return
            file = self._file(n)
            if not at_end and (file.plan.is_last or (file.behind and self._now < file.plan.stop + self._late)):
                return
            del self._files[n]
            self._num_closed += 1
            if file.num_frames == 0:
                log.warning(
                    "%s: no picture of clip %s can be decoded; it is left out", self._track.path, file.plan.path.name
                )
                file.discard()
                continue
            file.close()
            yield file.plan, file.num_frames

    def discard(self) -> None:
        for file in self._files.values():
            file.discard()

    def _finish_stretch(self) -> None:
        plan, _ = self._todo.popleft()
        self._file(plan).add(next(self._coded))

    def _file(self, number: int) -> _ClipFile:
        if number not in self._files:
            self._files[number] = _ClipFile(self._plans[number], self._track, self._found, self._streams, self._recoder)
        return self._files[number]


def _bounds(plans: Sequence[Plan], track: Track, sound: Stream) -> tuple[list[float], list[float]]:
    """First and last tick (exclusive) of each clip on the clock of a sound track."""
    assert sound.time_base is not None
    ratio = track.time_base / sound.time_base
    starts = [-math.inf if p.is_first else float(math.ceil(p.first * ratio)) for p in plans]
    stops = [math.inf if p.is_last else float(math.ceil(p.stop * ratio)) for p in plans]
    return starts, stops
