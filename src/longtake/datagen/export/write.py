"""Exports: what is left at the end of a recipe's chain as a file of training data, with a card beside it.

Owns which questions go in and that every row keeps to its published schema; the forms themselves are in `forms`.
The same records give the same bytes, in whatever order they come.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import orjson
from pydantic import ValidationError

from ...errors import ConfigError, RejectedError, VideoError, VideoNotFoundError
from ...store import digest, write_atomic
from ...types import JSON
from ..quality.measures import Filter, duplicates, left_out
from ..step import Record
from .conversation import thought_of
from .forms import FORMS, Row
from .frame_urls import FrameFiles, FrameUrls, frame_urls
from .items import Item, read_item
from .letters import Balance
from .marks import scrubbed
from .rows import ROWS, FormName, row_schema
from .tables import Table, open_table

__all__ = ["ExportReport", "card_path", "export", "form_named"]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What became of every question: rows, or why not. ``sha256`` is of the file.

    ``num_questions`` is the sum of ``num_rows``, ``refused``, ``filtered`` and ``num_duplicates``. ``letters`` counts
    the right options of the rows, ``letters_kept`` those that could not be moved for balance; in
    ``num_without_thinking`` conversations the model acted at least once without a word of thought."""

    form: FormName
    file: str
    sha256: str
    num_questions: int
    num_rows: int
    num_duplicates: int
    num_videos: int
    refused: Mapping[str, int]
    filtered: Mapping[str, int]
    letters: Mapping[str, int]
    letters_kept: int
    num_without_thinking: int


