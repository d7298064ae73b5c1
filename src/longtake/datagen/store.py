"""A run's folder: what came out of every step, what every model call said. What was asked for is in `manifest`.

    RUN/
      run.json                     the recipe and all that decides its results; no secrets
      sources.jsonl                the videos, in order
      steps/20-caption@9f3c1a2b/   one folder a step; a changed setting or prompt makes a new one
        spec.json
        journal/<writer>.jsonl     one line per input that ended: status, values or reason, cost
        calls/<writer>.jsonl       one line before each model call and one after it, with the reply
      files/                       what steps write beside their values (clips)
      export/

What the lines of ``calls/`` say is in `models.journaled`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import orjson

from ..errors import StoreError
from ..ledger import Committer, Fsync, Ledger
from ..models.journaled import CallJournal
from ..store import write_atomic, writer_name
from ..types import Usage
from .step import Outcome, Record, Status, Step, Value, value_digest

__all__ = ["RunStore", "StepStore", "roots_of"]

_NOTHING = Usage()


class StepStore:
    """The journals of one step."""

    def __init__(self, folder: Path, step: Step, writer: str, committer: Committer) -> None:
        self.folder = folder
        self.step = step
        self.outcomes = Ledger(folder / "journal", writer, committer, final=("ok", "rejected", "invalid", "permanent"))
        self.calls = CallJournal(folder / "calls", writer, committer)

    def find(self, key: str) -> Outcome | None:
        line = self.outcomes.get(key)
        return None if line is None else _outcome_of(line)

    def put(self, key: str, inputs: Sequence[Record], outcome: Outcome) -> None:
        fields: dict[str, Any] = {"id": inputs[0].id, "parents": [record.digest for record in inputs]}
        if outcome.reason is not None:
            fields |= {"reason": outcome.reason}
        usage = None if outcome.usage == _NOTHING else outcome.usage
        fields |= {"usage": usage, "seconds": round(outcome.seconds, 3), "values": [*map(dict, outcome.values)]}
        self.outcomes.append(key, "permanent" if outcome.permanent else outcome.status, fields)

    @property
    def num_kept(self) -> int:
        """Outcomes and replies that are never asked for again."""
        return self.outcomes.num_final + self.calls.num_said

    def refresh(self) -> None:
        self.outcomes.refresh()
        self.calls.refresh()

    def close(self) -> None:
        self.outcomes.close()
        self.calls.close()


_STATUSES: dict[str, Status] = {status: status for status in get_args(Status)}


def _outcome_of(line: Mapping[str, Any]) -> Outcome:
    """Raises `StoreError` for a line that was written by something else."""
    try:
        usage = Usage(**line["usage"]) if line["usage"] else Usage()
        permanent = line["status"] == "permanent"
        status = _STATUSES["failed" if permanent else line["status"]]
        return Outcome(status, tuple(line["values"]), line.get("reason"), permanent, usage, line.get("seconds", 0.0))
    except (KeyError, TypeError) as e:
        raise StoreError(f"the outcome {line['key']} in the journal is not one ({e!r}); delete its line") from e


class RunStore:
    """The folder of a run, opened by one process to write or only to read."""

    def __init__(self, root: Path, *, fsync: Fsync = "group") -> None:
        self.root = root
        self.writer = writer_name(root.glob("steps/*/journal/*.jsonl"))
        self._committer = Committer(fsync)
        self._steps = dict[str, StepStore]()

    def steps(self, steps: Sequence[Step]) -> dict[str, StepStore]:
        """The store of every step by name."""
        for position, step in enumerate(steps):
            if step.name not in self._steps:
                folder = self._folder(position, step)
                self._steps[step.name] = StepStore(folder, step, self.writer, self._committer)
        return self._steps

    def write_specs(self, steps: Sequence[Step]) -> None:
        """Says in every step's folder what made its hash."""
        for position, step in enumerate(steps):
            path = self._folder(position, step) / "spec.json"
            if not path.exists():
                spec = {"name": step.name, "version": step.version, "hash": step.hash, "config": dict(step.config)}
                write_atomic(path, orjson.dumps(spec, option=orjson.OPT_INDENT_2))

    def _folder(self, position: int, step: Step) -> Path:
        name = f"{step.name}@{step.hash[:8]}"
        found = sorted(self.root.glob(f"steps/*-{name}"))
        return found[0] if found else self.root / "steps" / f"{position * 10:02d}-{name}"

    def refresh(self) -> None:
        for step in self._steps.values():
            step.refresh()

    def close(self) -> None:
        self._committer.close()
        for step in self._steps.values():
            step.close()


def roots_of(rows: Sequence[tuple[str, str, Value]]) -> list[Record]:
    """(id, video, value) as the records a chain of steps begins with."""
    return [Record("root", id_, video, value_digest(id_, value), (), value) for id_, video, value in rows]
