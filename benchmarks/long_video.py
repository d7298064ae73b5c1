"""The test video of the video benchmarks, and how they measure. Not a benchmark itself.

A minute of moving 720p content is encoded once (H.264, 25 frames/s, a key frame every 250 frames, B-frames); its
packets are repeated with later times until the video is as long as wanted.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 25
WIDTH, HEIGHT = 1280, 720


def arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--minutes", type=int, default=60, help="length of the test video")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each; medians are printed")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/.videos"), help="where test videos are kept")
    parser.add_argument("--only", nargs="*", help="names of the candidates to run")
    return parser.parse_args()


def make(minutes: int, folder: Path) -> Path:
    """The test video; made if it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    path, minute = folder / f"moving_{minutes}min.mp4", folder / "moving_1min.mp4"
    if not minute.exists():
        _encode(minute, 60 * FPS)
    if not path.exists():
        _repeat(minute, path, minutes)
    return path


def _encode(path: Path, num_frames: int) -> None:
    noise = np.random.default_rng(0)
    coarse = noise.integers(0, 255, (90, 160, 3), dtype=np.uint8)
    texture = av.VideoFrame.from_ndarray(coarse, format="rgb24").reformat(2560, 1440, "rgb24", interpolation="BICUBIC")
    wide = texture.to_ndarray()
    grain = noise.integers(0, 4, (HEIGHT * 2, WIDTH * 2, 1), dtype=np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 250
        stream.codec_context.max_b_frames = 3
        for i in range(num_frames):
            x, y = int(640 * (1 + np.sin(i / 90))), int(360 * (1 + np.cos(i / 70)))
            picture = wide[y : y + HEIGHT, x : x + WIDTH] // 2
            left, top = (i * 7) % (WIDTH - 200), (i * 3) % (HEIGHT - 150)
            picture[top : top + 150, left : left + 200] += 100
            shift = (i * 131) % HEIGHT
            picture = picture + grain[shift : shift + HEIGHT, :WIDTH]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))


def _repeat(source: Path, target: Path, times: int) -> None:
    with av.open(str(source)) as inp:
        stream = inp.streams.video[0]
        packets = [packet for packet in inp.demux(stream) if packet.size]
        stamps = [(packet.pts, packet.dts) for packet in packets]
        length = round(60 / stream.time_base)
        with av.open(str(target), "w") as out:
            copy = out.add_stream_from_template(stream)
            for turn in range(times):
                for packet, (pts, dts) in zip(packets, stamps, strict=True):
                    packet.stream, packet.time_base = copy, stream.time_base
                    packet.pts, packet.dts = pts + turn * length, dts + turn * length
                    out.mux_one(packet)


@dataclass(frozen=True)
class Measured:
    name: str
    wall_seconds: float
    cpu_seconds: float


def installed(module: str) -> bool:
    """Whether a peer can be imported; some are installed but lack a library of the system."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def measure(candidates: dict[str, Callable[[], object]], repeats: int, skipped: Sequence[str] = ()) -> list[Measured]:
    """Medians over ``repeats`` rounds; in each round every candidate runs once, so all see the same machine."""
    walls: dict[str, list[float]] = {name: [] for name in candidates}
    cpus: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, run in candidates.items():
            wall, cpu = time.perf_counter(), _cpu()
            run()
            walls[name].append(time.perf_counter() - wall)
            cpus[name].append(_cpu() - cpu)
    for name in skipped:
        print(f"skipped (cannot be imported): {name}")
    return [Measured(name, statistics.median(walls[name]), statistics.median(cpus[name])) for name in candidates]


def _cpu() -> float:
    """CPU seconds of this process and of children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def show(title: str, rows: Sequence[Measured]) -> None:
    """A table; ratios are against the first row."""
    base = rows[0]
    print(f"\n{title}\n| how | wall s | CPU s | wall ratio | CPU ratio |\n|---|---|---|---|---|")
    for row in rows:
        ratios = f"{row.wall_seconds / base.wall_seconds:.2f} | {row.cpu_seconds / max(base.cpu_seconds, 1e-9):.2f}"
        print(f"| {row.name} | {row.wall_seconds:.3f} | {row.cpu_seconds:.3f} | {ratios} |", flush=True)


# ------------------------------------------------------------------------------------------------------- peers


def with_decord(path: Path, seconds: Sequence[float], size: tuple[int, int]) -> object:
    import decord

    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), width=size[0], height=size[1])
    return reader.get_batch([int(t * reader.get_avg_fps()) for t in seconds]).asnumpy()


def with_opencv(path: Path, seconds: Sequence[float], size: tuple[int, int]) -> object:
    import cv2

    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS)
    pictures = []
    for t in seconds:
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(t * fps))
        _, picture = capture.read()
        pictures.append(cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB))
    capture.release()
    return np.stack(pictures)


def with_torchcodec(path: Path, seconds: Sequence[float], size: tuple[int, int]) -> object:
    import torch
    from torchcodec.decoders import VideoDecoder

    batch = VideoDecoder(str(path)).get_frames_played_at(list(seconds)).data
    small = torch.nn.functional.interpolate(batch.float(), size=(size[1], size[0]), mode="area")
    return small.byte().permute(0, 2, 3, 1).numpy()


def with_moviepy(path: Path, seconds: Sequence[float], size: tuple[int, int]) -> object:
    from moviepy import VideoFileClip

    with VideoFileClip(str(path), target_resolution=size, audio=False) as clip:
        return np.stack([clip.get_frame(t) for t in seconds])


PEERS = {"decord": with_decord, "opencv": with_opencv, "torchcodec": with_torchcodec, "moviepy": with_moviepy}
MODULES = {"decord": "decord", "opencv": "cv2", "torchcodec": "torchcodec", "moviepy": "moviepy"}


def decoding_alone(path: Path, seconds: Sequence[float]) -> None:
    """Decodes what the pictures at ``seconds`` need and nothing else, on one thread, without resizing."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        base = stream.time_base or Fraction(1)
        for begin, targets in _by_key_frame(stream, [int(t / base) for t in seconds]):
            container.seek(begin, stream=stream)
            stream.codec_context.flush_buffers()
            frame = round(1 / base) // FPS
            left = {begin + (target - begin) // frame * frame for target in targets}
            for packet in container.demux(stream):
                stream.codec_context.skip_frame = "DEFAULT" if packet.pts in left else "NONREF"
                left.discard(packet.pts)
                packet.decode()
                if not left:
                    stream.codec_context.decode(None)
                    break


def _by_key_frame(stream: av.VideoStream, targets: Sequence[int]) -> list[tuple[int, list[int]]]:
    entries = [entry.timestamp for entry in stream.index_entries if entry.is_keyframe]
    # presentation is as much later than decoding as the first key frame is before zero
    keys = np.array(entries) - entries[0]
    groups: dict[int, list[int]] = {}
    for target in targets:
        groups.setdefault(int(keys[np.searchsorted(keys, target, side="right") - 1]), []).append(target)
    return sorted(groups.items())
