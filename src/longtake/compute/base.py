"""What a worker is and what runs workers; and the simplest of these, in this process."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

__all__ = ["MAX_AT_ONCE", "PROGRESS_SECONDS", "Compute", "Local", "OnProgress", "Progress", "Worker"]

T = TypeVar("T", contravariant=True)
I = TypeVar("I")  # noqa: E741

PROGRESS_SECONDS = 0.5
MAX_AT_ONCE = 256
"""Items given to one worker at a time; it decides itself how many it works on."""
DRAIN_SECONDS = 60.0
"""How long work under way may still take when everything ends."""


class Worker(Protocol[T]):
    """Made where it works. ``run`` returns when the item is done as far as can be; what it raises ends everything."""

    async def run(self, item: T) -> None: ...
    def progress(self) -> Mapping[str, Any]:
        """Anything countable, as JSON."""
        ...

    def num_kept(self) -> int:
        """How many results are kept in all, by whomever. While it grows, no item is given up."""
        ...

    def refresh(self) -> None:
        """Another worker died: look again at what is kept."""
        ...

    def stop(self) -> None:
        """Begin nothing new; `run` returns soon."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """``now`` of each worker at work, ``lost`` the last of those that died."""

    now: Sequence[Mapping[str, Any]]
    lost: Sequence[Mapping[str, Any]] = ()


OnProgress = Callable[[Progress], bool]
"""Called now and then and at the end: whether to go on. If not, the workers are told to stop."""


class Compute(Protocol):
    async def map(
        self,
        make: Callable[[], Worker[I]],
        items: Sequence[I],
        on_progress: OnProgress,
        *,
        variables: Collection[str] = (),
    ) -> list[I]:
        """Runs every item on a worker that ``make`` made; gives back those given up since they kill their worker.

        ``variables`` of this process's environment are those that a worker needs, wherever it is."""
        ...


class Local:
    """In this process, on this event loop."""

    async def map(
        self,
        make: Callable[[], Worker[I]],
        items: Sequence[I],
        on_progress: OnProgress,
        *,
        variables: Collection[str] = (),
    ) -> list[I]:
        del variables  # they are here
        worker = make()
        waiting = deque(items)
        tasks = set[asyncio.Task[None]]()
        errors = list[BaseException]()
        give_up_at = math.inf
        try:
            while (waiting or tasks) and time.monotonic() < give_up_at:
                while waiting and len(tasks) < MAX_AT_ONCE:
                    tasks.add(asyncio.create_task(worker.run(waiting.popleft())))
                done, tasks = await asyncio.wait(tasks, timeout=PROGRESS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                errors += [error for task in done if (error := task.exception()) is not None]
                if not on_progress(Progress([worker.progress()])) or errors:
                    worker.stop()
                    waiting.clear()
                    give_up_at = min(give_up_at, time.monotonic() + DRAIN_SECONDS)
            if errors:
                raise errors[0]
            return []
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            on_progress(Progress([worker.progress()]))
            worker.close()
