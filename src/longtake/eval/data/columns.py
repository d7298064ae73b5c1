"""The columns of data and the names that a benchmark has for them: found in spite of case and spaces, and counted.

Reads no values but to see whether there are any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ...types import JSON
from .benchmark import Spec
from .fields import is_empty
from .rows import KEY

__all__ = ["Columns", "Unfound"]

_MAX_NUMBERED = 26
_MAX_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Unfound:
    """A field or a stratum, ``fields.spans``, that a user's file names and no row has. ``names``: its columns."""

    key: str
    names: Sequence[str]
    columns: Sequence[str]
    """Those that the rows do have."""


class Columns:
    """Sees every row of the data once."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._wanted = {f"fields.{key}": names for key, names in _fields(spec)}
        self._wanted |= {f"strata.{key}": names for key, names in spec.strata.items()}
        every = [part for names in (*self._wanted.values(), spec.kind_field) for part in _parts(names)]
        self._known = frozenset(every)
        self._by_letters = dict[str, list[str]]()
        for name in dict.fromkeys(every):
            self._by_letters.setdefault(_letters(name), []).append(name)
        self._renamed = dict[tuple[str, ...], dict[str, str]]()
        self._found = Counter[str]()
        self._seen = dict[str, None]()

    def read(self, row: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """The row under the names that the benchmark has for its columns.

        ``Video Path`` is ``video_path`` where no other column may be meant; a column that has a known name keeps it."""
        columns = tuple(row)
        if columns not in self._renamed:
            self._renamed[columns] = self._names_of(columns)
            self._seen |= dict.fromkeys(columns)
        if renamed := self._renamed[columns]:
            row = {renamed.get(key, key): value for key, value in row.items()}
        self._found.update(key for key in self._spec.said if _has(row, self._wanted.get(key, ())))
        return row

    def missing(self, row: Mapping[str, JSON], given: Mapping[str, JSON]) -> str:
        """What to say of a row that lacks what every question needs: its columns as they were ``given``, else ""."""
        needed = ["question", "video", *(["options"] if self._spec.kind == "choice" else [])]
        if all(_has(row, self._wanted[f"fields.{key}"]) for key in needed):
            return ""
        shown = [f"{name} (empty)" if is_empty(value) else name for name, value in given.items() if name != KEY]
        more = f" and {len(shown) - _MAX_SHOWN} more" if len(shown) > _MAX_SHOWN else ""
        return f"; the row has: {', '.join(shown[:_MAX_SHOWN]) or 'nothing'}{more}"

    @property
    def unfound(self) -> tuple[Unfound, ...]:
        columns = tuple(name for name in self._seen if name != KEY)
        keys = (key for key in self._spec.said if not self._found[key])
        return tuple(Unfound(key, tuple(self._wanted.get(key, ())), columns) for key in keys)

    def _names_of(self, columns: Sequence[str]) -> dict[str, str]:
        others = [name for name in columns if name not in self._known]
        counts = Counter(map(_letters, others))
        renamed = dict[str, str]()
        for name in others:
            meant = self._by_letters.get(_letters(name), ())
            if meant and counts[_letters(name)] == 1 and not any(each in columns for each in meant):
                renamed[name] = meant[0]  # several are spellings of one
        return renamed


def _fields(spec: Spec) -> Iterator[tuple[str, Sequence[str]]]:
    for key in type(spec.fields).model_fields:
        value: object = getattr(spec.fields, key)
        if isinstance(value, tuple | Mapping):
            yield key, tuple(cast("Sequence[str]", value))


def _parts(names: Sequence[str]) -> Iterator[str]:
    """Every column that these names may mean: ``start,end`` are two, ``option{n}`` is numbered."""
    for name in names:
        if "{n}" in name:
            yield from (name.replace("{n}", str(n)) for n in range(_MAX_NUMBERED + 1))
        elif not name.startswith("@"):
            yield from {name: None, **dict.fromkeys(name.split(","))}


def _has(row: Mapping[str, JSON], names: Sequence[str]) -> bool:
    """Whether one of these names has a value; ``@question`` stands in another field, which may be there or not."""
    for name in names:
        numbered = [name.replace("{n}", n) for n in ("0", "1")]
        if name.startswith("@") or any(not is_empty(row.get(each)) for each in numbered):
            return True
        if "," in name and all(not is_empty(row.get(part)) for part in name.split(",")):
            return True
    return False


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character not in " _-")
