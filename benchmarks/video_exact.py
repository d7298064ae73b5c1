"""64 exact frames, uniform over an hour.

    python benchmarks/video_exact.py [--minutes 60] [--repeats 3]

Every peer runs with its own defaults and gives RGB at the same size. "decoding alone" decodes what these pictures
need on one thread and throws it away.
"""

from __future__ import annotations

from long_video import MODULES, PEERS, arguments, decoding_alone, installed, make, measure, show

from longtake.video.decode import Video
from longtake.video.frame_cache import CACHE
from longtake.video.sample import uniform

SIZE = (398, 224)


def main() -> None:
    args = arguments(__doc__)
    path = make(args.minutes, args.folder)
    seconds = uniform(Video.open(path).span, 64)

    def exact() -> None:
        CACHE.clear()
        assert len(Video.open(path).frames_at(seconds, size=SIZE)) == 64

    names = [name for name in ("decord", "opencv", "torchcodec") if not args.only or name in args.only]
    candidates = {"longtake": exact, "decoding alone, one thread": lambda: decoding_alone(path, seconds)}
    for name in names:
        if installed(MODULES[name]):
            candidates[name] = lambda name=name: PEERS[name](path, seconds, SIZE)
    missing = [name for name in names if not installed(MODULES[name])]
    show(f"64 exact frames over {args.minutes} minutes", measure(candidates, args.repeats, missing))


if __name__ == "__main__":
    main()
