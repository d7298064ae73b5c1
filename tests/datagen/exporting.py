"""Exporting a few records, and reading what came out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from longtake.datagen.export.write import export
from longtake.datagen.step import Record


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def one_row(records: list[Record], form: str, folder: Path, **settings: Any) -> dict[str, Any]:
    export(records, form, folder / "out.jsonl", **settings)
    (row,) = rows_of(folder / "out.jsonl")
    return row


def refusal(record_: Record, form: str, folder: Path) -> str:
    report = export([record_], form, folder / "out.jsonl")
    assert (report.num_rows, report.num_questions) == (0, 1)
    ((reason, count),) = report.refused.items()
    assert count == 1
    return reason


def messages_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    return json.loads(row["messages"])


def texts(message: dict[str, Any]) -> str:
    return "".join(part.get("text", f"[{part['type']}]") for part in message["content"])
