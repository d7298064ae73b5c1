"""Columns of scores: which of them a question has, what is known in them, and why the rest is not. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from ...types import JSON
from ..items import Graded, Kind

__all__ = ["COLUMNS", "cluster_of", "columns_of", "first_errors", "judged", "kinds_without", "of_kind", "value_of"]

COLUMNS = ("strict", "lenient", "judge")
"""Verdicts, in this order; every other score is a measure."""

_LENGTH = 200
"""Characters of a reason that are told."""


def value_of(graded: Graded, column: str) -> float | None:
    """The score in ``column``, None where there is no verdict."""
    score = graded.scores.get(column)
    return None if score is None else score.value


def cluster_of(graded: Graded) -> str:
    """What is independent of the rest: the video; the question where the data name no video."""
    return graded.video_id or f"question {graded.id}"


def of_kind(graded: Sequence[Graded], kind: Kind | Literal["any"]) -> Sequence[Graded]:
    """The questions that the numbers of a benchmark of this ``kind`` are over: of it, or all where there is none."""
    return [one for one in graded if one.kind == kind] or graded


def columns_of(graded: Sequence[Graded]) -> list[str]:
    """Every column that some question has, the verdicts first."""
    names = {name for one in graded for name in one.scores}
    return [*(name for name in COLUMNS if name in names), *sorted(names - set(COLUMNS))]


def kinds_without(graded: Iterable[Graded], column: str) -> set[str]:
    """The kinds of question for which ``column`` is not defined: some were scored, none in it."""
    scored, held = set[str](), set[str]()
    for one in graded:
        if one.scores:
            scored.add(one.kind)
        if column in one.scores:
            held.add(one.kind)
    return scored - held


def first_errors(missing: Sequence[Graded], causes: Sequence[str], column: str) -> dict[str, JSON]:
    """Cause -> the first question without a verdict in ``column`` for it, and what was said of it, where it was.
    ``causes`` has one of each of ``missing``; where the data have no answer, what the agent said is no reason."""
    found: dict[str, JSON] = {}
    for one, cause in zip(missing, causes, strict=True):
        if cause not in found and cause != "gold" and (why := one.error or _said(one, column)):
            found[cause] = f"{one.id}: {_short(why)}"
    return found


def judged(graded: Sequence[Graded]) -> dict[str, JSON]:
    """On how many of the questions that a judge may be asked it gave a verdict, and why mostly not on the others."""
    asked = [one for one in graded if one.kind != "span"]
    reasons = Counter(
        _said(one, "judge") or one.cause or "it was not asked" for one in asked if value_of(one, "judge") is None
    )
    common = reasons.most_common(1)
    return {
        "n": len(asked),
        "verdicts": len(asked) - reasons.total(),
        "why": _short(common[0][0]) if common else None,
        "num_why": common[0][1] if common else 0,
    }


def _said(one: Graded, column: str) -> str | None:
    score = one.scores.get(column)
    return None if score is None else score.error


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LENGTH else words[: _LENGTH - 1] + "…"
