"""Reads the pictures shown at given times from one picture track: seek, demux, decode, resize.

One `Reader` is one open file with one decoder and is used by one thread at a time. It knows nothing of deadlines,
threads or caches; it calls ``check`` between packets and lets it raise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import av.error
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import VideoDecodeError
from .frame_cache import Picture
from .group import Damage, Group, LostPicture, decode, stamp
from .picture import Look, Renderer
from .probe import Track, open_container, reason

__all__ = ["Reader"]

_HIDES_PICTURES = frozenset({"vp8", "mpeg4", "msmpeg4v3", "msmpeg4v2", "vc1", "wmv3", "flv", "gif"})
"""Codecs with packets that show nothing of their own, so a packet without a picture is no damage."""

_FURTHER_BACK_SECONDS = 10

_LEAD_SECONDS = 10
"""MPEG-TS is searched by byte position and decoding time, so its start is found from well before its first picture."""


class Reader:
    def __init__(self, track: Track) -> None:
        self.track = track
        self._renderer = Renderer(track.turns)
        self._open()

    def _open(self) -> None:
        self._container = open_container(self.track.path)
        stream = self._container.streams[self.track.index]
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._context = stream.codec_context
        self._context.thread_count = 1
        # dav1d reads skip_frame once, when it is opened
        with contextlib.suppress(av.error.FFmpegError):
            self._context.open(strict=False)

    def close(self) -> None:
        self._container.close()

    def pictures(self, targets: Sequence[int], look: Look, check: Callable[[], None]) -> Iterator[tuple[int, Picture]]:
        """(target, picture shown at it) for ascending ``targets`` in ticks; fast where they share one key frame.

        A first pass skips what no wanted picture needs. Where a picture that the packets promise does not come out, a
        second pass decodes everything, a third begins further back (key frames that refresh step by step). Raises
        `VideoDecodeError` where a wanted picture is damaged."""
        left = list(targets)
        passes = ((True, 0), (False, 0), (False, _FURTHER_BACK_SECONDS))
        for skip, seconds_back in passes:
            lenient = not skip and self._context.name in _HIDES_PICTURES
            back = round(seconds_back / self.track.time_base)
            packets = self._start(left[0], back, check)
            # seeking may have opened the file, and with it the decoder, anew
            source = chain([next(packets)], packets)
            in_order = self.track.in_order
            group = Group(source, self._context, left, skip=skip, jump=not back, lenient=lenient, in_order=in_order)
            try:
                for target, frame, until in group.frames(check):
                    assert frame.pts is not None
                    left = left[1:]
                    yield target, Picture(frame.pts, until, self._render(frame, look))
                return
            except LostPicture as lost:
                if (skip, seconds_back) == passes[-1]:
                    raise self._damaged(Damage(lost.pts, "no picture comes out of its packet")) from lost
            except Damage as damage:
                raise self._damaged(damage) from damage

    def key_picture(self, pts: int, look: Look, check: Callable[[], None]) -> Picture:
        """The key frame at or before ``pts``. Raises `VideoDecodeError` if it is damaged."""
        self._context.skip_frame = "DEFAULT"
        problem = "no key frame is there"
        packets = self._start(pts, 0, check)
        packet = next(packets)
        try:
            frames = decode(self._context, packet)
            frames += decode(self._context, None)
            if not frames:
                # two fields of one picture may lie in two packets
                self._context.flush_buffers()
                frames = [
                    frame for half in (packet, next(packets, None), None) for frame in decode(self._context, half)
                ]
        except av.error.FFmpegError as e:
            frames, problem = [], reason(e)
        for frame in frames:
            if frame.is_corrupt:
                problem = "it has errors"
            elif frame.pts is not None:
                return Picture(frame.pts, frame.pts + 1, self._render(frame, look))
        raise self._damaged(Damage(pts, problem))

    def _render(self, frame: VideoFrame, look: Look) -> npt.NDArray[np.uint8]:
        try:
            return self._renderer.render(frame, look)
        except av.error.FFmpegError as e:
            raise VideoDecodeError(
                f"{self.track.path}: pictures in {frame.format.name} cannot become RGB ({reason(e)}); convert it"
            ) from e

    def _start(self, first: int, back: int, check: Callable[[], None]) -> Iterator[Packet[VideoStream]]:
        """Packets from a key frame that is shown at or before ``first - back``, or from the start of the track.

        Containers without an index land somewhere near; each miss goes twice as far back."""
        second = max(1, round(1 / self.track.time_base))
        limit = at = first - back
        while True:
            begin = self.track.first_pts
            packets = self._packets(at if at > begin else begin - _LEAD_SECONDS * second)
            packet = next(packets, None)
            while packet is not None and not (packet.is_keyframe and stamp(packet) is not None):
                check()
                packet = next(packets, None)
            shown_at = None if packet is None else stamp(packet)
            if packet is not None and shown_at is not None and shown_at <= max(limit, begin):
                yield packet
                yield from packets
                return
            if at <= begin:
                raise self._damaged(Damage(first, "no key frame is left before it"))
            back = max(second, back * 2)
            at = limit - back

    def _packets(self, pts: int) -> Iterator[Packet[VideoStream]]:
        try:
            self._container.seek(pts, stream=self._stream, backward=True)
            self._context.flush_buffers()
        except av.error.FFmpegError:
            # nothing to seek by, as in a GIF or before the first entry of an AVI: from the start then
            self._container.close()
            self._open()
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    if self.track.in_order:
                        packet.pts = packet.dts
                    yield packet
        except av.error.FFmpegError as e:
            raise self._damaged(Damage(pts, reason(e))) from e

    def _damaged(self, damage: Damage) -> VideoDecodeError:
        track = self.track
        begin = max(0.0, track.seconds(damage.pts))
        end = track.info.duration_seconds
        if track.key_pts is not None:
            following = int(np.searchsorted(track.key_pts, damage.pts, side="right"))
            end = track.seconds(int(track.key_pts[following])) if following < len(track.key_pts) else end
        return VideoDecodeError(
            f"{track.path} is damaged: the pictures from {begin:.3f} s to {max(begin, end):.3f} s cannot be decoded "
            f"({damage.what}); ask for a span outside of that"
        )
