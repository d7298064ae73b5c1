"""Reads a benchmark: data files or the hub -> questions with their gold, and every row that could not be used.

Opens no video and calls no model. Nothing is dropped in silence: each row is an item, malformed, or a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import ConfigError
from ...types import JSON
from ..items import Item, Malformed
from .benchmark import Spec
from .columns import Columns, Unfound
from .drafts import Draft, check_truth, draft_of
from .fields import FieldError, first, is_empty
from .files import locate
from .placing import Placing
from .rows import KEY, RawRow, read_rows

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
    videos that fit several files, and what was said of each. ``num_subtitles``: videos with subtitles, None if none
    were looked for; ``needs_subtitles``: the benchmark shows them, or the user gave some. ``unfound``: fields and
    strata of a user's own file that no row has. ``provenance``: the files with size and sha256, and the repository,
    commit and split they are of."""

    spec: Spec
    items: tuple[Item, ...]
    malformed: tuple[Malformed, ...]
    num_rows: int
    duplicates: tuple[Duplicate, ...]
    provenance: Mapping[str, JSON]
    notes: tuple[Malformed, ...] = ()
    ambiguous: Mapping[str, str] = field(default_factory=dict[str, str])
    num_subtitles: int | None = None
    needs_subtitles: bool = False
    unfound: tuple[Unfound, ...] = ()


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
    files = locate(spec, data, revision, split)
    answers = _answers(spec, files.answers, split)
    columns = Columns(spec)
    drafts, malformed, num_rows = _drafts(spec, columns, files.questions, answers, split)
    if not num_rows:
        raise ConfigError(
            f"there is no row in {', '.join(name for name, _ in files.questions)}; check the files, or name the data"
            " file with --data"
        )
    kept, duplicates, notes = _told_apart(drafts)
    data_files = [path for _, path in (*files.questions, *files.answers)]
    placing = Placing(spec, videos, files.root, subtitles, data_files)
    items = tuple(placing.placed(draft) for draft in kept)
    return Loaded(
        spec,
        items,
        tuple(malformed),
        num_rows,
        tuple(duplicates),
        {**files.provenance, "num_rows": num_rows},
        (*notes, *placing.notes),
        placing.ambiguous,
        placing.num_subtitles,
        spec.subtitles.needed or isinstance(subtitles, Path),
        columns.unfound,
    )


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
    spec: Spec,
    columns: Columns,
    files: Sequence[tuple[str, Path]],
    answers: Mapping[str, Mapping[str, JSON]],
    split: str | None,
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
            value = columns.read(row.value)
            truth = answers.get(str(first(value, with_key.fields.id)))
            try:
                if truth is not None:
                    check_truth(spec.fields, value, truth)
                    value = {**truth, **{key: each for key, each in value.items() if not is_empty(each)}}
                drafts.append((name, row.number, draft_of(with_key, value, f"{stem}:{row.number}")))
            except FieldError as e:
                malformed.append(Malformed(name, row.number, f"{e}{columns.missing(value, row.value)}"))
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
