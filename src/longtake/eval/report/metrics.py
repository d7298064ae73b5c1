"""The numbers of a run, from what became of its questions: ``metrics.json``. No I/O.

Owns what is counted and over what: a question without a verdict is in no mean, and every mean stands beside its
coverage. How far a mean can be trusted is in `statistics`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from ...types import JSON, Usage
from ..items import CAUSES, Graded, Kind
from .columns import COLUMNS, cluster_of, columns_of, first_errors, judged, kinds_without, of_kind, value_of
from .statistics import CONFIDENCE, Estimate, estimate, kappa, macro_estimate

__all__ = ["summarise"]

METHOD = (
    "Standard errors CR2, clustered by video; intervals Wilson with the effective sample size of the clustered "
    "variance and Student's t"
)


def summarise(
    graded: Sequence[Graded],
    *,
    headline: str,
    min_coverage: float,
    macro: str | None = None,
    num_macro: int | None = None,
    kind: Kind | Literal["any"] = "any",
    settings: Mapping[str, JSON],
) -> dict[str, JSON]:
    """The object of ``metrics.json``; shares are in [0, 1], a number that does not exist is null, none is NaN.

    ``n`` counts questions asked, once an epoch, ``asked`` those of a column; ``num_videos_effective`` how many videos
    with equally many questions would be as uneven. ``headline`` names the column or measure of the one number;
    ``macro`` a stratum: then that number is the mean over its values, each counting the same, of which ``num_macro``
    are published. Below ``min_coverage`` there is no headline, and ``why`` says so.

    ``kind`` is the benchmark's own where it has one: questions of other kinds are measured apart, in the strata, where
    ``kind`` is one as soon as there are several. The headline is asked of every question of the benchmark's kind (of
    every one where it has none); another column of those when any of their kind has it."""
    own = of_kind(graded, kind)
    columns: dict[str, Sequence[Graded]] = {**_by_column(own), headline: own}
    verdicts = _verdicts(columns, headline)
    found = {name: _estimate(columns[name], name) for name in columns}
    coverage = {name: _coverage(columns[name], name) for name in verdicts}
    missing = [one for one in own if value_of(one, headline) is None]
    why = [one.why_not(headline) for one in missing]
    causes, videos = Counter(why), Counter(cluster_of(one) for one in graded)
    head = _headline(own, headline, min_coverage, macro, dict(causes))
    return {
        "n": len(graded),
        "num_questions": len({one.id for one in graded}),
        "num_videos": len(videos),
        "num_videos_effective": _share(len(graded) ** 2, sum(n * n for n in videos.values())),
        "most_per_video": max(videos.values(), default=0),
        "num_epochs": len({one.epoch for one in graded}),
        "coverage": _share(len(own) - len(missing), len(own)),
        "coverages": {**coverage},
        "asked": {name: len(held) for name, held in columns.items()},
        "not_defined": {name: _not_defined(own, name) for name in columns},
        "no_verdict": {cause: causes[cause] for cause in sorted(causes, key=CAUSES.index)},
        "first_errors": first_errors(missing, why, headline),
        "judged": judged(own) if settings.get("judge") is not None else None,
        "unreadable": sum(one.unreadable for one in graded),
        "headline": {**head, "num_macro": num_macro, "apart": _apart(graded, own)},
        "accuracy": {name: _mean(found.get(name)) for name in dict.fromkeys((*COLUMNS, *verdicts))},
        "interval": {name: _interval(found[name]) for name in verdicts},
        "standard_error": {name: None if (e := found[name]) is None else e.standard_error for name in verdicts},
        "bounds": {name: _bounds(columns[name], name) for name in verdicts},
        "measures": {name: _measure(columns[name], name) for name in columns if name not in verdicts},
        "strata": _strata(graded, headline),
        "agreement": _agreements(own),
        "localisation": _localisation(graded),
        "usage": _usage(graded),
        "method": {"confidence": CONFIDENCE, "about": METHOD},
        "settings": dict(settings),
    }


# ------------------------------------------------------------------------------------------------- parts of metrics


def _by_column(graded: Sequence[Graded]) -> dict[str, list[Graded]]:
    """The questions that each column is asked of."""
    kinds = {name: {one.kind for one in graded if name in one.scores} for name in columns_of(graded)}
    return {name: [one for one in graded if one.kind in kinds[name]] for name in kinds}


def _apart(graded: Sequence[Graded], own: Sequence[Graded]) -> JSON:
    """Kind of question -> how many of it are not in the headline."""
    kinds = {one.kind for one in own}
    return {**Counter(one.kind for one in graded if one.kind not in kinds)}


def _verdicts(columns: Mapping[str, Sequence[Graded]], headline: str) -> list[str]:
    return list(dict.fromkeys([*(name for name in COLUMNS if name in columns), headline]))


def _estimate(graded: Sequence[Graded], column: str) -> Estimate | None:
    known = [(value, cluster_of(one)) for one in graded if (value := value_of(one, column)) is not None]
    return estimate([value for value, _ in known], [cluster for _, cluster in known])


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _not_defined(graded: Sequence[Graded], column: str) -> JSON:
    """Kind of question -> how many of it have no such column by their nature."""
    kinds = kinds_without(graded, column)
    return {**Counter(one.kind for one in graded if one.kind in kinds)}


def _coverage(graded: Sequence[Graded], column: str) -> float | None:
    return _share(sum(value_of(one, column) is not None for one in graded), len(graded))


def _mean(found: Estimate | None) -> float | None:
    return None if found is None else found.mean


def _interval(found: Estimate | None) -> JSON:
    return None if found is None or found.interval is None else list(found.interval)


def _bounds(graded: Sequence[Graded], column: str) -> JSON:
    """What the mean would be with every question without a verdict wrong, and with every one right."""
    if not graded:
        return None
    values = [value for one in graded if (value := value_of(one, column)) is not None]
    return [sum(values) / len(graded), (sum(values) + len(graded) - len(values)) / len(graded)]


def _measure(graded: Sequence[Graded], column: str) -> JSON:
    found = _estimate(graded, column)
    return {
        "mean": _mean(found),
        "interval": _interval(found),
        "standard_error": None if found is None else found.standard_error,
        "n": 0 if found is None else found.n,
        "no_value": sum(value_of(one, column) is None for one in graded),
    }


def _headline(
    graded: Sequence[Graded], column: str, min_coverage: float, macro: str | None, causes: Mapping[str, int]
) -> dict[str, JSON]:
    why: str | None = None
    num_missing = sum(causes.values())
    found = _estimate(graded, column) if macro is None else _macro(graded, column, macro)
    if not graded:
        why = "no question was graded"
    elif (len(graded) - num_missing) / len(graded) < min_coverage:
        listed = ", ".join(f"{cause} {count:,}" for cause, count in causes.items())
        share = (len(graded) - num_missing) / len(graded)
        why = (
            f"coverage {100 * share:.2f} % is below {100 * min_coverage:g} %: {num_missing:,} of "
            f"{len(graded):,} questions have no verdict ({listed})"
        )
    elif found is None:
        why = f"a value of {macro!r} has no verdict at all, so there is no mean over them"
        if macro is None or not any(macro in one.strata for one in graded):
            why = "no question has a verdict" if macro is None else f"no question has the stratum {macro!r}"
    shown = None if why else found
    return {
        "column": column,
        "n": len(graded),
        "mean_over": macro,
        "values": None if macro is None else [*_by_value(graded, macro)],
        "num_outside": 0 if macro is None else sum(not one.strata.get(macro) for one in graded),
        "value": _mean(shown),
        "interval": _interval(shown),
        "standard_error": None if shown is None else shown.standard_error,
        "min_coverage": min_coverage,
        "why": why,
    }


def _macro(graded: Sequence[Graded], column: str, stratum: str) -> Estimate | None:
    groups: list[tuple[list[float], list[str]]] = []
    for held in _by_value(graded, stratum).values():
        known = [(value, cluster_of(one)) for one in held if (value := value_of(one, column)) is not None]
        groups.append(([value for value, _ in known], [cluster for _, cluster in known]))
    return macro_estimate(groups)


def _by_value(graded: Sequence[Graded], stratum: str) -> dict[str, list[Graded]]:
    """The questions of each value of a stratum; one with several values is in each."""
    found: dict[str, list[Graded]] = {}
    for one in graded:
        for value in dict.fromkeys(one.strata.get(stratum, ())):
            found.setdefault(value, []).append(one)
    return dict(sorted(found.items()))


def _strata(graded: Sequence[Graded], headline: str) -> JSON:
    """The same for the questions of each value of a stratum; the kinds of question are one where there are several."""
    if len({one.kind for one in graded}) > 1:
        graded = [replace(one, strata={"kind": (one.kind,), **one.strata}) for one in graded]
    columns: dict[str, Sequence[Graded]] = {**_by_column(graded), headline: graded}
    verdicts = _verdicts(columns, headline)
    told: dict[str, JSON] = {}
    for name in dict.fromkeys(name for one in graded for name in one.strata):
        values: dict[str, JSON] = {}
        for value, held in _by_value(graded, name).items():
            inside = {
                column: [one for one in columns[column] if value in one.strata.get(name, ())] for column in columns
            }
            found = {column: _estimate(inside[column], column) for column in columns}
            values[value] = {
                "n": len(held),
                "num_videos": len({cluster_of(one) for one in held}),
                "coverage": _coverage(held, headline),
                "coverages": {column: _coverage(inside[column], column) for column in verdicts},
                "accuracy": {column: _mean(found[column]) for column in verdicts},
                "interval": {column: _interval(found[column]) for column in verdicts},
                "measures": {column: _measure(inside[column], column) for column in columns if column not in verdicts},
            }
        told[name] = values
    return told


def _agreements(graded: Sequence[Graded]) -> JSON:
    """How often two columns say the same of a question that both have a verdict on; right is a value above a half."""
    told: dict[str, JSON] = {}
    for one, other in (("judge", "strict"), ("judge", "lenient"), ("lenient", "strict")):
        pairs = Counter(
            (first > 0.5, second > 0.5)
            for held in graded
            if (first := value_of(held, one)) is not None and (second := value_of(held, other)) is not None
        )
        n = pairs.total()
        if not n:
            continue
        both, only, missed, neither = (
            pairs[key] for key in ((True, True), (True, False), (False, True), (False, False))
        )
        told[f"{one}_{other}"] = {
            "n": n,
            "agree": (both + neither) / n,
            "kappa": kappa(both, only, missed, neither),
            "both_right": both,
            f"only_{one}": only,
            f"only_{other}": missed,
            "both_wrong": neither,
        }
    return told


def _localisation(graded: Sequence[Graded]) -> JSON:
    """Where agents looked; shown, hit, coverage and IoU over the questions that have a gold span and got that far, the
    last three of agents that can look."""
    looked = [(one, one.looked) for one in graded if one.looked is not None]

    def mean(read: Callable[[int], float | None]) -> JSON:
        known = [(value, cluster_of(looked[i][0])) for i in range(len(looked)) if (value := read(i)) is not None]
        found = estimate([value for value, _ in known], [cluster for _, cluster in known])
        return {"mean": _mean(found), "interval": _interval(found), "n": len(known)}

    gold = [one for _, one in looked if one.num_gold_frames is not None]
    frames = sum(one.num_frames for one in gold)
    in_gold = sum(one.num_gold_frames or 0 for one in gold)
    return {
        "n": len(looked),
        "shown": mean(lambda i: looked[i][1].shown),
        "hit": mean(lambda i: None if (hit := looked[i][1].hit) is None else float(hit)),
        "coverage": mean(lambda i: looked[i][1].coverage),
        "iou": mean(lambda i: looked[i][1].iou),
        "looks_per_question": _share(sum(one.num_looks for _, one in looked), len(looked)),
        "looked_seconds_per_question": _share(sum(one.looked_seconds for _, one in looked), len(looked)),
        "frames_per_question": _share(sum(one.num_frames for _, one in looked), len(looked)),
        "gold_frames_per_question": _share(in_gold, len(gold)),
        "gold_frame_share": _share(in_gold, frames),
    }


def _usage(graded: Sequence[Graded]) -> JSON:
    """In total and per question asked; the cost is null when the price of any call is not known."""
    total = sum((one.usage for one in graded), Usage())
    told: dict[str, float | None] = {
        "calls": total.num_calls,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "frames": total.num_frames,
        "cost_usd": total.cost_usd,
        "seconds": sum(one.seconds for one in graded),
    }
    each: dict[str, JSON] = {
        name: None if value is None else _share(value, len(graded)) for name, value in told.items()
    }
    return {**told, "num_unpriced": sum(one.usage.cost_usd is None for one in graded), "per_question": each}
