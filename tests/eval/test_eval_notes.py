"""What is said beside the numbers of an evaluation, on a terminal and in sentences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_graded import graded, run_of, verdicts

from longtake.eval.data.check import check_benchmark
from longtake.eval.items import Graded
from longtake.eval.report.compare import compare
from longtake.eval.report.metrics import summarise
from longtake.eval.report.notes import notes
from longtake.eval.run import load_benchmark
from longtake.eval.settings import read_eval_settings
from longtake.surfaces.eval_print import print_check, print_comparison, print_metrics
from longtake.types import Usage


def metrics(run: list[Graded], headline: str = "strict", **settings: Any) -> dict[str, Any]:
    return summarise(run, headline=headline, min_coverage=0.0, settings=settings)


def test_rows_that_were_not_asked() -> None:
    run = verdicts(1, 0, 1, 1, 0, 1, 1)
    left_out = {"num_rows": 12, "num_malformed": 4, "num_duplicates": 1}
    assert "12 rows: 7 asked, 4 malformed, 1 duplicate" in notes(metrics(run, **left_out))
    assert "12 rows: 6 asked, 4 malformed, 1 duplicate, 1 not selected" in notes(metrics(run[1:], **left_out))
    assert notes(metrics(run, num_rows=12, num_malformed=0, num_duplicates=0, num_stored_outside=0)) == []
    assert notes(metrics(run, num_stored_outside=3)) == [
        "3 stored answers are outside --limit/--shard/--epochs and not in these numbers"
    ]


def test_what_has_no_verdict_and_the_first_reason() -> None:
    run = [
        graded("mine:6", "v0", strict=1.0),
        graded("mine:7", "v1", cause="video", error="films/7.mp4 was cut off"),
        graded("mine:8", "v2", cause="video", error="films/8.mp4 was cut off"),
        graded("mine:9", "v3", cause="gold", error="nobody rings"),
    ]
    video, gold, *_ = notes(metrics(run))
    assert video == (
        "no verdict: 2 video (the video is missing or cannot be decoded; first mine:7: films/7.mp4 was cut off)"
    )
    assert gold == "no verdict: 1 gold (the data have no answer); counted as wrong 25.0 %, as right 100.0 %"


def test_a_judge_that_was_not_heard_on_everything() -> None:
    run = [graded(f"q{i}", f"v{i}", kind="text", lenient=1.0, judge=1.0 if i < 5 else None) for i in range(7)]
    said = notes(metrics(run, "lenient", judge={"name": "openai:J"}))
    assert said == ["judge openai:J: verdicts on 5 of 7 questions; why not: no verdict"]
    assert notes(metrics(run[:5], "lenient", judge={"name": "openai:J"})) == []


def test_columns_over_fewer_questions() -> None:
    run = [*verdicts(1, 0), graded("s", "v9", kind="span", lenient=0.0, scores={"temporal_iou": 0.1})]
    assert "strict: over 2 of 3; not defined for span questions (1)" in notes(metrics(run, "lenient"))


def test_intervals_that_are_missing_or_wide() -> None:
    (alone,) = notes(metrics(verdicts(1, 0, 1, videos=1)))
    assert alone == "no interval: all questions are about one video"
    uneven = [graded(f"q{i}", f"v{max(0, i - 39)}", strict=float(i % 2)) for i in range(47)]
    (wide,) = notes(metrics(uneven))
    assert wide.startswith("one video holds 40 of 47 questions: 8 videos so uneven tell as much as 1.4 even ones")


def test_epochs_and_prices() -> None:
    run = [graded("q", f"v{e}", epoch=e, strict=1.0, usage=Usage(1, cost_usd=None)) for e in range(2)]
    epochs, price = notes(metrics(run))
    assert epochs == "1 question x 2 epochs on 2 videos: n counts each epoch"
    assert price == "price unknown: set LONGTAKE_PRICES"


def test_small_strata_are_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    many = [graded(f"q{i}", f"v{i}", strict=1.0, strata={"topic": (f"t{i}",), "type": ("plot",)}) for i in range(13)]
    print_metrics([("mine", metrics(many))])
    said = capsys.readouterr().out
    assert "topic: 13 values, see report.html" in said
    assert "t7" not in said
    assert [line.split()[:2] for line in said.splitlines()[-2:]] == [["type", "mean"], ["plot", "100.0"]]


def test_comparisons_without_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    def said(a: list[Graded], b: list[Graded]) -> str:
        print_comparison("a", "b", compare(a, b, "strict"))
        return capsys.readouterr().out

    assert "difference  0.0 points: no pair differs\n" in said(verdicts(1, 0, 1), verdicts(1, 0, 1))
    alone = said(verdicts(1, 0, videos=1), verdicts(0, 1, videos=1))
    assert "difference  0.0 points (no interval: all pairs are about one video)\n" in alone
    assert "no pair has two verdicts" in said(verdicts(None), verdicts(1))
    spans = [graded("s", "w", kind="span", lenient=1.0)]
    assert "1 pair left out: strict is not defined" in said([*verdicts(1), *spans], [*verdicts(0), *spans])


def test_a_run_with_everything_has_no_empty_sentence() -> None:
    for said in notes(metrics(run_of(8, epochs=2, cost_usd=None), "lenient", judge={"name": "J"})):
        assert "None" not in said
        assert "–" not in said


@pytest.mark.parametrize(
    ("videos", "said"),
    [("aabb", "2 questions each"), ("aaab", "1 to 3 questions each, median 2"), ("a", "1 question each")],
)
def test_checks_say_how_many_questions_a_video_has(
    videos: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"question": f"What is {i}?", "video": f"{v}.mp4", "answer": "a dog"} for i, v in enumerate(videos)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row in rows:
        (tmp_path / row["video"]).touch()
    settings = {"benchmark": "custom", "data": str(tmp_path / "mine.jsonl"), "videos": str(tmp_path)}
    found = check_benchmark(load_benchmark(read_eval_settings(settings)))
    print_check(found)
    assert f"; {said}\n" in capsys.readouterr().out
    print_check(replace(found, num_items=0, kinds={}))
    assert "0 questions, 0 malformed" in capsys.readouterr().out
