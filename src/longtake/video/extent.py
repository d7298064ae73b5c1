"""How far the data of a video file really reaches, and where its key frames are.

Headers promise; this looks. It reads the container's index and the end of the file, never the middle, and decodes
nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from ..errors import VideoDecodeError

__all__ = ["Extent", "measure", "scan_keys"]

_CLUSTER = b"\x1f\x43\xb6\x75"
_SEGMENT = b"\x18\x53\x80\x67"
_MIB = 1 << 20
_MAX_TAIL_PACKETS = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """``key_pts``: presentation times of the key frames in ticks of the picture track, int64 ascending, None where
    the container does not list them. ``warnings``: what does not agree with the header."""

    duration_seconds: float
    key_pts: npt.NDArray[np.int64] | None
    warnings: tuple[str, ...] = ()


def measure(container: InputContainer, stream: VideoStream, path: Path, start: Fraction) -> Extent:
    """``start``: the container's start in seconds. Raises `VideoDecodeError` where no time can be told at all."""
    header = container.duration / 1e6 if container.duration else None
    if "mp4" in container.format.name:
        return _measure_mp4(container, stream, path, start, header)
    cut_off = False
    if "matroska" in container.format.name:
        end, cut_off = _matroska_end(path)
        header = _without_start(header, end, float(start))
    elif container.format.name == "mpegts":
        # FFmpeg has read the times at the end of the file already
        end = None
    else:
        end = _last_seconds(_from_the_end(container, stream))
    data_end = None if end is None else end - float(start)
    if header is None and data_end is None:
        raise VideoDecodeError(f"{path} says nothing about time (a bare stream?); put it into mp4 or mkv first")
    keys = _listed_keys(container, stream, data_end or header or 0.0)
    if header is None or data_end is None:
        return Extent(header or data_end or 0.0, keys)
    short = header - data_end
    if cut_off and short > 0.1:
        warning = _truncated(header, data_end)
    elif short > max(2.0, 0.1 * header):
        warning = f"the header says {header:.1f} s, but the data end at {data_end:.1f} s; only that part is used"
    else:
        return Extent(header, keys)
    if keys is not None:
        keys = keys[keys < (data_end + float(start)) / float(stream.time_base or 1)]
    return Extent(data_end, keys if keys is not None and len(keys) else None, (warning,))


def scan_keys(path: Path, index: int, in_order: bool) -> npt.NDArray[np.int64]:
    """Key frames of stream ``index`` in ticks, int64 ascending, by reading every packet: for files without an index.

    ``in_order``: as in `probe.Track`."""
    try:
        with av.open(str(path)) as container:
            packets = container.demux(container.streams[index])
            stamps = ((packet.dts if in_order else packet.pts) for packet in packets if packet.is_keyframe)
            keys = {stamp for stamp in stamps if stamp is not None}
    except av.error.FFmpegError as e:
        raise VideoDecodeError(f"{path}: its key frames cannot be listed: {e.strerror}; use snap='exact'") from e
    return np.array(sorted(keys), dtype=np.int64)


def _without_start(header: float | None, end: float | None, start: float) -> float | None:
    """How long a Matroska file lasts by its header, in seconds. Most writers count from zero on, some from the first
    picture or sound: what is nearer to the ``end`` of the data is meant."""
    if header is None or header <= start or (end is not None and abs(header + start - end) < abs(header - end)):
        return header
    return header - start


def _truncated(header: float, data_end: float) -> str:
    return (
        f"the file is truncated: the header says {header:.1f} s, the data end at {data_end:.1f} s; "
        "only that part is used"
    )


# ----------------------------------------------------------------------------------------------------- mp4, mov


def _measure_mp4(
    container: InputContainer, stream: VideoStream, path: Path, start: Fraction, header: float | None
) -> Extent:
    """The sample table lists every frame by decoding time, with its place in the file."""
    base = stream.time_base or Fraction(1)
    entries = stream.index_entries
    if not len(entries):
        raise VideoDecodeError(f"{path} lists no pictures in its index; it was cut off or never finished")
    size, last = path.stat().st_size, entries[-1]
    last_seconds = float(last.timestamp * base - start)
    duration = header if header is not None else last_seconds
    warnings: tuple[str, ...] = ()
    keys = np.array([e.timestamp for e in entries if e.is_keyframe and not e.is_discard], dtype=np.int64)
    if last.pos + last.size > size:
        lost = next(e.timestamp for e in entries if e.pos + e.size > size)
        # whatever is shown before the decoding time of the first lost frame is there
        data_end = float(lost * base - start)
        if data_end <= 0:
            raise VideoDecodeError(
                f"{path} is truncated: the header says {duration:.1f} s, but no picture is whole; fetch it again"
            )
        warnings = (_truncated(duration, data_end),)
        duration = data_end
        keys = keys[keys < lost]
    # of a fragmented file only the fragments met so far may be listed
    covered = header is None or last_seconds > 0.5 * header
    if not len(keys) or not covered:
        return Extent(duration, None, warnings)
    return Extent(duration, _shown(container, stream, keys), warnings)


