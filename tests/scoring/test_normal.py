"""What is the same text but for its dress, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_traces import trace

from longtake.scoring.base import normal
from longtake.scoring.text import exact, mentions
from longtake.types import Sample


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Résumé", "resume"),
        ("The red car.", "red car"),
        ("dark-red", "dark red"),
        ("**5**", "5"),
        ("$5$", "5"),
        ("5 %", "5%"),
        ("5 percent", "5%"),
        ("−5", "-5"),
        ("1 – 2", "1-2"),
        ("1,170", "1170"),
        ("x<5", "x < 5"),
        ("5.", "5"),
        ("<answer>5</answer>", "5"),
        ("1 -> 2", "1, 2"),
        ("３", "3"),
    ],
)
def test_the_same(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 degrees", "-5 degrees"),
        ("5%", "$5"),
        ("$5", "€5"),
        ("5%", "5"),
        ("x < 5", "x > 5"),
        ("x-5", "x+5"),
        ("x - 5", "x + 5"),
        ("2+3", "2*3"),
        ("1-2", "1/2"),
        ("10.30", "10:30"),
        ("1,5", "1.5"),
        ("x^2", "x2"),
        ("3²", "32"),
        ("バス", "パス"),
        ("かき", "がき"),
        ("किताब", "कुतुब"),
        ("ไม่", "ไม"),
        ("C++", "C"),
        ("C#", "C"),
    ],
)
def test_not_the_same(one: str, other: str) -> None:
    assert normal(one) != normal(other)
    assert exact(trace(one), Sample("1", "v", "q", target=other)).value == 0


def test_a_figure_does_not_stand_in_another() -> None:
    assert mentions("it is 5 degrees", "5")
    assert not any(mentions(text, "5") for text in ("it is -5 degrees", "5%", "1.5", "5:30", "C5"))


@given(st.text(max_size=100))
def test_any_text_is_normal_once_it_was_made_so(text: str) -> None:
    assert normal(text) == normal(text.upper().lower()) or not text.isascii()
    assert normal(f"  {text}\n") == normal(text)
