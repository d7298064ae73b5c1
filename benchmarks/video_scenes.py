"""Scene detection beside PySceneDetect's default, on one file of moving scenes with known changes.

    python benchmarks/video_scenes.py --minutes 60

Prints wall and CPU seconds (medians of alternating runs) and F1: against the changes the file was made with, and
against PySceneDetect. A change counts as found within 0.1 s. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from moving_scenes import write_long

from longtake.video.decode import Video
from longtake.video.scenes import detect

TOLERANCE_SECONDS = 0.1


def longtake(path: Path) -> list[float]:
    return [scene.start for scene in detect(Video.open(path))[1:]]


def pyscenedetect(path: Path) -> list[float]:
    import scenedetect

    return [start.seconds for start, _ in scenedetect.detect(str(path), scenedetect.ContentDetector())[1:]]


def f1(found: Sequence[float], wanted: Sequence[float]) -> float:
    """Each change is matched at most once, in order of time."""
    hits, at = 0, 0
    for change in found:
        while at < len(wanted) and wanted[at] < change - TOLERANCE_SECONDS:
            at += 1
        if at < len(wanted) and wanted[at] <= change + TOLERANCE_SECONDS:
            hits, at = hits + 1, at + 1
    return 2 * hits / max(1, len(found) + len(wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "longtake-benchmarks")
    args = parser.parse_args()
    path, truth = write_long(args.folder, args.minutes)
    ways: dict[str, Callable[[Path], list[float]]] = {"longtake": longtake}
    if importlib.util.find_spec("scenedetect"):
        ways["PySceneDetect"] = pyscenedetect
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, list[float]] = {}
    for _ in range(args.repeats):
        for name, way in ways.items():
            began, used = time.perf_counter(), time.process_time()
            found[name] = way(path)
            wall[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - used)
    print(f"{path.name}: {args.minutes:g} min, {len(truth)} changes")
    print(f"{'':16}{'wall s':>9}{'CPU s':>9}{'changes':>9}{'F1 truth':>10}{'F1 PySceneDetect':>18}")
    for name in ways:
        other = f"{f1(found[name], found['PySceneDetect']):.3f}" if "PySceneDetect" in ways else "-"
        times = f"{statistics.median(wall[name]):9.1f}{statistics.median(cpu[name]):9.1f}"
        print(f"{name:16}{times}{len(found[name]):9}{f1(found[name], truth):10.3f}{other:>18}")
    if "PySceneDetect" in ways:
        ratios = [statistics.median(t["PySceneDetect"]) / statistics.median(t["longtake"]) for t in (wall, cpu)]
        print(f"longtake is {ratios[0]:.1f} times faster (CPU {ratios[1]:.1f}); target: 3 times")


if __name__ == "__main__":
    main()
