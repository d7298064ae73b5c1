"""Both recipes and an endpoint that fails in every way: nothing of it reaches a caption, a question or an answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from talking import write_talk

from endpoint import running_endpoint
from longtake.datagen.audit import open_run, status, verify
from longtake.datagen.export.rows import row_schema
from longtake.datagen.export.write import export
from longtake.datagen.recipe import DataSettings
from longtake.datagen.run import make
from longtake.errors import ModelError
from longtake.models.journaled import Limits

FORMS = {"longvideo-reason": ("longvideo-reason", "chat", "grpo", "verl"), "longvt": ("longvt", "traces", "grpo")}
OWN = {
    "longvideo-reason": {"clip_seconds": 4, "questions_per_type": 3, "reformat": True},
    "longvt": {"max_scene_seconds": 4, "events_per_question": 2, "questions_per_group": 2, "visual_filter": True},
}
RAW = {"reason", "drafts", "summary", "text_filter"}
"""Steps whose values are what the model said, to be read by the next one."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name in ("a", "b", "c", "d"):
        write_talk(folder / f"{name}.mp4")
        with (folder / f"{name}.mp4").open("ab") as file:
            file.write(name.encode())  # not the same file
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def settings(recipe: str, url: str) -> DataSettings:
    options = {"idle_seconds": 0.5, "timeout_seconds": 5, "max_attempts": 6}
    return DataSettings(
        recipe=recipe, model="openai:tiny", base_url=url, model_options=options, settings={**OWN[recipe]}
    )


def run_until_complete(recipe: str, films: Path, out: Path, url: str) -> int:
    """How often it was begun."""
    for times in range(1, 6):
        try:
            asyncio.run(make(settings(recipe, url), films, out, limits=Limits(32)))
        except ModelError as e:
            assert "run the same command again" in str(e)  # noqa: PT017
        if asyncio.run(status(open_run(out))).is_complete:
            return times
    pytest.fail("it never came to an end")


@pytest.mark.parametrize("recipe", ["longvideo-reason", "longvt"])
def test_a_failing_endpoint_leaves_no_trace_in_what_is_made(recipe: str, films: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    out = tmp_path / "run"
    with running_endpoint(ledger=tmp_path / "ledger", seed=3, failure_rate=0.2, stall_seconds=1.0) as endpoint:
        run_until_complete(recipe, films, out, endpoint.base_url)
        hows = endpoint.hows()
    bad = {how: count for how, count in hows.items() if how != "ok"}
    assert sum(bad.values()) > 0.08 * sum(hows.values())
    assert len(bad) >= 8
    run = open_run(out)
    assert asyncio.run(verify(run)).wrong == []
    found = {step.name: step.count for step in asyncio.run(status(run)).steps}
    assert (found["source"].ok, found["source"].failed) == (4, 1)
    for step in run.steps:
        for line in run.stores[step.name].outcomes.lines():
            assert step.name in RAW or "POISON" not in json.dumps(line["values"]), step.name
    leaves = asyncio.run(run.leaves())
    assert leaves
    for form in FORMS[recipe]:
        file = tmp_path / f"{form}.jsonl"
        report = export(leaves, form, file)
        text = file.read_text()
        assert report.num_rows == len(text.splitlines()) > 0
        assert not any(mark in text for mark in ("POISON", "Error:", "I'm sorry", "rate limit"))
        for row in text.splitlines():
            jsonschema.validate(json.loads(row), row_schema(report.form))
