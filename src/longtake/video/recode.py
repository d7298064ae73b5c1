"""Encodes stretches of a video anew, on all cores, in the order they are asked for.

Used by `cut` where a clip cannot be copied. Knows nothing of clips, files or sound. H.264 stretches can be made to
stand beside copied packets of the same track: they use a parameter set number of their own, and `Recoder.extradata`
lists both sets.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from queue import Empty, SimpleQueue
from typing import TypeAlias

import av
import av.error
from av.container import InputContainer
from av.container.core import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from .probe import Track, open_container, reason

__all__ = ["Coded", "Recoder", "Stretch", "nal_bytes_of", "packets_from", "picture_stream"]

log = logging.getLogger(__name__)

_SET_NUMBER = 31
"""Number of our H.264 parameter sets, the highest allowed: encoders count from 0."""
_GLOBAL_HEADER = 1 << 22
_OPTIONS = {
    "libx264": {"preset": "superfast", "crf": "21", "bf": "0", "threads": "1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0", "lag-in-frames": "0"},
}
_EIGHT_BIT = ("yuv420p", "yuvj420p")


@dataclass(frozen=True, slots=True)
class Stretch:
    """The pictures with ``first <= pts < stop``, read from the key frame shown at ``key``; all in ticks."""

    key: int
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Coded:
    """One encoded picture. Pictures are coded in the order they are shown."""

    data: bytes
    pts: int
    is_keyframe: bool


_Source: TypeAlias = tuple[InputContainer, VideoStream]


def picture_stream(container: InputContainer, track: Track) -> VideoStream:
    """The stream that ``track`` describes."""
    stream = container.streams[track.index]
    assert isinstance(stream, VideoStream)
    return stream


def nal_bytes_of(stream: VideoStream) -> int | None:
    """Size of the length field before each unit of an H.264 packet; None for other codecs and with start codes."""
    extradata = stream.codec_context.extradata
    if stream.codec_context.name != "h264" or not extradata or extradata[0] != 1:
        return None
    return (extradata[4] & 3) + 1


class Recoder:
    """Encodes stretches of one track. A context manager: leaving it ends its threads and closes its files.

    To H.264, or VP9 for webm. ``extradata`` is set where the pictures can stand beside copied packets: the
    parameter sets of both. It is None where a clip must be encoded as a whole (other codecs, more than 8 bits)."""

    def __init__(self, track: Track, stream: VideoStream, suffix: str) -> None:
        self.encoder = "libvpx-vp9" if suffix == ".webm" else "libx264"
        self._track = track
        self._num_workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._num_workers)
        self._waiting: deque[Future[list[Coded]]] = deque()
        self._idle: SimpleQueue[_Source] = SimpleQueue()
        context = stream.codec_context
        self._pix_fmt = context.pix_fmt if context.pix_fmt in _EIGHT_BIT else "yuv420p"
        self._rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        self._shape = (context.width, context.height, context.sample_aspect_ratio)
        self._colour = (context.color_range, context.color_primaries, context.color_trc, context.colorspace)
        self._nal_bytes = None
        self.extradata: bytes | None = None
        if self.encoder == "libx264" and self._pix_fmt == context.pix_fmt and (size := nal_bytes_of(stream)):
            self._nal_bytes = size
            self.extradata = _joint_extradata(context.extradata or b"", self._open_encoder().extradata or b"")
            self._nal_bytes = size if self.extradata else None

    @property
    def is_joint(self) -> bool:
        return self.extradata is not None

    def __enter__(self) -> Recoder:
        return self

    def __exit__(self, *exc: object) -> None:
        for future in self._waiting:
            future.cancel()
        self._pool.shutdown()
        while not self._idle.empty():
            self._idle.get()[0].close()

    def configure(self, context: VideoCodecContext) -> None:
        """Makes ``context`` an encoder that writes what all stretches share."""
        context.width, context.height, aspect = self._shape
        if aspect:
            context.sample_aspect_ratio = aspect
        context.pix_fmt = self._pix_fmt
        context.time_base = self._track.time_base
        context.framerate = self._rate
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = self._colour
        context.options = dict(_OPTIONS[self.encoder])
        if self._nal_bytes is not None:
            context.options = {**context.options, "x264-params": f"sps-id={_SET_NUMBER}"}
        context.flags |= _GLOBAL_HEADER

    def encode(self, stretches: Iterable[Stretch]) -> Iterator[list[Coded]]:
        """The pictures of each stretch, in order. A few stretches are made ahead, so memory stays bounded."""
        rest = iter(stretches)
        waiting = self._waiting
        while True:
            while len(waiting) < 2 * self._num_workers and (stretch := next(rest, None)) is not None:
                waiting.append(self._pool.submit(self._encode_one, stretch))
            if not waiting:
                return
            yield waiting.popleft().result()

    def _open_encoder(self) -> VideoCodecContext:
        context = VideoCodecContext.create(self.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        self.configure(context)
        context.open()
        return context

    def _encode_one(self, stretch: Stretch) -> list[Coded]:
        container, stream = source = self._take_source()
        try:
            context = self._open_encoder()
            packets: list[Packet[VideoStream]] = []
            for frame in _pictures(container, stream, stretch):
                if (frame.format.name, frame.width, frame.height) != (self._pix_fmt, *self._shape[:2]):
                    frame = frame.reformat(*self._shape[:2], format=self._pix_fmt)
                frame.pict_type = PictureType.NONE  # or the encoder would repeat the source's choice of frame types
                packets += context.encode(frame)  # pyright: ignore[reportUnknownMemberType]
            packets += context.encode(None)  # pyright: ignore[reportUnknownMemberType]
        finally:
            self._idle.put(source)
        return [Coded(self._framed(bytes(p)), p.pts, p.is_keyframe) for p in packets if p.pts is not None]

    def _take_source(self) -> _Source:
        try:
            return self._idle.get_nowait()
        except Empty:
            container = open_container(self._track.path)
            stream = picture_stream(container, self._track)
            stream.thread_count = 1
            return container, stream

    def _framed(self, data: bytes) -> bytes:
        """H.264 as the copied packets have it: each unit behind its length instead of a start code."""
        if self._nal_bytes is None:
            return data
        units = (unit.rstrip(b"\0") for unit in data.split(b"\0\0\1"))
        return b"".join(len(unit).to_bytes(self._nal_bytes, "big") + unit for unit in units if unit)


def _pictures(container: InputContainer, stream: VideoStream, stretch: Stretch) -> Iterator[VideoFrame]:
    """Decoded pictures of a stretch in order; damaged ones are left out."""
    context = stream.codec_context
    for packet in packets_from(container, stream, stretch.key):
        early = packet.pts is not None and packet.pts < stretch.first
        context.skip_frame = "NONREF" if early else "DEFAULT"
        try:
            frames = context.decode(packet if packet.size else None)  # pyright: ignore[reportUnknownMemberType]
        except av.error.InvalidDataError as e:
            log.warning("%s: a picture near tick %s is left out: %s", container.name, packet.pts, reason(e))
            continue
        for frame in frames:
            if frame.pts is None or frame.pts < stretch.first:
                continue
            if frame.pts >= stretch.stop:
                return
            yield frame


def packets_from(container: InputContainer, stream: VideoStream, key: int) -> Iterator[Packet[VideoStream]]:
    """Packets from the key frame shown at tick ``key`` on, or from an earlier one where seeking is not exact.

    The last packet is empty, as `av` has it: it drains the decoder."""
    container.flags |= Flags.gen_pts.value  # AVI stores no presentation times
    assert stream.time_base is not None
    back = 0
    step = round(1 / stream.time_base)
    begin = stream.start_time or 0
    while True:
        try:
            container.seek(key - back, stream=stream, backward=True)
        except av.error.FFmpegError:
            container.seek(begin, stream=stream, backward=True)  # AVI has nothing before its begin
        stream.codec_context.flush_buffers()
        packets = container.demux(stream)
        first = next(packets, None)
        is_begin = key - back <= begin - step  # a transport stream is found before its begin only
        if first is not None and first.pts is not None and (first.pts <= key or is_begin):
            yield first
            yield from packets
            return
        if is_begin:
            return
        back = 2 * back or step


def _joint_extradata(copied: bytes, ours: bytes) -> bytes | None:
    """An avcC record with the parameter sets of both; None where they cannot stand side by side.

    ``copied`` is an avcC record (ISO 14496-15, 5.3.3.1), ``ours`` has start codes."""
    if len(copied) < 7 or copied[0] != 1:
        return None
    sets: tuple[list[bytes], list[bytes]] = ([], [])
    at = 5
    for kind, mask in ((0, 0x1F), (1, 0xFF)):
        count = copied[at] & mask
        at += 1
        for _ in range(count):
            size = int.from_bytes(copied[at : at + 2], "big")
            sets[kind].append(copied[at + 2 : at + 2 + size])
            at += 2 + size
    numbers = [_leading_number(s[4:]) for s in sets[0]] + [_leading_number(s[1:]) for s in sets[1]]
    if _SET_NUMBER in numbers or not all(sets):
        return None
    for unit in (unit.rstrip(b"\0") for unit in ours.split(b"\0\0\1")):
        if unit and unit[0] & 0x1F in (7, 8):
            sets[unit[0] & 0x1F == 8].append(unit)
    sequences, pictures = sets
    # the record's profile and level must cover all sets in it
    profile, level = (max(s[i] for s in sequences) for i in (1, 3))
    record = bytes([1, profile, min(s[2] for s in sequences), level, copied[4], 0xE0 | len(sequences)])
    record += b"".join(len(s).to_bytes(2, "big") + s for s in sequences)
    record += bytes([len(pictures)]) + b"".join(len(s).to_bytes(2, "big") + s for s in pictures)
    return record + (b"\xfd\xf8\xf8\x00" if profile in (100, 110, 122, 144) else b"")


def _leading_number(data: bytes) -> int:
    """The Exp-Golomb number that ``data`` starts with."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "0", 2) - 1
