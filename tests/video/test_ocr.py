"""On-screen text: what is read where, and how readings become cues."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from clips import write_frames
from longtake.errors import MissingExtraError, SpanError, VideoError
from longtake.store import Journal
from longtake.types import Box, Cue, TimeSpan
from longtake.video import ocr
from longtake.video.decode import Video
from longtake.video.sightings import Line, Sighting, blocks_to_cues, moment_spans, skim_spans, written
from longtake.video.text import TimedText

needs_engine = pytest.mark.skipif(
    find_spec("rapidocr") is None or find_spec("onnxruntime") is None, reason="the ocr extra is not installed"
)

# ---------------------------------------------------------------------------------------- readings into cues


def line(text: str, left: float = 0.1, top: float = 0.1, score: float = 1.0) -> Line:
    return Line(text, score, Box(left, top, min(1.0, left + 0.02 * len(text)), top + 0.05))


def cues_of(*pictures: list[Line], step: float = 1.0) -> list[tuple[float, float, str]]:
    """Pictures ``step`` seconds apart in the middle of equal parts of one scene."""
    sightings = [Sighting((i + 0.5) * step, tuple(lines)) for i, lines in enumerate(pictures)]
    spans = skim_spans([s.seconds for s in sightings], [TimeSpan(0.0, len(pictures) * step)])
    cues = blocks_to_cues(sightings, spans, max_gap_seconds=2.5 * step)
    return [(cue.span.start, cue.span.end, cue.text) for cue in cues]


def test_a_line_seen_again_is_one_cue_that_covers_every_sighting() -> None:
    sign = [line("HARBOUR CAFE"), line("open 8-18", top=0.2)]
    assert cues_of([], sign, sign, sign, []) == [(0.5, 4.5, "HARBOUR CAFE\nopen 8-18")]


def test_a_running_clock_does_not_break_up_the_rest() -> None:
    pictures = [[line("NEWS AT TEN"), line(f"10:0{i}", left=0.8, top=0.9)] for i in range(4)]
    cues = cues_of(*pictures)
    assert (0.0, 4.0, "NEWS AT TEN") in cues
    assert [text for _, _, text in cues if text.startswith("10")] == ["10:00", "10:01", "10:02", "10:03"]


def test_a_line_missed_once_goes_on_and_missed_twice_is_another() -> None:
    sign = [line("HARBOUR")]
    assert cues_of(sign, [], sign) == [(0.0, 3.0, "HARBOUR")]
    assert cues_of(sign, [], [], sign) == [(0.0, 1.5, "HARBOUR"), (2.5, 4.0, "HARBOUR")]


def test_an_unsure_reading_joins_the_sure_one_and_the_commonest_is_kept() -> None:
    good, bad = [line("HARBOUR CAFE")], [line("HARB0UR CAFF", score=0.85)]
    assert cues_of(good, bad, good) == [(0.0, 3.0, "HARBOUR CAFE")]


@pytest.mark.parametrize(
    ("one", "other"), [("Welcome to Building A", "Welcome to Building B"), ("Score 3-1 today", "Score 3-2 today")]
)
def test_texts_that_differ_stay_apart(one: str, other: str) -> None:
    assert [text for _, _, text in cues_of([line(one)], [line(other)])] == [one, other]
    unsure = [text for _, _, text in cues_of([line("Score 3-1 now", score=0.8)], [line("Score 3-2 now", score=0.8)])]
    assert unsure == ["Score 3-1 now", "Score 3-2 now"]


def test_spans_end_at_cuts() -> None:
    scenes = [TimeSpan(0, 10), TimeSpan(10, 14), TimeSpan(14, 30)]
    sightings = [Sighting(5, ()), Sighting(12, (line("SIGN"),)), Sighting(22, ())]
    (cue,) = blocks_to_cues(sightings, skim_spans([5, 12, 22], scenes), max_gap_seconds=25)
    assert cue == Cue(TimeSpan(10, 14), "SIGN", "screen")


def test_moments_far_apart_are_not_joined() -> None:
    sightings = [Sighting(10.0, (line("SIGN"),)), Sighting(500.0, (line("SIGN"),))]
    cues = blocks_to_cues(sightings, moment_spans([10.0, 500.0], 0.04), max_gap_seconds=10)
    assert [cue.span.start for cue in cues] == [10.0, 500.0]


def test_a_logo_is_not_read_into_a_caption() -> None:
    logo = [line("EVAN", left=0.7, top=0.06), line("CARMICHAEL", left=0.7, top=0.115)]
    caption = [line("Source: J", left=0.06, top=0.09)]
    score = [line("15.8", left=0.5, top=0.9), line("MPH", left=0.59, top=0.9)]
    assert written([*score, *caption, *logo]).split("\n") == ["EVAN", "CARMICHAEL", "Source: J", "15.8 MPH"]


words = st.sampled_from(["HARBOUR", "CAFE", "10:01", "10:02", "open", "x9"])


@given(st.lists(st.lists(words, max_size=3, unique=True), min_size=1, max_size=8))
def test_nothing_read_is_lost_and_every_sighting_is_inside_a_cue(pictures: list[list[str]]) -> None:
    lines = [[line(word, top=0.1 + 0.25 * at) for at, word in enumerate(found)] for found in pictures]
    cues = cues_of(*lines)
    for number, found in enumerate(pictures):
        for word in found:
            assert any(start <= number + 0.5 < end and word in text.split("\n") for start, end, text in cues)
    assert cues == sorted(cues, key=lambda cue: cue[:2])


# -------------------------------------------------------------------------------------------- which pictures


def test_long_scenes_are_read_every_ten_seconds_and_every_scene_once() -> None:
    scenes = [TimeSpan(0, 1), TimeSpan(1, 1000), TimeSpan(1000, 3600)]
    seconds = ocr.moments(scenes, np.array([]), 3600.0)
    assert seconds[0] == 0.5
    assert max(b - a for a, b in pairwise(seconds)) <= 10.0
    assert len(seconds) == 1 + 100 + 260


def test_short_videos_are_read_once_a_second_at_most() -> None:
    assert len(ocr.moments([TimeSpan(0, 17.4)], np.array([]), 17.4)) == 18
    assert len(ocr.moments([TimeSpan(0, 300)], np.array([]), 300.0)) == 60


def test_a_key_frame_is_taken_only_from_the_same_part() -> None:
    keys = np.array([0.0, 8.333333, 22.0])
    assert ocr.moments([TimeSpan(0, 10), TimeSpan(10, 20), TimeSpan(20, 30)], keys, 3600.0) == [8.333333, 15.0, 22.0]


# ------------------------------------------------------------------------------------------------ the engine

Pixels = npt.NDArray[np.uint8]


def sign(*texts: tuple[str, tuple[int, int], int], size: tuple[int, int] = (640, 360), shade: int = 40) -> Pixels:
    """A picture with (text, position, height) drawn on it."""
    picture = Image.new("RGB", size, (shade, shade, shade + 20))
    draw = ImageDraw.Draw(picture)
    for text, position, height in texts:
        draw.text(position, text, fill=(250, 250, 240), font=ImageFont.load_default(height))
    return np.asarray(picture)


CAFE = (("HARBOUR CAFE", (140, 90), 48), ("open 8-18", (200, 160), 36))


def film(path: Path, pictures: Iterator[Pixels] | list[Pixels], gop: int = 10) -> Video:
    """Ten pictures a second."""
    write_frames(path, enumerate(pictures), fps=10, gop=gop)
    return Video.open(path)


def harbour(path: Path) -> Video:
    """3 s of nothing, 4 s of a sign with a running clock in the corner, 3 s of another sign."""
    nothing = [sign(shade=200)] * 30
    cafe = [sign(*CAFE, (f"12:0{i // 10}", (560, 330), 24)) for i in range(40)]
    return film(path, [*nothing, *cafe, *[sign(("PLATFORM 9", (200, 150), 60), shade=90)] * 30])


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"the network was used: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(ocr, "_engine", None)


@needs_engine
@pytest.mark.usefixtures("no_network")
def test_the_engine_reads_without_network_and_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    assert [found.text for found in ocr.read_picture(sign(*CAFE))] == ["HARBOUR CAFE", "open 8-18"]
    assert ocr.read_picture(sign()) == ()
    assert capfd.readouterr() == ("", "")


@needs_engine
def test_boxes_are_where_the_text_is() -> None:
    (found,) = ocr.read_picture(sign(("EXIT", (320, 180), 60)))
    assert 0.45 < found.box.left < 0.55 < found.box.right < 0.8
    assert 0.45 < found.box.top < 0.6 < found.box.bottom < 0.75
    assert found.score > 0.9


@needs_engine
def test_signs_of_a_film_with_their_spans(tmp_path: Path) -> None:
    cues = ocr.skim(harbour(tmp_path / "v.mp4")).cues
    by_text = {cue.text: cue.span for cue in cues}
    cafe = by_text["HARBOUR CAFE\nopen 8-18"]
    assert cafe.start <= 3.0 + 0.5
    assert cafe.end >= 7.0 - 0.5
    assert cafe.overlap(TimeSpan(0, 2)) == 0 == cafe.overlap(TimeSpan(8, 10))
    assert by_text["PLATFORM 9"].overlap(TimeSpan(7, 10)) > 2
    assert {"12:00", "12:01", "12:02", "12:03"} & set(by_text)
    assert {cue.source for cue in cues} == {"screen"}


Counter = Callable[[], int]


@pytest.fixture
def count_pictures(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """How many pictures went to the engine."""
    real, calls = ocr.read_picture, [0]

    def counted(picture: Pixels) -> tuple[Line, ...]:
        calls[0] += 1
        return real(picture)

    monkeypatch.setattr(ocr, "read_picture", counted)
    return lambda: calls[0]


@needs_engine
def test_pictures_that_look_the_same_are_read_once(tmp_path: Path, count_pictures: Counter) -> None:
    first, second = sign(("ONE", (100, 100), 60)), sign(("TWO", (100, 100), 60))
    cues = ocr.skim(film(tmp_path / "v.mp4", [*[first] * 30, *[second] * 30, *[first] * 30])).cues
    assert sorted(cue.text for cue in cues) == ["ONE", "ONE", "TWO"]
    assert count_pictures() <= 4


@needs_engine
def test_a_small_change_of_text_is_another_picture(tmp_path: Path) -> None:
    pictures = [sign((f"price {number} euro", (40, 320), 18)) for number in (41, 47) for _ in range(20)]
    texts = [cue.text for cue in ocr.skim(film(tmp_path / "v.mp4", pictures)).cues]
    assert texts == ["price 41 euro", "price 47 euro"]


@needs_engine
def test_an_interrupted_pass_goes_on_where_it_stopped(tmp_path: Path, count_pictures: Counter) -> None:
    numbers = ["ALPHA", "BRAVO", "CARGO", "DELTA", "EAGLE", "FLAME"]
    video = film(tmp_path / "v.mp4", [sign((word, (100, 100), 60)) for word in numbers for _ in range(10)])

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ocr.skim(video, stop)
    before = count_pictures()
    seen: list[tuple[int, int]] = []
    cues = ocr.skim(video, lambda done, total: seen.append((done, total))).cues
    assert [cue.text for cue in cues] == numbers
    assert seen[0] == (3, 6)
    assert seen[-1] == (6, 6)
    assert (before, count_pictures()) == (3, 6)


@needs_engine
def test_moments_are_read_exactly_and_closely(tmp_path: Path) -> None:
    small = sign(("gate code 4417", (30, 30), 16), size=(320, 180))
    video = film(tmp_path / "v.mp4", [*[sign(size=(320, 180))] * 7, small, *[sign(size=(320, 180))] * 22], gop=100)
    (cue,) = ocr.read_moments(video, [0.75, 0.2]).cues
    assert cue.text == "gate code 4417"
    assert cue.span.start == 0.75
    assert cue.span.duration == pytest.approx(0.1)
    with pytest.raises(SpanError):
        ocr.read_moments(video, [99.0])


@needs_engine
def test_damaged_parts_are_passed_over_with_a_warning(tmp_path: Path) -> None:
    video = harbour(tmp_path / "v.mp4")
    data = bytearray(video.path.read_bytes())
    start, end = int(len(data) * 0.35), int(len(data) * 0.65)
    data[start:end] = np.random.default_rng(1).bytes(end - start)
    (tmp_path / "damaged.mp4").write_bytes(data)
    video = Video.open(tmp_path / "damaged.mp4")
    found = ocr.skim(video)
    assert {"HARBOUR CAFE\nopen 8-18", "PLATFORM 9"} <= {cue.text for cue in found.cues}
    assert found.warnings
    assert all("no text is read there" in warning for warning in found.warnings)
    near = ocr.read_moments(video, [0.1, 5.0])
    assert near.warnings == ("the pictures from 5.0 s to 6.0 s cannot be decoded, so no text is read there",)
    assert ocr.read_moments(video, [5.0]).cues == ()


@needs_engine
def test_a_stopped_pass_ends_at_the_next_picture(tmp_path: Path, count_pictures: Counter) -> None:
    words = ["ALPHA", "BRAVO", "CARGO", "DELTA"]
    video = film(tmp_path / "v.mp4", [sign((word, (100, 100), 60)) for word in words for _ in range(10)])
    text = TimedText(video)

    def stop(done: int, total: int) -> None:
        if done == 2:
            text.stop()

    with pytest.raises(VideoError, match="was stopped"):
        text.cues("screen", on_progress=stop)
    assert count_pictures() == 2
    with pytest.raises(VideoError, match="was stopped"):
        text.read_screen([0.5])
    assert [cue.text for cue in TimedText(video).cues("screen")] == words
    assert count_pictures() == 4


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = film(tmp_path / "v.mp4", [sign()] * 5)
    monkeypatch.setattr(ocr, "find_spec", lambda name: None)
    assert not ocr.available()
    for call in (lambda: ocr.skim(video), lambda: ocr.read_moments(video, [0.1])):
        with pytest.raises(MissingExtraError, match=r"pip install 'longtake\[ocr\]'"):
            call()


@needs_engine
def test_captions_and_a_name_in_a_real_talk(shared_videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "SKIM_PICTURES", 6)
    cues = ocr.skim(Video.open(shared_videos / "talk_captions_17s.mp4")).cues
    texts = [cue.text for cue in cues]
    assert any("EVAN\nCARMICHAEL" in text for text in texts)
    assert any("what this pocket" in text for text in texts)
    name = next(cue for cue in cues if "CARMICHAEL" in cue.text)
    assert name.span.duration > 15


# ------------------------------------------------------------------------------------------------ the journal


def test_a_record_cut_short_spoils_only_itself(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    assert journal.load() == {}
    journal.add(1.0, ["a"])
    journal.add(2.5, [])
    with journal.path.open("ab") as file:
        file.write(b'\n[3.0, ["tor')
    journal.add(4.0, {"b": 1})
    with journal.path.open("ab") as file:
        file.write(b"\xff\x00\n[1]\n7\n")
    assert journal.load() == {1.0: ["a"], 2.5: [], 4.0: {"b": 1}}
