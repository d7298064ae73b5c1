"""From scenes to events to a summary."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_context import FakeContext, record, run_step, source_record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clips import solid, write_frames
from longtake.datagen.step import Record
from longtake.datagen.steps.events import Events, Summary, events, scenes, summary
from longtake.datagen.steps.verdicts import read_yes_no
from longtake.datagen.values import Caption, Clip, Source, as_value
from longtake.errors import FormatError, ModelConnectionError, RejectedError
from longtake.models.scripted import Reply, ScriptedModel
from longtake.types import GenerateConfig, Message, ModelOutput, ToolSpec


def captioned(num: int, seconds: float = 10.0, duration: float | None = None) -> list[Record]:
    """``num`` captions, back to front: a step must not rely on their order."""
    source = Source("film", "film.mp4", "f" * 16, 1, duration or num * seconds, 25.0, 64, 48)
    root = record("source", as_value(source))
    return [
        record(
            "caption",
            as_value(Caption(n * seconds, (n + 1) * seconds, f"part {n}")),
            id=f"film/{n:04d}",
            parents=[root],
        )
        for n in reversed(range(num))
    ]


def captions(*texts: str) -> list[str]:
    return [f"<caption>{text}</caption>" for text in texts]


def merged(tmp_path: Path, model: ScriptedModel, records: Sequence[Record], share: float = 0.8) -> tuple[Caption, ...]:
    (made,) = run_step(events(model, min_captioned_share=share), records, FakeContext(tmp_path))
    return made.read(Events).events


def test_scenes_cover_the_video_and_long_ones_are_cut_evenly(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    colours = [(200, 30, 30)] * 250 + [(30, 200, 30)] * 30 + [(30, 30, 200)] * 5 + [(200, 200, 30)] * 15
    write_frames(path, ((i, solid(colour)) for i, colour in enumerate(colours)), fps=10)
    made = run_step(scenes(max_seconds=10.0, threshold=15.0), [source_record(path)], FakeContext(tmp_path))
    spans = [one.read(Clip).span for one in made]
    assert spans[0].start == 0
    assert spans[-1].end == pytest.approx(30.0)
    assert all(a.end == b.start for a, b in itertools.pairwise(spans))
    assert [span.duration for span in spans[:3]] == pytest.approx([25 / 3] * 3)
    assert all(1.0 <= span.duration <= 10.0 for span in spans), "the half second of blue belongs to a neighbour"
    assert spans[3].start == pytest.approx(25.0)
    assert [one.id for one in made] == [f"film/{n:04d}" for n in range(len(made))]


def test_one_caption_is_one_event_and_costs_nothing(tmp_path: Path) -> None:
    assert merged(tmp_path, ScriptedModel([]), captioned(1)) == (Caption(0.0, 10.0, "part 0"),)


def test_three_and_more_captions_of_one_event_are_merged_in_pairs(tmp_path: Path) -> None:
    model = ScriptedModel(["yes", "Yes.", "**Yes**", "Answer: yes", *captions("0+1", "2+3", "0+1+2+3", "all")])
    assert merged(tmp_path, model, captioned(5)) == (Caption(0.0, 50.0, "all"),)
    asked = [request.messages[0].text for request in model.requests]
    assert "From 20.0 to 30.0 s: part 2" in asked[2]
    assert "From 30.0 to 40.0 s: part 3" in asked[2]
    assert asked[4].startswith("Task: merge_captions\n")
    assert "From 0.0 to 40.0 s: 0+1+2+3" in asked[7]
    assert "From 40.0 to 50.0 s: part 4" in asked[7]


def test_neighbours_that_differ_stay_apart(tmp_path: Path) -> None:
    model = ScriptedModel(["<think>yes? no.</think>No", "yes", "The answer is: no.", *captions("both")])
    assert merged(tmp_path, model, captioned(4)) == (
        Caption(0.0, 10.0, "part 0"),
        Caption(10.0, 30.0, "both"),
        Caption(30.0, 40.0, "part 3"),
    )


def test_a_reply_that_is_neither_may_be_mended_once(tmp_path: Path) -> None:
    model = ScriptedModel(["They may be.", "no"])
    assert len(merged(tmp_path, model, captioned(2))) == 2
    said = model.requests[1].messages[0].text
    assert said.startswith("Task: same_event\n")
    assert "They may be." in said
    assert "neither yes nor no" in said


@pytest.mark.parametrize(
    "said", ["Perhaps", "Not sure", "Yes and no.", "Yes or no", "Yes/No", "No. The answer is yes", "notable: none"]
)
def test_what_is_neither_yes_nor_no(said: str) -> None:
    with pytest.raises(FormatError):
        read_yes_no(said)


@pytest.mark.parametrize(
    "replies",
    [
        ["Perhaps.", "Perhaps."],
        ["I'm sorry, I can't help with that."],
        ["yes", ModelOutput(Message("assistant", ("The man walks and",)), "m", "length")],
        ["yes", "I'm sorry, I can't help with that."],
        ["yes", "Anteeksi, en voi auttaa.", "Anteeksi, en voi auttaa."],
        ["yes", "<caption>I'm sorry, I can't help with that.</caption>"],
    ],
)
def test_where_the_model_does_not_say_captions_stay_apart_as_they_are(tmp_path: Path, replies: list[Reply]) -> None:
    model = ScriptedModel(replies)
    (made,) = run_step(events(model, min_captioned_share=0.8), captioned(2), FakeContext(tmp_path))
    found = made.read(Events)
    assert [caption.caption for caption in found.events] == ["part 0", "part 1"]
    assert found.num_undecided == 1


def test_a_call_that_fails_is_not_taken_for_a_no(tmp_path: Path) -> None:
    with pytest.raises(ModelConnectionError):
        merged(tmp_path, ScriptedModel(["yes", "yes", ModelConnectionError("gone")]), captioned(3))


def test_captions_with_a_hole_between_them_are_never_of_one_event(tmp_path: Path) -> None:
    source = record("source", as_value(Source("film", "film.mp4", "f" * 16, 1, 60.0, 25.0, 64, 48)))
    spans = ((0.0, 10.0), (10.5, 20.0), (40.0, 50.0))
    records = [
        record("caption", as_value(Caption(start, end, "part")), id=f"film/{start}", parents=[source])
        for start, end in spans
    ]
    model = ScriptedModel(["yes", *captions("both")])
    assert merged(tmp_path, model, records, share=0.4) == (Caption(0.0, 20.0, "both"), Caption(40.0, 50.0, "part"))


def test_too_few_captions_drop_the_video(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match="20% of the video"):
        merged(tmp_path, ScriptedModel(["no"]), captioned(2, duration=100.0))
    assert len(merged(tmp_path, ScriptedModel(["no"]), captioned(2, duration=100.0), share=0.2)) == 2


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), max_size=12))
def test_events_cover_what_was_captioned(tmp_path: Path, same: list[bool]) -> None:
    replies: list[Reply] = ["yes" if one else "no" for one in same]
    model = ScriptedModel([*replies, *captions(*(f"merged {n}" for n in range(len(same))))])
    found = merged(tmp_path, model, captioned(len(same) + 1))
    assert len(found) == same.count(False) + 1
    assert found[0].start_time == 0
    assert found[-1].end_time == 10.0 * (len(same) + 1)
    assert all(a.end_time == b.start_time for a, b in itertools.pairwise(found))
    assert len(model.requests) == len(same) + same.count(True)


class Counting:
    """Says yes and then texts; remembers how many calls were under way at once."""

    name = "counting"

    def __init__(self) -> None:
        self.active = self.most = 0

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        self.active += 1
        self.most = max(self.most, self.active)
        await asyncio.sleep(0.001)
        self.active -= 1
        said = "yes" if messages[0].text.startswith("Task: same_event") else "<caption>merged</caption>"
        return ModelOutput(Message("assistant", (said,)), self.name)


def test_calls_that_do_not_need_each_other_go_side_by_side(tmp_path: Path) -> None:
    model = Counting()
    run_step(events(model, min_captioned_share=0.0), captioned(9), FakeContext(tmp_path))
    assert model.most == 8


class Failing(Counting):
    """Fails at once on the first pair, and replies to the others later."""

    num_replies = 0

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        if "part 0" in messages[0].text:
            raise ModelConnectionError("gone")
        output = await super().generate(messages, tools=tools, config=config)
        self.num_replies += 1
        return output


def test_what_is_under_way_when_one_call_fails_is_not_lost(tmp_path: Path) -> None:
    model = Failing()
    with pytest.raises(ModelConnectionError):
        run_step(events(model, min_captioned_share=0.0), captioned(4), FakeContext(tmp_path))
    assert model.num_replies == 2


def summarised(tmp_path: Path, model: ScriptedModel, num_events: int) -> Summary:
    found = Events(tuple(Caption(10.0 * n, 10.0 * n + 10, f"event {n}") for n in range(num_events)))
    (made,) = run_step(summary(model), [record("events", as_value(found))], FakeContext(tmp_path))
    return made.read(Summary)


def test_a_summary_of_many_events_is_made_in_groups_and_rounds(tmp_path: Path) -> None:
    model = ScriptedModel([f"<summary>{text}</summary>" for text in ("A", "B", "C", "AB", "ABC")])
    assert summarised(tmp_path, model, 17) == Summary("ABC", 17)
    asked = [request.messages[0].text for request in model.requests]
    assert "Event 1. From 0.0 to 10.0 s: event 0\n" in asked[0]
    assert "Event 8." in asked[0]
    assert "Event 9." not in asked[0]
    assert "Event 17. From 160.0 to 170.0 s: event 16" in asked[2]
    assert "Events 1 to 8. From 0.0 to 80.0 s: A\nEvents 9 to 16. From 80.0 to 160.0 s: B" in asked[3]
    assert "Events 1 to 16. From 0.0 to 160.0 s: AB\nEvent 17. From 160.0 to 170.0 s: C" in asked[4]
    assert {(request.config.temperature, request.config.max_tokens) for request in model.requests} == {(0.2, 2000)}


def test_a_summary_of_one_group_is_one_call_and_never_cut_off(tmp_path: Path) -> None:
    assert summarised(tmp_path, ScriptedModel(["<summary>A</summary>"]), 8).summary == "A"
    with pytest.raises(FormatError, match="cut off"):
        summarised(tmp_path, ScriptedModel([ModelOutput(Message("assistant", ("A",)), "m", "length")]), 1)


def test_steps_are_other_ones_with_another_model_or_setting() -> None:
    one, other = ScriptedModel([], name="one"), ScriptedModel([], name="other")
    hashes = {
        events(one, min_captioned_share=0.8).hash,
        events(other, min_captioned_share=0.8).hash,
        events(one, min_captioned_share=0.7).hash,
        summary(one).hash,
        summary(other).hash,
    }
    assert len(hashes) == 5
    assert scenes(max_seconds=10, threshold=15).hash != scenes(max_seconds=9, threshold=15).hash
