"""Prompts: every one is a Markdown file beside this module, shared by asking, data generation and training.

``$name`` in a file is a field; a missing or unused field is an error, so a prompt cannot silently lose a part.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from string import Template

from ..clock import clock
from ..errors import ConfigError
from ..types import Sample, VideoInfo

__all__ = ["about", "letters", "prompt_digest", "question_block", "render"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@cache
def _template(name: str) -> Template:
    return Template((files("longtake.agents") / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip())


def render(name: str, **fields: str) -> str:
    """``prompts/<name>.md`` with its fields filled in. Raises `ConfigError` unless the fields match exactly."""
    template = _template(name)
    wanted = set(template.get_identifiers())
    if wanted != set(fields):
        raise ConfigError(f"prompt {name!r} has the fields {sorted(wanted)}, got {sorted(fields)}")
    return template.substitute(fields)


def prompt_digest(name: str) -> str:
    """Names the text of ``prompts/<name>.md``, 16 hex digits: what was made with other words is not the same."""
    return hashlib.sha256(_template(name).template.encode()).hexdigest()[:16]


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
