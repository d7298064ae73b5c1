"""Reading what a model wrote: the answer, its evidence, or that it abstains. Pure text, shared by all agents.

Thinking comes first and does not count: tags quoted inside ``<think>`` or ``<reasoning>`` are not the reply.
"""

from __future__ import annotations

import re
from typing import get_args

from ..clock import split_span
from ..types import Answer, Evidence, Source
from .loop import Abstention

__all__ = ["after_thinking", "read_final"]

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN_THINKING = re.compile(r"<(?:think|thinking|reasoning)>(?!.*</(?:think|thinking|reasoning)>).*", re.DOTALL)
_LAST = {
    "answer": re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE),
    "abstain": re.compile(r"<abstain>(.*?)</abstain>", re.DOTALL | re.IGNORECASE),
}
_EVIDENCE = re.compile(r"<evidence(?:\s+source=\"(\w+)\")?>(.*?)</evidence>", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_QUOTE_MARKS = " \t\n\"'“”:,;-"


def after_thinking(text: str) -> str:
    """``text`` without its thinking; a thought that is still open swallows the rest, since nothing was said yet."""
    text = _THINKING.sub("", text)
    if "</think>" in text:  # chat templates that open the thought in the prompt leave only its end
        text = text.rsplit("</think>", 1)[1]
    return _OPEN_THINKING.sub("", text)


def read_final(text: str) -> Answer | Abstention | None:
    r"""The last non-empty ``<answer>`` (or ``\boxed{}``) with every ``<evidence>``, or the ``<abstain>``, else None."""
    said = after_thinking(text)
    answers = [found.strip() for found in _LAST["answer"].findall(said) if found.strip()]
    if not answers:
        if reasons := _LAST["abstain"].findall(said):
            return Abstention(reasons[-1].strip() or "the model abstained without a reason")
        answers = [found.strip() for found in _BOXED.findall(said) if found.strip()]
    return Answer(answers[-1], _evidence(said)) if answers else None


def _evidence(said: str) -> tuple[Evidence, ...]:
    """Every ``<evidence source="...">12.0 - 15.5 s: quote</evidence>`` whose time range can be read."""
    found = list[Evidence]()
    for source, body in _EVIDENCE.findall(said):
        if parts := split_span(body):
            span, rest = parts
            kind: Source = source if source in get_args(Source) else "stated"
            found.append(Evidence(span, rest.strip(_QUOTE_MARKS), kind))
    return tuple(found)
