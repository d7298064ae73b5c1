"""Test videos made on the spot. A clock video carries its frame number in the picture, so a test can tell which
frame it got.

The code is 16 blocks in a 4 x 4 grid, most significant first, white for 1; blocks are big enough to survive any codec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

__all__ = [
    "Clock",
    "moving",
    "picture_of",
    "read_code",
    "repeat",
    "solid",
    "truncate",
    "write_clock",
    "write_frames",
    "write_tone",
]

Pixels = npt.NDArray[np.uint8]


def picture_of(number: int, width: int = 64, height: int = 48) -> Pixels:
    """uint8 (height, width, 3) that shows ``number`` (below 65536)."""
    bits = (number >> np.arange(15, -1, -1)) & 1
    rows = np.arange(height) * 4 // height
    columns = np.arange(width) * 4 // width
    grid = bits.reshape(4, 4)[rows][:, columns]
    return np.repeat((grid * 215 + 20).astype(np.uint8)[:, :, None], 3, axis=2)


def read_code(pixels: Pixels) -> int:
    """The number a clock picture of any size shows."""
    height, width = pixels.shape[:2]
    value = 0
    for row in range(4):
        for column in range(4):
            y, x = (2 * row + 1) * height // 8, (2 * column + 1) * width // 8
            block = pixels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            value = value * 2 + int(block.mean() > 127)
    return value


def solid(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def moving(num_frames: int, width: int = 160, height: int = 120) -> Iterator[tuple[int, Pixels]]:
    """(tick, picture) of a smooth random texture that drifts: something a codec has to work for."""
    coarse = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    texture = coarse.repeat(16, axis=0).repeat(16, axis=1)
    for i in range(num_frames):
        x, y = int(width / 2 * (1 + np.sin(i / 20))), int(height / 2 * (1 + np.cos(i / 17)))
        yield i, np.ascontiguousarray(texture[y : y + height, x : x + width])


@dataclass(frozen=True)
class Clock:
    """A clock video on disk. ``seconds[i]`` is when frame ``i`` begins on the video clock."""

    path: Path
    seconds: list[float]

    def shown_at(self, t: float) -> int:
        """The number of the frame shown at ``t``."""
        return max(0, int(np.searchsorted(self.seconds, t + 1e-6, side="right")) - 1)


def write_clock(
    path: Path,
    *,
    fps: Fraction | int = 25,
    num_frames: int = 100,
    ticks: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    start_ticks: int = 0,
    audio_start: float | None = None,
    width: int = 64,
    height: int = 48,
    **encoder: Any,
) -> Clock:
    """Frame ``i`` at ``i / fps``, or at ``ticks[i] * time_base`` for a variable rate; all ``start_ticks`` later.

    ``audio_start`` adds a tone that begins so many seconds after the container's zero. ``encoder`` goes to
    `write_frames`."""
    fps = Fraction(fps)
    base = time_base or 1 / fps
    stamps = [start_ticks + tick for tick in (ticks if ticks is not None else range(num_frames))]
    frames = ((stamp, picture_of(i, width, height)) for i, stamp in enumerate(stamps))
    write_frames(path, frames, fps=fps, time_base=base, audio_start=audio_start, **encoder)
    begins = [stamps[0] * base]
    if audio_start is not None:
        # MPEG-TS has no way to say that a sound encoder's first samples are to be dropped
        begins.append(Fraction(audio_start) - (Fraction(481, 48000) if path.suffix == ".ts" else 0))
    return Clock(path, [float(stamp * base - min(begins)) for stamp in stamps])


def write_frames(
    path: Path,
    frames: Iterable[tuple[int, Pixels]],
    *,
    fps: Fraction | int = 25,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int = 25,
    bframes: int = 2,
    rotation: int = 0,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    audio_start: float | None = None,
    audio_seconds: float = 1.0,
    format: str | None = None,
) -> None:
    """Encodes (tick, picture) pairs. Any encoder and container PyAV knows; H.264 defaults to fast and with B-frames."""
    if options is None:
        options = {"preset": "veryfast", "sc_threshold": "0"} if codec == "libx264" else {}
    with av.open(str(path), "w", format=format, options=container_options or {}) as out:
        # stored turned back, so that players that heed the rotation show them upright
        iterator = ((tick, np.ascontiguousarray(np.rot90(pixels, -rotation // 90))) for tick, pixels in frames)
        tick, first = next(iterator)
        stream = out.add_stream(codec, rate=Fraction(fps), options=options)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base or 1 / Fraction(fps)
        stream.codec_context.gop_size = gop
        if codec in ("libx264", "libx265", "mpeg4"):
            stream.codec_context.max_b_frames = bframes
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        tone = None if audio_start is None else _Tone(out, audio_start, audio_seconds)
        if tone is not None:
            tone.write(out)

        def encode(tick: int, pixels: Pixels) -> None:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = tick, stream.codec_context.time_base
            out.mux(stream.encode(frame))

        encode(tick, first)
        for tick, pixels in iterator:
            encode(tick, pixels)
        out.mux(stream.encode(None))


class _Tone:
    """A 440 Hz tone as an audio track."""

    def __init__(self, out: Any, start: float, seconds: float) -> None:
        # AAC and Opus in MPEG-TS would begin before their own first sample
        codec = {"mpegts": "mp2", "webm": "libopus", "matroska": "libopus"}.get(out.format.name, "aac")
        self._rate = 48000
        self._stream = out.add_stream(codec, rate=self._rate, layout="mono")
        self._start = round(start * self._rate)
        self._samples = round(seconds * self._rate)

    def write(self, out: Any) -> None:
        for begin, chunk in self._chunks():
            frame = av.AudioFrame.from_ndarray(chunk, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._start + begin, Fraction(1, self._rate)
            out.mux(self._stream.encode(frame))
        out.mux(self._stream.encode(None))

    def _chunks(self) -> Iterator[tuple[int, npt.NDArray[np.int16]]]:
        for begin in range(0, self._samples, 1152):
            t = np.arange(begin, min(begin + 1152, self._samples)) / self._rate
            yield begin, (np.sin(2 * np.pi * 440 * t) * 8000).astype(np.int16)[None, :]


def write_tone(path: Path, seconds: float = 1.0) -> None:
    """A file with sound and no pictures."""
    with av.open(str(path), "w") as out:
        _Tone(out, 0.0, seconds).write(out)


def repeat(source: Path, target: Path, times: int) -> None:
    """The packets of ``source``'s picture track ``times`` over, each run after the last."""
    with av.open(str(source)) as inp, av.open(str(target), "w") as out:
        stream = inp.streams.video[0]
        copy = out.add_stream_from_template(stream)
        packets = [p for p in inp.demux(stream) if p.size]
        stamps = [(p.pts, p.dts) for p in packets]
        length = max(p.pts + p.duration for p in packets) - min(p.pts for p in packets)
        for turn in range(times):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                packet.stream = copy
                # muxing rescales in place
                packet.time_base = stream.time_base
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                out.mux_one(packet)


def truncate(path: Path, fraction: float) -> None:
    """Cuts off the end of a file: keeps ``fraction`` of its bytes."""
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * fraction))
