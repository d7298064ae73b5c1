"""The sample video: a sound file, the truth of its questions, nothing half-made, the same every time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from longtake.errors import StoreError
from longtake.surfaces.demo.scenes import clock, frame, stage
from longtake.surfaces.demo.story import CAST, DURATION_SECONDS, SCENES, cues, scene_spans
from longtake.surfaces.demo.video import FILE_NAME, DemoVideo, make_demo_video


@dataclass
class Made:
    demo: DemoVideo
    progress: list[tuple[int, int]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    progress: list[tuple[int, int]] = []
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    demo = make_demo_video(folder, on_progress=lambda done, total: progress.append((done, total)))
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]
    return Made(demo, progress)


def question(made: Made, name: str):
    return next(sample for sample in made.demo.questions if sample.id == name)


def picture_at(path: Path, seconds: float) -> np.ndarray:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        container.seek(int(seconds / stream.time_base), stream=stream)
        for shown in container.decode(stream):
            if shown.time + 1e-6 >= seconds:
                return shown.to_ndarray(format="rgb24")
    raise AssertionError(f"no picture at {seconds}")


def plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def test_file_is_ten_minutes_of_h264_with_key_frames_at_scene_changes(made: Made):
    with av.open(str(made.demo.path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 854, 480)
        assert float(video.duration * video.time_base) == pytest.approx(600, abs=0.3)
        packets = [packet for packet in container.demux(video) if packet.pts is not None]
    assert len(packets) == 3000
    keys = {round(float(packet.pts * packet.time_base), 3) for packet in packets if packet.is_keyframe}
    assert keys >= {span.start for span in scene_spans()}


def test_subtitle_track_holds_every_line_at_its_time(made: Made):
    with av.open(str(made.demo.path)) as container:
        (track,) = container.streams.subtitles
        assert (track.codec_context.name, track.language) == ("mov_text", "eng")
        found: list[tuple[float, float, str]] = []
        for packet in container.demux(track):
            for subtitle in packet.decode():
                start = float(packet.pts * packet.time_base)
                length = float(packet.duration * packet.time_base)
                found.append((round(start, 3), round(start + length, 3), subtitle.dialogue.decode()))
    assert found == [(cue.span.start, cue.span.end, cue.text) for cue in cues()]
    assert 60 <= len(found) <= 120


def test_lines_are_spoken_by_the_cast_within_their_scene_and_never_overlap():
    lines = cues()
    assert all(first.span.end <= second.span.start for first, second in pairwise(lines))
    assert all(line.text.partition(": ")[0] in CAST for line in lines)
    for scene, span in zip(SCENES, scene_spans(), strict=True):
        inside = [cue.text for cue in lines if span.start <= cue.span.start and cue.span.end <= span.end]
        assert tuple(inside) == scene.lines
        assert set(scene.people) == {line.partition(": ")[0] for line in scene.lines} or not scene.people


def test_progress_counts_every_second(made: Made):
    assert made.progress == [(second, DURATION_SECONDS) for second in range(1, 601)]


def test_questions_name_the_file_and_have_truth_inside_it(made: Made):
    assert len(made.demo.questions) == 3
    for sample in made.demo.questions:
        assert Path(sample.video) == made.demo.path
        assert sample.target
        assert sample.target_spans
        assert all(span.end <= DURATION_SECONDS for span in sample.target_spans)


@pytest.mark.parametrize("name", ["demo-said", "demo-choice"])
def test_spoken_answers_are_said_in_the_truth_span(made: Made, name: str):
    sample = question(made, name)
    (line,) = [cue for cue in cues() if cue.span in sample.target_spans]
    assert sample.target in line.text


def test_a_line_about_something_else_shares_words_with_the_question(made: Made):
    for sample, words in (
        (question(made, "demo-said"), ("notebook", "found")),
        (question(made, "demo-choice"), ("boat", "night")),
    ):
        assert all(word in sample.question for word in words)
        others = [cue.text for cue in cues() if cue.span not in sample.target_spans]
        assert any(all(re.search(rf"\b{word}\b", text) for word in words) for text in others)


def test_the_written_answer_is_on_one_sign_only_and_never_said(made: Made):
    sample = question(made, "demo-written")
    showing = [
        span
        for scene, span in zip(SCENES, scene_spans(), strict=True)
        if any(plain(sample.target) in plain(sign) for sign in scene.signs)
    ]
    assert tuple(showing) == sample.target_spans
    assert not any(plain(sample.target) in plain(cue.text) for cue in cues())


def test_every_choice_is_mentioned_and_the_wrong_ones_are_no_strawmen(made: Made):
    sample = question(made, "demo-choice")
    assert sample.target in sample.choices
    for choice in sample.choices:
        assert sum(choice.lower() in cue.text.lower() for cue in cues()) >= 1
    assert sum("heron" in cue.text.lower() for cue in cues() if cue.span not in sample.target_spans) >= 1


def test_signs_can_be_read_when_they_are_shown(made: Made):
    rapidocr = pytest.importorskip("rapidocr")
    reader = rapidocr.RapidOCR()

    def read(seconds: float) -> str:
        picture = np.ascontiguousarray(picture_at(made.demo.path, seconds)[:, :, ::-1])
        return plain("".join(reader(picture).txts or ()))

    sample = question(made, "demo-written")
    (span,) = sample.target_spans
    assert all(plain(sample.target) in read(seconds) for seconds in (span.start, span.end - 0.2))
    assert all(plain(sample.target) not in read(seconds) for seconds in (span.start - 0.2, span.end))
    for index in (3, 6, 11, 16):  # by day, with many things, in rain, at night
        seconds = scene_spans()[index].start + 7
        text = read(seconds)
        assert all(plain(sign) in text for sign in SCENES[index].signs)
        assert f"{int(seconds) // 60:02d}{int(seconds) % 60:02d}" in text, "the clock in the corner"


def test_the_same_pictures_every_time_and_the_ones_in_the_file(made: Made):
    for index in (1, 4, 9, 11, 17):
        span, scene = scene_spans()[index], SCENES[index]
        corner = clock(int(span.start) + 3)
        first, second = (np.asarray(frame(stage(scene), 3.4, corner)) for _ in range(2))
        assert np.array_equal(first, second)
        stored = picture_at(made.demo.path, span.start + 3.4)
        assert np.abs(stored.astype(int) - first).mean() < 4, scene.picture


def test_things_move():
    crossing = stage(SCENES[4])
    corner = clock(0)
    assert not np.array_equal(np.asarray(frame(crossing, 1.0, corner)), np.asarray(frame(crossing, 1.2, corner)))


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    (tmp_path / FILE_NAME).write_bytes(b"old")

    def interrupt(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo_video(tmp_path, on_progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert (tmp_path / FILE_NAME).read_bytes() == b"old"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot write the sample video .*file"):
        make_demo_video(tmp_path / "file")
