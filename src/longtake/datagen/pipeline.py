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
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter

from ..errors import (
    ConfigError,
    FormatError,
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
from .step import Outcome, Record, Step, key_of, model_identity, value_digest
from .store import RunStore, StepStore

__all__ = ["Apply", "Limits", "Runner", "StepCount", "Tally", "flow", "known", "records_of"]

T = TypeVar("T")
Apply = Callable[[Step, tuple[Record, ...]], Awaitable["list[Record] | None"]]
"""What a step makes of its inputs, () for nothing; None while that is not known."""

log = logging.getLogger(__name__)

MAX_FAILED_IN_A_ROW = 20
"""So many records of a step failing one after the other means that the endpoint or the step is broken."""
_OF_VIDEO = ("VideoError", "VideoDecodeError", "VideoNotFoundError", "VideoTimeoutError", "SpanError")
"""Failures of one video say nothing of the next."""


# ------------------------------------------------------------------------------------------------------ the flow


async def flow(apply: Apply, steps: Sequence[Step], records: Sequence[Record]) -> tuple[list[Record], bool]:
    """Sends the records of one video through ``steps``: what comes out at the end, and whether something is missing.

    A step that gathers waits until all before it is known."""
    waiting, left = False, list(records)
    at = 0
    while at < len(steps) and left:
        if steps[at].gathers:
            made = None if waiting else await apply(steps[at], tuple(left))
            if made is None:
                return [], True
            left, at = made, at + 1
            continue
        end = next((n for n in range(at, len(steps)) if steps[n].gathers), len(steps))
        branches = [_through(apply, steps[at:end], record) for record in left]
        results = [await branches[0]] if len(branches) == 1 else await _together(branches)
        left = [record for made, _ in results for record in made]
        waiting |= any(missing for _, missing in results)
        at = end
    return left, waiting


async def _through(apply: Apply, steps: Sequence[Step], record: Record) -> tuple[list[Record], bool]:
    made = await apply(steps[0], (record,))
    if made is None:
        return [], True
    return (made, False) if len(steps) == 1 or not made else await flow(apply, steps[1:], made)


async def _together(branches: Iterable[Awaitable[T]]) -> list[T]:
    """All of them side by side; the first error ends the others."""
    tasks = [asyncio.ensure_future(branch) for branch in branches]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def records_of(step: Step, inputs: tuple[Record, ...], outcome: Outcome) -> list[Record]:
    """What came out of ``inputs`` as records of their own."""
    made = list[Record]()
    for number, value in enumerate(outcome.values):
        id_ = step.id_of(inputs, number)
        made.append(
            Record(step.name, id_, inputs[0].video, value_digest(id_, value), inputs, lambda value=value: value)
        )
    return made


def known(
    stores: Mapping[str, StepStore], look: Callable[[Step, str, tuple[Record, ...], Outcome | None], None]
) -> Apply:
    """Reads what is in the journals and does nothing; ``look`` is shown every input of every step."""

    async def apply(step: Step, inputs: tuple[Record, ...]) -> list[Record] | None:
        key = key_of(step.hash, [record.digest for record in inputs])
        outcome = stores[step.name].find(key)
        look(step, key, inputs, outcome)
        return None if outcome is None or _is_open(outcome) else records_of(step, inputs, outcome)

    return apply


def _is_open(outcome: Outcome) -> bool:
    return outcome.status == "failed" and not outcome.permanent


# ------------------------------------------------------------------------------------------------------ counting


@dataclass(slots=True)
class StepCount:
    """What became of the inputs of one step so far. ``active``: being worked on now; ``usage``: of all that ended."""

    ok: int = 0
    rejected: int = 0
    invalid: int = 0
    failed: int = 0
    active: int = 0
    usage: Usage = Usage()
    seconds: float = 0.0

    @property
    def done(self) -> int:
        return self.ok + self.rejected + self.invalid + self.failed

    def add(self, outcome: Outcome) -> None:
        setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        self.usage += outcome.usage
        self.seconds += outcome.seconds


@dataclass(slots=True)
class Tally:
    """Counts by step, videos that are through, and what this process spent. Adds up over workers."""

    steps: dict[str, StepCount]
    num_videos: int = 0
    spent: Usage = field(default_factory=Usage)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def sum(cls, names: Iterable[str], parts: Iterable[Mapping[str, Any]]) -> Tally:
        """From several `as_json`."""
        total = cls({name: StepCount() for name in names})
        for part in parts:
            total.num_videos += part["num_videos"]
            total.spent += Usage(**part["spent"])
            for name, fields in part["steps"].items():
                count = total.steps[name]
                for status in ("ok", "rejected", "invalid", "failed", "active", "seconds"):
                    setattr(count, status, getattr(count, status) + fields[status])
                count.usage += Usage(**fields["usage"])
        return total


# ------------------------------------------------------------------------------------------------------ running


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_in_flight``: records worked on at once. ``max_cost_usd`` and ``max_tokens``: no model call is begun past
    them; they count what ``spent_before`` cost too."""

    max_in_flight: int = 64
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    spent_before: Usage = Usage()
    retry_failed: bool = False
    """Also tries again what failed for good."""

    def __post_init__(self) -> None:
        if self.max_in_flight < 1:
            raise ConfigError(f"max_in_flight must be at least 1, got {self.max_in_flight}")

    def check(self, spent: Usage) -> None:
        """Raises `SpendCapError` when no call may be begun any more."""
        total = self.spent_before + spent
        tokens = total.input_tokens + total.output_tokens
        if self.max_tokens is not None and tokens >= self.max_tokens:
            raise SpendCapError(f"{tokens} tokens are spent, {self.max_tokens} allowed; raise --max-tokens to go on")
        if self.max_cost_usd is None:
            return
        if total.cost_usd is None:
            raise SpendCapError("--max-cost needs prices, and a call had none; set LONGTAKE_PRICES to a price table")
        if total.cost_usd >= self.max_cost_usd:
            raise SpendCapError(
                f"{total.cost_usd:.2f} USD are spent, {self.max_cost_usd:.2f} allowed; raise --max-cost to go on"
            )


class Runner:
    """Runs ``steps`` on videos, keeping outcomes in ``store``; ``videos`` is the folder that sources are in.

    One for an event loop. What ends a run as a whole (a full disk, a refused key, the spend cap, an endpoint that
    is gone) is raised by `run`, after what was under way has ended or been stopped; nothing that was kept is lost."""

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
        self._num_busy = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._failed_in_a_row = Counter[str]()
        self._opened = dict[str, asyncio.Task[Video]]()
        self._cores = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "longtake-data")

    async def run(self, roots: Iterable[Record]) -> None:
        """All of ``roots``, as many videos at once as there is work for."""
        tasks = set[asyncio.Task[None]]()
        try:
            for root in roots:
                await self._has_room.wait()
                self._raise_first(tasks)
                tasks.add(asyncio.create_task(self.one(root)))
            while tasks:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                self._raise_first(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self.stopping is not None:
            raise self.stopping

    def close(self) -> None:
        self._cores.shutdown(wait=False, cancel_futures=True)

    def _raise_first(self, tasks: set[asyncio.Task[None]]) -> None:
        for task in [task for task in tasks if task.done()]:
            tasks.remove(task)
            task.result()

    async def one(self, root: Record) -> None:
        """One video from beginning to end, as far as it gets now."""
        _, waiting = await flow(self._apply, self.steps, [root])
        opened = self._opened.pop(root.video, None)
        if opened is not None and not opened.done():
            opened.cancel()
        self.tally.num_videos += not waiting

    async def _apply(self, step: Step, inputs: tuple[Record, ...]) -> list[Record] | None:
        store = self._stores[step.name]
        key = key_of(self._hashes[step.name], [record.digest for record in inputs])
        outcome = store.find(key)
        if outcome is None or (outcome.status == "failed" and (not outcome.permanent or self.limits.retry_failed)):
            outcome = await self._execute(step, key, inputs)
        if outcome is None:
            return None
        self.tally.steps[step.name].add(outcome)
        return None if _is_open(outcome) else records_of(step, inputs, outcome)

    async def _execute(self, step: Step, key: str, inputs: tuple[Record, ...]) -> Outcome | None:
        count = self.tally.steps[step.name]
        self._busy(1)
        try:
            async with self._slots:
                count.active += 1
                try:
                    outcome = await self._attempt(step, key, inputs)
                finally:
                    count.active -= 1
        finally:
            self._busy(-1)
        if outcome is not None:
            self._stores[step.name].put(key, inputs, outcome)
            self._watch(step, outcome)
        return outcome

    async def _attempt(self, step: Step, key: str, inputs: tuple[Record, ...]) -> Outcome | None:
        """How it ended; None if it could not be begun because the run is stopping."""
        context = _Work(self, self._stores[step.name], key, inputs)
        started = time.perf_counter()
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
        seconds = time.perf_counter() - started
        return Outcome(status, tuple(values), reason, permanent, context.usage, seconds)

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
        self.occurrences = Counter[str]()
        self.folder = runner.store.root / "files"

    def journaled(self, model: Model) -> Model:
        return _JournaledModel(model, self)

    async def open(self, source: Record) -> Video:
        return await self.runner.open(source)

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await self.runner.in_thread(work)


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
        rest = orjson.dumps([self.reply_identity, [asdict(tool) for tool in tools], asdict(config)])
        request = hashlib.sha256(_MESSAGES.dump_json(list(messages)) + rest).hexdigest()[:32]
        number = work.occurrences[request]
        work.occurrences[request] += 1
        key = key_of(work.key, [request, str(number)])
        output = work.store.said(key)
        if output is None:
            work.runner.limits.check(work.runner.tally.spent)
            if work.runner.stopping is not None:
                raise work.runner.stopping
            work.store.ask(key, work.record)
            try:
                output = await self._model.generate(messages, tools=tools, config=config)
            except ModelError as e:
                work.store.unsaid(key, work.record, f"{type(e).__name__}: {e}")
                raise
            work.store.say(key, work.record, output)
            work.runner.spend(output.usage)
        work.usage += output.usage
        return replace(output, seconds=0.0, cached=False)
