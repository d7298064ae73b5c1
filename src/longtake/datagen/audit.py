"""What stands in a run's folder: the status of every step, and the proof that its books are right.

Reads only. Everything is derived by sending the videos through the steps again and looking each outcome up.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from ..errors import StoreError
from ..ledger import read_lines
from ..types import JSON, Usage
from .flow import Look, flow, is_open, known
from .manifest import Manifest, read_manifest, read_roots
from .step import Outcome, Record, Step, key_of, value_digest
from .store import OpenCall, RunStore, StepStore
from .tally import StepCount

__all__ = ["OpenRun", "RunStatus", "StepStatus", "in_doubt", "open_run", "spent", "status", "verify"]


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run opened to be read."""

    root: Path
    manifest: Manifest
    steps: list[Step]
    roots: list[Record]
    stores: dict[str, StepStore]

    @property
    def videos(self) -> Path:
        return Path(self.manifest.videos)

    def lineage(self) -> dict[str, JSON]:
        """What made the results: for the card of an export."""
        steps = {step.name: step.hash for step in self.steps}
        return {**self.manifest.asked, "steps": cast("JSON", steps), "longtake": self.manifest.longtake}

    async def leaves(self, look: Look | None = None) -> list[Record]:
        """What came out at the end, in the order of the videos. ``look`` is shown everything on the way."""
        apply = known(self.stores, look or _ignore)
        return [leaf for root in self.roots for leaf in (await flow(apply, self.steps, [root]))[0]]


def open_run(root: Path) -> OpenRun:
    """Raises `StoreError` if there is no run in ``root``."""
    manifest = read_manifest(root)
    if manifest is None:
        raise StoreError(f"there is no run in {root}; give the --out folder of longtake data run")
    steps = manifest.steps
    return OpenRun(root, manifest, steps, read_roots(root), RunStore(root).steps(steps))


def _ignore(step: Step, key: str, inputs: tuple[Record, ...], outcome: Outcome | None) -> None:
    del step, key, inputs, outcome


# ------------------------------------------------------------------------------------------------------ status


@dataclass(slots=True)
class StepStatus:
    """``pending``: inputs that are known and have not ended; ``to_retry``: of ``failed``, those the next run tries.

    ``paid`` is what all calls of this step cost, also those of records that have not ended."""

    name: str
    count: StepCount = field(default_factory=StepCount)
    pending: int = 0
    to_retry: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    open_calls: list[OpenCall] = field(default_factory=list[OpenCall])
    paid: Usage = field(default_factory=Usage)

    @property
    def inputs(self) -> int:
        return self.count.done + self.pending

    def as_json(self) -> dict[str, Any]:
        count, paid = self.count, self.paid
        return {
            "step": self.name,
            "inputs": self.inputs,
            "ok": count.ok,
            "rejected": count.rejected,
            "invalid": count.invalid,
            "failed": count.failed,
            "to_retry": self.to_retry,
            "pending": self.pending,
            "in_flight": len(self.open_calls),
            "calls": paid.num_calls,
            "input_tokens": paid.input_tokens,
            "output_tokens": paid.output_tokens,
            "cost_usd": paid.cost_usd,
            "seconds": round(count.seconds, 3),
            "reasons": dict(self.reasons.most_common(10)),
        }


@dataclass(slots=True)
class RunStatus:
    recipe: str
    steps: list[StepStatus]
    num_videos: int
    num_results: int
    is_running: bool

    @property
    def is_complete(self) -> bool:
        return not any(step.pending or step.to_retry for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "videos": self.num_videos,
            "results": self.num_results,
            "complete": self.is_complete,
            "running": self.is_running,
            "steps": [step.as_json() for step in self.steps],
        }


