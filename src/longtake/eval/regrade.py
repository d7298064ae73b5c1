"""An evaluation that was run, graded by today's scorers, and by a judge where one is asked. Asks no agent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import orjson

from ..errors import ModelAuthError, ModelEndpointError, ModelError, StoreError
from ..models.credentials import without_credentials
from ..models.journaled import StoppingError, model_identity
from ..models.preflight import preflight
from ..scoring.judge import Judge, Probes
from ..store import locked, write_atomic
from ..types import JSON, Score, Usage
from .data.benchmark import Spec
from .grade import grade, is_judged, scorers_of
from .items import Graded, Item
from .judging import AbsentJudge, Judging, bare, judge_failure, judge_model, keep_judge_failure, probed
from .report.metrics import summarise
from .settings import EvalSettings, JudgeSettings
from .store import Ended, EvalStore, Manifest, read_items, read_manifest, write_manifest

__all__ = [
    "Corrected",
    "Opened",
    "headline",
    "headline_of",
    "metrics_of",
    "open_evaluation",
    "regrade",
    "regrade_unlocked",
    "with_judge",
]


@dataclass(frozen=True, slots=True)
class Opened:
    """An evaluation opened to be read: the questions, what became of each in every epoch, and what is known of it."""

    root: Path
    manifest: Manifest
    items: Mapping[str, Item]
    graded: Sequence[Graded]
    ended: Mapping[tuple[str, int], Ended]
    num_stored: int
    """Answers in the folder, also of questions, epochs or settings that it is not about now."""

    @property
    def spec(self) -> Spec:
        return _spec(self.manifest)

    @property
    def settings(self) -> EvalSettings:
        return _settings(self.manifest)


@dataclass(frozen=True, slots=True)
class Corrected:
    """Questions with another gold than was kept, and the data that it is from."""

    items: Sequence[Item]
    data: tuple[str, ...]
    data_digest: JSON


def _manifest(root: Path) -> Manifest:
    manifest = read_manifest(root)
    if manifest is None:
        raise StoreError(f"there is no evaluation in {root}; give the --out folder of longtake eval run")
    return manifest


def _spec(manifest: Manifest) -> Spec:
    return Spec.model_validate(manifest.told["spec"])


def _settings(manifest: Manifest) -> EvalSettings:
    return EvalSettings.model_validate(manifest.told["settings"])


def with_settings(manifest: Manifest, **changes: JSON) -> Manifest:
    """``manifest`` with these settings changed."""
    settings = {**cast("dict[str, JSON]", manifest.told["settings"]), **changes}
    return replace(manifest, told={**manifest.told, "settings": settings})


async def open_evaluation(
    root: Path, *, judge: Judge | None = None, in_flight: int = 16, items: Sequence[Item] | None = None
) -> Opened:
    """Grades what is kept in ``root`` by today's scorers. ``judge`` is asked what it has not said yet; without one,
    the verdicts of the run's own judge are read back. ``items`` are questions with another gold than was kept.

    Raises `StoreError` if there is no evaluation."""
    manifest = _manifest(root)
    items = read_items(root) if items is None else items
    store = EvalStore(root)
    try:
        ended = _ended(store, manifest, items)
        verdicts = await _verdicts(store, manifest, {item.sample.id: item for item in items}, ended, judge, in_flight)
        num_stored = store.num_answered
    finally:
        store.close()
    has_judge, spec = judge is not None or manifest.told.get("judge") is not None, _spec(manifest)
    places = [(item, epoch) for epoch in range(_settings(manifest).epochs) for item in items]
    graded = [
        grade(item, epoch, ended.get(at), spec, verdicts.get(at), has_judge=has_judge)
        for item, epoch in places
        if (at := (item.sample.id, epoch))
    ]
    return Opened(root, manifest, {item.sample.id: item for item in items}, graded, ended, num_stored)


def _ended(store: EvalStore, manifest: Manifest, items: Sequence[Item]) -> dict[tuple[str, int], Ended]:
    """What became of every question in every epoch; nothing where it was not run."""
    who, found = str(manifest.told["who_digest"]), dict[tuple[str, int], Ended]()
    for epoch in range(_settings(manifest).epochs):
        for item in items:
            ended = store.now(who, item.sample.id, epoch)
            if ended is not None and _asks_the_same(ended, item):
                found[item.sample.id, epoch] = ended
    return found


def _asks_the_same(ended: Ended, item: Item) -> bool:
    """Not so where a run with other data was begun and not finished."""
    if ended.trace is None:
        return True
    was, now = ended.trace.sample, item.sample
    return (was.question, was.choices) == (now.question, now.choices)


async def _verdicts(
    store: EvalStore,
    manifest: Manifest,
    items: Mapping[str, Item],
    ended: Mapping[tuple[str, int], Ended],
    judge: Judge | None,
    in_flight: int,
) -> dict[tuple[str, int], Score]:
    """What a judge says of every answer that is judged; none is left once it failed a canary."""
    told = cast("dict[str, JSON] | None", manifest.told.get("judge"))
    if judge is not None:
        by, failure = judge, None
    elif told is not None:
        by = Judge(AbsentJudge(str(told["name"]), told["model"]))
        failure = judge_failure(store.root, told["identity"])
    else:
        return {}
    gate = _Gate(in_flight, is_open=judge is not None)
    judging, errors = Judging(by, store.judgements, gate), list[ModelError]()

    async def one(how: Ended) -> Score:
        try:
            return await judging.score(items[how.id], how)
        except StoppingError:
            pass
        except (ModelAuthError, ModelEndpointError) as e:  # what others are being told is still kept
            gate.is_open = False
            errors.append(e)
        return Score("judge", None, error=f"not judged yet; longtake eval regrade DIR --judge {by.name} asks it")

    asked = {at: how for at, how in ended.items() if is_judged(items[how.id], how)}
    scores = dict(zip(asked, await asyncio.gather(*map(one, asked.values())), strict=True))
    if errors:
        raise errors[0]
    if by.canaries.failure is not None:
        keep_judge_failure(store.root, by)
        failure = by.canaries.failure
    return scores if failure is None else {at: Score("judge", None, error=failure) for at in scores}


async def regrade(
    root: Path,
    *,
    judge: JudgeSettings | None = None,
    corrected: Corrected | None = None,
    min_coverage: float | None = None,
) -> dict[str, JSON]:
    """Grades what is kept in ``root`` again and writes ``metrics.json`` and ``predictions.jsonl``; asks no agent.

    ``judge`` is asked what it has not said yet, ``corrected`` gold takes the place of what was kept, and a
    ``min_coverage`` that of the run's; whoever reads the folder afterwards finds all three. Raises `StoreError`, also
    while a run is at work in it, and `JudgeError`."""
    _manifest(root)  # a folder that is not there is not to be made by the lock
    with locked(root):
        return await regrade_unlocked(root, judge=judge, corrected=corrected, min_coverage=min_coverage)


async def regrade_unlocked(
    root: Path,
    *,
    judge: JudgeSettings | None = None,
    corrected: Corrected | None = None,
    min_coverage: float | None = None,
) -> dict[str, JSON]:
    """`regrade` for who has locked the folder."""
    asked, probes = None, None
    if judge is not None and judge.model:
        model = judge_model(judge)
        await preflight([bare(model)])
        asked = Judge(model)
        probes = await probed(asked, root)
    items = None if corrected is None else corrected.items
    opened = await open_evaluation(root, judge=asked, in_flight=judge.in_flight if judge else 16, items=items)
    manifest = opened.manifest
    if asked is not None and judge is not None:
        told = without_credentials(judge.model_dump(mode="json"))
        manifest = with_settings(with_judge(manifest, asked, probes), judge=told)
    if corrected is not None:
        manifest = replace(manifest, pinned={**manifest.pinned, "data": corrected.data_digest})
        manifest = with_settings(manifest, data=list(corrected.data))
    if min_coverage is not None:
        manifest = with_settings(manifest, min_coverage=min_coverage)
    if manifest is not opened.manifest:
        opened = replace(opened, manifest=manifest)
        write_manifest(root, manifest, list(opened.items.values()), change=True)
    metrics = metrics_of(opened)
    write_atomic(root / "metrics.json", orjson.dumps(metrics, option=orjson.OPT_INDENT_2))
    write_atomic(root / "predictions.jsonl", b"".join(_prediction(opened, one) for one in opened.graded))
    return metrics


def metrics_of(opened: Opened) -> dict[str, JSON]:
    """`metrics.json` as a value."""
    told, spec = opened.manifest.told, opened.spec
    settings: dict[str, JSON] = {**opened.manifest.pinned, **{k: v for k, v in told.items() if k != "spec"}}
    settings["scoring"] = {item.kind: {**scorers_of(item.kind, spec)} for item in opened.items.values()}
    num_used = sum(how.status == "ended" for how in opened.ended.values())
    settings["num_stored_outside"] = opened.num_stored - num_used
    metrics = summarise(
        opened.graded,
        headline=headline(opened),
        min_coverage=opened.settings.min_coverage,
        macro=spec.scoring.macro,
        num_macro=spec.scoring.num_macro,
        kind=spec.kind,
        settings=settings,
    )
    has_judge = told.get("judge") is not None
    not_judged = [one for one in opened.graded if has_judge and one.cause is None and one.kind != "span"]
    return {**metrics, "num_not_judged": sum(one.scores["judge"].value is None for one in not_judged)}


def headline(opened: Opened) -> str:
    """The column reported first."""
    return headline_of(opened.spec, opened.items.values(), opened.manifest.told.get("judge") is not None)


def headline_of(spec: Spec, items: Iterable[Item], has_judge: bool) -> str:
    """The column reported first: the benchmark's, or the judge's where answers are in words and there is one."""
    if spec.scoring.headline != "judge" and not (has_judge and {item.kind for item in items} == {"text"}):
        return spec.scoring.headline
    return "judge" if has_judge else "lenient"


def with_judge(manifest: Manifest, judge: Judge, probes: Probes | None) -> Manifest:
    """``manifest`` that tells of this judge."""
    told: dict[str, JSON] = {
        "name": judge.name,
        "model": model_identity(judge.model),
        "identity": judge.identity,
        "prompt": judge.prompt_digest,
        "probes": None if probes is None else [probes.num_right, probes.num_cases, list(probes.missed)],
    }
    return replace(manifest, told={**manifest.told, "judge": told})


def _prediction(opened: Opened, one: Graded) -> bytes:
    item = opened.items[one.id]
    row = {
        "id": one.id,
        "epoch": one.epoch,
        "video": item.video_name,
        "question": item.sample.question,
        "options": item.sample.choices,
        "answer": one.answer,
        "target": item.sample.target,
        "cause": one.cause,
        "error": one.error,
        "scores": {column: asdict(score) for column, score in one.scores.items()},
    }
    return orjson.dumps(row) + b"\n"


class _Gate:
    """Bounds how many calls there are at once. A closed one lets none through: what is kept is read, and no more."""

    def __init__(self, in_flight: int, *, is_open: bool) -> None:
        self.calls = asyncio.Semaphore(in_flight)
        self.is_open = is_open

    def begin(self) -> None:
        if not self.is_open:
            raise StoppingError

    def spend(self, usage: Usage) -> None:
        del usage
