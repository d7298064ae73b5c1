"""Which questions go into an export: filters, copies, letters in balance; and that all are accounted for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exporting import rows_of
from made_chains import CHOICE, OPEN, OPTIONS, asked, blind_tested, good_turns, look, seen, source, traced, turn

from longtake.datagen.export.write import card_path, export
from longtake.datagen.quality.measures import parse_filter
from longtake.datagen.values import Question
from longtake.errors import ConfigError


def test_the_same_records_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    records = [asked(replace(CHOICE, question=f"Question {i}?"), id=f"film/{i:04d}") for i in range(20)]
    first = export(records, "chat", tmp_path / "a.jsonl", balance_letters=True)
    again = export(records[::-1], "chat", tmp_path / "b.jsonl", balance_letters=True)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert first.sha256 == again.sha256
    assert [row["id"] for row in rows_of(tmp_path / "a.jsonl")] == sorted(r.id for r in records)


def test_one_question_about_one_video_is_exported_once(tmp_path: Path) -> None:
    shuffled = replace(CHOICE, options=OPTIONS[::-1], answer="C")
    records = [
        asked(id="film/0000"),
        asked(shuffled, id="film/0001"),
        asked(replace(CHOICE, question="What passes the rain after the window?"), id="film/0002"),
        asked(id="other/0000", parent=source("other", fingerprint="0" * 32)),
    ]
    report = export(records, "grpo", tmp_path / "out.jsonl")
    assert (report.num_rows, report.num_duplicates) == (3, 1)
    assert export(records, "grpo", tmp_path / "out.jsonl", max_per_question=2).num_duplicates == 0


def test_filters_leave_out_and_count_under_their_name(tmp_path: Path) -> None:
    records = [blind_tested(asked(replace(CHOICE, question=f"Q {i}?"), id=f"film/{i:04d}"), right=i) for i in range(5)]
    filters = [parse_filter("blind<=0.5"), parse_filter("reasoning_words>=3")]
    report = export(records, "grpo", tmp_path / "out.jsonl", filters=filters)
    assert (report.num_rows, dict(report.filtered)) == (3, {"blind<=0.5": 2})
    assert report.num_questions == report.num_rows + sum(report.filtered.values())


def test_filters_make_way_for_each_other(tmp_path: Path) -> None:
    """A copy that another filter or the form leaves out takes nobody's place."""
    first = asked(replace(CHOICE, reasoning=""), id="a/0000", parent=source("a", fingerprint="a" * 32))
    second = asked(id="b/0000", parent=source("b", fingerprint="b" * 32))
    records = [blind_tested(first, right=4), blind_tested(second, right=0)]
    alike, blind = parse_filter("duplicate<=0.8"), parse_filter("blind<=0.5")
    for filters in ([alike], [blind], [alike, blind], [blind, alike]):
        assert export(records, "grpo", tmp_path / "out.jsonl", filters=filters).num_rows == 1
    report = export(records, "longvideo-reason", tmp_path / "out.jsonl", filters=[alike])
    assert (report.num_rows, sum(report.refused.values()), dict(report.filtered)) == (1, 1, {})


def test_rows_of_one_question_are_no_duplicates_of_each_other(tmp_path: Path) -> None:
    again = turn("<think>a</think>", look(), results=[seen("f" * 32, [12.0])])
    turns = [[again] * 4 + good_turns(), good_turns(), [again, *good_turns()]]
    records = [replace(traced(made), id=f"film/0000/{i:04d}", parents=(asked(),)) for i, made in enumerate(turns)]
    filters = [parse_filter("duplicate<=0.8"), parse_filter("num_calls<=2")]
    settings: dict[str, Any] = {"filters": filters, "max_per_question": 3}
    report = export(records, "longvt", tmp_path / "out.jsonl", **settings)
    assert (report.num_rows, dict(report.filtered)) == (2, {"num_calls<=2": 1})
    report = export(records, "longvt", tmp_path / "out.jsonl", **{**settings, "max_per_question": 1})
    assert (report.num_rows, report.num_duplicates) == (1, 1)


def test_a_blind_test_without_a_verdict_does_not_pass(tmp_path: Path) -> None:
    records = [blind_tested(asked(), right=0, usable=0), blind_tested(asked(OPEN, id="film/0001"), right=0)]
    report = export(records, "grpo", tmp_path / "out.jsonl", filters=[parse_filter("blind<=0.5")])
    assert (report.num_rows, dict(report.filtered)) == (1, {"blind<=0.5: no try could be used": 1})


def test_a_filter_on_what_was_not_measured_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="blind step"):
        export([asked()], "grpo", tmp_path / "out.jsonl", filters=[parse_filter("blind<=0.5")])


def test_near_duplicates_of_other_videos_can_be_filtered(tmp_path: Path) -> None:
    other = asked(id="other/0000", parent=source("other", fingerprint="0" * 32))
    report = export([asked(), other], "grpo", tmp_path / "out.jsonl", filters=[parse_filter("duplicate<=0.8")])
    assert (report.num_rows, dict(report.filtered)) == (1, {"duplicate<=0.8": 1})


def test_letters_are_balanced_and_stay_right(tmp_path: Path) -> None:
    def question(i: int) -> Question:
        return replace(CHOICE, question=f"What passes window {i}?", answer="A")

    records = [asked(question(i), id=f"film/{i:04d}") for i in range(400)]
    report = export(records, "grpo", tmp_path / "out.jsonl", balance_letters=True)
    assert set(report.letters) == set("ABCD")
    assert min(report.letters.values()) > 70  # 100 expected, 8.7 the standard deviation
    for row in rows_of(tmp_path / "out.jsonl"):
        letter = row["answer"][len("<answer>")]
        assert f"{letter}. a red kite" in row["problem"]
        assert sorted(line[3:] for line in row["problem"].splitlines()[1:]) == sorted(OPTIONS)


@pytest.mark.parametrize(
    "change",
    [
        {"reasoning": "Option C is wrong because nothing is green."},
        {"reasoning": "So the answer is A."},
        {"options": ("a kite", "a boat", "a bus", "none of the above")},
    ],
)  # fmt: skip
def test_letters_that_words_hold_on_to_are_not_moved(change: dict[str, Any], tmp_path: Path) -> None:
    records = [asked(replace(CHOICE, question=f"Q {i}?", **change), id=f"film/{i:04d}") for i in range(12)]
    report = export(records, "grpo", tmp_path / "out.jsonl", balance_letters=True)
    assert dict(report.letters) == {"B": 12}
    assert 0 < report.letters_kept <= 12


def test_the_card_accounts_for_every_question(tmp_path: Path) -> None:
    records = [asked(), asked(replace(OPEN, answer=""), id="film/0001"), asked(id="film/0002")]
    report = export(records, "grpo", tmp_path / "train.jsonl", lineage={"steps": {"parse": "0123"}})
    card = json.loads(card_path(tmp_path / "train.jsonl").read_text())
    assert card["num_questions"] == 3 == card["num_rows"] + card["num_duplicates"] + sum(card["refused"].values())
    assert (card["form"], card["schema"], card["lineage"]) == ("grpo", "grpo.json", {"steps": {"parse": "0123"}})
    assert card["sha256"] == report.sha256
    assert str(tmp_path) not in json.dumps(card)
