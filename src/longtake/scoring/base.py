"""What all scorers share: their type, the answer and the gold they compare, words without their dress. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TypeAlias

from ..errors import ScoringError
from ..types import Sample, Score, Trace

__all__ = ["UNREAD", "Scorer", "answer_of", "normal", "target_of"]

Scorer: TypeAlias = Callable[[Trace, Sample], Score]

UNREAD = "unread: "
"""How the explanation of a 0 begins where the answer states nothing of the kind that was asked for."""


def answer_of(trace: Trace) -> str:
    """The text of the answer. Raises `ScoringError` for a run that has none."""
    if trace.answer is None:
        raise ScoringError(f"there is no answer ({trace.stop_reason}): {trace.error}")
    return trace.answer.text


def target_of(sample: Sample) -> str:
    """The gold answer. Raises `ScoringError` for a sample without one."""
    if not sample.target:
        raise ScoringError(f"sample {sample.id} has no target")
    return sample.target


def normal(text: str) -> str:
    """Lower case, no accents, no punctuation, no articles, single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    words = "".join(c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c)).split()
    return " ".join(word for word in words if word not in ("a", "an", "the")) or " ".join(words)
