from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clips import Clock, picture_of, read_code, repeat, solid, write_clock, write_frames
from longtake.errors import ConfigError, SpanError, VideoDecodeError, VideoTimeoutError
from longtake.media import Box, Frames, TimeSpan
from longtake.types import from_json, to_json
from longtake.video import isolate, workers
from longtake.video.decode import Video
from longtake.video.frame_cache import CACHE, FrameCache, Picture, View
from longtake.video.picture import Look
from longtake.video.reader import Reader


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    CACHE.clear()


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return write_clock(tmp_path_factory.mktemp("clock") / "clock.mp4", num_frames=250)


def check_clock(clock: Clock, video: Video, seconds: list[float]) -> None:
    """Every picture is the one shown then and says when it began."""
    frames = video.frames_at(seconds)
    got = [read_code(picture) for picture in frames.pixels]
    assert got == [clock.shown_at(t) for t in seconds]
    assert frames.seconds == pytest.approx([clock.seconds[i] for i in got], abs=1e-3)


RATES = [15, Fraction(24000, 1001), 25, Fraction(30000, 1001), Fraction(60000, 1001)]


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("fps", RATES, ids=str)
def test_the_clock_is_right_to_the_frame(tmp_path: Path, container: str, fps: Fraction | int) -> None:
    clock = write_clock(tmp_path / f"clock.{container}", fps=fps, num_frames=120, gop=30, bframes=3)
    video = Video.open(clock.path)
    assert video.info.duration_seconds == pytest.approx(120 / fps, abs=0.01)
    assert video.info.average_fps == pytest.approx(float(fps), abs=0.01)
    # within a frame, just after it begins and just before it ends
    seconds = [
        float((i + part) / Fraction(fps)) for i in range(0, 120, 3) for part in (Fraction(1, 20), Fraction(9, 10))
    ]
    check_clock(clock, video, seconds)
    check_clock(clock, video, [*reversed(seconds[:7]), seconds[3], 0.0])


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_a_variable_rate_is_right_to_the_frame(tmp_path: Path, container: str) -> None:
    ticks = np.cumsum(np.random.default_rng(0).integers(5, 400, 100)).tolist()
    clock = write_clock(tmp_path / f"v.{container}", ticks=ticks, time_base=Fraction(1, 1000))
    video = Video.open(clock.path)
    check_clock(clock, video, np.linspace(0, clock.seconds[-1], 80).tolist())


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_the_clock_starts_with_the_container_not_with_the_pictures(tmp_path: Path, container: str) -> None:
    late = write_clock(tmp_path / f"late.{container}", num_frames=50, start_ticks=13, audio_start=0.0)
    video = Video.open(late.path)
    assert late.seconds[0] == pytest.approx(0.52, abs=0.011)
    check_clock(late, video, [0.0, 0.3, 0.53, 0.61, 1.0, 2.21])
    shifted = write_clock(tmp_path / f"shifted.{container}", num_frames=50, start_ticks=250)
    check_clock(shifted, Video.open(shifted.path), [0.0, 0.05, 0.5, 1.9])


def test_nothing_drifts_over_half_an_hour(tmp_path: Path) -> None:
    fps = Fraction(30000, 1001)
    minute = write_clock(tmp_path / "minute.mp4", fps=fps, num_frames=1800, gop=150, width=32, height=24)
    repeat(minute.path, tmp_path / "long.mp4", 30)
    video = Video.open(tmp_path / "long.mp4")
    assert video.info.duration_seconds == pytest.approx(54000 / fps, abs=0.01)
    wanted = list(range(7, 54000, 1499))
    frames = video.frames_at([float((i + Fraction(1, 2)) / fps) for i in wanted])
    assert [read_code(p) for p in frames.pixels] == [i % 1800 for i in wanted]
    assert frames.seconds == pytest.approx([float(i / fps) for i in wanted], abs=1e-4)


def test_any_stored_time_decodes_to_the_same_picture(clock: Clock) -> None:
    video = Video.open(clock.path)
    frames = video.frames_in(TimeSpan(1.01, 4.0), fps=7, max_pixels=100_000)
    stored = from_json(Frames, to_json(frames))
    assert stored.data is None
    assert stored == frames
    loaded = video.load(stored)
    assert loaded == frames
    assert (loaded.pixels == frames.pixels).all()
    assert video.load(frames) is frames


def test_frames_of_another_video_are_not_loaded(clock: Clock) -> None:
    stranger = Frames(np.array([1.0]), 64, 48, "0" * 32)
    with pytest.raises(SpanError, match="fingerprint"):
        Video.open(clock.path).load(stranger)


@pytest.mark.parametrize("t", [-0.1, float("nan"), float("inf"), 10.5])
def test_times_outside_the_video_are_refused(clock: Clock, t: float) -> None:
    with pytest.raises(SpanError, match=r"from 0 to 10\.000 s"):
        Video.open(clock.path).frames_at([1.0, t])


def test_the_end_shows_the_last_picture_and_nothing_asked_gives_nothing(clock: Clock) -> None:
    video = Video.open(clock.path)
    assert read_code(video.frames_at([video.info.duration_seconds]).pixels[0]) == 249
    nothing = video.frames_at([])
    assert nothing.pixels.shape == (0, 48, 64, 3)


