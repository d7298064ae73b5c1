"""Folders of evaluations that are damaged, or are of something else, are said to be in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_benchmark import RIGHT, ROWS, answers, play, settings, write_rows

from longtake.errors import StoreError
from longtake.eval.regrade import regrade
from longtake.eval.run import evaluate_async
from longtake.eval.store import read_items
from longtake.store import digest


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, right=answers(RIGHT))
    data = write_rows(tmp_path / "made.jsonl", ROWS[:2])
    await evaluate_async(settings(data, tmp_path, agent="blind", model="played:right"), tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda items: items[:-40], "EOF"),
        (lambda items: items.replace('"question"', '"anfrage"'), r"0\.sample\.question"),
        (lambda items: "", "EOF"),
    ],
)
def test_damaged_items_are_said_in_one_line(damage: Any, said: str, run: Path) -> None:
    path = run / "items.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(StoreError, match=said) as raised:
        read_items(run)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)
    assert "http" not in str(raised.value)


@pytest.mark.parametrize("lost", ["spec", "settings", "who_digest"])
async def test_a_run_of_something_else_is_no_evaluation(lost: str, run: Path) -> None:
    body = json.loads((run / "run.json").read_text())
    del body["told"][lost], body["sum"]
    (run / "run.json").write_text(json.dumps({**body, "sum": digest(body)}))
    with pytest.raises(StoreError, match=f"run.json is not that of an evaluation .*{lost}"):
        await regrade(run)


@pytest.mark.parametrize(("part", "value"), [("spec", {"name": 3}), ("settings", {"benchmark": "custom", "odd": 1})])
async def test_what_another_version_wrote_is_said_in_one_line(part: str, value: Any, run: Path) -> None:
    body = json.loads((run / "run.json").read_text())
    del body["sum"]
    body["told"][part] = value
    (run / "run.json").write_text(json.dumps({**body, "sum": digest(body)}))
    with pytest.raises(StoreError, match=f"the {part} in run.json .*another version") as raised:
        await regrade(run)
    assert "\n" not in str(raised.value)
