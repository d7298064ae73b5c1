"""Ten seconds somewhere in an hour, 1 and 2 frames a second: a tool call of an agent; once, again, and many at a time.

    python benchmarks/video_crop.py [--minutes 60] [--repeats 3]

LongVT's way is written out here as its code does it: OpenCV reads fps and length, decord decodes at full size as
`qwen_vl_utils` does, pictures are resized by bicubic filtering and become PNG in base64.
"""

from __future__ import annotations

import base64
import io
import os
import resource
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from long_video import MODULES, PEERS, arguments, decoding_alone, installed, make, measure, show
from PIL import Image

from longtake.media import TimeSpan
from longtake.video.decode import Video
from longtake.video.frame_cache import CACHE
from longtake.video.sample import by_fps

SIZE = (392, 224)
MAX_PIXELS = SIZE[0] * SIZE[1]
NUM_CROPS = 200


def encoded(pictures: np.ndarray, format: str) -> list[str]:
    texts: list[str] = []
    for picture in pictures:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format, quality=85)
        texts.append(base64.b64encode(buffer.getvalue()).decode())
    return texts


def longvt(path: Path, seconds: list[float]) -> list[str]:
    import cv2
    import decord

    capture = cv2.VideoCapture(str(path))
    capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    reader = decord.VideoReader(str(path))
    whole = reader.get_batch([int(t * reader.get_avg_fps()) for t in seconds]).asnumpy()
    small = [np.asarray(Image.fromarray(picture).resize(SIZE, Image.Resampling.BICUBIC)) for picture in whole]
    return encoded(np.stack(small), "PNG")


def main() -> None:
    args = arguments(__doc__)
    path = make(args.minutes, args.folder)
    video = Video.open(path)
    starts = np.random.default_rng(0).uniform(0, video.info.duration_seconds - 10, args.repeats).tolist()
    for fps in (1, 2):
        turn: dict[str, int] = {}

        def span(name: str, turn: dict[str, int] = turn) -> TimeSpan:
            turn[name] = turn.get(name, -1) + 1
            return TimeSpan(starts[turn[name] % len(starts)], starts[turn[name] % len(starts)] + 10)

        def crop(fps: int = fps, span=span) -> None:
            CACHE.clear()
            encoded(Video.open(path).frames_in(span("longtake"), fps=fps, max_pixels=MAX_PIXELS).pixels, "JPEG")

        def again(fps: int = fps, turn: dict[str, int] = turn) -> None:
            start = starts[turn["longtake"] % len(starts)]
            video.frames_in(TimeSpan(start, start + 10), fps=fps, max_pixels=MAX_PIXELS)

        candidates = {
            "longtake": crop,
            "longtake, the same span again": again,
            "decoding alone, one thread": lambda fps=fps, span=span: decoding_alone(
                path, by_fps(span("alone"), fps, 99)
            ),
        }
        if installed("decord") and installed("cv2"):
            candidates["LongVT's way"] = lambda fps=fps, span=span: longvt(path, by_fps(span("longvt"), fps, 99))
        names = [name for name in PEERS if not args.only or name in args.only]
        for name in names:
            if installed(MODULES[name]):
                candidates[name] = lambda name=name, fps=fps, span=span: PEERS[name](
                    path, by_fps(span(name), fps, 99), SIZE
                )
        missing = [name for name in names if not installed(MODULES[name])]
        show(f"10 s at {fps} fps, random places in {args.minutes} minutes", measure(candidates, args.repeats, missing))
    many_at_a_time(path, video)


def many_at_a_time(path: Path, video: Video) -> None:
    """Throughput of many concurrent crops against what the cores can decode."""
    CACHE.clear()
    starts = np.random.default_rng(1).uniform(0, video.info.duration_seconds - 10, NUM_CROPS).tolist()
    sampled = starts[:12]
    alone: list[float] = []
    for start in sampled:
        begin = time.process_time()
        decoding_alone(path, by_fps(TimeSpan(start, start + 10), 1, 99))
        alone.append(time.process_time() - begin)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(NUM_CROPS) as pool:
        # the pictures are let go at once, as an agent does when they have been encoded
        sizes = pool.map(lambda s: len(video.frames_in(TimeSpan(s, s + 10), fps=1, max_pixels=MAX_PIXELS)), starts)
        assert sum(sizes) == 10 * NUM_CROPS
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    cores = os.cpu_count() or 1
    limit = statistics.mean(alone) * NUM_CROPS / cores
    print(f"\n{NUM_CROPS} concurrent crops: {wall:.1f} s wall, {cpu:.1f} s CPU")
    print(f"limit of {cores} cores: {limit:.1f} s; ratio {wall / limit:.2f}, by CPU {cpu / limit / cores:.2f}")
    print(f"peak memory grew by {grown:.0f} MB, the frame cache holds {CACHE.num_bytes >> 20} MB")


if __name__ == "__main__":
    main()
