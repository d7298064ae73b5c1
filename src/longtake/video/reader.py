"""Reads the pictures shown at given times from one picture track: seek, demux, decode, resize.

One `Reader` is one open file with one decoder and is used by one thread at a time. It knows nothing of deadlines,
threads or caches; it calls ``check`` between packets and lets it raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import av.error
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import VideoDecodeError
from .picture import Look, Renderer
from .probe import Track, open_container, reason

__all__ = ["Picture", "Reader"]

_REORDER = 17
"""More than the 16 pictures that H.264 and HEVC may hold back: after so many packets past a time, all that is shown
before it has been seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: shown from ``pts`` on, at least until ``until`` (exclusive), both in ticks."""

    pts: int
    until: int
    data: npt.NDArray[np.uint8]


@dataclass(slots=True)
class _Ahead:
    """Packets read but not yet decoded, and what is known of the times of all packets read."""

    packets: deque[Packet] = field(default_factory=deque[Packet])
    pts: list[int] = field(default_factory=list[int])
    num_after: int = 0
    ended: bool = False


class Reader:
    def __init__(self, track: Track) -> None:
        self.track = track
        self._container = open_container(track.path)
        self._stream: VideoStream = self._container.streams[track.index]  # pyright: ignore[reportAttributeAccessIssue]
        self._stream.thread_count = 1
        self._renderer = Renderer(track.turns)

    def close(self) -> None:
        self._container.close()

    def pictures(self, targets: Sequence[int], look: Look, check: Callable[[], None]) -> Iterator[tuple[int, Picture]]:
        """(target, picture shown at it) for ascending ``targets`` in ticks that share one key frame.

        Raises `VideoDecodeError` where a picture that is needed is damaged."""
        for target, frame, until in self._frames(targets, check):
            assert frame.pts is not None
            yield target, Picture(frame.pts, until, self._renderer.render(frame, look))

    def key_picture(self, pts: int, look: Look, check: Callable[[], None]) -> Picture:
        """The key frame at or before ``pts``."""
        self._seek(pts)
        self._stream.codec_context.skip_frame = "NONKEY"
        for packet in self._container.demux(self._stream):
            check()
            if not packet.is_keyframe and packet.size:
                continue
            frames = self._decode(packet) + (self._decode(None) if packet.size else [])
            for frame in frames:
                if frame.pts is not None:
                    return Picture(frame.pts, frame.pts + 1, self._renderer.render(frame, look))
        raise VideoDecodeError(
            f"{self.track.path}: no key frame can be decoded at {self.track.seconds(pts):.3f} s; use snap='exact'"
        )

    def _seek(self, pts: int) -> None:
        self._container.seek(pts, stream=self._stream, backward=True)
        self._stream.codec_context.flush_buffers()

    def _decode(self, packet: Packet | None) -> list[VideoFrame]:
        return self._stream.codec_context.decode(packet)

    def _start(self, first: int, check: Callable[[], None]) -> Iterator[Packet]:
        """Packets from a key frame that is shown at or before ``first``, or from the start of the track."""
        back = 0
        step = round(1 / self._stream.time_base) if self._stream.time_base else 1
        while True:
            at = first - back
            self._seek(at)
            packets = iter(self._container.demux(self._stream))
            for packet in packets:
                check()
                if packet.is_keyframe or not packet.size:
                    break
            else:
                return
            begin = self.track.pts(0.0)
            if (packet.pts is not None and packet.size and packet.pts <= first) or at <= begin - step:
                if packet.size:
                    yield packet
                    yield from packets
                return
            back = back * 2 or step

    def _frames(self, targets: Sequence[int], check: Callable[[], None]) -> Iterator[tuple[int, VideoFrame, int]]:
        """(target, frame, until) in the order of ``targets``."""
        context = self._stream.codec_context
        left = deque(targets)
        shown: VideoFrame | None = None
        damage: str | None = None
        source = self._start(targets[0], check)
        ahead: deque[Packet] = deque()
        last = targets[-1]
        num_after, ended, drained = 0, False, False

        while left:
            check()
            while not ended and len(ahead) < _REORDER:
                packet = next(source, None)
                if packet is None or not packet.size:
                    ended = True
                    break
                if packet.pts is not None and packet.pts > last:
                    num_after += 1
                    ended = num_after >= _REORDER
                ahead.append(packet)
            if not ahead and drained:
                break
            frames: list[VideoFrame] = []
            if ahead and not (ended and all(p.pts is not None and p.pts > last for p in ahead)):
                packet = ahead.popleft()
                needed = packet.pts is None or self._is_needed(packet.pts, left, ahead)
                context.skip_frame = "DEFAULT" if needed else "NONREF"
                try:
                    frames = self._decode(packet)
                except av.error.FFmpegError as e:
                    damage = damage or f"{reason(e)} at {self._where(packet.pts)}"
            else:
                ahead.clear()
                drained = True
                try:
                    frames = self._decode(None)
                except av.error.FFmpegError as e:
                    damage = damage or f"{reason(e)} at the end"
            for frame in frames:
                if frame.pts is None:
                    continue
                while left and shown is not None and left[0] < frame.pts:
                    yield left.popleft(), shown, frame.pts
                if frame.is_corrupt:
                    damage = damage or f"a picture with errors at {self._where(frame.pts)}"
                if damage:
                    raise VideoDecodeError(f"{self.track.path}: {damage}")
                shown = frame
        if damage:
            raise VideoDecodeError(f"{self.track.path}: {damage}")
        if left and shown is None:
            raise VideoDecodeError(
                f"{self.track.path}: no picture can be decoded at {self._where(left[0])}; ask for another span"
            )
        while left and shown is not None:
            assert shown.pts is not None
            target = left.popleft()
            yield target, shown, max(shown.pts, target) + 1

    @staticmethod
    def _is_needed(pts: int, left: Sequence[int], ahead: Sequence[Packet]) -> bool:
        """False only where a packet ahead is shown later than this one and not after any target still to come."""
        target = next((t for t in left if t >= pts), None)
        if target is None:
            # before the first picture the first one is shown
            return False
        return not any(p.pts is not None and pts < p.pts <= target for p in ahead)

    def _where(self, pts: int | None) -> str:
        return "an unknown time" if pts is None else f"{self.track.seconds(pts):.3f} s"
