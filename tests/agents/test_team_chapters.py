"""The team's clips are the chapters of a video that has any."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from PIL import Image

from clips import picture_of
from longtake.agents.ask import build_agent, read_settings
from longtake.agents.loop import run
from longtake.agents.team import Team, split_into_clips
from longtake.errors import ConfigError, VideoError
from longtake.models.reader import Reader
from longtake.models.scripted import ScriptedModel
from longtake.types import Sample, TimeSpan, Trace, from_json, to_json
from longtake.video.decode import Video

IDS = ("s01e01_seg01_clip_00", "s01e01_seg01_clip_01", "s01e01_seg02_clip_00")
WORDS = {
    "s01e01": (
        "<seg01_clip_00>Leonard: Agreed. What is your point?"
        "<seg01_clip_01>Sheldon: There is no point.\nI just think it is a good idea for a shirt."
        "<seg02_clip_00>Penny: My bicycle was stolen on Tuesday."
    )
}


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    """Three clips of 4, 2 and 6 seconds at 3 frames a second."""
    for clip, num_frames in zip(IDS, (12, 6, 18), strict=True):
        (tmp_path / clip).mkdir()
        for number in range(1, num_frames + 1):
            Image.fromarray(picture_of(number)).save(tmp_path / clip / f"{number:05}.jpg")
    path = tmp_path / "s01e01.frames.json"
    path.write_text(json.dumps({"fps": 3, "clips": [{"id": clip, "folder": clip} for clip in IDS]}))
    (tmp_path / "words.json").write_text(json.dumps(WORDS))
    return path


def play(
    episode: Path, master: list[str], grounding: list[str], vision: list[str], **options: object
) -> tuple[Trace, Team]:
    agent = Team(ScriptedModel(grounding), ScriptedModel(vision), num_frames=3, **options)  # type: ignore[arg-type]
    sample = Sample("1", str(episode), "What was stolen?", subtitles=str(episode.with_name("words.json")))
    return asyncio.run(run(agent, ScriptedModel(master), sample)), agent


def test_clips_are_chapters_with_their_words(episode: Path) -> None:
    video = Video.open(episode, subtitles=episode.with_name("words.json"))
    clips = split_into_clips(video, 60)
    assert [(clip.id, clip.span) for clip in clips] == [
        (IDS[0], TimeSpan(0, 4)),
        (IDS[1], TimeSpan(4, 6)),
        (IDS[2], TimeSpan(6, 12)),
    ]
    assert [cue.text for cue in clips[1].cues] == [
        "Sheldon: There is no point.\nI just think it is a good idea for a shirt."
    ]
    assert clips[2].cues[0].span == TimeSpan(6, 12)
    assert [clip.id for clip in split_into_clips(video, 6, "fixed")] == ["clip_000", "clip_001"]


def test_grounding_moves_to_a_chapter_by_its_id(episode: Path) -> None:
    trace, agent = play(
        episode,
        [
            "<request_grounding>the theft</request_grounding>",
            "<visual_query>what?</visual_query>",
            "<answer>bike</answer>",
        ],
        [f"<clip>{IDS[2]}</clip>"],
        ["a bicycle"],
    )
    assert trace.opening[1].text.splitlines()[-2].startswith(f"{IDS[0]} [")
    (told,) = trace.turns[0].results[0].content
    assert isinstance(told, str)
    assert told.startswith(f"<New_clip>{IDS[2]} [00:00:06.0 - 00:00:12.0")
    assert "bicycle was stolen" in told
    assert isinstance(agent.grounding, ScriptedModel)
    asked = agent.grounding.requests[0].messages[0].text
    assert f"<{IDS[1]}>[00:00:04.0 - 00:00:06.0" in asked
    assert f"</{IDS[1]}>" in asked
    assert trace.evidence[0].span == TimeSpan(6, 12)
    assert [chapter.id for chapter in trace.video.chapters] == list(IDS)
    assert from_json(Trace, to_json(trace)).video == trace.video
    assert trace.config["clips"] == "auto"
    assert trace.config["first_clip"] is None


def test_the_master_starts_where_it_is_told(episode: Path) -> None:
    trace, agent = play(
        episode,
        ["<request_grounding>x</request_grounding>", "<visual_query>what?</visual_query>", "<answer>a</answer>"],
        ["none fits"],
        ["seen"],
        first_clip=IDS[1],
    )
    assert f"\n{IDS[1]} [" in trace.opening[1].text
    assert "There is no point" in trace.opening[1].text
    assert f"still in {IDS[1]}" in str(trace.turns[0].results[0].content)
    assert isinstance(agent.grounding, ScriptedModel)
    assert f"now in {IDS[1]}" in agent.grounding.requests[0].messages[0].text
    assert trace.evidence[0].span == TimeSpan(4, 6)
    assert trace.config["first_clip"] == IDS[1]
    with pytest.raises(ConfigError, match=r"first_clip 'nowhere' .* s01e01_seg01_clip_00 to s01e01_seg02_clip_00"):
        play(episode, [], [], [], first_clip="nowhere")


def test_chapters_must_be_there_when_asked_for(film: Path) -> None:
    with pytest.raises(VideoError, match="has no chapters"):
        split_into_clips(Video.open(film), 6, "chapters")
    assert [clip.id for clip in split_into_clips(Video.open(film), 10)] == ["clip_000", "clip_001"]
    with pytest.raises(ConfigError, match="auto, fixed, scenes, chapters"):
        Team(ScriptedModel([]), ScriptedModel([]), clips="songs")  # type: ignore[arg-type]
    settings = read_settings({"agent": "team", "agent_options": {"clips": "chapters", "first_clip": "a"}})
    assert build_agent(settings, Reader()).config["clips"] == "chapters"


def test_the_reader_grounds_on_chapters(episode: Path) -> None:
    sample = Sample("1", str(episode), "What was stolen on Tuesday?", subtitles=str(episode.with_name("words.json")))
    trace = asyncio.run(run(Team(Reader(), Reader(), num_frames=3), Reader(), sample))
    assert trace.answer is not None
    assert "bicycle" in trace.answer.text
    assert any(f"<New_clip>{IDS[2]}" in str(result.content) for turn in trace.turns for result in turn.results)
