"""The prompts of agents, shared by asking, data generation and training, and the parts that several of them have."""

from __future__ import annotations

from ..clock import clock
from ..errors import ConfigError
from ..prompts import Prompts
from ..types import Sample, VideoInfo

__all__ = ["about", "letters", "prompt_digest", "question_block", "render"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PROMPTS = Prompts("longtake.agents")
render = _PROMPTS.render
prompt_digest = _PROMPTS.digest


def letters(choices: tuple[str, ...]) -> list[tuple[str, str]]:
    """``(letter, choice)`` pairs. Raises `ConfigError` past 26 choices."""
    if len(choices) > len(LETTERS):
        raise ConfigError(f"at most {len(LETTERS)} choices can be lettered, got {len(choices)}")
    return list(zip(LETTERS, choices, strict=False))


def question_block(sample: Sample) -> str:
    """The question, its lettered choices if any, and in which form to answer them."""
    if not sample.choices:
        return f"Question: {sample.question}"
    lines = [f"{letter}. {choice}" for letter, choice in letters(sample.choices)]
    return "\n".join([f"Question: {sample.question}", "Options:", *lines, "Answer with the letter of one option."])


def about(info: VideoInfo) -> str:
    """One line about the video: length, and what is wrong with it."""
    length = f"The video is {info.duration_seconds:.1f} s long ({clock(info.duration_seconds)})."
    return " ".join([length, *(f"Note: {warning}." for warning in info.warnings)])
