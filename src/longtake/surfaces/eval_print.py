"""The numbers of evaluations on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from .show import plural
from .terminal import out

if TYPE_CHECKING:
    from ..eval.data.check import Check

__all__ = ["print_check", "print_comparison", "print_metrics"]

MAX_LISTED = 20
_MAX_VALUES = 12
"""Of a stratum on a terminal."""


def print_metrics(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """A table of the runs; then, run by run, what has no verdict and what else one must know; small strata."""
    from ..eval.report.notes import notes
    from ..eval.report.table import percent, strata, table

    _print_table(table(runs))
    for name, metrics in runs:
        before = f"{escape(name)}: " if len(runs) > 1 else ""
        gold = metrics["settings"].get("gold_given")
        lines = [*notes(metrics), *([f"made with gold: it was given {gold}"] if gold else [])]
        for measure, found in metrics["measures"].items():
            interval = f" ({percent(found['interval'])})" if found["interval"] else ""
            lines.append(f"{measure}: {percent(found['mean'])}{interval}, n = {found['n']}")
        for line in lines:
            out.print(f"[dim]{before}{escape(line)}[/]", soft_wrap=True)
    for stratum, rows in strata(runs):
        if len(rows) - 1 <= _MAX_VALUES:
            _print_table(rows)
        else:
            out.print(f"[dim]{escape(stratum)}: {len(rows) - 1} values, see report.html[/]", soft_wrap=True)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Not cut off for the sake of a narrow terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, (first, *rest) in enumerate(rows):
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        line = escape("  ".join(cells))
        out.print(f"[dim]{line}[/]" if number == 0 else line, soft_wrap=True)


def print_check(found: Check) -> None:
    low, middle, high = found.questions_per_video
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items())
    questions = plural(found.num_items, "question") + (f" ({kinds})" if kinds else "")
    out.print(f"rows       {found.num_rows}: {questions}, {len(found.malformed)} malformed,")
    out.print(f"           {plural(len(found.duplicates), 'duplicate')}, {found.num_without_gold} without an answer")
    by_reason = dict[str, list[str]]()
    for row in found.malformed:
        by_reason.setdefault(row.reason, []).append(row.place)
    for reason, places in list(by_reason.items())[1 : MAX_LISTED + 1]:  # the first is told among the problems
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        out.print(f"  malformed  {escape(f'{places[0]}{more}: {reason}')}", soft_wrap=True)
    opened = "not opened" if found.undecodable is None else f"{len(found.undecodable)} cannot be decoded"
    each = f"{low} to {high} questions each, median {middle:g}" if low != high else f"{plural(low, 'question')} each"
    out.print(
        f"videos     {found.num_videos}: {found.num_found} found, {len(found.missing)} missing,"
        f" {len(found.ambiguous)} ambiguous, {opened}; {each}",
        soft_wrap=True,
    )
    if found.num_subtitles is not None and found.num_found:
        out.print(f"subtitles  {found.num_subtitles} of {found.num_found} videos")
    if found.answer_prior:
        prior = ", ".join(f"{answer} {share:.1%}" for answer, share in found.answer_prior.items())
        chance = "" if found.chance is None else f"; chance {found.chance:.1%}"
        out.print(f"answers    {escape(prior)}{chance}", soft_wrap=True)
    if found.num_gold_spans:
        out.print(f"gold spans {found.num_gold_spans}, {len(found.spans_outside)} past the end of their video")
    for row in found.notes[:MAX_LISTED]:
        out.print(f"  note  {escape(f'{row.place}: {row.reason}')}", soft_wrap=True)
    for remark in found.remarks:
        out.print(f"  note  {escape(remark)}", soft_wrap=True)
    for problem in found.problems[:MAX_LISTED]:
        out.print(f"[red]problem[/]  {escape(problem)}", soft_wrap=True)
    if (more := len(found.problems) - MAX_LISTED) > 0:
        out.print(f"and {plural(more, 'other problem')}, see --json")
    if not found.problems:
        out.print("[green]ok[/]")


def print_comparison(first: str, second: str, found: Mapping[str, Any]) -> None:
    """``found`` is what `compare` made of the two."""
    from ..eval.report.table import percent

    out.print(f"{found['column']}, {plural(found['n'], 'pair')} on {plural(found['num_videos'], 'video')}")
    out.print(f"{escape(first)}  {percent(found['mean_a'])} %")
    out.print(f"{escape(second)}  {percent(found['mean_b'])} %")
    if found["n"] and not found["num_different"]:
        out.print("difference  0.0 points: no pair differs")
    else:
        alone = "no interval: all pairs are about one video" if found["n"] else "no pair has two verdicts"
        certain = alone if found["p"] is None else f"{percent(found['interval'])}, p = {found['p']:.4f}"
        out.print(f"difference  {percent(found['difference'])} points ({certain})", soft_wrap=True)
    if exact := found["mcnemar"]:
        out.print(
            f"McNemar  only {escape(first)} right: {exact['only_a']}, only {escape(second)} right: {exact['only_b']},"
            f" both: {exact['both_right']}, neither: {exact['both_wrong']}; exact p = {exact['p_exact']:.4f}"
            + ("" if exact["independent"] else " (questions share videos, which this test does not know)"),
            soft_wrap=True,
        )
    left_out = sum(found["no_verdict"].values())
    if left_out:
        low_high = percent(found["bounds"])
        out.print(f"{plural(left_out, 'pair')} without a verdict left out; with them the difference is {low_high}")
    if count := found["not_defined"]:
        out.print(f"{plural(count, 'pair')} left out: {found['column']} is not defined for that kind of question")
    for name, which in ((first, "a"), (second, "b")):
        if count := found["unpaired"][which]["n"]:
            out.print(f"{plural(count, 'question')} only in {escape(name)}, left out")
    if count := found["changed"]["n"]:
        out.print(f"[red]{plural(count, 'question')} of the same id are not the same question, left out[/]")
