"""An evaluation in a folder: begun, or taken up where it stopped."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import cast

import orjson

from ..compute import Compute, Local, Progress
from ..errors import ConfigError, LongtakeError, ModelRequestError, SpendCapError, StoreError
from ..ledger import Fsync
from ..models.credentials import without_credentials
from ..models.journaled import Limits
from ..models.preflight import check_prices, preflight
from ..scoring.judge import Judge
from ..store import digest, locked
from ..types import JSON
from .contestant import Contestant, contestant
from .data.benchmark import Spec, load_spec
from .data.read import Loaded, read_benchmark
from .ground_cache import first_clips, read_ground_cache
from .items import Item
from .judging import bare, judge_model, with_spent
from .lmms.task import PREFIX, lmms_benchmark
from .regrade import Corrected, headline_of, regrade_unlocked, tried
from .settings import EvalSettings, absolute, selected
from .store import Ended, EvalStore, Manifest, read_items, read_manifest, write_manifest
from .worker import EvalTally, EvalWorker, Task, who_digest

__all__ = ["OnEvalTally", "check_models", "corrected", "evaluate_async", "load_benchmark", "num_to_ground"]

log = logging.getLogger(__name__)

OnEvalTally = Callable[[EvalTally, int], None]
"""Is told how far it is, of how many."""


def load_benchmark(settings: EvalSettings) -> Loaded:
    """The benchmark that ``settings`` name, read. Raises `ConfigError`."""
    if settings.benchmark.startswith(PREFIX):
        for name in ("videos", "subtitles", "split", "revision"):
            if getattr(settings, name) not in (None, False):
                raise ConfigError(
                    f"--{name} does not go with {settings.benchmark}: the task says where its data are; leave it out,"
                    " or give --data a folder with a task of your own"
                )
        return lmms_benchmark(settings.benchmark, settings.data)
    return read_benchmark(
        load_spec(settings.benchmark),
        settings.data or None,
        videos=Path(settings.videos) if settings.videos else None,
        revision=settings.revision,
        split=settings.split,
        subtitles=Path(settings.subtitles) if isinstance(settings.subtitles, str) else settings.subtitles,
    )


def corrected(root: Path, data: tuple[str, ...]) -> Corrected:
    """The questions of the evaluation in ``root`` with the gold that ``data`` hold now. Raises `ConfigError` where one
    is not there any more, or asks something else: that must be run, not graded."""
    manifest = read_manifest(root)
    if manifest is None:
        raise StoreError(f"there is no evaluation in {root}; give the --out folder of longtake eval run")
    settings = manifest.settings.model_copy(update={"data": data})
    loaded = load_benchmark(settings)
    now = {item.sample.id: item for item in loaded.items}
    items = list[Item]()
    for item in read_items(root):
        new = now.get(item.sample.id)
        if new is None or (new.sample.question, new.sample.choices) != (item.sample.question, item.sample.choices):
            raise ConfigError(
                f"question {item.sample.id} is {'not in the data' if new is None else 'another one'} now; only gold can"
                " be corrected without running again"
            )
        items.append(replace(new, sample=replace(new.sample, video=item.sample.video)))
    return Corrected(items, data, _data_digest(loaded))


@dataclass(frozen=True, slots=True)
class _Plan:
    """Makes the worker of an evaluation, in whatever process; pickles. ``constants`` are items that the constant
    answer is made from."""

    out: Path
    settings: EvalSettings
    spec: Spec
    headline: str
    items: Sequence[Item]
    first_clips: Mapping[str, str]
    limits: Limits
    fsync: Fsync

    def __call__(self) -> EvalWorker:
        settings = self.settings
        judge = settings.judge
        return EvalWorker(
            contestant(settings.ask, self.items, self.first_clips),
            self.spec,
            EvalStore(self.out, fsync=self.fsync),
            headline=self.headline,
            judge=Judge(judge_model(judge)) if judge.model else None,
            judge_in_flight=judge.in_flight,
            limits=self.limits,
            use_text=settings.subtitles is not False,
            deadline_seconds=settings.ask.deadline_seconds,
            isolate=settings.ask.isolate,
        )


async def evaluate_async(
    settings: EvalSettings,
    out: Path,
    *,
    compute: Compute | None = None,
    limits: Limits | None = None,
    fsync: Fsync = "group",
    change: bool = False,
    on_tally: OnEvalTally | None = None,
) -> dict[str, JSON]:
    """Runs an agent on a benchmark with ``out`` as the folder, or goes on where it stopped; `metrics.json` as a value.

    Raises `ConfigError`, `StoreError`, `JudgeError`, `SpendCapError`, or the `ModelError` of an endpoint that is not
    there; what was answered by then is kept."""
    limits, out = limits or Limits(), Path(absolute(str(out)))
    if settings.videos is not None:  # the folder is read again when gold is corrected, from wherever that is done
        settings = settings.model_copy(update={"videos": absolute(settings.videos)})
    loaded = await asyncio.to_thread(load_benchmark, settings)
    if not loaded.items:
        raise ConfigError(
            f"no question of {loaded.spec.title} can be used: {loaded.num_rows} rows, {len(loaded.malformed)}"
            f" malformed; see longtake eval check {settings.benchmark}"
        )
    items = selected(loaded.items, settings)
    items, begins = await asyncio.to_thread(_beginning, settings, loaded, items)
    who = contestant(settings.ask, loaded.items, begins)
    loaded = replace(loaded, spec=who.scored(loaded.spec))
    judging = judge_model(settings.judge) if settings.judge.model else None
    judge = Judge(judging) if judging is not None else None
    models = [bare(model) for model in (*who.models.values(), judging) if model is not None]
    check_prices(limits, models)
    headline = headline_of(loaded.spec, items, judge is not None)
    with locked(out):
        await preflight(dict.fromkeys(models))
        manifest = _manifest(settings, loaded, who)
        if judge is not None:
            manifest = _of_judge_before(out, manifest)
            write_manifest(out, manifest, items, change=change)
            manifest = await tried(out, manifest, items, judge, limits, settings.judge.in_flight, is_run=True)
        write_manifest(out, manifest, items, change=change)
        limits = with_spent(limits, out)
        tasks = [Task(item, epoch) for epoch in range(settings.epochs) for item in items]
        watch = _Watch(limits, len(tasks), on_tally)
        plan = _Plan(out, settings, loaded.spec, headline, loaded.items, begins, limits, fsync)
        try:
            given_up = await (compute or Local()).map(plan, tasks, watch, variables=settings.key_variables)
        except LongtakeError:
            await regrade_unlocked(out)
            raise
        if given_up:
            await asyncio.to_thread(_give_up, out, who_digest(who, settings.subtitles is not False), given_up)
        metrics = await regrade_unlocked(out)
        if watch.stopped is not None and watch.tally.done < len(tasks):
            raise watch.stopped
        _check_answered(watch.tally)
    return metrics


def _give_up(root: Path, who: str, tasks: Sequence[Task]) -> None:
    """Keeps that these questions ended their worker's process again and again; the next run tries them again."""
    store = EvalStore(root)
    for task in tasks:
        told = "its worker process ended again and again, perhaps at its video; the next run tries it again"
        log.warning("%s: %s", task.item.sample.id, told)
        store.fail(who, Ended(task.item.sample.id, task.epoch, "failed", "video", told))
    store.close()


