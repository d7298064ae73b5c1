"""LongVideo-Reason's files and its six commands."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from pathlib import Path

import pytest
from fake_context import FakeContext, run_chain
from hypothesis import given
from hypothesis import strategies as st

import clips
from longtake.datagen.recipes.longvideo_reason import Settings
from longtake.datagen.scripts.commands import (
    SeedCommand,
    caption_clips,
    merge_captions,
    parse_replies,
    reformat_questions,
    split_videos,
    write_questions,
)
from longtake.datagen.scripts.files import (
    IndexedClip,
    captions_text,
    clip_name,
    file_stem,
    read_captions_text,
    read_clip_captions,
    read_index,
    read_merged,
    split_clip_name,
    unique_stems,
    write_index,
    write_merged,
)
from longtake.datagen.store import roots_of
from longtake.datagen.values import Caption, CaptionedVideo
from longtake.errors import ConfigError
from longtake.models.reader import Reader
from longtake.models.scripted import ScriptedModel
from longtake.types import TimeSpan
from longtake.video.decode import Video

GOOD = """QUESTION: What does the woman fetch?
OPTIONS:
A. A broom
B. A candle
ANSWER: B
REASONS:
##### From [10 to 20] and [25 to 30]:
- The captions say it gets dark.
##### From [30.5 to 40]:
- She has a candle.
"""

names = st.text("ab._- 0", min_size=1, max_size=8)


def put(folder: Path, name: str, value: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(value), encoding="utf-8")


# -------------------------------------------------------------------------------------------------------- names


@given(names, st.integers(0, 100_000) | st.floats(0, 50_000).map(lambda x: round(x, 3)))
def test_a_clip_is_named_after_its_video_and_second(video: str, start: float) -> None:
    assert split_clip_name(clip_name(video, start)) == (video, pytest.approx(start, abs=1e-3))


def test_names_of_the_seed_are_its_own() -> None:
    assert clip_name("my.film_1", 10.0) == "my.film_1_0010"
    assert clip_name("film", 12_345.0) == "film_12345"
    assert clip_name("film", 12.5) == "film_0012.500"
    assert split_clip_name("film") is None
    assert split_clip_name("film_x") is None


@given(st.lists(st.sampled_from(["a", "a_q2", "b", "a/b", "a%2Fb"]), max_size=12))
def test_every_question_has_a_file_of_its_own(videos: list[str]) -> None:
    stems = unique_stems(videos)
    assert len(set(stems)) == len(videos)
    for video in set(videos):
        assert stems[videos.index(video)] == file_stem(video)


# ----------------------------------------------------------------------------------------------- captions of clips


def test_times_of_clips_are_the_seconds_of_their_names(tmp_path: Path) -> None:
    for start in (9_990, 10_000, 0, 10, 20, 10_010, 5_000):
        name = f"my.film_{start:04d}"
        put(tmp_path, f"{name}.json", {name: f"at\n{start}"})
    put(tmp_path, "other_0000.json", {"other_0000": "alone"})
    found = read_clip_captions(tmp_path)
    spans = [(one.start_time, one.end_time) for one in found["my.film"]]
    assert spans == [(at, at + 10) for at in (0, 10, 20, 5_000, 9_990, 10_000, 10_010)]
    assert found["my.film"][3].caption == "at 5000"
    assert found["other"] == (Caption(0, 10, "alone"),)


def test_the_index_knows_better_than_names(tmp_path: Path) -> None:
    span = TimeSpan(12.3456, 15.5)
    (tmp_path / "clips.jsonl").write_bytes(write_index([IndexedClip("film_0012.346", "film", "../film.mp4", span)]))
    put(tmp_path, "film_0012.346.json", {"film_0012.346": "a"})
    assert read_clip_captions(tmp_path) == {"film": (Caption(12.3456, 15.5, "a"),)}


@pytest.mark.parametrize("value", [[], {}, {"film_0000": ""}, {"film_0000": 3}, {"film": "a"}, "text"])
def test_what_is_no_caption_is_named(value: object, tmp_path: Path) -> None:
    put(tmp_path, "film_0000.json", value)
    with pytest.raises(ConfigError, match=r"film_0000\.json"):
        read_clip_captions(tmp_path)


def test_half_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "film_0000.json").write_text('{"film_0000": "A ma')
    with pytest.raises(ConfigError, match=r"film_0000\.json is not JSON"):
        read_clip_captions(tmp_path)


def test_a_broken_index_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "clips.jsonl").write_text('\n{"clip": "a"}\n')
    with pytest.raises(ConfigError, match="line 2"):
        read_index(tmp_path / "clips.jsonl")


# ------------------------------------------------------------------------------------------------ merged captions

captions = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(1, 5_000), st.text("ab s,:", max_size=20)), max_size=5
).map(lambda rows: tuple(Caption(a / 8, (a + b) / 8, " ".join(f"A {text}".split())) for a, b, text in rows))


@given(captions)
def test_captions_survive_both_files(found: tuple[Caption, ...]) -> None:
    text = read_captions_text(captions_text(found))
    cleaned = tuple(Caption(c.start_time, c.end_time, c.caption) for c in found)
    assert text == cleaned


@given(captions)
def test_merged_captions_survive(tmp_path_factory: pytest.TempPathFactory, found: tuple[Caption, ...]) -> None:
    path = tmp_path_factory.mktemp("m") / "merged.json"
    path.write_bytes(write_merged([CaptionedVideo("film", found)]))
    assert read_merged(path) == [CaptionedVideo("film", found)]


def test_whole_seconds_are_written_as_the_seed_does() -> None:
    written = json.loads(write_merged([CaptionedVideo("film", (Caption(0.0, 10.0, "é"), Caption(10.0, 12.5, "b")))]))
    assert json.dumps(written[0]["captions"][0], ensure_ascii=False) == (
        '{"start_time": 0, "end_time": 10, "caption": "é"}'
    )
    assert written[0]["captions"][1]["end_time"] == 12.5


def test_times_that_are_ten_times_too_large_are_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"start_time": 100 * n, "end_time": 100 * n + 10, "caption": "x"} for n in range(3)]
    put(tmp_path, "m.json", [{"id": "film", "captions": rows}])
    with caplog.at_level(logging.WARNING, "longtake"):
        read_merged(tmp_path / "m.json")
    assert "film look ten times too large" in caplog.text


@pytest.mark.parametrize(
    "value", [{}, [1], [{"id": "a"}], [{"id": "a", "captions": [{"start_time": 3, "end_time": 1}]}]]
)
def test_what_is_not_merged_captions_is_refused(value: object, tmp_path: Path) -> None:
    put(tmp_path, "m.json", value)
    if value == {}:
        assert read_merged(tmp_path / "m.json") == []
        return
    with pytest.raises(ConfigError, match=r"m\.json is not a list of videos with captions"):
        read_merged(tmp_path / "m.json")


# ------------------------------------------------------------------------------------------------- the six commands


def run(command: SeedCommand, folder: Path) -> tuple[list[Path], list[str]]:
    """The files it writes, and why records were left out; a video at a time, as the engine does."""
    ctx = FakeContext(folder / "run" / "files", command.videos)
    made, reasons = [], []
    for root in roots_of(command.roots):
        some, why = run_chain(command.steps, [root], ctx)
        made += some
        reasons += why
    return command.write(made, folder / "run"), reasons


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of 25 s; the names of one hold dots and a folder."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "sub").mkdir()
    words = "anna bert carl dora emil fritz gerda hans ida jan karl lena".split()
    for path in (folder / "a.mp4", folder / "sub" / "b.v2.mp4"):
        clips.write_clock(path, fps=8, num_frames=200, gop=16 + len(path.stem))
        cues = [
            f"{n + 1}\n00:00:{2 * n:02d},000 --> 00:00:{2 * n + 1:02d},500\n{path.stem} {word}\n"
            for n, word in enumerate(words)
        ]
        path.with_suffix(".srt").write_text("\n".join(cues), encoding="utf-8")
    return folder


def test_all_six_commands_one_after_the_other(videos: Path, tmp_path: Path) -> None:
    settings = Settings(caption_fps=0.5, question_types=("temporal",), questions_per_type=2)
    model = Reader()
    run(split_videos(videos, tmp_path / "clips", clip_duration=5), tmp_path)
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["clips.jsonl"]
    index = read_index(tmp_path / "clips" / "clips.jsonl")
    assert [clip.clip for clip in index][4:6] == ["a_0020", "sub%2Fb.v2_0000"]
    assert not Path(index[0].video).is_absolute()
    files, _ = run(caption_clips(tmp_path / "clips", tmp_path / "captions", model, settings), tmp_path)
    assert len(files) == 11
    assert json.loads((tmp_path / "captions" / "a_0005.json").read_text()) == {
        "a_0005": 'Someone says "a carl", then "a dora", then "a emil".'
    }
    run(merge_captions(tmp_path / "captions", tmp_path / "merged.json"), tmp_path)
    merged = read_merged(tmp_path / "merged.json")
    assert [video.id for video in merged] == ["a", "sub/b.v2"]
    assert [one.start_time for one in merged[0].captions] == [0, 5, 10, 15, 20]
    files, _ = run(write_questions(tmp_path / "merged.json", tmp_path / "replies", model, settings), tmp_path)
    assert [path.name for path in files] == ["a.json", "a_q2.json", "sub%2Fb.v2.json", "sub%2Fb.v2_q2.json"]
    run(parse_replies(tmp_path / "replies", tmp_path / "parsed.json"), tmp_path)
    parsed = json.loads((tmp_path / "parsed.json").read_text())
    assert [(item["video_name"], item["question_type"]) for item in parsed] == [
        *[("a", "temporal")] * 2,
        *[("sub/b.v2", "temporal")] * 2,
    ]
    files, reasons = run(reformat_questions(tmp_path / "parsed.json", tmp_path / "problems", model), tmp_path)
    assert (len(files), reasons) == (4, [])
    problem = json.loads((tmp_path / "problems" / "a_q2.json").read_text())
    assert problem["problem_id"] == 1
    assert (problem["data_type"], problem["videos"], problem["problem_type"]) == ("video", "a.mp4", "temporal")
    assert problem["answer"] == f"<answer>{parsed[1]['ANSWER']}</answer>"
    assert problem["problem"].splitlines()[0] == parsed[1]["QUESTION"]
    assert problem["problem"].splitlines()[1].startswith("A. ")
    assert len(problem["problem"].splitlines()) == 5
    assert problem["reasoning"]


def test_materialized_clips_have_the_names_of_the_seed(videos: Path, tmp_path: Path) -> None:
    files, _ = run(split_videos(videos / "a.mp4", tmp_path / "clips", clip_duration=10, materialize=True), tmp_path)
    assert [path.name for path in files] == ["a_0000.mp4", "a_0010.mp4", "a_0020.mp4", "clips.jsonl"]
    for path, seconds in zip(files, (10, 10, 5), strict=False):
        video = Video.open(path)
        assert video.info.duration_seconds == pytest.approx(seconds, abs=0.1)
        start = 10 * files.index(path)
        assert clips.read_code(video.frames_at([0.0]).pixels[0]) == 8 * start


def test_clip_files_of_the_seed_are_captioned_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for name in ("my.film_0000", "my.film_0010"):
        clips.write_clock(tmp_path / "clips" / f"{name}.mp4", fps=8, num_frames=16)
    model = ScriptedModel(["<caption>A clock starts.</caption>", "I'm sorry, but I can't describe this."])
    command = caption_clips(tmp_path / "clips", tmp_path / "captions", model)
    files, reasons = run(command, tmp_path)
    assert [path.name for path in files] == ["my.film_0000.json"]
    assert json.loads(files[0].read_text()) == {"my.film_0000": "A clock starts."}
    assert len(reasons) == 1


def test_an_index_without_its_video_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "clips.jsonl").write_bytes(write_index([IndexedClip("f_0000", "f", "f.mp4", TimeSpan(0, 10))]))
    with pytest.raises(ConfigError, match=r"f\.mp4"):
        caption_clips(tmp_path, tmp_path / "out", Reader())


def test_replies_of_the_seed_are_read_with_what_is_wrong_left_out(tmp_path: Path) -> None:
    text = "From 0 to 10, a man waits.\nFrom 10 to 20, it gets dark.\nFrom 20 to 40, a woman comes.\n"
    for name, reply in (("a", f"<think>ANSWER: A</think>\n{GOOD}"), ("b", GOOD.replace("ANSWER: B", "")), ("c", GOOD)):
        put(tmp_path / "in", f"{name}.json", {"video_name": name, "captions": text, "reasoning": reply})
    (file,), reasons = run(parse_replies(tmp_path / "in", tmp_path / "out.json"), tmp_path)
    first, second = json.loads(file.read_text())
    assert first == {
        "QUESTION": "What does the woman fetch?",
        "OPTIONS": {"A": "A broom", "B": "A candle"},
        "ANSWER": "B",
        "REASONS": {
            "Step 1": {"timestamp": "10 to 20] and [25 to 30", "reasons": ["The captions say it gets dark."]},
            "Step 2": {"timestamp": "30.5 to 40", "reasons": ["She has a candle."]},
        },
        "video_name": "a",
        "question_type": "detail",
    }
    assert second["video_name"] == "c"
    assert reasons == [reasons[0]]
    assert "no part ANSWER" in reasons[0]


def test_a_reply_may_be_mended_by_a_model(tmp_path: Path) -> None:
    put(tmp_path / "in", "a.json", {"video_name": "a", "captions": "", "reasoning": "no"})
    model = ScriptedModel([GOOD])
    run(parse_replies(tmp_path / "in", tmp_path / "out.json", model), tmp_path)
    assert len(json.loads((tmp_path / "out.json").read_text())) == 1
    assert len(model.requests) == 1


def test_questions_of_the_seed_are_checked_before_they_are_paid_for(tmp_path: Path) -> None:
    step = {"Step 1": {"timestamp": "0:00:10 - 0:00:20", "reasons": ["The captions say it gets dark, so B."]}}
    good = {"QUESTION": "Q?", "OPTIONS": {"A": "x", "B": "y"}, "ANSWER": "B", "REASONS": step, "video_name": "my.film"}
    put(tmp_path, "in.json", [good, {**good, "ANSWER": ""}, good])
    model = ScriptedModel(["REASONING: It gets dark, as checking the video shows, so B.\nANSWER: B"] * 2)
    files, reasons = run(reformat_questions(tmp_path / "in.json", tmp_path / "out", model), tmp_path)
    assert [path.name for path in files] == ["my.film.json", "my.film_q3.json"]
    assert json.loads(files[0].read_text()) == {
        "problem_id": 0,
        "data_type": "video",
        "videos": "my.film.mp4",
        "problem": "Q?\nA. x\nB. y",
        "problem_type": "general",
        "reasoning": "It gets dark, as checking the video shows, so B.",
        "answer": "<answer>B</answer>",
    }
    assert len(reasons) == 1
    assert "The video say it gets dark" in model.requests[0].messages[0].text


@pytest.mark.parametrize("value", [{}, [], [1], [{"QUESTION": "x"}]])
def test_what_is_no_list_of_questions_is_refused(value: object, tmp_path: Path) -> None:
    put(tmp_path, "in.json", value)
    with pytest.raises(ConfigError, match=r"in\.json is not a list of questions"):
        reformat_questions(tmp_path / "in.json", tmp_path / "out", Reader())


def test_a_folder_with_other_files_than_replies_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "x.json", {"a": 1})
    with pytest.raises(ConfigError, match=r"x\.json is not a reply"):
        parse_replies(tmp_path, tmp_path / "out.json")


def test_pairs_of_clips_touch(videos: Path, tmp_path: Path) -> None:
    run(split_videos(videos, tmp_path / "clips", clip_duration=7), tmp_path)
    index = [clip for clip in read_index(tmp_path / "clips" / "clips.jsonl") if clip.id == "a"]
    assert all(a.span.end == b.span.start for a, b in pairwise(index))