def _shown(container: InputContainer, stream: VideoStream, keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """From decoding to presentation times. The distance is the same all through most files; where it is not at
    three places, every key frame is looked up."""

    def distance(key: int) -> int | None:
        container.seek(key, stream=stream)
        packet = next(iter(container.demux(stream)), None)
        return None if packet is None or packet.pts is None or packet.dts is None else packet.pts - packet.dts

    samples = {distance(int(keys[i])) for i in (0, len(keys) // 2, -1)}
    if len(samples) == 1:
        return keys + (samples.pop() or 0)
    return np.sort(np.array([int(key) + (distance(int(key)) or 0) for key in keys], dtype=np.int64))


# ---------------------------------------------------------------------------------------------- other containers


def _listed_keys(container: InputContainer, stream: VideoStream, seconds: float) -> npt.NDArray[np.int64] | None:
    """Key frames as an index (Matroska cues) lists them. One that covers less than half of ``seconds`` is no index
    but what was met while opening."""
    if "matroska" not in container.format.name:
        return None
    try:
        container.seek(stream.start_time or 0, stream=stream)
    except av.error.FFmpegError:
        return None
    keys = np.array(sorted({e.timestamp for e in stream.index_entries if e.is_keyframe}), dtype=np.int64)
    if len(keys) < 2 or float(int(keys[-1] - keys[0]) * (stream.time_base or 0)) < 0.5 * seconds:
        return None
    return keys


def _from_the_end(container: InputContainer, stream: VideoStream) -> Iterator[Packet[Stream]]:
    try:
        container.seek(1 << 40, stream=stream)
    except av.error.FFmpegError:
        return
    yield from container.demux()


def _last_seconds(packets: Iterator[Packet[Stream]]) -> float | None:
    """When the last of ``packets`` ends on the container's clock; None if that cannot be told cheaply."""
    end: float | None = None
    try:
        for number, packet in enumerate(packets):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.time_base and packet.size and packet.stream.type in ("video", "audio"):
                end = max(end or 0.0, float((stamp + (packet.duration or 0)) * packet.time_base))
            if number > _MAX_TAIL_PACKETS:
                return None
    except av.error.FFmpegError:
        # a broken last packet: what was read before it counts
        pass
    return end


def _matroska_end(path: Path) -> tuple[float | None, bool]:
    """When the data of a Matroska or WebM file end, and whether the file is shorter than it says.

    A streamed file has no cues, so seeking in it would read all of it. Its header and its last clusters put together
    are a small file of their own."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_MIB)
        while _CLUSTER not in head and len(head) < min(size, 64 * _MIB):
            head += file.read(len(head))
        first = head.find(_CLUSTER)
        if first < 0:
            return None, False
        cut_off = _segment_end(head[:first]) > size
        for tail_bytes in (2 * _MIB, 32 * _MIB):
            file.seek(max(first, size - tail_bytes))
            tail = file.read()
            begin = tail.find(_CLUSTER)
            if begin < 0:
                continue
            spliced = io.BytesIO(head[:first] + tail[begin:])
            try:
                with av.open(spliced, "r", format="matroska") as container:
                    end = _last_seconds(iter(container.demux()))
            except av.error.FFmpegError:
                continue
            if end is not None:
                return end, cut_off
    return None, cut_off


def _segment_end(head: bytes) -> int:
    """Where the segment of a Matroska file should end, in bytes from the start; 0 where the header does not say."""
    at = head.find(_SEGMENT) + len(_SEGMENT)
    if at < len(_SEGMENT) or at >= len(head) or head[at] == 0:
        return 0
    length = 9 - head[at].bit_length()
    size = int.from_bytes(head[at : at + length], "big") & ((1 << (7 * length)) - 1)
    unknown = (1 << (7 * length)) - 1
    return 0 if size == unknown else at + length + size