async def check_models(settings: EvalSettings) -> None:
    """Raises what an evaluation with these settings would raise before its first call: `ConfigError`, or the
    `ModelError` of an endpoint that is not there or refuses the key."""
    who = contestant(settings.ask, ())
    await preflight(dict.fromkeys(bare(model) for model in who.models.values()))


def num_to_ground(settings: EvalSettings) -> int:
    """How many questions the grounding caches of ``settings`` do not know. Raises `ConfigError`."""
    loaded = load_benchmark(settings)
    known = _first_clips(settings, loaded)
    return sum(item.sample.id not in known for item in selected(loaded.items, settings))


def _beginning(settings: EvalSettings, loaded: Loaded, items: list[Item]) -> tuple[list[Item], dict[str, str]]:
    """The questions to ask, and where a team begins. Grounding is not asked what the caches know."""
    known = _first_clips(settings, loaded)
    files = ", ".join(settings.ground_cache)
    if settings.ask.agent == "ground":
        items, known = [item for item in items if item.sample.id not in known], {}
        if not items:
            raise ConfigError(f"{files}: a clip is known for every question already")
    elif files and not known:
        raise ConfigError(
            f"{files}: no question of {loaded.spec.title} is in it with a clip that its video has; clips are those of"
            " episodes of frame folders"
        )
    return items, known


