"""A global skim: 64, 256 and 768 frames over an hour, nearest key frame, labelled with its true time.

    python benchmarks/video_skim.py [--minutes 60] [--repeats 3]

decord and OpenCV have no such mode, so they run with what their users call: exact indices, 64 frames.
"""

from __future__ import annotations

from long_video import MODULES, PEERS, arguments, installed, make, measure, show

from longtake.video.decode import Video
from longtake.video.frame_cache import CACHE
from longtake.video.sample import uniform

SIZE = (398, 224)


def main() -> None:
    args = arguments(__doc__)
    path = make(args.minutes, args.folder)

    def skim(num_frames: int) -> None:
        CACHE.clear()
        video = Video.open(path)
        assert len(video.frames_at(uniform(video.span, num_frames), size=SIZE, snap="keyframe")) == num_frames

    seconds = uniform(Video.open(path).span, 64)
    peers = [name for name in ("decord", "opencv") if not args.only or name in args.only]
    candidates = {"longtake, 64 snapped": lambda: skim(64)}
    for name in peers:
        if installed(MODULES[name]):
            candidates[f"{name}, 64 exact"] = lambda name=name: PEERS[name](path, seconds, SIZE)
    missing = [name for name in peers if not installed(MODULES[name])]
    show(f"64 frames over {args.minutes} minutes", measure(candidates, args.repeats, missing))
    more = {f"longtake, {n} snapped": lambda n=n: skim(n) for n in (256, 768)}
    show("longtake alone", measure(more, args.repeats))


if __name__ == "__main__":
    main()
