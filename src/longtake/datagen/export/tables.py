"""Files of rows, written one row at a time and there only when they are whole: JSON lines or Parquet.

The same rows give the same bytes (Parquet: with the same version of pyarrow).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Protocol, cast

import orjson

from ...errors import ConfigError, LongtakeError, MissingExtraError, StoreError
from ...types import JSON

__all__ = ["Table", "open_table"]

_ROWS_PER_GROUP = 1000


class Table(Protocol):
    def add(self, row: Mapping[str, JSON]) -> None: ...


@contextmanager
def open_table(path: Path, schema: Mapping[str, JSON]) -> Generator[Table]:
    """A table that becomes ``path`` (.jsonl or .parquet) at the end; an error leaves what was there before.

    ``schema`` is the JSON Schema of a row. In Parquet, columns whose shape it leaves open are JSON text. Raises
    `ConfigError` for another suffix, `MissingExtraError` without pyarrow, `StoreError` when it cannot be written."""
    if path.suffix not in (".jsonl", ".parquet"):
        raise ConfigError(f"exports are .jsonl or .parquet files, got {path.name!r}")
    arrow: Any = _arrow() if path.suffix == ".parquet" else None
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                if arrow is None:
                    yield _Lines(file)
                else:
                    table = _Parquet(arrow, file, schema)
                    yield table
                    table.close()
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as e:
        if isinstance(e, LongtakeError):
            raise
        raise StoreError(f"cannot write {path}: {e.strerror or e}; choose another place") from e


class _Lines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, row: Mapping[str, JSON]) -> None:
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


class _Parquet:
    def __init__(self, arrow: Any, file: IO[bytes], schema: Mapping[str, JSON]) -> None:
        self._arrow = arrow
        types = {name: _type(arrow, shape, schema) for name, shape in _properties(schema).items()}
        self._open = {name for name, kind in types.items() if kind is None}
        self._schema = arrow.schema([(name, kind or arrow.string()) for name, kind in types.items()])
        self._writer = import_module("pyarrow.parquet").ParquetWriter(file, self._schema, compression="zstd")
        self._rows = list[dict[str, JSON]]()

    def add(self, row: Mapping[str, JSON]) -> None:
        self._rows.append({n: orjson.dumps(v).decode() if n in self._open else v for n, v in row.items()})
        if len(self._rows) == _ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()


def _arrow() -> Any:
    try:
        return import_module("pyarrow")
    except ImportError as e:
        raise MissingExtraError(
            "a .parquet export needs pyarrow; run: pip install 'longtake[data]', or export to a .jsonl file"
        ) from e


def _properties(shape: Mapping[str, JSON]) -> Mapping[str, Mapping[str, JSON]]:
    return cast("Mapping[str, Mapping[str, JSON]]", shape.get("properties", {}))


def _type(arrow: Any, shape: Mapping[str, JSON], schema: Mapping[str, JSON]) -> Any:
    """The column type for a JSON Schema; None where that is not one fixed type."""
    if isinstance(shape.get("$ref"), str):
        definitions = cast("Mapping[str, Mapping[str, JSON]]", schema["$defs"])
        shape = definitions[str(shape["$ref"]).rpartition("/")[2]]
    if isinstance(shape.get("anyOf"), list):  # a value or null is one type: every column may hold null
        choices = cast("list[Mapping[str, JSON]]", shape["anyOf"])
        known = [choice for choice in choices if choice.get("type") != "null"]
        return _type(arrow, known[0], schema) if len(known) == 1 else None
    simple = {"string": arrow.string(), "integer": arrow.int64(), "number": arrow.float64(), "boolean": arrow.bool_()}
    match shape.get("type"):
        case str() as name if name in simple:
            return simple[name]
        case "array" if isinstance(shape.get("items"), dict):
            inner = _type(arrow, cast("Mapping[str, JSON]", shape["items"]), schema)
            return None if inner is None else arrow.list_(inner)
        case "object" if _properties(shape):
            fields = [(name, _type(arrow, inner, schema)) for name, inner in _properties(shape).items()]
            return None if any(kind is None for _, kind in fields) else arrow.struct(fields)
        case _:
            return None
