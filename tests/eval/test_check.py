"""What the check of a benchmark finds, and that it says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made_rows
from made_rows import FOUR, jsonl

from clips import write_clock
from longtake.eval.data.benchmark import load_spec
from longtake.eval.data.check import Check, check_benchmark
from longtake.eval.data.read import read_benchmark

OWN = {"question": "Who?", "video": "v1.mp4", "choices": list(FOUR), "answer": "B"}


def check_own(folder: Path, *rows: dict[str, Any], decode: bool = False, **more: Any) -> Check:
    loaded = read_benchmark(load_spec("custom"), [jsonl(folder / "own.jsonl", rows)])
    return check_benchmark(loaded, decode, **more)


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


def test_an_even_benchmark_has_no_problems_but_its_videos(tmp_path: Path):
    rows = [{**OWN, "question": f"Who {n}?", "answer": "ABCD"[n % 4], "video": f"v{n // 2}.mp4"} for n in range(8)]
    found = check_own(tmp_path, *rows)
    assert found.questions_per_video == (2, 2.0, 2)
    assert (found.num_videos, found.num_found) == (4, 0)
    assert [said for said in found.problems if "subtitles" not in said] == [
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
        "own.jsonl:5: ",
        "1 rows repeat",
        "1=2",
        "1 of 3 questions have no answer",
    ):
        assert part in said


def test_the_published_count_is_held_against_what_was_read(tmp_path: Path):
    made = made_rows.tvqa(tmp_path)
    val = check_benchmark(read_benchmark(load_spec("tvqa"), made.data))
    assert val.expected_rows == 15253
    assert "2 rows were read and 15253 are published" in val.problems[0]
    train = check_benchmark(read_benchmark(load_spec("tvqa"), made.data, split="train"))
    assert train.expected_rows == 122039
    made = made_rows.lvbench(tmp_path / "lvbench")
    assert check_benchmark(read_benchmark(load_spec("lvbench"), made.data)).expected_rows == 1549
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
