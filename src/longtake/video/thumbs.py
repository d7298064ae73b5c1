"""Tiny pictures of a whole video, as few as it takes to see where scenes change, on all cores.

Owns which groups of pictures are decoded: those whose ends look alike and whose packets show no jump in size are
known by their first picture alone. What a scene change is, is decided in `scenes`. Pictures for people and models
come from `decode`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import VideoDecodeError
from .frame_folder import FrameTrack
from .frame_reader import FrameReader
from .picture import Look
from .probe import Track, open_container, reason
from .recode import packets_from, picture_stream

__all__ = ["NUM_LUMA", "Thumbs", "difference", "thumbs_of"]

log = logging.getLogger(__name__)

_WIDTH, _HEIGHT = 32, 18
NUM_LUMA = _WIDTH * _HEIGHT
"""The first values of a tiny picture are its brightness; two smaller planes of colour follow."""
_MAX_REORDER = 16
_JUMP = 0.3
"""A packet of this share of a key frame's size holds much that is new."""


@dataclass(frozen=True, slots=True, eq=False)
class Thumbs:
    """Tiny pictures of a stretch of the video: ``pts`` int64 (N,), ``data`` uint8 (N, 864)."""

    pts: npt.NDArray[np.int64]
    data: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """A key frame and the packets that depend on it: ``first`` and ``stop`` in ticks of presentation."""

    first: int
    stop: int
    key_size: int
    largest: int
    key: npt.NDArray[np.uint8] | None


