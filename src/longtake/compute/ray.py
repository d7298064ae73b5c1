"""Workers on a Ray cluster: started, given items, watched, and when one dies, replaced without losing or repeating."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..errors import ConfigError, LongtakeError, MissingExtraError
from .base import MAX_AT_ONCE, PROGRESS_SECONDS, OnProgress, Progress, Worker

__all__ = ["Ray"]

I = TypeVar("I")  # noqa: E741

log = logging.getLogger(__name__)

MAX_DEATHS = 3
"""An item whose worker died so often is tried alone, and given up when that happens as often again with nothing new
kept by anyone meanwhile: killed from outside, even again and again, it gets on a little each time."""
START_SECONDS = 30.0
"""No worker on the cluster after so long is worth a warning."""
CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 10.0


class Ray:
    """On a Ray cluster: ``address`` is ``auto``, ``host:port``, or ``local`` for a cluster of its own on this machine.

    ``num_workers`` processes, by default one for every two cores of the cluster. They see this process's folder, its
    LONGTAKE_ and OPENAI_ variables and those that `map` is told of; what is kept must be in a folder that all nodes
    share."""

    def __init__(self, address: str, *, num_workers: int | None = None) -> None:
        # what Ray's daemons say of a worker that died would be printed between the lines of our own output
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
        try:
            import ray
        except ImportError as e:
            raise MissingExtraError("--ray needs Ray: pip install 'longtake[ray]'") from e
        if num_workers is not None and num_workers < 1:
            raise ConfigError(f"there must be at least one worker, got {num_workers}")
        if address.startswith("ray://"):
            raise ConfigError(
                f"{address} is a Ray Client address; run this on a machine of the cluster and give auto or host:port"
            )
        self._ray: Any = ray
        self.address = address
        self.num_workers = num_workers

    async def map(
        self,
        make: Callable[[], Worker[I]],
        items: Sequence[I],
        on_progress: OnProgress,
        *,
        variables: Collection[str] = (),
    ) -> list[I]:
        """Raises `ConfigError` when there is no cluster, or no worker can be started on it."""
        is_ours = not self._ray.is_initialized()
        if is_ours:
            await self._connect()
        try:
            num = self.num_workers or max(1, int(self._ray.cluster_resources().get("CPU", 2)) // 2)
            pool = _Pool(self._ray, make, min(num, max(1, len(items))), on_progress, _environ(variables))
            try:
                return await pool.map(items)
            finally:
                await pool.close()
        finally:
            if is_ours:
                self._ray.shutdown()

    async def _connect(self) -> None:
        try:
            if self.address == "local":
                # a cluster that is gone in a moment has nothing to tell its makers
                os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            else:
                await self._knock()
            self._ray.init(
                address=self.address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({"include_dashboard": False} if self.address == "local" else {}),
            )
        except (OSError, ValueError, RuntimeError, SystemExit) as e:  # Ray exits where it cannot connect
            reason = next(iter(str(e).splitlines()), type(e).__name__)
            raise ConfigError(
                f"no Ray cluster at {self.address!r}: {reason}; start one with `ray start --head`, or give --ray local;"
                " for one that was started with a token, RAY_AUTH_MODE=token must be set here too"
            ) from e

    async def _knock(self) -> None:
        """Raises `OSError` where nobody listens; Ray itself would try for more than a minute."""
        address = os.environ.get("RAY_ADDRESS", self.address) if self.address == "auto" else self.address
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            return
        try:
            connecting = asyncio.open_connection(host.strip("[]"), int(port))
            _, writer = await asyncio.wait_for(connecting, CONNECT_SECONDS)
        except TimeoutError:
            raise ConnectionError(f"no answer in {CONNECT_SECONDS:.0f} s") from None
        writer.close()


# ----------------------------------------------------------------------------------------------- workers on Ray


class _Actor:
    """The process around a worker. The worker is made by `ready` and not before, so that its errors arrive whole."""

    def __init__(self, make: Callable[[], Worker[Any]], folder: str, environ: Mapping[str, str]) -> None:
        if os.path.isdir(folder):
            os.chdir(folder)
        os.environ.update(environ)
        self._make = make
        self._tasks = set[asyncio.Task[None]]()

    async def ready(self) -> int:
        self._worker = self._make()
        return self._worker.num_kept()

    async def run(self, item: Any) -> None:
        task = asyncio.create_task(self._worker.run(item))
        self._tasks.add(task)
        try:
            await task
        finally:
            self._tasks.discard(task)

    async def progress(self) -> Mapping[str, Any]:
        return self._worker.progress()

    async def refresh(self) -> int:
        self._worker.refresh()
        return self._worker.num_kept()

    async def stop(self) -> None:
        self._worker.stop()

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._worker.close()


@dataclass(eq=False)
class _Slot:
    """A place for a worker: the one in it now, and the items that it has. ``num_failed_starts`` is in a row."""

    actor: Any = None
    is_up: bool = False
    tasks: dict[asyncio.Task[None], int] = field(default_factory=dict[asyncio.Task[None], int])
    progress: Mapping[str, Any] | None = None
    num_failed_starts: int = 0


class _Pool(Generic[I]):
    """Hands items to workers in turn. When one dies, the others look at what it kept, then they get its items."""

    def __init__(
        self, ray: Any, make: Callable[[], Worker[I]], num: int, on_progress: OnProgress, environ: Mapping[str, str]
    ) -> None:
        self._ray = ray
        self._died: type[Exception] = ray.exceptions.RayActorError
        # it is not Ray that starts them again: until that is done it would say "died" to every item at once
        options = {"num_cpus": 1, "max_concurrency": MAX_AT_ONCE + 8, "scheduling_strategy": "SPREAD"}
        self._new_actor = lambda: ray.remote(_Actor).options(**options).remote(make, os.getcwd(), environ)
        self._slots = [_Slot() for _ in range(num)]
        self._starting = dict[asyncio.Task[None], _Slot]()
        self._num_deaths = 0
        self._deaths, self._strikes = Counter[int](), Counter[int]()
        self._num_kept = 0
        self._kept_before = dict[int, int]()
        """What was kept when an item was tried alone the last time."""
        self._lost = list[Mapping[str, Any]]()
        self._on_progress = on_progress
        self._is_stopped = False
        self._began = self._asked = time.monotonic()

    async def map(self, items: Sequence[I]) -> list[I]:
        for slot in self._slots if items else ():
            self._begin(slot)
        await self._round(range(len(items)), items, MAX_AT_ONCE)
        suspects = [number for number, deaths in sorted(self._deaths.items()) if deaths >= MAX_DEATHS]
        await self._round(suspects, items, 1, are_suspect=True)
        await self._ask_progress()
        return [items[number] for number, strikes in sorted(self._strikes.items()) if strikes >= MAX_DEATHS]

    async def close(self) -> None:
        """Lets the workers give back what they hold, and ends them."""
        tasks = [*self._starting, *(task for slot in self._slots for task in slot.tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        closing = [_result(slot.actor.close.remote()) for slot in self._slots if slot.is_up]
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*closing, return_exceptions=True), CLOSE_SECONDS)
        for slot in self._slots:
            if slot.actor is not None:
                self._ray.kill(slot.actor)

    async def _round(
        self, numbers: Iterable[int], items: Sequence[I], at_once: int, *, are_suspect: bool = False
    ) -> None:
        """Every item that ``numbers`` names, ``at_once`` of them on a worker."""
        waiting = deque(numbers)
        while waiting or any(slot.tasks for slot in self._slots):
            most = min(at_once, self._share(len(waiting)))
            while waiting and (free := [slot for slot in self._slots if slot.is_up and len(slot.tasks) < most]):
                slot = min(free, key=lambda slot: len(slot.tasks))
                number = waiting.popleft()
                if are_suspect and self._is_hopeless(number):
                    continue
                slot.tasks[asyncio.create_task(_result(slot.actor.run.remote(items[number])))] = number
            tasks = [*self._starting, *(task for slot in self._slots for task in slot.tasks)]
            await asyncio.wait(tasks, timeout=PROGRESS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in self._starting if task.done()]:
                self._started(self._starting.pop(task), task)
            for slot in [slot for slot in self._slots if any(task.done() for task in slot.tasks)]:
                waiting += await self._collect(slot, are_suspect=are_suspect)
            if time.monotonic() - self._asked >= PROGRESS_SECONDS:
                await self._ask_progress()
            if self._is_stopped:
                waiting.clear()

    def _share(self, num_waiting: int) -> int:
        """How many items a worker may have so that the others, and those about to start, have as many."""
        num = sum(slot.is_up for slot in self._slots)
        if time.monotonic() - self._began < START_SECONDS:
            num += len(self._starting)
        return -(-(num_waiting + sum(len(slot.tasks) for slot in self._slots)) // max(1, num))

    def _is_hopeless(self, number: int) -> bool:
        """Counts another try of an item; all workers that are up know what was kept until it died the last time."""
        before = self._kept_before.get(number)
        if before is not None:
            self._strikes[number] = 0 if self._num_kept > before else self._strikes[number] + 1
        self._kept_before[number] = self._num_kept
        return self._strikes[number] >= MAX_DEATHS

    async def _collect(self, slot: _Slot, *, are_suspect: bool) -> list[int]:
        """Takes note of what ended; gives back the items to be tried again because the worker died."""
        for task in [task for task in slot.tasks if task.done()]:
            if isinstance(error := task.exception(), self._died):
                break
            del slot.tasks[task]
            if error is not None:
                raise self._cause(error)
        else:
            return []
        log.warning("a worker died (%s); it is started again and its work is taken up", _last_line(error)[:300])
        numbers = await self._bury(slot)
        self._deaths.update(numbers)
        if not self._is_stopped:
            self._begin(slot)
        return [number for number in numbers if are_suspect or self._deaths[number] < MAX_DEATHS]

    async def _bury(self, slot: _Slot) -> list[int]:
        """The items it had not ended. After this it is dead for certain, and the others know what it kept."""
        self._ray.kill(slot.actor)  # it may only be out of reach, and would go on with what others get
        results = await asyncio.gather(*slot.tasks, return_exceptions=True)
        numbers = [number for number, result in zip(slot.tasks.values(), results, strict=True) if result is not None]
        slot.tasks.clear()
        slot.is_up = False
        self._num_deaths += 1
        if slot.progress is not None:
            self._lost.append(slot.progress)
            slot.progress = None
        for other in [other for other in self._slots if other.is_up]:
            with suppress(self._died):  # its own items say so too
                self._num_kept = max(self._num_kept, await other.actor.refresh.remote())
        return numbers

    def _begin(self, slot: _Slot) -> None:
        slot.actor = self._new_actor()
        self._starting[asyncio.create_task(self._start(slot.actor))] = slot

    async def _start(self, actor: Any) -> None:
        deaths = self._num_deaths
        num_kept = await actor.ready.remote()
        while deaths != self._num_deaths:  # what died while this one was reading
            deaths = self._num_deaths
            num_kept = await actor.refresh.remote()
        self._num_kept = max(self._num_kept, num_kept)

    def _started(self, slot: _Slot, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if error is None:
            slot.is_up, slot.num_failed_starts = True, 0
            return
        slot.num_failed_starts += 1
        if not isinstance(error, self._died):
            raise self._cause(error)
        if slot.num_failed_starts >= MAX_DEATHS:
            raise ConfigError(
                f"no worker can be started on the Ray cluster: {_last_line(error)}; every node needs the same Python"
                " with the same longtake and Ray"
            )
        self._begin(slot)

    async def _ask_progress(self) -> None:
        up = [slot for slot in self._slots if slot.is_up]
        asked = [asyncio.wait_for(_result(slot.actor.progress.remote()), 10) for slot in up]
        for slot, answer in zip(up, await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if not isinstance(answer, BaseException):
                slot.progress = answer
            elif isinstance(answer, self._died) and not slot.tasks:  # nothing else would tell
                await self._bury(slot)
                if not self._is_stopped:
                    self._begin(slot)
            elif not isinstance(answer, self._died | TimeoutError):
                raise self._cause(answer)
        self._asked = time.monotonic()
        if not up and self._starting and self._asked - self._began > START_SECONDS:
            free = self._ray.available_resources().get("CPU", 0)
            log.warning("no worker could be started yet: each takes a core, the Ray cluster has %g free", free)
            self._began = self._asked
        now = [slot.progress for slot in self._slots if slot.progress is not None]
        if not self._on_progress(Progress(now, self._lost)) and not self._is_stopped:
            self._is_stopped = True
            for slot in up:
                slot.actor.stop.remote()

    def _cause(self, error: BaseException) -> BaseException:
        """What a worker raised, as it raised it."""
        cause = getattr(error, "cause", None)
        return cause if isinstance(cause, LongtakeError) else error


def _environ(variables: Collection[str]) -> dict[str, str]:
    """What workers get of this process's environment."""
    shared = ("LONGTAKE_", "OPENAI_")
    return {name: value for name, value in os.environ.items() if name.startswith(shared) or name in variables}


async def _result(ref: Any) -> Any:
    return await ref


def _last_line(error: BaseException | None) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
