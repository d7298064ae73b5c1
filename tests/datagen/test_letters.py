"""Balancing letters: what is moved stays right, and what its words hold on to is not moved."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from made_chains import CHOICE, asked, good_turns, traced

from longtake.datagen.export.items import Item, read_item
from longtake.datagen.export.letters import Balance
from longtake.datagen.values import Question


def item(question: Question) -> Item:
    """One whose right option is to move: its id draws another place."""
    for number in range(50):
        found = read_item(asked(question, id=f"film/{number:04d}"))
        moved = Balance().moved(replace(found, question=replace(CHOICE, reasoning="")))
        if moved is not None and moved.letter != found.letter:
            return found
    raise AssertionError


HOLDS_ON = [
    "Only A fits",
    "So the right answer must be A",
    "Hence A is right",
    "A is right.",
    "It rains. A fits best.",
    "Choose A",
    "→ A",
    "**A** it is",
    "I pick A!",
    "A, since it rains",
    "ANSWER:A",
    "Ａ is right",
    "Both B and C fail",
    "Option C is wrong because nothing is green.",
    "(a) is right",
    "b) is wrong",
    "`b` fits",
    "only b fits",
    "option b is wrong",
    "answer a is right",
    "The answer is b.",
    "the answer is a.",
    "The first option is right",
    "the second one listed",
    "the 3rd one",
    "the latter choice",
    "It is the last of the options.",
    "Option 1",
    "option two",
    "#2 is right",
    "number two it is",
    "None of the above",
    "正确答案是A。",
    "选B",
    "A选项正确",
    "选项二",
    "第一个选项是对的",
    "正解は2番目です",
]


@pytest.mark.parametrize("reasoning", HOLDS_ON)
def test_words_that_may_hold_on_to_the_order_stay(reasoning: str) -> None:
    assert Balance().moved(item(replace(CHOICE, reasoning=reasoning))) is None


@pytest.mark.parametrize(
    "reasoning",
    [
        "A man walks in. A red kite passes.",
        'He waits.\n- A new day begins. "A boat!" he shouts.',
        "I walk on, then I see it, and I'm late.",
        "The answer is a blue boat.",
        "First, he sits. Then a bus comes, and the second bus later.",
        "The USA has DNA labs. It’s a dog’s life.",
        "因为下雨，所以他走了。",
    ],
)
def test_articles_and_pronouns_are_no_letters(reasoning: str) -> None:
    found = item(replace(CHOICE, reasoning=reasoning))
    moved = Balance().moved(found)
    assert moved is not None
    assert moved.right != found.right
    assert moved.question.options[moved.right or 0] == "a blue boat"


def test_nine_options_have_an_i() -> None:
    many = replace(
        CHOICE, options=tuple(f"the colour {name}" for name in "red blue green white pink grey teal lime tan".split())
    )
    assert Balance().moved(item(replace(many, reasoning="So I is right."))) is None
    assert Balance().moved(item(replace(many, reasoning="Then I walk on."))) is not None


def test_options_that_speak_of_others_and_traces_stay() -> None:
    assert Balance().moved(item(replace(CHOICE, options=("a kite", "a boat", "a bus", "none of the above")))) is None
    found = item(CHOICE)
    assert Balance().moved(read_item(traced(good_turns(), parent=asked(id=found.id)))) is None


def test_every_letter_is_right_equally_often() -> None:
    balance, times = Balance(), Counter[str | None]()
    for number in range(82):
        moved = balance.moved(read_item(asked(replace(CHOICE, reasoning=""), id=f"film/{number:04d}")))
        assert moved is not None
        assert moved.right is not None
        assert moved.question.options[moved.right] == CHOICE.options[1]
        times[moved.letter] += 1
    assert sorted(times.values()) == [20, 20, 21, 21]
