from __future__ import annotations

import os
import struct
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from clips import Clock, moving, read_code, truncate, write_clock, write_frames, write_tone
from longtake.errors import VideoDecodeError, VideoError, VideoNotFoundError
from longtake.video.decode import Video
from longtake.video.probe import Recent, probe


def test_info_says_what_is_in_the_file(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "a.mp4", num_frames=50, audio_start=0.0)
    info = Video.open(str(clock.path)).info
    assert info.uri == str(clock.path)
    assert (info.width, info.height, info.codec, info.num_frames, info.average_fps) == (64, 48, "h264", 50, 25)
    assert info.duration_seconds == pytest.approx(2.0, abs=0.02)
    assert info.has_audio
    assert info.warnings == ()
    assert len(info.fingerprint) == 32


def test_the_sidecar_is_carried_along(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "a.mp4", num_frames=5)
    assert Video.open(clock.path).subtitles is None
    assert Video.open(clock.path, subtitles="a.srt").subtitles == Path("a.srt")


def test_of_what_was_probed_the_last_is_kept() -> None:
    recent = Recent[int](2)
    for number, name in enumerate("ab"):
        recent.put((name, ""), number)
    assert recent.get(("a", "")) == 0
    recent.put(("c", ""), 2)
    assert [recent.get((name, "")) for name in "abc"] == [0, None, 2]


def test_probing_again_is_free_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_clock(path, num_frames=25)
    first = probe(path)
    assert probe(path) is first
    write_clock(path, num_frames=50)
    assert probe(path).info.duration_seconds == 2


def test_rotation_and_pixel_aspect_are_applied(tmp_path: Path) -> None:
    for rotation in (90, 180, 270):
        clock = write_clock(tmp_path / f"{rotation}.mp4", num_frames=30, rotation=rotation)
        video = Video.open(clock.path)
        assert (video.info.width, video.info.height) == (64, 48)
        assert [read_code(p) for p in video.frames_at([0.0, 1.0]).pixels] == [0, 25]
    wide = write_clock(tmp_path / "wide.mp4", num_frames=30, aspect=Fraction(4, 3))
    video = Video.open(wide.path)
    assert (video.info.width, video.info.height) == (85, 48)
    frames = video.frames_at([1.0])
    assert frames.pixels.shape == (1, 48, 85, 3)
    assert read_code(frames.pixels[0]) == 25


NOT_VIDEOS = {
    "missing": (VideoNotFoundError, "there is no file"),
    "folder": (VideoDecodeError, "is a folder"),
    "pipe": (VideoDecodeError, "not a regular file"),
    "empty": (VideoDecodeError, "empty"),
    "text": (VideoDecodeError, "cannot be read as a video"),
    "sound": (VideoDecodeError, r"no picture track \(tracks: audio\)"),
    "headless": (VideoDecodeError, "cut off"),
    "bare": (VideoDecodeError, "times"),
}


@pytest.mark.parametrize("kind", NOT_VIDEOS)
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.mp4"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("To be, or not to be, that is the question.\n" * 50)
    elif kind == "sound":
        write_tone(path)
    elif kind == "headless":
        write_clock(path)
        truncate(path, 0.5)
    elif kind == "bare":
        path = tmp_path / "x.h264"
        write_clock(path)
    error, says = NOT_VIDEOS[kind]
    with pytest.raises(error, match=says) as caught:
        Video.open(path)
    assert isinstance(caught.value, VideoError)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def usable(path: Path, *, of: float) -> Video:
    """Opens a file cut short, checks what is said of it and that all of the usable part can be read."""
    video = Video.open(path)
    (warning,) = video.info.warnings
    end = video.info.duration_seconds
    assert f"the header says {of:.1f} s" in warning
    assert f"the data end at {end:.1f} s" in warning
    assert 0.3 * of < end < 0.8 * of
    assert video.span.end == end
    frames = video.frames_at([i / 10 for i in range(int(end * 10))])
    assert frames.seconds.tolist() == pytest.approx([i / 10 for i in range(int(end * 10))], abs=0.041)
    assert end - video.frames_at([end]).seconds[0] < 0.2
    assert video.keyframe_seconds()[-1] <= end
    assert video.frames_at([end], snap="keyframe").seconds[0] > end - 1.1
    return video


def test_a_truncated_mp4_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "t.mp4"
    write_frames(path, moving(250), container_options={"movflags": "faststart"})
    truncate(path, 0.5)
    assert "truncated" in usable(path, of=10.0).info.warnings[0]


@pytest.mark.parametrize("cues", [True, False])
def test_a_truncated_mkv_is_used_as_far_as_it_goes(tmp_path: Path, cues: bool) -> None:
    path = tmp_path / "t.mkv"
    write_frames(path, moving(250), container_options={"reserve_index_space": "5000"} if cues else None)
    truncate(path, 0.5)
    assert "truncated" in usable(path, of=10.0).info.warnings[0]


