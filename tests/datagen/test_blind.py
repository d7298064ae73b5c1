"""The blind test: what a model says without the video, and what of it counts as right."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_context import FakeContext, run_step
from made_chains import CHOICE, OPEN, asked, good_turns, traced

from longtake.datagen.export.items import BlindTest, read_item
from longtake.datagen.steps.blind import MAX_TOKENS, blind
from longtake.datagen.values import Question
from longtake.errors import ConfigError, ModelConnectionError, ModelReplyError
from longtake.models.scripted import Reply, ScriptedModel
from longtake.types import Message, ModelOutput


def tried(replies: list[Reply], folder: Path, question: Question = CHOICE) -> BlindTest:
    model = ScriptedModel(replies)
    (found,) = run_step(blind(model, tries=len(replies)), [asked(question)], FakeContext(folder))
    read = read_item(found).blind
    assert read is not None
    return read


def output(text: str, stop: str) -> ModelOutput:
    return ModelOutput(Message("assistant", (text,)), "m", stop)  # type: ignore[arg-type]


def test_right_answers_are_counted_and_nothing_else(tmp_path: Path) -> None:
    replies: list[Reply] = [
        "<think>B or C? <answer>B</answer></think> A guess. <answer>C</answer>",
        "<answer>B</answer>",
        "<answer>a blue boat</answer>",
        "<answer>A or B</answer>",
        "<abstain>I cannot see it; B maybe</abstain>",
        "It must be B.",
        output("<answer>B</answer> because", "length"),
        output("<answer>B</answer>", "refused"),
        "",
    ]
    found = tried(replies, tmp_path)
    assert (found.tries, found.usable, found.right) == (9, 6, 3)
    assert found.answers == ("C", "B", "a blue boat", "A or B", "", "It must be B.", "", "", "")


@pytest.mark.parametrize(
    "reply", ["B", " (B) ", "**B.** a blue boat", "Answer: B", "<think>A or C?</think>\nB", "a blue boat"]
)
def test_a_bare_letter_is_read(reply: str, tmp_path: Path) -> None:
    assert (tried([reply], tmp_path).usable, tried([reply], tmp_path).right) == (1, 1)


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, I can't help with that.",
        "Let me think about what is common.\nA red kite is rare.",
        "<think>B, since",
        output("<think>so long", "length"),
        output("B", "length"),
        output("B", "refused"),
    ],
)
def test_what_is_no_verdict_is_not_counted(reply: Reply, tmp_path: Path) -> None:
    found = tried([reply, "<answer>B</answer>"], tmp_path)
    assert (found.tries, found.usable, found.right) == (2, 1, 1)


def test_hedged_answers_are_not_right(tmp_path: Path) -> None:
    replies: list[Reply] = ["<answer>not the old sailor</answer>", "<answer>the old sailor, or his son</answer>"]
    found = tried(replies, tmp_path, OPEN)
    assert (found.usable, found.right) == (2, 0)


def test_thinking_has_room(tmp_path: Path) -> None:
    model = ScriptedModel(["B"])
    run_step(blind(model, 1), [asked()], FakeContext(tmp_path))
    assert model.requests[0].config.max_tokens == MAX_TOKENS >= 8192
    assert blind(model, 1).hash != blind(model, 1, max_tokens=100).hash


def test_open_answers_are_compared_by_their_words(tmp_path: Path) -> None:
    replies: list[Reply] = ["<answer>It is the OLD sailor.</answer>", "<answer>a sailor</answer>", "<answer>A</answer>"]
    assert tried(replies, tmp_path, OPEN).right == 1


def test_the_model_sees_the_question_and_nothing_of_video_or_answer(tmp_path: Path) -> None:
    model = ScriptedModel(["<answer>A</answer>"] * 3)
    run_step(blind(model), [asked()], FakeContext(tmp_path))
    first, second, _ = model.requests
    assert (first.config.temperature, first.tools) == (0.7, ())
    assert first.messages == second.messages
    (message,) = first.messages
    assert message.text.startswith("Task: blind\n")
    assert message.num_frames == 0
    for option in CHOICE.options:
        assert option in message.text
    for hidden in (CHOICE.reasoning, "film", "12.0", "Clip 0"):
        assert hidden not in message.text


def test_the_chain_goes_on_behind_the_test(tmp_path: Path) -> None:
    (found,) = run_step(
        blind(ScriptedModel(["<answer>B</answer>"]), tries=1), [traced(good_turns())], FakeContext(tmp_path)
    )
    item = read_item(found)
    assert (item.id, item.question.answer, item.trace is not None) == ("film/0000", "B", True)
    assert item.blind == BlindTest(1, 1, 1, ("B",))


@pytest.mark.parametrize("error", [ModelConnectionError("gone"), ModelReplyError("odd")])
def test_an_endpoint_that_fails_is_no_wrong_answer(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)):
        tried(["<answer>B</answer>", error], tmp_path)


def test_what_decides_the_result_is_in_the_key() -> None:
    model = ScriptedModel([])
    assert blind(model, 2).hash != blind(model, 3).hash
    assert blind(model).hash != blind(ScriptedModel([], name="other")).hash
    with pytest.raises(ConfigError, match="at least 1"):
        blind(model, 0)
