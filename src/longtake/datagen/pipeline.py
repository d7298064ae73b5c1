"""Runs steps over records: what is known is read back, what is not is done and kept, and a kill loses nothing.

Every video flows by itself, so one is captioned while others are being split. The order of what comes out of a step
is the order of what went in, whatever finished first: the same replies give the same files, byte for byte.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..errors import (
    ConfigError,
    FormatError,
    LongtakeError,
    MissingExtraError,
    ModelAuthError,
    ModelConnectionError,
    ModelEndpointError,
    ModelError,
    ModelRequestError,
    RejectedError,
    SpanError,
    SpendCapError,
    StoreError,
    VideoDecodeError,
    VideoError,
)
from ..models.journaled import Account, JournaledModel, Limits, StoppingError, key_of
from ..types import Model, Usage
from ..video.decode import Video
from .flow import Later, flow, is_open, records_of
from .step import Outcome, Record, Step
from .store import RunStore, StepStore
from .tally import StepCount, Tally
from .turns import Turns

__all__ = ["Runner"]

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_FAILED_IN_A_ROW = 20
"""So many records of a step failing one after the other means that the endpoint or the step is broken."""


_ENDS_ALL = (ConfigError, MissingExtraError, ModelAuthError, ModelEndpointError, SpendCapError, StoreError)
"""Wrong for every record, not for this one."""


@dataclass(slots=True)
class _VideoAtWork:
    """``number`` in the order of being begun; ``opened`` by path."""

    number: int
    is_settled: bool = False
    opened: dict[str, asyncio.Task[Video]] = field(default_factory=dict[str, "asyncio.Task[Video]"])


class Runner:
    """Runs ``steps`` on videos, keeping outcomes in ``store``; ``videos`` is the folder that sources are in.

    A `Worker` (see `compute`) whose items are root records. `run` raises what ends a run as a whole: a full disk, a
    refused key, an endpoint that is gone. Then, and at the spend cap, nothing is begun any more, and the calls under
    way end: they are paid for."""

    def __init__(
        self, steps: Sequence[Step], store: RunStore, *, videos: Path | None = None, limits: Limits | None = None
    ) -> None:
        self.steps = list(steps)
        self.store = store
        self.videos = videos
        self.limits = limits or Limits()
        self.tally = Tally({step.name: StepCount() for step in self.steps})
        self.stopping: LongtakeError | None = None
        """Set, no model call and no record is begun any more; what is under way ends."""
        self._stores = store.steps(self.steps)
        self._hashes = {step.name: step.hash for step in self.steps}
        self._positions = {step.name: position for position, step in enumerate(self.steps)}
        self._turns = Turns(self.limits.max_in_flight)
        self.calls = asyncio.Semaphore(self.limits.max_in_flight)
        """A step may make many calls at once, so records alone do not bound them."""
        self._door = asyncio.Lock()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._num_busy = 0
        self._num_begun = 0
        self._failed_in_a_row = Counter[str]()
        self._worked = set[str]()
        self._cores = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "longtake-data")

    async def run(self, item: Record) -> None:
        """One video from beginning to end, as far as it gets now."""
        async with self._door:  # one by one, so that each sees how much work the one before has brought
            await self._has_room.wait()
            await asyncio.sleep(0)
            self._num_begun += 1
            video = _VideoAtWork(self._num_begun)
            self._busy(self._new_weight)
        try:
            _, waiting = await flow(partial(self._apply, video), self.steps, [item])
        finally:
            self._settle(video)
            for opened in video.opened.values():
                opened.cancel()
        self.tally.num_videos += not waiting
        if self.stopping is not None and not isinstance(self.stopping, SpendCapError):
            raise type(self.stopping)(str(self.stopping)) from self.stopping

    @property
    def _new_weight(self) -> int:
        """What a video counts for until it is known how much work it is: few are looked into at a time."""
        return max(1, self.limits.max_in_flight // 4)

    def _settle(self, video: _VideoAtWork) -> None:
        if not video.is_settled:
            video.is_settled = True
            self._busy(-self._new_weight)

    def progress(self) -> Mapping[str, Any]:
        return self.tally.as_json()

    def num_kept(self) -> int:
        return sum(store.num_kept for store in self._stores.values())

    def refresh(self) -> None:
        self.store.refresh()

    def stop(self) -> None:
        self.stopping = self.stopping or SpendCapError("the spend cap is reached")

    def close(self) -> None:
        self._cores.shutdown(wait=False, cancel_futures=True)
        self.store.close()

    def _apply(
        self, video: _VideoAtWork, step: Step, inputs: tuple[Record, ...]
    ) -> list[Record] | Later[list[Record] | None] | None:
        self.tally.steps[step.name].known += 1
        key = key_of(self._hashes[step.name], [record.digest for record in inputs])
        outcome = self._stores[step.name].find(key)
        if outcome is None or (outcome.status == "failed" and (not outcome.permanent or self.limits.retry_failed)):
            return partial(self._make, video, step, key, inputs)
        return self._ended(step, inputs, outcome)

    async def _make(self, video: _VideoAtWork, step: Step, key: str, inputs: tuple[Record, ...]) -> list[Record] | None:
        outcome = await self._execute(video, step, key, inputs)
        return None if outcome is None else self._ended(step, inputs, outcome)

    def _ended(self, step: Step, inputs: tuple[Record, ...], outcome: Outcome) -> list[Record] | None:
        self.tally.steps[step.name].add(outcome)
        return None if is_open(outcome) else records_of(step, inputs, outcome)

    async def _execute(self, video: _VideoAtWork, step: Step, key: str, inputs: tuple[Record, ...]) -> Outcome | None:
        """How it ended, kept; None if it did not end because the run is stopping."""
        position = self._positions[step.name]
        self._busy(1)
        try:
            if position >= min(2, len(self.steps) - 1):
                self._settle(video)
            async with self._turns.turn((video.number, -position)):
                return None if self.stopping is not None else await self._do(video, step, key, inputs)
        finally:
            self._busy(-1)

    async def _do(self, video: _VideoAtWork, step: Step, key: str, inputs: tuple[Record, ...]) -> Outcome | None:
        count, store = self.tally.steps[step.name], self._stores[step.name]
        count.active += 1
        try:
            outcome = await self._attempt(_Work(self, video, store, key, inputs), step, inputs)
            try:
                store.put(key, inputs, outcome)
            except TypeError as e:  # half an emoji, a number past 64 bits
                told = f"its values cannot be stored: {e}"
                outcome = Outcome("failed", (), told, True, outcome.usage, outcome.seconds)
                store.put(key, inputs, outcome)
            self._watch(step, outcome)
            return outcome
        except StoppingError:
            return None
        except _ENDS_ALL as e:
            self.stopping = self.stopping or e
            return None
        finally:
            count.active -= 1

    async def _attempt(self, context: _Work, step: Step, inputs: tuple[Record, ...]) -> Outcome:
        """How it ended. Raises what ends the run as a whole."""
        status, reason, permanent = "ok", None, False
        values: Sequence[Mapping[str, Any]] = ()
        try:
            values = await step.run(inputs, context)
            if not step.many and len(values) != 1:
                raise ConfigError(f"the step {step.name} makes one value, it made {len(values)}; set many")
        except (
            StoppingError,
            ConfigError,
            MissingExtraError,
            ModelAuthError,
            ModelEndpointError,
            SpendCapError,
            StoreError,
        ):
            raise
        except RejectedError as e:
            status, reason = "rejected", str(e)
        except FormatError as e:
            status, reason = "invalid", str(e)
        except (VideoError, ModelError) as e:
            status, reason = "failed", f"{type(e).__name__}: {e}"
            permanent = isinstance(e, VideoDecodeError | SpanError | ModelRequestError)
        except Exception as e:
            log.warning("step %s failed on %s", step.name, inputs[0].id, exc_info=True)
            status, reason = "failed", f"{type(e).__name__}: {e}"
        return Outcome(status, tuple(values), reason, permanent, context.account.usage, context.account.seconds)

    def _watch(self, step: Step, outcome: Outcome) -> None:
        """Stops the run when a step does nothing but fail. What is wrong with one video, or with single requests
        while others are answered, says nothing about the rest."""
        if outcome.status != "failed":
            self._worked.add(step.name)
            self._failed_in_a_row[step.name] = 0
            return
        of_video = (outcome.reason or "").startswith(("VideoDecodeError", "SpanError"))
        of_this_record = outcome.permanent and (of_video or step.name in self._worked)
        self._failed_in_a_row[step.name] += not of_this_record
        if self._failed_in_a_row[step.name] >= MAX_FAILED_IN_A_ROW:
            self.stopping = self.stopping or ModelConnectionError(
                f"{MAX_FAILED_IN_A_ROW} records in a row failed in step {step.name}, so the run stops; the last error:"
                f" {outcome.reason}. What was finished is kept: mend it and run the same command again"
                + (" with --retry-failed" if outcome.permanent else "")
            )

    def _busy(self, change: int) -> None:
        """Videos are begun while less is at work than twice the limit."""
        self._num_busy += change
        if self._num_busy < 2 * self.limits.max_in_flight:
            self._has_room.set()
        else:
            self._has_room.clear()

    def begin(self) -> None:
        if self.stopping is not None:
            raise StoppingError
        self.limits.check(self.tally.spent)

    def spend(self, usage: Usage) -> None:
        self.tally.spent += usage

    async def open(self, name: str, opened: dict[str, asyncio.Task[Video]]) -> Video:
        """The video of this name, once: ``opened`` are those that are open."""
        if name not in opened:
            path = (self.videos or Path()) / name
            opened[name] = asyncio.ensure_future(self.in_thread(lambda: Video.open(path)))
        try:
            return await asyncio.shield(opened[name])
        except Exception:
            opened.pop(name, None)
            raise

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._cores, work)


# --------------------------------------------------------------------------------------- what a step works with


class _Work:
    """The `Context` of one input of one step."""

    def __init__(
        self, runner: Runner, video: _VideoAtWork, store: StepStore, key: str, inputs: tuple[Record, ...]
    ) -> None:
        self.runner, self.video, self.store = runner, video, store
        self.account = Account(key, inputs[0].id)
        self.folder = runner.store.root / "files"

    def journaled(self, model: Model) -> Model:
        return JournaledModel(model, self.store.calls, self.runner, self.account)

    async def open(self, source: Record) -> Video:
        return await self.runner.open(str(source.value["video"]), self.video.opened)

    async def in_thread(self, work: Callable[[], T]) -> T:
        def timed() -> T:
            started = time.perf_counter()
            try:
                return work()
            finally:
                self.account.seconds += time.perf_counter() - started

        return await self.runner.in_thread(timed)
