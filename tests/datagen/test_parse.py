"""Reading questions from replies: every form models write, and nothing that is not whole."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fake_context import FakeContext, record, run_step
from hypothesis import given
from hypothesis import strategies as st

from longtake.datagen.step import Record
from longtake.datagen.steps.parse import parse, read_question
from longtake.datagen.steps.reason import Planned, Reply
from longtake.datagen.steps.reformat import read_reformatted, reformat
from longtake.datagen.values import Caption, CaptionedVideo, Question, Source, as_value
from longtake.errors import FormatError, RejectedError
from longtake.models.phrases import is_error_message, is_nothing, is_refusal
from longtake.models.scripted import Reply as Said
from longtake.models.scripted import ScriptedModel
from longtake.types import TimeSpan

GOOD = """QUESTION: What does the woman fetch after the lamp breaks?
OPTIONS:
A. A broom
B. A candle
C. A ladder
D. Her coat
ANSWER: B
REASONS:
##### From [10 to 20]:
- The lamp falls and breaks.
- It gets dark.
##### From [30.5 to 40]:
- She comes back with a candle.
"""


def read(reply: str, duration: float = 60.0, known: str = "") -> Question:
    return read_question(reply, "temporal", duration_seconds=duration, known=known, num_options=4)


def test_the_form_that_is_asked_for() -> None:
    question = read(GOOD)
    assert question.question == "What does the woman fetch after the lamp breaks?"
    assert question.options == ("A broom", "A candle", "A ladder", "Her coat")
    assert (question.answer, question.question_type) == ("B", "temporal")
    assert question.spans == (TimeSpan(10, 20), TimeSpan(30.5, 40))
    assert question.reasons[0].texts == ("The lamp falls and breaks.", "It gets dark.")
    assert question.reasoning == "The lamp falls and breaks. It gets dark.\nShe comes back with a candle."


BOLD = """**QUESTION:** What does the woman fetch after the lamp breaks?

**OPTIONS:**
**A.** A broom
**B.** A candle
**C.** A ladder
**D.** Her coat

**ANSWER:** B

