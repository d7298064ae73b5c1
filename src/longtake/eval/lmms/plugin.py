"""longtake as a model of lmms-eval: what `--model_args` mean, what is asked, what is kept, what an answer is.

Knows nothing of lmms-eval's classes: `lmms_model` translates between them and this. lmms-eval scores every string it
gets, so an empty one in place of a failure would be a wrong answer that nobody gave: what fails stops the run.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import orjson

from ...agents.ask import AskSettings, read_settings
from ...agents.loop import already, run
from ...errors import ConfigError, LongtakeError, ModelAuthError, ModelEndpointError, ModelError, StoreError, VideoError
from ...ledger import Committer, Ledger
from ...models.journaled import key_of
from ...store import digest, writer_name
from ...types import (
    JSON,
    GenerateConfig,
    Message,
    Model,
    ModelOutput,
    Sample,
    ToolSpec,
    Trace,
    Usage,
    from_json,
    to_json,
)
from ...video.decode import Video
from ..contestant import Contestant, contestant, no_video
from ..items import Item
from .request import Request, scored_text

__all__ = ["Outcome", "Player", "TraceStore", "manifest"]

log = logging.getLogger(__name__)

_MIN_FAILURES = 8
"""So many failures, and more than answers, and no further question is asked: something is wrong for all of them."""


def manifest() -> Any:
    """What lmms-eval's entry point group ``lmms_eval.models`` wants: the name and the class."""
    registry: Any = import_module("lmms_eval.models.registry_v2")
    return registry.ModelManifest("longtake", chat_class_path="longtake.eval.lmms.model.Longtake")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the task gets. ``kept``: it was answered in an earlier run."""

    text: str
    usage: Usage
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Player:
    """Who answers, read from ``--model_args``.

    All of `AskSettings` (``agent_options.KEY=VALUE`` reaches into a table), and ``concurrency`` (questions at once),
    ``trace_dir`` (where traces are kept, and found again), ``failed_as`` (what a task is told for a question that got
    no answer; without it the run stops. lmms-eval's own cache keeps any text but an empty one for good)."""

    settings: AskSettings
    contestant: Contestant
    concurrency: int = 8
    trace_dir: Path | None = None
    failed_as: str | None = None

    @classmethod
    def of_arguments(cls, arguments: Mapping[str, Any]) -> Player:
        """Raises `ConfigError` with what is wrong and what there is."""
        values, own = dict(arguments), dict[str, Any]()
        for name in ("concurrency", "trace_dir", "failed_as"):
            if name in values:
                own[name] = values.pop(name)
        concurrency = own.get("concurrency", 8)
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ConfigError(f"concurrency is how many questions are asked at once, 1 or more, got {concurrency!r}")
        try:
            settings = read_settings(_nested(values))
        except ConfigError as e:
            raise ConfigError(f"{e}, concurrency, trace_dir, failed_as (of --model_args)") from e
        player = contestant(settings, ())
        if player.gold:
            raise ConfigError(f"{settings.agent!r} is given {player.gold}, which a model of lmms-eval cannot have")
        folder = Path(str(own["trace_dir"])).expanduser() if "trace_dir" in own else None
        return cls(settings, player, concurrency, folder, str(own["failed_as"]) if "failed_as" in own else None)

    async def answer_all(self, requests: Sequence[Request], on_done: Callable[[], None]) -> list[Outcome]:
        """What the task gets for each request, in order; ``on_done`` is called after each.

        Questions that `trace_dir` has are not asked again. Raises `LongtakeError` when some have no answer and
        ``failed_as`` is not set: after the others were answered and kept, or at once where all would fail."""
        with TraceStore(self.trace_dir) as store:
            session = _Session(self, store, on_done)
            await asyncio.gather(*(session.answer(number, request) for number, request in enumerate(requests)))
        return session.outcomes([request.id for request in requests])


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as tables, and JSON texts as what they say."""
    found = dict[str, Any]()
    for name, value in values.items():
        *tables, last = name.split(".")
        table = found
        for inner in tables:
            within: Any = table.setdefault(inner, {})
            if not isinstance(within, dict):
                raise ConfigError(f"{name}: {inner} is not a table")
            table = cast("dict[str, Any]", within)
        if isinstance(value, str) and value[:1] in ("{", "["):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError as e:
                raise ConfigError(f"{name} is not JSON: {e}, got {value!r}") from e
        table[last] = value
    return found


class TraceStore(AbstractContextManager["TraceStore"]):
    """Traces by key in the folder, one JSON line each; nothing is kept without a folder. Raises `StoreError`."""

    def __init__(self, folder: Path | None) -> None:
        self._committer = Committer()
        self._ledger = Ledger(folder, writer_name(), self._committer, final=("done",)) if folder else None

    def done(self, key: str) -> Trace | None:
        """The trace of a question that was answered."""
        line = self._ledger.get(key) if self._ledger else None
        if line is None or line["status"] != "done":
            return None
        try:
            return from_json(Trace, orjson.dumps(line["trace"]))
        except StoreError as e:  # of another version of longtake
            log.warning("the kept answer to %s cannot be read, so it is asked again: %s", line["id"], e)
            return None

    def keep(self, key: str, request: Request, trace: Trace | None, error: str | None) -> None:
        """``error``: why there is no answer; the question is asked again in the next run."""
        if self._ledger is not None:
            kept = None if trace is None else orjson.Fragment(to_json(trace))
            fields = {"id": request.id, "error": error, "trace": kept}
            self._ledger.append(key, "failed" if error else "done", fields)

    def __exit__(self, *_: object) -> None:
        self._committer.close()
        if self._ledger is not None:
            self._ledger.close()


@dataclass(slots=True)
class _Session:
    """One call of `Player.answer_all`."""

    player: Player
    store: TraceStore
    on_done: Callable[[], None]
    found: dict[int, Outcome] = field(default_factory=dict[int, Outcome])
    failed: dict[int, str] = field(default_factory=dict[int, str])
    hopeless: str | None = None
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.player.concurrency)

    async def answer(self, number: int, request: Request) -> None:
        async with self.slots:
            if self.hopeless is None:
                try:
                    self.found[number] = await self._ask(request)
                except (VideoError, ModelError) as e:
                    self._note(number, e)
                self.on_done()

    def _note(self, number: int, error: LongtakeError) -> None:
        self.failed[number] = str(error)
        many = len(self.failed) >= _MIN_FAILURES and len(self.failed) > len(self.found)
        if self.player.failed_as is None and (many or isinstance(error, ModelAuthError | ModelEndpointError)):
            self.hopeless = str(error)

    async def _ask(self, request: Request) -> Outcome:
        """Raises `VideoError` or `ModelError` where there is no answer."""
        config = self._config(request)
        video = await asyncio.to_thread(self._open, request.video)
        key = await asyncio.to_thread(self._key, request, config, video)
        if kept := self.store.done(key):
            return Outcome(_said(kept, request), kept.usage, kept=True)
        sample = Sample(key[:16], request.video, request.question)
        watch = _Watch()
        who = self.player.contestant
        agent, model, _ = who.ready(Item(sample, "text", request.video), watch.over, request.repeat)
        trace: Trace | None = None
        try:
            trace = await run(agent, model, sample, config=config, open_video=already(video))
            text = _said(trace, request)
        except (VideoError, ModelError) as e:
            self.store.keep(key, request, trace, str(e))
            if watch.error is not None:
                raise watch.error from e
            raise
        self.store.keep(key, request, trace, None)
        return Outcome(text, trace.usage)

    def _open(self, uri: str) -> Video:
        settings = self.player.settings
        if not self.player.contestant.needs_video:
            return no_video(uri)
        return Video.open(uri, deadline_seconds=settings.deadline_seconds, isolate=settings.isolate)

    def _config(self, request: Request) -> GenerateConfig:
        """What ``--model_args`` say stands above what the task asks for."""
        given = self.player.settings.model_fields_set
        config = self.player.contestant.config
        if request.temperature is not None and "temperature" not in given:
            config = replace(config, temperature=request.temperature)
        if request.max_tokens is not None and "max_tokens" not in given:
            config = replace(config, max_tokens=request.max_tokens)
        return config if config.seed is None else replace(config, seed=config.seed + request.repeat)

    def _key(self, request: Request, config: GenerateConfig, video: Video) -> str:
        """Names the question by what decides its answer. Raises `VideoError`."""
        who = self.player.contestant
        asked: list[JSON] = [request.question, config.temperature, config.max_tokens, config.seed, request.repeat]
        return key_of(digest(cast("JSON", who.identity)), [video.info.fingerprint, who.words(video), digest(asked)])

    def outcomes(self, ids: Sequence[str]) -> list[Outcome]:
        """Raises `LongtakeError` when some are missing and the user did not say what stands for them."""
        if not self.failed:
            return [self.found[number] for number in range(len(ids))]
        causes = Counter(self.failed.values()).most_common(3)
        told = "; ".join(f"{cause} ({count} times)" if count > 1 else cause for cause, count in causes)
        first = ", ".join(ids[number] for number in sorted(self.failed)[:3])
        said = f"{len(self.failed)} of {len(ids)} questions have no answer ({first}...): {told}"
        stands = self.player.failed_as
        if stands is not None:
            log.warning("%s. The task is told %r for them, as failed_as says, and scores that", said, stands)
            return [self.found.get(number, Outcome(stands, Usage())) for number in range(len(ids))]
        kept = self.player.trace_dir
        again = (
            f"What was answered is in {kept}: run the same command again to ask only the others"
            if kept
            else "With trace_dir=FOLDER in --model_args, answers are kept for the next run"
        )
        left = len(ids) - len(self.failed) - len(self.found)
        stopped = f" {left} were not asked any more." if self.hopeless and left else ""
        raise LongtakeError(
            f"{said}.{stopped} {again}. failed_as=TEXT in --model_args scores TEXT in place of missing answers"
        )


@dataclass(slots=True)
class _Watch:
    """Remembers the error that ended a run: a trace has its words only, and some are true for every question."""

    error: ModelError | None = None

    def over(self, model: Model) -> Model:
        return _Watched(model, self)


class _Watched:
    def __init__(self, model: Model, watch: _Watch) -> None:
        self._model, self._watch = model, watch
        self.name = model.name

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        try:
            return await self._model.generate(messages, tools=tools, config=config)
        except ModelError as e:
            self._watch.error = e
            raise


def _said(trace: Trace, request: Request) -> str:
    """What the task scores, up to the first of the strings that end an answer. Raises `ModelError` for nothing."""
    text = scored_text(request.question, trace)
    if text is None:
        hint = " (max_tokens=N in --model_args stands above the task's)" if trace.stop_reason == "max_tokens" else ""
        raise ModelError(f"{trace.error or 'nothing was said'}{hint}")
    ends = [at for mark in request.until if mark and (at := text.find(mark)) >= 0]
    text = text[: min(ends, default=len(text))].strip()
    if not text:
        raise ModelError(f"the answer begins with a string that ends it, one of {request.until!r}")
    return text
