"""Subtitles: every form people have, in every state, on the video clock."""

from __future__ import annotations

import json
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet
from hypothesis import given
from hypothesis import strategies as st

from clips import write_clock
from longtake.errors import VideoDecodeError, VideoError, VideoNotFoundError
from longtake.types import SubtitleTrack, TimeSpan
from longtake.video.decode import Video
from longtake.video.subtitle_formats import SyntaxProblem, clean_text, decode_text, parse, parse_json
from longtake.video.subtitles import find_sidecar, is_text_track, read_embedded, read_sidecar

Spans = list[tuple[float, float, str]]

SRT = """1
00:00:01,000 --> 00:00:02,500
Hello there.

2
00:00:03,000 --> 00:00:04,000
<i>Two</i>
<font color="#ff0000">lines</font>
"""


def read(path: Path, content: str | bytes, seconds: float = 100.0) -> tuple[Spans, tuple[str, ...]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = read_sidecar(path, stem="clip", duration_seconds=seconds)
    return [(cue.span.start, cue.span.end, cue.text) for cue in found.cues], found.warnings


HELLO: Spans = [(1.0, 2.5, "Hello there."), (3.0, 4.0, "Two\nlines")]


# ------------------------------------------------------------------------------------------------ text forms


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_srt_in_every_encoding_and_line_end(tmp_path: Path, encoding: str, line_end: str) -> None:
    text = SRT.replace("there", "thére").replace("\n", line_end)
    cues, warnings = read(tmp_path / "a.srt", text.encode(encoding))
    assert cues == [(1.0, 2.5, "Hello thére."), (3.0, 4.0, "Two\nlines")]
    assert warnings == ()


def test_a_guessed_encoding_is_said(tmp_path: Path) -> None:
    cues, warnings = read(tmp_path / "a.srt", SRT.replace("there", "café").encode("cp1252"))
    assert cues[0][2] == "Hello café."
    assert warnings == ("a.srt is not UTF-8 and was read as Windows-1252",)


def test_vtt_without_hours_with_settings_names_comments_and_voices(tmp_path: Path) -> None:
    text = (
        "WEBVTT - title\n\nNOTE\nnot shown\n\nSTYLE\n::cue {}\n\nintro\n00:01.000 --> 00:02.500 align:start\n"
        "Hello there.\n\nNOTE also not shown\n\nq-2\n00:00:03.000 --> 00:00:04.000\n"
        "<v.loud Ann>Yes</v> &amp; <00:03.5>no\n"
    )
    assert read(tmp_path / "a.vtt", text)[0] == [(1.0, 2.5, "Hello there."), (3.0, 4.0, "Ann: Yes & no")]


def test_ass_drawings_comments_and_override_codes_are_not_text(tmp_path: Path) -> None:
    text = """[Script Info]
[V4+ Styles]
Format: Name
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\an8\\i1}Two{\\i0}\\Nlines
Dialogue: 1,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\blur2}Two\\Nlines
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,Hello there.
Dialogue: 0,0:00:xx.00,0:00:02.00,Default,,0,0,0,,broken
Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,note
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}
"""
    cues, warnings = read(tmp_path / "a.ass", text)
    assert cues == HELLO
    assert warnings == ("a.ass: 1 cues could not be read, the first at 9",)


def test_other_forms_are_recognised_by_their_content(tmp_path: Path) -> None:
    assert read(tmp_path / "a.sub", "{1}{1}25\n{25}{50}Hello|there\n")[0] == [(1.0, 2.0, "Hello\nthere")]


def test_override_codes_in_srt_are_stripped_and_other_braces_kept(tmp_path: Path) -> None:
    cues, _ = read(tmp_path / "a.srt", "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}set {1, 2} where a < b > 1\\Nend\n")
    assert cues == [(1.0, 2.0, "set {1, 2} where a < b > 1\nend")]


def test_wrong_order_overlap_and_empty_cues(tmp_path: Path) -> None:
    text = """1
00:00:05,000 --> 00:00:09,000
later

2
00:00:01,000 --> 00:00:06,000
earlier

3
00:00:02,000 --> 00:00:03,000


4
00:00:08,000 --> 00:00:09,500
<i> </i>
"""
    assert read(tmp_path / "a.srt", text)[0] == [(1.0, 6.0, "earlier"), (5.0, 9.0, "later")]


def test_broken_cues_are_counted_and_do_not_leak_into_others(tmp_path: Path) -> None:
    text = """1
00:00:01,000 --> 00:00:02,000
first

2
00:00:0x,000 --> 00:00:04,000
lost

3
00:00:05,000 --> 00:00:06,000
third
4
00:00:07,000 --> 00:00:08,000
no empty line before

with one inside
"""
    cues, warnings = read(tmp_path / "a.srt", text)
    assert [text for _, _, text in cues] == ["first", "third", "no empty line before\nwith one inside"]
    assert warnings == ("a.srt: 1 cues could not be read, the first at 6",)


def test_ends_that_are_missing_inverted_or_outside(tmp_path: Path) -> None:
    entries = [
        {"start": 1, "end": None, "text": "until the next"},
        {"start": 3, "end": 3, "text": "five seconds at most"},
        {"start": 30, "end": 20, "text": "inverted"},
        {"start": 95, "end": 130, "text": "cut at the end"},
        {"start": 100, "end": 120, "text": "outside"},
    ]
    cues, warnings = read(tmp_path / "a.json", json.dumps(entries))
    assert cues == [(1, 3, "until the next"), (3, 8, "five seconds at most"), (95, 100, "cut at the end")]
    assert len(warnings) == 2
    assert "1 cues end before they start" in warnings[0]
    assert "1 cues lie outside the video's 100.0 s" in warnings[1]


def test_captions_that_roll_up_say_each_line_once(tmp_path: Path) -> None:
    text = """WEBVTT

00:00:00.000 --> 00:00:02.000
hello<00:00:01.000><c> world</c>

00:00:02.000 --> 00:00:02.010
hello world

00:00:02.010 --> 00:00:04.000
hello world
next<00:00:03.000><c> line</c>

00:00:09.000 --> 00:00:10.000
next line
"""
    assert read(tmp_path / "a.vtt", text)[0] == [
        (0.0, 2.01, "hello world"),
        (2.01, 4.0, "next line"),
        (9.0, 10.0, "next line"),
    ]


# ------------------------------------------------------------------------------------------------------ JSON


@pytest.mark.parametrize(
    "entries",
    [
        [{"timestamp": [1.0, 2.5], "text": "Hello there."}, {"timestamp": [3, 4], "text": "Two\nlines"}],
        [
            {"start": "00:00:01.000", "end": "00:00:02.500", "line": "Hello there."},
            {"start": "0:00:03", "end": "00:00:04.0", "line": "Two\nlines"},
        ],
        [{"start": 1, "end": 2.5, "text": "Hello there."}, {"start": 3.0, "end": "4", "text": "Two\nlines"}],
    ],
)
def test_lists_of_cues(tmp_path: Path, entries: object) -> None:
    assert read(tmp_path / "a.json", json.dumps(entries))[0] == HELLO


def test_text_of_a_clip_without_times_spans_the_clip(tmp_path: Path) -> None:
    path = tmp_path / "subs.json"
    path.write_text(json.dumps({"s01e02_seg02_clip_00": "Sheldon: No.\nPenny: Yes.", "s01e02_seg02_clip_01": "other"}))
    found = read_sidecar(path, stem="bbt_s01e02_seg02_clip_00", duration_seconds=60.0)
    assert [(cue.span, cue.text) for cue in found.cues] == [
        (TimeSpan(0, 60), "Sheldon: No."),
        (TimeSpan(0, 60), "Penny: Yes."),
    ]
    assert "without times" in found.warnings[0]


def test_text_of_an_episode_is_cut_at_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "episodes.json"
    path.write_text(json.dumps({"friends_s01e02": "<seg02_clip_00> Ross: Hi. <seg02_clip_01> Joey: Food?"}))
    clip = read_sidecar(path, stem="friends_s01e02_seg02_clip_01", duration_seconds=60.0)
    episode = read_sidecar(path, stem="friends_s01e02", duration_seconds=1200.0)
    assert [cue.text for cue in clip.cues] == ["Joey: Food?"]
    assert [cue.text for cue in episode.cues] == ["Ross: Hi.", "Joey: Food?"]


# -------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.srt", "just some words\n", "line 1: no subtitle format is recognised"),
        ("a.srt", b"\x00\x01\x02\xff" * 100, "cannot be read, line 1"),
        (
            "a.srt",
            "1\n0:0:xx --> 0:0:yy\nlost\n",
            "no readable cue: the times of all 1 are broken, the first on line 2",
        ),
        ("a.json", '[\n{"start": 1,\n]', "line 3: not JSON"),
        ("a.json", "3", "a list of cues or an object"),
        ("a.json", '[{"a": 1}, 2]', "none of 2 entries is a cue"),
        ("a.json", '{"a_clip": "text", "b_clip": "text"}', "no text for 'clip' among 2 ids (a_clip"),
        ("a.json", '{"clip": 3}', "the text of 'clip' is int"),
    ],
)
def test_an_unreadable_file_is_refused_with_its_name_and_line(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    with pytest.raises(VideoError) as refused:
        read(tmp_path / name, content)
    assert said in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)


