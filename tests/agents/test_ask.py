"""Asking by names and settings, and what is kept on disk."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import longtake
from clips import write_clock
from longtake.agents.ask import AskSettings, ask_async, build_agent, read_settings
from longtake.agents.loop import Event
from longtake.agents.record import load_trace
from longtake.errors import ConfigError, MissingExtraError, StoreError, VideoDecodeError
from longtake.models.reader import Reader
from longtake.models.scripted import ScriptedModel
from longtake.types import Frames, TimeSpan
from longtake.video.decode import Video
from longtake.video.frame_cache import CACHE

CALL = ("crop_video", {"start_time": 4, "end_time": 8})


def test_ask_answers_by_default_without_any_model(film: Path) -> None:
    trace = longtake.ask(film, "When does the ferry leave?", settings=AskSettings(ocr=False))
    assert trace.answer is not None
    assert "half past six" in trace.answer.text
    assert trace.evidence[0].span == TimeSpan(2, 4)


def test_names_and_objects_both_work(film: Path) -> None:
    model = ScriptedModel(["a dog"])
    trace = asyncio.run(ask_async(film, "What?", model=model, agent="direct", settings=AskSettings(frames=2)))
    assert (trace.agent, trace.model) == ("direct", "scripted")
    assert trace.config["num_frames"] == 2
    assert trace.usage.num_frames == 2


def test_a_run_is_saved_after_every_turn_with_a_sheet_of_its_evidence(film: Path, tmp_path: Path) -> None:
    turns_on_disk: list[int] = []

    def look(event: Event) -> None:
        if event.kind == "turn":
            turns_on_disk.append(len(load_trace(tmp_path / "trace.json").turns))

    model = ScriptedModel([CALL, CALL, "<answer>x</answer>"])
    trace = longtake.ask(film, "What?", model=model, save=tmp_path, on_event=look)
    assert turns_on_disk == [1, 2, 3]
    assert load_trace(tmp_path / "trace.json") == trace
    assert (tmp_path / "evidence.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_stored_frames_decode_to_the_same_pictures(film: Path, tmp_path: Path) -> None:
    model = ScriptedModel([CALL, "<answer>x</answer>"])
    longtake.ask(film, "What?", model=model, save=tmp_path)
    seen = model.requests[1].messages[-1].content[1]
    stored = load_trace(tmp_path / "trace.json").turns[0].results[0].content[1]
    assert not isinstance(stored, str)
    assert not isinstance(seen, str)
    assert stored == seen
    assert (Video.open(film).load(stored).pixels == seen.pixels).all()


def test_a_run_that_fails_keeps_what_it_did(film: Path, tmp_path: Path) -> None:
    trace = longtake.ask(film, "What?", model=ScriptedModel([CALL]), save=tmp_path)
    assert trace.stop_reason == "model_error"
    assert load_trace(tmp_path / "trace.json") == trace
    assert not (tmp_path / "evidence.jpg").exists()


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text("{}")
    with pytest.raises(StoreError, match="not a Trace"):
        load_trace(tmp_path / "trace.json")
    with pytest.raises(StoreError, match="cannot read"):
        load_trace(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"modle": "x"}, "modle"),
        ({"max_turns": 0}, "max_turns"),
        ({"fps": "fast"}, "fps"),
        ({"frames": -1}, "frames"),
        ({"max_pixels": 3}, "max_pixels"),
    ],
)
def test_wrong_settings_are_named_and_the_right_ones_listed(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"{said}.*The settings are model, agent"):
        read_settings(values)


def test_a_setting_the_agent_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="'team' has no fps; it has grounding"):
        build_agent(AskSettings(agent="team", fps=2), ScriptedModel([]))
    with pytest.raises(ConfigError, match=r"no agent 'crp' .*; known: blind, crop, direct, ground, team"):
        build_agent(AskSettings(agent="crp"), ScriptedModel([]))
    agent = build_agent(AskSettings(agent_options={"crop_fps": 2.0}), ScriptedModel([]))
    assert agent.config["crop_fps"] == 2.0


@pytest.mark.parametrize(
    "options",
    [
        {"crop_fps": "fast"},
        {"crop_fps": 0},
        {"num_frames": "many"},
        {"crop_max_frames": 0},
        {"tools": ["fly"]},
        {"x": 1},
    ],
)
def test_wrong_options_of_an_agent_are_found_before_the_run(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        build_agent(AskSettings(agent_options=options), ScriptedModel([]))  # type: ignore[arg-type]


def test_an_agent_of_somebody_else_needs_no_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Twice:
        max_turns: int = 2

    monkeypatch.setattr("longtake.agents.ask.resolve", lambda kind, name: Twice)
    assert build_agent(AskSettings(agent="twice"), Reader()) == Twice()
    assert build_agent(AskSettings(agent="twice", max_turns=3), Reader()) == Twice(3)


def test_an_answer_stands_without_its_picture(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evidence.jpg").write_bytes(b"of an earlier run")

    def damaged(video: object, evidence: object) -> Frames:
        raise VideoDecodeError("the pictures there are damaged")

    monkeypatch.setattr("longtake.agents.record._frames", damaged)
    model = ScriptedModel([CALL, "<answer>x</answer>"])
    trace = longtake.ask(film, "What?", model=model, save=tmp_path)
    assert trace.answer is not None
    assert not (tmp_path / "evidence.jpg").exists()


@pytest.mark.parametrize("choices", ["a|b", ["a"], ["a", "a"]])
def test_what_is_no_choice_is_refused(film: Path, choices: object) -> None:
    with pytest.raises(ConfigError, match="two or more different"):
        longtake.ask(film, "What?", choices=choices, model=ScriptedModel(["A"]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("choices", "bare"),
    [
        (["A. a hat", "B. a cat"], ("a hat", "a cat")),
        (["(A) a hat", "(B) a cat"], ("a hat", "a cat")),
        (["A. a hat", "a cat"], ("A. a hat", "a cat")),
        (["B. a hat", "A. a cat"], ("B. a hat", "A. a cat")),
    ],
)
def test_letters_before_options_are_taken_off_once(film: Path, choices: list[str], bare: tuple[str, ...]) -> None:
    trace = longtake.ask(film, "What?", choices=choices, model=ScriptedModel(["A"]), agent="direct")
    assert trace.sample.choices == bare


async def test_a_running_loop_is_told_what_to_use(film: Path) -> None:
    with pytest.raises(ConfigError, match="await ask_async"):
        longtake.ask(film, "What?")


def test_damage_under_the_overview_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp4"
    write_clock(path, fps=10, num_frames=600, gop=20, width=160, height=120)
    data = bytearray(path.read_bytes())
    at = len(data) // 3
    data[at : at + 3000] = bytes(3000)
    path.write_bytes(bytes(data))
    for agent in ("direct", "crop"):
        model = ScriptedModel(["<answer>x</answer>"])
        trace = longtake.ask(path, "What?", model=model, agent=agent)
        assert trace.answer is not None
        opening = model.requests[0].messages[1]
        assert 30 < opening.num_frames < 64
        assert "cannot be decoded and are left out" in opening.text


def test_decoding_in_a_process_of_its_own(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``isolate`` no frame of the run, nor of its contact sheet, is decoded in this process."""
    plain, isolated = (ScriptedModel([CALL, "<answer>x</answer>"]) for _ in range(2))
    longtake.ask(film, "What?", model=plain)
    CACHE.clear()

    def never(*_: object) -> None:
        raise AssertionError("decoded in this process")

    monkeypatch.setattr("longtake.video.decode.read", never)
    longtake.ask(film, "What?", model=isolated, settings=AskSettings(isolate=True), save=tmp_path)
    assert (tmp_path / "evidence.jpg").exists()
    here, there = plain.requests[1].messages[-1].content[1], isolated.requests[1].messages[-1].content[1]
    assert not isinstance(here, str)
    assert not isinstance(there, str)
    assert (here.pixels == there.pixels).all()
    CACHE.clear()
    with pytest.raises(AssertionError, match="in this process"):
        longtake.ask(film, "What?", model=ScriptedModel(["x"]))


def test_text_that_is_not_utf8_is_refused(film: Path) -> None:
    with pytest.raises(ConfigError, match="not UTF-8"):
        longtake.ask(film, "caf\udce9?")


def test_an_empty_question_is_refused(film: Path) -> None:
    with pytest.raises(ConfigError, match="empty"):
        longtake.ask(film, "  ")


def test_a_url_needs_yt_dlp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(MissingExtraError, match=r"longtake\[web\]"):
        longtake.ask("https://example.invalid/film.mp4", "What?")
