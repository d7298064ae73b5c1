"""Runs steps over records: what is known is read back, what is not is done and kept, and a kill loses nothing.

Every video flows by itself, so one is captioned while others are being split. The order of what comes out of a step
is the order of what went in, whatever finished first: the same replies give the same files, byte for byte.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter

from ..errors import (
    ConfigError,
    FormatError,
    LongtakeError,
    MissingExtraError,
    ModelAuthError,
    ModelConnectionError,
    ModelError,
    ModelRequestError,
    RejectedError,
    SpendCapError,
    StoreError,
    VideoError,
    VideoTimeoutError,
)
from ..types import GenerateConfig, Message, Model, ModelOutput, ToolSpec, Usage
from ..video.decode import Video
from .flow import Later, flow, is_open, records_of
from .step import Outcome, Record, Step, key_of, model_identity
from .store import RunStore, StepStore
from .tally import Limits, StepCount, Tally

__all__ = ["Runner"]

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_FAILED_IN_A_ROW = 20
"""So many records of a step failing one after the other means that the endpoint or the step is broken."""
_OF_VIDEO = ("VideoError", "VideoDecodeError", "VideoNotFoundError", "VideoTimeoutError", "SpanError")
"""Failures of one video say nothing of the next."""


class Runner:
    """Runs ``steps`` on videos, keeping outcomes in ``store``; ``videos`` is the folder that sources are in.

    A `Worker` (see `compute`) whose items are root records. `run` raises what ends a run as a whole: a full disk, a
    refused key, an endpoint that is gone. At the spend cap no call is begun any more, and what is under way ends."""

    def __init__(
        self, steps: Sequence[Step], store: RunStore, *, videos: Path | None = None, limits: Limits | None = None
    ) -> None:
        self.steps = list(steps)
        self.store = store
        self.videos = videos
        self.limits = limits or Limits()
        self.tally = Tally({step.name: StepCount() for step in self.steps})
        self.stopping: SpendCapError | None = None
        """Set, no model call is begun any more; what is under way ends."""
        self._stores = store.steps(self.steps)
        self._hashes = {step.name: step.hash for step in self.steps}
        self._slots = asyncio.Semaphore(self.limits.max_in_flight)
        self.calls = asyncio.Semaphore(self.limits.max_in_flight)
        """A step may make many calls at once, so records alone do not bound them."""
        self._num_busy = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._failed_in_a_row = Counter[str]()
        self._ended_by: LongtakeError | None = None
        self._opened = dict[str, asyncio.Task[Video]]()
        self._cores = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "longtake-data")

    async def run(self, item: Record) -> None:
        """One video from beginning to end, as far as it gets now."""
        await self._has_room.wait()
        _, waiting = await flow(self._apply, self.steps, [item])
        opened = self._opened.pop(item.video, None)
        if opened is not None and not opened.done():
            opened.cancel()
        self.tally.num_videos += not waiting

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

    def _apply(self, step: Step, inputs: tuple[Record, ...]) -> list[Record] | Later[list[Record] | None] | None:
        self.tally.steps[step.name].known += 1
        key = key_of(self._hashes[step.name], [record.digest for record in inputs])
        outcome = self._stores[step.name].find(key)
        if outcome is None or (outcome.status == "failed" and (not outcome.permanent or self.limits.retry_failed)):
            return partial(self._make, step, key, inputs)
        return self._ended(step, inputs, outcome)

    async def _make(self, step: Step, key: str, inputs: tuple[Record, ...]) -> list[Record] | None:
        outcome = await self._execute(step, key, inputs)
        return None if outcome is None else self._ended(step, inputs, outcome)

    def _ended(self, step: Step, inputs: tuple[Record, ...], outcome: Outcome) -> list[Record] | None:
        self.tally.steps[step.name].add(outcome)
        return None if is_open(outcome) else records_of(step, inputs, outcome)

    async def _execute(self, step: Step, key: str, inputs: tuple[Record, ...]) -> Outcome | None:
        count = self.tally.steps[step.name]
        self._busy(1)
        try:
            async with self._slots:
                if self._ended_by is not None:
                    raise self._ended_by
                count.active += 1
                try:
                    outcome = await self._attempt(step, key, inputs)
                finally:
                    count.active -= 1
            if outcome is not None:
                self._stores[step.name].put(key, inputs, outcome)
                self._watch(step, outcome)
            return outcome
        except LongtakeError as e:
            self._ended_by = e
            raise
        finally:
            self._busy(-1)

    async def _attempt(self, step: Step, key: str, inputs: tuple[Record, ...]) -> Outcome | None:
        """How it ended; None if it could not be begun because the run is stopping."""
        context = _Work(self, self._stores[step.name], key, inputs)
        status, reason, permanent = "ok", None, False
        values: Sequence[Mapping[str, Any]] = ()
        try:
            values = await step.run(inputs, context)
            if not step.many and len(values) != 1:
                raise ConfigError(f"the step {step.name} makes one value, it made {len(values)}; set many")
        except SpendCapError as e:
            self.stopping = self.stopping or e
            return None
        except (ConfigError, MissingExtraError, ModelAuthError, StoreError):
            raise
        except RejectedError as e:
            status, reason = "rejected", str(e)
        except FormatError as e:
            status, reason = "invalid", str(e)
        except (VideoError, ModelError) as e:
            status, reason = "failed", f"{type(e).__name__}: {e}"
            permanent = isinstance(e, VideoError | ModelRequestError) and not isinstance(e, VideoTimeoutError)
        except Exception as e:
            log.warning("step %s failed on %s", step.name, inputs[0].id, exc_info=True)
            status, reason = "failed", f"{type(e).__name__}: {e}"
        return Outcome(status, tuple(values), reason, permanent, context.usage, context.seconds)

    def _watch(self, step: Step, outcome: Outcome) -> None:
        """Raises `ModelConnectionError` when a step does nothing but fail."""
        if outcome.status != "failed" or (outcome.reason or "").startswith(_OF_VIDEO):
            self._failed_in_a_row[step.name] = 0
            return
        self._failed_in_a_row[step.name] += 1
        if self._failed_in_a_row[step.name] >= MAX_FAILED_IN_A_ROW:
            raise ModelConnectionError(
                f"{MAX_FAILED_IN_A_ROW} records in a row failed in step {step.name}, so the run stops; the last error:"
                f" {outcome.reason}. What was finished is kept: mend it and run the same command again"
                + (" with --retry-failed" if outcome.permanent else "")
            )

    def _busy(self, change: int) -> None:
        """New videos are begun while there are fewer records at work than twice the limit."""
        self._num_busy += change
        if self._num_busy < 2 * self.limits.max_in_flight:
            self._has_room.set()
        else:
            self._has_room.clear()

    def spend(self, usage: Usage) -> None:
        self.tally.spent += usage

    async def open(self, source: Record) -> Video:
        """Each video once while it is at work."""
        task = self._opened.get(source.video)
        if task is None:
            path = (self.videos or Path()) / str(source.value["video"])
            task = self._opened[source.video] = asyncio.ensure_future(self.in_thread(lambda: Video.open(path)))
        try:
            return await asyncio.shield(task)
        except VideoError:
            self._opened.pop(source.video, None)
            raise

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._cores, work)


# --------------------------------------------------------------------------------------- what a step works with


class _Work:
    """The `Context` of one input of one step."""

    def __init__(self, runner: Runner, store: StepStore, key: str, inputs: tuple[Record, ...]) -> None:
        self.runner, self.store, self.key, self.record = runner, store, key, inputs[0].id
        self.usage = Usage()
        self.seconds = 0.0
        """Of work: in threads and in model calls, without waiting for a turn."""
        self.occurrences = Counter[str]()
        self.folder = runner.store.root / "files"

    def journaled(self, model: Model) -> Model:
        return _JournaledModel(model, self)

    async def open(self, source: Record) -> Video:
        return await self.runner.open(source)

    async def in_thread(self, work: Callable[[], T]) -> T:
        def timed() -> T:
            started = time.perf_counter()
            try:
                return work()
            finally:
                self.seconds += time.perf_counter() - started

        return await self.runner.in_thread(timed)


_MESSAGES = TypeAdapter(list[Message])


class _JournaledModel:
    """A model whose replies are kept the moment they come, by record, request and how often it was made.

    Frames count by (video, seconds, size), not by their pixels, so nothing is hashed that was just decoded."""

    def __init__(self, model: Model, work: _Work) -> None:
        self._model, self._work = model, work
        self.name = model.name
        self.reply_identity = model_identity(model)

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        work = self._work
        rest = orjson.dumps([self.reply_identity, list(tools), config])
        request = hashlib.sha256(_MESSAGES.dump_json(list(messages)) + rest).hexdigest()[:32]
        number = work.occurrences[request]
        work.occurrences[request] += 1
        key = key_of(work.key, [request, str(number)])
        output = work.store.said(key)
        if output is None:
            async with work.runner.calls:
                output = await self._ask(key, messages, tools, config)
        work.usage += output.usage
        return replace(output, seconds=0.0, cached=False)

    async def _ask(
        self, key: str, messages: Sequence[Message], tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        """One call, noted before it is made: if it is cut off by a kill it may have been paid for."""
        work, runner = self._work, self._work.runner
        runner.limits.check(runner.tally.spent)
        if runner.stopping is not None:
            raise runner.stopping
        work.store.ask(key, work.record)
        started = time.perf_counter()
        try:
            output = await self._model.generate(messages, tools=tools, config=config)
        except ModelError as e:
            work.store.unsaid(key, work.record, f"{type(e).__name__}: {e}")
            raise
        work.seconds += time.perf_counter() - started
        work.store.say(key, work.record, output)
        runner.spend(output.usage)
        return output
