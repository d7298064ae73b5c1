"""What each agent opens with, and how it reads replies."""

from __future__ import annotations

import asyncio
import inspect
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from clips import solid, write_frames
from longtake.agents.crop import Crop
from longtake.agents.direct import Blind, Direct
from longtake.agents.ground import Ground
from longtake.agents.loop import Action, run
from longtake.agents.replies import read_final
from longtake.agents.team import Team, split_into_clips
from longtake.errors import ConfigError, FormatError
from longtake.models.scripted import ScriptedModel
from longtake.types import Abstention, Answer, Message, ModelOutput, Sample, TimeSpan, ToolCall, Trace
from longtake.video.decode import Video


def said(text: str) -> ModelOutput:
    return ModelOutput(Message("assistant", (text,)), "m")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer>B</answer>", "B"),
        ("<think>maybe <answer>A</answer></think> <answer> B </answer>", "B"),
        ("<answer>A</answer> no: <answer>B</answer>", "B"),
        ("a thought that was opened in the prompt </think><answer>B</answer>", "B"),
        (r"so \boxed{B}", "B"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        ("<ANSWER>B</ANSWER>", "B"),
        ("<answer></answer><answer>B</answer>", "B"),
        ("<reasoning>x</reasoning><answer>a1</answer>", "a1"),
        ("<answer>two\nlines</answer>", "two\nlines"),
        ("<abstain>n</abstain><answer>B</answer>", "B"),
    ],
)
def test_the_answer_is_the_last_one_outside_the_thinking(text: str, answer: str) -> None:
    final = read_final(said(text))
    assert isinstance(final, Answer)
    assert final.text == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "B",
        "<answer>B",
        "<think><answer>B</answer></think>",
        "<think>x <answer>B</answer>",
        "<answer> </answer>",
        "\\boxed{}",
    ],
)
def test_no_answer_is_made_up(text: str) -> None:
    assert read_final(said(text)) is None


@pytest.mark.parametrize(
    ("text", "stop_reason", "answer"),
    [
        ("maybe <answer>A</answer> no wait, the", "length", None),
        ("<answer>A</answer>", "length", "A"),
        ("<answer>A</answer><evidence>1 - 2 s: a d", "length", "A"),
        ("<answer>I cannot help</answer>", "refused", None),
        ("<abstain>I cannot", "length", None),
    ],
)
def test_a_cut_or_refused_reply_is_no_answer(text: str, stop_reason: str, answer: str | None) -> None:
    output = ModelOutput(Message("assistant", (text,)), "m", stop_reason)  # type: ignore[arg-type]
    final = read_final(output)
    assert (final.text if isinstance(final, Answer) else None) == answer
    for agent in (Crop(), Direct(), team()):
        if answer is None:
            with pytest.raises(FormatError):
                agent.parse(output)
        else:
            assert isinstance(agent.parse(output), Answer)


def test_evidence_is_read_with_its_source() -> None:
    text = (
        '<answer>x</answer><evidence source="subtitles">62.0 - 65.5 s: "Go: now!"</evidence>'
        "<evidence>0:10 to 0:12, a red car</evidence><evidence>somewhere</evidence>"
    )
    final = read_final(said(text))
    assert isinstance(final, Answer)
    assert [(e.span, e.quote, e.source) for e in final.evidence] == [
        (TimeSpan(62, 65.5), "Go: now!", "subtitles"),
        (TimeSpan(10, 12), "a red car", "stated"),
    ]


def test_abstention_needs_no_reason_but_has_one() -> None:
    assert read_final(said("<abstain></abstain>")) == Abstention("the model abstained without a reason")


def team() -> Team:
    return Team(ScriptedModel([]), ScriptedModel([]))


