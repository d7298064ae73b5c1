"""Finds the data files of a benchmark: those that were named, those in a folder, those of a repository on the hub.

Reads none of them but for their checksums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ...errors import ConfigError
from ...types import JSON
from .benchmark import Hub, Spec
from .hub import fetch, names_split
from .rows import SUFFIXES

__all__ = ["DataFiles", "locate"]

_HUB = "hf:"
_OWN = ("run.json", "trace.json")
"""A folder with one of these is what longtake wrote; its other files are no data."""


@dataclass(frozen=True, slots=True)
class DataFiles:
    """``questions`` and ``answers`` (ground truth kept apart): (name, path). ``root``: the folder local ones lie in."""

    questions: Sequence[tuple[str, Path]]
    answers: Sequence[tuple[str, Path]]
    provenance: Mapping[str, JSON]
    root: Path | None = None


def locate(spec: Spec, data: Sequence[str | Path] | None, revision: str | None, split: str | None) -> DataFiles:
    """The files to read. Raises `ConfigError` where there are none, naming what is there."""
    given = list(data or ())
    if not given and spec.hub is None:
        raise ConfigError(f"{spec.name} needs data: give --data with a file, a folder or hf:REPO@REVISION")
    if not given or (len(given) == 1 and str(given[0]).startswith(_HUB)):
        return _on_hub(_repository(spec, str(given[0]) if given else None, revision, split), spec)
    questions, answers = list[Path](), list[Path]()
    for each in given:
        if str(each).startswith(_HUB):
            raise ConfigError(f"{each}: data are local files or one place on the hub, not both")
        path = Path(each)
        if path.is_dir():
            found, truth = _in_folder(spec, path, split)
            questions += found
            answers += truth
        elif not path.is_file():
            raise ConfigError(
                f"there is no file or folder {path}; give --data the data file, its folder or hf:REPO@REVISION"
            )
        else:
            (answers if _fits(path.name, spec.ground_truth) else questions).append(path)
    if not questions:  # ground truth that holds the questions too
        questions, answers = answers, []
    root = Path(given[0]) if Path(given[0]).is_dir() else Path(given[0]).parent
    named = [(_name(path, root), path) for path in questions]
    truth = [(_name(path, root), path) for path in answers]
    return DataFiles(
        named, truth, {"source": "files", "split": split or spec.split, "files": _sums([*named, *truth])}, root
    )


def _repository(spec: Spec, given: str | None, revision: str | None, split: str | None) -> Hub:
    hub = spec.hub
    said = ""
    if given is not None:
        repo, _, said = given.removeprefix(_HUB).partition("@")
        if hub is None or hub.repo != repo:
            hub = Hub(repo=repo, split=spec.split or "test")
    if hub is None:
        raise ConfigError(f"{spec.name} has no place on the hub; give --data")
    changes = {"revision": revision or said or hub.revision, "split": split or hub.split}
    return hub.model_copy(update=changes)


def _on_hub(hub: Hub, spec: Spec) -> DataFiles:
    fetched = fetch(hub, spec.ground_truth)
    named = list(zip(fetched.names, fetched.paths, strict=True))
    questions = [pair for pair in named if not _fits(pair[0], spec.ground_truth)]
    answers = [pair for pair in named if _fits(pair[0], spec.ground_truth)]
    provenance: dict[str, JSON] = {
        "source": f"{_HUB}{hub.repo}",
        "requested_revision": hub.revision,
        "revision": fetched.revision,
        "config": hub.config,
        "split": hub.split,
        "files": _sums(named),
    }
    return DataFiles(questions or answers, answers if questions else [], provenance)


def _in_folder(spec: Spec, folder: Path, split: str | None) -> tuple[list[Path], list[Path]]:
    """The data files in a folder, and those with the answers kept apart. Subtitles, hidden files and what longtake
    itself wrote are left out."""
    allowed = SUFFIXES if spec.line is not None else SUFFIXES - {".txt"}
    listed = list[tuple[str, Path]]()
    paths = sorted(folder.rglob("*"))
    runs = {path.parent for path in paths if path.name in _OWN}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        other = "subtitle" in name.lower() or name.endswith(".frames.json")
        other = other or not runs.isdisjoint(path.parents)
        if path.suffix.lower() in allowed and not hidden and not other and path.is_file():
            listed.append((name, path))
    truth = [path for name, path in listed if _fits(name, spec.ground_truth)]
    found = [pair for pair in listed if pair[1] not in truth]
    if split and len(found) > 1:
        of_split = [pair for pair in found if names_split(pair[1].name, split)]
        if not of_split:
            names = ", ".join(name for name, _ in found[:20])
            raise ConfigError(f"no data file in {folder} is of the split {split!r}; there are: {names}")
        found = of_split
    for pattern in spec.files:
        if matching := [pair for pair in found if _fits(pair[0], (pattern,))]:
            found = matching
            break
    if not split and spec.split:
        found = [pair for pair in found if names_split(pair[1].name, spec.split)] or found
    if not found and not truth:
        own = f"; folders with {' or '.join(_OWN)} are left out, longtake wrote them" if runs else ""
        raise ConfigError(
            f"there is no data file in {folder}; wanted: {', '.join(sorted(allowed))}{own}; name the data file with"
            " --data"
        )
    return [path for _, path in found], truth


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) or fnmatch(name.rsplit("/", 1)[-1], pattern) for pattern in patterns)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _sums(files: Sequence[tuple[str, Path]]) -> list[JSON]:
    sums = list[JSON]()
    for name, path in files:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as e:
            raise ConfigError(f"{path} cannot be read: {e.strerror}") from e
        sums.append({"name": name, "num_bytes": path.stat().st_size, "sha256": digest})
    return sums
