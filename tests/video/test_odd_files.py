"""Files as they are found in the wild: each is right to the frame or refused with what was found."""

from __future__ import annotations

import struct
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clips import Clock, moving, picture_of, read_code, repeat, write_clock, write_frames
from longtake.errors import VideoDecodeError
from longtake.video.decode import Video
from longtake.video.frame_cache import CACHE


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    CACHE.clear()


def check(clock: Clock, *, codec: str | None = None) -> Video:
    """Every third frame, all at once and one by one out of order."""
    video = Video.open(clock.path, deadline_seconds=20)
    assert codec is None or video.info.codec == codec
    numbers = list(range(0, len(clock.seconds), 3))
    seconds = [clock.seconds[i] + 0.004 for i in numbers]
    frames = video.frames_at(seconds)
    assert [read_code(p) for p in frames.pixels] == numbers
    assert frames.seconds == pytest.approx([clock.seconds[i] for i in numbers], abs=1e-3)
    for i in (5, 2, len(numbers) - 1, 0):
        CACHE.clear()
        assert read_code(video.frames_at([seconds[i]]).pixels[0]) == numbers[i]
    return video


X264 = {"preset": "medium", "sc_threshold": "0"}
KINDS: dict[str, dict[str, Any]] = {
    "hevc.mp4": {"codec": "libx265", "options": {"preset": "fast", "x265-params": "log-level=none:bframes=4"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "vp8.webm": {
        "codec": "libvpx",
        "options": {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "16"},
    },
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "6", "crf": "5", "svtav1-params": "enable-tf=0"}},
    "mpeg4_3fps.mp4": {"codec": "mpeg4", "fps": 3},
    "mpeg4.avi": {"codec": "mpeg4", "bframes": 0},
    "h264_b_frames.avi": {"bframes": 3},
    "h264_one_key.avi": {"bframes": 3, "gop": 1000, "options": {**X264, "x264-params": "b-pyramid=normal"}},
    "animation.gif": {"codec": "gif", "pix_fmt": "rgb8", "fps": 10, "width": 65, "height": 49},
    "ten_bit.mp4": {"pix_fmt": "yuv420p10le"},
    "odd_size.mp4": {"width": 67, "height": 51, "pix_fmt": "yuv444p"},
    "odd_half_chroma.mp4": {"codec": "mpeg4", "width": 67, "height": 51},
    "fragmented.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "open_gop.mp4": {"options": {**X264, "x264-params": "open-gop=1:b-pyramid=normal"}, "bframes": 6},
    "open_gop.mkv": {"options": {**X264, "x264-params": "open-gop=1:b-pyramid=normal"}, "bframes": 6},
    "open_gop.ts": {"options": {**X264, "x264-params": "open-gop=1:b-pyramid=normal"}, "bframes": 6},
    "one_key.mp4": {"gop": 100000},
    "one_key.ts": {"gop": 100000},
    "all_keys.mp4": {"gop": 1, "bframes": 0},
    "interlaced.mp4": {"options": {**X264, "x264-params": "interlaced=1:bff=1"}, "height": 64},
    "quicktime.mov": {},
    "flash.flv": {"bframes": 0},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_files_are_right_to_the_frame(tmp_path: Path, name: str) -> None:
    kind = dict(KINDS[name])
    check(write_clock(tmp_path / name, **{"num_frames": 90, **kind}))


def test_an_edit_list_moves_the_clock(tmp_path: Path) -> None:
    """A player starts such a file at the edit; what lies before is decoded but never shown."""
    whole = write_clock(tmp_path / "whole.mp4", num_frames=100, bframes=0)
    data = bytearray(whole.path.read_bytes())
    at = data.find(b"elst")
    assert at > 0
    version, count = data[at + 4], struct.unpack(">I", data[at + 8 : at + 12])[0]
    assert (version, count) == (0, 1)
    scale = Video.open(whole.path)._track.time_base.denominator
    media_time = 30 * scale // 25
    movie_scale = struct.unpack(">I", data[data.find(b"mvhd") + 16 : data.find(b"mvhd") + 20])[0]
    data[at + 12 : at + 20] = struct.pack(">Ii", 70 * movie_scale // 25, media_time)
    (tmp_path / "edit.mp4").write_bytes(data)
    video = Video.open(tmp_path / "edit.mp4")
    frames = video.frames_at([0.01, 0.5, 1.0, 2.5])
    assert [read_code(p) for p in frames.pixels] == [30, 42, 55, 92]
    assert frames.seconds == pytest.approx([0, 0.48, 1.0, 2.48], abs=1e-3)


def test_a_header_that_counts_more_frames_than_there_are(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "a.avi", codec="mpeg4", bframes=0, num_frames=50)
    data = bytearray(clock.path.read_bytes())
    for tag, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
        at = data.find(tag) + offset
        assert struct.unpack("<I", data[at : at + 4])[0] == 50
        data[at : at + 4] = struct.pack("<I", 5000)
    clock.path.write_bytes(data)
    video = Video.open(clock.path, deadline_seconds=10)
    assert video.info.duration_seconds == pytest.approx(2.0, abs=0.1)
    assert read_code(video.frames_at([video.info.duration_seconds]).pixels[0]) == 49


def test_sound_that_outlasts_the_pictures_shows_the_last_one(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "a.mp4", num_frames=25, audio_start=0.0, audio_seconds=3.0)
    video = Video.open(clock.path)
    assert video.info.duration_seconds == pytest.approx(3.0, abs=0.05)
    frames = video.frames_at([0.5, 2.0, 2.9])
    assert [read_code(p) for p in frames.pixels] == [12, 24, 24]
    assert frames.seconds[2] == pytest.approx(0.96)


def test_eight_hours_of_a_few_key_frames(tmp_path: Path) -> None:
    """One picture a minute, a key frame every two hours."""
    clock = write_clock(tmp_path / "long.mp4", fps=Fraction(1, 60), num_frames=480, gop=120, bframes=0)
    video = Video.open(clock.path, deadline_seconds=10)
    assert video.info.duration_seconds == 8 * 3600
    assert video.keyframe_seconds().tolist() == [0, 7200, 14400, 21600]
    check(clock)
    assert video.frames_at([10_000.0], snap="keyframe").seconds.tolist() == [7200]


VP9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
HEVC = {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none"}}


@pytest.mark.parametrize("at", [0.37, 0.5])
@pytest.mark.parametrize(
    ("name", "encoder"), [("a.mp4", {}), ("a.mkv", {}), ("a.ts", {}), ("a.webm", VP9), ("h.mp4", HEVC)], ids=str
)
def test_a_hole_in_the_middle_is_refused_where_it_is_and_nowhere_else(
    tmp_path: Path, name: str, encoder: dict[str, Any], at: float
) -> None:
    path = tmp_path / name
    write_frames(path, moving(150), **encoder)
    times = [(i + 0.5) / 25 for i in range(0, 150, 5)]
    good = Video.open(path).frames_at(times).pixels.astype(int)
    CACHE.clear()
    data = bytearray(path.read_bytes())
    begin = int(len(data) * at)
    data[begin : begin + 3000] = bytes(3000)
    path.write_bytes(data)
    video = Video.open(path)
    refused = 0
    for t, want in zip(times, good, strict=True):
        try:
            got = video.frames_at([t])
        except VideoDecodeError:
            refused += 1
            continue
        if got.seconds[0] == pytest.approx(t - 0.02, abs=0.011):
            assert np.abs(got.pixels[0] - want).mean() < 2
        else:
            # the container lost the packet itself: what is shown says that it is older
            assert got.seconds[0] < t - 0.04
    assert 1 <= refused < 15
    with pytest.raises(VideoDecodeError, match="damaged: the pictures from") as caught:
        video.frames_in(video.span, fps=5)
    assert "\n" not in str(caught.value)


def test_the_damaged_sample_is_refused_with_the_span(shared_videos: Path) -> None:
    video = Video.open(shared_videos / "corrupted.mp4")
    with pytest.raises(
        VideoDecodeError, match=r"damaged: the pictures from 3\.000 s to 5\.000 s cannot be decoded"
    ) as e:
        video.frames_in(video.span)
    assert "\n" not in str(e.value)
    assert len(video.frames_at([0.0, 1.0, 2.8])) == 3


def test_the_good_samples_can_be_read(shared_videos: Path) -> None:
    for path in sorted(shared_videos.glob("*.m*")):
        if path.stem != "corrupted":
            video = Video.open(path)
            frames = video.frames_in(video.span, fps=0.2, max_frames=4, max_pixels=50_000)
            assert frames.pixels.std() > 5
            assert (np.diff(frames.seconds) > 0).all()


@pytest.mark.parametrize("name", ["nasa_13013.mp4", "flipping_a_pancake.mkv", "activity_164s_3fps.mp4"])
def test_samples_agree_with_decoding_everything_from_the_start(shared_videos: Path, name: str) -> None:
    video = Video.open(shared_videos / name)
    shown: list[tuple[float, Any]] = []
    with av.open(str(video.path)) as container:
        for frame in container.decode(container.streams[video._track.index]):
            shown.append((video._track.seconds(frame.pts), frame.to_ndarray(format="rgb24", width=64, height=48)))
    times = np.array([seconds for seconds, _ in shown])
    seconds = np.random.default_rng(0).uniform(0, video.info.duration_seconds, 40).tolist()
    frames = video.frames_at(seconds, size=(64, 48))
    for t, label, picture in zip(seconds, frames.seconds, frames.pixels, strict=True):
        at = int(np.searchsorted(times, t, side="right")) - 1
        assert label == pytest.approx(times[at], abs=1e-6)
        assert np.abs(picture.astype(int) - shown[at][1]).mean() < 12
        nearest = min(range(max(0, at - 3), min(len(shown), at + 4)), key=lambda i: _distance(picture, shown[i][1]))
        assert _distance(picture, shown[at][1]) <= _distance(picture, shown[nearest][1]) + 0.5


def _distance(a: Any, b: Any) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_a_transport_stream_is_entered_by_seeking(tmp_path: Path) -> None:
    minute = write_clock(tmp_path / "m.ts", num_frames=1500, gop=50)
    video = Video.open(minute.path)
    begin = time.process_time()
    assert read_code(video.frames_at([50.02]).pixels[0]) == 1250
    assert time.process_time() - begin < 0.5


def test_a_picture_that_begins_a_microsecond_late_is_shown(tmp_path: Path) -> None:
    """Times computed as i / fps in floating point may fall just short of the frame they mean."""
    fps = Fraction(24000, 1001)
    clock = write_clock(tmp_path / "a.mp4", fps=fps, num_frames=100)
    frames = Video.open(clock.path).frames_at([i / float(fps) for i in range(100)])
    assert [read_code(p) for p in frames.pixels] == list(range(100))
    assert read_code(picture_of(0xA5C3)) == 0xA5C3


def test_streams_joined_by_their_packets_stay_in_order(tmp_path: Path) -> None:
    part = write_clock(tmp_path / "p.mp4", num_frames=50, bframes=3)
    repeat(part.path, tmp_path / "joined.mkv", 4)
    video = Video.open(tmp_path / "joined.mkv")
    with av.open(str(tmp_path / "joined.mkv")) as container:
        want = [frame.pts for frame in container.decode(video=0)]
    assert len(want) == 200
    frames = video.frames_at([(i + 0.5) / 25 for i in range(200)])
    assert [read_code(p) for p in frames.pixels] == [i % 50 for i in range(200)]


def _with_a_hole(path: Path, begin: float, end: float) -> None:
    """Zeros over the pictures of ``path`` stored from second ``begin`` to ``end``."""
    with av.open(str(path)) as container:
        spots = [(p.pos, p.size) for p in container.demux(video=0) if p.size and begin <= p.pts * p.time_base < end]
    data = bytearray(path.read_bytes())
    for pos, size in spots:
        data[pos : pos + size] = bytes(size)
    path.write_bytes(data)


@pytest.mark.parametrize("isolate", [False, True])
def test_a_file_damaged_in_one_place_is_read_everywhere_else(tmp_path: Path, isolate: bool) -> None:
    clock = write_clock(tmp_path / "minute.mp4", num_frames=1500, gop=50)
    _with_a_hole(clock.path, 12.0, 14.0)
    video = Video.open(clock.path, isolate=isolate)
    video.check()
    wanted = [9.5, 13.9, 12.5, 20.0, 11.9]
    frames, said = video.readable_frames(wanted)
    assert [read_code(p) for p in frames.pixels] == [clock.shown_at(t) for t in (9.5, 20.0, 11.9)]
    assert said == ("the pictures from 12.5 s to 14.0 s cannot be decoded and are left out",)
    frames, _ = video.readable_frames([12.0, 30.0], snap="keyframe")
    assert [read_code(p) for p in frames.pixels] == [clock.shown_at(t) for t in frames.seconds]
    assert video.readable_frames([1.0, 1.0])[1] == ()
    with pytest.raises(VideoDecodeError, match=r"damaged: the pictures from 12\.000 s to 14\.000 s"):
        video.readable_frames([12.5, 13.0])


def test_a_transport_stream_with_a_hole_is_read_around_it(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    write_frames(path, moving(400), gop=25)
    data = bytearray(path.read_bytes())
    begin = len(data) // 2
    data[begin : begin + 3000] = bytes(3000)
    path.write_bytes(data)
    video = Video.open(path)
    seconds = [(i + 0.5) / 5 for i in range(80)]
    frames, said = video.readable_frames(seconds)
    assert 70 < len(frames) < 80
    assert len(said) == 1


def test_a_check_of_a_file_with_one_key_frame_is_quick(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "long.mp4", num_frames=6000, gop=100_000, bframes=0, fps=5)
    video = Video.open(clock.path)
    begin = time.process_time()
    video.check()
    spent = time.process_time() - begin
    video.frames_at([1150.0])
    assert spent < (time.process_time() - begin - spent) / 3


def test_a_file_of_which_half_is_lost_is_refused_by_its_check(shared_videos: Path) -> None:
    with pytest.raises(VideoDecodeError, match=r"corrupted\.mp4 is damaged: the pictures from 3\.\d s to 5\.0 s") as e:
        Video.open(shared_videos / "corrupted.mp4").check()
    assert "\n" not in str(e.value)
