"""Clips of clock videos: every picture carries its number, so it shows in which clip each of them landed."""

from __future__ import annotations

import random
import resource
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clips import moving, picture_of, read_code, repeat, truncate, write_clock, write_frames
from longtake.errors import SpanError, StoreError, VideoDecodeError
from longtake.media import TimeSpan
from longtake.video.cut import Clip, Mode, cut, split
from longtake.video.decode import Video
from longtake.video.recode import packets_from

X264 = {"preset": "veryfast"}
RATE = 48000


def shown(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [read_code(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def packets(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        streams = container.streams.get(**{kind: tuple(range(len(getattr(container.streams, kind))))})
        return [bytes(p) for p in container.demux(*streams) if p.size]


def write_flash_and_beep(path: Path, seconds: int = 8, fps: int = 25) -> None:
    """White pictures and a beep in the first 0.2 s of each second."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=fps, options=X264)
        pictures.width, pictures.height, pictures.pix_fmt, pictures.gop_size = 64, 48, "yuv420p", 40
        sound = out.add_stream("aac", rate=RATE, layout="mono")
        for n in range(seconds * fps):
            value = 235 if n % fps < fps // 5 else 16
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, np.uint8), "rgb24")))
        for begin in range(0, seconds * RATE, 1024):
            t = np.arange(begin, begin + 1024) / RATE
            tone = (np.sin(2 * np.pi * 1000 * t) * (t % 1 < 0.2) * 0.8).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
            frame.sample_rate, frame.pts = RATE, begin
            out.mux(sound.encode(frame))
        out.mux(pictures.encode())
        out.mux(sound.encode())


def onsets(path: Path) -> tuple[list[float], list[float]]:
    """When the picture turns white and when the beep begins, in seconds of the file's clock."""
    with av.open(str(path)) as container:
        zero = (container.start_time or 0) / 1e6
        light = [(float(f.time) - zero, float(f.to_ndarray(format="gray").mean())) for f in container.decode(video=0)]
    flashes = [t for (_, before), (t, v) in pairwise(light) if v > 128 >= before]
    with av.open(str(path)) as container:
        loud = [
            (float(f.time) - zero + np.arange(f.samples) / RATE, np.abs(f.to_ndarray()[0]))
            for f in container.decode(audio=0)
        ]
    times, level = (np.concatenate(column) for column in zip(*loud, strict=True))
    over = times[level > 0.3]
    return flashes, [float(b) for a, b in pairwise(over) if b - a > 0.3]


def check_spans(video: Video, clips: list[Clip], numbers: list[int]) -> None:
    """Each span starts when the video shows the clip's first picture."""
    starts = video.frames_at([clip.span.start for clip in clips])
    assert [read_code(picture) for picture in starts.pixels] == numbers
    assert starts.seconds[1:] == pytest.approx([clip.span.start for clip in clips[1:]])


SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "h264": ("a.mp4", {"gop": 60, "options": X264, "audio_start": 0.0}),
    "pyramid": ("a.mp4", {"gop": 48, "bframes": 3, "options": {**X264, "x264-params": "b-pyramid=normal"}}),
    "ntsc": ("a.mov", {"gop": 48, "fps": Fraction(30000, 1001)}),
    "matroska": ("a.mkv", {"gop": 60, "audio_start": 0.0}),
    "one key frame": ("a.mp4", {"gop": 1000, "options": {**X264, "sc_threshold": "0"}}),
    "starts late": ("a.mp4", {"gop": 40, "start_ticks": 50, "audio_start": 0.5}),
    "sound later": ("a.mp4", {"gop": 40, "audio_start": 1.5}),
    "transport stream": ("a.ts", {"gop": 60, "format": "mpegts"}),
    "vp9": ("a.webm", {"gop": 50, "codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    "hevc": ("a.mp4", {"codec": "libx265", "options": {"x265-params": "keyint=50:log-level=none"}}),
    "10 bit": ("a.mkv", {"pix_fmt": "yuv420p10le", "gop": 50}),
    "avi": ("a.avi", {"codec": "mpeg4", "gop": 25, "bframes": 2}),
    "variable rate": (
        "a.mp4",
        {
            "gop": 40,
            "time_base": Fraction(1, 1000),
            "ticks": np.cumsum(np.random.default_rng(1).integers(15, 90, 200)).tolist(),
        },
    ),
}


@pytest.mark.parametrize("mode", ["copy", "exact"])
@pytest.mark.parametrize("source", SOURCES)
def test_each_picture_is_in_exactly_one_clip(source: str, mode: Any, tmp_path: Path) -> None:
    name, settings = SOURCES[source]
    clock = write_clock(tmp_path / name, **{"num_frames": 200, **settings})
    video = Video.open(clock.path)
    clips = split(video, tmp_path / "out", seconds=1.37, mode=mode)
    held = [shown(clip.path) for clip in clips]
    assert [n for clip in held for n in clip] == shown(clock.path)
    assert [len(numbers) for numbers in held] == [clip.num_frames for clip in clips]
    assert all(held)
    assert all(a.span.end == pytest.approx(b.span.start) for a, b in pairwise(clips))
    assert clips[0].span.start == pytest.approx(0, abs=1e-3)
    if source != "avi":  # it stores no times of presentation
        check_spans(video, clips, [numbers[0] for numbers in held])
    if mode == "exact":
        assert len(clips) >= 4
    assert {clip.path.suffix for clip in clips} == {".mkv" if name[-3:] in ("avi", ".ts") else clock.path.suffix}


def test_a_copy_holds_every_packet_once(tmp_path: Path) -> None:
    source = tmp_path / "flash.mp4"
    write_flash_and_beep(source)
    clips = split(Video.open(source), tmp_path / "out", seconds=2)
    assert len(clips) == 4
    for kind in ("video", "audio"):
        assert [p for clip in clips for p in packets(clip.path, kind)] == packets(source, kind)


def test_an_exact_clip_encodes_only_its_ends(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "a.mp4", num_frames=300, gop=40)
    (clip,) = cut(Video.open(clock.path), [TimeSpan(1.0, 11.0)], tmp_path)
    assert shown(clip.path) == list(range(25, 275))
    held, of_source = packets(clip.path, "video"), set(packets(clock.path, "video"))
    assert len(held) == 250
    # key frames at 40, 80, ... 240: at most the pictures before the first and after the last are new
    assert sum(packet in of_source for packet in held) >= 250 - 15 - 35


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("seed", range(3))
def test_a_span_is_exact_wherever_it_is(name: str, seed: int, tmp_path: Path) -> None:
    clock = write_clock(tmp_path / name, num_frames=250, gop=30 + 17 * seed, audio_start=0.0)
    rng = random.Random(seed)
    for _ in range(4):
        first = rng.randrange(240)
        last = rng.randrange(first + 1, 250)
        span = TimeSpan(clock.seconds[first], clock.seconds[last])
        (clip,) = cut(Video.open(clock.path), [span], tmp_path / "out")
        assert shown(clip.path) == list(range(first, last))
        assert clip.span.start == pytest.approx(span.start, abs=0.0011)
        assert clip.span.end == pytest.approx(span.end, abs=0.0011)


@pytest.mark.parametrize("mode", ["copy", "exact"])
def test_sound_stays_in_step_with_the_picture(mode: Any, tmp_path: Path) -> None:
    source = tmp_path / "flash.mp4"
    write_flash_and_beep(source)
    clips = split(Video.open(source), tmp_path / "out", seconds=2.3, mode=mode)
    assert len(clips) >= 3
    num_pairs = 0
    for clip in clips:
        flashes, beeps = onsets(clip.path)
        for flash in flashes:
            assert (clip.span.start + flash) % 1 == pytest.approx(0, abs=1e-3)
            num_pairs += any(abs(beep - flash) < 0.5 for beep in beeps)
            assert all(abs(beep - flash) < 0.01 for beep in beeps if abs(beep - flash) < 0.5)
    assert num_pairs >= 4


def test_all_sound_tracks_are_kept(tmp_path: Path) -> None:
    one, two = tmp_path / "one.mp4", tmp_path / "two.mkv"
    write_flash_and_beep(one, seconds=4)
    with av.open(str(one)) as source, av.open(str(two), "w") as out:
        picture, sound = source.streams.video[0], source.streams.audio[0]
        copies = {picture: out.add_stream_from_template(picture)}
        tracks = [out.add_stream_from_template(sound) for _ in range(2)]
        tracks[1].metadata["language"] = "fra"
        for packet in source.demux():
            if not packet.size:
                continue
            if packet.stream is picture:
                packet.stream = copies[picture]
                out.mux(packet)
                continue
            again = av.Packet(bytes(packet))
            again.pts, again.dts, again.time_base = packet.pts, packet.dts, packet.time_base
            packet.stream, again.stream = tracks
            out.mux([packet, again])
    for clip in cut(Video.open(two), [TimeSpan(0.5, 3.0)], tmp_path / "out"):
        with av.open(str(clip.path)) as container:
            assert [s.language for s in container.streams.audio][1] == "fra"
        assert len(packets(clip.path, "audio")) == 2 * round(clip.span.duration * RATE / 1024)


@pytest.mark.parametrize(("codec", "mode"), [("libx264", "copy"), ("libx264", "exact"), ("mpeg4", "exact")])
def test_rotation_is_kept(codec: str, mode: Any, tmp_path: Path) -> None:
    source = tmp_path / "turned.mp4"
    options = X264 if codec == "libx264" else {"qscale": "3"}
    frames = ((n, picture_of(n)) for n in range(100))
    write_frames(source, frames, codec=codec, rotation=90, gop=25, options=options)
    video = Video.open(source)
    (clip,) = cut(video, [TimeSpan(1, 3)], tmp_path / "out", mode=mode)
    again = Video.open(clip.path)
    assert (again.info.width, again.info.height) == (video.info.width, video.info.height)
    with av.open(str(clip.path)) as container:
        stored = next(container.decode(video=0))
    assert (stored.width, stored.height) == (again.info.height, again.info.width)
    assert read_code(again.frames_at([0.0]).pixels[0]) == round(clip.span.start * 25)


def test_pictures_hidden_by_an_edit_list_stay_hidden(tmp_path: Path) -> None:
    plain, trimmed = write_clock(tmp_path / "a.mp4", num_frames=150, gop=25).path, tmp_path / "trimmed.mp4"
    with av.open(str(plain)) as source, av.open(str(trimmed), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        back = round(10 / 25 / stream.time_base)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream, packet.pts, packet.dts = copy, packet.pts - back, packet.dts - back
                out.mux(packet)
    assert shown(trimmed) == list(range(10, 150))
    for mode in ("copy", "exact"):
        clips = split(Video.open(trimmed), tmp_path / mode, seconds=2, mode=mode)
        assert [n for clip in clips for n in shown(clip.path)] == list(range(10, 150))
        assert sum(clip.num_frames for clip in clips) == 140


def test_what_is_there_is_kept_and_the_rest_is_made(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "my.holiday.mp4", num_frames=200, gop=25)
    video, out = Video.open(clock.path), tmp_path / "out"
    seen: list[Clip] = []
    clips = split(video, out, seconds=2, on_clip=seen.append)
    assert seen == clips
    assert [clip.path.name for clip in clips[:2]] == [
        "my.holiday_00000.000-00002.000.mp4",
        "my.holiday_00002.000-00004.000.mp4",
    ]
    clips[1].path.unlink()
    stamps = {clip.path: clip.path.stat().st_mtime_ns for clip in clips if clip.path.exists()}
    assert split(video, out, seconds=2) == clips
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert sorted(out.iterdir()) == [clip.path for clip in clips]


def test_a_broken_cut_leaves_no_half_clip(tmp_path: Path) -> None:
    video, out = Video.open(write_clock(tmp_path / "a.mp4", num_frames=200).path), tmp_path / "out"

    def stop(clip: Clip) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        split(video, out, seconds=2, mode="exact", on_clip=stop)
    assert [path.name for path in out.iterdir()] == ["a_00000.000-00002.000.mp4"]
    clips = split(video, out, seconds=2, mode="exact")
    assert [n for clip in clips for n in shown(clip.path)] == list(range(200))


@pytest.mark.parametrize("mode", ["copy", "exact"])
def test_a_full_disk_leaves_no_part_behind(tmp_path: Path, mode: Mode) -> None:
    write_frames(tmp_path / "a.mp4", moving(150))
    video = Video.open(tmp_path / "a.mp4")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, before[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot write .*mp4: "):
            split(video, tmp_path / "out", seconds=2, mode=mode)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "a.mp4", num_frames=50)
    (tmp_path / "out").write_text("mine")
    with pytest.raises(StoreError, match="cannot make the folder"):
        split(Video.open(clock.path), tmp_path / "out", seconds=1)


def test_a_clip_of_another_video_is_not_taken_for_ours(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_clock(tmp_path / folder / "same.mp4", num_frames=50 if folder == "a" else 51)
    cut(Video.open(tmp_path / "a/same.mp4"), [TimeSpan(0, 1)], tmp_path)
    with pytest.raises(StoreError, match="not a clip of"):
        cut(Video.open(tmp_path / "b/same.mp4"), [TimeSpan(0, 1)], tmp_path)


def test_names_sort_by_time_over_many_hours(tmp_path: Path) -> None:
    short, long = write_clock(tmp_path / "s.mp4", num_frames=50, fps=1, gop=50).path, tmp_path / "long.mp4"
    repeat(short, long, 720)  # ten hours
    clips = split(Video.open(long), tmp_path / "out", seconds=300)
    assert sorted(clips, key=lambda clip: clip.path.name) == clips
    assert clips[-1].path.name == "long_35700.000-36000.000.mp4"
    assert sum(clip.num_frames for clip in clips) == 36000


def test_spans_may_overlap_and_come_in_any_order(tmp_path: Path) -> None:
    video = Video.open(write_clock(tmp_path / "a.mp4", num_frames=200, gop=60).path)
    spans = [TimeSpan(3, 5), TimeSpan(0, 4), TimeSpan(6, 99)]
    held = [shown(clip.path) for clip in cut(video, spans, tmp_path / "out")]
    assert held == [list(range(100)), list(range(75, 125)), list(range(150, 200))]


def test_a_copied_span_without_a_key_frame_is_not_lost(tmp_path: Path) -> None:
    video = Video.open(write_clock(tmp_path / "a.mp4", num_frames=200, gop=100).path)
    (clip,) = cut(video, [TimeSpan(1.0, 1.5)], tmp_path / "out", mode="copy")
    assert clip.span == TimeSpan(0, 4)
    clips = cut(video, [TimeSpan(0, 3), TimeSpan(3, 3.5), TimeSpan(3.5, 8)], tmp_path / "out", mode="copy")
    assert [clip.span for clip in clips] == [TimeSpan(0, 4), TimeSpan(4, 8)]


def test_spans_that_cannot_be_cut_are_refused(tmp_path: Path) -> None:
    video = Video.open(write_clock(tmp_path / "a.mp4", num_frames=50).path)
    with pytest.raises(SpanError, match="after the end"):
        cut(video, [TimeSpan(5, 6)], tmp_path / "out")
    with pytest.raises(SpanError, match="no picture starts"):
        cut(video, [TimeSpan(0.41, 0.43)], tmp_path / "out")
    with pytest.raises(SpanError, match="seconds=0"):
        split(video, tmp_path / "out", seconds=0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mode", ["copy", "exact"])
def test_a_truncated_file_is_used_as_far_as_it_goes(mode: Any, tmp_path: Path) -> None:
    options = {"movflags": "faststart"}
    path = write_clock(tmp_path / "a.mp4", num_frames=200, gop=25, container_options=options).path
    truncate(path, 0.6)
    clips = split(Video.open(path), tmp_path / "out", seconds=1.5, mode=mode)
    numbers = [n for clip in clips for n in shown(clip.path)]
    assert 50 < len(numbers) < 200
    # the pictures at the very end that refer to lost ones are lost as well
    assert numbers[:-4] == list(range(len(numbers) - 4))
    assert all(a < b for a, b in pairwise(numbers))
    assert len(numbers) == sum(clip.num_frames for clip in clips)


@pytest.mark.parametrize("mode", ["copy", "exact"])
def test_an_avi_that_does_not_say_when_its_pictures_are_shown_is_refused(tmp_path: Path, mode: Mode) -> None:
    clock = write_clock(tmp_path / "a.avi", num_frames=60)
    with pytest.raises(VideoDecodeError, match="B-frames in AVI") as caught:
        split(Video.open(clock.path), tmp_path / "out", seconds=1, mode=mode)
    assert "\n" not in str(caught.value)


def test_an_avi_is_entered_before_its_first_key_frame(tmp_path: Path) -> None:
    """An index of AVI refuses to be searched before its begin."""
    clock = write_clock(tmp_path / "a.avi", codec="mpeg4", num_frames=60)
    with av.open(str(clock.path)) as container:
        packets = list(packets_from(container, container.streams.video[0], 0))
    assert sum(1 for packet in packets if packet.size) == 60