async def status(run: OpenRun) -> RunStatus:
    found = {step.name: StepStatus(step.name) for step in run.steps}

    def look(step: Step, key: str, inputs: tuple[Record, ...], outcome: Outcome | None) -> None:
        entry = found[step.name]
        if outcome is None:
            entry.pending += 1
            return
        entry.count.add(outcome)
        entry.to_retry += is_open(outcome)
        if outcome.reason:
            entry.reasons[outcome.reason[:200]] += 1

    leaves = await run.leaves(look)
    for name, store in run.stores.items():
        found[name].open_calls = list(store.open_calls())
        found[name].paid = _paid(store)
    recipe = str(run.manifest.asked.get("recipe"))
    return RunStatus(recipe, list(found.values()), len(run.roots), len(leaves), RunStore(run.root).is_locked())


def in_doubt(run: OpenRun) -> list[OpenCall]:
    """The model calls that were under way when their process ended (or are now), made again since or not.

    These and no others may have been paid for without their reply being kept."""
    found = list[OpenCall]()
    for name, store in run.stores.items():
        for path in sorted((store.folder / "calls").glob("*.jsonl")):
            asked = dict[str, OpenCall]()
            for line in read_lines(path):
                if line is not None and line["status"] == "asked":
                    asked[line["key"]] = OpenCall(name, line["record"], line["key"])
                elif line is not None:
                    asked.pop(line["key"], None)
            found += asked.values()
    return found


def spent(store: RunStore, steps: Sequence[Step]) -> Usage:
    """What all calls so far cost."""
    return sum((_paid(each) for each in store.steps(steps).values()), Usage())


def _paid(store: StepStore) -> Usage:
    total = Usage()
    for line in store.calls.lines():
        if line["status"] == "said":
            total += Usage(**line["output"]["usage"])
    return total


# ------------------------------------------------------------------------------------------------------ verify


async def verify(run: OpenRun) -> list[str]:
    """What is wrong with the books, one sentence each; [] when every sum and digest is right.

    Proves that no line is damaged, that no input ended twice, that every key is the hash of its step and of inputs
    that exist, that every input of every step is ok, rejected, invalid, failed or pending, and that exports still
    are what was written."""
    wrong = list[str]()
    ends = Counter[tuple[str, str]]()
    for step in run.steps:
        for path in sorted((run.stores[step.name].folder / "journal").glob("*.jsonl")):
            wrong += _read_journal(step, path, ends)
        for path in sorted((run.stores[step.name].folder / "calls").glob("*.jsonl")):
            wrong += [f"{path}: line {n} is damaged" for n, line in enumerate(read_lines(path), 1) if line is None]
    wrong += [f"step {name}: {key} ended {n} times" for (name, key), n in sorted(ends.items()) if n > 1]
    seen = Counter[str]()

    def look(step: Step, key: str, inputs: tuple[Record, ...], outcome: Outcome | None) -> None:
        seen[step.name] += outcome is not None and not is_open(outcome)
        for record in inputs:
            if record.digest != value_digest(record.id, record.value, [p.digest for p in record.parents if p.parents]):
                wrong.append(f"step {step.name}: the input {record.id} is not what its digest says")

    await run.leaves(look)
    return wrong + _check_exports(run.root)


def _read_journal(step: Step, path: Path, ends: Counter[tuple[str, str]]) -> list[str]:
    wrong = list[str]()
    for number, line in enumerate(read_lines(path), 1):
        if line is None:
            wrong.append(f"{path}: line {number} is damaged")
        elif line.get("key") != key_of(step.hash, line.get("parents", [])):
            wrong.append(f"{path}: line {number}: the key is not that of this step and its inputs")
        elif line["status"] != "failed":
            ends[step.name, line["key"]] += 1
    return wrong


def _check_exports(root: Path) -> list[str]:
    wrong = list[str]()
    for card in sorted((root / "export").glob("*.card.json")):
        try:
            told = orjson.loads(card.read_bytes())
            data = (card.parent / told["file"]).read_bytes()
        except (OSError, ValueError, KeyError, TypeError) as e:
            wrong.append(f"{card}: its file cannot be checked: {e}")
            continue
        if hashlib.sha256(data).hexdigest() != told["sha256"]:
            wrong.append(f"{card.parent / told['file']} is not what was exported; export it again")
    return wrong
