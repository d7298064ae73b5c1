"""Numbered pictures in folders behave as a video does."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips import Pixels, picture_of, read_code, solid, write_clock
from longtake.agents.ask import build_agent, read_settings
from longtake.agents.loop import run
from longtake.agents.record import Recorder
from longtake.errors import ConfigError, SpanError, VideoDecodeError, VideoError, VideoNotFoundError
from longtake.models.scripted import ScriptedModel
from longtake.registry import resolve
from longtake.types import Box, Chapter, Message, ModelOutput, Sample, TimeSpan, Trace, VideoInfo, from_json, to_json
from longtake.video.cut import split
from longtake.video.decode import Video
from longtake.video.scenes import detect
from longtake.video.text import TimedText


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path / "cache"))


def save(path: Path, picture: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=95)


def make(
    folder: Path, numbers: range | list[int], *, name: str = "{:05}.jpg", width: int = 64, height: int = 48
) -> Path:
    """A folder of frames; each shows its number."""
    for number in numbers:
        save(folder / name.format(number), picture_of(number, width, height))
    return folder


def codes(video: Video, seconds: list[float]) -> list[int]:
    return [read_code(picture) for picture in video.frames_at(seconds).pixels]


@pytest.mark.parametrize("fps", [3.0, 0.5, 25, 23.976, 1 / 3])
@pytest.mark.parametrize("name", ["{:05}.jpg", "frame_{}.PNG", "img-{:03}.jpeg"])
def test_the_frame_shown_at_a_time(tmp_path: Path, fps: float, name: str) -> None:
    video = Video.open(make(tmp_path / "clip", range(1, 13), name=name), frame_fps=fps)
    assert video.info.duration_seconds == pytest.approx(12 / fps, rel=1e-3)
    begins = [n / fps for n in range(12)]
    assert codes(video, begins) == list(range(1, 13))
    assert codes(video, [t + 0.9 / fps for t in begins]) == list(range(1, 13))
    assert codes(video, [video.info.duration_seconds, 0.0, 0.0]) == [12, 1, 1]
    assert video.frames_at(begins).seconds == pytest.approx(begins, rel=1e-3)
    assert video.keyframe_seconds() == pytest.approx(begins, rel=1e-3)
    with pytest.raises(SpanError, match="where the video ends"):
        video.frames_at([video.info.duration_seconds + 0.5])


def test_what_is_said_of_it(tmp_path: Path) -> None:
    folder = make(tmp_path / "v1.5 clip", range(1, 10), width=80, height=64)
    (folder / "notes.txt").write_text("nothing")
    (folder / "._00001.jpg").write_bytes(b"left by another system")
    video = Video.open(folder, frame_fps=3)
    info = video.info
    assert info == VideoInfo(str(folder), info.fingerprint, 3.0, 3, 9, 80, 64, "frames", has_audio=False)
    assert (video.span, video.stem, info.warnings) == (TimeSpan(0, 3), "v1.5 clip", ())
    assert from_json(VideoInfo, to_json(info)) == info
    assert video.clamp(TimeSpan(1, 9)) == TimeSpan(1, 3)
    assert "3 a second are taken" in Video.open(folder).info.warnings[0]
    video.check()


def test_sizes_boxes_and_loading(tmp_path: Path) -> None:
    video = Video.open(make(tmp_path / "clip", range(1, 10), width=640, height=360), frame_fps=3)
    frames = video.frames_in(TimeSpan(1, 9), fps=3, max_pixels=112 * 112)
    assert (frames.width * frames.height <= 112 * 112, frames.width % 28, frames.height % 28) == (True, 0, 0)
    assert [read_code(picture) for picture in frames.pixels] == [4, 5, 6, 7, 8, 9]
    assert np.array_equal(video.load(frames.without_pixels()).pixels, frames.pixels)
    assert codes(video, [0.0]) == [1]
    right = video.frames_at([0.0], box=Box(0.75, 0.75, 1.0, 1.0))
    assert (right.width, right.height) == (160, 90)
    assert right.pixels.mean() > 200  # the last bit of 1
    large = video.frames_at([2.0], size=(1280, 720))
    assert (large.pixels.shape, read_code(large.pixels[0])) == ((1, 720, 1280, 3), 7)


def test_pictures_of_other_kinds_and_sizes(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    save(folder / "1.png", picture_of(1))
    Image.fromarray(picture_of(2)).convert("L").save(folder / "2.png")
    Image.fromarray(picture_of(3)).convert("P").save(folder / "3.png")
    Image.fromarray(picture_of(4)).convert("CMYK").save(folder / "4.jpg")
    Image.fromarray(picture_of(5)).convert("RGBA").save(folder / "5.png")
    save(folder / "6.jpg", picture_of(6, 128, 96))
    video = Video.open(folder, frame_fps=1)
    assert codes(video, [0, 1, 2, 3, 4, 5]) == [1, 2, 3, 4, 5, 6]


def test_missing_numbers_are_holes(tmp_path: Path) -> None:
    video = Video.open(make(tmp_path / "clip", [1, 2, 5, 6, 8]), frame_fps=2)
    assert video.info.duration_seconds == 4.0
    assert codes(video, [t / 2 for t in range(8)]) == [1, 2, 2, 2, 5, 6, 6, 8]
    assert video.frames_at([1.5]).seconds.tolist() == [0.5]
    (said,) = video.info.warnings
    assert said.startswith("3 of its 8 pictures are missing, first number 3 in clip")
    frames = video.frames_in(video.span, fps=2)
    assert [read_code(picture) for picture in frames.pixels] == [1, 2, 5, 6, 8]


def test_numbers_that_begin_late(tmp_path: Path) -> None:
    video = Video.open(make(tmp_path / "clip", range(500, 504)), frame_fps=1)
    assert codes(video, [0.0, 3.0]) == [500, 503]
    assert "begin at 500" in video.info.warnings[0]
    assert not Video.open(make(tmp_path / "zero", range(4)), frame_fps=1).info.warnings


def test_damaged_pictures_are_said(tmp_path: Path) -> None:
    folder = make(tmp_path / "clip", range(1, 31), width=320, height=240)
    for number, keep in ((10, 0.5), (11, 0.0), (20, 0.01)):
        path = folder / f"{number:05}.jpg"
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    video = Video.open(folder, frame_fps=1)
    with pytest.raises(VideoDecodeError, match=r"00010.jpg is damaged: the pictures from 9.000 s to 10.000 s"):
        video.frames_at([9.0])
    frames, notes = video.readable_frames([float(t) for t in range(30)])
    assert len(frames) == 27
    assert notes == ("the pictures from 9.0 s to 11.0 s and from 19.0 s to 20.0 s cannot be decoded and are left out",)
    video.check()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(VideoDecodeError):
        Video.open(folder, frame_fps=1).check()


def test_fingerprints_name_content_and_rate(tmp_path: Path) -> None:
    folder = make(tmp_path / "a", range(1, 6))
    first = Video.open(folder, frame_fps=3).info.fingerprint
    assert Video.open(make(tmp_path / "b", range(1, 6)), frame_fps=3).info.fingerprint == first
    assert Video.open(folder, frame_fps=4).info.fingerprint != first
    (folder / "00006.jpg").write_bytes((folder / "00005.jpg").read_bytes())
    second = Video.open(folder, frame_fps=3)
    assert second.info.fingerprint != first
    assert second.info.duration_seconds == 2
    with pytest.raises(SpanError, match="fingerprint"):
        second.load(Video.open(tmp_path / "b", frame_fps=3).frames_at([0.0]).without_pixels())


def test_isolated(tmp_path: Path) -> None:
    video = Video.open(make(tmp_path / "clip", range(1, 9)), frame_fps=2, isolate=True)
    assert codes(video, [0.0, 3.9, 1.0]) == [1, 8, 3]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), 1e9])
def test_rates_that_are_none(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ConfigError, match="frame_fps"):
        Video.open(make(tmp_path / "clip", range(2)), frame_fps=fps)


def test_folders_that_are_no_video(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoDecodeError, match="without numbered pictures"):
        Video.open(tmp_path / "empty")
    twice = make(tmp_path / "twice", range(3), name="a_{}.jpg")
    make(twice, [1], name="b_{:04}.png")
    with pytest.raises(VideoDecodeError, match=r"a_1.jpg and b_0001.png are both picture 1"):
        Video.open(twice)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.jpg").write_bytes(b"no picture")
    with pytest.raises(VideoDecodeError, match="none of its first pictures"):
        Video.open(tmp_path / "broken")
    with pytest.raises(VideoNotFoundError):
        Video.open(tmp_path / "nowhere", frame_fps=3)


# ---------------------------------------------------------------------------------------------------- episodes


def test_a_folder_of_clips_is_one_video(tmp_path: Path) -> None:
    make(tmp_path / "ep/clip_10", range(21, 24))
    make(tmp_path / "ep/clip_2", range(1, 4))
    make(tmp_path / "ep/clip_9", [11, 13])
    (tmp_path / "ep/clip_11").mkdir()
    video = Video.open(tmp_path / "ep", frame_fps=3)
    assert video.info.chapters == (
        Chapter("clip_2", TimeSpan(0, 1)),
        Chapter("clip_9", TimeSpan(1, 2)),
        Chapter("clip_10", TimeSpan(2, 3)),
    )
    assert codes(video, [t / 3 for t in range(9)]) == [1, 2, 3, 11, 11, 13, 21, 22, 23]
    said = " ".join(video.info.warnings)
    assert "1 of its 4 clips hold no pictures and are left out, first clip_11" in said
    assert "1 of its 9 pictures are missing, first number 12 in clip_9" in said
    assert from_json(VideoInfo, to_json(video.info)) == video.info


def write_episode(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_an_episode_file(tmp_path: Path) -> None:
    make(tmp_path / "x", range(1, 5))
    make(tmp_path / "y", range(2))
    clips = [{"id": "late", "folder": "y"}, {"id": "early", "folder": str(tmp_path / "x")}]
    video = Video.open(write_episode(tmp_path / "film.frames.json", {"fps": 2, "clips": clips}), frame_fps=9)
    assert (video.stem, video.info.average_fps, video.info.warnings) == ("film", 2, ())
    assert [(c.id, c.span.start, c.span.end) for c in video.info.chapters] == [("late", 0, 1), ("early", 1, 3)]
    assert codes(video, [0.5, 1.0]) == [1, 1]
    one = write_episode(tmp_path / "one.frames.json", {"fps": 0.5, "clips": [{"folder": "x"}]})
    assert Video.open(one).info.chapters == ()
    assert Video.open(one).info.duration_seconds == 8
    (tmp_path / "film.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    assert [cue.text for cue in TimedText(video).cues("subtitles")] == ["Hello"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"fps": 2, "clips": []}, "clips"),
        ({"fps": 0, "clips": [{"folder": "x"}]}, "fps"),
        ({"clips": [{"folder": "x"}]}, "fps"),
        ({"fps": 2, "clips": [{"folder": "x", "speed": 1}]}, "speed"),
        ({"fps": 2, "clips": [{"folder": "x", "id": "a"}, {"folder": "x"}]}, "each its own"),
        ({"fps": 2, "clips": [{"folder": "x", "id": "a"}, {"folder": "x", "id": "a"}]}, "each its own"),
        ({"fps": 2, "clips": [{"folder": "gone"}]}, "no folder"),
        ([1], "does not name frames"),
    ],
)
def test_episode_files_that_are_wrong(tmp_path: Path, value: object, said: str) -> None:
    make(tmp_path / "x", range(1, 3))
    with pytest.raises(VideoError, match=said):
        Video.open(write_episode(tmp_path / "film.frames.json", value))
    with pytest.raises(VideoNotFoundError):
        Video.open(tmp_path / "none.frames.json")


# ----------------------------------------------------------------------------------------- what goes with a video


def test_scenes_are_found_and_clips_refused(tmp_path: Path) -> None:
    noise = random.Random(0)
    for number in range(1, 37):
        colour = (200, 30, 30) if number <= 18 else (20, 60, 220)
        picture = np.clip(solid(colour).astype(int) + noise.randrange(4), 0, 255).astype(np.uint8)
        picture[10:20, 10:30] = 255
        save(tmp_path / "clip" / f"{number:05}.jpg", picture)
    video = Video.open(tmp_path / "clip", frame_fps=3)
    assert detect(video) == [TimeSpan(0, 6), TimeSpan(6, 12)]
    with pytest.raises(VideoError, match="cutting clips needs a video file"):
        split(video, tmp_path / "out", seconds=5)
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_subtitles_beside_a_folder(tmp_path: Path) -> None:
    folder = make(tmp_path / "s01e01_seg02_clip_00", range(1, 10))
    (tmp_path / "s01e01_seg02_clip_00.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    assert [cue.text for cue in TimedText(Video.open(folder)).cues("subtitles")] == ["Hello"]
    silent = Video.open(folder, use_text=False)
    assert TimedText(silent).sources() == ()


async def test_a_run_on_frames_is_kept_and_shown(tmp_path: Path) -> None:
    folder = make(tmp_path / "clip", range(1, 31))
    reply = Message("assistant", ("<answer>a clock</answer><evidence>00:02 - 00:04</evidence>",))

    def open_video(uri: str, *, subtitles: str | None = None) -> Video:
        return Video.open(uri, subtitles=subtitles, frame_fps=3)

    recorder = Recorder(tmp_path / "run")
    sample = Sample("1", str(folder), "What is shown?")
    agent = resolve("agent", "crop")(num_frames=4)
    model = ScriptedModel([ModelOutput(reply, "scripted")])
    trace = await run(agent, model, sample, on_event=recorder, open_video=open_video)
    assert (trace.video.codec, trace.video.average_fps, trace.video.num_frames) == ("frames", 3, 30)
    kept = from_json(Trace, (tmp_path / "run/trace.json").read_bytes())
    assert kept.video == trace.video
    frames = next(part for message in kept.opening for part in message.content if not isinstance(part, str))
    again = Video.open(kept.video.uri, frame_fps=kept.video.average_fps)
    assert again.load(frames).pixels.shape[0] == 4


def test_the_commands_take_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from longtake.surfaces.cli import app

    monkeypatch.chdir(tmp_path)
    make(tmp_path / "ep/a", range(1, 7))
    make(tmp_path / "ep/b", range(1, 7))
    (tmp_path / "ep.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nThe ferry leaves at half past six.\n")

    def call(*arguments: str) -> str:
        app(arguments, standalone_mode=False)
        return capsys.readouterr().out

    assert json.loads(call("probe", "ep", "--json"))["chapters"][1] == {"id": "b", "span": {"start": 2.0, "end": 4.0}}
    assert "2 chapters, a to b" in call("probe", "ep/")
    call("frames", "ep", "--at", "2.4", "--out", "pictures")
    with Image.open(tmp_path / "pictures" / "ep_000002.400.jpg") as picture:
        assert read_code(np.asarray(picture)) == 2
    assert "ferry" in call("text", "ep")
    answer = json.loads(call("ask", "ep", "When does the ferry leave?", "--save", "run", "--json"))
    assert "half past six" in answer["answer"]
    assert (tmp_path / "run/evidence.jpg").exists()


def test_no_name_is_not_the_folder_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make(tmp_path / "clip", range(1, 9)))
    with pytest.raises(VideoNotFoundError, match="no video is named"):
        Video.open("")
    assert Video.open(".", frame_fps=2).stem == "clip"


# --------------------------------------------------------------------------------------------------- use_text


def test_without_text_there_is_none(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "film.mp4", audio_start=0.0)
    srt = "1\n00:00:01,000 --> 00:00:02,000\nHello\n"
    (tmp_path / "film.srt").write_text(srt)
    (tmp_path / "named.srt").write_text(srt)
    video = Video.open(clock.path, subtitles=tmp_path / "named.srt", use_text=False)
    words = TimedText(video, ocr=True, asr=True)
    assert (words.sources(), video.subtitles) == ((), None)
    assert words.cues_in(video.span) == ()
    assert words.search("Hello") == ()
    for source in ("subtitles", "screen", "speech"):
        with pytest.raises(ConfigError, match="use_text=False"):
            words.cues(source)
    with pytest.raises(ConfigError, match="use_text=False"):
        words.read_screen([1.0])
    assert TimedText(Video.open(clock.path), ocr=False).sources() == ("subtitles",)


@pytest.mark.parametrize("agent", ["crop", "direct", "team"])
async def test_a_run_without_text_shows_none(tmp_path: Path, agent: str) -> None:
    clock = write_clock(tmp_path / "film.mp4")
    named = tmp_path / "named.srt"
    named.write_text("1\n00:00:01,000 --> 00:00:02,000\nXYZZY\n")
    reply = ModelOutput(Message("assistant", ("<answer>none</answer>",)), "scripted")
    for use_text in (True, False):
        model = ScriptedModel([reply])
        built = build_agent(read_settings({"agent": agent, "frames": 2}), model)
        sample = Sample("1", str(clock.path), "What is said?", subtitles=str(named))
        trace = await run(built, model, sample, open_video=partial(Video.open, use_text=use_text))
        assert trace.answer is not None
        asked = " ".join(message.text for message in model.requests[0].messages)
        assert ("XYZZY" in asked) == (use_text and agent != "crop")
        assert ("search_text" in str(model.requests[0].tools)) == (use_text and agent == "crop")