def test_an_empty_file_has_no_cues_and_an_absent_one_is_an_error(tmp_path: Path) -> None:
    assert read(tmp_path / "a.srt", "") == ([], ())
    assert read(tmp_path / "a.vtt", "WEBVTT\n") == ([], ())
    with pytest.raises(VideoNotFoundError, match="no subtitle file"):
        read_sidecar(tmp_path / "b.srt", stem="b", duration_seconds=1.0)


@given(st.text(max_size=300) | st.from_regex(r"(\d*\n|\d\d:\d\d:\d\d[,.]\d{3} --> .*\n|<.*>\n|\{.*\}\n){0,8}"))
def test_any_text_is_read_or_refused(text: str) -> None:
    for reader in (parse, lambda text: parse_json(text, "clip")):
        with suppress(SyntaxProblem):
            assert all(cue.start is None or cue.start >= 0 for cue in reader(text).cues)


@given(st.binary(max_size=200))
def test_any_bytes_become_text_and_cleaning_is_stable(data: bytes) -> None:
    clean = clean_text(decode_text(data)[0])
    assert clean == "\n".join(" ".join(line.split()) for line in clean.split("\n"))


# ------------------------------------------------------------------------------------------- beside the video


def test_the_file_beside_the_video(tmp_path: Path) -> None:
    video = tmp_path / "film [1].mp4"
    assert find_sidecar(video) is None
    for name in ("film [1].de.vtt", "film [1].en.srt", "film [1].notes about it.srt", "film [1]b.srt", "film [1].json"):
        (tmp_path / name).write_text(SRT)
    assert find_sidecar(video) == tmp_path / "film [1].de.vtt"
    assert find_sidecar(video, "en") == tmp_path / "film [1].en.srt"
    (tmp_path / "film [1].VTT").write_text(SRT)
    (tmp_path / "film [1].srt").write_text(SRT)
    assert find_sidecar(video) == tmp_path / "film [1].srt"
    assert find_sidecar(tmp_path / "absent" / "film.mp4") is None


