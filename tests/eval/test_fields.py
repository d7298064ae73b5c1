"""Options, answers and spans in the forms data have them, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.eval.data.fields import FieldError, first, is_empty, is_span, read_spans, texts_of
from longtake.eval.data.options import Options, options_in, read_options, right_option

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
texts = st.lists(
    st.text("abcdefgh ,", min_size=1, max_size=12).map(lambda text: text.strip(" ,") or "x"), min_size=2, max_size=26
)


def options(value: Any) -> Options:
    return read_options({"options": value}, ["options"])


@pytest.mark.parametrize(
    ("value", "bare"),
    [
        (["A. x", "B. y"], ("x", "y")),
        (["(A) x", "(B) y"], ("x", "y")),
        (["A: x", "B: y"], ("x", "y")),
        (["A) x", "B) y"], ("x", "y")),
        (["1. x", "2. y"], ("x", "y")),
        (["A. A. Milne", "B. B. King"], ("A. Milne", "B. King")),  # once, not twice
        (["A. x", "y"], ("A. x", "y")),
        (["5.", "1.", "2."], ("5.", "1.", "2.")),  # of TVQA
        (["2. x", "1. y"], ("2. x", "1. y")),
        (["1.5 m", "2.5 m"], ("1.5 m", "2.5 m")),
        (["A.D. 100", "B.C. 100"], ("A.D. 100", "B.C. 100")),
        (["A", "B"], ("A", "B")),
        ("['A. x', 'B. y']", ("x", "y")),
        ('["x", "y"]', ("x", "y")),
        ("A. x\nB. y", ("x", "y")),
        ("(A) x (B) y", ("x", "y")),
        ({"A": "x", "B": "y"}, ("x", "y")),
        ({"A": "A. x", "B": "B. y"}, ("x", "y")),
        ([1, 2.5], ("1", "2.5")),
        (["None", "N/A"], ("None", "N/A")),
        ({"B": "y", "A": "x"}, ("x", "y")),
        ({"A": "", "B": ""}, ()),
        (["a. w", "b. x"], ("w", "x")),
        (["a) w", "B) x"], ("a) w", "B) x")),
        (["a.m.", "p.m."], ("a.m.", "p.m.")),
        (["A.5", "B.6"], ("5", "6")),
        (["**A.** x", "**B.** y"], ("x", "y")),
        (["x", "y", "N/A"], ("x", "y")),  # of LongVideoBench
        (["x", "N/A", "y", None, ""], ("x", "N/A", "y")),
        (None, ()),
    ],
)
def test_options_come_out_bare(value: Any, bare: tuple[str, ...]):
    assert options(value).texts == bare


@pytest.mark.parametrize("value", [["x"], ["x", ""], "no options here", 3, [None, "x"], [f"o{i}" for i in range(27)]])
def test_options_that_are_none_are_refused(value: Any):
    with pytest.raises(FieldError):
        options(value)


def test_letters_that_are_out_of_order_stay_with_their_options():
    found = options(["B. x", "A. y"])
    assert found.texts == ("x", "y")
    assert right_option("B", ["letter"], found) == 0


def test_options_in_numbered_fields_lose_only_the_padding_at_the_end():
    row = {"option0": "x", "option1": "N/A", "option2": "y", "option3": "N/A", "option4": None}
    assert read_options(row, ["option{n}"]).texts == ("x", "N/A", "y")


@pytest.mark.parametrize(
    ("question", "stem", "bare"),
    [
        ("Why?\nA. x\nB. y", "Why?", ("x", "y")),
        ("Why?\n(A) x\n(B) y\n", "Why?", ("x", "y")),
        ("Why? A. x B. y C. z", "Why?", ("x", "y", "z")),
        ("Why? (A) x (B) y", "Why?", ("x", "y")),
        (
            "Why?\nOptions:\nA. x\nB. y\nPlease answer with the letter.",
            "Why?\nPlease answer with the letter.",
            ("x", "y"),
        ),
        ("What does A. Smith say to B. Jones?\nA. x\nB. y", "What does A. Smith say to B. Jones?", ("x", "y")),
        ("Why?\nA. one\n  and more\nB. y", "Why?", ("one\n  and more", "y")),
        ("Who is A. Smith and B. Jones?", "Who is A. Smith and B. Jones?", ()),
        ("Why?  \nD. w\nA. x\nB. y\nC. z", "Why?", ("x", "y", "z", "w")),
        ("A. Smith laughs.\nWhy?\nA. x\nB. y", "A. Smith laughs.\nWhy?", ("x", "y")),
        ("1. mix\n2. bake\nWhich order?\nA. 1, 2\nB. 2, 1", "1. mix\n2. bake\nWhich order?", ("1, 2", "2, 1")),
        ("Why?\n1. x\n2. y", "Why?", ("x", "y")),
        ("Why? (A) x (B) y [C] z", "Why?", ("x", "y", "z")),
        ("Why?\nA.5\nB.6", "Why?", ("5", "6")),
        ("Why?\n**A.** x\n**B**. y", "Why?", ("x", "y")),
        ("Why?\n- A. x\n- B. y", "Why?", ("x", "y")),
        ("Why?\n* (a) x\n* (b) y", "Why?", ("x", "y")),
        ("Why?\na. x\nb. y", "Why?", ("x", "y")),
        ("a. First he sits.\nWhy?\nA. x\nB. y", "a. First he sits.\nWhy?", ("x", "y")),
        ("Why?\n1.5 m\n2.5 m", "Why?\n1.5 m\n2.5 m", ()),
    ],
)
def test_options_are_found_in_the_question(question: str, stem: str, bare: tuple[str, ...]):
    asked, found = options_in(question)
    assert (asked, found.texts) == (stem, bare)


@pytest.mark.parametrize(
    "lines", ["A. x\nB. y\nA. But this asks to weigh", "A. x\nB. y\nD. z", "A. x\nB. y\nC. z\nA. u\nB. v", "A. x\nB."]
)
def test_labels_that_are_no_set_are_refused(lines: str):
    with pytest.raises(FieldError):
        options_in(f"Why?\n{lines}")


@given(texts, st.sampled_from(["{letter}. {text}", "({letter}) {text}", "{letter}: {text}", "{letter}) {text}"]))
def test_what_is_written_into_a_question_is_read_back(bare: list[str], form: str):
    lines = [form.format(letter=LETTERS[i], text=text) for i, text in enumerate(bare)]
    assert options_in("Why is it so?\n" + "\n".join(lines))[1].texts == tuple(bare)
    assert options(lines).texts == tuple(bare)


FOUR = Options(("red", "Blue.", "3", "green"), ("A", "B", "C", "D"), ("a0", "a1", "a2", "a3"))


@pytest.mark.parametrize(
    ("value", "form", "index"),
    [
        ("B", "letter", 1),
        ("(b).", "letter", 1),
        ("<answer> D </answer>", "letter", 3),
        ("<think>A or B</think><answer>D</answer>", "letter", 3),
        (2, "index", 2),
        ("3", "index", 3),
        (3.0, "index", 3),
        ("1", "index1", 0),
        ("a2", "name", 2),
        ("A0", "name", 0),
        ("blue", "text", 1),
        ("B. Blue", "text", 1),
        (3, "text", 2),
    ],
)
def test_the_right_option_is_named_in_many_forms(value: Any, form: Any, index: int):
    assert right_option(value, [form], FOUR) == index


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("E", "letter"),
        ("AB", "letter"),
        (["A"], "letter"),
        (4, "index"),
        (-1, "index"),
        (True, "index"),
        (1.5, "index"),
        ("0", "index1"),
        ("a4", "name"),
        ("A. blue", "text"),
        ("yellow", "text"),
    ],
)
def test_an_answer_that_names_no_option_is_refused(value: Any, form: Any):
    with pytest.raises(FieldError, match="names none of the 4 options"):
        right_option(value, [form], FOUR)


def test_an_answer_that_can_be_read_in_two_ways_is_refused():
    with pytest.raises(FieldError, match="C as text, D as index"):
        right_option("3", ["text", "index"], FOUR)
    with pytest.raises(FieldError, match="options A, C"):
        right_option("x", ["text"], Options(("x", "y", "x"), ("A", "B", "C")))


def test_a_key_of_the_data_goes_before_its_number():
    found = options({"1": "x", "2": "y"})
    assert right_option("1", ["name", "text", "index"], found) == 0


EVERY_FORM = ["letter", "name", "text", "index"]


@pytest.mark.parametrize("value", ["2", 2, 2.0, "2. dogs", "B", "dogs"])
@pytest.mark.parametrize("mark", ["{}.", "{})", "({})"])
def test_numbers_before_options_are_what_the_data_call_them(value: Any, mark: str):
    found = options([f"{mark.format(n)} {text}" for n, text in enumerate(("cats", "dogs", "birds"), start=1)])
    assert found.texts == ("cats", "dogs", "birds")
    assert right_option(value, EVERY_FORM, found) == 1
    lines = "\n".join(f"{mark.format(n)} {text}" for n, text in enumerate(found.texts, start=1))
    assert right_option(value, EVERY_FORM, options_in(f"Which?\n{lines}")[1]) == 1


def test_a_number_that_is_a_label_and_the_text_of_another_option_is_refused():
    with pytest.raises(FieldError, match="B as name, A as text"):
        right_option("2", EVERY_FORM, options(["1. 2", "2. 3", "3. 4"]))


def test_an_index_into_fields_that_count_from_one_may_count_so_too():
    found = read_options({"option1": "x", "option2": "y", "option3": "z"}, ["option{n}"])
    with pytest.raises(FieldError, match="C as index, B as index1"):
        right_option(2, EVERY_FORM, found)
    assert right_option(2, ["index"], found) == 2
    assert right_option(2, ["index1", "text"], found) == 1
    assert right_option("option2", EVERY_FORM, found) == 1
    from_zero = read_options({"option0": "x", "option1": "y", "option2": "z"}, ["option{n}"])
    assert right_option(2, EVERY_FORM, from_zero) == 2


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        ("76.01-84.2", [(76.01, 84.2)]),
        ("NaN-NaN", []),
        ("nan", []),
        (math.nan, []),
        (None, []),
        ([1, 2.5], [(1, 2.5)]),
        (["1", "2.5"], [(1, 2.5)]),
        ([[1, 2], [5, 6]], [(1, 2), (5, 6)]),
        ("[24.3, 30.4]", [(24.3, 30.4)]),
        ("01:05-01:10", [(65, 70)]),
        ("75:30-76:00", [(4530, 4560)]),
        ("1:00:05-1:00:10", [(3605, 3610)]),
        ("00:10-00:20, 00:40-00:50", [(10, 20), (40, 50)]),
        (["00:10", "00:20"], [(10, 20)]),
        ({"start": 1, "end": 2}, [(1, 2)]),
        ("24.3 - 30.4 seconds", [(24.3, 30.4)]),
        ("from 24.3s to 30.4s.", [(24.3, 30.4)]),
        ({"start_time": "0:10", "end_time": "0:20"}, [(10, 20)]),
    ],
)
def test_gold_spans_are_read_in_seconds(value: Any, spans: list[tuple[float, float]]):
    assert [(span.start, span.end) for span in read_spans(value)] == spans


NO_SPANS = [[3, 1], [2, 2], [1], 5, {"from": 1}, [-1, 4], [1, math.inf], "0-0", "soon", "00:15"]
SIGNED = ["-1-5", "-1 - 5", ".5-10", "1-5-9", "5 to -1"]


@pytest.mark.parametrize(
    "value", ["0-0", [3, 1], [2, 2], "soon", [1], 5, "00:15", {"from": 1}, [-1, 4], [1, math.inf], *SIGNED]
)
def test_what_is_no_span_is_refused(value: Any):
    with pytest.raises(FieldError):
        read_spans(value)


@given(st.floats(0, 1e5), st.floats(0.01, 1e4))
def test_spans_written_as_text_read_back(start: float, length: float):
    written = f"{start:.2f}-{start + length + 0.01:.2f}"
    (span,) = read_spans(written)
    assert f"{span.start:.2f}-{span.end:.2f}" == written


def test_strata_may_have_several_values():
    assert texts_of(["x", "y", "x"]) == ("x", "y")
    assert texts_of("['x', 'y']") == ("x", "y")
    assert texts_of(3600.0) == ("3600",)
    assert texts_of(None) == ()


def test_words_for_nothing_are_text():
    assert [is_empty(value) for value in ("", "  ", None, math.nan, [], {})] == [True] * 6
    assert not any(is_empty(value) for value in ("None", "nan", 0, False, "N/A"))
    assert first({"a": "", "b": 0}, ["a", "b"]) == 0


def test_empty_fields_are_passed_over():
    assert first({"a": None, "b": "x"}, ["a", "b", "c"]) == "x"
    assert first({}, ["a"]) is None


@pytest.mark.parametrize(
    "value",
    [
        *("[216, 234]", "216 - 234", "24.3-30.4", "1:00-2:00", "12 s to 20 s", "{'start': 1, 'end': 2}"),
        *([1, 2.5], [[1, 2], [5, 6]], ["0:10", "0:20"], {"start": 1, "end": 2}, [{"start": 1, "end": 2}]),
    ],
)
def test_times_that_are_the_whole_value_are_a_span(value: Any):
    assert is_span(value)


@pytest.mark.parametrize(
    "value",
    [
        *("from 12 to 20 people", "2-3", "2019-2020", "1,500", "from 5 to 6", "0:10", "5", "nan", "", "[1, 2, 3]"),
        *(["1", "2"], ["x", "y"], [1], {"a": 1}, {"start": 5, "end": 1}, True, 3, None),
    ],
)
def test_what_may_be_something_else_is_no_span(value: Any):
    assert not is_span(value)
