"""The status of a data run on a terminal or as JSON."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape
from rich.table import Table

from .show import plural
from .terminal import out, print_json

if TYPE_CHECKING:
    from ..datagen.audit import RunStatus

__all__ = ["show_status"]

MAX_REASONS = 5


def show_status(folder: Path, *, as_json: bool = False, ended: bool = False, next_step: str = "") -> None:
    """Prints the status of the run in ``folder``; a run that has ``ended`` before it was complete is exit code 1."""
    from ..datagen import audit

    found = asyncio.run(audit.status(audit.open_run(folder)))
    if as_json:
        print_json(found.as_json())
    else:
        _print_status(found, next_step)
    if ended and not found.is_complete:
        raise typer.Exit(1)


def _print_status(found: RunStatus, next_step: str) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in ("step", "ok", "rejected", "invalid", "failed", "pending", "in flight", "calls", "USD", "s"):
        table.add_column(name, justify="left" if name == "step" else "right", no_wrap=True)
    for step in found.steps:
        count, paid = step.count, step.paid
        counts: list[Any] = [count.ok, count.rejected, count.invalid, count.failed, step.pending, len(step.open_calls)]
        cost = "unknown" if paid.cost_usd is None else f"{paid.cost_usd:.2f}"
        table.add_row(step.name, *map(str, counts), str(paid.num_calls), cost, f"{count.seconds:.1f}")
    out.print(table)
    for step in found.steps:
        for reason, number in step.reasons.most_common(MAX_REASONS):
            out.print(f"[dim]{step.name}: {number} x {escape(reason)}[/]", soft_wrap=True)
        if (more := len(step.reasons) - MAX_REASONS) > 0:
            out.print(f"[dim]{step.name}: and {plural(more, 'other reason')}, see --json[/]")
    out.print(
        f"{plural(found.num_results, 'result')} from {found.num_videos_with_results} of {found.num_videos} videos"
    )
    to_retry = sum(step.to_retry for step in found.steps)
    if found.is_running:
        out.print("a run is at work here")
    elif to_retry:
        out.print(f"{plural(to_retry, 'record')} failed for now: run the same command again to try them")
    elif not found.is_complete:
        out.print("not complete: run the same command again to go on")
    elif not found.num_results:
        out.print("complete, and nothing came out: the reasons are above")
    else:
        out.print(f"complete{f'; next: {next_step}' if next_step else ''}", soft_wrap=True)
