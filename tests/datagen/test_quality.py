"""Measures of questions, and filters on them."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_chains import CHOICE, OPEN, asked, blind_tested, good_turns, traced, turn

from longtake.datagen.export.items import Item, captions_of, read_item
from longtake.datagen.quality.duplicates import likeness
from longtake.datagen.quality.measures import (
    MEASURES,
    Filter,
    Measures,
    counts,
    duplicates,
    histogram,
    measure,
    parse_filter,
)
from longtake.datagen.values import Question
from longtake.errors import ConfigError
from longtake.types import TimeSpan


def item(question: Question = CHOICE) -> Item:
    return read_item(asked(question))


def leak_of(question: str, answer: str, *options: str) -> float:
    return measure(item(Question(question, answer, options))).leak


# ------------------------------------------------------------------------------------------------------ measures


def test_what_is_counted() -> None:
    found = measure(item(replace(CHOICE, spans=(TimeSpan(0, 10), TimeSpan(5, 12), TimeSpan(20, 21)))))
    assert (found.question_words, found.answer_words, found.reasoning_words) == (19, 3, 10)
    assert (found.num_spans, found.span_seconds) == (3, 13.0)
    assert found.blind is found.score is found.num_calls is found.duplicate is None


def test_an_answer_that_stands_in_the_question_is_a_leak() -> None:
    assert leak_of("Does the old sailor open the door?", "the old sailor") == 1.0
    assert leak_of("Does the sailor open the door?", "the old sailor") == 0.5
    assert leak_of("Who opens the door?", "the old sailor") == 0.0


def test_an_option_leaks_by_the_words_that_only_it_has() -> None:
    options = ("a red kite", "a blue boat", "a blue bus")
    assert leak_of("Which kite passes?", "A", *options) == 0.5
    assert leak_of("Which blue thing passes?", "B", *options) == 0.0
    assert leak_of("Is it a boat or a bus?", "B", *options) == 0.0
    assert leak_of("Which kite passes?", "C", *options) == 0.0


@pytest.mark.parametrize(
    ("question", "answer", "leaks"),
    [
        ("Why does he repair the bicycle?", "repairs bicycles", True),
        ("Who is running?", "a runner who runs", True),
        ("What is carried?", "He carries the box", True),
        ("Which glass is used?", "glasses", True),
        ("Who plays tennis?", "a singing man", False),
        ("那个男人拿着红色的雨伞吗?", "红色的雨伞", True),
        ("那个男人在哪里?", "红色的雨伞", False),
        ("赤い傘はどこにありますか", "赤い傘", True),
    ],
)
def test_leaks_are_found_in_other_forms_of_a_word_and_without_spaces(question: str, answer: str, leaks: bool) -> None:
    assert (leak_of(question, answer) >= 0.5) == leaks


def test_words_without_spaces_are_counted() -> None:
    found = measure(item(Question("他在哪里？", "在 the kitchen", reasoning="他走进厨房。 Then he sits.")))
    assert (found.question_words, found.answer_words, found.reasoning_words) == (4, 3, 8)


def test_the_longest_option_is_told() -> None:
    def longest(*options: str) -> float:
        return measure(item(Question("What?", "B", options))).longest

    assert longest("a bus", "a long red bus", "a dog") == 1.0
    assert longest("a bus", "a dog", "a kite") == 0.0
    assert longest("a bus", "a dog") == 0.0
    assert measure(item(OPEN)).longest == 0.0


def test_turns_with_a_thought_are_counted() -> None:
    assert measure(read_item(traced(good_turns()))).thoughts == 1.0
    assert measure(read_item(traced([*good_turns()[:1], turn("<answer>B</answer>")]))).thoughts == 0.5
    assert measure(item()).thoughts is None


def test_tries_without_a_verdict_are_no_share() -> None:
    assert measure(read_item(blind_tested(asked(), right=1, usable=2))).blind == 0.5
    assert measure(read_item(blind_tested(asked(), right=0, usable=0))).blind is None


def test_traces_and_blind_tests_are_measured_from_their_records() -> None:
    chain = blind_tested(traced(good_turns()), right=1)
    found = measure(read_item(chain))
    assert (found.blind, found.score, found.num_calls) == (0.25, 1.0, 1)
    assert found.reasoning_words == len("The rain ends early. It is a boat.".split())
    assert len(captions_of(chain)) == 6


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=8))
def test_seconds_are_counted_once(spans: list[tuple[int, int]]) -> None:
    covered = {second for start, length in spans for second in range(start, start + length)}
    question = replace(OPEN, spans=tuple(TimeSpan(start, start + length) for start, length in spans))
    assert measure(item(question)).span_seconds == len(covered)


# ---------------------------------------------------------------------------------------------------- duplicates


def jaccard(a: str, b: str) -> float:
    pairs = [set(zip(t.split(), t.split()[1:], strict=False)) for t in (a, b)]
    return len(pairs[0] & pairs[1]) / len(pairs[0] | pairs[1])


def test_likeness_is_to_earlier_texts_only() -> None:
    texts = ["the red car stops at the gate", "who waters the plants", "The red car, stops at the gate!"]
    assert likeness(texts) == [0.0, 0.0, 1.0]
    assert likeness([]) == []
    assert likeness(["", "", "one"]) == [0.0, 1.0, 0.0]


def test_likeness_without_spaces() -> None:
    texts = ["那个男人拿着红色的雨伞走进厨房", "谁在浇花", "那个女人拿着红色的雨伞走进厨房"]
    first, other, alike = likeness(texts)
    assert (first, other) == (0.0, 0.0)
    assert alike > 0.6


def test_changed_copies_among_thousands_are_found_in_seconds() -> None:
    draw = random.Random(5)
    words = [f"w{i}" for i in range(800)]
    texts = ["what does the person do after " + " ".join(draw.choices(words, k=25)) for _ in range(5000)]
    copies = [text.replace(text.split()[15], "other", 1) for text in texts[:300]]
    began = time.process_time()
    found = likeness([*texts, *copies])
    assert time.process_time() - began < 10
    wanted = [jaccard(text, copy) for text, copy in zip(texts, copies, strict=False)]
    assert min(wanted) > 0.7
    assert found[5000:] == pytest.approx(wanted)
    assert max(found[:5000]) < 0.5


def test_options_in_another_order_are_no_other_question() -> None:
    turned = replace(CHOICE, options=CHOICE.options[::-1], answer="C")
    items = [item(), read_item(asked(turned, id="film/0001")), read_item(asked(OPEN, id="film/0002"))]
    assert duplicates(items) == {"film/0000": 0.0, "film/0001": 1.0, "film/0002": 0.0}


# ------------------------------------------------------------------------------------------------------- filters


@given(st.sampled_from(MEASURES), st.sampled_from(["<=", ">="]), st.integers(-99, 99))
def test_a_filter_reads_back(name: str, bound: str, limit: int) -> None:
    made = parse_filter(f" {name} {bound} {limit} ")
    assert parse_filter(str(made)) == made
    assert (made.measure, made.bound, made.limit) == (name, bound, limit)


@pytest.mark.parametrize(
    "text", ["leak", "leak<0.5", "leak<=", "leak<=half", "leak<=nan", "leek<=0.5", "leak<=0.5 x", ""]
)
def test_a_filter_that_cannot_be_read_names_the_measures(text: str) -> None:
    with pytest.raises(ConfigError, match=r"leak, .*duplicate"):
        parse_filter(text)


def test_filters_keep_their_limits() -> None:
    measures = Measures(10, 2, 30, 1, 5.0, leak=0.5)
    assert Filter("leak", "<=", 0.5).keeps(measures)
    assert not Filter("leak", "<=", 0.49).keeps(measures)
    assert Filter("reasoning_words", ">=", 30).keeps(measures)
    assert not Filter("reasoning_words", ">=", 31).keeps(measures)
    for name in ("blind", "score", "duplicate", "num_calls"):
        with pytest.raises(ConfigError, match=name):
            Filter(name, "<=", 1).keeps(measures)


# ------------------------------------------------------------------------------------------------- distributions


@given(st.lists(st.floats(0, 1e5, allow_nan=False) | st.integers(0, 500), min_size=1, max_size=60))
def test_every_value_is_in_a_bin(values: list[float]) -> None:
    found = histogram(values)
    assert found is not None
    assert sum(found.counts) == len(values)
    assert len(found.edges) == len(found.counts) + 1 <= 40
    assert found.edges[0] <= found.low + 1e-6
    assert found.high <= found.edges[-1] + 1e-6
    assert found.low <= found.median <= found.high


def test_bins_are_round_and_whole_numbers_are_not_split() -> None:
    shares = histogram([0.0, 0.05, 0.5, 1.0])
    words = histogram([3.0, 4.0, 4.0, 6.0])
    assert shares is not None
    assert words is not None
    assert (shares.edges[0], shares.edges[-1], shares.counts[-1]) == (0.0, 1.0, 1)
    assert (words.edges, words.counts) == ((3, 4, 5, 6, 7), (1, 2, 0, 1))
    assert histogram([]) is None
    assert counts(["b", "a", "b"]) == {"a": 1, "b": 2}
