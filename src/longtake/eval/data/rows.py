"""Reads data files into rows: JSON Lines, JSON, Parquet, CSV, TSV, and text by a pattern. Knows nothing of benchmarks.

Every row comes back, those that cannot be read with the reason. A file that as a whole cannot be read raises.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ...errors import ConfigError, MissingExtraError
from ...types import JSON

__all__ = ["SUFFIXES", "RawRow", "read_rows"]

SUFFIXES = frozenset(".jsonl .ndjson .json .parquet .csv .tsv .txt".split())
KEY = "@key"
"""The field that holds a row's key where the rows are the values of one object."""

_LONG_CELL = 1 << 30


@dataclass(frozen=True, slots=True)
class RawRow:
    """``number`` counts the rows of the file from 1, whatever its form: a header and empty lines are none. ``value`` is
    None where the row cannot be read, and ``reason`` says why."""

    number: int
    value: Mapping[str, JSON] | None
    reason: str = ""


def read_rows(
    path: Path,
    *,
    split: str | None = None,
    nested: str | None = None,
    line: str | None = None,
    known: Sequence[str] = (),
) -> Iterator[RawRow]:
    """The rows of a file in order.

    ``nested`` names the field with a list of rows, each of which inherits the fields around it. ``line`` is the pattern
    of a line of a text file, its groups are the fields. ``split`` chooses among lists in one JSON object; ``known``
    are fields by which an object is told to be one row. Raises `ConfigError` where the file cannot be read."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        rows = _parquet(path)
    elif suffix in {".csv", ".tsv"}:
        rows = _table(path)
    elif suffix == ".txt" and line is not None:
        rows = _lines(path, re.compile(line))
    elif suffix in SUFFIXES:
        rows = _json(path, split, frozenset((*known, nested or "")))
    else:
        raise ConfigError(f"{path} is no data file that can be read; allowed: {', '.join(sorted(SUFFIXES))}")
    return rows if nested is None else _unnested(rows, nested)


def _unnested(rows: Iterator[RawRow], field: str) -> Iterator[RawRow]:
    number = 0
    for row in rows:
        inner = row.value.get(field) if row.value is not None else None
        if row.value is None or not isinstance(inner, list):
            number += 1
            yield RawRow(number, row.value, row.reason)
            continue
        outer = {key: value for key, value in row.value.items() if key != field}
        for each in inner:
            number += 1
            yield _row(number, each, outer)


def _row(number: int, value: object, outer: Mapping[str, JSON] | None = None) -> RawRow:
    if isinstance(value, dict):
        return RawRow(number, {**(outer or {}), **cast("dict[str, JSON]", value)})
    return RawRow(number, None, f"this is {_short(value)}, not an object with fields")


# -------------------------------------------------------------------------------------------------------- JSON


def _json(path: Path, split: str | None, known: frozenset[str]) -> Iterator[RawRow]:
    data = _bytes(path)
    start = data.lstrip()[:1]
    if start == b"[" or (start == b"{" and path.suffix.lower() == ".json"):
        try:
            value = json.loads(_text(path, data))
        except json.JSONDecodeError as e:
            if e.msg != "Extra data":
                raise ConfigError(f"{path} is not JSON: {e.msg} at line {e.lineno}; is the file whole?") from e
        except (ValueError, RecursionError) as e:
            raise ConfigError(f"{path} cannot be read as JSON: {e}") from e
        else:
            yield from _rows_of(path, value, split, known)
            return
    for number, line in enumerate((line for line in data.split(b"\n") if line.strip()), start=1):
        try:
            value = json.loads(line.decode())
        except UnicodeDecodeError as e:
            yield RawRow(number, None, f"the line is not UTF-8 (byte {line[e.start]:#04x} at column {e.start + 1})")
        except (ValueError, RecursionError) as e:  # also numbers with thousands of digits
            yield RawRow(number, None, f"the line is not JSON: {e}")
        else:
            yield _row(number, value)


def _rows_of(path: Path, value: object, split: str | None, known: frozenset[str]) -> Iterator[RawRow]:
    if isinstance(value, list):
        yield from (_row(number, each) for number, each in enumerate(cast("list[object]", value), start=1))
        return
    table = cast("dict[str, JSON]", value)
    lists = {
        key: each for key, each in table.items() if isinstance(each, list) and any(isinstance(x, dict) for x in each)
    }
    if known & table.keys():
        yield _row(1, table)
    elif table and all(isinstance(each, dict) for each in table.values()):
        for number, (key, each) in enumerate(table.items(), start=1):
            yield _row(number, each, {KEY: key})
    elif split in lists or len(lists) == 1:
        chosen = lists[split] if split in lists else next(iter(lists.values()))
        yield from (_row(number, each) for number, each in enumerate(chosen, start=1))
    elif lists:
        raise ConfigError(f"{path} holds the lists {', '.join(sorted(lists))}; name one with --split")
    else:
        raise ConfigError(
            f"{path} is an object with {', '.join(list(table)[:8]) or 'no fields'}; wanted: a list of rows, an object "
            "that holds one, or rows by their id; is it the data? If not, name the data file with --data"
        )


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror}; check the path") from e
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise ConfigError(f"{path} is UTF-16; save it as UTF-8")
    return data.removeprefix(b"\xef\xbb\xbf")


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        number = data.count(b"\n", 0, e.start) + 1
        raise ConfigError(
            f"{path}, line {number}: not UTF-8 (byte {data[e.start]:#04x}); save the file as UTF-8"
        ) from e


# ------------------------------------------------------------------------------------------ tables and text


def _table(path: Path) -> Iterator[RawRow]:
    csv.field_size_limit(_LONG_CELL)
    text = _text(path, _bytes(path))
    delimiter = _delimiter(path, text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        head = [name.strip() for name in next(rows, list[str]())]
        if len(set(head)) != len(head):
            raise ConfigError(f"{path}: two columns have the same name among {', '.join(head)}; rename one")
        number = 0
        for cells in rows:
            if not any(cells):
                continue
            number += 1
            if len(cells) != len(head):
                yield RawRow(number, None, f"the row has {len(cells)} cells, the table {len(head)} columns")
            else:
                yield RawRow(number, dict(zip(head, cells, strict=True)))
    except csv.Error as e:
        raise ConfigError(f"{path}, line {rows.line_num}: {e}; is it a table with {delimiter!r} between cells?") from e


def _delimiter(path: Path, text: str) -> str:
    """What makes the most columns of the header: spreadsheets write ``;`` where a comma is the decimal sign."""

    def num_columns(delimiter: str) -> int:
        try:
            return len(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), ()))
        except csv.Error:
            return 0

    usual = "\t,;" if path.suffix.lower() == ".tsv" else ",;\t"
    return max(usual, key=num_columns)


def _lines(path: Path, pattern: re.Pattern[str]) -> Iterator[RawRow]:
    lines = (line for line in _text(path, _bytes(path)).split("\n") if line.strip())
    for number, line in enumerate(lines, start=1):
        if found := pattern.fullmatch(line.strip()):
            yield RawRow(number, dict(found.groupdict()))
        else:
            yield RawRow(number, None, f"the line {_short(line)} does not fit {pattern.pattern}")


def _parquet(path: Path) -> Iterator[RawRow]:
    """Columns of bytes (pictures, whole videos) are left unread."""
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as e:
        raise MissingExtraError(f"reading {path.name} needs pyarrow: pip install 'longtake[data]'") from e
    try:
        with parquet.ParquetFile(path) as file:
            names = [field.name for field in file.schema_arrow if not _holds_bytes(arrow, field.type)]
            number = 0
            for batch in file.iter_batches(columns=names):
                for value in batch.to_pylist():
                    number += 1
                    yield _row(number, _as_json(value))
    except (arrow.ArrowException, OSError) as e:
        raise ConfigError(f"{path} is not a Parquet file that can be read: {e}") from e


def _as_json(value: object) -> JSON:
    """What Parquet holds and JSON does not (dates, decimals) as text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_as_json(each) for each in cast("list[object]", value)]
        case dict():
            return {str(key): _as_json(each) for key, each in cast("dict[object, object]", value).items()}
        case _:
            return str(value)


def _holds_bytes(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    if types.is_struct(kind):
        return any(_holds_bytes(arrow, kind.field(i).type) for i in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind):
        return _holds_bytes(arrow, kind.value_type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
