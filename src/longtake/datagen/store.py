"""A run's folder: what was asked for, what came out of every step, what every model call said.

    RUN/
      run.json                     the recipe and all that decides its results; no secrets
      sources.jsonl                the videos, in order
      steps/20-caption@9f3c1a2b/   one folder a step; a changed setting or prompt makes a new one
        spec.json
        journal/<writer>.jsonl     one line per input that ended: status, values or reason, cost
        calls/<writer>.jsonl       one line before each model call and one after it, with the reply
      files/                       what steps write beside their values (clips)
      export/

A call that is asked and not said was under way at a kill: these, and no others, may have been paid for twice.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import orjson

from ..errors import ConfigError, StoreError
from ..ledger import Committer, Fsync, Ledger
from ..store import write_atomic
from ..types import JSON, ModelOutput, Usage, from_json, to_json
from .step import Outcome, Record, Step, Value, value_digest

__all__ = ["FORMAT", "OpenCall", "RunStore", "StepStore", "roots_of"]

FORMAT = 1
"""Of the folder. Counted up when an older longtake could not read it any more."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A model call under way when its process ended."""

    step: str
    record: str
    key: str


class StepStore:
    """The journals of one step."""

    def __init__(self, folder: Path, step: Step, writer: str, committer: Committer) -> None:
        self.folder = folder
        self.step = step
        self.outcomes = Ledger(folder / "journal", writer, committer, final=("ok", "rejected", "invalid"))
        self.calls = Ledger(folder / "calls", writer, committer, final=("said",))

    def find(self, key: str) -> Outcome | None:
        line = self.outcomes.get(key)
        return None if line is None else outcome_of(line)

    def put(self, key: str, inputs: Sequence[Record], outcome: Outcome) -> None:
        fields: dict[str, Any] = {"id": inputs[0].id, "parents": [record.digest for record in inputs]}
        if outcome.reason is not None:
            fields |= {"reason": outcome.reason, "permanent": outcome.permanent}
        usage = {name: value for name, value in asdict(outcome.usage).items() if value != 0}
        fields |= {"usage": usage, "seconds": round(outcome.seconds, 3), "values": [*map(dict, outcome.values)]}
        self.outcomes.append(key, outcome.status, fields)

    def said(self, key: str) -> ModelOutput | None:
        """The reply to a call, if it came."""
        line = self.calls.get(key)
        if line is None or line["status"] != "said":
            return None
        return from_json(ModelOutput, orjson.dumps(line["output"]))

    def ask(self, key: str, record: str) -> None:
        self.calls.append(key, "asked", {"record": record})

    def say(self, key: str, record: str, output: ModelOutput) -> None:
        self.calls.append(key, "said", {"record": record, "output": orjson.Fragment(to_json(output))})

    def unsaid(self, key: str, record: str, error: str) -> None:
        """The call failed, so it is not under way any more."""
        self.calls.append(key, "unsaid", {"record": record, "error": error})

    def open_calls(self) -> Iterator[OpenCall]:
        for line in self.calls.lines():
            if line["status"] == "asked":
                yield OpenCall(self.step.name, line["record"], line["key"])

    def refresh(self) -> None:
        self.outcomes.refresh()
        self.calls.refresh()

    def close(self) -> None:
        self.outcomes.close()
        self.calls.close()


def outcome_of(line: Mapping[str, Any]) -> Outcome:
    usage = Usage(**line["usage"]) if line["usage"] else Usage()
    values = tuple(line["values"])
    return Outcome(
        line["status"], values, line.get("reason"), line.get("permanent", False), usage, line.get("seconds", 0.0)
    )


class RunStore:
    """The folder of a run, opened by one process to write or only to read."""

    def __init__(self, root: Path, *, fsync: Fsync = "group") -> None:
        self.root = root
        self.writer = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
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

    # ----------------------------------------------------------------------------------------- what was asked for

    def read_pinned(self) -> dict[str, JSON] | None:
        """What run.json pins; None when there is no run yet. Raises `StoreError` for one this version cannot use."""
        path = self.root / "run.json"
        if not path.exists():
            return None
        try:
            run = orjson.loads(path.read_bytes())
            format_, made_by = int(run["format"]), str(run["longtake"])
            pinned = cast("dict[str, JSON]", run["pinned"])
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise StoreError(f"{path} cannot be read ({e}); restore it, or give another folder") from e
        if format_ != FORMAT:
            raise StoreError(
                f"{self.root} was written by longtake {made_by} in format {format_}, this one reads format {FORMAT};"
                " use that version, or give another folder"
            )
        return pinned

    def pin(self, pinned: Mapping[str, JSON], *, change: bool) -> None:
        """Writes run.json. Raises `ConfigError` if the folder was begun with other settings, unless ``change``."""
        before = self.read_pinned()
        if before == pinned:
            return
        if before is None and self.root.exists() and any(self.root.iterdir()):
            raise ConfigError(f"{self.root} is not empty and holds no run; give a new folder, or the folder of a run")
        if before is not None and not change:
            raise ConfigError(
                f"{self.root} was begun with other settings: {'; '.join(_differences(before, dict(pinned)))}."
                " Give the same ones, or another folder, or --change to go on with the new ones"
                " (steps they do not touch keep their results)"
            )
        body = {"format": FORMAT, "longtake": metadata.version("longtake"), "pinned": dict(pinned)}
        write_atomic(self.root / "run.json", orjson.dumps(body, option=orjson.OPT_INDENT_2))

    def write_roots(self, roots: Sequence[Record]) -> None:
        rows = (orjson.dumps({"id": root.id, "video": root.video, "value": dict(root.value)}) for root in roots)
        write_atomic(self.root / "sources.jsonl", b"".join(row + b"\n" for row in rows))

    def read_roots(self) -> list[Record]:
        path = self.root / "sources.jsonl"
        try:
            rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
            return roots_of([(row["id"], row["video"], row["value"]) for row in rows])
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise StoreError(f"{path} cannot be read ({e}); run the same command again, it is written anew") from e

    @contextmanager
    def locked(self) -> Generator[None]:
        """Only one run at a time in this folder. Raises `StoreError` when there is another."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"another run is at work in {self.root}; wait for it, or stop it") from None
            except OSError as e:
                raise StoreError(f"cannot lock {self.root}: {e.strerror}") from e
            yield

    def refresh(self) -> None:
        for step in self._steps.values():
            step.refresh()

    def close(self) -> None:
        self._committer.close()
        for step in self._steps.values():
            step.close()


def roots_of(rows: Sequence[tuple[str, str, Value]]) -> list[Record]:
    """(id, video, value) as the records a chain of steps begins with."""
    return [Record("root", id_, video, value_digest(id_, value), (), _given(value)) for id_, video, value in rows]


class _given:
    def __init__(self, value: Value) -> None:
        self.value = value

    def __call__(self) -> Value:
        return self.value


def _differences(before: Mapping[str, JSON], after: Mapping[str, JSON], place: str = "") -> list[str]:
    found = list[str]()
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{place}{name}.")
        elif old != new:
            found.append(f"{place}{name} was {old!r}, is now {new!r}")
    return found