def test_clamp_keeps_what_is_inside_and_names_the_duration_otherwise(clock: Clock) -> None:
    video = Video.open(clock.path)
    assert video.span == TimeSpan(0, 10)
    assert video.clamp(TimeSpan(8, 99)) == TimeSpan(8, 10)
    with pytest.raises(SpanError, match=r"10\.000 s"):
        video.clamp(TimeSpan(10, 11))


def test_frames_in_drops_repeated_pictures_and_keeps_to_max_frames(clock: Clock) -> None:
    video = Video.open(clock.path)
    dense = video.frames_in(TimeSpan(2, 3), fps=100, max_frames=500)
    assert [read_code(p) for p in dense.pixels] == list(range(50, 75))
    assert len(video.frames_in(video.span, fps=25, max_frames=10)) == 10
    assert len(video.frames_in(TimeSpan(9.5, 60), fps=2)) == 1


def test_snapped_frames_are_key_frames_with_their_own_time(clock: Clock) -> None:
    video = Video.open(clock.path)
    assert video.keyframe_seconds() == pytest.approx(np.arange(10.0), abs=1e-6)
    frames = video.frames_at([0.0, 0.4, 0.6, 4.9, 9.9, 3.2], snap="keyframe")
    assert frames.seconds.tolist() == [0, 0, 1, 5, 9, 3]
    assert [read_code(p) for p in frames.pixels] == [0, 0, 25, 125, 225, 75]
    assert len(video.frames_in(video.span, fps=4, snap="keyframe")) == 10


def test_snapping_without_an_index_takes_the_key_frame_before(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "clock.ts", num_frames=100)
    video = Video.open(clock.path)
    frames = video.frames_at([0.0, 0.9, 2.1], snap="keyframe")
    assert [read_code(p) for p in frames.pixels] == [0, 0, 50]
    assert video.keyframe_seconds() == pytest.approx([0, 1, 2, 3], abs=1e-6)


def test_sizes(clock: Clock) -> None:
    video = Video.open(clock.path)
    assert video.frames_at([1.0]).pixels.shape == (1, 48, 64, 3)
    assert video.frames_at([1.0], size=(31, 17)).pixels.shape == (1, 17, 31, 3)
    assert video.frames_at([1.0], max_pixels=1000).pixels.shape == (1, 28, 28, 3)
    assert video.frames_at([1.0], min_pixels=50_000).pixels.shape == (1, 196, 280, 3)
    assert read_code(video.frames_at([7.0], size=(333, 111)).pixels[0]) == 175
    with pytest.raises(ConfigError, match="excludes"):
        video.frames_at([1.0], size=(10, 10), max_pixels=5000)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_box_is_cut_out_of_the_upright_picture(tmp_path: Path, rotation: int) -> None:
    picture = np.concatenate([solid((220, 30, 30), 64, 64), solid((30, 30, 220), 64, 64)], axis=1)
    picture[:32, :64] = (30, 200, 30)
    write_frames(tmp_path / "box.mp4", ((i, picture) for i in range(5)), rotation=rotation)
    video = Video.open(tmp_path / "box.mp4")
    assert (video.info.width, video.info.height) == (128, 64)
    for box, colour in [
        (Box(0, 0, 0.5, 0.5), (30, 200, 30)),
        (Box(0, 0.5, 0.5, 1), (220, 30, 30)),
        (Box(0.5, 0, 1, 1), (30, 30, 220)),
    ]:
        frames = video.frames_at([0.1], box=box)
        assert frames.box == box
        assert frames.height == round(64 * (box.bottom - box.top))
        # the chroma of H.264 is at half resolution, so the rim of a region mixes
        assert np.abs(frames.pixels[0][4:-4, 4:-4].astype(int) - colour).max() < 30


def test_a_repeated_or_contained_span_comes_from_memory(tmp_path: Path) -> None:
    minute = write_clock(tmp_path / "s.mp4", num_frames=500, gop=250, width=320, height=240)
    video = Video.open(minute.path)
    first = video.frames_in(TimeSpan(8, 18), fps=2, max_pixels=20_000)
    # the file is gone, so nothing can be decoded any more
    minute.path.unlink()
    again = video.frames_in(TimeSpan(8, 18), fps=2, max_pixels=20_000)
    assert again == first
    assert (again.pixels == first.pixels).all()
    inner = video.frames_in(TimeSpan(10, 14), fps=2, max_pixels=20_000)
    assert inner.seconds.tolist() == first.seconds[4:12].tolist()
    again.pixels[:] = 0
    assert (video.frames_in(TimeSpan(8, 18), fps=2, max_pixels=20_000).pixels == first.pixels).all()


