"""An evaluation that was run, graded by today's scorers, and by a judge where one is asked. Asks no agent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import orjson

from ..errors import LongtakeError, ModelAuthError, ModelEndpointError, SpendCapError, StoreError
from ..models.credentials import without_credentials
from ..models.journaled import Limits, StoppingError, model_identity
from ..models.preflight import check_prices, preflight
from ..scoring.judge import Judge, Probes
from ..store import locked, write_atomic
from ..types import JSON, Score, Usage
from .data.benchmark import Spec
from .grade import grade, is_judged, scorers_of
from .items import Graded, Item
from .judging import (
    AbsentJudge,
    JudgeGate,
    Judging,
    bare,
    judge_failure,
    judge_model,
    judge_spent,
    keep_judge_failure,
    probed,
    with_spent,
)
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
    "tried",
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
    judge_spent: Usage
    """What judging cost in all, also of answers that count no more."""
    num_stored: int
    """Answers in the folder, also of questions, epochs or settings that it is not about now."""

    @property
    def spec(self) -> Spec:
        return self.manifest.spec

    @property
    def settings(self) -> EvalSettings:
        return self.manifest.settings


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


def with_settings(manifest: Manifest, **changes: JSON) -> Manifest:
    """``manifest`` with these settings changed."""
    settings = {**cast("dict[str, JSON]", manifest.told["settings"]), **changes}
    return replace(manifest, told={**manifest.told, "settings": settings})


async def open_evaluation(
    root: Path, *, judge: Judge | None = None, gate: JudgeGate | None = None, items: Sequence[Item] | None = None
) -> Opened:
    """Grades what is kept in ``root`` by today's scorers. ``judge`` is asked what it has not said yet; without one,
    the verdicts of the run's own judge are read back. ``items`` are questions with another gold than was kept.

    Raises `StoreError` if there is no evaluation."""
    manifest = _manifest(root)
    items = read_items(root) if items is None else items
    store = EvalStore(root)
    try:
        ended = _ended(store, manifest, items)
        verdicts = await _verdicts(store, manifest, {item.sample.id: item for item in items}, ended, judge, gate)
        num_stored = store.num_answered
    finally:
        store.close()
    has_judge, spec = judge is not None or manifest.told.get("judge") is not None, manifest.spec
    places = [(item, epoch) for epoch in range(manifest.settings.epochs) for item in items]
    graded = [
        grade(item, epoch, ended.get(at), spec, verdicts.get(at), has_judge=has_judge)
        for item, epoch in places
        if (at := (item.sample.id, epoch))
    ]
    return Opened(
        root, manifest, {item.sample.id: item for item in items}, graded, ended, judge_spent(root), num_stored
    )


def _ended(store: EvalStore, manifest: Manifest, items: Sequence[Item]) -> dict[tuple[str, int], Ended]:
    """What became of every question in every epoch; nothing where it was not run."""
    who, found = str(manifest.told["who_digest"]), dict[tuple[str, int], Ended]()
    for epoch in range(manifest.settings.epochs):
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
    gate: JudgeGate | None = None,
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
    gate = gate or JudgeGate(1, is_open=judge is not None)
    judging, errors = Judging(by, store.judgements, gate), list[LongtakeError]()

    async def one(how: Ended) -> Score:
        try:
            return await judging.score(items[how.id], how)
        except StoppingError:
            pass
        except (ModelAuthError, ModelEndpointError, SpendCapError) as e:  # what others are being told is still kept
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
    limits: Limits | None = None,
) -> dict[str, JSON]:
    """Grades what is kept in ``root`` again and writes ``metrics.json`` and ``predictions.jsonl``; asks no agent.

    ``judge`` is asked what it has not said yet, ``corrected`` gold takes the place of what was kept, and a
    ``min_coverage`` that of the run's; whoever reads the folder afterwards finds all three. ``limits`` are those of
    the judge's calls; a cap counts all that was spent in the folder. Raises `StoreError`, also while a run is at work
    in it, `JudgeError`, and `SpendCapError`, which loses no verdict."""
    _manifest(root)  # a folder that is not there is not to be made by the lock
    with locked(root):
        return await regrade_unlocked(root, judge=judge, corrected=corrected, min_coverage=min_coverage, limits=limits)


async def regrade_unlocked(
    root: Path,
    *,
    judge: JudgeSettings | None = None,
    corrected: Corrected | None = None,
    min_coverage: float | None = None,
    limits: Limits | None = None,
) -> dict[str, JSON]:
    """`regrade` for who has locked the folder."""
    manifest, asked, gate = _manifest(root), None, None
    items = None if corrected is None else corrected.items
    if judge is not None and judge.model:
        model, limits = judge_model(judge), limits or Limits()
        check_prices(limits, [bare(model)])
        await preflight([bare(model)])
        asked, in_flight = Judge(model), min(judge.in_flight, limits.max_in_flight)
        manifest = await tried(root, manifest, items or read_items(root), asked, limits, in_flight)
        manifest = with_settings(manifest, judge=without_credentials(judge.model_dump(mode="json")))
        gate = JudgeGate(in_flight, with_spent(limits, root))
    opened = await open_evaluation(root, judge=asked, gate=gate, items=items)
    if corrected is not None:
        manifest = replace(manifest, pinned={**manifest.pinned, "data": corrected.data_digest})
        manifest = with_settings(manifest, data=list(corrected.data))
    if min_coverage is not None:
        manifest = with_settings(manifest, min_coverage=min_coverage)
    if manifest != opened.manifest:
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
    spent = opened.judge_spent
    return {
        **metrics,
        "num_not_judged": sum(one.scores["judge"].value is None for one in not_judged),
        "judge_usage": {
            "calls": spent.num_calls,
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            "cost_usd": spent.cost_usd,
        },
    }


def headline(opened: Opened) -> str:
    """The column reported first."""
    return headline_of(opened.spec, opened.items.values(), opened.manifest.told.get("judge") is not None)


def headline_of(spec: Spec, items: Iterable[Item], has_judge: bool) -> str:
    """The column reported first: the benchmark's, or the judge's where answers are in words and there is one."""
    if spec.scoring.headline != "judge" and not (has_judge and {item.kind for item in items} == {"text"}):
        return spec.scoring.headline
    return "judge" if has_judge else "lenient"


async def tried(
    root: Path,
    manifest: Manifest,
    items: Sequence[Item],
    judge: Judge,
    limits: Limits,
    in_flight: int,
    *,
    is_run: bool = False,
) -> Manifest:
    """``manifest`` that tells of this judge, which was tried on known cases unless all is judged by it already.
    ``is_run``: agents are going to answer what is not answered. Raises `JudgeError`, `SpendCapError`."""
    told = cast("dict[str, JSON] | None", manifest.told.get("judge"))
    store = EvalStore(root)
    try:
        is_known = told is not None and told["identity"] == judge.identity
        if is_known and not judge_failure(root, judge.identity) and await _is_judged(store, manifest, items, is_run):
            return manifest
        with_spent(limits, root).check(Usage())
        return with_judge(manifest, judge, await probed(judge, root, store.judgements, in_flight))
    finally:
        store.close()


async def _is_judged(store: EvalStore, manifest: Manifest, items: Sequence[Item], is_run: bool) -> bool:
    """Whether nothing is left for the judge that the folder has."""
    ended, num = _ended(store, manifest, items), len(items) * manifest.settings.epochs
    if is_run and (len(ended) < num or any(how.status == "failed" and how.cause != "gold" for how in ended.values())):
        return False
    verdicts = await _verdicts(store, manifest, {item.sample.id: item for item in items}, ended, None)
    return all(score.value is not None for score in verdicts.values())


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
