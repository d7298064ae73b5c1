"""The report of evaluations as Markdown: the same numbers as the page, without the questions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ...types import JSON
from .content import Run, comparisons, kind_of_run
from .notes import TERMS, asked_in_words, meaning, notes
from .table import NONE, Row, at, in_words, number, percent, seconds, strata, table

__all__ = ["markdown"]

_NUMBERS = re.compile(r"[-–\d.,e+]+( to [-–\d.,]+)?|no pair differs")


def markdown(runs: Sequence[Run]) -> str:
    """The report on ``runs``. What the data hold is escaped: it makes no table, link or markup."""
    parts = ["# Evaluation report", *_verdicts(runs), *_compared(runs), *_costs(runs), *_looking(runs)]
    return "\n\n".join([*parts, *_strata(runs), *_terms(), *_settings(runs)]) + "\n"


def _verdicts(runs: Sequence[Run]) -> Iterator[str]:
    yield _rows(table([(run.name, run.metrics) for run in runs]))
    yield "Percent; frames, tokens, USD and seconds per question. " + str(at(runs[0].metrics, "method", "about")) + "."
    for run in runs:
        column, over = at(run.metrics, "headline", "column"), at(run.metrics, "headline", "mean_over")
        lines = [f"headline: {column}" + (f", mean over {over}" if over else "") + f"; {asked_in_words(run.metrics)}"]
        lines += [kind] if (kind := kind_of_run(run.metrics)) else []
        yield "\n".join(f"- {_safe(run.name)}: {_safe(line)}" for line in (*lines, *notes(run.metrics)))
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
    told = "; ".join(f"{cause}: {meaning(cause)}" for cause in causes if meaning(cause) != cause)
    yield (
        "The last two columns: the accuracy if every question without a verdict were wrong, and if each were right."
        + (f" {_safe(told)}." if told else "")
    )
    yield from _columns(runs)


def _columns(runs: Sequence[Run]) -> Iterator[str]:
    rows: list[Row] = [("run", "column", "mean", "interval", "n", "coverage")]
    for run in runs:
        for name in _items(run.metrics, "coverages"):
            mean, interval = at(run.metrics, "accuracy", name), at(run.metrics, "interval", name)
            n = in_words(at(run.metrics, "asked", name), ",")
            cells = (percent(mean), percent(interval), n, percent(at(run.metrics, "coverages", name)))
            rows.append((run.name, name, *cells))
        for name, held in _items(run.metrics, "measures").items():
            n, known = number(at(run.metrics, "asked", name)), number(at(held, "n"))
            cells = (percent(at(held, "mean")), percent(at(held, "interval")), f"{n:,.0f}")
            rows.append((run.name, name, *cells, percent(known / n if n else None)))
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
    problems: dict[str, list[str]] = {}
    for one in found:
        name = f"{at(one, 'b')} against {at(one, 'a')}"
        if problem := at(one, "problem"):
            problems.setdefault(str(problem), []).append(name)
            continue
        left_out = sum(count for count in _items(one, "no_verdict").values() if isinstance(count, int))
        rows.append(
            (
                name,
                in_words(at(one, "n"), ","),
                percent(at(one, "difference")),
                percent(at(one, "interval")) if at(one, "num_different") or not at(one, "n") else "no pair differs",
                in_words(at(one, "p"), ".3g"),
                in_words(at(one, "mcnemar", "only_a"), ","),
                in_words(at(one, "mcnemar", "only_b"), ","),
                in_words(at(one, "mcnemar", "p_exact"), ".3g"),
                str(left_out),
            )
        )
    if len(rows) > 1:
        yield _rows(rows)
        yield "p takes into account that questions share videos; McNemar's does not."
    for problem, names in problems.items():
        yield _safe(f"Not compared: {'; '.join(names)}: {problem}.")


def _costs(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Cost"
    names = ("calls", "input_tokens", "output_tokens", "frames", "cost_usd")
    rows: list[Row] = [("run", "", "calls", "input tokens", "output tokens", "frames", "USD", "seconds")]
    for run in runs:
        for title, form, path in (("in total", ",.6g", ()), ("a question", ",.4g", ("per_question",))):
            cells = [in_words(at(run.metrics, "usage", *path, name), form) for name in names]
            rows.append((run.name, title, *cells, seconds(at(run.metrics, "usage", *path, "seconds"))))
    yield _rows(rows)


def _looking(runs: Sequence[Run]) -> Iterator[str]:
    rows: list[Row] = [("run", "questions", "shown", "hit", "coverage", "IoU", "looks", "frames", "frames in gold")]
    for run in runs:
        place = at(run.metrics, "localisation")
        if at(place, "n"):
            means = [percent(at(place, name, "mean")) for name in ("shown", "hit", "coverage", "iou")]
            each = [in_words(at(place, f"{name}_per_question"), ",.1f") for name in ("looks", "frames", "gold_frames")]
            rows.append((run.name, in_words(at(place, "shown", "n"), ","), *means, *each))
    if len(rows) > 1:
        yield "## Where it looked"
        yield _rows(rows)
        yield (
            "Over questions with a gold span, percent. Shown: the share of gold spans of which a frame was shown, in"
            " the overview or later. Hit, coverage, IoU: of what the agent's tools looked at; agents without tools have"
            " none. Looks and frames are per question."
        )


def _strata(runs: Sequence[Run]) -> Iterator[str]:
    found = strata([(run.name, run.metrics) for run in runs])
    if found:
        yield "## Strata"
    for _, rows in found:
        yield _rows(rows)


def _terms() -> Iterator[str]:
    yield "## Words"
    yield "\n".join(f"- {_safe(term)}: {_safe(told)}" for term, told in TERMS.items())


def _settings(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Exact settings"
    flat = [dict(_flat(at(run.metrics, "settings"), "")) for run in runs]
    rows: list[Row] = [("setting", *(run.name for run in runs))]
    every = [(name, *(one.get(name, NONE) for one in flat)) for name in dict.fromkeys(n for one in flat for n in one)]
    rows += [row for row in every if set(row[1:]) != {NONE}]
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
    """Columns of numbers are aligned right, columns of words left."""
    head, *rest = [" | ".join(_safe(cell) for cell in row) for row in rows]
    columns = zip(*rows[1:], strict=True) if rest else iter([("",)] * len(rows[0]))
    line = " | ".join("---:" if all(map(_NUMBERS.fullmatch, column)) else "---" for column in columns)
    return "\n".join(f"| {row} |" for row in (head, line, *rest))


def _safe(text: str) -> str:
    """As text: no line break, and no sign that Markdown or HTML reads."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
