"""The subtitles of every benchmark reach a video as cues at the right times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from clips import write_clock
from longtake.errors import AmbiguousVideoError, ConfigError, VideoError, VideoNotFoundError
from longtake.eval.data.subtitle_files import SubtitleSource
from longtake.eval.data.videos import VideoFinder
from longtake.video.decode import Video
from longtake.video.text import TimedText

CLIPS = ("s01e01_seg01_clip_00", "s01e01_seg02_clip_00")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 s."""
    return write_clock(tmp_path_factory.mktemp("videos") / "abc.mp4", fps=1, num_frames=60).path


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Two clips of an episode, 10 s each at 3 frames a second."""
    for clip in CLIPS:
        folder = tmp_path / "frames" / "bbt_frames" / clip
        folder.mkdir(parents=True)
        for number in range(1, 31):
            Image.new("RGB", (32, 24), (number, 0, 0)).save(folder / f"{number:05}.jpg")
    return tmp_path / "frames"


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def cues(video: Path | None, subtitles: Path | None) -> list[tuple[float, float, str]]:
    assert video is not None
    assert subtitles is not None
    words = TimedText(Video.open(video, subtitles=subtitles, frame_fps=3), ocr=False)
    found = [(cue.span.start, cue.span.end, cue.text) for cue in words.cues("subtitles")]
    assert not [warning for warning in words.warnings if "without times" not in warning]
    return found


# -------------------------------------------------------------------------------------------- one file each


def test_video_mme_srt_with_font_tags(tmp_path: Path, film: Path) -> None:
    write(
        tmp_path / "subtitle/abc.srt",
        '1\n00:00:01,250 --> 00:00:04,000\n<font color="white" size=".72c">Hello &amp; welcome</font>\n\n'
        '2\n00:00:04,000 --> 00:00:06,500\n<font color="white">to the <i>show</i>.</font>\n',
    )
    source = SubtitleSource.open("beside", tmp_path, patterns=["subtitle/*"])
    path = source.find("data/abc.mp4")
    assert path == tmp_path / "subtitle/abc.srt"
    assert cues(film, path) == [(1.25, 4.0, "Hello & welcome"), (4.0, 6.5, "to the show.")]
    assert source.find("xyz.mp4") is None


def test_tags_of_languages_and_ambiguity(tmp_path: Path) -> None:
    write(tmp_path / "a/abc.en.srt", "x")
    write(tmp_path / "a/abc.fr.srt", "x")
    write(tmp_path / "a/v1.2_en.json", "[]")
    write(tmp_path / "b/xyz.srt", "one")
    write(tmp_path / "c/xyz.srt", "two")
    source = SubtitleSource.open("beside", tmp_path)
    assert source.find("abc") == tmp_path / "a/abc.en.srt"
    assert source.find("videos/v1.2.mp4") == tmp_path / "a/v1.2_en.json"
    with pytest.raises(AmbiguousVideoError):
        source.find("xyz")
    assert source.find("c/xyz") == tmp_path / "c/xyz.srt"


@pytest.mark.parametrize(
    "metadata",
    [
        '{"id": 1}\n{"id": 2}\n',
        {"title": "A film", "length": 3},
        [{"question": "Who?", "answer": "The cook"}],
        {"other": "words of another video"},
    ],
    ids=["lines", "table", "rows", "another"],
)
def test_json_without_cues_is_not_taken_for_subtitles(tmp_path: Path, metadata: object) -> None:
    path = write(tmp_path / "abc.json", metadata)
    source = SubtitleSource.open("beside", tmp_path)
    with pytest.raises(VideoError, match=r"abc\.json cannot be read"):
        source.find("abc.mp4")
    assert source.find("xyz.mp4", named="abc.json") == path  # who opens the video says that it is broken
    assert SubtitleSource.open("beside", tmp_path, left_out=[path]).find("abc.mp4") is None


ONE = [{"start": 1, "end": 2, "text": "a"}]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("abc.json", []),
        ("abc.en.json", ONE),
        ("abc_en.json", {"abc": "a"}),
        ("abc.json", {"show_abc": ONE}),
        ("abc.json", {clip.replace("s01e01", "abc"): ONE for clip in CLIPS}),
    ],
)
def test_json_with_cues_is(tmp_path: Path, name: str, words: object) -> None:
    path = write(tmp_path / name, words)
    assert SubtitleSource.open("beside", tmp_path).find("abc.mp4") == path


def test_a_row_names_its_file(tmp_path: Path) -> None:
    write(tmp_path / "words/first.vtt", "WEBVTT\n")
    write(tmp_path / "words/abc.srt", "")
    write(tmp_path.parent / "outside.srt", "")
    source = SubtitleSource.open("row", tmp_path)
    assert source.find("abc.mp4", named="subs/first.vtt") == tmp_path / "words/first.vtt"
    assert source.find("abc.mp4", named="../outside.srt") == tmp_path / "words/abc.srt"
    assert source.find("abc.mp4") == tmp_path / "words/abc.srt"
    assert source.find("abd.mp4", named="none.srt") is None


@pytest.mark.parametrize(
    "entries",
    [
        [
            {"timestamp": [5.0, 9.5], "text": "before"},
            {"timestamp": [9.0, 12.5], "text": "across"},
            {"timestamp": [20.1, 22.35], "text": "inside"},
            {"timestamp": [69.0, 75.0], "text": "to the end"},
            {"timestamp": [70.0, None], "text": "after"},
        ],
        [
            {"start": "00:00:05.000", "end": "00:00:09.500", "line": "before"},
            {"start": "00:00:09.000", "end": "00:00:12.500", "line": "across"},
            {"start": "00:00:20.100", "end": "00:00:22.350", "line": "inside"},
            {"start": "00:01:09.000", "end": "00:01:15.000", "line": "to the end"},
            {"start": "00:01:10.000", "end": "00:01:16.000", "line": "after"},
        ],
    ],
    ids=["timestamp", "start"],
)
def test_longvideobench_counts_from_another_start(tmp_path: Path, film: Path, entries: object) -> None:
    write(tmp_path / "subtitles/abc_en.json", entries)
    source = SubtitleSource.open("row", tmp_path, patterns=["subtitles/*"])
    path = source.find("abc.mp4", named="abc_en.json", start_seconds=10.0, duration_seconds=60.0)
    assert path != tmp_path / "subtitles/abc_en.json"
    assert cues(film, path) == [(0.0, 2.5, "across"), (10.1, 12.35, "inside"), (59.0, 60.0, "to the end")]
    assert source.find("abc.mp4", named="abc_en.json", start_seconds=10.0, duration_seconds=60.0) == path
    assert source.find("abc.mp4", named="abc_en.json", start_seconds=11.0) != path
    assert source.find("abc.mp4", named="abc_en.json") == tmp_path / "subtitles/abc_en.json"


def test_what_cannot_be_shifted_is_said(tmp_path: Path) -> None:
    write(tmp_path / "abc.json", "[{")
    with pytest.raises(VideoError, match=r"abc.json cannot be read, line 1"):
        SubtitleSource.open("beside", tmp_path).find("abc", start_seconds=3)


# ------------------------------------------------------------------------------------------------------ shared

TIMED = [{"text": "( Sheldon : ) Hi .", "start": 1.125, "end": 2.0}, {"text": "Bye .", "start": 9.5, "end": 11.0}]
PLAIN = {CLIPS[0]: "Sheldon: Hi.\nYeah.", CLIPS[1]: "Yeah.\nPenny: Bye.", "friends_s01e01_seg01_clip_00": "No."}


def lines(rows: list[dict[str, object]]) -> str:
    return "\n".join(map(json.dumps, rows)) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        lines([{"vid_name": CLIPS[1], "sub": TIMED}, {"vid_name": "friends_s01e01_seg01_clip_00", "sub": []}]),
        lines([{"vid_name": CLIPS[1], "sub": TIMED}]),
        [{"vid_name": CLIPS[1], "sub": TIMED}],
        {CLIPS[1]: TIMED},
    ],
    ids=["tvqa lines", "one line", "array", "object"],
)
def test_tvqa_timed_words_of_a_clip_and_of_its_episode(tmp_path: Path, frames: Path, content: object) -> None:
    shared = write(tmp_path / "subs/tvqa_preprocessed_subtitles.jsonl", content)
    finder = VideoFinder(frames)
    source = SubtitleSource.open("shared", shared.parent, patterns=["*subtitles*.json*"])
    clip = source.find(CLIPS[1])
    assert cues(finder.find(CLIPS[1]), clip) == [(1.125, 2.0, "( Sheldon : ) Hi ."), (9.5, 10.0, "Bye .")]
    assert source.find(CLIPS[1]) == clip
    assert source.find(f"bbt_{CLIPS[1]}.mp4") is not None
    episode = source.find("s01e01")
    assert cues(finder.find("s01e01"), episode) == [(11.125, 12.0, "( Sheldon : ) Hi ."), (19.5, 20.0, "Bye .")]
    assert source.find("s02e09") is None
    assert source.find("friends_s09e01") is None


@pytest.mark.parametrize("key", [0, 1])
def test_tvqa_words_with_their_starts(tmp_path: Path, frames: Path, key: int) -> None:
    texts, times = ["Leonard : One .", "Two ."], [[2.5, 3.0], 4.25]
    joined = {CLIPS[0]: {"sub_text": " <eos> ".join(texts), "sub_time": times}}
    shared = write(tmp_path / "s.json", [joined, {"sub_text": {CLIPS[0]: texts}, "sub_time": {CLIPS[0]: times}}][key])
    path = SubtitleSource.open("shared", shared).find(CLIPS[0])
    found = cues(VideoFinder(frames).find(CLIPS[0]), path)
    assert found == [(2.5, 3.0, "Leonard : One ."), (4.25, 9.25, "Two .")]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        lines([{clip: text} for clip, text in PLAIN.items()]),
        lines([{"clip": clip, "subtitle": text} for clip, text in PLAIN.items()]),
        {"s01e01": f"<seg01_clip_00>{PLAIN[CLIPS[0]]}<seg02_clip_00>\n{PLAIN[CLIPS[1]]}", "friends_s01e01": "No."},
    ],
    ids=["clips", "lines", "rows", "episodes"],
)
def test_longtvqa_words_lie_over_their_clips(tmp_path: Path, frames: Path, content: object) -> None:
    shared = write(tmp_path / "LongTVQA_subtitles.jsonl", content)
    source = SubtitleSource.open("shared", shared)
    assert cues(VideoFinder(frames).find("s01e01"), source.find("s01e01")) == [
        (0.0, 10.0, "Sheldon: Hi.\nYeah."),
        (10.0, 20.0, "Yeah.\nPenny: Bye."),
    ]


def test_longtvqa_words_of_one_clip_span_it(tmp_path: Path, frames: Path) -> None:
    source = SubtitleSource.open("shared", write(tmp_path / "words.json", PLAIN))
    found = cues(VideoFinder(frames).find(CLIPS[1]), source.find(CLIPS[1]))
    assert found == [(0.0, 10.0, "Yeah."), (0.0, 10.0, "Penny: Bye.")]


def test_words_of_clips_for_an_episode_in_one_file(tmp_path: Path, film: Path) -> None:
    """Where the clips lie in it is not known, so their words are said of all of it."""
    source = SubtitleSource.open("shared", write(tmp_path / "words.json", PLAIN))
    episode = film.with_name("s01e01.mp4")
    episode.write_bytes(film.read_bytes())
    assert {text for _, _, text in cues(episode, source.find("s01e01"))} == {"Sheldon: Hi.", "Yeah.", "Penny: Bye."}


def test_srt_files_of_clips_join_to_an_episode(tmp_path: Path, frames: Path) -> None:
    for clip, start in zip(CLIPS, (1, 3), strict=True):
        write(tmp_path / f"subs/{clip}.srt", f"1\n00:00:0{start},500 --> 00:00:05,000\n<i>{clip[-10:]}</i>\n")
    source = SubtitleSource.open("beside", tmp_path / "subs")
    finder = VideoFinder(frames)
    assert source.find(CLIPS[0]) == tmp_path / f"subs/{CLIPS[0]}.srt"
    assert cues(finder.find("s01e01"), source.find("s01e01")) == [(1.5, 5.0, "01_clip_00"), (13.5, 15.0, "02_clip_00")]
    assert source.find("subs") is None


def test_times_and_texts_survive_exactly(tmp_path: Path, film: Path) -> None:
    """What SRT would not keep: finer times, lines that are numbers, arrows, empty lines, other scripts."""
    said = [
        {"start": 0.0001, "end": 1 / 3, "text": "12"},
        {"start": 1 / 3, "end": 2.0, "text": "a --> b\n\n3\n00:00:01,000 --> 00:00:02,000"},
        {"start": 2.5, "end": 2.6000001, "text": "日本語 – “quoted” \\ / 🎬"},
    ]
    path = SubtitleSource.open("shared", write(tmp_path / "w.json", {"abc": said})).find("abc")
    expected = [(s["start"], s["end"], str(s["text"]).replace("\n\n", "\n")) for s in said]
    assert cues(film, path) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "neither JSON nor JSON lines: line 1"),
        ('{"vid_name": "a", "sub": []}\n{broken', "line 2"),
        ([], "holds nothing"),
        ({}, "holds nothing"),
        ({"a": 3}, "entry 1 is no words"),
        ({"a": "x", "b": ["x"]}, "entry 2 is no words"),
        ([{"vid": "a", "sub": []}], "entry 1 is no words"),
        ("7", "holds nothing"),
    ],
)
def test_shared_files_that_are_wrong(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(VideoError, match=said):
        SubtitleSource.open("shared", write(tmp_path / "w.json", content))


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    for kind in ("beside", "row", "shared"):
        with pytest.raises(VideoNotFoundError):
            SubtitleSource.open(kind, tmp_path / "nowhere")  # type: ignore[arg-type]
    with pytest.raises(VideoNotFoundError, match="fits"):
        SubtitleSource.open("shared", tmp_path, patterns=["*subtitles*"])
    for name in ("a_subtitles.json", "b_subtitles.json"):
        write(tmp_path / name, {"a": "x"})
    with pytest.raises(VideoError, match=r"2 subtitle files \(a_subtitles.json, b_subtitles.json\)"):
        SubtitleSource.open("shared", tmp_path, patterns=["*subtitles*"])
    with pytest.raises(ConfigError, match="beside, row or shared"):
        SubtitleSource.open("other", tmp_path)  # type: ignore[arg-type]
