"""Splitting a long video into 10 s clips by the recipes' split step, beside moviepy (subclipped + write_videofile).

    pip install moviepy && python benchmarks/data_split.py --minutes 60 --peer-minutes 2

A virtual clip is a span of the source: its step is measured on the whole video, with the source step that opens it
and reads its length. Materialized clips and moviepy are measured on a video of ``--peer-minutes`` and scaled to the
whole. Each run is one of the real runner in a new folder, journals included. Fails if a clip is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from moving_scenes import write_long
from video_cut import CLIP_SECONDS, num_frames, with_moviepy

from longtake.compute import Local, Progress
from longtake.datagen.pipeline import Runner
from longtake.datagen.sources import list_videos, source
from longtake.datagen.steps.split import split
from longtake.datagen.store import RunStore
from longtake.video.decode import Video


def run(path: Path, out: Path, *, materialize: bool) -> None:
    steps = [source(), split(clip_seconds=CLIP_SECONDS, materialize=materialize)]
    last = list[Progress]()

    def look(progress: Progress) -> bool:
        last[:] = [progress]
        return True

    asyncio.run(Local().map(lambda: Runner(steps, RunStore(out), videos=path.parent), list_videos(path), look))
    if last[0].now[0]["steps"]["split"]["ok"] != 1:
        raise SystemExit(f"{path} was not split: {last[0].now[0]['steps']}")


def virtual(path: Path, out: Path) -> None:
    run(path, out, materialize=False)


def materialized(path: Path, out: Path) -> None:
    run(path, out, materialize=True)


def check(name: str, path: Path, out: Path) -> None:
    """Raises `SystemExit` when pictures of the video are in no clip file."""
    folders = sorted({file.parent for file in out.rglob("*.mp4")})
    pictures, of = sum(map(num_frames, folders)), Video.open(path).info.num_frames
    if pictures != of:
        raise SystemExit(f"{name}: {pictures} pictures in the clips, {of} in the video")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--peer-minutes", type=float, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "longtake-benchmarks")
    args = parser.parse_args()
    whole, part = (write_long(args.folder, minutes)[0] for minutes in (args.minutes, args.peer_minutes))
    rows: list[tuple[str, Callable[[Path, Path], None], Path]] = [
        ("longtake, virtual", virtual, whole),
        ("longtake, materialized", materialized, part),
    ]
    if importlib.util.find_spec("moviepy"):
        rows.append(("moviepy", with_moviepy, part))
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in rows}
    for _ in range(args.repeats):
        for name, way, path in rows:
            out = args.folder / "split"
            shutil.rmtree(out, ignore_errors=True)
            began, used = time.perf_counter(), sum(os.times()[:4])
            way(path, out)
            seen[name].append((time.perf_counter() - began, sum(os.times()[:4]) - used))
            if way is not virtual:
                check(name, path, out)
    shutil.rmtree(args.folder / "split", ignore_errors=True)
    print(f"{'':24}{'minutes':>9}{'wall s':>9}{'CPU s':>9}{'an hour, wall s':>17}{'CPU s':>9}{'faster':>9}")
    hours = list[tuple[str, float, float, float, float, float]]()
    for name, _, path in rows:
        minutes = Video.open(path).info.duration_seconds / 60
        wall, cpu = (statistics.median(values) for values in zip(*seen[name], strict=True))
        scale = 60 / minutes
        hours.append((name, minutes, wall, cpu, wall * scale, cpu * scale))
    for name, minutes, wall, cpu, hour, hour_cpu in hours:
        faster = f"{hours[-1][4] / hour:8.1f}x" if "moviepy" in seen else ""
        print(f"{name:24}{minutes:9g}{wall:9.2f}{cpu:9.2f}{hour:17.2f}{hour_cpu:9.2f}{faster}")


if __name__ == "__main__":
    main()
