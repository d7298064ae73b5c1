"""Two runs question by question: what is paired, what is left out, and what is said of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from made_graded import graded, run_of, verdicts

from longtake.errors import ConfigError
from longtake.eval.items import Graded
from longtake.eval.report.compare import compare


def compared(a: list[Graded], b: list[Graded], column: str = "strict") -> dict[str, Any]:
    return orjson.loads(orjson.dumps(compare(a, b, column)))


def test_pairs_are_counted_by_who_was_right() -> None:
    a = verdicts(1, 1, 1, 0, 0, 0, 0, 1)
    b = verdicts(1, 1, 0, 1, 1, 1, 0, 1)
    found = compared(a, b)
    assert found["mcnemar"] == {
        "both_right": 3, "only_a": 1, "only_b": 3, "both_wrong": 1, "p_exact": 0.625, "p_mid": 0.375,
        "independent": True,
    }  # fmt: skip
    assert (found["n"], found["mean_a"], found["mean_b"], found["difference"]) == (8, 0.5, 0.75, 0.25)
    low, high = found["interval"]
    assert low < 0 < 0.25 < high
    turned = compared(b, a)
    assert turned["difference"] == -0.25
    assert turned["interval"] == pytest.approx([-high, -low])
    assert turned["p"] == pytest.approx(found["p"])


def test_pairs_without_a_verdict_are_left_out_and_counted() -> None:
    found = compared(verdicts(1, None, 1, None), verdicts(0, 1, None, None))
    assert (found["n"], found["difference"]) == (1, -1.0)
    assert found["no_verdict"] == {"only_a": 1, "only_b": 1, "both": 1}
    assert found["bounds"] == [-0.75, 0.25]
    nothing = compared(verdicts(None), verdicts(1))
    assert (nothing["n"], nothing["difference"], nothing["interval"], nothing["mcnemar"]) == (0, None, None, None)


def test_questions_of_one_run_alone_are_named() -> None:
    found = compared(verdicts(1, 0, 1, 1), verdicts(1, 1))
    assert found["unpaired"] == {"a": {"n": 2, "ids": ["q2", "q3"]}, "b": {"n": 0, "ids": []}}
    assert found["n"] == 2
    many = compared(verdicts(*[1.0] * 60), verdicts(1))
    assert (many["unpaired"]["a"]["n"], len(many["unpaired"]["a"]["ids"])) == (59, 20)


def test_another_question_under_the_same_id_is_no_pair() -> None:
    a = [graded("q0", "film", strict=1.0), graded("q1", "film", strict=1.0)]
    b = [graded("q0", "film", strict=1.0), graded("q1", "another", strict=0.0)]
    found = compared(a, b)
    assert (found["n"], found["changed"]) == (1, {"n": 1, "ids": ["q1"]})


def test_epochs_pair_with_themselves_and_mcnemar_says_that_they_are_not_independent() -> None:
    a = [graded("q", "v", epoch=e, strict=1.0) for e in range(3)] + verdicts(1, 0)
    b = [graded("q", "v", epoch=e, strict=0.0) for e in (2, 1)] + verdicts(1, 0)
    found = compared(a, b)
    assert (found["n"], found["mcnemar"]["only_a"], found["unpaired"]["a"]["n"]) == (4, 2, 1)
    assert found["mcnemar"]["independent"] is False


def test_measures_that_are_no_yes_or_no_have_no_mcnemar() -> None:
    found = compared(run_of(20), run_of(20, seed=1), "temporal_iou")
    assert found["mcnemar"] is None
    assert found["interval"][0] < found["difference"] < found["interval"][1]


def test_a_better_run_is_found() -> None:
    found = compared(run_of(150, accuracy=0.4), run_of(150, accuracy=0.7, seed=1), "lenient")
    assert found["p"] < 0.001
    assert found["interval"][0] > 0.15


def test_runs_that_cannot_be_compared() -> None:
    with pytest.raises(ConfigError, match=r"share no question \(1 and 1"):
        compare([graded("a", strict=1.0)], [graded("b", strict=1.0)], "strict")
    with pytest.raises(ConfigError, match="'a' twice in epoch 0"):
        compare([graded("a", strict=1.0), graded("a", strict=0.0)], [graded("a", strict=1.0)], "strict")


def test_a_column_that_not_both_runs_have() -> None:
    a = [graded("q", strict=1.0, lenient=1.0, judge=1.0)]
    b = [graded("q", strict=1.0, lenient=0.0)]
    for column in ("judge", "foo"):
        with pytest.raises(ConfigError, match=f"'{column}': both have strict, lenient"):
            compare(a, b, column)
    with pytest.raises(ConfigError, match="none in common"):
        compare([graded("q", cause="transport")], b, "strict")


def test_a_column_that_is_not_defined_for_a_kind_of_question_costs_nothing() -> None:
    a = [
        graded("q", strict=1.0, lenient=1.0),
        graded("s", "v1", kind="span", lenient=0.0, scores={"temporal_iou": 0.2}),
    ]
    b = [
        graded("q", strict=1.0, lenient=1.0),
        graded("s", "v1", kind="span", lenient=1.0, scores={"temporal_iou": 0.9}),
    ]
    found = compared(a, b, "temporal_iou")
    assert (found["n"], found["not_defined"], sum(found["no_verdict"].values())) == (1, 1, 0)
    assert found["bounds"] == pytest.approx([0.7, 0.7])
    lost = [
        b[0],
        graded("s", "v1", kind="span", cause="transport"),
        graded("t", "v2", kind="span", scores={"temporal_iou": 0.5}),
    ]
    assert compared(a, lost, "temporal_iou")["no_verdict"] == {"only_a": 0, "only_b": 1, "both": 0}


def test_runs_of_which_no_pair_differs() -> None:
    found = compared(verdicts(1, 0, 1), verdicts(1, 0, 1))
    assert (found["n"], found["difference"], found["interval"], found["p"]) == (3, 0.0, None, None)
    assert found["num_different"] == 0
    evened = compared(verdicts(1, 0, 1), verdicts(0, 1, 1))
    assert (evened["difference"], evened["interval"] is None) == (0.0, False)
    assert evened["num_different"] == 2


def test_pairs_about_one_video_are_not_independent() -> None:
    a, b = [1.0] * 30 + [0.0] * 30, [0.0] * 10 + [1.0] * 50

    def width(num_videos: int) -> float:
        def asked(values: list[float]) -> list[Graded]:
            return [graded(f"q{i}", f"v{i * num_videos // 60}", strict=value) for i, value in enumerate(values)]

        low, high = compared(asked(a), asked(b))["interval"]
        return high - low

    assert width(12) > 1.5 * width(60)
