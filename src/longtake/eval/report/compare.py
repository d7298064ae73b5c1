"""Two runs of the same questions, question by question: which is better, and could that be luck. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from ...errors import ConfigError
from ...types import JSON
from ..items import Graded
from .columns import cluster_of, columns_of, kinds_without, value_of
from .statistics import CONFIDENCE, mcnemar, paired_difference

__all__ = ["compare"]

Key: TypeAlias = tuple[str, int]

_NAMED = 20
"""How many ids of questions that only one run has are named; all are counted."""


def compare(a: Sequence[Graded], b: Sequence[Graded], column: str) -> dict[str, JSON]:
    """Pairs by question and epoch. ``difference`` is b minus a over the pairs that both have a verdict in ``column``.

    Its interval and p take into account that questions share videos. ``mcnemar`` does not, and is null unless all
    verdicts are 0 or 1; ``independent`` says whether its condition holds. There is neither interval nor p where no
    pair differs: nothing says then how much pairs vary. ``no_verdict`` counts the pairs left out, ``bounds`` what the
    difference could be were they known, ``not_defined`` pairs of a kind of question that has no such column.
    ``unpaired`` names what only one run asked, and ``changed`` questions of one id that are about different videos or
    ask for different kinds of answer. Raises `ConfigError` when nothing is shared, or a run has a question twice or
    not the column."""
    first, second = _by_key(a, "the first run"), _by_key(b, "the second run")
    shared = [key for key in first if key in second]
    changed = [key for key in shared if _asked(first[key]) != _asked(second[key])]
    out = set(changed)
    pairs = [(first[key], second[key]) for key in shared if key not in out]
    if not pairs:
        raise ConfigError(
            f"the two runs share no question ({len(first)} and {len(second)} were asked); compare runs of one benchmark"
        )
    _check_column(a, b, column)
    without = kinds_without([*a, *b], column)
    num_paired = len(pairs)
    pairs = [(one, other) for one, other in pairs if one.kind not in without]
    values = [(value_of(one, column), value_of(other, column)) for one, other in pairs]
    known = [
        (x, y, cluster_of(one))
        for (x, y), (one, _) in zip(values, pairs, strict=True)
        if x is not None and y is not None
    ]
    found = paired_difference([y - x for x, y, _ in known], [cluster for _, _, cluster in known])
    differing = sum(x != y for x, y, _ in known)
    missing = Counter((x is None, y is None) for x, y in values)
    return {
        "column": column,
        "n": len(known),
        "num_different": differing,
        "num_videos": len({cluster for _, _, cluster in known}),
        "mean_a": sum(x for x, _, _ in known) / len(known) if known else None,
        "mean_b": sum(y for _, y, _ in known) / len(known) if known else None,
        "difference": None if found is None else found.mean,
        "standard_error": None if found is None else found.standard_error,
        "interval": None if found is None or found.interval is None or not differing else list(found.interval),
        "p": found.p if found is not None and differing else None,
        "confidence": CONFIDENCE,
        "mcnemar": _mcnemar([(x, y) for x, y, _ in known], {cluster for _, _, cluster in known}),
        "no_verdict": {
            "only_a": missing[True, False],
            "only_b": missing[False, True],
            "both": missing[True, True],
        },
        "bounds": _bounds(values),
        "not_defined": num_paired - len(pairs),
        "unpaired": {"a": _named(first, second), "b": _named(second, first)},
        "changed": {"n": len(changed), "ids": [id for id, _ in changed[:_NAMED]]},
    }


def _by_key(run: Sequence[Graded], name: str) -> dict[Key, Graded]:
    found: dict[Key, Graded] = {}
    for one in run:
        if found.setdefault((one.id, one.epoch), one) is not one:
            raise ConfigError(f"{name} has question {one.id!r} twice in epoch {one.epoch}; ids must be unique in a run")
    return found


def _check_column(a: Sequence[Graded], b: Sequence[Graded], column: str) -> None:
    first, second = columns_of(a), columns_of(b)
    both = [name for name in first if name in second]
    if column not in both:
        have = f"both have {', '.join(both)}" if both else "they have none in common, since too little was answered"
        raise ConfigError(f"the two runs do not both have the column {column!r}: {have}")


def _asked(one: Graded) -> tuple[str, str]:
    return one.kind, one.video_id


def _mcnemar(known: Sequence[tuple[float, float]], clusters: set[str]) -> JSON:
    if not known or any(value not in (0.0, 1.0) for pair in known for value in pair):
        return None
    cells = Counter(known)
    only_a, only_b = cells[1.0, 0.0], cells[0.0, 1.0]
    exact, mid = mcnemar(only_a, only_b)
    return {
        "both_right": cells[1.0, 1.0],
        "only_a": only_a,
        "only_b": only_b,
        "both_wrong": cells[0.0, 0.0],
        "p_exact": exact,
        "p_mid": mid,
        "independent": len(clusters) == len(known),
    }


def _bounds(values: Sequence[tuple[float | None, float | None]]) -> JSON:
    """The least and the most that the mean of b minus a could be over all pairs."""
    if not values:
        return None
    low = sum((0.0 if y is None else y) - (1.0 if x is None else x) for x, y in values)
    high = sum((1.0 if y is None else y) - (0.0 if x is None else x) for x, y in values)
    return [low / len(values), high / len(values)]


def _named(these: dict[Key, Graded], those: dict[Key, Graded]) -> JSON:
    alone = [key for key in these if key not in those]
    ids = list(dict.fromkeys(id for id, _ in alone))
    return {"n": len(alone), "ids": [*ids[:_NAMED]]}
