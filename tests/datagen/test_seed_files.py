"""LongVideo-Reason's files and its six commands."""

from __future__ import annotations

import json
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
    VideoCaptions,
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
from longtake.datagen.values import Caption
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
    (film, other), problems = read_clip_captions(tmp_path)
    spans = [(one.start_time, one.end_time) for one in film.captions]
    assert spans == [(at, at + 10) for at in (0, 10, 20, 5_000, 9_990, 10_000, 10_010)]
    assert (film.id, film.video, film.captions[3].caption) == ("my.film", "my.film.mp4", "at 5000")
    assert other == VideoCaptions("other", "other.mp4", (Caption(0, 10, "alone"),))
    assert problems == {}


def test_the_index_knows_better_than_names(tmp_path: Path) -> None:
    span = TimeSpan(12.3456, 15.5)
    (tmp_path / "clips.jsonl").write_bytes(write_index([IndexedClip("film_0012.346", "film", "../film.mkv", span)]))
    put(tmp_path, "film_0012.346.json", {"film_0012.346": "a"})
    put(tmp_path, "film_0010.json", {"film_0010": "of clips there were before"})
    found, problems = read_clip_captions(tmp_path)
    assert found == [VideoCaptions("film", "film.mkv", (Caption(12.3456, 15.5, "a"),))]
    assert problems == {
        "film_0010.json": "film_0010.json: clips.jsonl has no clip 'film_0010'; the video was split anew"
    }


NO_CAPTIONS = [b"", b'{"film_0000": "A ma', b"[]", b"{}", b'{"film_0000": 3}', b'{"film": "a"}', b'"text"', b"\xff"]


@pytest.mark.parametrize("data", NO_CAPTIONS)
def test_what_is_no_caption_is_named_and_stops_no_other(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "film_0000.json").write_bytes(data)
    with pytest.raises(ConfigError, match=r"no file of .* holds a caption: film_0000\.json"):
        read_clip_captions(tmp_path)
    put(tmp_path, "other_0000.json", {"other_0000": "fine"})
    (other,), problems = read_clip_captions(tmp_path)
    assert other.id == "other"
    assert list(problems) == ["film_0000.json"]
    command = merge_captions(tmp_path, tmp_path / "out" / "merged.json")
    (file,), reasons = run(command, tmp_path)
    assert [video["id"] for video in json.loads(file.read_text())] == ["other"]
    assert [reason.split(":")[0] for reason in reasons] == ["source"]
    assert "film_0000.json" in reasons[0]


def test_a_clip_ends_where_the_next_begins_though_that_has_no_caption(tmp_path: Path) -> None:
    put(tmp_path, "film_0000.json", {"film_0000": "a"})
    put(tmp_path, "film_0030.json", {"film_0030": "b"})
    for start in (10, 20):
        (tmp_path / f"film_00{start}.json").touch()
    (film,), _ = read_clip_captions(tmp_path)
    assert film.captions == (Caption(0, 10, "a"), Caption(30, 40, "b"))


NOT_SAID = [
    "Error: Connection error.",
    "I'm sorry, but I can't describe this video.",
    None,
    "",
    "None",
    "<think>hm</think>",
]


@pytest.mark.parametrize("text", NOT_SAID)
def test_what_was_written_down_but_is_no_caption_is_left_out(text: str | None, tmp_path: Path) -> None:
    put(tmp_path / "in", "film_0000.json", {"film_0000": text})
    put(tmp_path / "in", "film_0010.json", {"film_0010": "A man waits."})
    (file,), reasons = run(merge_captions(tmp_path / "in", tmp_path / "merged.json"), tmp_path)
    kept = {"start_time": 10, "end_time": 20, "caption": "A man waits."}
    assert json.loads(file.read_text()) == [{"id": "film", "captions": [kept], "video": "film.mp4"}]
    assert [reason[:21] for reason in reasons] == ["caption: film at 0 s:"]
    put(tmp_path, "m.json", [{"id": "film", "captions": [{"start_time": 0, "end_time": 10, "caption": text}, kept]}])
    model = ScriptedModel([GOOD])
    settings = Settings(question_types=("plot",))
    (file,), reasons = run(write_questions(tmp_path / "m.json", tmp_path / "out", model, settings), tmp_path)
    assert json.loads(file.read_text())["captions"] == "From 10 to 20, A man waits.\n"
    assert [reason.split(":")[0] for reason in reasons] == ["caption"]


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
    merged = [VideoCaptions("film", "film.mkv", found)]
    path.write_bytes(write_merged(merged))
    assert read_merged(path) == merged


def test_whole_seconds_are_written_as_the_seed_does() -> None:
    written = json.loads(
        write_merged([VideoCaptions("film", "film.mp4", (Caption(0, 10, "é"), Caption(10, 12.5, "b")))])
    )
    assert json.dumps(written[0]["captions"][0], ensure_ascii=False) == (
        '{"start_time": 0, "end_time": 10, "caption": "é"}'
    )
    assert written[0]["captions"][1]["end_time"] == 12.5


TENFOLD = [(0, 100, 200), (0, 100, 300), (100, 200), (0, 200)]
HONEST = [(0,), (100,), (0, 10, 20), (0, 100, 110), (90, 100, 200), (5, 105, 205)]


