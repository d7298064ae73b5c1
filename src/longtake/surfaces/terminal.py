"""The two streams every command prints to: answers on ``out``, what is being done on ``err``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console
from rich.progress import Progress

__all__ = ["err", "out", "print_json", "progress"]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


@contextmanager
def progress(what: str) -> Generator[Callable[[int, int], None]]:
    """A bar on a terminal, a line every tenth in a log."""
    if not err.is_terminal:
        tenths = set[int]()

        def line(done: int, total: int) -> None:
            tenth = 10 * done // max(total, 1)
            if tenth not in tenths:
                tenths.add(tenth)
                err.print(f"{what}: {done} of {total}")

        yield line
        return
    with Progress(console=err, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
