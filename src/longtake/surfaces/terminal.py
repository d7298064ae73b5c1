"""The two streams every command prints to: answers on ``out``, what is being done on ``err``; and interruptions."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import orjson
from rich.console import Console
from rich.progress import Progress

__all__ = ["err", "out", "print_json", "progress", "until_done"]

GRACE_SECONDS = 5.0
T = TypeVar("T")

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


def until_done(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives. An interruption ends the program with what to do next."""
    before = signal.signal(signal.SIGINT, _interrupted)
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """The books are right at any moment, so nothing is waited for long: a thread may be decoding an hour of video."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    err.print("interrupted; what was finished is kept: give the same command again to go on")
    timer = threading.Timer(GRACE_SECONDS, _leave)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _leave() -> None:
    err.show_cursor(True)
    os._exit(130)
