"""`TimedText`: which sources there are, what is kept, and the search."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clips import write_clock
from longtake.errors import ConfigError, MissingExtraError, StoreError, VideoError
from longtake.media import CueList
from longtake.store import cache_dir
from longtake.types import Cue, TimeSpan
from longtake.video import cue_index, ocr, speech, text
from longtake.video.cue_index import CueIndex
from longtake.video.decode import Video
from longtake.video.text import TimedText

LINES = [
    (0.0, 1.0, "Welcome to the harbour."),
    (1.0, 2.0, "The red car stops at the station."),
    (2.0, 3.0, "Dinner is served at 18:30 in the café."),
    (3.0, 4.0, "She was running and singing."),
    (4.0, 5.0, "红色的车停在车站。"),
    (5.0, 6.0, 'He said "OR NOT" (twice): a*b'),
    (6.0, 7.0, "Flight 815 leaves from gate 23."),
    (7.0, 8.0, "It is what it is."),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text")
    write_clock(path / "v.mp4", num_frames=200, audio_start=0.0)
    (path / "lines.json").write_text(json.dumps([{"start": a, "end": b, "text": said} for a, b, said in LINES]))
    return path


@pytest.fixture(scope="module")
def timed(folder: Path) -> TimedText:
    return TimedText(Video.open(folder / "v.mp4", subtitles=folder / "lines.json"), ocr=False)


def bare(folder: Path) -> Video:
    return Video.open(folder / "v.mp4")


# --------------------------------------------------------------------------------------------------- sources


def test_sources_are_what_there_is_and_what_is_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ocr, speech):
        monkeypatch.setattr(module, "available", lambda: True)
    video = Video.open(folder / "v.mp4", subtitles=folder / "lines.json")
    assert TimedText(video, asr=True).sources() == ("subtitles", "screen", "speech")
    assert TimedText(bare(folder)).sources() == ("screen",)
    monkeypatch.setattr(ocr, "available", lambda: False)
    assert TimedText(video).sources() == ("subtitles",)
    assert TimedText(bare(folder)).sources() == ()


def test_a_file_beside_the_video_counts_before_its_tracks(tmp_path: Path, shared_videos: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes((shared_videos / "nasa_13013.mp4").read_bytes())
    assert TimedText(Video.open(path), ocr=False).cues("subtitles")[0].text.startswith("NAR: This is the optical")
    (tmp_path / "film.en.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nbeside\n")
    assert [cue.text for cue in TimedText(Video.open(path), ocr=False).cues("subtitles")] == ["beside"]
    named = tmp_path / "other.srt"
    named.write_text("1\n00:00:01,000 --> 00:00:02,000\nnamed\n")
    assert [cue.text for cue in TimedText(Video.open(path, subtitles=named)).cues("subtitles")] == ["named"]


def test_asking_for_what_is_off_absent_or_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = TimedText(bare(folder), ocr=False)
    assert none.cues("subtitles") == ()
    assert none.search("anything") == ()
    assert none.cues_in(TimeSpan(0, 8)) == ()
    with pytest.raises(ConfigError, match=r"'screen' is switched off.*ocr=True"):
        none.cues("screen")
    with pytest.raises(ConfigError, match=r"'speech' is switched off.*asr=True"):
        none.cues("speech")
    with pytest.raises(ConfigError, match="switched off"):
        none.read_screen([1.0])
    with pytest.raises(ConfigError, match="it is one of subtitles, screen, speech"):
        none.cues("frames")
    for module in (ocr, speech):
        monkeypatch.setattr(module, "available", lambda: False)
    with pytest.raises(MissingExtraError, match=r"longtake\[ocr\]"):
        TimedText(bare(folder)).read_screen([1.0])
    with pytest.raises(MissingExtraError, match=r"longtake\[asr\]"):
        TimedText(bare(folder), asr=True).cues("speech")


def test_an_unreadable_subtitle_file_is_an_error_each_time(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.srt"
    bad.write_text("nothing here")
    broken = TimedText(Video.open(folder / "v.mp4", subtitles=bad), ocr=False)
    for _ in range(2):
        with pytest.raises(VideoError, match=r"bad\.srt"):
            broken.search("words")


@pytest.mark.parametrize("content", ["nothing here", "", "WEBVTT\n"])
def test_a_bad_file_beside_the_video_is_said_and_hides_no_track(
    tmp_path: Path, shared_videos: Path, content: str
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes((shared_videos / "nasa_13013.mp4").read_bytes())
    (tmp_path / "film.srt").write_text(content)
    timed = TimedText(Video.open(path), ocr=False)
    assert timed.cues("subtitles")[0].text.startswith("NAR: This is the optical")
    assert len(timed.warnings) == 1
    assert "film.srt" in timed.warnings[0]
    assert timed.warnings[0].endswith("it is not used")


def test_a_bad_file_beside_a_video_without_tracks_is_no_source(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.mp4"
    path.write_bytes((folder / "v.mp4").read_bytes())
    (tmp_path / "w.srt").write_text("")
    timed = TimedText(Video.open(path), ocr=False)
    assert timed.sources() == ()
    assert timed.cues("subtitles") == ()
    assert len(timed.warnings) == 1
    gone = TimedText(Video.open(path, subtitles=tmp_path / "gone.srt"), ocr=False)
    with pytest.raises(VideoError, match=r"gone\.srt"):
        gone.cues("subtitles")


def test_warnings_say_what_was_wrong(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nfine\n\n2\n00:00:05,000 --> 00:00:9x\nbad\n")
    timed = TimedText(Video.open(folder / "v.mp4", subtitles=path), ocr=False)
    assert timed.warnings == ()
    timed.cues("subtitles")
    assert "1 cues" in timed.warnings[0]


# ------------------------------------------------------------------------------------------------- what is kept


@pytest.fixture
def skims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes the pass over the pictures cheap and counts it."""
    calls: list[int] = []

    def skim(video: Video, on_progress: ocr.Progress | None, check: Callable[[], None]) -> CueList:
        calls.append(1)
        if on_progress:
            on_progress(1, 1)
        return CueList((Cue(TimeSpan(1, 2), f"SIGN {len(calls)}", "screen"),))

    monkeypatch.setattr(ocr, "skim", skim)
    monkeypatch.setattr(ocr, "available", lambda: True)
    return calls


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.usefixtures("fresh")
def test_what_was_recognised_is_kept_by_content(folder: Path, tmp_path: Path, skims: list[int]) -> None:
    seen: list[tuple[int, int]] = []
    first = TimedText(bare(folder)).cues("screen", on_progress=lambda done, total: seen.append((done, total)))
    copy = tmp_path / "elsewhere.mp4"
    copy.write_bytes((folder / "v.mp4").read_bytes())
    assert TimedText(Video.open(copy)).cues("screen") == first
    assert (skims, seen) == ([1], [(1, 1)])


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("damage", [b"", b"{", b'{"cues": 3}', b'{"cues": [{"span": {"start": 2, "end": 1}}]}'])
def test_a_damaged_cache_is_made_anew(folder: Path, skims: list[int], damage: bytes) -> None:
    TimedText(bare(folder)).cues("screen")
    (kept,) = cache_dir("text", bare(folder).info.fingerprint).glob("screen-*.json")
    kept.write_bytes(damage)
    assert [cue.text for cue in TimedText(bare(folder)).cues("screen")] == ["SIGN 2"]
    assert [cue.text for cue in TimedText(bare(folder)).cues("screen")] == ["SIGN 2"]