def test_the_cache_is_bounded_in_bytes_and_knows_when_pictures_are_shown() -> None:
    cache = FrameCache(10 * 300)
    view = View("f" * 32, 0, Look(10, 10))
    for i in range(20):
        cache.put(view, Picture(i * 10, i * 10 + 5, np.full((10, 10, 3), i, np.uint8)))
    assert cache.num_bytes == 3000
    assert cache.get(view, 99) is None
    assert cache.get(view, 90) is None
    found = cache.get(view, 134)
    assert found is not None
    assert found.pts == 130
    assert cache.get(view, 135) is None
    assert cache.get(View("f" * 32, 0, Look(10, 9)), 130) is None
    cache.put(view, Picture(0, 9, np.zeros((100, 100, 3), np.uint8)))
    assert cache.num_bytes == 3000


def test_many_threads_share_a_video(clock: Clock) -> None:
    video = Video.open(clock.path)
    wrong: list[object] = []

    def crop(seed: int) -> None:
        start = float(np.random.default_rng(seed).uniform(0, 7))
        frames = video.frames_in(TimeSpan(start, start + 3), fps=5)
        codes = [read_code(p) for p in frames.pixels]
        if codes != [clock.shown_at(start + i / 5) for i in range(15)]:
            wrong.append((start, codes))

    threads = [threading.Thread(target=crop, args=(seed,)) for seed in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_decoder_that_hangs_is_left_at_the_deadline(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    pictures = Reader.pictures

    def hang(self: Reader, targets: Any, *args: Any) -> Any:
        for number, result in enumerate(pictures(self, targets, *args)):
            if number == 2:
                release.wait(20)
            yield result

    monkeypatch.setattr(Reader, "pictures", hang)
    monkeypatch.setattr(workers, "NUM_DECODERS", 1)
    video = Video.open(clock.path, deadline_seconds=0.5)
    begin = time.monotonic()
    with pytest.raises(VideoTimeoutError, match=r"0\.5 s with 2 of 5 pictures decoded, until 1\.200 s"):
        video.frames_at([1.1, 1.2, 1.3, 1.4, 1.5])
    assert time.monotonic() - begin < 3
    release.set()
    monkeypatch.undo()
    # the permit of the thread that hung is free again
    for _ in range(4):
        CACHE.clear()
        assert len(video.frames_at([1.1, 5.1, 9.1])) == 3


def test_probing_that_hangs_is_left_at_the_deadline(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longtake.video.decode.open_track", lambda path, frame_fps: time.sleep(3))
    with pytest.raises(VideoTimeoutError, match="header"):
        Video.open(clock.path, deadline_seconds=0.2)


def test_isolated_decoding_gives_the_same(clock: Clock, tmp_path: Path) -> None:
    video = Video.open(clock.path, isolate=True)
    check_clock(clock, video, [0.0, 3.3, 9.9, 2.0])
    stream = Video.open(write_clock(tmp_path / "a.ts", num_frames=60).path, isolate=True)
    assert stream.keyframe_seconds() == pytest.approx([0, 1, 2], abs=1e-6)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoDecodeError, match="cannot be read as a video"):
        Video.open(tmp_path / "text.mp4", isolate=True)


def test_an_isolated_decoder_that_hangs_is_killed(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import time\n"
        "from longtake.video import isolate, reader\n"
        "pictures = reader.Reader.pictures\n"
        "def hang(self, targets, *args):\n"
        "    for number, result in enumerate(pictures(self, targets, *args)):\n"
        "        time.sleep(60 if number == 1 else 0)\n"
        "        yield result\n"
        "reader.Reader.pictures = hang\n"
        "isolate.serve()\n"
    )
    monkeypatch.setattr(isolate, "_COMMAND", (isolate._COMMAND[0], "-c", script))
    video = Video.open(clock.path, isolate=True, deadline_seconds=4)
    child = video._child
    assert child is not None
    first = child._process
    begin = time.monotonic()
    with pytest.raises(VideoTimeoutError, match=r"1 of 3 pictures decoded, until 2\.000 s"):
        video.frames_at([2.0, 2.1, 2.2])
    assert time.monotonic() - begin < 8
    assert first is not None
    assert first.poll() is not None
    # the next call has a new process
    assert len(video.frames_at([5.0])) == 1


def test_an_isolated_decoder_that_dies_takes_nothing_with_it(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "_COMMAND", (isolate._COMMAND[0], "-c", "import os; os.abort()"))
    with pytest.raises(VideoDecodeError, match="end with code -6"):
        Video.open(clock.path, isolate=True)


def test_colours_come_back(tmp_path: Path) -> None:
    write_frames(tmp_path / "c.mp4", ((i, solid((200, 60, 30))) for i in range(3)))
    got = Video.open(tmp_path / "c.mp4").frames_at([0.0]).pixels
    assert np.abs(got.astype(int) - (200, 60, 30)).max() < 8
    assert picture_of(5).shape == (48, 64, 3)


def test_a_key_frame_without_an_index_does_not_depend_on_earlier_calls(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "a.ts", num_frames=250, gop=50)
    before = Video.open(clock.path).frames_at([4.55], snap="keyframe").seconds.tolist()
    CACHE.clear()
    video = Video.open(clock.path)
    assert video.frames_at([4.55]).seconds.tolist() == pytest.approx([4.52])
    assert video.frames_at([4.55], snap="keyframe").seconds.tolist() == before