# ------------------------------------------------------------------------------------------- inside the video

ASS_HEADER = (
    b"[Script Info]\r\n[V4+ Styles]\r\nFormat: Name\r\nStyle: Default\r\n[Events]\r\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


def mux(source: Path, target: Path, codec: str, tracks: list[tuple[str, int, Spans]], shift: float = 0.0) -> Path:
    """``source``'s pictures with text tracks (language, disposition, cues), all ``shift`` seconds later."""
    with av.open(str(source)) as inp, av.open(str(target), "w") as out:
        stream = inp.streams.video[0]
        copy = out.add_stream_from_template(stream)
        texts = []
        for language, disposition, _ in tracks:
            text = out.add_stream(codec)
            text.metadata["language"] = language
            text.disposition = disposition
            text.codec_context.subtitle_header = ASS_HEADER
            text.codec_context.time_base = Fraction(1, 1000)
            texts.append(text)
        for packet in inp.demux(stream):
            if packet.size:
                packet.stream = copy
                packet.pts += round(shift / stream.time_base)
                packet.dts += round(shift / stream.time_base)
                out.mux(packet)
        for text, (_, _, cues) in zip(texts, tracks, strict=True):
            for number, (start, end, said) in enumerate(cues):
                ass = f"{number},0,Default,,0,0,0,,{said}".encode()
                packet = text.codec_context.encode_subtitle(SubtitleSet.create(ass, 0, round((end - start) * 1000)))
                packet.stream, packet.time_base = text, Fraction(1, 1000)
                packet.pts = packet.dts = round((start + shift) * 1000)
                packet.duration = round((end - start) * 1000)
                out.mux(packet)
    return target


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "v.mp4"
    write_clock(path, num_frames=200, bframes=0)
    return path


TWO: Spans = [(1.0, 2.5, "Hello there."), (3.0, 4.0, "{\\i1}Two{\\i0}\\Nlines")]


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "mov_text"), ("mkv", "subrip"), ("mkv", "ass"), ("mkv", "webvtt")]
)
def test_a_track_inside_the_video(tmp_path: Path, plain: Path, suffix: str, codec: str) -> None:
    french: Spans = [(1.0, 2.0, "Bonjour.")]
    path = mux(plain, tmp_path / f"v.{suffix}", codec, [("fra", 0, french), ("eng", int(Disposition.default), TWO)])
    info = Video.open(path).info
    found = read_embedded(path, info.subtitle_tracks, duration_seconds=info.duration_seconds)
    assert [(cue.span.start, cue.span.end, cue.text) for cue in found.cues] == HELLO
    found = read_embedded(path, info.subtitle_tracks, duration_seconds=info.duration_seconds, language="fr")
    assert [cue.text for cue in found.cues] == ["Bonjour."]


