"""What the embedded reader says to the tasks of the LongVT recipe."""

from __future__ import annotations

import json

import pytest

from longtake.agents.prompt import render
from longtake.errors import ModelRequestError
from longtake.models.reader_events import TASKS

FIRST = 'From 0.0 to 10.0 s: A baker kneads dough in a kitchen. She says "Flour costs two crowns in Bergen."'
SECOND = 'From 10.0 to 20.0 s: The baker in the kitchen kneads the dough. She says "Our oven broke on Tuesday night."'
OTHER = "From 20.0 to 30.0 s: A ship leaves the harbour."


def question(events: list[str], number: int = 1) -> str:
    prompt = render(
        "data_event_question",
        events="\n".join(events),
        start="0.0",
        end="30.0",
        number=str(number),
        count="3",
        max_question_words="50",
        max_answer_words="25",
    )
    return TASKS["event_question"](prompt)


def test_the_tasks_are_the_prompts_of_the_recipe() -> None:
    prompts = ["data_same_event", "data_merge_captions"]
    for name in prompts:
        prompt = render(name, first=FIRST, second=OTHER)
        task = prompt.splitlines()[0].removeprefix("Task: ")
        assert TASKS[task](prompt)


@pytest.mark.parametrize(("second", "said"), [(SECOND, "yes"), (OTHER, "no")])
def test_the_same_words_are_the_same_event(second: str, said: str) -> None:
    assert TASKS["same_event"](render("data_same_event", first=FIRST, second=second)) == said


def test_merging_says_nothing_twice_and_cuts_no_quotation() -> None:
    first = 'From 0.0 to 1.0 s: A man waits. He says "Wait. Not yet." Rain falls.'
    second = "From 1.0 to 2.0 s: Rain falls. A dog barks."
    said = TASKS["merge_captions"](render("data_merge_captions", first=first, second=second))
    assert said == '<caption>A man waits. He says "Wait. Not yet." Rain falls. A dog barks.</caption>'


def test_a_summary_has_the_first_sentence_of_every_event() -> None:
    said = TASKS["summary"](render("data_summary", events=f"Event 1. {FIRST}\nEvent 2. {OTHER}"))
    assert said == "<summary>A baker kneads dough in a kitchen. A ship leaves the harbour.</summary>"
    lines = "Events 1 to 2. From 0.0 to 20.0 s: One. Two.\nEvent 3. From 20.0 to 30.0 s: Two. Three."
    assert (
        TASKS["merge_summaries"](render("data_merge_summaries", summaries=lines))
        == "<summary>One. Two. Three.</summary>"
    )


def test_a_question_is_a_quoted_line_with_a_gap() -> None:
    reply = json.loads(question([FIRST, SECOND, OTHER]))
    assert reply == {
        "question": 'Which word do they say for ___ in "Flour costs two ___ in Bergen."?',
        "answer": "crowns",
        "start_time": 0.0,
        "end_time": 10.0,
    }
    other = json.loads(question([FIRST, SECOND, OTHER], number=2))
    assert (other["answer"], other["start_time"]) == ("Tuesday", 10.0)


def test_without_enough_lines_it_abstains() -> None:
    assert question([FIRST, SECOND], number=3).startswith("<abstain>only 2 lines")
    assert question([OTHER]).startswith("<abstain>")


@pytest.mark.parametrize(
    "line",
    [
        "Did you lose the green umbrella yesterday?",
        "The train leaves at 10:45 from Oslo station.",
        "Hello there.",
        "Boats boats boats.",
        " ",
    ],
)
def test_lines_that_would_not_be_found_or_break_a_rule_are_not_asked_about(line: str) -> None:
    assert question([f'From 0.0 to 5.0 s: He says "{line}"']).startswith("<abstain>")


def test_what_is_written_is_asked_for_as_written() -> None:
    reply = json.loads(question(['From 0.0 to 5.0 s: On the screen it says "Harbour office closed since Monday"']))
    assert reply["question"].startswith("Which word is shown for ___ in ")


def test_a_word_of_another_line_is_not_asked_for() -> None:
    lines = ['From 0.0 to 5.0 s: "Strawberries grow behind the old mill." "Strawberries taste sweet near Lillehammer."']
    assert json.loads(question(lines))["answer"] != "Strawberries"


def filtered(rows: list[dict[str, object]], most: int = 5) -> dict[str, list[dict[str, object]]]:
    lines = "\n".join(json.dumps(row) for row in rows)
    prompt = render("data_text_filter", summary="A baker works.", questions=lines, max_questions=str(most))
    return json.loads(TASKS["text_filter"](prompt))


def test_the_text_filter_keeps_what_fits_the_rules() -> None:
    rows: list[dict[str, object]] = [
        {"index": 0, "question": "What costs two crowns?", "answer": "flour"},
        {"index": 1, "question": "What happens at 0:10?", "answer": "flour"},
        {"index": 2, "question": "what costs two crowns?", "answer": "flour"},
        {"index": 3, "question": "word " * 60, "answer": "flour"},
        {"index": 4, "question": "Which oven broke?", "answer": "ours"},
        {"index": 5, "question": "Who sails?", "answer": "a captain"},
    ]
    reply = filtered(rows, most=2)
    assert reply["keep"] == [{"index": 0, "rank": 1}, {"index": 4, "rank": 2}]
    assert [row["index"] for row in reply["rejected"]] == [1, 2, 3, 5]


@pytest.mark.parametrize(("answer", "score"), [("two crowns", "1.0"), ("crown", "0.0"), ("ship", "0.0"), ("…", "0.0")])
def test_the_visual_filter_goes_by_the_words(answer: str, score: str) -> None:
    words = "Words in this clip:\n[00:00:01.0 - 00:00:02.0 | 1.0 - 2.0 s] subtitles: Flour costs two crowns."
    prompt = render("data_visual_filter", start="0.0", end="10.0", words=words, question="What?", answer=answer)
    assert TASKS["visual_filter"](prompt) == f"Score: {score}"


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_prompt_of_somebody_else_is_refused(task: str) -> None:
    with pytest.raises(ModelRequestError):
        TASKS[task]("Task: something\n\nTell me a story.")
