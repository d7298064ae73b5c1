"""Answers that hold the right words without giving them."""

from __future__ import annotations

import pytest

from longtake.scoring.hedges import hedge


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("not red", "red"),
        ("It isn't the red one.", "red"),
        ("It is not the colour red, it is blue", "red"),
        ("anything except red", "red"),
        ("red, or perhaps blue", "red"),
        ("Maybe red", "red"),
        ("It could be red.", "red"),
        ("red/blue", "red"),
        ("either red", "red"),
        ("I cannot tell; maybe red, green or blue", "red"),
        ("I’m not sure, red", "red"),
        ("I don’t know. Red?", "red"),
        ("I can't really tell whether it is red", "red"),
        ("It was 3 or 4", "4"),
        ("red " + "and then there is one more thing that I could see in it " * 2, "red"),
        ("可能是红色", "红色"),
        ("不是红色", "红色"),
    ],
)
def test_hedges_are_found(answer: str, target: str) -> None:
    assert (hedge(answer, target) or "").startswith("it hedges")


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("red", "red"),
        ("No, it is red.", "red"),
        ("It is not blue but red.", "red"),
        ("my green umbrella", "green umbrella"),
        ("The ferry to Lisbon leaves at half past six.", "Lisbon"),
        ("They drive at 60 km/h.", "60"),
        ("black or white", "Black or white"),
        ("He is not allowed to enter", "not allowed"),
        ("on May 4", "May 4"),
        ("an orange door", "orange"),
        ("红色的", "红色"),
    ],
)
def test_answers_are_no_hedges(answer: str, target: str) -> None:
    assert hedge(answer, target) is None
