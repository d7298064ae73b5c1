"""Reads a benchmark: data files or the hub -> questions with their gold, and every row that could not be used.

Opens no video and calls no model. Nothing is dropped in silence: each row is an item, malformed, or a duplicate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from ..errors import AmbiguousVideoError, ConfigError
from ..types import JSON
from .benchmark import Hub, Spec
from .drafts import Draft, draft_of
from .fields import FieldError, first, is_empty
from .hub import fetch, names_split
from .items import Item, Malformed
from .rows import KEY, SUFFIXES, RawRow, read_rows
from .videos import VideoFinder

__all__ = ["Duplicate", "Loaded", "read_benchmark"]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row that says what the item ``id`` says already; it is asked once."""

    source: str
    row: int
    id: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A benchmark as read: ``num_rows == len(items) + len(malformed) + len(duplicates)``.

    ``notes`` are rows that are used but odd (an id taken twice, a gold span that is none). ``ambiguous``: names of
    videos that fit several files, and what was said of each. ``provenance``: the files with size and sha256, and the
    repository, commit and split they are of."""

    spec: Spec
    items: tuple[Item, ...]
    malformed: tuple[Malformed, ...]
    num_rows: int
    duplicates: tuple[Duplicate, ...]
    provenance: Mapping[str, JSON]
    notes: tuple[Malformed, ...] = ()
    ambiguous: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Files:
    """``questions`` and ``answers`` (ground truth kept apart): (name, path)."""

    questions: Sequence[tuple[str, Path]]
    answers: Sequence[tuple[str, Path]]
    provenance: Mapping[str, JSON]
    root: Path | None = None


def read_benchmark(
    spec: Spec,
    data: Sequence[str | Path] | None = None,
    *,
    videos: Path | None = None,
    revision: str | None = None,
    split: str | None = None,
    subtitles: Path | bool | None = None,
) -> Loaded:
    """The questions of a benchmark in the order of the data.

    ``data``: files, folders or ``hf:REPO@REVISION``; None is the benchmark's own place on the hub. ``videos`` is the
    folder of the videos; None looks beside local data. ``subtitles``: False for none, a path for files of the user's.
    Raises `ConfigError` where nothing can be read at all, naming what is there."""
    files = _files(spec, data, revision, split)
    answers = _answers(spec, files.answers, split)
    drafts, malformed, num_rows = _drafts(spec, files.questions, answers, split)
    if not num_rows:
        raise ConfigError(f"there is no row in {', '.join(name for name, _ in files.questions)}; check the files")
    kept, duplicates, notes = _told_apart(drafts)
    root = videos or files.root
    finder = _Videos(spec, root, trusted=videos is None) if root is not None else None
    items = tuple(draft.item if finder is None else finder.placed(draft.item) for draft in kept)
    return Loaded(
        spec,
        items,
        tuple(malformed),
        num_rows,
        tuple(duplicates),
        {**files.provenance, "num_rows": num_rows},
        tuple(notes),
        {} if finder is None else finder.ambiguous,
    )


# ------------------------------------------------------------------------------------------------------- files


def _files(spec: Spec, data: Sequence[str | Path] | None, revision: str | None, split: str | None) -> _Files:
    given = list(data or ())
    if not given and spec.hub is None:
        raise ConfigError(f"{spec.name} needs data: give --data with a file, a folder or hf:REPO@REVISION")
    if not given or (len(given) == 1 and str(given[0]).startswith("hf:")):
        return _from_hub(spec, str(given[0]) if given else None, revision, split)
    questions, answers = list[Path](), list[Path]()
    for each in given:
        if str(each).startswith("hf:"):
            raise ConfigError(f"{each}: data are local files or one place on the hub, not both")
        path = Path(each)
        if path.is_dir():
            found, truth = _in_folder(spec, path, split)
            questions += found
            answers += truth
        elif not path.is_file():
            raise ConfigError(f"there is no file or folder {path}; give the data file, its folder or hf:REPO@REVISION")
        elif _fits(path.name, spec.ground_truth) and len(given) > 1:
            answers.append(path)
        else:
            questions.append(path)
    if not questions:
        questions, answers = answers, []
    root = Path(given[0]) if Path(given[0]).is_dir() else Path(given[0]).parent
    named = [(_name(path, root), path) for path in questions]
    truth = [(_name(path, root), path) for path in answers]
    provenance: dict[str, JSON] = {"source": "files", "split": split or spec.split, "files": _sums([*named, *truth])}
    return _Files(named, truth, provenance, root)


def _from_hub(spec: Spec, given: str | None, revision: str | None, split: str | None) -> _Files:
    hub = spec.hub
    if given is not None:
        repo, _, said = given.removeprefix("hf:").partition("@")
        same = hub is not None and hub.repo == repo
        hub = hub if same and hub is not None else Hub(repo=repo, split=spec.split or "test")
        hub = hub.model_copy(update={"revision": said}) if said else hub
    assert hub is not None
    hub = hub.model_copy(update={"revision": revision or hub.revision, "split": split or hub.split})
    fetched = fetch(hub, spec.ground_truth)
    named = list(zip(fetched.names, fetched.paths, strict=True))
    questions = [pair for pair in named if not _fits(pair[0], spec.ground_truth)]
    answers = [pair for pair in named if _fits(pair[0], spec.ground_truth)]
    provenance: dict[str, JSON] = {
        "source": f"hf:{hub.repo}",
        "requested_revision": hub.revision,
        "revision": fetched.revision,
        "split": hub.split,
        "config": hub.config,
        "files": _sums(named),
    }
    return _Files(questions or answers, answers if questions else [], provenance)


def _in_folder(spec: Spec, folder: Path, split: str | None) -> tuple[list[Path], list[Path]]:
    """The data files in a folder, subtitles and hidden files left out, and those with the answers kept apart."""
    allowed = SUFFIXES if spec.line is not None else SUFFIXES - {".txt"}
    listed = list[tuple[str, Path]]()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        if path.suffix.lower() in allowed and not hidden and "subtitle" not in name.lower() and path.is_file():
            listed.append((name, path))
    truth = [path for name, path in listed if _fits(name, spec.ground_truth)]
    found = [pair for pair in listed if pair[1] not in truth]
    for pattern in spec.files:
        if matching := [pair for pair in found if _fits(pair[0], (pattern,))]:
            found = matching
            break
    wanted = split or spec.split
    if wanted and len(found) > 1:
        of_split = [pair for pair in found if names_split(pair[1].name, wanted)]
        if split and not of_split:
            names = ", ".join(name for name, _ in found)
            raise ConfigError(f"no data file in {folder} is of the split {split!r}; there are: {names}")
        found = of_split or found
    if not found and not truth:
        raise ConfigError(f"there is no data file in {folder}; wanted: {', '.join(sorted(allowed))}")
    return [path for _, path in found], truth


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) or fnmatch(name.rsplit("/", 1)[-1], pattern) for pattern in patterns)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _sums(files: Sequence[tuple[str, Path]]) -> list[JSON]:
    sums = list[JSON]()
    for name, path in files:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        sums.append({"name": name, "num_bytes": path.stat().st_size, "sha256": digest})
    return sums


# -------------------------------------------------------------------------------------------------------- rows


def _rows(spec: Spec, path: Path, split: str | None) -> Iterator[RawRow]:
    return read_rows(path, split=split or spec.split, nested=spec.rows, line=spec.line, known=spec.fields.question)


def _answers(spec: Spec, files: Sequence[tuple[str, Path]], split: str | None) -> dict[str, Mapping[str, JSON]]:
    """Rows of ground truth by the id of their question. Raises `ConfigError` for one that cannot be read."""
    found = dict[str, Mapping[str, JSON]]()
    for name, path in files:
        for row in _rows(spec, path, split):
            id_ = None if row.value is None else first(row.value, (*spec.fields.id, KEY))
            if row.value is None or id_ is None:
                raise ConfigError(f"{name}, row {row.number}: {row.reason or 'no id'}; answers need the question's id")
            found[str(id_)] = row.value
    return found


def _drafts(
    spec: Spec, files: Sequence[tuple[str, Path]], answers: Mapping[str, Mapping[str, JSON]], split: str | None
) -> tuple[list[tuple[str, int, Draft]], list[Malformed], int]:
    drafts, malformed, num_rows = list[tuple[str, int, Draft]](), list[Malformed](), 0
    with_key = spec.model_copy(update={"fields": spec.fields.model_copy(update={"id": (*spec.fields.id, KEY)})})
    for name, path in files:
        stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        for row in _rows(spec, path, split):
            num_rows += 1
            if row.value is None:
                malformed.append(Malformed(name, row.number, row.reason))
                continue
            value = row.value
            if truth := answers.get(str(first(value, with_key.fields.id))):
                value = {**truth, **{key: each for key, each in value.items() if not is_empty(each)}}
            try:
                drafts.append((name, row.number, draft_of(with_key, value, f"{stem}:{row.number}")))
            except FieldError as e:
                malformed.append(Malformed(name, row.number, str(e)))
    return drafts, malformed, num_rows


def _told_apart(drafts: Sequence[tuple[str, int, Draft]]) -> tuple[list[Draft], list[Duplicate], list[Malformed]]:
    """A row that says what one before it said is a duplicate (rows with ids: under the same id); other rows of a taken
    id get one of their own, ``id~2``."""
    kept, duplicates, notes = list[Draft](), list[Duplicate](), list[Malformed]()
    seen = dict[tuple[object, ...], str]()
    taken = dict[str, int]()
    for source, row, draft in drafts:
        item, id_ = draft.item, draft.item.sample.id
        sample = item.sample
        said = (item.video_name, sample.question, sample.choices, sample.target, sample.target_spans, item.clip)
        key = (id_ if draft.has_id else None, *said)
        if key in seen:
            duplicates.append(Duplicate(source, row, seen[key]))
            continue
        taken[id_] = taken.get(id_, 0) + 1
        own = id_
        while taken[id_] > 1 and (own := f"{id_}~{taken[id_]}") in taken:
            taken[id_] += 1
        if own != id_:
            taken[own] = 1
            notes.append(Malformed(source, row, f"the id {id_!r} is taken by another question; this one is {own!r}"))
            draft = replace(draft, item=replace(item, sample=replace(sample, id=own)))
        seen[key] = own
        notes += [Malformed(source, row, note) for note in draft.notes]
        kept.append(draft)
    return kept, duplicates, notes


class _Videos:
    """Puts the files of videos into items; each name is looked up once."""

    def __init__(self, spec: Spec, root: Path, *, trusted: bool) -> None:
        self._finder = VideoFinder(root, patterns=spec.video_patterns)
        self._trusted = trusted
        self._found = dict[str, str]()
        self.ambiguous = dict[str, str]()

    def placed(self, item: Item) -> Item:
        name = item.video_name
        if name not in self._found:
            self._found[name] = self._find(name)
        return replace(item, sample=replace(item.sample, video=self._found[name]))

    def _find(self, name: str) -> str:
        if self._trusted and Path(name).is_absolute() and Path(name).exists():  # the user's own data, no folder given
            return name
        try:
            return str(self._finder.find(name) or "")
        except AmbiguousVideoError as e:
            self.ambiguous[name] = str(e)
            return ""
