"""Scenes of made videos whose changes are known to the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clips import Pixels, repeat, truncate, write_frames
from longtake.errors import SpanError, VideoError
from longtake.media import TimeSpan
from longtake.video.decode import Video
from longtake.video.scenes import detect

WIDTH, HEIGHT = 192, 108
X264 = {"preset": "veryfast"}


class Scene:
    """Smooth noise of its own that can be panned over."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        coarse = np.clip(rng.normal(0, 45, (10, 24, 3)) + rng.uniform(50, 205, 3), 0, 255).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(coarse, "rgb24")
        self.field = frame.reformat(4 * WIDTH, 2 * HEIGHT, interpolation="BICUBIC").to_ndarray()

    def at(self, x: int = 0, y: int = 0) -> Pixels:
        x, y = x % (3 * WIDTH), y % HEIGHT
        return np.ascontiguousarray(self.field[y : y + HEIGHT, x : x + WIDTH])


def shots(lengths: Sequence[int], speed: int = 1) -> Iterator[Pixels]:
    for seed, length in enumerate(lengths):
        scene = Scene(seed)
        for n in range(length):
            yield scene.at(speed * n, n // 3)


def write(path: Path, pictures: Iterator[Pixels], **settings: Any) -> Video:
    write_frames(path, enumerate(pictures), **{"gop": 250, "options": X264, **settings})
    return Video.open(path)


def changes(video: Video, **settings: Any) -> list[float]:
    scenes = detect(video, **settings)
    assert scenes[0].start == 0
    assert scenes[-1].end == video.info.duration_seconds
    assert all(a.end == b.start for a, b in pairwise(scenes))
    return [scene.start for scene in scenes[1:]]


def edges(lengths: Sequence[int], fps: float = 25) -> list[float]:
    return [float(frame / fps) for frame in np.cumsum(lengths)[:-1]]


LENGTHS = (37, 61, 22, 118, 53, 40)
CODECS: dict[str, tuple[str, dict[str, Any]]] = {
    "key frames at cuts": ("a.mp4", {"bframes": 3}),
    "no key frames at cuts": ("a.mp4", {"gop": 1000, "bframes": 3, "options": {**X264, "sc_threshold": "0"}}),
    "short groups": ("a.mkv", {"gop": 12, "options": {**X264, "sc_threshold": "0"}}),
    "ntsc": ("a.mov", {"fps": Fraction(30000, 1001)}),
    "hevc": ("a.mp4", {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none"}}),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    "mpeg4": ("a.avi", {"codec": "mpeg4", "gop": 50, "bframes": 0, "options": {"qscale": "4"}}),
    "10 bit": ("a.mkv", {"pix_fmt": "yuv420p10le"}),
    "4:4:4": ("a.mp4", {"pix_fmt": "yuv444p"}),
    "turned": ("a.mp4", {"rotation": 90}),
}


@pytest.mark.parametrize("codec", CODECS)
def test_cuts_are_found_to_the_picture(codec: str, tmp_path: Path) -> None:
    name, settings = CODECS[codec]
    video = write(tmp_path / name, shots(LENGTHS), **settings)
    assert changes(video) == pytest.approx(edges(LENGTHS, settings.get("fps", 25)), abs=0.0011)


def test_variable_frame_rate(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    ticks = np.cumsum(rng.integers(15, 90, sum(LENGTHS))).tolist()
    path = tmp_path / "vfr.mp4"
    frames = zip(ticks, shots(LENGTHS), strict=True)
    write_frames(path, frames, time_base=Fraction(1, 1000), gop=250, options=X264)
    expected = [(ticks[n] - ticks[0]) / 1000 for n in np.cumsum(LENGTHS)[:-1]]
    assert changes(Video.open(path)) == pytest.approx(expected, abs=1e-6)


def test_a_still_video_is_one_scene(tmp_path: Path) -> None:
    picture = Scene(1).at()
    video = write(tmp_path / "a.mp4", (picture for _ in range(300)), gop=50)
    assert detect(video) == [TimeSpan(0, 12)]


def test_a_fast_pan_is_not_a_cut(tmp_path: Path) -> None:
    assert changes(write(tmp_path / "a.mp4", shots([60, 200], speed=7))) == pytest.approx([2.4])


@pytest.mark.parametrize("gop", [20, 250])
def test_a_flash_is_not_a_cut(gop: int, tmp_path: Path) -> None:
    def pictures() -> Iterator[Pixels]:
        for n, picture in enumerate(shots([100, 100])):
            yield np.full_like(picture, 250) if n in (40, 41, 150, 151, 152) else picture

    assert changes(write(tmp_path / "a.mp4", pictures(), gop=gop)) == pytest.approx([4.0])


def test_a_fade_through_black_is_one_change(tmp_path: Path) -> None:
    def pictures() -> Iterator[Pixels]:
        for n, picture in enumerate(shots([100, 100])):
            yield (picture * min(1.0, abs(n - 100) / 25)).astype(np.uint8)

    (change,) = changes(write(tmp_path / "a.mp4", pictures()))
    assert change == pytest.approx(4.0, abs=0.13)


def test_a_fade_in_at_the_start_and_out_at_the_end_are_no_changes(tmp_path: Path) -> None:
    def pictures() -> Iterator[Pixels]:
        for n, picture in enumerate(shots([150])):
            yield (picture * min(1.0, n / 20, (149 - n) / 20)).astype(np.uint8)

    assert changes(write(tmp_path / "a.mp4", pictures())) == []


def test_there_and_back_within_a_calm_group_of_pictures(tmp_path: Path) -> None:
    # both key frames of the group look alike; only the sizes of packets tell
    def pictures() -> Iterator[Pixels]:
        one, other = Scene(1).at(), Scene(2).at()
        for n in range(200):
            yield other if 50 <= n < 90 else one

    video = write(tmp_path / "a.mp4", pictures(), gop=100, options={**X264, "sc_threshold": "0"})
    assert changes(video) == pytest.approx([2.0, 3.6])


def test_short_scenes_are_joined(tmp_path: Path) -> None:
    lengths = (50, 8, 60, 50)
    video = write(tmp_path / "a.mp4", shots(lengths))
    assert changes(video, min_scene_seconds=0) == pytest.approx(edges(lengths))
    for least in (0.5, 2.3, 100.0):
        scenes = detect(video, min_scene_seconds=least)
        assert all(scene.duration >= least for scene in scenes) or len(scenes) == 1
    assert len(detect(video)) == 3


def test_threshold_decides_how_much_is_a_cut(tmp_path: Path) -> None:
    video = write(tmp_path / "a.mp4", shots(LENGTHS))
    assert changes(video, threshold=200) == []
    with pytest.raises(SpanError, match="threshold=0"):
        detect(video, threshold=0)
    with pytest.raises(SpanError, match="min_scene_seconds=-1"):
        detect(video, min_scene_seconds=-1)


def test_a_truncated_file_has_the_scenes_that_are_left(tmp_path: Path) -> None:
    video = write(tmp_path / "a.mp4", shots(LENGTHS), container_options={"movflags": "faststart"})
    truncate(video.path, 0.6)
    found = changes(Video.open(video.path))
    assert found[:2] == pytest.approx(edges(LENGTHS)[:2])
    assert set(np.round(found, 3)) <= {*np.round(edges(LENGTHS), 3)}


def test_a_long_video_of_still_pictures(tmp_path: Path) -> None:
    pictures = (Scene(n // 30).at() for n in range(60))
    one = write(tmp_path / "one.mp4", pictures, fps=1, gop=30, options={**X264, "sc_threshold": "0"})
    repeat(one.path, tmp_path / "long.mp4", 60)
    assert changes(Video.open(tmp_path / "long.mp4")) == pytest.approx([30.0 * n for n in range(1, 120)])


def test_real_footage(shared_videos: Path) -> None:
    scenes = detect(Video.open(shared_videos / "billiards_22s.mp4"))
    assert sum(scene.duration for scene in scenes) == pytest.approx(scenes[-1].end)


def test_a_check_ends_the_search(tmp_path: Path) -> None:
    video = write(tmp_path / "a.mp4", shots([50, 50]))
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 70:
            raise VideoError("stopped")

    with pytest.raises(VideoError, match="stopped"):
        detect(video, check=check)
    assert len(detect(video)) == 2
