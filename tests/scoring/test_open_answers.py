"""Open answers: the same in other words, numbers, formulas, hedges."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_traces import trace

from longtake.errors import MissingExtraError, ScoringError
from longtake.scoring import maths as maths_module
from longtake.scoring.maths import is_expression, maths, maths_available, same_maths
from longtake.scoring.numbers import figures, number, quantities, whole_number
from longtake.scoring.text import relaxed
from longtake.types import Sample

needs_maths = pytest.mark.skipif(not maths_available(), reason="needs longtake[eval]")
DOOR = "The man in the black coat opens the old wooden door"


def sample(target: str) -> Sample:
    return Sample("1", "v", "q", target=target)


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("Red.", "the red"),
        (DOOR + "s.", DOOR),
        ("three", "3"),
        ("3", "three"),
        ("There are three of them.", "3"),
        ("3 people", "three people"),
        ("3", "3 people"),
        ("1,170", "1170"),
        ("1170 steps", "1,170"),
        ("45 percent", "45%"),
        ("45%", "45"),
        ("5 km", "5 kilometres"),
        ("2 minutes", "120 seconds"),
        ("$5", "5 dollars"),
        ("about 90 min", "90 minutes"),
        ("twenty-four", "24"),
        ("two hundred and five", "205"),
        ("1.2 million", "1,200,000"),
        ("−5", "-5"),
        ("black or white", "Black or white"),
        ("5, not 6", "5"),
        ("minus five", "-5"),
        ("12k", "12,000"),
        ("3 red cars", "3"),
        ("I can see 3 people", "3"),
        ("共3个", "3"),
        ("The answer is 3.", "3"),
    ],
)
def test_relaxed_is_right(answer: str, target: str) -> None:
    assert relaxed(trace(answer), sample(target)).value == 1


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("red", "blue"),
        ("red or blue", "red"),
        ("not red", "red"),
        ("It is red", "red"),
        ("I cannot tell", "red"),
        ("I cannot tell, 3 maybe", "3"),
        ("not three", "3"),
        ("3 or 4", "3"),
        ("3 dogs", "3 cats"),
        ("4", "3"),
        ("2 first, then 3", "3"),
        ("5 km", "5 miles"),
        ("4", "Channel 4 news"),
        ("10", "10 Downing Street"),
        ("Not " + DOOR, DOOR),
        ("2" + DOOR, DOOR),
        ("many", "3"),
        ("minus 5", "5"),
        ("negative five", "5"),
        ("over 5", "5"),
        ("at least 5", "5"),
        ("5 or more", "5"),
        ("5th", "5"),
        ("A5", "5"),
        ("v5", "5"),
        ("5M", "5"),
        ("5G", "5"),
        ("12k", "12"),
        ("10:30", "10"),
        ("He is in room 3", "3"),
        ("6, not 5", "5"),
        ("5 not 5", "5"),
        ("-5 degrees", "5 degrees"),
    ],
)
def test_relaxed_is_wrong(answer: str, target: str) -> None:
    assert relaxed(trace(answer), sample(target)).value == 0


@pytest.mark.parametrize(
    ("text", "number_"),
    [
        ("three", 3),
        ("Twenty-four", 24),
        ("one hundred", 100),
        ("a hundred and one", 101),
        ("two thousand and five", 2005),
        ("three hundred thousand", 300000),
        ("one million two hundred thousand", 1200000),
        ("fifteen hundred", 1500),
        ("two point five", 2.5),
        ("a dozen", 12),
        ("zero", 0),
        ("1,234,567.5", 1234567.5),
        ("-5", -5),
        ("(7)", 7),
        (".5", 0.5),
        ("３", 3),
        ("three cats", None),
        ("5 km", None),
        ("", None),
        ("often", None),
    ],
)
def test_whole_numbers(text: str, number_: float | None) -> None:
    assert whole_number(text) == number_


def test_numbers_that_are_listed_or_ranged_stay_apart() -> None:
    assert [q.value for q in quantities(figures("3,4 and 10-12, twenty one to thirty"))] == [3, 4, 10, 12, 21, 30]
    assert [q.unit for q in quantities("5 min at 60 km/h")] == [("s", 60), ("km/h", 1)]
    assert figures("someone often anyone tension") == "someone often anyone tension"


@given(st.text(max_size=200))
def test_any_text_has_numbers_or_none(text: str) -> None:
    assert all(q.value == q.value for q in quantities(figures(text)))


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("three", "3"),
        ("3 of them, the last one", "3"),
        ("2 minutes", "120 s"),
        ("-5", "-5"),
        ("minus 5", "-5"),
        ("\\boxed{7}", "7"),
        ("**7**", "7"),
        ("7 people at 12:05", "7"),
        ("7 (confidence 90%)", "7"),
        ("7, confidence 90%", "7"),
        ("There are 5 people in scene 3", "5"),
        ("2 red and 3 blue cars, 5 in total", "5"),
        ("2 red and 3 blue cars, so there are 5", "5"),
        ("Two at 0:03, 3 at 0:05. The answer is 5.", "5"),
        ("2 + 3 = 5", "5"),
        ("6, not 5", "6"),
    ],
)
def test_the_number_is_stated(answer: str, target: str) -> None:
    assert number(trace(answer), sample(target)).value == 1


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("not 5", "5"),
        ("It isn't 5", "5"),
        ("more than 5", "5"),
        ("at least five", "5"),
        ("5 or more", "5"),
        ("6, not 5", "5"),
        ("I counted from 0:03 to 0:05", "5"),
        ("7 people at 12:05", "5"),
        ("7 (confidence 90%)", "90"),
        ("10:30", "30"),
        ("There are 5 people in scene 3", "3"),
        ("3 or 4", "4"),
        ("at 10, then 12", "12"),
        ("5", "-5"),
        ("many", "4"),
    ],
)
def test_the_number_is_not_stated(answer: str, target: str) -> None:
    assert number(trace(answer), sample(target)).value == 0


def test_an_answer_without_a_number_is_unread() -> None:
    assert number(trace("many"), sample("4")).explanation.startswith("unread")
    assert number(trace("3 or 4"), sample("4")).explanation.startswith("unread")
    assert number(trace("3"), sample("at 10:30")).value is None


# ------------------------------------------------------------------------------------------------------ formulas


@needs_maths
@pytest.mark.parametrize(
    ("answer", "target", "right"),
    [
        ("0.5", "\\frac{1}{2}", 1),
        ("\\frac{1}{2}", "0.5", 1),
        ("1/2", "0.5", 1),
        ("$(x+1)^2$", "x^2+2x+1", 1),
        ("The answer is $2\\sqrt{2}$", "\\sqrt{8}", 1),
        ("\\sqrt{7}", "\\sqrt{8}", 0),
        ("I do not know", "\\sqrt{8}", 0),
        ("x" * 1000, "\\sqrt{8}", 0),
    ],
)
def test_formulas(answer: str, target: str, right: int) -> None:
    assert maths(trace(answer), sample(target)).value == right
    assert relaxed(trace(answer), sample(target)).value == right


@needs_maths
@pytest.mark.parametrize(
    ("answer", "target", "same"),
    [
        ("(1,2)", "(1, 2)", True),
        ("(2,1)", "(1,2)", False),
        ("{1,2}", "{2,1}", True),
        ("[0,1)", "[0,1]", False),
        ("50%", "0.5", True),
    ],
)
def test_pairs_sets_and_percent(answer: str, target: str, same: bool) -> None:
    assert same_maths(answer, target) is same


@needs_maths
def test_what_never_ends_is_no_verdict_in_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    assert same_maths("1", "1")
    monkeypatch.setattr(maths_module, "_SECONDS", 1.0)
    found = list[object]()

    def ask() -> None:
        found.append(maths(trace("9^{9^{9^{9}}}"), sample("3")))

    started = time.perf_counter()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(20)
    assert "could not be compared" in str(found[0])
    assert time.perf_counter() - started < 10
    monkeypatch.undo()
    assert same_maths("2/4", "0.5"), "another process took over"


@needs_maths
def test_a_target_that_is_no_formula_has_no_verdict() -> None:
    assert maths(trace("3"), sample("hello there")).value is None
    with pytest.raises(ScoringError, match="at most 400"):
        same_maths("3", "9" * 500)


def test_without_the_extra_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maths_module, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'longtake\[eval\]'"):
        relaxed(trace("x^2"), sample("x^3"))
    assert relaxed(trace("three"), sample("3")).value == 1, "plain numbers need no extra"


@pytest.mark.parametrize("text", ["\\frac{1}{2}", "x^2", "3/4", "2x + 1", "y = 3", "√2", "2*3"])
def test_formulas_are_known(text: str) -> None:
    assert is_expression(text)


@pytest.mark.parametrize("text", ["3", "a red car", "black/white", "24 - 30 s", "He said: no", "60 km/h", "AC/DC"])
def test_words_are_no_formulas(text: str) -> None:
    assert not is_expression(text)