@pytest.mark.usefixtures("fresh")
def test_a_new_version_of_the_code_reads_anew(folder: Path, skims: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    TimedText(bare(folder)).cues("screen")
    monkeypatch.setattr(text, "VERSION", text.VERSION + 1)
    TimedText(bare(folder)).cues("screen")
    assert len(skims) == 2


@pytest.mark.usefixtures("fresh")
def test_threads_that_ask_at_once_read_once(folder: Path, skims: list[int]) -> None:
    timed = TimedText(bare(folder))
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(timed.search("sign")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (skims, found) == ([1], [1] * 8)


@pytest.mark.usefixtures("fresh")
def test_subtitles_do_not_wait_for_the_pictures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def skim(video: Video, on_progress: ocr.Progress | None, check: Callable[[], None]) -> CueList:
        begun.set()
        assert go_on.wait(10)
        return CueList(())

    monkeypatch.setattr(ocr, "skim", skim)
    monkeypatch.setattr(ocr, "available", lambda: True)
    timed = TimedText(Video.open(folder / "v.mp4", subtitles=folder / "lines.json"))
    thread = threading.Thread(target=timed.cues, args=["screen"])
    thread.start()
    try:
        assert begun.wait(10)
        assert timed.search("red car", sources=["subtitles"])[0].cue.text == LINES[1][2]
    finally:
        go_on.set()
        thread.join()


@pytest.mark.usefixtures("fresh")
def test_an_edited_subtitle_file_is_read_again(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.srt"
    for said in ("one", "two"):
        path.write_text(f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n")
        video = Video.open(folder / "v.mp4", subtitles=path)
        assert [cue.text for cue in TimedText(video, ocr=False).cues("subtitles")] == [said]


# ---------------------------------------------------------------------------------------------------- search


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("When does the red car stop?", 1),
        ("What time is dinner served in the cafe?", 2),
        ("18:30", 2),
        ("who runs and sings", 3),
        ("红色的车什么时候停", 4),
        ("车", 4),
        ("gate 23", 6),
        ("FLIGHT", 6),
        ("what is it", 7),
    ],
)
def test_questions_find_their_cue(timed: TimedText, query: str, best: int) -> None:
    hits = timed.search(query)
    assert hits[0].cue.text == LINES[best][2]
    assert hits[0].cue.span == TimeSpan(*LINES[best][:2])
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].score > 0


def test_limit_span_and_sources(timed: TimedText) -> None:
    query = "harbour car dinner running flight"
    assert len(timed.search(query)) == 5
    assert len(timed.search(query, limit=2)) == 2
    assert [hit.cue.span.start for hit in timed.search(query, span=TimeSpan(2.5, 3.5), limit=1)] in ([2.0], [3.0])
    assert timed.search(query, span=TimeSpan(7, 8)) == ()
    assert timed.search(query, sources=[]) == ()
    with pytest.raises(ConfigError, match="limit must be at least 1, got 0"):
        timed.search(query, limit=0)


def test_a_number_is_not_found_in_another(timed: TimedText) -> None:
    assert timed.search("18:31") == ()
    assert timed.search("gate 2")[0].cue.text == LINES[6][2]


def test_cues_in_a_span_are_half_open(timed: TimedText) -> None:
    assert [cue.span.start for cue in timed.cues_in(TimeSpan(1.0, 2.0))] == [1.0]
    assert [cue.span.start for cue in timed.cues_in(TimeSpan(0.5, 2.1), ["subtitles"])] == [0.0, 1.0, 2.0]


def test_sources_are_searched_together(folder: Path, skims: list[int]) -> None:
    video = Video.open(folder / "v.mp4", subtitles=folder / "lines.json")
    both = TimedText(video)
    assert {hit.cue.source for hit in both.search("sign car")} == {"screen", "subtitles"}
    assert {hit.cue.source for hit in both.search("sign car", sources=["subtitles"])} == {"subtitles"}
    assert [cue.source for cue in both.cues_in(TimeSpan(1, 2))] == ["subtitles", "screen"]


@pytest.mark.parametrize(
    "query", ["", " ", '"', "' OR 1=1 --", "a AND", "NEAR(", "text:", "*", "^x", "\x00", "🎬", "a\x00b", "-", "{a b}"]
)
def test_strings_that_are_syntax_elsewhere_are_words_here(timed: TimedText, query: str) -> None:
    timed.search(query)


@given(query=st.text(alphabet=st.characters(), max_size=60))
def test_any_string_is_a_safe_query(timed: TimedText, query: str) -> None:
    timed.search(query)


@given(st.text(alphabet=st.characters(), min_size=1, max_size=40))
def test_any_word_that_is_in_a_cue_finds_it(said: str) -> None:
    cue = Cue(TimeSpan(0, 1), said, "subtitles")
    index = CueIndex([cue])
    hits = index.search(said, 1)
    assert [hit.cue for hit in hits] == [cue] or not any(c.isascii() and c.isalnum() for c in said)


def test_many_cues_are_indexed_and_searched_quickly() -> None:
    cues = [Cue(TimeSpan(i, i + 1), f"line {i} of words{i % 97} and more{i % 7}", "subtitles") for i in range(12_000)]
    index = CueIndex(cues)
    assert index.search("line 11999", 1)[0].cue == cues[-1]
    assert len(index.search("words5 more3", 100, TimeSpan(0, 6000))) == 100


def test_sqlite_without_full_text_search_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        def execute(self, statement: str) -> None:
            raise sqlite3.OperationalError("no such module: fts5")

        def close(self) -> None: ...

    monkeypatch.setattr(cue_index.sqlite3, "connect", lambda *args, **kwargs: Bare())
    with pytest.raises(StoreError, match=r"no such module: fts5.*built with FTS5"):
        TimedText(bare(folder), ocr=False).search("x")


def test_what_is_kept_round_trips() -> None:
    from longtake.types import from_json, to_json

    found = CueList((Cue(TimeSpan(0.1, 0.3), "a\nb — ✓", "screen"),), ("w",))
    assert from_json(CueList, to_json(found)) == found
