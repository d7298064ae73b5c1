"""The numbers of a run: what is counted, over what, and when there is no headline."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from made_graded import graded, run_of, verdicts

from longtake.eval.items import Graded
from longtake.eval.report.columns import of_kind
from longtake.eval.report.metrics import summarise
from longtake.eval.report.notes import notes
from longtake.eval.report.table import table
from longtake.scoring.looked import Looked
from longtake.types import Usage


def metrics(run: list[Graded], **settings: Any) -> dict[str, Any]:
    """Through JSON and back: a number that JSON does not know would fail here."""
    found = summarise(run, **{"headline": "strict", "min_coverage": 0.98, "settings": {}, **settings})
    assert no_nan(found)
    return orjson.loads(orjson.dumps(found))


def no_nan(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and no_nan(one) for key, one in value.items())
    if isinstance(value, list):
        return all(no_nan(one) for one in value)
    return not isinstance(value, float) or math.isfinite(value)


def test_the_names_the_readers_of_metrics_rely_on() -> None:
    found = metrics(run_of(20), headline="lenient", min_coverage=0.9, settings={"agent": "crop"})
    assert {"n", "coverage", "accuracy", "interval", "strata", "usage", "settings"} <= set(found)
    assert set(found["accuracy"]) == {"strict", "lenient", "judge"}
    assert (found["n"], found["num_questions"], found["num_videos"], found["num_epochs"]) == (60, 60, 20, 1)
    assert found["settings"] == {"agent": "crop"}
    low, high = found["interval"]["lenient"]
    assert low < found["accuracy"]["lenient"] < high


def test_no_verdict_is_neither_right_nor_wrong() -> None:
    found = metrics(verdicts(1, 1, 1, 0, None))
    assert found["accuracy"]["strict"] == 0.75
    assert found["coverage"] == found["coverages"]["strict"] == 0.8
    assert found["bounds"]["strict"] == [0.6, 0.8]
    assert found["no_verdict"] == {"transport": 1}


def test_below_the_floor_there_is_no_headline_and_it_says_why() -> None:
    run = verdicts(*[1.0] * 97, None, None, None)
    found = metrics(run)["headline"]
    assert (found["value"], found["interval"], found["standard_error"]) == (None, None, None)
    assert "97.00 % is below 98 %: 3 of 100" in found["why"]
    assert "transport 3" in found["why"]
    lower = metrics(run, min_coverage=0.97)["headline"]
    assert (lower["value"], lower["why"]) == (1.0, None)


def test_nothing_at_all() -> None:
    found = metrics([])
    assert (found["n"], found["coverage"], found["headline"]["value"]) == (0, None, None)
    assert "no question" in found["headline"]["why"]
    assert found["usage"]["per_question"]["frames"] is None
    failed = metrics(verdicts(None, None), min_coverage=0.0)
    assert (failed["coverage"], failed["accuracy"]["strict"]) == (0.0, None)
    assert failed["headline"]["why"] == "no question has a verdict"


def test_a_headline_that_no_question_has_is_not_covered() -> None:
    for column, cause in (("lenient", "scorer"), ("judge", "judge")):
        found = metrics(verdicts(1, 1), headline=column)
        assert (found["coverage"], found["headline"]["value"]) == (0.0, None)
        assert found["no_verdict"] == {cause: 2}


def test_a_column_is_asked_only_of_the_kinds_that_have_it() -> None:
    run = [
        graded("a", "v0", strict=1.0, lenient=1.0),
        graded("b", "v1", kind="text", strict=0.0, lenient=0.0, judge=1.0),
        graded("c", "v2", kind="text", cause="transport"),
        graded("d", "v3", kind="text", strict=0.0, lenient=0.0, judge=None, cause="judge"),
    ]
    found = metrics(run)
    assert found["coverages"] == {"strict": 0.75, "lenient": 0.75, "judge": 1 / 3}
    assert found["accuracy"] == {"strict": pytest.approx(1 / 3), "lenient": pytest.approx(1 / 3), "judge": 1.0}
    assert found["no_verdict"] == {"transport": 1}  # the judge's silence costs the strict column nothing
    assert metrics(run, headline="judge")["no_verdict"] == {
        "transport": 1,
        "judge": 2,
    }  # one of them was not asked about


def test_a_question_counts_in_each_of_its_strata() -> None:
    run = [
        graded("a", "v0", strict=1.0, strata={"type": ("plot", "count")}),
        graded("b", "v1", strict=0.0, strata={"type": ("plot",)}),
        graded("c", "v2", strict=None, cause="video", strata={"type": ("plot",)}),
    ]
    found = metrics(run)["strata"]["type"]
    assert (found["plot"]["n"], found["plot"]["accuracy"]["strict"], found["count"]["n"]) == (3, 0.5, 1)
    assert found["plot"]["coverage"] == pytest.approx(2 / 3)
    assert found["count"]["interval"]["strict"] is None  # of one video


def test_a_headline_may_be_the_mean_over_tasks() -> None:
    def task(name: str, values: list[float]) -> list[Graded]:
        return [
            graded(f"{name}{i}", f"{name}{i}", strict=value, strata={"task": (name,)}) for i, value in enumerate(values)
        ]

    run = task("plot", [1, 1, 1, 1, 1, 0, 1, 1]) + task("count", [0, 1])
    found = metrics(run, macro="task")
    assert found["headline"]["value"] == pytest.approx((7 / 8 + 1 / 2) / 2)
    assert found["accuracy"]["strict"] == 0.8
    assert found["headline"]["mean_over"] == "task"
    low, high = found["headline"]["interval"]
    assert low < found["headline"]["value"] < high
    assert found["headline"]["standard_error"] > found["standard_error"]["strict"]
    silent = [*run, graded("x", "x", strict=None, cause="gold", strata={"task": ("ego",)})]
    assert "'task' has no verdict at all" in metrics(silent, macro="task", min_coverage=0.5)["headline"]["why"]
    assert "stratum 'tusk'" in metrics(run, macro="tusk")["headline"]["why"]
    assert metrics([*run, graded("y", "y", strict=1.0)], macro="task")["headline"]["num_outside"] == 1


def test_questions_of_another_kind_stand_apart() -> None:
    """MLVU: M-Avg is over the tasks with options; what is written has a judge, and is in no mean with them."""
    tasks = [(f"task {n}", "choice", 1.0, None) for n in range(7)] + [
        (f"written {n}", "text", 0.0, 1.0) for n in (1, 2)
    ]
    run = [
        graded(
            f"{name}/{i}", f"{name}/{i}", kind=kind, strict=value, lenient=value, judge=judge, strata={"task": (name,)}
        )
        for name, kind, value, judge in tasks
        for i in range(2)
    ]
    run.append(graded("silent", "silent", kind="text", cause="transport", strata={"task": ("written 1",)}))
    found = metrics(run, macro="task", num_macro=7, kind="choice", headline="lenient")
    head = found["headline"]
    assert (head["value"], head["n"], head["apart"], len(head["values"])) == (1.0, 14, {"text": 5}, 7)
    assert (found["n"], found["coverage"], found["no_verdict"]) == (19, 1.0, {})
    assert (found["accuracy"]["strict"], found["accuracy"]["lenient"], found["bounds"]["strict"]) == (1.0, 1.0, [1, 1])
    written = found["strata"]["kind"]["text"]
    assert (written["n"], written["accuracy"]["judge"], written["coverages"]["judge"]) == (5, 1.0, 0.8)
    assert found["strata"]["task"]["written 1"]["accuracy"]["lenient"] == 0.0
    assert any("over 14 of 19 questions; 5 text questions measured apart" in note for note in notes(found))
    assert not any("published" in note for note in notes(found))
    assert len(of_kind(run, "choice")) == 14
    mixed = metrics(run, headline="lenient")
    assert (mixed["accuracy"]["lenient"], mixed["coverage"]) == (14 / 18, 18 / 19)


def test_a_mean_over_fewer_tasks_than_are_published_says_so() -> None:
    run = [graded(f"q{n}", f"q{n}", strict=1.0, strata={"task": (f"task {n}",)}) for n in range(3)]
    told = notes(metrics(run, macro="task", num_macro=4))
    assert any("mean over 3 of the 4 published values of task" in note for note in told)


def test_epochs_of_a_question_are_not_independent() -> None:
    once = verdicts(1, 0, 1, 1, 0, 1, 1, 0)
    again = [*once, *(graded(o.id, o.video_id, epoch=1, strict=o.scores["strict"].value) for o in once)]
    one, two = metrics(once), metrics(again)
    assert (two["n"], two["num_questions"], two["num_epochs"]) == (16, 8, 2)
    assert two["standard_error"]["strict"] == pytest.approx(one["standard_error"]["strict"])


def test_questions_without_a_video_id_stand_alone() -> None:
    run = [graded(f"q{i}", "", strict=float(i % 2)) for i in range(4)]
    assert metrics(run)["num_videos"] == 4


def test_measures_are_means_with_their_n() -> None:
    run = [
        graded("a", "v0", strict=1.0, scores={"temporal_iou": 0.5, "recall@0.3": 1.0}),
        graded("b", "v1", strict=1.0, scores={"temporal_iou": 0.0, "recall@0.3": 0.0}),
        graded("c", "v2", strict=1.0, scores={"temporal_iou": None}),
    ]
    found = metrics(run)["measures"]
    assert (found["temporal_iou"]["mean"], found["temporal_iou"]["n"], found["temporal_iou"]["no_value"]) == (
        0.25,
        2,
        1,
    )
    assert set(found) == {"temporal_iou", "recall@0.3"}
    spans = metrics(run, headline="temporal_iou", min_coverage=0.6)
    assert (spans["headline"]["value"], spans["accuracy"]["temporal_iou"]) == (0.25, 0.25)


def test_the_judge_is_held_against_the_other_columns() -> None:
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    run = [graded(f"q{i}", f"v{i}", judge=float(j), strict=float(s)) for i, (j, s) in enumerate(pairs)]
    run.append(graded("silent", "v", judge=None, strict=1.0))
    found = metrics(run)["agreement"]
    assert found == {
        "judge_strict": {
            "n": 50,
            "agree": 0.7,
            "kappa": pytest.approx(0.4),
            "both_right": 20,
            "only_judge": 5,
            "only_strict": 10,
            "both_wrong": 15,
        }
    }


def test_usage_in_total_and_per_question() -> None:
    run = [graded(f"q{i}", strict=1.0, usage=Usage(2, 100, 10, 8, 0.5), seconds=3.0) for i in range(4)]
    found = metrics(run)["usage"]
    assert (found["calls"], found["input_tokens"], found["frames"], found["cost_usd"]) == (8, 400, 32, 2.0)
    assert found["per_question"] == {
        "calls": 2, "input_tokens": 100, "output_tokens": 10, "frames": 8, "cost_usd": 0.5, "seconds": 3.0
    }  # fmt: skip
    unpriced = metrics([*run, graded("x", strict=1.0, usage=Usage(1, cost_usd=None))])["usage"]
    assert (unpriced["cost_usd"], unpriced["per_question"]["cost_usd"], unpriced["num_unpriced"]) == (None, None, 1)


def test_localisation_is_of_the_questions_with_gold_spans() -> None:
    run = [
        graded("a", "v0", strict=1.0, looked=Looked(2, 20.0, 30, 12, True, 0.5, 0.25)),
        graded("b", "v1", strict=1.0, looked=Looked(4, 40.0, 50, 0, False, 0.0, 0.0)),
        graded("c", "v2", strict=1.0, looked=Looked(0, 0.0, 10)),
        graded("d", "v3", strict=None, cause="video"),
    ]
    found = metrics(run)["localisation"]
    assert (found["n"], found["hit"]["n"], found["hit"]["mean"]) == (3, 2, 0.5)
    assert (found["coverage"]["mean"], found["iou"]["mean"]) == (0.25, 0.125)
    assert (found["looks_per_question"], found["frames_per_question"]) == (2.0, 30.0)
    assert (found["gold_frames_per_question"], found["gold_frame_share"]) == (6.0, 0.15)


def test_the_table_of_a_terminal() -> None:
    low = summarise(verdicts(1, None), headline="strict", min_coverage=0.98, settings={})
    good = summarise(run_of(30), headline="lenient", min_coverage=0.5, settings={})
    head, first, second = table([("bad", low), ("good", good)])
    assert head[:5] == ("run", "n", "headline", "interval", "coverage")
    assert len(head) == len(first) == len(second)
    assert first[:5] == ("bad", "2", "–", "–", "50.0")
    assert second[head.index("frames")] == "40.0"
    assert second[head.index("USD")] == "0.0040"
    assert first[head.index("judge")] == "–"


def test_how_many_questions_a_column_has_and_for_which_it_is_not_defined() -> None:
    run = [
        graded("a", "v0", strict=1.0, lenient=1.0),
        graded("b", "v0", kind="span", lenient=0.0, scores={"temporal_iou": 0.2}),
        graded("c", "v1", kind="text", cause="video", error="films/c.mp4 was not found"),
    ]
    found = metrics(run, headline="lenient")
    assert found["asked"] == {"strict": 1, "lenient": 3, "temporal_iou": 1}
    # nothing is known of the question in words: it might have had both
    assert found["not_defined"] == {"strict": {"span": 1}, "lenient": {}, "temporal_iou": {"choice": 1}}


def test_the_first_of_what_went_wrong_is_told_by_cause() -> None:
    run = [
        graded("a", "v0", strict=1.0),
        graded("b", "v1", cause="video", error="b.mp4 was not found"),
        graded("c", "v2", cause="video", error="c.mp4 was not found"),
        graded("d", "v3", cause="not run"),
    ]
    assert metrics(run)["first_errors"] == {"video": "b: b.mp4 was not found"}


def test_on_how_many_questions_a_judge_gave_a_verdict() -> None:
    run = [
        graded("a", "v0", kind="text", judge=1.0),
        graded("b", "v1", kind="text", judge=None),
        graded("c", "v2", kind="text", judge=None),
        graded("d", "v3", kind="text", cause="video"),
        graded("e", "v4", kind="span", lenient=1.0),
    ]
    assert metrics(run)["judged"] is None
    told = metrics(run, headline="lenient", settings={"judge": {"name": "openai:J"}})["judged"]
    assert told == {"n": 4, "verdicts": 1, "why": "no verdict", "num_why": 2}


def test_how_unevenly_questions_are_spread_over_videos() -> None:
    found = metrics([graded(f"q{i}", f"v{max(0, i - 5)}", strict=1.0) for i in range(8)])
    assert (found["num_videos"], found["most_per_video"]) == (3, 6)
    assert found["num_videos_effective"] == pytest.approx(64 / 38)
