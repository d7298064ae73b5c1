"""What a run was asked for: run.json and the list of its videos. Enough to read a run without its models or videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import cast

import orjson
from pydantic import TypeAdapter, ValidationError

from ..errors import ConfigError, StoreError
from ..store import write_atomic
from ..types import JSON
from .step import Context, Record, Step, Value
from .store import roots_of

__all__ = ["Manifest", "read_manifest", "read_roots", "write_manifest", "write_roots"]

FORMAT = 1
"""Of a run's folder. Counted up when an older longtake could not read it any more."""


@dataclass(frozen=True, slots=True)
class StoredStep:
    name: str
    version: int
    config: dict[str, JSON]
    gathers: bool
    many: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """``asked``: the recipe, its settings and the identities of its models, all that decides results.

    ``videos`` is the folder that the sources' paths begin in, ``endpoints`` where each role's model was reached;
    both may change between one run and the next. No secrets."""

    asked: dict[str, JSON]
    stored_steps: tuple[StoredStep, ...]
    videos: str
    endpoints: dict[str, str]
    longtake: str = ""
    format: int = FORMAT

    @classmethod
    def of(
        cls, asked: Mapping[str, JSON], steps: Sequence[Step], videos: Path, endpoints: Mapping[str, str]
    ) -> Manifest:
        stored = tuple(StoredStep(s.name, s.version, dict(s.config), s.gathers, s.many) for s in steps)
        return cls(dict(asked), stored, str(videos), dict(endpoints), metadata.version("longtake"))

    @property
    def steps(self) -> list[Step]:
        """To look up what they made; running them needs the recipe."""
        return [Step(s.name, s.version, s.config, _unable, s.gathers, s.many) for s in self.stored_steps]


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
        return TypeAdapter(Manifest).validate_python(stored)
    except StoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as e:
        raise StoreError(f"{path} cannot be read ({e}); restore it, or give another folder") from e


def write_manifest(root: Path, manifest: Manifest, *, change: bool) -> None:
    """Pins what is asked for. Raises `ConfigError` if the folder was begun otherwise, unless ``change``."""
    before = read_manifest(root)
    if before is None and any(path.name != ".lock" for path in root.iterdir()):
        raise ConfigError(f"{root} is not empty and holds no run; give a new folder, or the folder of a run")
    if before is not None and not change and (other := _differences(_pinned(before), _pinned(manifest))):
        raise ConfigError(
            f"{root} was begun otherwise: {'; '.join(other)}. Give the same settings, or another folder, or --change"
            " to go on with the new ones (steps that they do not touch keep their results)"
        )
    if before != manifest:
        body = TypeAdapter(Manifest).dump_json(manifest, indent=1)
        write_atomic(root / "run.json", body)


def write_roots(root: Path, roots: Sequence[Record]) -> None:
    """The videos in order, so that a run can be read where they are not at hand."""
    rows = (orjson.dumps({"id": each.id, "video": each.video, "value": dict(each.value)}) for each in roots)
    write_atomic(root / "sources.jsonl", b"".join(row + b"\n" for row in rows))


def read_roots(root: Path) -> list[Record]:
    path = root / "sources.jsonl"
    try:
        rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        return roots_of([(row["id"], row["video"], row["value"]) for row in rows])
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise StoreError(f"{path} cannot be read ({e}); run the same command again, it is written anew") from e


def _pinned(manifest: Manifest) -> dict[str, JSON]:
    steps = {s.name: cast("JSON", {"version": s.version, **s.config}) for s in manifest.stored_steps}
    return {**manifest.asked, "steps": steps}


def _differences(before: Mapping[str, JSON], after: Mapping[str, JSON], place: str = "") -> list[str]:
    """What to call what changed; consequences inside the steps are named only if nothing else is."""
    found = list[str]()
    for name in sorted({*before, *after}, key=lambda name: (name == "steps", name)):
        old, new = before.get(name), after.get(name)
        if old == new or (name == "steps" and found):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{place}{name}.")
        else:
            found.append(f"{place}{name} was {_shown(old)}, is now {_shown(new)}")
    return found


def _shown(value: JSON) -> str:
    text = "not there" if value is None else orjson.dumps(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."
