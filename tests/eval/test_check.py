"""What the check of a benchmark finds, and that it says what to do."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import made_rows
from av.subtitles.subtitle import SubtitleSet
from made_rows import FOUR, jsonl

from clips import write_clock
from longtake.eval.data.benchmark import load_spec
from longtake.eval.data.check import Check, check_benchmark
from longtake.eval.data.read import read_benchmark

ASS_HEADER = (
    b"[Script Info]\r\n[V4+ Styles]\r\nFormat: Name\r\nStyle: Default\r\n[Events]\r\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)
OWN = {"question": "Who?", "video": "v1.mp4", "choices": list(FOUR), "answer": "B"}

NO_WORDS = "no video has subtitles; give their folder or file with --subtitles, or run with --no-subtitles"


def check_own(folder: Path, *rows: dict[str, Any], decode: bool = False, **more: Any) -> Check:
    loaded = read_benchmark(load_spec("custom"), [jsonl(folder / "own.jsonl", rows)])
    return check_benchmark(loaded, decode, **more)


def with_track(source: Path, target: Path) -> None:
    """``source`` with one line of text inside."""
    with av.open(str(source)) as inp, av.open(str(target), "w") as out:
        pictures = out.add_stream_from_template(inp.streams.video[0])
        text: Any = out.add_stream("mov_text")
        text.codec_context.subtitle_header = ASS_HEADER
        text.codec_context.time_base = Fraction(1, 1000)
        for packet in inp.demux(inp.streams.video[0]):
            if packet.size:
                packet.stream = pictures
                out.mux(packet)
        packet = text.codec_context.encode_subtitle(SubtitleSet.create(b"0,0,Default,,0,0,0,,Hello", 0, 500))
        packet.stream, packet.time_base, packet.duration = text, Fraction(1, 1000), 500
        packet.pts = packet.dts = 0
        out.mux(packet)


def test_what_guessing_would_score(tmp_path: Path):
    rows = [{**OWN, "question": f"Who {n}?", "answer": "BBBAC"[n % 5]} for n in range(10)]
    found = check_own(tmp_path, *rows, {**OWN, "question": "Both?", "choices": ["x", "y"], "answer": "B"})
    assert found.constant == ("B", 7 / 11)
    assert found.num_options == {2: 1, 4: 10}
    assert found.chance == (10 / 4 + 1 / 2) / 11
    assert any("always answering B scores 63.6%, chance is 27.3%" in said for said in found.problems)


def test_options_that_may_be_counted_from_one_are_noticed(tmp_path: Path):
    rows = [{**OWN, "question": f"Who {n}?", "answer": n % 3 + 1} for n in range(12)]
    assert any("none is the first option" in said for said in check_own(tmp_path, *rows).problems)


def test_words_that_may_be_times_are_noticed(tmp_path: Path):
    asked = {"question": "When?", "video": "v1.mp4"}
    rows = [
        {**asked, "id": n, "answer": answer} for n, answer in enumerate(("216-234", "1:00-2:00", "by night", "1,500"))
    ]
    found = check_own(tmp_path, *rows)
    assert (found.kinds, found.timed_words) == ({"text": 3, "span": 1}, ["0"])
    assert any("1 of the answers in words read as times: 0" in said for said in found.remarks)
    (tmp_path / "words.toml").write_text('name = "words"\nbase = "custom"\nkind = "text"\n')
    loaded = read_benchmark(load_spec(tmp_path / "words.toml"), [tmp_path / "own.jsonl"])
    assert check_benchmark(loaded).timed_words == []


def test_subtitles_in_a_video_are_found_when_it_is_opened(tmp_path: Path):
    write_clock(tmp_path / "plain.mp4", num_frames=25)
    with_track(tmp_path / "plain.mp4", tmp_path / "v1.mp4")
    write_clock(tmp_path / "v2.mp4", num_frames=25)
    rows = [{**OWN, "video": "v1.mp4"}, {**OWN, "video": "v2.mp4"}]
    assert check_own(tmp_path, *rows).num_subtitles == 0
    assert check_own(tmp_path, *rows, decode=True).num_subtitles == 1
    (tmp_path / "v2.srt").write_text("1\n00:00:00,000 --> 00:00:00,500\nHello\n")
    assert check_own(tmp_path, *rows, decode=True).num_subtitles == 2


def test_an_even_benchmark_has_no_problems_but_its_videos(tmp_path: Path):
    rows = [{**OWN, "question": f"Who {n}?", "answer": "ABCD"[n % 4], "video": f"v{n // 2}.mp4"} for n in range(8)]
    found = check_own(tmp_path, *rows)
    assert found.questions_per_video == (2, 2.0, 2)
    assert (found.num_videos, found.num_found) == (4, 0)
    assert found.problems == [
        "4 of 4 videos are missing: v0.mp4, v1.mp4, v2.mp4, v3.mp4; give their folder with --videos"
    ]


def test_malformed_rows_duplicates_and_questions_without_gold(tmp_path: Path):
    rows = [
        {**OWN, "id": 1},
        {**OWN, "id": 1},
        {**OWN, "id": 2},
        {**OWN, "id": 3, "answer": None},
        {**OWN, "answer": "Z"},
    ]
    found = check_own(tmp_path, *rows)
    assert (found.num_rows, found.num_items, found.num_without_gold) == (5, 3, 1)
    assert found.repeated == [["1", "2"]]
    said = " | ".join(found.problems)
    for part in (
        "1 of 5 rows are malformed",
        "own.jsonl, row 5: ",
        "1 rows repeat",
        "1=2",
        "1 of 3 questions have no answer",
    ):
        assert part in said


def test_the_same_question_with_different_answers_is_a_conflict(tmp_path: Path):
    rows = [
        {**OWN, "id": "a", "answer": "A"},
        {**OWN, "id": "b", "answer": "B"},
        {**OWN, "id": "turned", "choices": list(reversed(FOUR)), "answer": "D"},  # the same as a
        {**OWN, "id": "other", "video": "v2.mp4", "answer": "C"},
        {"id": "c", "question": "When?", "video": "v1.mp4", "answer": [1, 2]},
        {"id": "d", "question": "When?", "video": "v1.mp4", "answer": [3, 4]},
    ]
    found = check_own(tmp_path, *rows)
    assert found.conflicts == [["a", "b", "turned"]]
    assert any("1 questions stand with different answers, which is right? a=b=turned" in p for p in found.problems)
    assert check_own(tmp_path, rows[0], rows[2], rows[3]).conflicts == []


def test_one_file_under_two_names_is_counted_once(tmp_path: Path):
    write_clock(tmp_path / "v1.mp4", num_frames=25)
    found = check_own(tmp_path, OWN, {**OWN, "video": "V1"}, {**OWN, "video": "v9"})
    assert (found.num_videos, found.num_found, found.missing) == (2, 1, ["v9"])
    assert found.questions_per_video == (1, 1.5, 2)


def test_subtitles_that_are_not_needed_are_a_remark(tmp_path: Path):
    for name in ("v1.mp4", "v2.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    rows = [OWN, {**OWN, "video": "v2.mp4"}]
    found = check_own(tmp_path, *rows)
    assert (found.problems, found.remarks) == ([], [NO_WORDS])
    (tmp_path / "subs").mkdir()
    (tmp_path / "subs" / "v1.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    given = read_benchmark(load_spec("custom"), [tmp_path / "own.jsonl"], subtitles=tmp_path / "subs")
    assert check_benchmark(given).problems == ["1 of 2 videos have no subtitles; they will be asked without"]
    assert check_own(tmp_path / "elsewhere", *rows).remarks == []


def test_subtitles_that_the_benchmark_shows_are_needed(tmp_path: Path):
    made = made_rows.video_mme(tmp_path)
    (tmp_path / "v1.mp4").write_bytes(b"x")
    spec = load_spec("video-mme")
    assert NO_WORDS in check_benchmark(read_benchmark(spec, made.data)).problems
    without = check_benchmark(read_benchmark(spec, made.data, subtitles=False))
    assert not any("subtitles" in said for said in [*without.problems, *without.remarks])


def test_what_a_toml_names_and_no_row_has(tmp_path: Path):
    toml = tmp_path / "mine.toml"
    head = 'base = "custom"\nname = "mine"\ntitle = "M"\nabout = "x"\n'
    toml.write_text(
        head + '[fields]\nspans = ["moment"]\nvideo = ["video"]\n[strata]\nlevel = ["level"]\ntopic = ["t"]\n'
    )
    data = [jsonl(tmp_path / "own.jsonl", [{**OWN, "t": "sea"}, {**OWN, "question": "When?", "t": None}])]
    problems = check_benchmark(read_benchmark(load_spec(toml), data)).problems
    columns = "they have: question, video, choices, answer, t"
    assert f"fields.spans (moment): found in 0 of 2 rows; {columns}" in problems
    assert f"strata.level (level): found in 0 of 2 rows; {columns}" in problems
    assert not any("topic" in said or "fields.video" in said for said in problems)
    toml.write_text(head)  # what is said by the benchmark it begins from is not expected
    assert not any("found in 0" in said for said in check_benchmark(read_benchmark(load_spec(toml), data)).problems)


def test_the_published_count_is_held_against_what_was_read(tmp_path: Path):
    made = made_rows.tvqa(tmp_path)
    val = check_benchmark(read_benchmark(load_spec("tvqa"), made.data))
    assert val.expected_rows == 15253
    assert "2 rows were read and 15253 are published" in val.problems[0]
    train = check_benchmark(read_benchmark(load_spec("tvqa"), made.data, split="train"))
    assert train.expected_rows == 122039
    made = made_rows.lvbench(tmp_path / "lvbench")
    assert check_benchmark(read_benchmark(load_spec("lvbench"), made.data)).expected_rows == 1549
    found = check_benchmark(read_benchmark(load_spec("lvbench"), made.data))
    assert found.expected_videos == 103
    assert any("103 are published" in problem for problem in found.problems)
    made = made_rows.own(tmp_path)
    assert check_benchmark(read_benchmark(load_spec("custom"), made.data)).expected_rows is None


def test_videos_that_cannot_be_decoded_and_spans_past_their_end(tmp_path: Path):
    write_clock(tmp_path / "v1.mp4", num_frames=100)
    (tmp_path / "v2.mp4").write_bytes(b"no video")
    rows = [
        {**OWN, "spans": [1, 3]},
        {**OWN, "question": "When?", "spans": [3, 4.5]},
        {**OWN, "question": "Late?", "spans": [3, 9], "id": "late"},
        {**OWN, "video": "v2.mp4"},
        {**OWN, "video": "v3.mp4"},
    ]
    told = list[tuple[int, int]]()
    found = check_own(tmp_path, *rows, decode=True, on_progress=lambda done, total: told.append((done, total)))
    assert list(found.undecodable or {}) == [str(tmp_path / "v2.mp4")]
    assert found.missing == ["v3.mp4"]
    assert found.spans_outside == ["late"]
    assert found.num_gold_spans == 3
    assert told == [(1, 2), (2, 2)]
    said = " | ".join(found.problems)
    assert "1 videos cannot be decoded" in said
    assert "1 gold spans end after their video: late" in said


def test_without_decoding_nothing_is_said_of_it(tmp_path: Path):
    (tmp_path / "v1.mp4").write_bytes(b"no video")
    found = check_own(tmp_path, OWN)
    assert (found.undecodable, found.num_found) == (None, 1)


def test_all_of_it_is_json(tmp_path: Path):
    write_clock(tmp_path / "v1.mp4", num_frames=25)
    found = check_own(tmp_path, OWN, {**OWN, "id": 4, "answer": "Q"}, decode=True)
    value = json.loads(json.dumps(found.as_json()))
    assert value["constant"] == {"answer": "B", "accuracy": 1.0}
    assert value["malformed"][0]["row"] == 2
    assert value["undecodable"] == {}
    assert value["problems"] == found.problems
    assert value["provenance"]["files"][0]["name"] == "own.jsonl"
