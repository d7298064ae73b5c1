"""The folder of an evaluation: what was asked for, the questions with their gold, what every run of the agent gave.

DIR/
  run.json             what was asked for and what decides answers; no secrets
  items.json           the questions that were selected, with their gold: grading again needs no data
  traces/<writer>.jsonl    runs of the agent, and for every question and epoch which of them is its own
  calls/, judge/       every call of a model and of the judge, as in `models.journaled`
  metrics.json, report.md, report.html, predictions.jsonl    made from the above, at any time again
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from ..changes import differences
from ..errors import ConfigError, LongtakeError, StoreError
from ..ledger import Committer, Fsync, Ledger
from ..models.journaled import CallJournal, key_of
from ..store import digest, write_atomic, writer_name
from ..types import JSON, Trace, from_json, to_json
from .data.benchmark import Spec
from .items import Item
from .settings import EvalSettings

__all__ = ["Ended", "EvalStore", "FailedBy", "Manifest", "read_items", "read_manifest", "write_manifest"]

FORMAT = 1
"""Of the folder. Counted up when an older longtake could not read it any more."""

EndStatus: TypeAlias = Literal["ended", "failed"]
"""``ended``: the agent was let run to its end. ``failed``: it was not, and is tried again in the next run."""
FailedBy: TypeAlias = Literal["transport", "request", "video", "gold"]
"""Those of `Cause` that an agent did not get past."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one question ended in one epoch. ``cause`` is set where something failed; ``trace`` None where nothing was
    begun."""

    id: str
    epoch: int
    status: EndStatus
    cause: FailedBy | None = None
    error: str | None = None
    trace: Trace | None = None


class EvalStore:
    """The journals of a run, opened by one process to write or only to read.

    A finished run of the agent is kept under a key of all that decides it. Which of these is a question's own is kept
    apart, and the later word counts: so what was answered is known again whatever became of the question meanwhile."""

    def __init__(self, root: Path, *, fsync: Fsync = "group") -> None:
        self.root = root
        writer = writer_name(root.glob("traces/*.jsonl"))
        self._committer = Committer(fsync)
        self._traces = Ledger(root / "traces", writer, self._committer, final=("ended",))
        self.calls = CallJournal(root / "calls", writer, self._committer)
        self.judgements = CallJournal(root / "judge", writer, self._committer)

    def find(self, key: str) -> Ended | None:
        """The run of the agent with this key, if it came to its end."""
        line = self._traces.get(key)
        return None if line is None else _ended_of(line)

    def put(self, key: str, ended: Ended) -> None:
        """Keeps a run of the agent that came to its end."""
        self._traces.append(key, ended.status, _fields_of(ended))

    def fail(self, who: str, failed: Ended) -> None:
        """A question was not answered. ``who`` names what decides answers beside the question."""
        self._traces.append(_place(who, failed.id, failed.epoch), failed.status, _fields_of(failed))

    def point(self, who: str, key: str, ended: Ended) -> None:
        """The run with this key is what became of this question."""
        place = _place(who, ended.id, ended.epoch)
        now = self._traces.get(place)
        if now is None or now.get("to") != key:
            self._traces.append(place, "at", {"to": key})

    def now(self, who: str, id_: str, epoch: int) -> Ended | None:
        """What became of a question; None if nothing has yet. Raises `StoreError` for a line that is not one."""
        line = self._traces.get(_place(who, id_, epoch))
        if line is None:
            return None
        return self.find(str(line["to"])) if line["status"] == "at" else _ended_of(line)

    @property
    def num_answered(self) -> int:
        """Runs of the agent that came to their end, of whatever questions and settings."""
        return self._traces.num_final

    @property
    def num_kept(self) -> int:
        return self._traces.num_final + self.calls.num_said + self.judgements.num_said

    def refresh(self) -> None:
        for part in (self._traces, self.calls, self.judgements):
            part.refresh()

    def close(self) -> None:
        self._committer.close()
        for part in (self._traces, self.calls, self.judgements):
            part.close()


def _place(who: str, id_: str, epoch: int) -> str:
    return key_of(who, [id_, str(epoch)])


def _fields_of(ended: Ended) -> dict[str, Any]:
    trace = None if ended.trace is None else orjson.Fragment(to_json(ended.trace))
    return {"id": ended.id, "epoch": ended.epoch, "cause": ended.cause, "error": ended.error, "trace": trace}


def _ended_of(line: Mapping[str, Any]) -> Ended:
    """Raises `StoreError` for a line that was written by something else."""
    try:
        trace = None if line["trace"] is None else from_json(Trace, orjson.dumps(line["trace"]))
        return Ended(line["id"], line["epoch"], line["status"], line["cause"], line["error"], trace)
    except (KeyError, TypeError) as e:
        raise StoreError(f"the line {line.get('key')} in traces/ is not one ({e!r}); delete it") from e


# ---------------------------------------------------------------------------------------------------- manifest


_M = TypeVar("_M", bound=BaseModel)
_NEEDED = ("who_digest", "spec", "settings")
"""What grading reads of `Manifest.told`."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """``pinned``: what decides answers, the same as long as the folder is used. ``told``: what else there is to know;
    it may change from one start to the next."""

    pinned: dict[str, JSON]
    told: dict[str, JSON]

    @property
    def spec(self) -> Spec:
        """Raises `StoreError` for what another version wrote."""
        return self._read(Spec, "spec")

    @property
    def settings(self) -> EvalSettings:
        """What was asked for, without credentials. Raises `StoreError` for what another version wrote."""
        return self._read(EvalSettings, "settings")

    def _read(self, kind: type[_M], name: str) -> _M:
        try:
            return kind.model_validate(self.told[name])
        except ValidationError as e:
            raise StoreError(
                f"the {name} in run.json cannot be read ({_first(e)}): another version of longtake wrote it; use that"
                " one, or begin a new folder"
            ) from e


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, in one line; pydantic's own words show the data and go over many."""
    wrong = error.errors()[0]
    return ": ".join(filter(None, [".".join(map(str, wrong["loc"])), wrong["msg"]]))