@dataclass(slots=True)
class _Counts:
    questions: int = 0
    rows: int = 0
    duplicates: int = 0
    letters_kept: int = 0
    without_thinking: int = 0
    videos: set[str] = field(default_factory=set[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    filtered: Counter[str] = field(default_factory=Counter[str])
    letters: Counter[str] = field(default_factory=Counter[str])


def form_named(name: str) -> FormName:
    """Raises `ConfigError` listing the forms."""
    for form in FORMS:
        if form == name:
            return form
    raise ConfigError(f"the forms are {', '.join(FORMS)}; got {name!r}")


def card_path(out: Path) -> Path:
    return out.with_name(f"{out.name}.card.json")


def export(
    records: Iterable[Record],
    form: str,
    out: Path,
    *,
    filters: Sequence[Filter] = (),
    root: Path | None = None,
    media: Path | None = None,
    balance_letters: bool = False,
    max_per_question: int = 1,
    lineage: Mapping[str, JSON] | None = None,
) -> ExportReport:
    """Writes the questions of ``records`` (ends of a chain) as rows of ``form`` to ``out``, .jsonl or .parquet.

    ``filters``: the likeness to earlier questions is measured among what the others leave and the form can say.
    ``media`` is a folder for frames as JPEG files (`FrameFiles`; needs ``root``, the folder of the videos); without
    it frames are named as moments of their video. ``balance_letters`` moves right options (`Balance`).
    ``max_per_question``: so many rows, of those that pass and come first by id, for the same question about the same
    video. ``lineage`` goes into the card as it is. Raises `ConfigError`, `StoreError`, `MissingExtraError`, or
    `VideoNotFoundError` when ``media`` needs a video that is not under ``root``."""
    name = form_named(form)
    if max_per_question < 1:
        raise ConfigError(f"max_per_question must be at least 1, got {max_per_question}")
    if media is not None and root is None:
        raise ConfigError("frames as files need root, the folder of the videos")
    urls = frame_urls if media is None or root is None else FrameFiles(media, root=root, beside=out.parent)
    ordered = sorted(records, key=lambda record: record.id)
    counts = _Counts()
    with open_table(out, row_schema(name)) as table:
        kept = _kept(ordered, name, filters, counts)
        if balance_letters:
            kept = _balanced(kept, counts)
        _write(table, name, kept, urls, max_per_question, counts)
    report = _report(name, out, counts)
    card: dict[str, JSON] = {
        **cast("dict[str, JSON]", asdict(report)),
        "schema": f"{name}.json",
        "schema_digest": digest(cast("JSON", row_schema(name)))[:16],
        "filters": [str(one) for one in filters],
        "balance_letters": balance_letters,
        "max_per_question": max_per_question,
        "frames": "files" if media is not None else "moments of the videos (FILE#t=SECONDS)",
        "lineage": dict(lineage or {}),
    }
    write_atomic(card_path(out), orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return report


def _kept(records: Sequence[Record], form: FormName, filters: Sequence[Filter], counts: _Counts) -> Iterator[Item]:
    """The items that pass every filter; one that does not is counted under the first it fails."""
    others = [one for one in filters if one.measure != "duplicate"]
    alike = _alike(records, form, others) if len(others) < len(filters) else {}
    in_turn = [*others, *(one for one in filters if one.measure == "duplicate")]
    for record in records:
        item = read_item(record)
        counts.questions += 1
        failed = left_out(item, in_turn, alike.get(_same(item), 0.0))
        if failed is None:
            yield item
        else:
            counts.filtered[failed] += 1


def _alike(records: Sequence[Record], form: FormName, filters: Sequence[Filter]) -> dict[bytes, float]:
    """How much each question is like an earlier one, of those that pass ``filters`` and fit the form: what is left out
    takes nobody's place. Rows of one question about one video count once; how many there may be is another setting."""
    first = dict[bytes, str]()

    def fitting() -> Iterator[Item]:
        for record in records:
            item = read_item(record)
            if _same(item) not in first and left_out(item, filters) is None and _fits(form, item):
                first[_same(item)] = item.id
                yield item

    found = duplicates(fitting())
    return {same: found[id_] for same, id_ in first.items()}


def _fits(form: FormName, item: Item) -> bool:
    try:
        _checked(form, FORMS[form](item, 0, frame_urls))
    except RejectedError:
        return False
    return True


def _balanced(items: Iterable[Item], counts: _Counts) -> Iterator[Item]:
    balance = Balance()
    for item in items:
        moved = balance.moved(item)
        counts.letters_kept += moved is None
        yield moved or item


def _write(
    table: Table, form: FormName, items: Iterable[Item], urls: FrameUrls, max_per_question: int, counts: _Counts
) -> None:
    asked = Counter[bytes]()
    for item in items:
        same = _same(item)
        if asked[same] >= max_per_question:
            counts.duplicates += 1
            continue
        try:
            row = _checked(form, FORMS[form](item, counts.rows, urls))
        except VideoNotFoundError:
            raise
        except (RejectedError, VideoError) as e:
            counts.refused[str(e) if isinstance(e, RejectedError) else "its frames cannot be decoded"] += 1
            continue
        asked[same] += 1
        table.add(row)
        counts.rows += 1
        counts.videos.add(item.source.id)
        counts.letters[item.letter or "open"] += 1
        if form == "longvt" and item.trace is not None:
            counts.without_thinking += not all(map(thought_of, item.trace.turns))


def _same(item: Item) -> bytes:
    """The same for the same question about the same video, whatever order the options are in."""
    parts = [item.question.question, *sorted(item.question.options)]
    question = "\n".join(" ".join(scrubbed(part).casefold().split()) for part in parts)
    return hashlib.blake2b(f"{item.source.fingerprint}\n{question}".encode(), digest_size=16).digest()


def _checked(form: FormName, row: Row) -> Row:
    try:
        ROWS[form].validate_python(row) if form != "traces" else ROWS[form].validate_json(orjson.dumps(row))
    except ValidationError as e:
        places = sorted({".".join(str(part) for part in error["loc"]) for error in e.errors()})
        raise RejectedError(f"the row does not keep to the schema: {', '.join(places[:3])}") from e
    return row


def _report(form: FormName, out: Path, counts: _Counts) -> ExportReport:
    with out.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportReport(
        form=form,
        file=out.name,
        sha256=sha256,
        num_questions=counts.questions,
        num_rows=counts.rows,
        num_duplicates=counts.duplicates,
        num_videos=len(counts.videos),
        refused=dict(sorted(counts.refused.items())),
        filtered=dict(sorted(counts.filtered.items())),
        letters=dict(sorted(counts.letters.items())),
        letters_kept=counts.letters_kept,
        num_without_thinking=counts.without_thinking,
    )
