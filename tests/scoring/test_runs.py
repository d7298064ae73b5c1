"""Clips and looks of runs that real agents made."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from PIL import Image

from clips import picture_of
from longtake.agents.crop import Crop
from longtake.agents.direct import Blind, Direct
from longtake.agents.loop import run
from longtake.agents.team import Team
from longtake.models.scripted import ScriptedModel
from longtake.scoring.grounding import clip, clip_of
from longtake.scoring.looked import Looked, look
from longtake.types import Sample, TimeSpan, from_json, to_json

IDS = ("s01e01_seg01_clip_00", "s01e01_seg01_clip_01")


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    """Two clips of 4 seconds at 3 frames a second."""
    for name in IDS:
        (tmp_path / name).mkdir()
        for number in range(1, 13):
            Image.fromarray(picture_of(number)).save(tmp_path / name / f"{number:05}.jpg")
    path = tmp_path / "s01e01.frames.json"
    path.write_text(json.dumps({"fps": 3, "clips": [{"id": name, "folder": name} for name in IDS]}))
    return path


def test_a_team(episode: Path) -> None:
    sample = Sample("1", str(episode), "What?", target="x", target_spans=(TimeSpan(5, 7),), metadata={"clip": IDS[1]})
    agent = Team(ScriptedModel([f"<clip>{IDS[1]}</clip>"]), ScriptedModel(["a dog"]), num_frames=3)
    ground, see = "<request_grounding>the dog</request_grounding>", "<visual_query>what is it?</visual_query>"
    moved = asyncio.run(run(agent, ScriptedModel([ground, see, "<answer>x</answer>"]), sample))
    assert clip(moved, sample).value == 1
    found = look(moved, sample)
    assert (found.num_looks, found.looked_seconds, found.hit) == (2, pytest.approx(4), True)
    assert (found.coverage, found.iou) == (pytest.approx(1), pytest.approx(0.5))
    assert (found.num_gold_frames, found.shown) == (0, 1), "frames that a worker saw are not on record"
    assert found.num_frames == moved.usage.num_frames > 0
    stayed = asyncio.run(run(agent, ScriptedModel(["<answer>x</answer>"]), sample))
    assert clip_of(stayed) == IDS[0]
    assert clip(stayed, sample).value == 0
    assert look(stayed, sample) == Looked(0, 0.0, 0, 0, False, 0.0, 0.0, 0.0)


def test_a_crop_read_back_from_its_file(episode: Path) -> None:
    sample = Sample("1", str(episode), "What?", target="x", target_spans=(TimeSpan(5, 7),))
    agent = Crop(num_frames=8, tools=("crop_video", "zoom"))
    model = ScriptedModel(
        [("crop_video", {"start_time": 4, "end_time": 6}), ("zoom", {"time": 6.5}), "<answer>x</answer>"]
    )
    made = asyncio.run(run(agent, model, sample))
    found = look(made, sample)
    assert found == look(from_json(type(made), to_json(made)), sample), "the stored trace says the same"
    assert found.num_looks == 2
    assert found.hit
    assert found.coverage == pytest.approx(found.looked_seconds / 2 - 0.5, abs=0.01)
    assert found.num_frames == made.usage.num_frames == 8 + 2 + 1
    assert (found.num_gold_frames or 0) >= 3


def test_agents_without_tools_have_been_shown_something_and_looked_nowhere(episode: Path) -> None:
    sample = Sample("1", str(episode), "What?", target="x", target_spans=(TimeSpan(5, 7), TimeSpan(0.1, 0.2)))
    for agent, shown in ((Direct(num_frames=8), 0.5), (Blind(), 0.0)):
        found = look(asyncio.run(run(agent, ScriptedModel(["<answer>x</answer>"]), sample)), sample)
        assert (found.hit, found.coverage, found.iou, found.shown) == (None, None, None, shown)
        assert (found.num_gold_frames or 0) == 4 * shown
