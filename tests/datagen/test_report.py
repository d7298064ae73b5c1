"""The report: the numbers, and a page that shows what it was given and does nothing of it."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from fake_context import source_record
from made_chains import CHOICE, OPEN, asked, blind_tested, captioned, good_turns, source, traced
from PIL import Image

from clips import read_code, write_clock
from longtake.datagen.quality.report import report_json, write_report
from longtake.datagen.step import Record
from parts_of_page import Page, assert_only_its_own_acts

STATUS: dict[str, Any] = {
    "recipe": "longvideo-reason",
    "videos": 2,
    "complete": True,
    "steps": [{"step": "caption", "inputs": 3, "ok": 2, "rejected": 1, "reasons": {"refused": 1}, "cost_usd": None}],
}


def report_of(records: list[Record], folder: Path, **settings: Any) -> Page:
    write_report(records, folder / "report.html", **{"sample": 3, "root": folder, "status": STATUS, **settings})
    return Page(folder / "report.html")


def test_an_empty_run_has_a_report(tmp_path: Path) -> None:
    page = report_of([], tmp_path)
    assert (page.data["num_questions"], page.data["sample"], page.data["columns"]) == (0, [], {})
    assert page.data["status"] == STATUS
    assert all(spread is None for spread in page.data["measures"].values())


def test_the_numbers_are_those_of_the_json(tmp_path: Path) -> None:
    records = [
        blind_tested(asked(), right=4),
        blind_tested(asked(OPEN, id="film/0001"), right=1),
        blind_tested(traced(good_turns(), parent=asked(replace(CHOICE, question="Q?"), id="film/0002")), right=1),
        blind_tested(asked(replace(OPEN, question="Why?"), id="film/0003"), right=0, usable=0),
    ]
    numbers = report_json(records, STATUS)
    assert (numbers["num_questions"], numbers["num_videos"], numbers["num_traces"], numbers["num_open"]) == (4, 1, 1, 2)
    assert numbers["letters"] == {"A": 0, "B": 2, "C": 0, "D": 0}
    assert numbers["question_types"] == {"plot": 2, "temporal": 2}
    assert (numbers["blind_share"], numbers["num_blind_unusable"], numbers["longest_share"]) == (0.5, 1, 0.0)
    orjson.dumps(numbers)
    data = report_of(records, tmp_path).data
    assert {name: data[name] for name in numbers} == numbers
    assert data["columns"]["blind"] == [1.0, 0.25, 0.25, None]
    assert data["columns"]["score"] == [None, None, 1.0, None]


def test_nothing_a_model_wrote_becomes_markup(tmp_path: Path) -> None:
    evil = '</script><img src=x onerror="alert(1)"><!--<script>@@SCRIPT@@ @@DATA@@ & \u2028'
    hostile = replace(CHOICE, question=evil, reasoning=evil, options=(evil, "b", "c"))
    records = [traced(good_turns(), parent=asked(hostile))]
    page = report_of(records, tmp_path, status={**STATUS, "recipe": evil})
    plain = report_of([asked()], tmp_path)
    assert page.tags == plain.tags
    assert page.data["sample"][0]["questions"][0]["question"] == evil
    script = page.held["script"][1]
    for way_in in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert way_in not in script


def test_only_the_style_and_script_of_the_page_may_act(tmp_path: Path) -> None:
    assert_only_its_own_acts(report_of([asked()], tmp_path))


def test_clips_are_shown_by_the_picture_in_their_middle(tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "film.mp4", num_frames=250, width=160, height=120)
    parent = captioned(source_record(tmp_path / "film.mp4"), num_clips=1)
    page = report_of([asked(parent=parent)], tmp_path)
    (video,) = page.data["sample"]
    (clip,) = video["clips"]
    assert (video["problem"], clip["caption"], clip["start"], clip["end"]) == (None, "Clip 0 shows something.", 0, 10)
    kind, _, data = clip["picture"].partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert max(image.size) <= 160
        assert read_code(np.asarray(image)) == clock.shown_at(5.0)


def test_a_video_that_is_gone_is_shown_without_pictures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (video,) = report_of([asked()], tmp_path).data["sample"]
    assert "VideoNotFoundError" in video["problem"]
    assert str(tmp_path) not in video["problem"]
    assert [clip["picture"] for clip in video["clips"]] == [None] * 6
    assert "without pictures" in caplog.text


def test_the_sample_is_bounded_and_spread(tmp_path: Path) -> None:
    records = list[Record]()
    for number in range(40):
        parent = captioned(source(f"v{number:02d}"), num_clips=200)
        records += [
            asked(replace(CHOICE, question=f"Q {i}?"), id=f"{parent.id}/{i:04d}", parent=parent) for i in range(20)
        ]
    page = report_of(records, tmp_path, sample=4)
    assert [video["id"] for video in page.data["sample"]] == ["v00", "v10", "v20", "v30"]
    for video in page.data["sample"]:
        assert len(video["clips"]) == 24
        assert any(clip["start"] == 10.0 for clip in video["clips"])  # what the answers rest on is shown
        assert (video["num_clips"], video["num_questions"], len(video["questions"])) == (200, 20, 12)
    assert len(page.data["columns"]["leak"]) == 800


def test_a_trace_is_shown_turn_by_turn(tmp_path: Path) -> None:
    (video,) = report_of([traced(good_turns())], tmp_path).data["sample"]
    first, last = video["questions"][0]["turns"]
    assert first["calls"] == [{"name": "crop_video", "arguments": {"start_time": 12.0, "end_time": 20.0}}]
    assert first["results"] == ["2 frames: [2 frames from 12.0 to 13.0 s]"]
    assert "It is a boat." in last["text"]
    assert video["questions"][0]["scores"][0]["scorer"] == "choice"