def _first_clips(settings: EvalSettings, loaded: Loaded) -> dict[str, str]:
    found = dict[str, str]()
    for path in reversed(settings.ground_cache):
        found |= first_clips(read_ground_cache(Path(path)), loaded.items, loaded.spec.frame_fps)
    return found


def _of_judge_before(out: Path, manifest: Manifest) -> Manifest:
    """``manifest`` with the judge that the folder has: a new one takes its place once it was tried."""
    before = read_manifest(out)
    return manifest if before is None else replace(manifest, told={**manifest.told, "judge": before.told.get("judge")})


def _check_answered(tally: EvalTally) -> None:
    """Raises `ModelRequestError` where the endpoint took no request at all: that is not about the questions."""
    if tally.refused_request is not None and not tally.verdicts and tally.causes.keys() <= {"request", "video"}:
        raise ModelRequestError(
            f"the endpoint refused all {tally.causes['request']} requests, so the settings do not suit it (or every"
            f" question is too long for it); the last error: {tally.refused_request}"
        )


class _Watch:
    """Adds up the progress of all workers, and has them stop at the spend cap."""

    def __init__(self, limits: Limits, total: int, on_tally: OnEvalTally | None) -> None:
        self.stopped: SpendCapError | None = None
        self.tally = EvalTally()
        self._limits, self._total, self._on_tally = limits, total, on_tally

    def __call__(self, progress: Progress) -> bool:
        lost = EvalTally.sum(list(progress.lost))
        self.tally = EvalTally.sum(list(progress.now))
        self.tally.spent += lost.spent
        if self._on_tally is not None:
            self._on_tally(self.tally, self._total)
        try:
            self._limits.check(self.tally.spent)
        except SpendCapError as e:
            self.stopped = self.stopped or e
        return self.stopped is None


def _manifest(settings: EvalSettings, loaded: Loaded, who: Contestant) -> Manifest:
    use_text = settings.subtitles is not False
    pinned: dict[str, JSON] = {
        "benchmark": loaded.spec.name,
        "data": _data_digest(loaded),
        "who": who.identity,
        "words": use_text,
    }
    endpoints: JSON = {role: str(getattr(bare(m), "base_url", "in this process")) for role, m in who.models.items()}
    told: dict[str, JSON] = {
        "who_digest": who_digest(who, use_text),
        "spec": cast("JSON", orjson.loads(loaded.spec.model_dump_json())),
        "gold_given": who.gold,
        "num_first_clips": len(who.first_clips),
        "provenance": dict(loaded.provenance),
        "settings": without_credentials(settings.model_dump(mode="json")),
        "endpoints": without_credentials(endpoints),
        "num_rows": loaded.num_rows,
        "num_malformed": len(loaded.malformed),
        "num_duplicates": len(loaded.duplicates),
        "versions": _versions(),
    }
    return Manifest(pinned, told)


def _data_digest(loaded: Loaded) -> JSON:
    return loaded.provenance.get("digest") or digest(dict(loaded.provenance))


def _versions() -> dict[str, JSON]:
    found: dict[str, JSON] = {"python": platform.python_version()}
    for package in ("longtake", "av", "math-verify", "transformers", "vllm"):
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
