"""The numbers of runs as text: rows for a terminal, shares as percentages. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ...types import JSON
from .columns import COLUMNS

__all__ = ["NONE", "Row", "at", "in_words", "percent", "table"]

Row: TypeAlias = tuple[str, ...]

NONE = "–"
"""Stands for a number that does not exist."""


def table(runs: Sequence[tuple[str, Mapping[str, JSON]]]) -> list[Row]:
    """A row a run (its name, what `summarise` made of it), the head first; verdicts that no run has are left out.

    Shares are percentages; frames, tokens, USD and seconds are per question."""
    used = [name for name in COLUMNS if any(at(metrics, "coverages", name) is not None for _, metrics in runs)]
    rows: list[Row] = [("run", "n", "headline", "interval", "coverage", *used, "frames", "tokens", "USD", "seconds")]
    for name, metrics in runs:
        tokens = [at(metrics, "usage", "per_question", key) for key in ("input_tokens", "output_tokens")]
        known = [one for one in tokens if isinstance(one, int | float)]
        rows.append(
            (
                name,
                in_words(at(metrics, "n"), ",.0f"),
                percent(at(metrics, "headline", "value")),
                percent(at(metrics, "headline", "interval")),
                percent(at(metrics, "coverage")),
                *(percent(at(metrics, "accuracy", column)) for column in used),
                in_words(at(metrics, "usage", "per_question", "frames"), ",.1f"),
                in_words(sum(known) if known else None, ",.0f"),
                in_words(at(metrics, "usage", "per_question", "cost_usd"), ".4f"),
                in_words(at(metrics, "usage", "per_question", "seconds"), ",.1f"),
            )
        )
    return rows


def at(metrics: JSON | Mapping[str, JSON], *path: str) -> JSON:
    """What is at ``path``, None where there is nothing."""
    value = metrics
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else value


def in_words(value: JSON, form: str) -> str:
    """A number by its format, `NONE` for what is none."""
    return format(value, form) if isinstance(value, int | float) else NONE


def percent(value: JSON) -> str:
    """A share, or a pair of shares (an interval), in percent without the sign."""
    if isinstance(value, list):
        return " to ".join(percent(one) for one in value)
    return in_words(100 * value if isinstance(value, int | float) else None, ".1f")
