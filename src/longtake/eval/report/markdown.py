"""The report of evaluations as Markdown: the same numbers as the page, without the questions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ...types import JSON
from .content import Run, comparisons, kind_of_run
from .table import NONE, Row, at, in_words, percent, table

__all__ = ["markdown"]


def markdown(runs: Sequence[Run]) -> str:
    """The report on ``runs``. What the data hold is escaped: it makes no table, link or markup."""
    parts = ["# Evaluation report", *_verdicts(runs), *_compared(runs), *_costs(runs), *_looking(runs)]
    return "\n\n".join([*parts, *_strata(runs), *_settings(runs)]) + "\n"


def _verdicts(runs: Sequence[Run]) -> Iterator[str]:
    yield _rows(table([(run.name, run.metrics) for run in runs]))
    yield "Percent; frames, tokens, USD and seconds per question. " + str(at(runs[0].metrics, "method", "about")) + "."
    for run in runs:
        headline = at(run.metrics, "headline")
        column, why = at(headline, "column"), at(headline, "why")
        notes = [f"headline: {column}" + (f", mean over {over}" if (over := at(headline, "mean_over")) else "")]
        notes += [f"no headline: {why}"] if why else []
        notes += [kind] if (kind := kind_of_run(run.metrics)) else []
        yield "\n".join(f"- {_safe(run.name)}: {_safe(note)}" for note in notes)
    causes = list(dict.fromkeys(cause for run in runs for cause in _items(run.metrics, "no_verdict")))
    yield "## What is not measured"
    rows: list[Row] = [("run", "no verdict", *causes, "unreadable (wrong)", "all wrong", "all right")]
    for run in runs:
        counts = [at(run.metrics, "no_verdict", cause) or 0 for cause in causes]
        missing = sum(count for count in counts if isinstance(count, int))
        low_high = at(run.metrics, "bounds", str(at(run.metrics, "headline", "column")))
        low, high = low_high if isinstance(low_high, list) else (None, None)
        unread = in_words(at(run.metrics, "unreadable"), ",")
        rows.append((run.name, f"{missing:,}", *map(str, counts), unread, percent(low), percent(high)))
    yield _rows(rows)
    yield "The last two columns: the accuracy if every question without a verdict were wrong, and if each were right."
    yield from _columns(runs)


def _columns(runs: Sequence[Run]) -> Iterator[str]:
    rows: list[Row] = [("run", "column", "mean", "interval", "coverage or n")]
    for run in runs:
        for name in _items(run.metrics, "coverages"):
            mean, interval = at(run.metrics, "accuracy", name), at(run.metrics, "interval", name)
            rows.append((run.name, name, percent(mean), percent(interval), percent(at(run.metrics, "coverages", name))))
        for name, held in _items(run.metrics, "measures").items():
            n = f"n = {at(held, 'n')}"
            rows.append((run.name, name, percent(at(held, "mean")), percent(at(held, "interval")), n))
    yield "## Columns and measures"
    yield _rows(rows)
    agreed: list[Row] = [("run", "columns", "n", "agree", "kappa")]
    for run in runs:
        for name, held in _items(run.metrics, "agreement").items():
            pair = name.replace("_", " and ")
            kappa = in_words(at(held, "kappa"), ".2f")
            agreed.append((run.name, pair, str(at(held, "n")), percent(at(held, "agree")), kappa))
    if len(agreed) > 1:
        yield _rows(agreed)


def _compared(runs: Sequence[Run]) -> Iterator[str]:
    found = comparisons(runs)
    if not found:
        return
    yield "## Runs compared question by question"
    rows: list[Row] = [
        ("b against a", "pairs", "difference", "interval", "p", "only a right", "only b right", "McNemar p", "left out")
    ]
    for one in found:
        name = f"{at(one, 'b')} against {at(one, 'a')}"
        if problem := at(one, "problem"):
            rows.append((name, str(problem), *[NONE] * 7))
            continue
        left_out = sum(count for count in _items(one, "no_verdict").values() if isinstance(count, int))
        rows.append(
            (
                name,
                in_words(at(one, "n"), ","),
                percent(at(one, "difference")),
                percent(at(one, "interval")),
                in_words(at(one, "p"), ".3g"),
                in_words(at(one, "mcnemar", "only_a"), ","),
                in_words(at(one, "mcnemar", "only_b"), ","),
                in_words(at(one, "mcnemar", "p_exact"), ".3g"),
                str(left_out),
            )
        )
    yield _rows(rows)
    yield "p takes into account that questions share videos; McNemar's does not."


def _costs(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Cost"
    names = ("calls", "input_tokens", "output_tokens", "frames", "cost_usd", "seconds")
    rows: list[Row] = [("run", "", "calls", "input tokens", "output tokens", "frames", "USD", "seconds")]
    for run in runs:
        rows.append((run.name, "in total", *(in_words(at(run.metrics, "usage", name), ",.6g") for name in names)))
        each = (in_words(at(run.metrics, "usage", "per_question", name), ",.4g") for name in names)
        rows.append((run.name, "a question", *each))
    yield _rows(rows)


def _looking(runs: Sequence[Run]) -> Iterator[str]:
    rows: list[Row] = [("run", "gold spans", "hit", "coverage", "IoU", "looks", "frames", "frames in gold")]
    for run in runs:
        place = at(run.metrics, "localisation")
        if at(place, "n"):
            means = [percent(at(place, name, "mean")) for name in ("hit", "coverage", "iou")]
            each = [in_words(at(place, f"{name}_per_question"), ",.1f") for name in ("looks", "frames", "gold_frames")]
            rows.append((run.name, str(at(place, "hit", "n")), *means, *each))
    if len(rows) > 1:
        yield "## Where it looked"
        yield _rows(rows)
        yield "Hit, coverage and IoU (percent) over questions with a gold span; looks and frames are per question."


def _strata(runs: Sequence[Run]) -> Iterator[str]:
    names = list(dict.fromkeys(name for run in runs for name in _items(run.metrics, "strata")))
    if names:
        yield "## Strata"
    for name in names:
        rows: list[Row] = [(name, *(head for run in runs for head in (run.name, "interval", "n")))]
        for value in dict.fromkeys(v for run in runs for v in _items(run.metrics, "strata", name)):
            cells: list[str] = []
            for run in runs:
                held, column = at(run.metrics, "strata", name, value), str(at(run.metrics, "headline", "column"))
                cells += [percent(at(held, "accuracy", column)), percent(at(held, "interval", column))]
                cells.append(in_words(at(held, "n"), ","))
            rows.append((value, *cells))
        yield _rows(rows)


def _settings(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Exact settings"
    flat = [dict(_flat(at(run.metrics, "settings"), "")) for run in runs]
    rows: list[Row] = [("setting", *(run.name for run in runs))]
    rows += [(name, *(one.get(name, NONE) for one in flat)) for name in dict.fromkeys(n for one in flat for n in one)]
    yield _rows(rows)


def _flat(value: JSON, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, held in value.items():
            yield from _flat(held, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or NONE
    else:
        yield name, NONE if value in (None, "", {}) else str(value)


def _items(metrics: JSON | Mapping[str, JSON], *path: str) -> dict[str, JSON]:
    found = at(metrics, *path)
    return found if isinstance(found, dict) else {}


def _rows(rows: Sequence[Row]) -> str:
    head, *rest = [" | ".join(_safe(cell) for cell in row) for row in rows]
    line = " | ".join(["---", *["---:"] * (len(rows[0]) - 1)])
    return "\n".join(f"| {row} |" for row in (head, line, *rest))


def _safe(text: str) -> str:
    """As text: no line break, and no sign that Markdown or HTML reads."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
