"""What is in a video file: its picture track, its clock, its key frames and how much of it is usable.

Probing reads headers and one picture; it never reads the whole file. The last results are kept, by fingerprint.
Nothing here returns pictures.
"""

from __future__ import annotations

import stat
import threading
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import VideoDecodeError, VideoNotFoundError
from ..media import SubtitleTrack, VideoInfo
from ..store import fingerprint
from .extent import measure

__all__ = ["MAX_KNOWN", "Recent", "Track", "open_container", "probe", "reason"]

T = TypeVar("T")

MAX_KNOWN = 256
"""Tracks that a process keeps; that of a long episode in frames has the paths of all its pictures, some megabytes."""
_MAX_FIRST_PACKETS = 500
_MAX_SHOWN = 160


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The picture track that is read, and the integers its clock is made of.

    ``start`` is the container's start in seconds: video time = pts * ``time_base`` - ``start``. ``first_pts`` is when
    the first picture that can be decoded is shown. ``turns`` is how many quarter turns counter-clockwise show the
    stored picture upright; ``width`` and ``height`` of ``info`` have them applied. ``key_pts`` is that of `Extent`.
    ``in_order``: the file has no times of presentation, so pictures are shown as they come out of the decoder, each
    for a packet's time (H.264 and HEVC with B-frames in AVI)."""

    path: Path
    index: int
    time_base: Fraction
    start: Fraction
    first_pts: int
    turns: int
    key_pts: npt.NDArray[np.int64] | None
    info: VideoInfo
    in_order: bool = False

    def seconds(self, pts: int) -> float:
        return float(pts * self.time_base - self.start)

    def pts(self, seconds: float) -> int:
        """The last tick not after ``seconds``. A microsecond is granted, for times that went through floats."""
        ticks = (Fraction(seconds) + Fraction(1, 1_000_000) + self.start) / self.time_base
        return ticks.numerator // ticks.denominator


def reason(error: Exception) -> str:
    """What FFmpeg says, without its error number."""
    text = getattr(error, "strerror", None) or str(error)
    return str(text).strip().rstrip(".") or type(error).__name__


def _check_file(path: Path) -> None:
    shown = str(path) if len(str(path)) <= _MAX_SHOWN else f"{str(path)[:_MAX_SHOWN]}..."
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as e:  # ValueError: a zero byte in the name
        raise VideoNotFoundError(f"there is no file {shown}; give the path of a video file on this machine") from e
    except OSError as e:
        problem = reason(e).lower()
        raise VideoNotFoundError(f"{shown} cannot be opened: {problem}; give the path of a video file") from e
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise VideoDecodeError(f"{path} is {kind}; give the path of a video file")
    if found.st_size == 0:
        raise VideoDecodeError(f"{path} is empty (0 bytes); fetch or copy it again")


_LENIENT: dict[str, Any] = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
"""Titles in an unknown encoding do not make a file unreadable; from PyAV 19 on they never do."""


def open_container(path: Path) -> InputContainer:
    """Opens a regular file with FFmpeg. Raises `VideoNotFoundError` or `VideoDecodeError`, one line each."""
    _check_file(path)
    try:
        container = cast("InputContainer", av.open(str(path), **_LENIENT))  # pyright: ignore[reportUnknownMemberType]
    except (av.error.FFmpegError, OSError) as e:
        raise VideoDecodeError(
            f"{path} cannot be read as a video: {reason(e)}; it is another kind of file or was cut off"
        ) from e
    return container


class Recent(Generic[T]):
    """The values used last, by key, at most ``most`` of them. For several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values = OrderedDict[tuple[str, str], T]()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> T | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: tuple[str, str], value: T) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)


_known = Recent[Track](MAX_KNOWN)


def probe(path: Path) -> Track:
    """The `Track` of a file; the second call for the same content costs a fingerprint.

    Raises `VideoNotFoundError` and `VideoDecodeError`."""
    _check_file(path)
    key = (str(path), fingerprint(path))
    if (found := _known.get(key)) is not None:
        return found
    with open_container(path) as container:
        track = _read_track(container, path, key[1])
    _known.put(key, track)
    return track


def _picture_stream(container: InputContainer, path: Path) -> VideoStream:
    streams = [s for s in container.streams.video if Disposition.attached_pic not in s.disposition]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "none"
        raise VideoDecodeError(f"{path} has no picture track (tracks: {kinds}); give a file with moving pictures")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in streams else streams[0]
    # PyAV's stubs do not say so, but a stream of an unknown codec has no context
    if stream.codec_context is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise VideoDecodeError(f"{path}: FFmpeg has no decoder for its picture track; convert it to H.264 in mp4")
    return stream


def _first_picture(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    problem = "it has no packets"
    for number, packet in enumerate(container.demux(stream)):
        if number > _MAX_FIRST_PACKETS:
            break
        try:
            for frame in packet.decode():
                return frame
        except av.error.FFmpegError as e:
            problem = reason(e)
    raise VideoDecodeError(
        f"{path}: no picture of its {stream.codec_context.name} track can be decoded ({problem}); the file is damaged"
    )


def _read_track(container: InputContainer, path: Path, print_: str) -> Track:
    stream = _picture_stream(container, path)
    first = _first_picture(container, stream, path)
    if stream.time_base is None or first.pts is None:
        raise VideoDecodeError(f"{path}: its pictures carry no times (a bare stream?); put it into mp4 or mkv first")
    start = Fraction(container.start_time or 0, 1_000_000)
    extent = measure(container, stream, path, start)
    if extent.duration_seconds <= 0:
        raise VideoDecodeError(f"{path} lasts 0 s (a single picture?); give a file with moving pictures")
    turns = round(first.rotation / 90) % 4
    width, height = max(1, round(first.width * (stream.sample_aspect_ratio or 1))), first.height
    if turns % 2:
        width, height = height, width
    info = VideoInfo(
        uri=str(path),
        fingerprint=print_,
        duration_seconds=extent.duration_seconds,
        average_fps=float(stream.average_rate or stream.guessed_rate or 0),
        num_frames=stream.frames or None,
        width=width,
        height=height,
        codec=stream.codec_context.name,
        has_audio=bool(container.streams.audio),
        subtitle_tracks=tuple(
            SubtitleTrack(s.index, s.codec_context.name if s.codec_context else "unknown", s.language)
            for s in container.streams.subtitles
        ),
        warnings=extent.warnings,
    )
    context = stream.codec_context
    in_order = container.format.name == "avi" and context.name in ("h264", "hevc") and bool(context.has_b_frames)
    first_pts = stream.start_time or 0 if in_order else first.pts
    return Track(path, stream.index, stream.time_base, start, first_pts, turns, extent.key_pts, info, in_order)
