"""What of a reply is thinking, in the marks of every family of models."""

from __future__ import annotations

import pytest

from longtake.agents.replies import read_final, without_thinking
from longtake.types import Answer, Message, ModelOutput

SAID = [
    "<think>hm</think>A man walks.",
    "<think >hm</think >A man walks.",
    '<think effort="high">hm</think>A man walks.',
    "<THINKING>hm</THINKING>A man walks.",
    "<thought>hm</thought>A man walks.",
    "<analysis>hm</analysis>A man walks.",
    "<scratchpad>hm</scratchpad>A man walks.",
    "<seed:think>hm</seed:think>A man walks.",
    "<think>a <think>b</think> c</think>A man walks.",
    "<think>a <thought>b</thought> c</think>A man walks.",
    "◁think▷hm◁/think▷A man walks.",
    "hm◁/think▷A man walks.",
    "[THINK]hm[/THINK]A man walks.",
    "<|begin_of_thought|>hm<|end_of_thought|><|begin_of_solution|>A man walks.<|end_of_solution|>",
    "<unused94>thought\nhm<unused95>A man walks.",
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>A man walks.<|return|>",
    "<|channel|>final<|message|>A man walks.",
    "<|begin_of_box|>A man walks.<|end_of_box|>",
]
CUT_OFF = [
    "<think>hm",
    "◁think▷hm",
    "[THINK] hm",
    "<|channel|>analysis<|message|>hm<|end|>",
    "<unused94>hm",
    "<thought >h",
]


@pytest.mark.parametrize("text", SAID)
def test_what_is_said_stays_where_it_is(text: str) -> None:
    said = without_thinking(text)
    assert said.strip() == "A man walks."
    assert len(said) == len(text)
    assert said.index("A man") == text.index("A man")


@pytest.mark.parametrize("text", CUT_OFF)
def test_a_thought_that_does_not_end_says_nothing(text: str) -> None:
    assert without_thinking(text).strip() == ""


@pytest.mark.parametrize(
    "text", ["He <thinks> so.", "The [think] tank", "An analysis: <b>x</b>", "<thinker>a</thinker>"]
)
def test_what_only_looks_like_a_thought_is_said(text: str) -> None:
    assert without_thinking(text) == text


def test_an_answer_in_a_box_is_an_answer() -> None:
    text = "◁think▷<answer>A</answer>◁/think▷<answer><|begin_of_box|>B<|end_of_box|></answer>"
    assert read_final(ModelOutput(Message("assistant", (text,)), "m")) == Answer("B", ())