def difference(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """How far tiny pictures (..., 864) are apart: mean absolute steps of brightness and of both colours, added."""
    apart = np.abs(a.astype(np.int16) - b)
    return apart[..., :NUM_LUMA].mean(axis=-1) + 2 * apart[..., NUM_LUMA:].mean(axis=-1)


def thumbs_of(track: Track, alike: float, check: Callable[[], None]) -> Iterator[Thumbs]:
    """Tiny pictures in order of time, a group of pictures at a time.

    Groups between key frames less than ``alike`` apart, without a packet that stands out, give their key frame only.
    Pictures no other refers to are left out, but beside a packet that stands out. ``check`` is called at every packet
    and may raise."""
    if isinstance(track, FrameTrack):
        yield from _thumbs_of_frames(track, check)
        return
    groups = _groups(track, check)
    sources: dict[int, tuple[InputContainer, VideoStream]] = {}

    def read(number: int) -> Thumbs:
        group = groups[number]
        after = groups[number + 1].key if number + 1 < len(groups) else None
        is_calm = group.largest < _JUMP * group.key_size
        if is_calm and group.key is not None and after is not None and difference(group.key, after) < alike:
            return Thumbs(np.array([group.first]), group.key[None])
        source = sources.get(threading.get_ident())
        if source is None:
            container = open_container(track.path)
            source = sources[threading.get_ident()] = (container, _fast_stream(container, track))
        return _read_group(*source, group, check)

    num_workers = os.cpu_count() or 1
    pool = ThreadPoolExecutor(num_workers)
    try:
        yield from _in_order(pool, read, range(len(groups)), 4 * num_workers)
    finally:
        pool.shutdown(cancel_futures=True)
        for container, _ in sources.values():
            container.close()


def _thumbs_of_frames(track: FrameTrack, check: Callable[[], None]) -> Iterator[Thumbs]:
    """Every picture that can be read, one at a time."""
    reader = FrameReader(track)
    look = Look(4 * _WIDTH, 4 * _HEIGHT)
    num_read = 0

    def read(number: int) -> Thumbs:
        try:
            picture = reader.key_picture(int(track.ticks[number]), look, check)
        except VideoDecodeError as e:
            log.debug("a picture is left out: %s", e)
            return Thumbs(np.zeros(0, np.int64), np.zeros((0, NUM_LUMA * 3 // 2), np.uint8))
        thumb = _thumb(VideoFrame.from_ndarray(picture.data, format="rgb24"))
        return Thumbs(track.ticks[number : number + 1], thumb[None])

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for thumbs in _in_order(pool, read, range(len(track.ticks)), 64):
            num_read += len(thumbs.pts)
            yield thumbs
    if not num_read:
        raise VideoDecodeError(f"{track.path}: no picture can be decoded, so no scenes can be found")


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[int], Thumbs], numbers: Sequence[int], ahead: int
) -> Iterator[Thumbs]:
    waiting: deque[Future[Thumbs]] = deque()
    for number in numbers:
        waiting.append(pool.submit(function, number))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _fast_stream(container: InputContainer, track: Track) -> VideoStream:
    stream = picture_stream(container, track)
    stream.thread_count = 1
    stream.codec_context.options = {"skip_loop_filter": "all"}  # its small errors do not show at this size
    return stream


def _groups(track: Track, check: Callable[[], None]) -> list[_Group]:
    """Reads all packets and decodes the key frames."""
    found: list[list[int]] = []  # first, key size, largest other packet
    keys: dict[int, npt.NDArray[np.uint8]] = {}
    with open_container(track.path) as container:
        stream = _fast_stream(container, track)
        stream.codec_context.skip_frame = "NONKEY"
        for packet in _readable(container, stream):
            check()
            if packet.is_keyframe and packet.pts is not None:
                found.append([packet.pts, packet.size, 0])
            elif found:
                found[-1][2] = max(found[-1][2], packet.size)
            if packet.is_keyframe or not packet.size:
                for frame in _decoded(stream, packet):
                    if frame.pts is not None:
                        keys[frame.pts] = _thumb(frame)
    if not keys:
        raise VideoDecodeError(f"{track.path}: no key frame can be decoded, so no scenes can be found")
    found.sort()
    stops = [row[0] for row in found[1:]] + [1 << 62]
    return [
        _Group(first, stop, size, largest, keys.get(first))
        for (first, size, largest), stop in zip(found, stops, strict=True)
    ]


def _readable(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Packets up to where the file is cut off, and the empty one that drains the decoder."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError as e:
        log.warning("%s is used up to where it can be read: %s", container.name, reason(e))


def _decoded(stream: VideoStream, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
    """Pictures of a packet; None or an empty one drains the decoder. Damaged pictures are left out."""
    try:
        context = stream.codec_context
        return context.decode(packet if packet and packet.size else None)  # pyright: ignore[reportUnknownMemberType]
    except av.error.InvalidDataError as e:
        log.debug("%s: a picture is left out: %s", stream.container.name, reason(e))
        return []


def _read_group(container: InputContainer, stream: VideoStream, group: _Group, check: Callable[[], None]) -> Thumbs:
    pts: list[int] = []
    data: list[npt.NDArray[np.uint8]] = []
    ahead: list[Packet[VideoStream]] = []
    latest, stands_out = -(1 << 62), True
    for packet in packets_from(container, stream, group.first):
        check()
        # packets of the next group are decoded only if pictures of this one turn out to refer to them
        if packet.pts is not None and packet.pts >= group.stop:
            ahead.append(packet)
            if len(ahead) <= _MAX_REORDER:
                continue
        elif packet.pts is not None and packet.pts > latest:
            # the pictures shown just before one that stands out are stored after it
            latest, stands_out = packet.pts, packet.size >= _JUMP * group.key_size
        is_over = len(ahead) > _MAX_REORDER or not packet.size
        for each in [None] if is_over else [*ahead, packet]:
            stream.codec_context.skip_frame = "DEFAULT" if stands_out else "NONREF"
            for frame in _decoded(stream, each):
                if frame.pts is not None and group.first <= frame.pts < group.stop:
                    pts.append(frame.pts)
                    data.append(_thumb(frame))
        if is_over:
            break
        ahead.clear()
    pts.sort()  # pictures come out as they are shown; in some AVI files only their times do not
    return Thumbs(np.array(pts, dtype=np.int64), np.stack(data) if data else np.zeros((0, NUM_LUMA * 3 // 2), np.uint8))


def _thumb(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    """uint8 (864,): brightness 18 x 32, then both colours 9 x 16 each."""
    if frame.format.name not in ("yuv420p", "yuvj420p") or frame.width < 2 * _WIDTH or frame.height < 2 * _HEIGHT:
        frame = frame.reformat(4 * _WIDTH, 4 * _HEIGHT, "yuv420p")
    parts: list[npt.NDArray[np.uint8]] = []
    for number, plane in enumerate(frame.planes):
        pixels = np.frombuffer(memoryview(plane), np.uint8)
        at = _samples(plane.height, plane.width, plane.line_size, 1 if number == 0 else 2)
        parts.append((np.add.reduce(pixels[at], axis=0, dtype=np.uint16) // len(at)).astype(np.uint8))
    return np.concatenate(parts)


@lru_cache(maxsize=64)
def _samples(height: int, width: int, line_size: int, shrink: int) -> npt.NDArray[np.intp]:
    """Where the 16 pixels (2 rows of 8) are that stand for each cell of a plane: intp (16, cells)."""
    rows, columns = _HEIGHT // shrink, _WIDTH // shrink
    y = ((np.arange(rows) + np.array([[0.25], [0.75]])) * height / rows).astype(np.intp)
    x = ((np.arange(columns) + (np.arange(8)[:, None] + 0.5) / 8) * width / columns).astype(np.intp)
    return (y[:, None, :, None] * line_size + x[None, :, None, :]).reshape(16, rows * columns)
