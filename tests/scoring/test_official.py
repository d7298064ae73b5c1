"""Our scorers beside the public official ones, on a table of cases that those were run on.

``official_verdicts.json`` holds what the official functions gave (``sources`` says which, at which commit);
``official_differences.json`` every case in which ours say something else, and why.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from scoring_traces import VIDEO

from longtake.agents.direct import Direct
from longtake.errors import FormatError
from longtake.scoring.choice import choice, choice_strict
from longtake.scoring.form import format_, format_longvt
from longtake.scoring.grounding import asa, temporal_iou
from longtake.scoring.maths import maths_available
from longtake.scoring.text import relaxed
from longtake.types import Answer, Evidence, Message, ModelOutput, Sample, Score, TimeSpan, Trace, Turn

HERE = Path(__file__).parent
OFFICIAL: dict[str, Any] = json.loads((HERE / "official_verdicts.json").read_text(encoding="utf-8"))
DIFFERENCES: list[dict[str, Any]] = json.loads((HERE / "official_differences.json").read_text(encoding="utf-8"))

STRICT = ("longvideo_reason", "longvideoagent")
"""These accept one form only; the others look for a letter."""


def run(response: str) -> Trace:
    """A run whose model replied ``response``, read as `direct` reads it."""
    output = ModelOutput(Message("assistant", (response,)), "m")
    try:
        answer = Direct().parse(output)
    except FormatError:
        answer = None
    found = answer if isinstance(answer, Answer) else None
    stop, error = ("answered", None) if found else ("format_errors", "no answer")
    return Trace(Sample("1", "v", "q"), VIDEO, "direct", "m", {}, (), (Turn(output),), found, stop, error)  # type: ignore[arg-type]


def verdict(score: Score) -> int:
    """A reply without an answer is wrong, as a run counts it."""
    return int(score.value or 0)


def ours() -> list[tuple[str, str, str, object, object]]:
    """``(source, response, target, official, ours)`` of the whole table."""
    rows = list[tuple[str, str, str, object, object]]()
    for case in OFFICIAL["choices"]:
        sample = Sample("1", "v", "q", tuple(case["options"]), target=case["target"])
        for source, official in case["verdicts"].items():
            scorer = choice_strict if source in STRICT else choice
            found = verdict(scorer(run(case["response"]), sample))
            rows.append((source, case["response"], case["target"], official, found))
    for case in OFFICIAL["spans"]:
        score = temporal_iou(run(case["response"]), Sample("1", "v", "q", target_spans=(TimeSpan(*case["gold"]),)))
        unread = score.value is None or score.explanation.startswith("unread")
        found_iou = "unread" if unread else round(score.value or 0.0, 6)
        rows += [(source, case["response"], "", was, found_iou) for source, was in case["verdicts"].items()]
    for case in OFFICIAL["formats"]:
        for source, official in case["verdicts"].items():
            scorer = format_ if source == "longvideo_reason" else format_longvt
            found = verdict(scorer(run(case["response"]), Sample("1", "v", "q")))
            rows.append((source, case["response"], "", official, found))
    for case in OFFICIAL["texts"]:
        found = verdict(relaxed(run(case["response"]), Sample("1", "v", "q", target=case["target"])))
        rows.append(("longvt_recipe", case["response"], case["target"], case["verdicts"]["longvt_recipe"], found))
    return rows


@pytest.mark.skipif(not maths_available(), reason="needs longtake[eval]")
def test_every_difference_is_listed_and_every_listed_one_is_there() -> None:
    differ = Counter(row for row in ours() if row[3] != row[4])
    listed = Counter((d["source"], d["response"], d.get("target", ""), d["official"], d["ours"]) for d in DIFFERENCES)
    assert differ == listed
    assert all(d["why"] for d in DIFFERENCES)
    assert {d["source"] for d in DIFFERENCES} <= set(OFFICIAL["sources"])


def test_what_names_no_option_is_never_right() -> None:
    chance = [d for d in DIFFERENCES if d["official"] == "random"]
    assert len(chance) > 10, "the random answers of LongVideoBench's scorer are in the table"
    assert all(d["ours"] == 0 for d in chance if d["response"] in ("I do not know", "", "<answer></answer>"))


def test_joint_accuracy_is_that_of_tvqa_plus() -> None:
    for case in OFFICIAL["joint"]:
        evidence = (Evidence(TimeSpan(*case["span"]), "", "stated"),)
        trace = Trace(Sample("1", "v", "q"), VIDEO, "a", "m", {}, (), (), Answer(case["answer"], evidence), "answered")
        sample = Sample("1", "v", "q", tuple("vwxyz"), target=case["target"], target_spans=(TimeSpan(*case["gold"]),))
        was = case["verdicts"]["tvqa_plus"]
        assert temporal_iou(trace, sample).value == pytest.approx(was["iou"], abs=1e-6)
        assert asa(trace, sample).value == was["asa"]
        assert choice(trace, sample).value == was["qa_acc"]
