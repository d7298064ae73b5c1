"""Where work runs: in this process, or in worker processes on a Ray cluster. The same arguments, the same result.

Knows nothing of what the work is. Workers keep their results themselves (in journals), so nothing is lost with a
worker that dies: its items are given to others, and what it had done is found there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from .errors import ConfigError, LongtakeError, MissingExtraError

__all__ = ["Compute", "Local", "OnProgress", "Ray", "Worker"]

T = TypeVar("T", contravariant=True)
I = TypeVar("I")  # noqa: E741

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
MAX_AT_ONCE = 256
"""Items given to one worker at a time; it decides itself how many it works on."""
MAX_DEATHS = 3
"""An item whose worker died so often is tried alone, and given up when that happens as often again."""


class Worker(Protocol[T]):
    """Made where it works. ``run`` returns when the item is done as far as can be; what it raises ends everything."""

    async def run(self, item: T) -> None: ...
    def progress(self) -> Mapping[str, Any]:
        """Anything countable, as JSON."""
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
    async def map(self, make: Callable[[], Worker[I]], items: Sequence[I], on_progress: OnProgress) -> list[I]:
        """Runs every item on a worker that ``make`` made; gives back those given up since they kill their worker."""
        ...


class Local:
    """In this process, on this event loop."""

    async def map(self, make: Callable[[], Worker[I]], items: Sequence[I], on_progress: OnProgress) -> list[I]:
        worker = make()
        waiting = deque(items)
        tasks = set[asyncio.Task[None]]()
        try:
            while waiting or tasks:
                while waiting and len(tasks) < MAX_AT_ONCE:
                    tasks.add(asyncio.create_task(worker.run(waiting.popleft())))
                done, tasks = await asyncio.wait(tasks, timeout=PROGRESS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                if not on_progress(Progress([worker.progress()])):
                    worker.stop()
                    waiting.clear()
            return []
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            on_progress(Progress([worker.progress()]))
            worker.close()


class Ray:
    """On a Ray cluster: ``address`` as `ray.init` takes it (``auto``, ``host:port``), or ``local`` for one of its own
    on this machine. ``num_workers`` processes, by default one for every two cores of the cluster."""

    def __init__(self, address: str, *, num_workers: int | None = None) -> None:
        try:
            import ray
        except ImportError as e:
            raise MissingExtraError("--ray needs Ray: pip install 'longtake[ray]'") from e
        if num_workers is not None and num_workers < 1:
            raise ConfigError(f"there must be at least one worker, got {num_workers}")
        self._ray: Any = ray
        self.address = address
        self.num_workers = num_workers

    async def map(self, make: Callable[[], Worker[I]], items: Sequence[I], on_progress: OnProgress) -> list[I]:
        ray = self._ray
        try:
            ray.init(
                **({} if self.address == "local" else {"address": self.address}),
                ignore_reinit_error=True,
                log_to_driver=False,
                logging_level=logging.WARNING,
                include_dashboard=False if self.address == "local" else None,
            )
        except (ConnectionError, ValueError, RuntimeError) as e:
            raise ConfigError(
                f"no Ray cluster at {self.address!r}: {str(e).splitlines()[0]}; start one with `ray start --head`,"
                " or give --ray local"
            ) from e
        num = self.num_workers or max(1, int(ray.cluster_resources().get("CPU", 2)) // 2)
        pool = _Pool(ray, make, min(num, max(1, len(items))), on_progress)
        try:
            return await pool.map(items)
        finally:
            pool.close()


class _Actor:
    """The process around a worker."""

    def __init__(self, make: Callable[[], Worker[Any]]) -> None:
        self.worker = make()

    async def run(self, item: Any) -> None:
        await self.worker.run(item)

    async def progress(self) -> Mapping[str, Any]:
        return self.worker.progress()

    async def refresh(self) -> None:
        self.worker.refresh()

    async def stop(self) -> None:
        self.worker.stop()


class _Pool(Generic[I]):
    """Hands items to actors in turn and takes back those of actors that die; Ray starts these again."""

    def __init__(self, ray: Any, make: Callable[[], Worker[I]], num: int, on_progress: OnProgress) -> None:
        self._ray = ray
        actor = ray.remote(_Actor).options(num_cpus=1, max_restarts=-1, max_concurrency=MAX_AT_ONCE + 8)
        self._actors: list[Any] = [actor.remote(make) for _ in range(num)]
        self._at_work = [0] * num
        self._deaths = dict[int, int]()
        self._progress: dict[int, Mapping[str, Any]] = {}
        self._lost = list[Mapping[str, Any]]()
        self._on_progress = on_progress
        self._stopped = False

    async def map(self, items: Sequence[I]) -> list[I]:
        await self._each(range(len(items)), items, MAX_AT_ONCE)
        suspects = [number for number, deaths in self._deaths.items() if deaths >= MAX_DEATHS]
        self._deaths.clear()
        for number in suspects:
            await self._each([number], items, 1)
        return [items[number] for number, deaths in sorted(self._deaths.items()) if deaths >= MAX_DEATHS]

    def close(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor)

    async def _each(self, numbers: Sequence[int], items: Sequence[I], at_once: int) -> None:
        waiting = deque(numbers)
        tasks = dict[asyncio.Task[bool], int]()
        try:
            while waiting or tasks:
                while waiting and min(self._at_work) < at_once:
                    number = waiting.popleft()
                    tasks[asyncio.create_task(self._run(items[number]))] = number
                    await asyncio.sleep(0)
                done, _ = await asyncio.wait(tasks, timeout=PROGRESS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    number = tasks.pop(task)
                    if not task.result():
                        self._deaths[number] = self._deaths.get(number, 0) + 1
                        if self._deaths[number] < MAX_DEATHS:
                            waiting.append(number)
                await self._ask_progress()
                if self._stopped:
                    waiting.clear()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, item: I) -> bool:
        """Whether a worker did it; False if the worker died."""
        place = min(range(len(self._actors)), key=self._at_work.__getitem__)
        self._at_work[place] += 1
        try:
            await self._actors[place].run.remote(item)
            return True
        except self._ray.exceptions.RayActorError as e:
            log.warning(
                "worker %d died (%s); Ray starts it again and its work is taken up", place, str(e).splitlines()[0]
            )
            if last := self._progress.pop(place, None):
                self._lost.append(last)
            await self._refresh_all()
            return False
        except self._ray.exceptions.RayTaskError as e:
            if isinstance(e.cause, LongtakeError):
                raise e.cause from None
            raise
        finally:
            self._at_work[place] -= 1

    async def _refresh_all(self) -> None:
        refs = [actor.refresh.remote() for actor in self._actors]
        for ref in refs:
            try:
                await ref
            except self._ray.exceptions.RayActorError:  # that one reads everything when it starts
                continue

    async def _ask_progress(self) -> None:
        refs = [actor.progress.remote() for actor in self._actors]
        for place, ref in enumerate(refs):
            try:
                self._progress[place] = await asyncio.wait_for(ref, 10)
            except (self._ray.exceptions.RayActorError, TimeoutError):
                continue
        if not self._on_progress(Progress(list(self._progress.values()), self._lost)) and not self._stopped:
            self._stopped = True
            for actor in self._actors:
                actor.stop.remote()
