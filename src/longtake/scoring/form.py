"""Whether a reply has the form that its model was trained for. The words in it do not matter."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import ScoringError
from ..types import Sample, Score, Trace
from .base import answer_of

__all__ = ["format_", "format_longvt"]

_THOUGHT_THEN_ANSWER = re.compile(r"\s*<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)
_THOUGHT_AND_ANSWER = re.compile(
    r"\s*<think>(?:(?!</?think>).)*</think>\s*<answer>(?:(?!</?answer>).)*</answer>\s*(?:<evidence\b.*</evidence>\s*)?",
    re.DOTALL,
)


def format_(trace: Trace, sample: Sample) -> Score:
    """1 if the last reply begins ``<think>...</think> <answer>...</answer>`` (LongVideo-Reason's rule).

    A run that failed for another reason than its form has no verdict."""
    return _score("format", trace, _THOUGHT_THEN_ANSWER.match)


def format_longvt(trace: Trace, sample: Sample) -> Score:
    """1 if the last reply is one ``<think>``, one ``<answer>`` and nothing else but evidence (LongVT's rule)."""
    return _score("format_longvt", trace, _THOUGHT_AND_ANSWER.fullmatch)


def _score(name: str, trace: Trace, reads: Callable[[str], object]) -> Score:
    try:
        answer_of(trace)
    except ScoringError as e:
        if trace.stop_reason != "format_errors":
            return Score(name, None, error=str(e))
    right = reads(trace.turns[-1].output.text) is not None
    return Score(name, float(right), "" if right else "not <think>...</think> then <answer>...</answer>")
