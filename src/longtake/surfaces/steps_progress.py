"""The progress of a data run: one bar a step on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

if TYPE_CHECKING:
    from ..datagen.tally import StepCount, Tally

__all__ = ["StepBars"]

LOG_SECONDS = 10.0


class StepBars:
    """Give it a `Tally` now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._tasks = dict[str, TaskID]()
        self._next_line = time.monotonic() + LOG_SECONDS
        self._last: Tally | None = None

    @contextmanager
    def showing(self) -> Generator[Callable[[Tally], None]]:
        if not self._console.is_terminal:
            yield self._line
            if self._last is not None:
                self._next_line = 0.0
                self._line(self._last)
            return
        columns = (SpinnerColumn(), TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=self._console) as self._bars:
            yield self._move

    def _move(self, tally: Tally) -> None:
        assert self._bars is not None
        for name, count in tally.steps.items():
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=None, note="")
            total = max(count.known, count.done) or None
            self._bars.update(self._tasks[name], completed=count.done, total=total, note=_note(count))

    def _line(self, tally: Tally) -> None:
        self._last = tally
        if time.monotonic() < self._next_line:
            return
        self._next_line = time.monotonic() + LOG_SECONDS
        steps = [f"{name} {count.done}/{max(count.known, count.done)}" for name, count in tally.steps.items()]
        cost = tally.spent.cost_usd
        spent = f"; {tally.spent.num_calls} calls" + (f", {cost:.2f} USD" if cost else "")
        self._console.print(", ".join(steps) + spent, soft_wrap=True)


def _note(count: StepCount) -> str:
    parts = [
        f"{number} {what}"
        for what, number in (
            ("rejected", count.rejected),
            ("invalid", count.invalid),
            ("failed", count.failed),
            ("at work", count.active),
        )
        if number
    ]
    return ", ".join(parts)