@pytest.mark.parametrize("name", ["t.ts", "t.avi"])
def test_where_no_header_is_believed_a_truncated_file_ends_where_it_ends(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_frames(path, moving(250), **({"codec": "mpeg4", "bframes": 0} if name == "t.avi" else {}))
    truncate(path, 0.5)
    video = Video.open(path)
    end = video.info.duration_seconds
    assert 3 < end < 8
    assert end - video.frames_at([end]).seconds[0] < 0.3
    assert video.frames_at([3.0]).seconds[0] == pytest.approx(3.0, abs=0.001)


SOUND = {"none": None, "earlier": 2.0, "later": 8.0}


@pytest.mark.parametrize("sound", SOUND)
@pytest.mark.parametrize("name", ["t.mkv", "t.webm", "t.mp4", "t.ts"])
def test_what_comes_before_the_start_is_no_part_of_the_video(tmp_path: Path, name: str, sound: str) -> None:
    vp9: dict[str, Any] = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
    encoder = vp9 if name == "t.webm" else {}
    clock = write_clock(
        tmp_path / name, fps=5, num_frames=300, start_ticks=25, audio_start=SOUND[sound], audio_seconds=0.5, **encoder
    )
    video = Video.open(clock.path)
    assert video.info.duration_seconds == pytest.approx(63.0 if sound == "earlier" else 60.0, abs=0.03)
    assert video.info.warnings == ()
    last = video.frames_at([video.info.duration_seconds])
    assert last.seconds[0] == pytest.approx(clock.seconds[-1], abs=0.03)  # a sound encoder begins before its sound


def test_a_matroska_header_that_leaves_the_start_out_is_believed_too(tmp_path: Path) -> None:
    path = tmp_path / "t.mkv"
    write_clock(path, fps=5, num_frames=300, start_ticks=25)
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3
    assert struct.unpack(">d", data[at : at + 8]) == (65_000.0,)
    path.write_bytes(data[:at] + struct.pack(">d", 60_000.0) + data[at + 8 :])
    info = Video.open(path).info
    assert (info.duration_seconds, info.warnings) == (60.0, ())


def test_a_streamed_webm_without_duration_or_index(tmp_path: Path) -> None:
    clock = write_clock(
        tmp_path / "live.webm",
        num_frames=200,
        codec="libvpx-vp9",
        options={"deadline": "realtime", "cpu-used": "8"},
        container_options={"live": "1"},
    )
    with av.open(str(clock.path)) as container:
        assert container.duration is None
    video = Video.open(clock.path)
    assert video.info.duration_seconds == pytest.approx(8.0, abs=0.05)
    seconds = [0.0, 7.9, 3.3, 3.34]
    assert [read_code(p) for p in video.frames_at(seconds).pixels] == [clock.shown_at(t) for t in seconds]
    assert len(video.keyframe_seconds()) == 8


def mux(path: Path, sources: list[Path], *, cover: bool = False) -> None:
    """The first picture track of each source into one file, after a cover picture if wanted."""
    with ExitStack() as stack:
        inputs = [stack.enter_context(av.open(str(source))).streams.video[0] for source in sources]
        out = stack.enter_context(av.open(str(path), "w"))
        front: Any = out.add_stream("mjpeg", rate=1) if cover else None
        if front is not None:
            front.width, front.height, front.pix_fmt = 400, 400, "yuvj420p"
            front.disposition = Disposition.attached_pic
        streams = [out.add_stream_from_template(stream) for stream in inputs]
        if front is not None:
            picture = av.VideoFrame(400, 400, "yuvj420p")
            picture.pts, picture.time_base = 0, Fraction(1)
            out.mux(front.encode(picture))
            out.mux(front.encode(None))
        for stream, copy in zip(inputs, streams, strict=True):
            for packet in stream.container.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    out.mux_one(packet)


def test_of_several_picture_tracks_the_best_is_read_and_a_cover_never(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "a.mp4", num_frames=60)
    mux(tmp_path / "cover.mp4", [clock.path], cover=True)
    check(clock, tmp_path / "cover.mp4")
    short = write_clock(tmp_path / "b.mp4", num_frames=3, width=16, height=16)
    mux(tmp_path / "two.mp4", [clock.path, short.path])
    check(clock, tmp_path / "two.mp4")


def check(clock: Clock, path: Path) -> None:
    video = Video.open(path)
    assert (video.info.width, video.info.height) == (64, 48)
    assert [read_code(p) for p in video.frames_at([0.0, 1.1, 2.3]).pixels] == [0, 27, 57]


def test_a_cover_alone_is_no_video(tmp_path: Path) -> None:
    mux(tmp_path / "song.mp4", [], cover=True)
    with pytest.raises(VideoDecodeError, match="no picture track"):
        Video.open(tmp_path / "song.mp4")


@pytest.mark.parametrize("name", ["x" * 300 + ".mp4", "a\0b.mp4"], ids=["long", "zero"])
def test_a_name_no_file_can_have_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(VideoNotFoundError) as caught:
        Video.open(tmp_path / name)
    assert len(str(caught.value)) < 300


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = write_clock(tmp_path / "a.mp4")
    real = Path.open

    def refuse(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self == clock.path:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(VideoDecodeError, match="cannot be read: permission denied"):
        Video.open(clock.path)