@pytest.mark.parametrize(
    ("text", "tool", "query"),
    [
        ("<reasoning>r</reasoning><request_grounding>the car</request_grounding>", "ground", "the car"),
        ("<reasoning>r</reasoning><search>the hat</search>", "look", "the hat"),
        ("<visual_query>the hat</visual_query>", "look", "the hat"),
        ("<visual_query>a</visual_query><answer>b</answer>", "look", "a"),
        ("<reasoning>or <answer>b</answer>?</reasoning><search>a</search>", "look", "a"),
        ("<search>a</search><information>x</information><reasoning>r</reasoning><answer>b</answer>", "look", "a"),
    ],
)
def test_team_reads_both_spellings_and_the_first_action_wins(text: str, tool: str, query: str) -> None:
    action = team().parse(said(text))
    assert isinstance(action, tuple)
    assert [(call.name, call.arguments) for call in action] == [(tool, {"query": query})]


def test_team_answers_before_a_later_action() -> None:
    assert team().parse(said("<answer>b</answer><search>x</search>")) == Answer("b")


@pytest.mark.parametrize("text", ["", "I think b", "<search>open", "<reasoning><search>x</search></reasoning>"])
def test_team_refuses_what_is_no_action(text: str) -> None:
    with pytest.raises(FormatError, match="exactly one of"):
        team().parse(said(text))


def test_crop_prefers_calls_and_else_wants_an_answer() -> None:
    call = ToolCall("1", "crop_video", {})
    both: Action = Crop().parse(ModelOutput(Message("assistant", ("<answer>x</answer>",), (call,)), "m"))
    assert both == (call,)
    with pytest.raises(FormatError):
        Crop().parse(said('<tool_call>{"na'))


def test_direct_takes_the_whole_reply_without_its_thinking() -> None:
    assert Direct().parse(said("<think>hm</think> A dog. ")) == Answer("A dog.")
    with pytest.raises(FormatError):
        Direct().parse(said("<think>hm"))


def test_openings_hold_question_options_times_and_words(film: Path) -> None:
    video, sample = Video.open(film), Sample("1", str(film), "Which?", ("a hat", "a cat"))
    for agent in (Direct(num_frames=3), Crop(num_frames=3)):
        opening = agent.opening(sample, video)
        text = "\n".join(message.text for message in opening)
        assert "Question: Which?\nOptions:\nA. a hat\nB. a cat\n" in text
        assert "20.0 s long" in text
        assert sum(message.num_frames for message in opening) == 3
        assert ("half past six" in text) == (agent.name == "direct")
    text = "\n".join(message.text for message in team().opening(sample, video))
    assert "half past six" in text
    assert "clip_000" in text


def test_zero_frames_is_no_frames(film: Path) -> None:
    video, sample = Video.open(film), Sample("1", str(film), "Which?")
    assert all(
        m.num_frames == 0 for agent in (Direct(num_frames=0), Crop(num_frames=0)) for m in agent.opening(sample, video)
    )


def test_clips_cover_the_video_once(film: Path) -> None:
    clips = split_into_clips(Video.open(film), 6)
    assert clips[0].span.start == 0
    assert clips[-1].span.end == 20
    assert all(a.span.end == b.span.start for a, b in pairwise(clips))
    assert sum(len(clip.cues) for clip in clips) == 3


def test_clips_may_end_at_scene_changes(tmp_path: Path) -> None:
    path = tmp_path / "scenes.mp4"
    colours = [(200, 30, 30)] * 35 + [(30, 200, 30)] * 40 + [(30, 30, 200)] * 25
    write_frames(path, ((i, solid(colour)) for i, colour in enumerate(colours)), fps=Fraction(10))
    clips = split_into_clips(Video.open(path), 3, "scenes")
    assert [clip.span.start for clip in clips] == pytest.approx([0, 3.5, 7.5])


def play_team(
    film: Path, master: list[str], grounding: list[str], vision: list[str], **options: object
) -> tuple[Trace, Team]:
    agent = Team(ScriptedModel(grounding), ScriptedModel(vision), clip_seconds=6, num_frames=3, **options)  # type: ignore[arg-type]
    return asyncio.run(run(agent, ScriptedModel(master), Sample("1", str(film), "What is lost?"))), agent