_ITEMS = TypeAdapter(list[Item])


def read_manifest(root: Path) -> Manifest | None:
    """None where there is no run. Raises `StoreError` for one that this version cannot use."""
    path = root / "run.json"
    if not path.exists():
        return None
    try:
        stored = orjson.loads(path.read_bytes())
        if stored["format"] != FORMAT:
            raise StoreError(
                f"{root} was written by longtake {stored['longtake']} in format {stored['format']}, this one reads"
                f" format {FORMAT}; use that version, or give another folder"
            )
        sum_ = stored.pop("sum")
        if sum_ != digest(stored):
            raise StoreError(f"{path} was changed by hand; restore it, or give another folder")
        told = dict(stored["told"])
        if lacking := [name for name in _NEEDED if name not in told]:
            raise StoreError(
                f"{path} is not that of an evaluation (it has no {', '.join(lacking)}); give the --out folder of"
                " longtake eval run"
            )
        return Manifest(dict(stored["pinned"]), told)
    except StoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise StoreError(f"{path} cannot be read ({e}); restore it, or give another folder") from e


def write_manifest(root: Path, manifest: Manifest, items: Sequence[Item], *, change: bool) -> None:
    """Pins what is asked for. Raises `ConfigError` if the folder was begun otherwise, unless ``change``."""
    before = read_manifest(root)
    if before is None and any(not path.name.startswith(".") and path.name != "items.json" for path in root.iterdir()):
        raise ConfigError(f"{root} is not empty and holds no evaluation; give a new folder, or that of an evaluation")
    if before is not None and not change and (other := differences(before.pinned, manifest.pinned)):
        raise ConfigError(
            f"{root} was begun otherwise: {'; '.join(other[:6])}. Give the same settings, or another --out, or --change"
            " to go on with the new ones (answers that they do not touch are kept)"
        )
    asked = _ITEMS.dump_json(list(items))
    if before is None or before.pinned != manifest.pinned:
        for name in ("metrics.json", "predictions.jsonl", "report.html", "report.md"):  # they are of other settings
            (root / name).unlink(missing_ok=True)
    write_atomic(root / "items.json", asked)
    body: dict[str, JSON] = {
        "format": FORMAT,
        "longtake": metadata.version("longtake"),
        "pinned": manifest.pinned,
        "told": manifest.told,
    }
    write_atomic(root / "run.json", orjson.dumps({**body, "sum": digest(body)}, option=orjson.OPT_INDENT_2))


def read_items(root: Path) -> list[Item]:
    """The questions of the run in ``root``. Raises `StoreError`."""
    path = root / "items.json"
    try:
        return _ITEMS.validate_json(path.read_bytes())
    except (OSError, ValueError, LongtakeError) as e:
        why = _first(e) if isinstance(e, ValidationError) else str(e)
        raise StoreError(
            f"{path} cannot be read ({why}); restore it, or give the --out folder of longtake eval run"
        ) from e
