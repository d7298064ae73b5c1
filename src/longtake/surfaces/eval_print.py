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


def print_metrics(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """A table of the runs; then, run by run, what has no verdict and what else one must know."""
    from ..eval.report.table import percent, table

    rows = table(runs)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, (first, *rest) in enumerate(rows):  # not cut off for the sake of a narrow terminal
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        line = escape("  ".join(cells))
        out.print(f"[dim]{line}[/]" if number == 0 else line, soft_wrap=True)
    for name, metrics in runs:
        before = f"{escape(name)}: " if len(runs) > 1 else ""
        for line in _notes(metrics, percent):
            out.print(f"[dim]{before}{escape(line)}[/]", soft_wrap=True)


def _notes(metrics: Mapping[str, Any], percent: Any) -> list[str]:
    settings, headline = metrics["settings"], metrics["headline"]
    lines = list[str]()
    if headline["why"]:
        lines.append(f"no headline: {headline['why']}")
    if settings.get("gold_given"):
        lines.append(f"made with gold: it was given {settings['gold_given']}")
    causes = ", ".join(f"{count} {cause}" for cause, count in metrics["no_verdict"].items() if count)
    if causes:
        low, high = metrics["bounds"][headline["column"]]
        lines.append(f"no verdict: {causes}; counted as wrong {percent(low)} %, as right {percent(high)} %")
    if metrics["unreadable"]:
        lines.append(f"{plural(metrics['unreadable'], 'answer')} could not be read, counted as wrong")
    for measure, found in metrics["measures"].items():
        lines.append(f"{measure}: {percent(found['mean'])} ({percent(found['interval'])}), n = {found['n']}")
    return lines


def print_check(found: Check) -> None:
    low, middle, high = found.questions_per_video
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items())
    out.print(f"rows       {found.num_rows}: {found.num_items} questions ({kinds}), {len(found.malformed)} malformed,")
    out.print(f"           {plural(len(found.duplicates), 'duplicate')}, {found.num_without_gold} without an answer")
    for row in found.malformed[:MAX_LISTED]:
        out.print(f"  malformed  {escape(f'{row.source}:{row.row}: {row.reason}')}", soft_wrap=True)
    opened = "not opened" if found.undecodable is None else f"{len(found.undecodable)} cannot be decoded"
    out.print(
        f"videos     {found.num_videos}: {found.num_found} found, {len(found.missing)} missing,"
        f" {len(found.ambiguous)} ambiguous, {opened}; {low} to {high} questions each, in the middle {middle:g}",
        soft_wrap=True,
    )
    if found.num_subtitles is not None:
        out.print(f"subtitles  {found.num_subtitles} of {found.num_found} videos")
    if found.answer_prior:
        prior = ", ".join(f"{answer} {share:.1%}" for answer, share in found.answer_prior.items())
        chance = "" if found.chance is None else f"; chance {found.chance:.1%}"
        out.print(f"answers    {escape(prior)}{chance}", soft_wrap=True)
    if found.num_gold_spans:
        out.print(f"gold spans {found.num_gold_spans}, {len(found.spans_outside)} past the end of their video")
    for row in found.notes[:MAX_LISTED]:
        out.print(f"  note  {escape(f'{row.source}:{row.row}: {row.reason}')}", soft_wrap=True)
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
    p = "" if found["p"] is None else f", p = {found['p']:.4f}"
    out.print(f"difference  {percent(found['difference'])} points ({percent(found['interval'])}){p}", soft_wrap=True)
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
    for name, which in ((first, "a"), (second, "b")):
        if count := found["unpaired"][which]["n"]:
            out.print(f"{plural(count, 'question')} only in {escape(name)}, left out")
    if count := found["changed"]["n"]:
        out.print(f"[red]{plural(count, 'question')} of the same id are not the same question, left out[/]")