def test_team_moves_to_the_grounded_clip_and_looks_there(film: Path) -> None:
    trace, agent = play_team(
        film,
        ["<request_grounding>lost</request_grounding>", "<search>colour</search>", "<answer>umbrella</answer>"],
        ["<clip>clip_001</clip>"],
        ["It is green at 7.0 s."],
    )
    grounding, vision = agent.grounding, agent.vision
    assert isinstance(grounding, ScriptedModel)
    assert isinstance(vision, ScriptedModel)
    asked = grounding.requests[0].messages[0].text
    assert "now in clip_000" in asked
    assert "<clip_001>" in asked
    assert "umbrella" in asked
    assert "<New_clip>clip_001" in str(trace.turns[0].results[0].content)
    frames = [part for part in vision.requests[0].messages[0].content if not isinstance(part, str)]
    assert all(6 <= s < 12 for s in frames[0].seconds)
    assert trace.turns[1].results[0].content == ("<information>It is green at 7.0 s.</information>",)
    assert trace.evidence[0].span == TimeSpan(6, 12)
    assert trace.usage.num_frames == 3


def test_team_stays_where_it_is_when_no_known_clip_is_named(film: Path) -> None:
    trace, _ = play_team(film, ["<request_grounding>x</request_grounding>", "<answer>a</answer>"], ["clip_999"], [])
    assert "named no known clip; you are still in clip_000" in str(trace.turns[0].results[0].content)


def test_team_replies_are_cut_after_the_first_action(film: Path) -> None:
    trace, _ = play_team(film, ["<answer>a</answer><information>made up</information>"], [], [])
    assert trace.turns[0].output.text == "<answer>a</answer>"


def test_stop_tags_inside_the_thinking_cut_nothing(film: Path) -> None:
    for thought in ("<think>I may write <search>x</search></think>", "<reasoning>or <search>x</search>?</reasoning>"):
        trace, _ = play_team(film, [f"{thought}<answer>B</answer> and more"], [], [])
        assert trace.answer == Answer("B"), trace.error
        assert trace.turns[0].output.text == f"{thought}<answer>B</answer>"


def test_a_team_that_asks_on_in_its_last_turn_ran_out_of_turns(film: Path) -> None:
    trace, _ = play_team(film, ["<search>x</search>"] * 2, [], ["nothing"], max_turns=2)
    assert (trace.stop_reason, len(trace.turns)) == ("max_turns", 2)
    assert trace.turns[1].calls == ()


def test_team_without_words_grounds_on_pictures(film: Path, tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    silent.write_bytes(film.read_bytes())
    _, agent = play_team(
        silent, ["<request_grounding>x</request_grounding>", "<answer>a</answer>"], ["<clip>clip_002</clip>"], []
    )
    assert isinstance(agent.grounding, ScriptedModel)
    assert agent.grounding.requests[0].messages[0].num_frames == 4  # one a clip


@pytest.mark.parametrize(
    "make", [lambda: Crop(tools=("fly",)), lambda: Team(ScriptedModel([]), ScriptedModel([]), clip_seconds=0)]
)
def test_wrong_settings_are_refused(make: object) -> None:
    with pytest.raises(ConfigError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("agent", [Blind, Crop, Direct, Ground, Team])
def test_an_agent_names_every_prompt_it_uses(agent: type) -> None:
    source = Path(inspect.getfile(agent)).read_text("utf-8")
    here = source[source.index(f"class {agent.__name__}:") :]
    here = here[: following.start()] if (following := re.search(r"\n@dataclass", here)) else here
    assert set(re.findall(r'render\(\s*"(\w+)"', here)) == set(agent.prompts)  # type: ignore[attr-defined]
