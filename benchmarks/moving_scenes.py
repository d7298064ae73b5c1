"""A long video of moving scenes with known cuts, for benchmarks: two minutes are encoded, then their packets repeat.

Scenes pan over textures of their own with things moving across, last 1.5 to 12 s, and change by cuts, but for some
fades through black. There are flashes and still scenes, as in real films.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

FPS = 25
Pixels = npt.NDArray[np.uint8]


def _texture(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Smooth noise in several sizes around a colour of its own."""
    picture = np.zeros((height, width, 3), np.float32)
    for size, weight in ((8, 60), (32, 30), (128, 14)):
        coarse = rng.normal(size=(size, size * 2, 3)).astype(np.float32) * weight
        frame = av.VideoFrame.from_ndarray(np.clip(coarse + 128, 0, 255).astype(np.uint8), "rgb24")
        picture += frame.reformat(width, height, interpolation="BICUBIC").to_ndarray().astype(np.float32) - 128
    return np.clip(picture + rng.uniform(40, 215, 3), 0, 255).astype(np.uint8)


def frames(seconds: int, width: int, height: int, cuts: list[float], seed: int = 7) -> Iterator[Pixels]:
    """RGB pictures (height, width, 3); ``cuts`` is filled with the seconds of the changes."""
    rng = np.random.default_rng(seed)
    made, total = 0, seconds * FPS
    while made < total:
        length = min(int(rng.uniform(1.5, 12) * FPS), total - made)
        if total - made - length < 2 * FPS:
            length = total - made
        if made:
            cuts.append(made / FPS)
        field = _texture(rng, height + 200, width + 400)
        kind = rng.choice(["pan", "still", "flash"], p=[0.75, 0.15, 0.1])
        fade = made > 0 and rng.random() < 0.12
        speed = rng.uniform(-1.2, 1.2, 2) if kind != "still" else np.zeros(2)
        boxes = [(rng.integers(0, 255, 3), rng.uniform(0, 1, 2), rng.uniform(-0.004, 0.004, 2)) for _ in range(4)]
        for n in range(length):
            y, x = (int(100 + np.clip(speed[0] * n, -99, 99)), int(200 + np.clip(speed[1] * n, -199, 199)))
            picture = field[y : y + height, x : x + width].copy()
            for colour, place, step in boxes if kind != "still" else ():
                top, left = ((place + step * n) % 0.85 * (height, width)).astype(int)
                picture[top : top + height // 7, left : left + width // 9] = colour
            if kind == "flash" and length // 2 <= n < length // 2 + 2:
                picture = np.full_like(picture, 250)
            if fade and n < 12:  # the change itself is at the blackest picture
                picture = (picture * (n / 12)).astype(np.uint8)
            yield picture
        made += length


def write_minutes(path: Path, seconds: int, width: int, height: int) -> list[float]:
    """Encodes H.264 as most files are (key frames at cuts and at least every 250 pictures) with sound; its cuts."""
    cuts: list[float] = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        sound = out.add_stream("aac", rate=48000, layout="mono")
        silence = np.random.default_rng(0).normal(scale=0.05, size=(1, 1920)).astype(np.float32)
        for number, picture in enumerate(frames(seconds, width, height, cuts)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            noise = av.AudioFrame.from_ndarray(silence, "fltp", "mono")
            noise.sample_rate, noise.pts = 48000, number * 1920
            out.mux(sound.encode(noise))
        out.mux(stream.encode())
        out.mux(sound.encode())
    return cuts


def write_long(folder: Path, minutes: float, *, width: int = 1280, height: int = 720) -> tuple[Path, list[float]]:
    """A video of ``minutes`` in ``folder`` (kept for the next run) and the seconds of its scene changes."""
    run = min(120, int(minutes * 60))
    once, path = folder / f"once_{run}_{height}.mp4", folder / f"scenes_{minutes:g}min_{height}.mp4"
    folder.mkdir(parents=True, exist_ok=True)
    listed = once.with_suffix(".txt")
    if not listed.exists():
        cuts = write_minutes(once, run, width, height)
        listed.write_text("\n".join(str(cut) for cut in cuts))
    cuts = [float(line) for line in listed.read_text().split()]
    times = round(minutes * 60 / run)
    if not path.exists():
        unfinished = path.with_suffix(".part.mp4")
        _repeat(once, unfinished, times, Fraction(run))
        unfinished.rename(path)
    joints = [turn * run for turn in range(1, times)]
    return path, sorted([turn * run + cut for turn in range(times) for cut in cuts] + joints)


def _repeat(source: Path, target: Path, times: int, length: Fraction) -> None:
    with av.open(str(source)) as inp, av.open(str(target), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in inp.streams}
        stored = [p for p in inp.demux() if p.size]
        stamps = [(p.pts, p.dts, p.time_base, p.stream.index) for p in stored]
        for turn in range(times):
            for packet, (pts, dts, time_base, index) in zip(stored, stamps, strict=True):
                if index and turn * length + (pts + 2048) * time_base > (turn + 1) * length:
                    continue  # the sound of the next turn begins a packet early
                shift = round(turn * length / time_base)
                packet.stream, packet.time_base = streams[index], time_base
                packet.pts, packet.dts = pts + shift, dts + shift
                out.mux_one(packet)
