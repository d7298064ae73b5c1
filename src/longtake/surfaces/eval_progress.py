"""The progress of an evaluation: how far, how right so far, what it cost, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from .show import plural

if TYPE_CHECKING:
    from ..eval.worker import EvalTally

__all__ = ["EvalBar"]

LOG_SECONDS = 10.0


class EvalBar:
    """One bar on a terminal, a line now and then in a log. Give it an `EvalTally` and of how many."""

    def __init__(self, console: Console, headline: str = "right") -> None:
        self._console = console
        self._headline = headline
        self._began = time.monotonic()
        self._next_line = self._began + LOG_SECONDS
        self._last: tuple[EvalTally, int] | None = None

    @contextmanager
    def showing(self) -> Generator[Callable[[EvalTally, int], None]]:
        if not self._console.is_terminal:
            yield self._line
            if self._last is not None:
                self._next_line = 0.0
                self._line(*self._last)
            return
        columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=self._console) as bars:
            bar = bars.add_task("questions", total=None, note="")

            def move(tally: EvalTally, total: int) -> None:
                bars.update(bar, completed=tally.done, total=total, note=self._note(tally))

            yield move

    def _line(self, tally: EvalTally, total: int) -> None:
        self._last = tally, total
        if time.monotonic() < self._next_line:
            return
        self._next_line = time.monotonic() + LOG_SECONDS
        left = ""
        if 0 < tally.done < total:
            seconds = (time.monotonic() - self._began) / tally.done * (total - tally.done)
            left = f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"
        self._console.print(f"{tally.done} of {total} questions, {self._note(tally)}{left}", soft_wrap=True)

    def _note(self, tally: EvalTally) -> str:
        parts = [f"{100 * tally.value / tally.verdicts:.1f} % {self._headline}" if tally.verdicts else "no verdict yet"]
        parts += [f"{count} {cause}" for cause, count in sorted(tally.causes.items())]
        spent = tally.spent
        if spent.num_calls:
            parts.append(plural(spent.num_calls, "call") + (f", {spent.cost_usd:.2f} USD" if spent.cost_usd else ""))
        if tally.judge_failure:
            parts.append("nothing is judged any more")
        return ", ".join(parts)
