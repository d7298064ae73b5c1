"""The numbers of runs as text: rows for a terminal, shares as percentages. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ...types import JSON
from .columns import COLUMNS

__all__ = ["NONE", "Row", "at", "in_words", "number", "percent", "plural", "seconds", "strata", "table"]

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
                seconds(at(metrics, "usage", "per_question", "seconds")),
            )
        )
    return rows


def strata(runs: Sequence[tuple[str, Mapping[str, JSON]]]) -> list[tuple[str, list[Row]]]:
    """By the name of a stratum, in the headline column: a row a value, the head first."""
    found: list[tuple[str, list[Row]]] = []
    for name in dict.fromkeys(name for _, metrics in runs for name in _keys(metrics, "strata")):
        heads = [run for run, _ in runs] if len(runs) > 1 else ["mean"]
        rows: list[Row] = [(name, *(head for run in heads for head in (run, "interval", "n")))]
        for value in dict.fromkeys(value for _, metrics in runs for value in _keys(metrics, "strata", name)):
            cells: list[str] = []
            for _, metrics in runs:
                held, column = at(metrics, "strata", name, value), str(at(metrics, "headline", "column"))
                cells += [percent(at(held, "accuracy", column)), percent(at(held, "interval", column))]
                cells.append(in_words(at(held, "n"), ","))
            rows.append((value, *cells))
        found.append((name, rows))
    return found


def _keys(metrics: Mapping[str, JSON], *path: str) -> list[str]:
    found = at(metrics, *path)
    return [*found] if isinstance(found, dict) else []


def at(metrics: JSON | Mapping[str, JSON], *path: str) -> JSON:
    """What is at ``path``, None where there is nothing."""
    value = metrics
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else value


def in_words(value: JSON, form: str) -> str:
    """A number by its format, `NONE` for what is none."""
    return format(value, form) if isinstance(value, int | float) else NONE


def number(value: JSON) -> float:
    """``value`` if it is a number, else 0."""
    return value if isinstance(value, int | float) else 0


def plural(count: JSON, noun: str) -> str:
    return f"{number(count):,.0f} {noun}{'' if count == 1 else 's'}"


def seconds(value: JSON) -> str:
    """As exactly as one wants to know: ``0.04``, ``2.5``, ``315``."""
    size = abs(number(value))
    return in_words(value, ".2f" if size < 1 else ".1f" if size < 100 else ",.0f")


def percent(value: JSON) -> str:
    """A share, or a pair of shares (an interval), in percent without the sign."""
    if isinstance(value, list):
        return " to ".join(percent(one) for one in value)
    return in_words(100 * value if isinstance(value, int | float) else None, ".1f")