**REASONS:**
##### **From [10 to 20]:**
- **The lamp falls and breaks.**
- It gets dark.
##### From [30.5 to 40]:
- She comes back with a candle.
"""
OTHER_FORMS = {
    "bold": BOLD,
    "lower case": GOOD.replace("QUESTION", "Question").replace("OPTIONS", "options").replace("ANSWER", "Answer"),
    "headings": GOOD.replace("QUESTION: ", "### Question\n").replace("ANSWER: ", "### Correct Answer:\n"),
    "parentheses": GOOD.replace("A. ", "(A) ").replace("B. ", "(B) ").replace("C. ", "(C) ").replace("D. ", "(D) "),
    "closing": GOOD.replace("A. ", "A) ").replace("B. ", "B) ").replace("C. ", "C) ").replace("D. ", "D) "),
    "colons": GOOD.replace("A. ", "A: ").replace("B. ", "B: ").replace("C. ", "C: ").replace("D. ", "D: "),
    "listed": GOOD.replace("A. ", "- A. ").replace("B. ", "- B. ").replace("C. ", "- C. ").replace("D. ", "- D. "),
    "bold answer": GOOD.replace("ANSWER: B", "**ANSWER:** B"),
    "answer in parentheses": GOOD.replace("ANSWER: B", "ANSWER: (B)"),
    "answer with its option": GOOD.replace("ANSWER: B", "ANSWER: **B. A candle**"),
    "answer in words": GOOD.replace("ANSWER: B", "ANSWER: The correct answer is B."),
    "answer by its text": GOOD.replace("ANSWER: B", "ANSWER: a candle."),
    "answer with a dash": GOOD.replace("ANSWER: B", "ANSWER: B – A candle"),
    "tagged answer": GOOD.replace("ANSWER: B", "ANSWER: <answer>B</answer>"),
    "boxed answer": GOOD.replace("ANSWER: B", r"ANSWER: \boxed{B}"),
    "answer again at the end": GOOD + "\nANSWER: B\n",
    "choices": GOOD.replace("OPTIONS", "CHOICES"),
    "no header of options": GOOD.replace("OPTIONS:\n", ""),
    "clock times": GOOD.replace("[10 to 20]", "[00:00:10 - 00:00:20]").replace("[30.5 to 40]", "[0:30.5 – 0:40]"),
    "seconds": GOOD.replace("[10 to 20]", "[10.0 s to 20.0 s]").replace("[30.5 to 40]", "[30.5s-40s]"),
    "no brackets": GOOD.replace("[10 to 20]", "10 to 20 s").replace("[30.5 to 40]", "30.5 to 40"),
    "steps": GOOD.replace("##### From [10", "Step 1: [10")
    .replace("##### From [30", "**Step 2** (from [30", 1)
    .replace("** (from", "** from"),
    "one line a step": GOOD.replace("]:\n- The", "]: The").replace("]:\n- She", "]: She"),
    "fenced": f"```text\n{GOOD}```",
    "thought": f"<think>\nQUESTION: Draft?\nOPTIONS:\nA. x\nB. y\nANSWER: A\nREASONS:\n- no\n</think>\n{GOOD}",
    "thought without its beginning": f"QUESTION: Draft?\nANSWER: D\n</think>\n{GOOD}",
    "rules": GOOD.replace("OPTIONS", "---\nOPTIONS").replace("ANSWER", "---\nANSWER"),
    "a note": GOOD.replace("Her coat", "Her coat\n\n(Only one is right.)"),
    "numbered": GOOD.replace("QUESTION:", "QUESTION 1:").replace("ANSWER:", "FINAL ANSWER:"),
    "arrows": GOOD.replace("10 to 20", "10 → 20").replace("30.5 to 40", "30.5 through 40"),
    "both forms of times": GOOD.replace("[10 to 20]", "10.0s - 20.0s (0:10 - 0:20)"),
    "bullets": GOOD.replace("##### From [30.5 to 40]:\n- She", "- From 30.5 to 40 s, She"),
    "windows lines": GOOD.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_other_forms_say_the_same(name: str) -> None:
    assert read(OTHER_FORMS[name]) == read(GOOD)


STEPS = [
    ("10 to 20", ["The lamp falls and breaks.", "It gets dark."]),
    ("30.5 to 40", ["She comes back with a candle."]),
]
OPTIONS = {"A": "A broom", "B": "A candle", "C": "A ladder", "D": "Her coat"}
JSON_FORMS = {
    "seed": {"REASONS": {f"Step {n}": {"timestamp": t, "reasons": r} for n, (t, r) in enumerate(STEPS, 1)}},
    "start and end": {
        "reasons": [
            {"start_time": float(t.split(" to ")[0]), "end_time": float(t.split(" to ")[1]), "text": r}
            for t, r in STEPS
        ]
    },
    "pairs": {"reasons": [{"span": [10, 20], "texts": STEPS[0][1]}, {"spans": [[30.5, 40]], "reason": STEPS[1][1]}]},
    "text": {"reasoning": GOOD.partition("REASONS:\n")[2]},
    "lines": {
        "reasons": [
            "[10 to 20]: The lamp falls and breaks.",
            "It gets dark.",
            "[30.5 to 40]: She comes back with a candle.",
        ]
    },
}


@pytest.mark.parametrize("name", JSON_FORMS)
@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        list(OPTIONS.values()),
        [f"{a}) {b}" for a, b in OPTIONS.items()],
        [{"letter": a, "text": b} for a, b in OPTIONS.items()],
    ],
)
def test_json_says_the_same(name: str, options: object) -> None:
    value = {"Question": read(GOOD).question, "OPTIONS": options, "ANSWER": "B", **JSON_FORMS[name]}
    for reply in (
        json.dumps(value),
        f"```json\n{json.dumps(value, indent=2)}\n```",
        f"Here it is:\n{json.dumps(value)}",
        f"```json\n{json.dumps(value)}\n```\nI hope this helps.",
    ):
        question = read(reply)
        if name == "lines":
            assert question.spans == read(GOOD).spans
        else:
            assert replace(question, reasoning=read(GOOD).reasoning) == read(GOOD)


def test_what_stands_in_the_reasons_changes_no_option() -> None:
    tricky = GOOD.replace("- It gets dark.", "- Vitamin D. is mentioned.\n- D. is not her coat.\nB. stays.\nA. too.")
    assert read(tricky).options == read(GOOD).options
    assert read(tricky).reasons[0].texts[1:] == (
        "Vitamin D. is mentioned.",
        "D. is not her coat.",
        "B. stays.",
        "A. too.",
    )


def test_numbers_at_the_start_of_a_reason_are_no_time_range() -> None:
    lines = ("From 2 to 3 people leave.", "(1999) is on the wall.", "1-2: the guests lead.", "2-1: they lose.")
    tricky = GOOD.replace("- It gets dark.", "\n".join(f"- {line}" for line in lines))
    assert read(tricky).spans == read(GOOD).spans
    assert read(tricky).reasons[0].texts[1:] == lines


def test_an_option_may_have_several_lines() -> None:
    assert read(GOOD.replace("C. A ladder", "C. A ladder\n   from the shed")).options[2] == "A ladder from the shed"


def test_a_step_may_rest_on_several_spans() -> None:
    question = read(GOOD.replace("[30.5 to 40]", "[15 to 30] and [50 to 99]"))
    assert question.reasons[1].spans == (TimeSpan(15, 30), TimeSpan(50, 60))
    assert question.spans == (TimeSpan(10, 30), TimeSpan(50, 60))


WRONG = {
    "nothing": ("Sure, here is a question.", "no part QUESTION"),
    "no question": (GOOD.partition("\n")[2], "no part QUESTION"),
    "no options": (GOOD.partition("OPTIONS")[0] + "ANSWER: B\nREASONS:\n##### From [1 to 2]:\n- x", "no part OPTIONS"),
    "no answer": (GOOD.replace("ANSWER: B\n", ""), "no part ANSWER"),
    "no reasons": (GOOD.partition("REASONS")[0], "no part REASONS"),
    "empty answer": (GOOD.replace("ANSWER: B", "ANSWER:"), "no part ANSWER"),
    "one option": (GOOD.replace("B. A candle\nC. A ladder\nD. Her coat\n", "").replace(": B", ": A"), "lettered A"),
    "a gap": (GOOD.replace("C. A ladder\n", ""), "lettered ABD"),
    "two columns": (
        GOOD.replace("A. A broom\nB. A candle\nC", "A. A broom C").replace("D. Her", "B. Her"),
        "2 options",
    ),
    "a refusal as question": (
        GOOD.replace("What does the woman fetch after the lamp breaks?", "I cannot assist with that."),
        "refusal",
    ),
    "options of nothing": (GOOD.replace("A broom", "N/A").replace("A ladder", "None"), "says nothing"),
    "an error as reason": (GOOD.replace("It gets dark.", "Error: Connection error."), "error message"),
    "another letter in the reasons": (
        GOOD.replace("It gets dark.", "So the correct answer is C."),
        "call C the answer",
    ),
    "rests on descriptions": (GOOD.replace("What does", "According to the descriptions, what does"), "rests on"),
    "a second letter": (GOOD.replace("ANSWER: B", "ANSWER: B (or C)"), "more than one"),
    "a letter also": (GOOD.replace("ANSWER: B", "ANSWER: B. C is also partly right"), "more than one"),
    "and also": (GOOD.replace("ANSWER: B", "ANSWER: B, and also C"), "more than one"),
    "second thoughts": (GOOD.replace("ANSWER: B", "ANSWER: D, no, B"), "more than one"),
    "minutes and seconds": (GOOD.replace("[10 to 20]", "[1 min 10 s to 1 min 20 s]"), "no time range that can be read"),
    "one moment": (GOOD.replace("From [10 to 20]", "At [10]"), "no time range that can be read"),
    "hours": (GOOD.replace("[10 to 20]", "[0h0m10s to 0h0m20s]"), "no time range that can be read"),
    "a second range backwards": (GOOD.replace("[10 to 20]", "[10 to 20] and [40 to 30]"), "not a time range"),
    "JSON options that are no text": (
        '{"question": "What?", "options": [1, 2], "answer": "A", "reasons": ["[1 to 2] x"]}',
        "must stand",
    ),
    "JSON reasons that are no text": (
        '{"question": "What?", "options": ["x", "y"], "answer": "A", "reasons": [null]}',
        "must stand",
    ),
    "a letter twice": (GOOD.replace("C. A ladder", "B. A ladder"), "lettered ABBD"),
    "an empty option": (GOOD.replace("C. A ladder", "C."), "option C is ''"),
    "a template": (GOOD.replace("C. A ladder", "C. third option"), "option C is 'third option'"),
    "a bracketed template": (GOOD.replace("C. A ladder", "C. <Option C>"), "option C"),
    "options alike": (GOOD.replace("C. A ladder", "C. a broom."), "options A and C are the same"),
    "no such letter": (GOOD.replace("ANSWER: B", "ANSWER: E"), "E is none of the options A to D"),
    "an unclear answer": (GOOD.replace("ANSWER: B", "ANSWER: a ladder and a candle"), "give the letter"),
    "two answers": (GOOD.replace("ANSWER: B", "ANSWER: A and B"), "give the letter|more than one"),
    "two letters": (GOOD.replace("ANSWER: B", "ANSWER: A, B"), "more than one option"),
    "letter against text": (GOOD.replace("ANSWER: B", "ANSWER: A. A candle"), "text of another"),
    "another answer at the end": (GOOD + "\nANSWER: C\n", "two answers"),
    "two questions": (GOOD + GOOD, "2 parts QUESTION"),
    "no times": (
        GOOD.replace("##### From [10 to 20]:\n", "").replace("##### From [30.5 to 40]:\n", ""),
        "which seconds",
    ),
    "template times": (GOOD.replace("10 to 20", "start to end").replace("30.5 to 40", "START to END"), "which seconds"),
    "inverted": (GOOD.replace("10 to 20", "20 to 10"), "not a time range"),
    "no length": (GOOD.replace("10 to 20", "20 to 20"), "not a time range"),
    "outside": (GOOD.replace("[30.5 to 40]", "[70 to 80]"), r"video ends at 60\.0 s"),
    "times only": ("\n".join(line for line in GOOD.splitlines() if not line.startswith("- ")), "times but no text"),
    "a time in the question": (GOOD.replace("after the lamp breaks", "at 0:12"), "mentions the time '0:12'"),
    "seconds in the question": (GOOD.replace("after the lamp breaks", "after 12 seconds"), "12 seconds'"),
    "a time in an option": (GOOD.replace("A broom", "A broom (12.5 s)"), r"12\.5 s"),
    "a minute in the question": (GOOD.replace("after the lamp breaks", "after minute 2"), "'minute 2'"),
    "half of a JSON": ('{"question": "What?", "options": {"A": "x"', "not whole"),
    "JSON without reasons": ('{"question": "What?", "options": ["x", "y"], "answer": "A"}', "no 'reasons'"),
    "JSON of another form": ('{"question": 3, "options": ["x", "y"], "answer": "A", "reasons": ["x"]}', "strings"),
    "thought only": (f"<think>{GOOD}", "no part QUESTION"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_whole_says_why(name: str) -> None:
    reply, why = WRONG[name]
    with pytest.raises(FormatError, match=why):
        read(reply)


def test_a_time_that_the_video_shows_may_be_asked_about() -> None:
    reply = GOOD.replace("after the lamp breaks", "when the 18:30 train leaves")
    with pytest.raises(FormatError, match="18:30"):
        read(reply)
    assert "18:30" in read(reply, known="The board says 18:30.").question


@given(st.text(max_size=300))
def test_any_text_is_a_question_or_a_format_error(text: str) -> None:
    for reply in (text, GOOD + text, GOOD.replace("B", text), GOOD.replace("20", text), "{" + text):
        try:
            question = read(reply)
        except FormatError:
            continue
        assert question.answer in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(question.options)]
        assert all(span.end <= 60 for span in question.spans)


HOSTILE = [
    "*" * 20_000,
    "\n" * 20_000,
    " " * 20_000,
    "!" * 20_000,
    "[1 " * 7_000,
    "step 1 " * 3_000,
    "a: " * 7_000,
    "#" * 9_000,
]


@pytest.mark.parametrize("run", HOSTILE)
def test_runs_of_anything_are_read_in_no_time(run: str) -> None:
    begin = time.process_time()
    for reply in (
        run,
        f"{run}a",
        GOOD.replace(": B", f": {run}B"),
        GOOD.replace("##### From", f"##### {run} From"),
        GOOD + run,
    ):
        with suppress(FormatError):
            read(reply)
        is_refusal(reply), is_error_message(reply), is_nothing(reply)
    assert time.process_time() - begin < 2


words = st.lists(st.sampled_from("a lamp door red river she he walks sings stone Bob".split()), min_size=2, max_size=6)


@given(st.lists(words.map(" ".join), min_size=2, max_size=6, unique=True), st.data())
def test_what_is_written_is_read_back(options: list[str], data: st.DataObject) -> None:
    answer = data.draw(st.integers(0, len(options) - 1))
    mark = data.draw(st.sampled_from(["{}. ", "{}) ", "({}) ", "{}: ", "**{}.** ", "- {}. "]))
    bold = data.draw(st.booleans())
    starts = sorted(data.draw(st.sets(st.integers(0, 500), min_size=1, max_size=4)))
    lines = ["QUESTION: Who sings?", "OPTIONS:"]
    lines += [mark.format("ABCDEF"[n]) + text for n, text in enumerate(options)]
    lines += [f"ANSWER: {'ABCDEF'[answer]}", "REASONS:"]
    lines += [f"##### From [{start} to {start + 1}]:\n- {options[0]}" for start in starts]
    reply = "\n".join(f"**{line}" if bold and line.endswith(":") else line for line in lines)
    question = read_question(reply, "plot", duration_seconds=501)
    assert (question.options, question.answer) == (tuple(options), "ABCDEF"[answer])
    assert [reason.spans[0].start for reason in question.reasons] == starts


@pytest.mark.parametrize(
    "question",
    ['The man says "I ____ you": which word is left out?', "What is in __init__.py?", "____ is whose name?"],
)
def test_gaps_and_names_in_a_question_stay(question: str) -> None:
    assert read(GOOD.replace("What does the woman fetch after the lamp breaks?", question)).question == question


def test_reasoning_speaks_of_the_video() -> None:
    assert read(GOOD.replace("It gets dark.", "The captions say it gets dark.")).reasoning.startswith(
        "The lamp falls and breaks. The video says it gets dark."
    )


def test_a_question_of_a_file_may_have_other_options_and_times() -> None:
    reply = GOOD.replace("C. A ladder\nD. Her coat\n", "").replace("after the lamp breaks", "at 18:30")
    assert read_question(reply, "plot").options == ("A broom", "A candle")


# ------------------------------------------------------------------------------------------------------ the steps


def replied(reply: str) -> Record:
    captions = (Caption(0, 30, "A lamp breaks at 18:30."), Caption(30, 60, "She brings a candle."))
    source = record("source", as_value(Source("film", "film.mp4", "f" * 32, 1, 60.0, 25.0, 64, 48)))
    merged = record("merge", as_value(CaptionedVideo("film", captions)), parents=[source])
    planned = record("plan", as_value(Planned("goal", 2)), parents=[merged])
    return record("reason", as_value(Reply(reply)), parents=[planned])


def test_a_good_reply_needs_no_model(tmp_path: Path) -> None:
    model = ScriptedModel([])
    (made,) = run_step(parse(model), [replied(GOOD)], FakeContext(tmp_path))
    assert made.read(Question) == replace(read(GOOD), question_type="goal")
    assert model.requests == []


def test_a_bad_reply_is_mended_once(tmp_path: Path) -> None:
    bad = GOOD.replace("ANSWER: B", "ANSWER: E")
    model = ScriptedModel([f"<think>oh</think>{GOOD}"])
    (made,) = run_step(parse(model), [replied(bad)], FakeContext(tmp_path))
    assert made.read(Question).answer == "B"
    asked = model.requests[0].messages[0].text
    assert asked.startswith("Task: repair\n")
    assert "E is none of the options" in asked
    assert bad in asked
    assert "Type: goal" in asked


@pytest.mark.parametrize(("repairs", "said"), [(0, []), (1, ["no"]), (2, ["no", "no"])])
def test_what_cannot_be_mended_is_invalid(repairs: int, said: list[Said], tmp_path: Path) -> None:
    model = ScriptedModel(said)
    with pytest.raises(FormatError, match="no part QUESTION"):
        run_step(parse(model, repairs=repairs), [replied("no")], FakeContext(tmp_path))
    assert len(model.requests) == repairs


def test_a_model_that_declines_to_mend_drops_the_record(tmp_path: Path) -> None:
    with pytest.raises(RejectedError):
        run_step(parse(ScriptedModel(["I'm sorry, I can't help with that."])), [replied("no")], FakeContext(tmp_path))


def question_record() -> Record:
    question = read(GOOD)
    return record("parse", as_value(question), parents=[replied(GOOD)])


FLUENT = (
    "REASONING: Watching the lamp fall, I see it get dark at 18:30. Later she is back with a candle, so B.\nANSWER: B"
)


def test_reformatting_changes_only_the_words(tmp_path: Path) -> None:
    model = ScriptedModel([FLUENT])
    (made,) = run_step(reformat(model), [question_record()], FakeContext(tmp_path))
    question = made.read(Question)
    assert question.reasoning.startswith("Watching the lamp fall")
    assert replace(question, reasoning="") == replace(read(GOOD), reasoning="")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (FLUENT.replace("ANSWER: B", "ANSWER: C"), "it is B; keep the answer"),
        (FLUENT.replace("\nANSWER: B", ""), "two parts"),
        ("ANSWER: B", "two parts"),
        ("REASONING: A candle.\nANSWER: B", "leaves out"),
        (FLUENT.replace("Later", "Step 2: later"), "Step 2"),
        (FLUENT.replace("Later", "As the captions say, later"), "the captions say"),
        (FLUENT.replace("so B.", "<answer>C</answer>"), "without tags"),
        (FLUENT.replace("so B.", "so the answer must be C, the ladder."), "calls C the answer"),
        (FLUENT.replace("18:30", "0:12"), "'0:12'"),
        (FLUENT.replace("at 18:30", "after 12.5 s"), r"12\.5 s'"),
    ],
)
def test_a_reformatted_text_is_checked(reply: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=why):
        run_step(reformat(ScriptedModel([reply, reply])), [question_record()], FakeContext(tmp_path))
    (made,) = run_step(reformat(ScriptedModel([reply, FLUENT])), [question_record()], FakeContext(tmp_path))
    assert made.read(Question).answer == "B"


@pytest.mark.parametrize("answer", ["B", "(B)", "**B**", "B. A candle", "<answer>B</answer>"])
def test_the_answer_may_be_restated_in_any_form(answer: str) -> None:
    assert read_reformatted(f"**REASONING:** It is B, the candle, after all.\n\n**ANSWER:** {answer}", read(GOOD))
