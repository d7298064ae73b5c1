"""What of a reply is thinking: the marks that families of models put around it. Pure text."""

from __future__ import annotations

import re

__all__ = ["without_thinking"]

_TAG_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "analysis", "scratchpad", "seed:think")
_THOUGHT_TAGS = (
    *((rf"<{name}(?:\s[^<>]*)?>", rf"</{name}\s*>") for name in _TAG_NAMES),
    (r"◁think▷", r"◁/think▷"),
    (r"(?-i:\[THINK\])", r"(?-i:\[/THINK\])"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<unused94>", r"<unused95>"),
    (r"<\|channel\|>(?:analysis|commentary)\b", r"<\|channel\|>final\b[^<]*<\|message\|>"),
)
"""How models mark where a thought begins and ends. A family of models with marks of its own is a line more here."""
_FLAGS = re.DOTALL | re.IGNORECASE
_THOUGHT = re.compile("|".join(f"{begin}.*?{end}" for begin, end in _THOUGHT_TAGS), _FLAGS)
_OPEN_THOUGHT = re.compile(f"(?:{'|'.join(begin for begin, _ in _THOUGHT_TAGS)}).*", _FLAGS)
_END_OF_THOUGHT = re.compile("|".join(end for _, end in _THOUGHT_TAGS), _FLAGS)
_MARKS = re.compile(r"<\|(?:(?:begin|end)_of_(?:box|solution)|return)\|>", re.IGNORECASE)
"""Marks around what is said, which are no words of it."""


def without_thinking(text: str) -> str:
    """``text`` with its thinking and the marks of templates blanked out, letter by letter: places stay where they are.

    A thought that is still open swallows the rest, since nothing was said yet. Chat templates may open the thought in
    the prompt; then only its end shows, and all before it is thought."""
    said = _THOUGHT.sub(_blank, text)
    if lone_end := _END_OF_THOUGHT.search(said):
        said = " " * lone_end.end() + said[lone_end.end() :]
    return _MARKS.sub(_blank, _OPEN_THOUGHT.sub(_blank, said))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
