"""The report of a run: one HTML file that opens anywhere, and the same numbers as JSON.

Owns the numbers and the file; which videos are shown and how is in `report_sample`, the page itself in ``page/``.
Data reach the page as JSON that its script sets as text, so nothing a model wrote can act in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

import orjson

from ...agents.prompt import LETTERS
from ...page.assemble import assemble
from ...store import write_atomic
from ...types import JSON
from ..export.items import Item, read_item
from ..step import Record
from .measures import MEASURES, Histogram, Measures, counts, duplicates, histogram, measure
from .sample import sample_of

__all__ = ["report_json", "write_report"]


def report_json(records: Iterable[Record], status: JSON) -> dict[str, JSON]:
    """The numbers of the report: ``status`` as given (of the run's steps), counts, letters, and each measure's spread.

    A measure that no question has is null. ``longest_share`` is of the questions with options, ``blind_share`` of
    those whose blind test gave a verdict; ``num_blind_unusable`` gave none. Raises `StoreError` for a record that
    comes from no question."""
    return _numbers(*_measured(list(records)), status)


def write_report(records: Iterable[Record], out: Path, *, sample: int, root: Path, status: JSON) -> None:
    """Writes the report on ``records`` (ends of a chain) to ``out``, with ``sample`` videos shown in full.

    ``root`` is the folder of the videos; one that cannot be opened is shown without pictures. Raises `StoreError`."""
    ordered = sorted(records, key=lambda record: record.id)
    items, measures = _measured(ordered)
    columns: dict[str, JSON] = {name: [_short(getattr(one, name)) for one in measures] for name in MEASURES}
    data: dict[str, JSON] = {
        **_numbers(items, measures, status),
        "columns": {name: column for name, column in columns.items() if any(v is not None for v in _list(column))},
        "sample": sample_of(ordered, items, measures, sample, root),
    }
    write_atomic(out, assemble("longtake.datagen.quality", data).encode())


def _measured(records: Sequence[Record]) -> tuple[list[Item], list[Measures]]:
    items = [read_item(record) for record in records]
    alike = duplicates(items)
    return items, [measure(item, alike[item.id]) for item in items]


def _numbers(items: Sequence[Item], measures: Sequence[Measures], status: JSON) -> dict[str, JSON]:
    spread: dict[str, JSON] = {}
    for name in MEASURES:
        values = [float(value) for one in measures if (value := getattr(one, name)) is not None]
        spread[name] = _histogram(histogram(values))
    blind = [one.blind for one in measures if one.blind is not None]
    longest = [one.longest for item, one in zip(items, measures, strict=True) if item.right is not None]
    return {
        "status": status,
        "num_questions": len(items),
        "num_videos": len({item.source.id for item in items}),
        "num_traces": sum(item.trace is not None for item in items),
        "question_types": _counts(item.question.question_type for item in items),
        "letters": _letters(items),
        "num_open": sum(not item.question.options for item in items),
        "longest_share": sum(longest) / len(longest) if longest else None,
        "blind_share": sum(blind) / len(blind) if blind else None,
        "num_blind_unusable": sum(item.blind is not None and not item.blind.usable for item in items),
        "measures": spread,
    }


def _counts(names: Iterable[str]) -> dict[str, JSON]:
    return dict(counts(names))


def _letters(items: Sequence[Item]) -> dict[str, JSON]:
    """How often each letter is the right one; a letter that never is counts 0."""
    most = max((len(item.question.options) for item in items), default=0)
    return {**dict.fromkeys(LETTERS[:most], 0), **_counts(item.letter for item in items if item.letter is not None)}


def _histogram(found: Histogram | None) -> JSON:
    return None if found is None else cast("dict[str, JSON]", orjson.loads(orjson.dumps(asdict(found))))


def _short(value: float | None) -> JSON:
    return None if value is None else round(value, 3)


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