def test_times_count_from_the_containers_start(tmp_path: Path, plain: Path) -> None:
    path = mux(plain, tmp_path / "late.mkv", "subrip", [("eng", 0, TWO)], shift=5.0)
    with av.open(str(path)) as container:
        assert container.start_time == pytest.approx(5_000_000, abs=1000)
    video = Video.open(path)
    found = read_embedded(path, video.info.subtitle_tracks, duration_seconds=8.0)
    assert [(round(cue.span.start, 3), round(cue.span.end, 3)) for cue in found.cues] == [(1.0, 2.5), (3.0, 4.0)]


def test_forced_and_empty_tracks_are_taken_last(tmp_path: Path, plain: Path) -> None:
    forced = int(Disposition.forced | Disposition.default)
    path = mux(plain, tmp_path / "v.mkv", "subrip", [("eng", forced, [(1, 2, "(in French)")]), ("eng", 0, TWO)])
    found = read_embedded(path, Video.open(path).info.subtitle_tracks, duration_seconds=8.0)
    assert len(found.cues) == 2
    path = mux(plain, tmp_path / "w.mkv", "subrip", [("eng", int(Disposition.default), []), ("eng", 0, TWO)])
    found = read_embedded(path, Video.open(path).info.subtitle_tracks, duration_seconds=8.0)
    assert len(found.cues) == 2


def test_picture_tracks_are_not_text() -> None:
    assert is_text_track(SubtitleTrack(2, "mov_text", None))
    assert not is_text_track(SubtitleTrack(2, "pgssub", None))
    assert not is_text_track(SubtitleTrack(2, "dvdsub", None))
    assert not is_text_track(SubtitleTrack(2, "unknown", None))


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_text("no video")
    with pytest.raises(VideoDecodeError, match=r"subtitle tracks of .*v\.mp4 cannot be read"):
        read_embedded(path, [SubtitleTrack(1, "mov_text", None)], duration_seconds=1.0)


def test_a_real_film_with_two_tracks(shared_videos: Path) -> None:
    video = Video.open(shared_videos / "nasa_13013.mp4")
    found = read_embedded(video.path, video.info.subtitle_tracks, duration_seconds=video.info.duration_seconds)
    assert [cue.text for cue in found.cues][:2] == [
        "NAR: This is the optical and science segment of the Webb",
        "space telescope in one of the largest cleanrooms in the world",
    ]
    assert found.cues[1].span == TimeSpan(4.26, 8.35)
    assert found.warnings == ()