@pytest.mark.parametrize("starts", TENFOLD + HONEST)
def test_times_that_are_ten_times_too_large_are_refused(starts: tuple[int, ...], tmp_path: Path) -> None:
    rows = [{"start_time": start, "end_time": start + 10, "caption": "x"} for start in starts]
    short = [{"start_time": 0, "end_time": 10, "caption": "x"}]
    put(tmp_path, "m.json", [{"id": "short", "captions": short}, {"id": "film", "captions": rows}])
    if starts in HONEST:
        assert len(read_merged(tmp_path / "m.json")) == 2
        return
    with pytest.raises(ConfigError, match=r"ten times too large.*1 videos \(film\).*data merge --input_dir"):
        read_merged(tmp_path / "m.json")


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
        "video": "a.mp4",
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
    assert "The video says it gets dark" in model.requests[0].messages[0].text


@pytest.mark.parametrize("value", [{}, [], [1], [{"QUESTION": "x"}]])
def test_what_is_no_list_of_questions_is_refused(value: object, tmp_path: Path) -> None:
    put(tmp_path, "in.json", value)
    with pytest.raises(ConfigError, match=r"in\.json is not a list of questions"):
        reformat_questions(tmp_path / "in.json", tmp_path / "out", Reader())


def test_a_folder_with_other_files_than_replies_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "x.json", {"a": 1})
    with pytest.raises(ConfigError, match=r"no replies in .*x\.json is not a reply"):
        parse_replies(tmp_path, tmp_path / "out.json")


def test_half_a_reply_stops_no_other(tmp_path: Path) -> None:
    put(tmp_path / "in", "a.json", {"video_name": "a", "captions": "", "reasoning": GOOD})
    (tmp_path / "in" / "b.json").write_text('{"video_name": "b", "cap')
    (file,), reasons = run(parse_replies(tmp_path / "in", tmp_path / "out.json"), tmp_path)
    assert [item["video_name"] for item in json.loads(file.read_text())] == ["a"]
    assert reasons == [reasons[0]]
    assert "b.json is not JSON" in reasons[0]


@pytest.mark.parametrize(
    ("name", "known", "file"),
    [
        ("film", None, "film.mp4"),
        ("film.mp4", None, "film.mp4"),
        ("film.mkv", None, "film.mkv"),
        ("my.film", None, "my.film.mp4"),
        ("film", "film.mkv", "film.mkv"),
        ("sub/film.MKV", None, "sub/film.MKV"),
    ],
)
def test_questions_name_the_file_of_their_video(name: str, known: str | None, file: str, tmp_path: Path) -> None:
    reply = {"video_name": name, "captions": "", "reasoning": GOOD, **({"video": known} if known else {})}
    put(tmp_path / "in", "a.json", reply)
    run(parse_replies(tmp_path / "in", tmp_path / "parsed.json"), tmp_path)
    model = ScriptedModel(["REASONING: It gets dark, as checking the video shows, so B.\nANSWER: B"])
    (out,), _ = run(reformat_questions(tmp_path / "parsed.json", tmp_path / "out", model), tmp_path)
    assert json.loads(out.read_text())["videos"] == file


def test_a_time_that_the_captions_tell_of_may_be_asked_about_to_the_end(tmp_path: Path) -> None:
    asked = GOOD.replace("What does the woman fetch?", "Which sign says 5 minutes?").replace(
        "A broom", "The one of 12:30"
    )
    captions = "From 0 to 40, The sign says 5 minutes, the other 12:30.\n"
    put(tmp_path / "in", "a.json", {"video_name": "a", "captions": captions, "reasoning": asked})
    _, reasons = run(parse_replies(tmp_path / "in", tmp_path / "parsed.json"), tmp_path)
    assert reasons == []
    model = ScriptedModel(["REASONING: It gets dark, as checking the video shows, so B.\nANSWER: B"])
    files, reasons = run(reformat_questions(tmp_path / "parsed.json", tmp_path / "out", model), tmp_path)
    assert reasons == []
    assert "5 minutes" in json.loads(files[0].read_text())["problem"]


@pytest.mark.parametrize("time", ["12345.678", "123459.75", "0.5", "20"])
def test_times_are_written_exactly(time: str, tmp_path: Path) -> None:
    reply = GOOD.replace("30.5 to 40", f"{time} to 999999")
    put(tmp_path / "in", "a.json", {"video_name": "a", "captions": "", "reasoning": reply})
    run(parse_replies(tmp_path / "in", tmp_path / "parsed.json"), tmp_path)
    (item,) = json.loads((tmp_path / "parsed.json").read_text())
    assert item["REASONS"]["Step 2"]["timestamp"] == f"{time} to 999999"


def test_pairs_of_clips_touch(videos: Path, tmp_path: Path) -> None:
    run(split_videos(videos, tmp_path / "clips", clip_duration=7), tmp_path)
    index = [clip for clip in read_index(tmp_path / "clips" / "clips.jsonl") if clip.id == "a"]
    assert all(a.span.end == b.span.start for a, b in pairwise(index))
