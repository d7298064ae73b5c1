"""An evaluation that was run, graded by today's scorers, and by a judge where one is asked. Asks no agent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import orjson

from ..errors import JudgeError, ModelError, StoreError
from ..models.base import load_model
from ..models.heard import Heard
from ..models.journaled import StoppingError, model_identity
from ..models.preflight import preflight
from ..scoring.judge import Judge, Probes
from ..store import write_atomic
from ..types import JSON, GenerateConfig, Message, Model, ModelOutput, Score, ToolSpec, Usage
from .benchmark import Spec
from .grade import grade, is_judged, judged
from .items import Graded, Item
from .metrics import summarise
from .settings import EvalSettings, JudgeSettings
from .store import Ended, EvalStore, Manifest, read_items, read_manifest, write_manifest
from .worker import JUDGE_FILE

__all__ = [
    "Opened",
    "bare",
    "headline",
    "headline_of",
    "judge_model",
    "metrics_of",
    "open_evaluation",
    "probed",
    "regrade",
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

    @property
    def spec(self) -> Spec:
        return Spec.model_validate(self.manifest.told["spec"])

    @property
    def settings(self) -> EvalSettings:
        return EvalSettings.model_validate(self.manifest.told["settings"])


async def open_evaluation(
    root: Path, *, judge: Judge | None = None, in_flight: int = 16, items: Sequence[Item] | None = None
) -> Opened:
    """Grades what is kept in ``root`` by today's scorers. ``judge`` is asked what it has not said yet; without one,
    the verdicts of the run's own judge are read back. ``items`` are questions with another gold than was kept.

    Raises `StoreError` if there is no evaluation."""
    manifest = read_manifest(root)
    if manifest is None:
        raise StoreError(f"there is no evaluation in {root}; give the --out folder of longtake eval run")
    settings = EvalSettings.model_validate(manifest.told["settings"])
    spec = Spec.model_validate(manifest.told["spec"])
    items = read_items(root) if items is None else items
    store = EvalStore(root)
    try:
        ended = store.all(str(manifest.told["who_digest"]))
        told = cast("dict[str, JSON] | None", manifest.told.get("judge"))
        failure = _judge_failure(root, told["identity"]) if told is not None and judge is None else None
        if judge is None and told is not None:
            judge = Judge(_Absent(str(told["name"]), told["model"]))
        gate = _OpenGate(in_flight)

        async def one(item: Item, epoch: int) -> Graded:
            how, verdict = ended.get((item.sample.id, epoch)), None
            if judge is not None and how is not None and is_judged(item, how):
                with suppress(StoppingError):
                    verdict = await judged(judge, item, how, store.judgements, gate)
                if failure is not None:
                    verdict = Score("judge", None, error=failure)
            return grade(item, epoch, how, spec, verdict)

        work = [one(item, epoch) for epoch in range(settings.epochs) for item in items]
        graded = await asyncio.gather(*work)
    finally:
        store.close()
    return Opened(root, manifest, {item.sample.id: item for item in items}, graded, ended)


async def regrade(
    root: Path,
    *,
    judge: JudgeSettings | None = None,
    items: Sequence[Item] | None = None,
    min_coverage: float | None = None,
) -> dict[str, JSON]:
    """Grades what is kept in ``root`` again and writes ``metrics.json`` and ``predictions.jsonl``; asks no agent."""
    asked = Judge(judge_model(judge)) if judge is not None and judge.model else None
    if asked is not None:
        await preflight([bare(asked.model)])
    probes = await probed(asked, root)
    opened = await open_evaluation(root, judge=asked, in_flight=judge.in_flight if judge else 16, items=items)
    if asked is not None:  # whoever reads the folder finds this judge's verdicts
        opened = replace(opened, manifest=with_judge(opened.manifest, asked, probes))
        write_manifest(root, opened.manifest, list(opened.items.values()), change=True)
    metrics = metrics_of(opened, min_coverage=min_coverage)
    write_atomic(root / "metrics.json", orjson.dumps(metrics, option=orjson.OPT_INDENT_2))
    write_atomic(root / "predictions.jsonl", b"".join(_prediction(opened, one) for one in opened.graded))
    return metrics


def metrics_of(opened: Opened, *, min_coverage: float | None = None) -> dict[str, JSON]:
    """`metrics.json` as a value."""
    told = opened.manifest.told
    settings: dict[str, JSON] = {**opened.manifest.pinned, **{k: v for k, v in told.items() if k != "spec"}}
    return summarise(
        opened.graded,
        headline=headline(opened),
        min_coverage=opened.settings.min_coverage if min_coverage is None else min_coverage,
        macro=opened.spec.scoring.macro,
        settings=settings,
    )


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


class _OpenGate:
    """Nothing but how many calls there may be at once is bounded."""

    def __init__(self, in_flight: int) -> None:
        self.calls = asyncio.Semaphore(in_flight)

    def begin(self) -> None: ...
    def spend(self, usage: Usage) -> None:
        del usage


class _Absent:
    """The judge of a run that is only read: what it said is in the journal, more it cannot say."""

    def __init__(self, name: str, identity: JSON) -> None:
        self.name = name
        self.reply_identity = identity

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        raise ModelError(f"not judged yet; longtake eval regrade DIR --judge {self.name} asks it")


# --------------------------------------------------------------------------------------------------------- judges


def judge_model(settings: JudgeSettings) -> Model:
    assert settings.model is not None
    takes_options = settings.model.partition(":")[0] not in ("reader", "scripted")
    url, options = (settings.base_url, settings.options or None) if takes_options else (None, None)
    return Heard(load_model(settings.model, base_url=url, options=options, cache=False))


def bare(model: Model) -> Model:
    return model.model if isinstance(model, Heard) else model


async def probed(judge: Judge | None, out: Path) -> Probes | None:
    """Raises `JudgeError` for a judge that is wrong about what is known, or was in an earlier run of this folder."""
    if judge is None:
        return None
    if failure := _judge_failure(out, judge.identity):
        raise JudgeError(f"{failure}; this folder remembers it: delete {out / JUDGE_FILE} to try this judge again")
    return await judge.probe()


def _judge_failure(root: Path, identity: JSON) -> str | None:
    """What this judge got wrong during the run, if anything."""
    path = root / JUDGE_FILE
    if not path.exists():
        return None
    try:
        told = orjson.loads(path.read_bytes())
        return str(told["failure"]) if told["identity"] == identity else None
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise StoreError(f"{path} cannot be read ({e}); delete it, and judge again") from e
