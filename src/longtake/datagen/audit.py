"""What stands in a run's folder: the status of every step, and the proof that its books are right.

Reads only. Everything is derived by sending the videos through the steps again and looking each outcome up.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from ..errors import StoreError
from ..ledger import read_lines
from ..models import journaled
from ..models.journaled import OpenCall, key_of
from ..store import is_locked, write_atomic
from ..types import JSON, Usage
from .flow import Look, flow, is_open, known
from .manifest import Manifest, read_manifest, read_roots
from .step import Outcome, Record, Step
from .store import RunStore, StepStore
from .tally import StepCount

__all__ = ["OpenRun", "RunStatus", "StepStatus", "Verdict", "in_doubt", "open_run", "spent", "status", "verify"]

EXPORTS = "exports.json"
MAX_REASON = 500


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

    async def leaves(self) -> list[Record]:
        """What came out at the end, in the order of the videos."""
        apply = known(self.stores, _ignore)
        return [leaf for root in self.roots for leaf in (await flow(apply, self.steps, [root]))[0]]

    async def num_leaves(self, look: Look) -> list[int]:
        """How much came out of each video. ``look`` is shown everything on the way."""
        apply = known(self.stores, look)
        return [len((await flow(apply, self.steps, [root]))[0]) for root in self.roots]

    def note_export(self, card: Path) -> None:
        """Remembers where an export was written, so that `verify` looks at it too."""
        cards = dict.fromkeys([*map(str, self.cards()), str(card.resolve())])
        write_atomic(self.root / EXPORTS, orjson.dumps([*cards], option=orjson.OPT_INDENT_2))

    def cards(self) -> list[Path]:
        """Of the exports made of this run."""
        path = self.root / EXPORTS
        try:
            return [Path(str(card)) for card in orjson.loads(path.read_bytes())] if path.exists() else []
        except (OSError, ValueError, TypeError) as e:
            raise StoreError(f"{path} cannot be read ({e}); delete it, and export again") from e


def open_run(root: Path) -> OpenRun:
    """Raises `StoreError` if there is no run in ``root``."""
    manifest = read_manifest(root)
    if manifest is None:
        raise StoreError(f"there is no run in {root}; give the --out folder of longtake data run")
    steps = manifest.steps
    return OpenRun(root, manifest, steps, read_roots(root, manifest), RunStore(root).steps(steps))


def _ignore(step: Step, key: str, inputs: tuple[Record, ...], outcome: Outcome | None) -> None:
    del step, key, inputs, outcome


# ------------------------------------------------------------------------------------------------------ status


@dataclass(frozen=True, slots=True)
class DoubtfulCall:
    """A model call that may have been paid for without a reply to show for it."""

    step: str
    record: str
    key: str


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
            "reasons": dict(self.reasons.most_common(50)),
        }


@dataclass(slots=True)
class RunStatus:
    recipe: str
    steps: list[StepStatus]
    num_videos: int
    num_videos_with_results: int
    num_results: int
    is_running: bool

    @property
    def is_complete(self) -> bool:
        return not any(step.pending or step.to_retry for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "videos": self.num_videos,
            "videos_with_results": self.num_videos_with_results,
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
            entry.reasons[_short(outcome.reason)] += 1

    num_leaves = await run.num_leaves(look)
    for name, store in run.stores.items():
        found[name].open_calls = list(store.calls.open_calls())
        found[name].paid = journaled.paid([store.folder / "calls"])
    return RunStatus(
        str(run.manifest.asked.get("recipe")),
        list(found.values()),
        len(num_leaves),
        sum(count > 0 for count in num_leaves),
        sum(num_leaves),
        is_locked(run.root),
    )


def _short(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON else reason[:MAX_REASON] + " ..."


def in_doubt(run: OpenRun) -> list[DoubtfulCall]:
    """What `models.journaled.in_doubt` says of every step."""
    folders = ((name, store.folder / "calls") for name, store in run.stores.items())
    return [DoubtfulCall(name, c.record, c.key) for name, folder in folders for c in journaled.in_doubt(folder)]


def spent(root: Path) -> Usage:
    """What all calls of the run in ``root`` cost so far, with settings it had before too."""
    return journaled.paid(sorted(root.glob("steps/*/calls")))


# ------------------------------------------------------------------------------------------------------ verify


@dataclass(frozen=True, slots=True)
class Verdict:
    """``wrong``: what must not be; ``notes``: what was mended or leads nowhere. One sentence each."""

    wrong: list[str]
    notes: list[str]


async def verify(run: OpenRun) -> Verdict:
    """Whether the books are right.

    Every line of every journal is as it was written (its checksum says so), belongs to this step and to inputs that
    exist, and no input ended twice; every step is the one its folder is of; files that values name are there; exports
    are what was written. What damage took away is pending again: it is wrong until the run was taken up."""
    reached, missing, num_pending = defaultdict[str, set[str]](set), list[str](), 0

    def look(step: Step, key: str, inputs: tuple[Record, ...], outcome: Outcome | None) -> None:
        nonlocal num_pending
        reached[step.name].add(key)
        num_pending += outcome is None
        for value in outcome.values if outcome is not None else ():
            file = value.get("file")
            if isinstance(file, str) and not (run.root / file).exists():
                missing.append(f"step {step.name}: the file {file} of {inputs[0].id} is not there")

    await run.num_leaves(look)
    books = _Books([], [], 0)
    for step in run.steps:
        _check_step(step, run.stores[step.name].folder, reached[step.name], books)
    if books.num_damaged:
        told = f"{books.num_damaged} lines are damaged"
        if num_pending:
            books.wrong.append(f"{told}, and {num_pending} inputs are pending: run the same command again")
        else:
            books.notes.append(f"{told}; what stood there was done again")
    return Verdict(books.wrong + missing + _check_exports(run), books.notes)


@dataclass(slots=True)
class _Books:
    wrong: list[str]
    notes: list[str]
    num_damaged: int


def _check_step(step: Step, folder: Path, reached: set[str], books: _Books) -> None:
    hash_ = step.hash
    spec = _read_json(folder / "spec.json")
    if spec.get("hash") != hash_ or spec.get("config") != dict(step.config):
        books.wrong.append(f"{folder / 'spec.json'} is not that of the step {step.name} in run.json")
    ends, said, lost = Counter[str](), Counter[str](), 0
    for path in sorted((folder / "journal").glob("*.jsonl")):
        for number, line in enumerate(read_lines(path), 1):
            if line is None:
                books.num_damaged += 1
            elif line["key"] != key_of(hash_, line["parents"]):
                books.wrong.append(f"{path}: line {number}: the key is not that of this step and its inputs")
            else:
                ends[line["key"]] += line["status"] in ("ok", "rejected", "invalid")
                lost += line["key"] not in reached
    for path in sorted((folder / "calls").glob("*.jsonl")):
        for line in read_lines(path):
            if line is None:
                books.num_damaged += 1
            else:
                said[line["key"]] += line["status"] == "said"
    books.wrong += [f"step {step.name}: {key} ended {times} times" for key, times in sorted(ends.items()) if times > 1]
    if twice := sum(times - 1 for times in said.values() if times > 1):
        books.notes.append(f"step {step.name}: {twice} model calls were answered twice, after damage or by two workers")
    if lost:
        books.notes.append(f"step {step.name}: {lost} outcomes are of videos or clips that are not there any more")


def _read_json(path: Path) -> dict[str, Any]:
    """{} for what cannot be read."""
    try:
        value: object = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _check_exports(run: OpenRun) -> list[str]:
    """Of the exports that are still where they were written."""
    wrong = list[str]()
    for card in run.cards():
        if not card.exists():
            continue
        told = _read_json(card)
        try:
            with (card.parent / str(told.get("file"))).open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == told.get("sha256")
        except OSError as e:
            wrong.append(f"{card}: its file cannot be read: {e.strerror}")
            continue
        if not same:
            wrong.append(f"{card.parent / str(told.get('file'))} is not what was exported; export it again")
    return wrong
