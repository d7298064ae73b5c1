"""Which option an answer names: a table of hard cases, and what must hold for any options."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_traces import trace

from longtake.scoring.choice import choice, choice_strict, extract_choice, strict_choice
from longtake.types import Sample

CARS = ("a red car", "a blue car", "Vitamin D", "none of the above")
SIX = ("running", "swimming", "cooking", "dancing", "singing", "sleeping")
YES = ("Yes", "No")
COUNTS = ("1", "2", "3", "4")
WORDS = ("one", "two", "three", "none")
NESTED = ("red", "dark red", "a dark red coat", "blue")
SHUFFLED = ("B", "A", "D", "C")
BLOOD = ("A", "B", "AB", "O")
NINE = tuple(f"thing number {word}" for word in "zero one two three four five six seven eight".split())
PREFIXED = ("A. a red car", "B. a blue car", "C. a van")
KEYS = ("C major", "D minor", "E major", "A minor")
TWICE = ("the dog", "the dog", "the cat")
NAMES = ("Sam", "Will", "May", "Mark")
PEOPLE = ("The man", "The woman", "The dog", "The cat")
HOME = ("He goes home", "He sleeps")
FIGURES = ("2", "3", "4", "5")
TIMES = ("0:12", "0:24", "1:12")
LANGUAGES = ("C", "C++", "Java", "Python")
BOUNDS = ("<5", ">5", "5", "0")
SHARES = ("5", "5%", "-5")
KANA = ("か", "が")
HINDI = ("की", "कि")
ACCENTS = ("resume", "résumé")
RADICAL = ("她在跑步", "红色的车", "蓝色的车", "以上都不是")

STRICT = [
    ("B", CARS, 1),
    ("b", CARS, 1),
    ("(B)", CARS, 1),
    ("[B]", CARS, 1),
    ("( B )", CARS, 1),
    ("B.", CARS, 1),
    ("B)", CARS, 1),
    (" B \n", CARS, 1),
    ("**B**", CARS, 1),
    ("`B`", CARS, 1),
    ('"B"', CARS, 1),
    ("'B'", CARS, 1),
    ("B?", CARS, 1),
    ("\\boxed{B}", CARS, 1),
    ("$\\boxed{\\text{B}}$", CARS, 1),
    ("<answer>B</answer>", CARS, 1),
    ("Ｂ", CARS, 1),
    ("（Ｂ）", CARS, 1),
    ("A", CARS, 0),
    ("a", CARS, 0),
    ("F", SIX, 5),
    ("I", NINE, 8),
    ("a blue car", CARS, 1),
    ("A blue car.", CARS, 1),
    ("BLUE CAR", CARS, 1),
    ("vitamin d", CARS, 2),
    ("B. a blue car", CARS, 1),
    ("(B) a blue car", CARS, 1),
    ("B: A blue car.", CARS, 1),
    ("B) a blue car", PREFIXED, 1),
    ("a blue car", PREFIXED, 1),
    ("a2", CARS, 2),
    ("A2", CARS, 2),
    ("2", COUNTS, 1),
    ("O", BLOOD, 3),
    ("AB", BLOOD, 2),
    ("B", SHUFFLED, 1),
    ("No", YES, 1),
    ("红色的车。", RADICAL, 1),
    ("dark red", NESTED, 1),
    ("C++", LANGUAGES, 1),
    (">5", BOUNDS, 1),
    ("5", BOUNDS, 2),
    ("5%", SHARES, 1),
    ("-5", SHARES, 2),
    ("$5", ("$5", "€5"), 0),
    ("が", KANA, 1),
    ("कि", HINDI, 1),
    ("résumé", ACCENTS, 1),
    ("A. the man", PEOPLE, 0),
    ("3,000", ("3", "3000"), 1),
]
"""All of these, the lenient extractor reads too."""

NOT_STRICT = [
    # announced
    ("Answer: B", CARS, 1),
    ("answer: b", CARS, 1),
    ("ANSWER: B", CARS, 1),
    ("The answer is B", CARS, 1),
    ("The answer is b.", CARS, 1),
    ("The correct answer is **B**", CARS, 1),
    ("The correct answer is (B).", CARS, 1),
    ("The correct answer is:\n\nB", CARS, 1),
    ("The best option is (B)", CARS, 1),
    ("Best option: (B)", CARS, 1),
    ("Best answer: B", CARS, 1),
    ("Option B", CARS, 1),
    ("option b", CARS, 1),
    ("Choice (B)", CARS, 1),
    ("Final answer: \\boxed{B}", CARS, 1),
    ("Therefore, the final answer is $\\boxed{\\textbf{(B)}}$.", CARS, 1),
    ("<answer>B</answer> I hope this helps", CARS, 1),
    ('{"answer": "B"}', CARS, 1),
    ("My answer would be B", CARS, 1),
    ("The answer to the question is B.", CARS, 1),
    ("The correct answer, judging by the last scene, is B.", CARS, 1),
    ("I choose B", CARS, 1),
    ("I'd go with B.", CARS, 1),
    ("I'd say B.", CARS, 1),
    ("It's B", CARS, 1),
    ("It must be B.", CARS, 1),
    ("Thus B.", CARS, 1),
    ("B is correct", CARS, 1),
    ("B is the right answer.", CARS, 1),
    ("Option B is the most plausible.", CARS, 1),
    ("答案是B", CARS, 1),
    ("答案：Ｂ", CARS, 1),
    ("正确答案为（B）", CARS, 1),
    ("选B", CARS, 1),
    ("答えはBです", CARS, 1),
    ("정답은 B", CARS, 1),
    ("The answer is a blue car.", CARS, 1),
    ("The answer is F", SIX, 5),
    ("Answer: E.", SIX, 4),
    ("The answer is A because it stops", CARS, 0),
    ("The answer is I.", NINE, 8),
    # a letter, then words
    ("B) a blue car that stops", CARS, 1),
    ("B, because it stops", CARS, 1),
    ("B because it stops", CARS, 1),
    ("A, because it stops", CARS, 0),
    ("A because it stops", CARS, 0),
    ("B - it is the one that stops", CARS, 1),
    ("B\n\nThe car stops at the end.", CARS, 1),
    ("B. The others are wrong.", CARS, 1),
    ("B. A and C are wrong.", CARS, 1),
    ("B. a blue car. Option A is not shown, and C is never mentioned.", CARS, 1),
    ("(B) is what the video shows", CARS, 1),
    # decided after reasoning
    ("The man first drives a red car. Later it is repainted, so the answer is B.", CARS, 1),
    ("It could be A or B. On the whole, the answer is B", CARS, 1),
    ("Option A shows it stopping. Option C does not. So the answer is C", CARS, 2),
    ("A: not shown. B: seen at 0:14. The correct option is B", CARS, 1),
    ("The answer is A. Wait, the car is blue. The answer is B.", CARS, 1),
    ("A. a red car\nB. a blue car\nThe answer is B", CARS, 1),
    ("He drives it home and parks.\nB", CARS, 1),
    ("First I thought of A, then of C.\n\n**D**", CARS, 3),
    ("I believe it's D.", CARS, 3),
    ("Based on the video, B", CARS, 1),
    ("I'm not sure, but B", CARS, 1),
    ("B best describes it", CARS, 1),
    ("Ans: B", CARS, 1),
    ("final_answer: B", CARS, 1),
    ("- B", CARS, 1),
    ("I think the answer is B, but it could be C", CARS, 1),
    ("Since the car is blue, the answer must be B.", CARS, 1),
    ("A blue car, not a red car", CARS, 1),
    ("Option (A): a red car. Option (B): a blue car. The best choice is Option B.", CARS, 1),
    # denied
    ("not A but B is correct", CARS, 1),
    ("It is not A. It is B.", CARS, 1),
    ("A is wrong, so B is correct.", CARS, 1),
    ("C is wrong, it is D.", CARS, 3),
    ("B, not A", CARS, 1),
    ("B rather than a red car", CARS, 1),
    ("not a red car but a blue car", CARS, 1),
    # by words
    ("It is a blue car that stops", CARS, 1),
    ("the BLUE car!", CARS, 1),
    ("She was swimming in the lake", SIX, 1),
    ("a dark-red one", NESTED, 1),
    ("She wears a dark red coat", NESTED, 2),
    ("vitamin D is what he takes", CARS, 2),
    ("The tune is in C major", KEYS, 0),
    ("D minor chord", KEYS, 1),
    ("A minor", KEYS, 3),
    ("two", COUNTS, 1),
    ("2", WORDS, 1),
    ("2 people", COUNTS, 1),
    ("Yes, there is no car", YES, 0),
    ("No.  It never stops", YES, 1),
    ("他开红色的车", RADICAL, 1),
    ("The man gets into the car he bought (B)", CARS, 1),
    ("The answer is C++", LANGUAGES, 1),
    ("20 percent", ("10%", "20%"), 1),
    # what is called right besides the answer
    ("The answer is B, since the statement in A is correct only for the first scene", CARS, 1),
    ("The answer is C. It is true that A is correct in some sense.", CARS, 2),
    ("B is partially correct, but D is the best answer", CARS, 3),
    ("Both A and C are plausible, but C is more likely", CARS, 2),
    # denied, doubted, conditioned
    ("The answer is B. If there had been no boat, the answer would be A.", CARS, 1),
    ("I thought the answer is A, but it is actually B.", CARS, 1),
    ("If I had to guess, the answer would be B", CARS, 1),
    ("Initial answer: A\nRevised answer: B", CARS, 1),
    ("The one that is not shown is the answer: B", CARS, 1),
    ("I can't see it, so I choose B", CARS, 1),
    ("The answer is not A but C", CARS, 2),
    ("The answer is not the man but the dog", PEOPLE, 2),
    ("B (not A)", CARS, 1),
    # up for choice
    ("I'm 90% sure B", CARS, 1),
    ("Among A, B, C and D, the best is D", CARS, 3),
    ("I choose between A and B: B", CARS, 1),
    # other languages
    ("La respuesta correcta es B", CARS, 1),
    ("La respuesta es A", CARS, 0),
    ("La réponse est B", CARS, 1),
    ("Die richtige Antwort ist B.", CARS, 1),
    ("A resposta correta é a B", CARS, 1),
    # yes, no and names
    ("The answer is no.", YES, 1),
    ("Yes it does", YES, 0),
    ("The answer is Will", NAMES, 1),
    ("At the 0:12 mark Sam speaks", NAMES, 0),
]

NONE = [
    ("", CARS),
    ("   ", CARS),
    ("I do not know", CARS),
    ("E", CARS),
    ("G", SIX),
    ("A car", CARS),
    ("A man walks by", CARS),
    ("a green car", CARS),
    ("I think it rains", NINE),
    ("I cannot tell", NINE),
    ("B or C", CARS),
    ("A and B", CARS),
    ("A, B", CARS),
    ("B/C", CARS),
    ("B C", CARS),
    ("ABD", CARS),
    ("Both A and B", CARS),
    ("The answer is A or B", CARS),
    ("The answer is (A) and (C)", CARS),
    ("Either B or C is correct", CARS),
    ("not B", CARS),
    ("It is not B", CARS),
    ("The answer is not B", CARS),
    ("B is wrong", CARS),
    ("It isn't B.", CARS),
    ("Neither A nor B", CARS),
    ("B) a red car", CARS),
    ("The answer is B: a red car", CARS),
    ("a red car or a blue car", CARS),
    ("not a red car", CARS),
    ("A. a red car\nB. a blue car", CARS),
    ("3", WORDS[:2]),
    ("2", CARS),
    ("a9", CARS),
    ("the dog", TWICE),
    ("A T-shirt", CARS),
    ("the U.S. flag", CARS),
    ("2 or 3", COUNTS),
    ("None", CARS),
    ("A\nB", CARS),
    ("Answer: A man walks", CARS),
    ("Between A and C, not A, and not C", CARS),
    ("It is A, B", CARS),
    ("B", ()),
    # a letter and the words of another option
    ("A. The woman", PEOPLE),
    ("(A) The woman", PEOPLE),
    ("A: woman", PEOPLE),
    ("A, the woman", PEOPLE),
    ("A. 3", FIGURES),
    ("Option A says a car, option B says another car.", CARS),
    ("A) €5", ("$5", "€5")),
    ("Answer: 3 (C)", FIGURES),
    ("option 3", FIGURES),
    # other figures than an option's
    ("-3", FIGURES),
    ("3,000", FIGURES),
    ("The answer is 3,000", FIGURES),
    ("The answer is 3.5", FIGURES),
    ("1:12:00", TIMES),
    # several are called right
    ("A is correct that there is a car, but the question asks for the boat: B", CARS),
    ("A is true, B is true, D is true; the false one is C", CARS),
    ("It looks like B is the correct answer, however on closer view it is not; A is", CARS),
    ("The statement in A is true. The statement in B is true.", CARS),
    # denied and doubted
    ("I do not think the answer is B", CARS),
    ("I don't think it's the dog", PEOPLE),
    ("I do not think the answer is the man", PEOPLE),
    ("I don't believe that the correct answer is B", CARS),
    ("It is false that the answer is B", CARS),
    ("We cannot pick B", CARS),
    ("It is hard to say if the answer is B", CARS),
    ("Answer: A\nAnswer: B", CARS),
    ("The answer is A.\nThe answer is B.", CARS),
    ("no dog", PEOPLE),
    ("There is no dog here", PEOPLE),
    ("The dog? No.", PEOPLE),
    ("anyone but the man", PEOPLE),
    ("someone other than the man", PEOPLE),
    ("It is not true that he goes home", HOME),
    ("the dog's owner", PEOPLE),
    ("The correct answer is that the dog barked at the cat", PEOPLE),
    # words of options that mean something else
    ("I have no idea", YES),
    ("There is no evidence", YES),
    ("The answer is no longer clear to me", YES),
    ("The answer may be unclear", NAMES),
    ("the answer will be given", NAMES),
    ("At the 0:12 mark", NAMES),
    ('<tool_call>{"query": "a blue car"}</tool_call>', CARS),
]


@pytest.mark.parametrize(("text", "options", "index"), STRICT)
def test_strict(text: str, options: tuple[str, ...], index: int) -> None:
    assert strict_choice(text, options) == index
    assert extract_choice(text, options) == index


@pytest.mark.parametrize(("text", "options", "index"), NOT_STRICT)
def test_lenient_only(text: str, options: tuple[str, ...], index: int) -> None:
    assert extract_choice(text, options) == index
    assert strict_choice(text, options) in (None, index)


@pytest.mark.parametrize(("text", "options"), NONE)
def test_none_is_named(text: str, options: tuple[str, ...]) -> None:
    assert extract_choice(text, options) is None
    assert strict_choice(text, options) is None


OPTIONS = st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=26, unique=True)
FORMS = ("{}", "({})", "{}.", "**{}**", "\\boxed{{{}}}", "<answer>{}</answer>", "[{}]", " {}\n")
NOISE = st.sampled_from(
    ["I saw it at 0:14", "there he goes", "so what", "perhaps it rains", "1:30 - 1:40 s", "ok then"]
)


@given(st.text(max_size=200), OPTIONS)
def test_any_text_names_an_option_or_none(text: str, options: list[str]) -> None:
    for read in (strict_choice, extract_choice):
        index = read(text, options)
        assert index is None or 0 <= index < len(options)


@given(OPTIONS, st.data())
def test_every_letter_is_read_back(options: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(options) - 1))
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index]
    text = data.draw(st.sampled_from(FORMS)).format(data.draw(st.sampled_from([letter, letter.lower()])))
    assert strict_choice(text, options) == index
    assert extract_choice(f"The answer is {letter}", options) in (index, None)


@given(st.integers(2, 26), st.data())
def test_announced_letters_of_any_number_of_options(num_options: int, data: st.DataObject) -> None:
    options = [f"number{i} thing" for i in range(num_options)]
    index = data.draw(st.integers(0, num_options - 1))
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index]
    for form in ("The answer is {}", "The answer is ({}).", "Answer: {}", "Option {}", "{}) " + options[index]):
        assert extract_choice(form.format(letter), options) == index
    assert strict_choice(options[index], options) == index
    assert extract_choice(f"it shows {options[index]} there", options) == index


@given(NOISE, st.integers(0, 3), st.booleans())
def test_words_around_make_it_less_than_strict(noise: str, index: int, before: bool) -> None:
    letter = "ABCD"[index]
    text = f"{noise} {letter}" if before else f"{letter} {noise}"
    assert strict_choice(text, CARS) is None


def test_a_pathological_text_is_read_in_no_time() -> None:
    started = time.process_time()
    for text in ("The answer " + "to " * 5000, "(A" * 5000, "A, B, " * 5000, "\\boxed{" * 5000, "not " * 5000 + "B"):
        assert extract_choice(text, CARS) is None
    assert time.process_time() - started < 5


def test_scores() -> None:
    sample = Sample("1", "v", "q", CARS, target="B")
    assert [s(trace("B"), sample).value for s in (choice, choice_strict)] == [1, 1]
    assert [s(trace("the answer is B"), sample).value for s in (choice, choice_strict)] == [1, 0]
    assert [s(trace("C"), sample).value for s in (choice, choice_strict)] == [0, 0]
    unread = choice(trace("a green car"), sample)
    assert unread.value == 0
    assert unread.explanation.startswith("unread")
    assert choice(trace("B"), Sample("1", "v", "q", CARS, target="a blue car")).value == 1
    assert choice(trace("B"), Sample("1", "v", "q", CARS, target="Z")).value is None
