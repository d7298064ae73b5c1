"""Splitting into 10 s clips beside moviepy (subclipped + write_videofile, its defaults).

    python benchmarks/video_cut.py --minutes 60 --peer-minutes 5

Copying is measured on the whole file. Exact cutting and moviepy are measured on a file of ``--peer-minutes``; all
times are scaled to the whole. Fails if a picture is lost. moviepy is left out if it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
from moving_scenes import write_long

from longtake.video.cut import split
from longtake.video.decode import Video

CLIP_SECONDS = 10


def with_moviepy(path: Path, out: Path) -> None:
    from moviepy import VideoFileClip

    out.mkdir(parents=True)
    with VideoFileClip(str(path)) as video:
        for number in range(int(video.duration // CLIP_SECONDS)):
            part = video.subclipped(number * CLIP_SECONDS, (number + 1) * CLIP_SECONDS)
            part.write_videofile(str(out / f"{number:05d}.mp4"), logger=None)


def num_frames(folder: Path) -> int:
    total = 0
    for path in sorted(folder.iterdir()):
        with av.open(str(path)) as container:
            total += sum(1 for packet in container.demux(video=0) if packet.size)
    return total


def measure(way: Callable[[Path, Path], object], path: Path, out: Path, repeats: int) -> tuple[float, float, int]:
    """Median wall and CPU seconds (of child processes too), and the pictures in all clips of the last run."""
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(repeats):
        shutil.rmtree(out, ignore_errors=True)
        began, used = time.perf_counter(), sum(os.times()[:4])
        way(path, out)
        wall.append(time.perf_counter() - began)
        cpu.append(sum(os.times()[:4]) - used)
    return statistics.median(wall), statistics.median(cpu), num_frames(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--peer-minutes", type=float, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "longtake-benchmarks")
    args = parser.parse_args()
    whole, _ = write_long(args.folder, args.minutes)
    part, _ = write_long(args.folder, args.peer_minutes)
    clips = args.folder / "clips"

    def copy(path: Path, out: Path) -> None:
        split(Video.open(path), out, seconds=CLIP_SECONDS, mode="copy")

    def exact(path: Path, out: Path) -> None:
        split(Video.open(path), out, seconds=CLIP_SECONDS, mode="exact")

    rows = [("longtake, copy", copy, whole), ("longtake, exact", exact, part)]
    if importlib.util.find_spec("moviepy"):
        rows.append(("moviepy", with_moviepy, part))
    scaled: dict[str, tuple[float, float]] = {}
    print(f"{'':18}{'minutes':>9}{'wall s':>9}{'CPU s':>9}{'wall s scaled':>15}{'pictures':>10}{'of':>8}")
    for name, way, path in rows:
        # what was made is a whole number of two-minute pieces, not always what was asked for
        info = Video.open(path).info
        minutes, of = info.duration_seconds / 60, info.num_frames
        wall, cpu, pictures = measure(way, path, clips, args.repeats)
        if pictures != of:
            raise SystemExit(f"{name}: {pictures} pictures in the clips, {of} in the video")
        scaled[name] = (wall * args.minutes / minutes, cpu * args.minutes / minutes)
        print(f"{name:18}{minutes:9g}{wall:9.1f}{cpu:9.1f}{scaled[name][0]:15.1f}{pictures:10}{of:8}")
    shutil.rmtree(clips, ignore_errors=True)
    if "moviepy" in scaled:
        for name, target in (("longtake, copy", 100), ("longtake, exact", 5)):
            ratios = [theirs / ours for theirs, ours in zip(scaled["moviepy"], scaled[name], strict=True)]
            print(f"{name}: {ratios[0]:.1f} times faster than moviepy (CPU {ratios[1]:.1f}); target: {target} times")


if __name__ == "__main__":
    main()
