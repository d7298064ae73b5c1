"""Decodes the pictures shown at given times from a run of packets that begins at a key frame.

Exact by construction: the times of all packets around a wanted time are read before it is decided which picture is
shown then, and a picture that comes out is checked against that. Damage is what FFmpeg reports, and holes of zeros;
changed bytes that HEVC, VP9 or AV1 happen to decode to something are not seen. Seeks nowhere and scales nothing.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import av.error
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

__all__ = ["Damage", "Group", "LostPicture", "decode", "stamp"]

_REORDER = 17
"""More than the 16 pictures that H.264 and HEVC may hold back: after so many packets shown past a time, all that is
shown before it has been read."""

_MAX_AHEAD = 300
_FOREVER = 1 << 62

_HOLE = bytes(512)
_NEVER_ZERO = frozenset({"h264", "hevc", "vp8", "vp9", "libdav1d", "libaom-av1", "av1", "mpeg4"})
"""Codecs whose compressed data hold no long run of zeros."""


class Damage(Exception):
    """The data at ``pts`` are broken, so nothing that builds on them may be shown."""

    def __init__(self, pts: int, what: str) -> None:
        super().__init__(pts, what)
        self.pts = pts
        self.what = what


class LostPicture(Exception):
    """A packet promised a picture at ``pts``, but none came out and no error was reported."""

    def __init__(self, pts: int) -> None:
        super().__init__(pts)
        self.pts = pts


def stamp(packet: Packet[VideoStream]) -> int | None:
    """When a packet is shown; where the container does not say, when it is decoded."""
    return packet.pts if packet.pts is not None else packet.dts


def decode(context: VideoCodecContext, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
    """The frames that come out when ``packet`` goes in; None drains the decoder."""
    return context.decode(packet)  # pyright: ignore[reportUnknownMemberType]


class Group:
    """One pass over the packets of one or more groups of pictures.

    ``targets``: ascending ticks. ``skip``: leave out pictures that nothing refers to unless they are wanted.
    ``jump``: start anew at a key frame met before the next target. ``lenient``: a packet may show nothing.
    ``in_order``: as in `probe.Track`; each picture that comes out takes the earliest time that went in."""

    def __init__(
        self,
        source: Iterator[Packet[VideoStream]],
        context: VideoCodecContext,
        targets: Sequence[int],
        *,
        skip: bool,
        jump: bool,
        lenient: bool,
        in_order: bool,
    ) -> None:
        self._source = source
        self._context = context
        self._left = deque(targets)
        self._last = targets[-1]
        self._skip, self._jump, self._lenient = skip, jump, lenient
        self._in_order = in_order
        self._stamps: deque[int] = deque()
        self._ahead: deque[Packet[VideoStream]] = deque()
        self._times: list[int] = []
        self._begin: int | None = None
        self._read_to = -_FOREVER
        self._num_after = 0
        self._ended = self._at_end_of_file = False
        self._sent = False
        self._damage: Damage | None = None
        self._shown: tuple[VideoFrame, int, Damage | None] | None = None

    def frames(self, check: Callable[[], None]) -> Iterator[tuple[int, VideoFrame, int]]:
        """(target, frame, until) in the order of the targets. Raises `Damage` or `LostPicture`."""
        while self._left:
            check()
            self._read_on()
            draining = self._ended and not any(self._is_wanted(stamp(packet)) for packet in self._ahead)
            packet = None if draining else self._ahead.popleft()
            for frame in self._decode(packet):
                yield from self._accept(frame)
            if draining:
                break
        while self._left:
            yield self._resolve(self._left[0])

    # ------------------------------------------------------------------------------------------------- reading

    def _read_on(self) -> None:
        """Reads ahead far enough to know what is shown when: past the next target, or as far as memory allows."""
        while not self._ended and (
            len(self._ahead) < _REORDER or (self._read_to <= self._left[0] and len(self._ahead) < _MAX_AHEAD)
        ):
            packet = next(self._source, None)
            if packet is None:
                self._ended = self._at_end_of_file = True
                return
            self._note(packet)

    def _note(self, packet: Packet[VideoStream]) -> None:
        shown_at = stamp(packet)
        if shown_at is not None:
            if self._begin is None:
                self._begin = shown_at
            elif self._jump and packet.is_keyframe and shown_at <= self._left[0]:
                self._restart(shown_at)
            if not packet.is_discard:
                bisect.insort(self._times, shown_at)
            self._read_to = max(self._read_to, packet.dts if packet.dts is not None else shown_at)
            if shown_at > self._last:
                self._num_after += 1
                self._ended = self._num_after >= _REORDER
        self._ahead.append(packet)

    def _restart(self, begin: int) -> None:
        self._ahead.clear()
        self._times.clear()
        self._begin, self._damage, self._shown, self._num_after = begin, None, None, 0
        if self._sent:
            self._context.flush_buffers()
            self._stamps.clear()
            self._sent = False

    def _is_wanted(self, shown_at: int | None) -> bool:
        """Whether a picture may be the one shown at a target: False once a later one not after the target is known."""
        if shown_at is None or self._in_order:
            return True
        at = next((target for target in self._left if target >= shown_at), None)
        if at is None:
            return False
        following = bisect.bisect_right(self._times, shown_at)
        return following == len(self._times) or self._times[following] > at

    # ------------------------------------------------------------------------------------------------ decoding

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        if packet is None:
            return self._in_turn(decode(self._context, None))
        shown_at = stamp(packet)
        if shown_at is not None:
            self._stamps.append(shown_at)
        self._context.skip_frame = "NONREF" if self._skip and not self._is_wanted(shown_at) else "DEFAULT"
        self._sent = True
        try:
            frames = decode(self._context, packet)
        except av.error.FFmpegError as e:
            self._break(shown_at, str(e.strerror))
            return []
        if packet.is_corrupt or self._has_hole(packet):
            self._break(shown_at, "part of it is missing")
        return self._in_turn(frames)

    def _in_turn(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        if self._in_order:
            for frame in frames[: len(self._stamps)]:
                frame.pts = self._stamps.popleft()
        return frames

    def _has_hole(self, packet: Packet[VideoStream]) -> bool:
        """Whether part of the data was never written, as in a download that stopped. VP9 would decode it anyhow."""
        if self._context.name not in _NEVER_ZERO or packet.size < len(_HOLE):
            return False
        data = bytes(packet)
        if self._context.name in ("h264", "hevc") and (self._context.extradata or b"")[:1] != b"\1":
            # a byte stream, as in MPEG-TS, may be filled up with zeros after a picture
            data = data.rstrip(b"\0")
        return _HOLE in data

    def _break(self, shown_at: int | None, what: str) -> None:
        if shown_at is not None and self._begin is not None and shown_at < self._begin:
            # shown before the key frame and built on the group before it: not ours
            return
        if self._at_end_of_file and not self._ahead:
            # a file cut off in its last picture ends with the picture before
            if shown_at in self._times:
                self._times.remove(shown_at)
            return
        self._damage = self._damage or Damage(shown_at if shown_at is not None else self._last, what)

    def _accept(self, frame: VideoFrame) -> Iterator[tuple[int, VideoFrame, int]]:
        if frame.pts is None:
            if frame.is_corrupt:
                self._break(None, "a picture has errors")
            return
        if self._begin is not None and frame.pts < self._begin:
            return
        while self._left and self._shown is not None and self._left[0] < frame.pts:
            yield self._resolve(self._left[0])
        if frame.is_corrupt:
            self._break(frame.pts, "a picture has errors")
            if frame.pts not in self._times:
                return
        self._shown = (frame, frame.pts, self._damage)

    def _resolve(self, target: int) -> tuple[int, VideoFrame, int]:
        promised = bisect.bisect_right(self._times, target) - 1
        if self._shown is None or (promised >= 0 and self._times[promised] != self._shown[1] and not self._lenient):
            if self._damage is not None:
                raise self._damage
            raise LostPicture(self._times[promised] if promised >= 0 else target)
        frame, pts, damage = self._shown
        if damage is not None:
            raise damage
        following = bisect.bisect_right(self._times, max(pts, target))
        if following < len(self._times):
            until = self._times[following]
        else:
            until = _FOREVER if self._at_end_of_file else max(pts, target) + 1
        self._left.popleft()
        return target, frame, until
