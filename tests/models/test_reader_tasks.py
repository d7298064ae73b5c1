"""What the reader writes for the LongVideo-Reason recipe, and where it says that it cannot."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from longtake.agents.prompt import letters, render
from longtake.errors import ModelRequestError
from longtake.models.reader import Reader
from longtake.types import GenerateConfig, Message


def said(prompt: str) -> str:
    output = asyncio.run(Reader().generate([Message("user", (prompt,))], tools=(), config=GenerateConfig()))
    return output.text


def caption(words: str) -> str:
    return said(render("data_caption", num_frames="3", span="[x]", words=words))


def question(descriptions: str, kind: str = "temporal", number: str = "1", letter: str = "C") -> str:
    return said(
        render(
            "data_question",
            type=kind,
            about="x",
            length="60.0",
            number=number,
            count="9",
            part="",
            letter=letter,
            descriptions=descriptions,
        )
    )


def cue(start: float, text: str, source: str = "subtitles") -> str:
    return f"[00:00:00.0 - 00:00:01.0 | {start} - {start + 1} s] {source}: {text}"


def test_a_caption_quotes_what_is_said_and_written() -> None:
    words = [cue(1, "Good morning."), cue(2, 'He said "no".'), cue(2.5, 'He said "no".'), cue(3, "PIER 4", "screen")]
    assert caption("Words in this clip:\n" + "\n".join(words)) == (
        '<caption>Someone says "Good morning.", then "He said \'no\'.". The screen reads "PIER 4".</caption>'
    )


def test_without_words_it_abstains() -> None:
    assert caption("No words of this clip are known.").startswith("<abstain>there are no words")


LINES = [f"line number {word}" for word in "one two three four five six seven eight".split()]
DESCRIBED = "\n".join(
    f'From {10 * n}.0 to {10 * n + 10}.0 s: Someone says "{LINES[2 * n]}", then "{LINES[2 * n + 1]}".' for n in range(4)
)


@pytest.mark.parametrize("letter", "ABCD")
@pytest.mark.parametrize("number", "1234")
def test_a_temporal_question_asks_for_the_next_line(number: str, letter: str) -> None:
    reply = question(DESCRIBED, number=number, letter=letter)
    rows = reply.splitlines()
    before = LINES.index(rows[0].split("'")[1])
    options = {row[0]: row[4:-1] for row in rows[2:6]}
    assert rows[6] == f"ANSWER: {letter}"
    assert options[letter] == LINES[before + 1]
    assert before % 2 == 1, "the two lines are of different clips"
    assert len(set(options.values())) == 4
    assert LINES[before] not in options.values()
    assert f"From [{before // 2 * 10}.0 to" in reply


def test_several_questions_on_a_video_differ() -> None:
    asked = Counter(question(DESCRIBED, number=number).splitlines()[0] for number in "123")
    assert len(asked) == 3


def test_a_line_that_comes_again_is_neither_asked_for_nor_skipped() -> None:
    lines = ["one", "again", "two", "three", "again", "four", "five"]
    described = "\n".join(f'From {n}.0 to {n + 1}.0 s: Someone says "{line}".' for n, line in enumerate(lines))
    asked = {tuple(question(described, number=number).splitlines()[n] for n in (0, 4)) for number in "12345"}
    pairs = {(head.split("'")[1], right[4:-1]) for head, right in asked}
    assert pairs == {("two", "three"), ("four", "five")}


def test_what_is_written_has_no_order_with_what_is_said() -> None:
    both = "\n".join(
        f'From {n}.0 to {n + 1}.0 s: Someone says "said {n}". The screen reads "sign {n}".' for n in range(6)
    )
    assert "'sign" not in question(both)
    signs = "\n".join(f'From {n}.0 to {n + 1}.0 s: The screen reads "sign {n}".' for n in range(6))
    asked = question(signs)
    before = int(asked.split("right after 'sign ")[1][0])
    assert f"C. 'sign {before + 1}'" in asked


def test_a_line_that_comes_again_soon_is_not_skipped() -> None:
    clips = [["one", "two"], ["three", "two", "four"], ["five"], ["six"]]
    described = "\n".join(
        f"From {n}.0 to {n + 1}.0 s: Someone says " + ", then ".join(f'"{line}"' for line in lines) + "."
        for n, lines in enumerate(clips)
    )
    asked = {question(described, number=number).split("'")[1] for number in "123"}
    assert asked == {"four", "five"}


def test_a_line_over_a_cut_is_one_line() -> None:
    described = "\n".join(
        f'From {n}.0 to {n + 1}.0 s: Someone says "{a}", then "{b}".'
        for n, (a, b) in enumerate([("one", "two"), ("two", "three"), ("three", "four"), ("four", "five")])
    )
    assert "ANSWER: C" in question(described)


@pytest.mark.parametrize("kind", ["goal", "plot", "spatial"])
def test_other_types_are_left_to_models_that_see(kind: str) -> None:
    assert question(DESCRIBED, kind) == (
        "<abstain>the reader works by rules on words and writes temporal questions only</abstain>"
    )


def test_too_few_lines_make_no_question() -> None:
    assert question('From 0.0 to 9.0 s: Someone says "a", then "b".').startswith("<abstain>too few")


def test_notes_become_a_text_with_the_same_answer() -> None:
    options = "\n".join(f"{letter}. {text}" for letter, text in letters(("a", "b")))
    notes = "Step 1: The lamp breaks.\n- At 0:12 it gets dark."
    prompt = render("data_reformat", question="What?", options=options, answer="B", reasoning=notes)
    assert said(prompt) == (
        "REASONING: Going through the video, this is what settles it. The lamp breaks. it gets dark.\nANSWER: B"
    )


def test_what_it_wrote_it_cannot_mend() -> None:
    assert said(render("data_repair", problem="x", task="Task: question", reply="y")).startswith("<abstain>")


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelRequestError, match=r"no rules for the task 'paint'.*caption"):
        said("Task: paint\nPaint it.")
