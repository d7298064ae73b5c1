"""Data files of every kind become rows; what cannot be read is named by its line."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from made_rows import jsonl, parquet, table

from longtake.errors import ConfigError
from longtake.eval.data.rows import read_rows

ROWS: list[dict[str, Any]] = [{"q": "who?", "n": 1}, {"q": "wörter\u2028and lines\n", "n": None}]


def values(path: Path, **more: Any) -> list[Any]:
    return [row.value for row in read_rows(path, **more)]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.json"])
def test_lines_of_json(name: str, tmp_path: Path):
    assert values(jsonl(tmp_path / name, ROWS)) == ROWS


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_an_array_whatever_the_suffix(name: str, indent: int | None, tmp_path: Path):
    (tmp_path / name).write_text("\n " + json.dumps(ROWS, indent=indent))
    assert values(tmp_path / name) == ROWS


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path):
    (tmp_path / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(json.dumps(row).encode() for row in ROWS))
    assert values(tmp_path / "rows.jsonl") == ROWS


def test_lines_that_cannot_be_read_are_named(tmp_path: Path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"q": "x"}\n\n{"q": \n["a"]\n{"q": "\xff"}\n{"q": NaN}')
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert [(row.number, row.value is not None) for row in rows] == [
        (1, True),
        (2, False),
        (3, False),
        (4, False),
        (5, True),
    ]
    assert "not JSON" in rows[1].reason
    assert "not an object" in rows[2].reason
    assert "not UTF-8 (byte 0xff at column 8)" in rows[3].reason


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'[{"q": "x"},\n {"q": ', "line 2; is the file whole"),
        (b'[{"q":\n "\xe9"}]', "line 2: not UTF-8"),
        ("\ufeff[]".encode("utf-16-le"), "UTF-16"),
        (b'{"train": [{"q": 1}], "test": [{"q": 2}]}', "test, train; name one with --split"),
        (b'{"n": 3}', "wanted: a list of rows"),
        (b"[" * 99999, "cannot be read as JSON"),
        (b"[" + b"9" * 9999 + b"]", "cannot be read as JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(data: bytes, said: str, tmp_path: Path):
    (tmp_path / "rows.json").write_bytes(data)
    with pytest.raises(ConfigError, match=said):
        values(tmp_path / "rows.json")


def test_a_list_within_an_object_and_one_by_split(tmp_path: Path):
    (tmp_path / "one.json").write_text('{"version": 2, "data": [{"q": 1}]}')
    (tmp_path / "two.json").write_text('{"train": [{"q": 1}], "test": [{"q": 2}]}')
    assert values(tmp_path / "one.json") == [{"q": 1}]
    assert values(tmp_path / "two.json", split="test") == [{"q": 2}]


def test_rows_by_their_id_and_a_row_alone(tmp_path: Path):
    (tmp_path / "by_id.json").write_text('{"x": {"q": 1}, "y": {"q": 2}}')
    (tmp_path / "alone.json").write_text('{"q": "who?", "options": {"A": "x"}}')
    assert values(tmp_path / "by_id.json") == [{"@key": "x", "q": 1}, {"@key": "y", "q": 2}]
    assert values(tmp_path / "alone.json", known=["q"]) == [{"q": "who?", "options": {"A": "x"}}]


def test_nested_rows_inherit_what_is_around_them(tmp_path: Path):
    outer = {"key": "v", "id": 0, "qa": [{"id": 1}, {"id": 2}, "x"]}
    path = jsonl(tmp_path / "rows.jsonl", [outer, {"key": "w", "qa": []}, {"id": 4}])
    rows = list(read_rows(path, nested="qa"))
    assert [row.value for row in rows] == [{"key": "v", "id": 1}, {"key": "v", "id": 2}, None, {"id": 4}]
    assert [row.number for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
def test_tables(name: str, tmp_path: Path):
    rows = [{"q": 'who, "then"?\nsay', "n": "1"}, {"q": "x\ty", "n": ""}]
    path = table(tmp_path / name, rows)
    assert values(path) == rows
    path.write_bytes(path.read_bytes() + b"a lone cell\r\n")
    assert "1 cells, the table 2 columns" in list(read_rows(path))[2].reason


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
def test_what_stands_between_the_cells_is_seen_from_the_header(name: str, delimiter: str, tmp_path: Path):
    (tmp_path / name).write_text(f'q{delimiter}n{delimiter}"a,b;c"\n"x;y, z"{delimiter}1{delimiter}2\n')
    assert values(tmp_path / name) == [{"q": "x;y, z", "n": "1", "a,b;c": "2"}]


def test_rows_are_counted_alike_in_every_form(tmp_path: Path):
    (tmp_path / "rows.csv").write_text("q\n\nx\n\ny\n")
    (tmp_path / "rows.jsonl").write_text('{"q": "x"}\n\n{"q": "y"}\n')
    (tmp_path / "rows.json").write_text('[{"q": "x"},\n\n{"q": "y"}]')
    for name in ("rows.csv", "rows.jsonl", "rows.json"):
        assert [row.number for row in read_rows(tmp_path / name)] == [1, 2]


def test_a_table_with_two_columns_of_one_name_is_refused(tmp_path: Path):
    (tmp_path / "rows.csv").write_text("q,q\n1,2\n")
    with pytest.raises(ConfigError, match="same name"):
        values(tmp_path / "rows.csv")


def test_parquet_without_its_columns_of_bytes(tmp_path: Path):
    rows = [{"q": "x", "options": ["a", "b"], "video": b"\0" * 99, "frames": [{"bytes": b"\1"}]}]
    assert values(parquet(tmp_path / "rows.parquet", rows)) == [{"q": "x", "options": ["a", "b"]}]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ConfigError, match="not a Parquet file"):
        values(tmp_path / "broken.parquet")


def test_dates_and_decimals_of_parquet_are_text(tmp_path: Path):
    rows = [{"day": date(2024, 5, 6), "price": Decimal("1.50"), "more": {"days": [date(2024, 1, 2)]}}]
    assert values(parquet(tmp_path / "rows.parquet", rows)) == [
        {"day": "2024-05-06", "price": "1.50", "more": {"days": ["2024-01-02"]}}
    ]


def test_lines_of_text_by_a_pattern(tmp_path: Path):
    (tmp_path / "rows.txt").write_text("v1 0.5 2.0##he sits.\n\nno such line\n")
    rows = list(read_rows(tmp_path / "rows.txt", line=r"(?P<v>\S+) (?P<s>\S+) (?P<e>\S+)##(?P<q>.+)"))
    assert rows[0].value == {"v": "v1", "s": "0.5", "e": "2.0", "q": "he sits."}
    assert (rows[1].number, rows[1].value) == (2, None)


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / "rows.xlsx").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"allowed: \.csv, "):
        values(tmp_path / "rows.xlsx")
