"""What a run was asked for: run.json and the list of its videos. Enough to read a run without its models or videos."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import cast

import orjson
from pydantic import TypeAdapter, ValidationError

from ..changes import differences
from ..errors import ConfigError, StoreError
from ..store import digest, write_atomic
from ..types import JSON
from .step import Context, Record, Step, Value
from .store import roots_of

__all__ = ["Manifest", "known_roots", "read_manifest", "read_roots", "write_manifest"]

FORMAT = 1
"""Of a run's folder. Counted up when an older longtake could not read it any more."""


@dataclass(frozen=True, slots=True)
class StoredStep:
    name: str
    version: int
    config: dict[str, JSON]
    gathers: bool
    many: bool
    forgets: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """``asked``: the recipe, its settings and the identities of its models, all that decides results.

    ``videos`` is the folder that the sources' paths begin in, ``endpoints`` where each role's model was reached;
    both may change between one run and the next. No secrets."""

    asked: dict[str, JSON]
    stored_steps: tuple[StoredStep, ...]
    videos: str
    endpoints: dict[str, str]
    sources: str = ""
    """Digest of sources.jsonl."""
    longtake: str = ""
    format: int = FORMAT

    @classmethod
    def of(
        cls,
        asked: Mapping[str, JSON],
        steps: Sequence[Step],
        roots: Sequence[Record],
        videos: Path,
        endpoints: Mapping[str, str],
    ) -> Manifest:
        stored = tuple(StoredStep(s.name, s.version, dict(s.config), s.gathers, s.many, s.forgets) for s in steps)
        sources, version = _digest_of(_sources(roots)), metadata.version("longtake")
        return cls(dict(asked), stored, str(videos), dict(endpoints), sources, version)

    @property
    def steps(self) -> list[Step]:
        """To look up what they made; running them needs the recipe."""
        return [Step(s.name, s.version, s.config, _unable, s.gathers, s.many, s.forgets) for s in self.stored_steps]


async def _unable(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
    raise ConfigError("this step was read from run.json and cannot be run; build the recipe")


def read_manifest(root: Path) -> Manifest | None:
    """None where there is no run. Raises `StoreError` for one that this version cannot use."""
    path = root / "run.json"
    if not path.exists():
        return None
    try:
        stored = orjson.loads(path.read_bytes())
        format_, made_by = int(stored["format"]), str(stored["longtake"])
        if format_ != FORMAT:
            raise StoreError(
                f"{root} was written by longtake {made_by} in format {format_}, this one reads format {FORMAT};"
                " use that version, or give another folder"
            )
        sum_ = stored.pop("sum")
        if sum_ != digest(stored):
            raise StoreError(f"{path} was changed by hand; restore it, or give another folder")
        return TypeAdapter(Manifest).validate_python(stored)
    except StoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as e:
        raise StoreError(f"{path} cannot be read ({e}); restore it, or give another folder") from e


def write_manifest(root: Path, manifest: Manifest, roots: Sequence[Record], *, change: bool) -> None:
    """Pins what is asked for, and of which videos. Raises `ConfigError` if the folder was begun otherwise, or with
    videos that are not there now, unless ``change``."""
    before = read_manifest(root)
    if before is None and any(
        not path.name.startswith(".") and path.name != "sources.jsonl" for path in root.iterdir()
    ):
        raise ConfigError(f"{root} is not empty and holds no run; give a new folder, or the folder of a run")
    if before is not None and not change and (other := _changes(_pinned(before), _pinned(manifest))):
        raise ConfigError(
            f"{root} was begun otherwise: {'; '.join(other)}. Give the same settings, or another folder, or --change"
            " to go on with the new ones (steps that they do not touch keep their results)"
        )
    if before is not None and not change:
        _check_kept(before, known_roots(root), roots)
    write_atomic(root / "sources.jsonl", _sources(roots))
    if before != manifest:
        body: dict[str, JSON] = orjson.loads(TypeAdapter(Manifest).dump_json(manifest))
        write_atomic(root / "run.json", orjson.dumps({**body, "sum": digest(body)}, option=orjson.OPT_INDENT_2))


def _sources(roots: Sequence[Record]) -> bytes:
    """The videos in order, so that a run can be read where they are not at hand."""
    rows = (orjson.dumps({"id": each.id, "video": each.video, "value": dict(each.value)}) for each in roots)
    return b"".join(row + b"\n" for row in rows)


def _digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def read_roots(root: Path, manifest: Manifest) -> list[Record]:
    """The videos of a run. Raises `StoreError` if the list is not the one that run.json is about."""
    path = root / "sources.jsonl"
    try:
        data = path.read_bytes()
        if _digest_of(data) != manifest.sources:
            raise ValueError("it is not the one that was written")
        return _roots_in(data)
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise StoreError(f"{path} cannot be read ({e}); run the same command again, it is written anew") from e


def known_roots(root: Path) -> list[Record]:
    """As `read_roots`, also where a kill came between this list and run.json; [] where there is none to be read."""
    try:
        return _roots_in((root / "sources.jsonl").read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _roots_in(data: bytes) -> list[Record]:
    rows = [orjson.loads(line) for line in data.splitlines()]
    return roots_of([(row["id"], row["video"], row["value"]) for row in rows])


def _check_kept(before: Manifest, known: Sequence[Record], roots: Sequence[Record]) -> None:
    now = {root.id for root in roots}
    lost = [root.id for root in known if root.id not in now]
    if lost:
        raise ConfigError(
            f"{len(lost)} of the run's {len(known)} videos are not there any more ({', '.join(lost[:3])}"
            f"{', ...' if len(lost) > 3 else ''}; before, they were in {before.videos}). Put them back, give their"
            " folder or another --out, or --change to go on without them"
        )


def _pinned(manifest: Manifest) -> dict[str, JSON]:
    steps = {s.name: cast("JSON", {"version": s.version, **s.config}) for s in manifest.stored_steps}
    return {**manifest.asked, "steps": steps}


def _changes(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> list[str]:
    """What to call what changed; consequences inside the steps are named only if nothing else is."""
    if before.get("recipe") != after.get("recipe"):
        return [f"the recipe was {before.get('recipe')}, is now {after.get('recipe')}"]
    asked = differences({**before, "steps": None}, {**after, "steps": None})
    return asked or differences({"steps": before["steps"]}, {"steps": after["steps"]})
