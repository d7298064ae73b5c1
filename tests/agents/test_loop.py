"""The loop: what ends a run, what the model is told, what the trace keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from clips import read_code
from longtake.agents.crop import Crop
from longtake.agents.direct import Direct
from longtake.agents.loop import Event, conversation, run
from longtake.agents.team import Team
from longtake.errors import ModelConnectionError, VideoError, VideoNotFoundError
from longtake.models.scripted import Reply, ScriptedModel
from longtake.types import (
    Frames,
    GenerateConfig,
    Message,
    ModelOutput,
    Sample,
    TimeSpan,
    ToolCall,
    ToolSpec,
    Trace,
    Usage,
    from_json,
    to_json,
)

CROP = Crop(num_frames=4)


def play(
    film: Path, replies: Sequence[Reply], agent: Crop | Direct | Team = CROP, **sample: object
) -> tuple[Trace, ScriptedModel]:
    model = ScriptedModel(replies)
    asked = Sample("1", str(film), "What is lost?", **sample)  # type: ignore[arg-type]
    return asyncio.run(run(agent, model, asked)), model


def crop(start: object, end: object) -> tuple[str, dict[str, object]]:
    return ("crop_video", {"start_time": start, "end_time": end})


def frames_of(message: Message) -> Frames:
    return next(part for part in message.content if isinstance(part, Frames))


def cut(text: str) -> ModelOutput:
    return ModelOutput(Message("assistant", (text,)), "scripted", "length")


def test_crop_returns_the_right_frames_and_the_model_sees_them(film: Path) -> None:
    trace, model = play(film, [crop(4, 8), "<answer>an umbrella</answer>"])
    seen = frames_of(model.requests[1].messages[-1])
    assert [read_code(picture) for picture in seen.pixels] == [round(s * 10) for s in seen.seconds]
    assert all(4 <= s < 8 for s in seen.seconds)
    assert trace.answer is not None
    assert trace.answer.text == "an umbrella"
    assert (trace.stop_reason, trace.error) == ("answered", None)
    assert trace.usage.num_frames == 4 + len(seen)
    assert trace.evidence[0].span == TimeSpan(4, 8)


def test_a_refused_tool_is_an_observation_the_model_can_act_on(film: Path) -> None:
    bad = [
        crop(500, 600),
        crop(8, 4),
        crop("NaN", 4),
        ("fly", {}),
        ("crop_video", {}),
        ("zoom", {"time": 1, "box": [1]}),
    ]
    trace, model = play(film, [bad, "<answer>x</answer>"])
    errors = [result.error or "" for result in trace.turns[0].results]
    for error, part in zip(
        errors,
        [
            "lasts 20.000 s",
            "start < end",
            "a time is a number",
            "no tool 'fly'; the tools are: crop_video",
            "needs 'start_time'",
            "left, top",
        ],
        strict=True,
    ):
        assert part in error
    told = [message for message in model.requests[1].messages if message.role == "tool"]
    assert [message.text for message in told] == [f"Error: {error}" for error in errors]
    assert trace.stop_reason == "answered"


def test_a_span_past_the_end_is_cut_and_said(film: Path) -> None:
    trace, model = play(film, [crop(18, 99), "<answer>x</answer>"])
    assert "the video ends at 20.0 s" in model.requests[1].messages[-1].text
    assert trace.evidence[0].span == TimeSpan(18, 20)


def test_video_path_is_accepted_and_not_trusted(film: Path) -> None:
    call = ("crop_video", {"video_path": "/etc/passwd", "start_time": "0:04", "end_time": "6 s"})
    trace, _ = play(film, [call, "<answer>x</answer>"])
    assert trace.turns[0].results[0].error is None
    assert trace.evidence[0].span == TimeSpan(4, 6)


def test_calls_of_one_turn_run_side_by_side_and_answer_in_order(film: Path) -> None:
    trace, model = play(
        film, [[crop(0, 2), crop(10, 12), ("search_text", {"query": "umbrella"})], "<answer>x</answer>"]
    )
    ids = [call.id for call in trace.turns[0].calls]
    assert len(set(ids)) == 3
    assert [m.tool_call_id for m in model.requests[1].messages if m.role == "tool"] == ids
    assert "green umbrella" in model.requests[1].messages[-1].text


def test_last_turn_tells_the_model_to_answer_and_runs_no_more_tools(film: Path) -> None:
    trace, model = play(film, [crop(0, 2)] * 3, Crop(num_frames=0, max_turns=3))
    assert "last turn" in model.requests[2].messages[-1].text
    assert not any("last turn" in m.text for m in model.requests[1].messages)
    assert (trace.stop_reason, trace.answer, len(trace.turns)) == ("max_turns", None, 3)
    assert "within 3 turns" in (trace.error or "")
    assert trace.turns[2].results == ()


def test_an_answer_beside_a_call_counts_in_the_last_turn_only(film: Path) -> None:
    both = ModelOutput(Message("assistant", ("<answer>x</answer>",), (ToolCall("1", "crop_video", {}),)), "scripted")
    trace, _ = play(film, [both, both], Crop(num_frames=0, max_turns=2))
    assert (trace.stop_reason, len(trace.turns)) == ("answered", 2)


def test_form_errors_are_told_and_bounded(film: Path) -> None:
    trace, model = play(film, ["hm"] * 9, Crop(num_frames=0, max_turns=9))
    assert (trace.stop_reason, len(trace.turns), trace.answer) == ("format_errors", 3, None)
    assert "neither a tool call nor an answer" in model.requests[1].messages[-1].text
    assert trace.error


def test_malformed_calls_are_told_and_bounded(film: Path) -> None:
    broken = ModelOutput(
        Message("assistant", (), (ToolCall("1", "crop_video", {}, malformed='{"start_time": 1,'),)),
        "scripted",
        "tool_calls",
    )
    trace, model = play(film, [broken] * 9, Crop(num_frames=0, max_turns=9))
    assert "not valid JSON" in model.requests[1].messages[-1].text
    assert (trace.stop_reason, len(trace.turns)) == ("format_errors", 3)
    assert "not valid JSON" in (trace.error or "")


def test_a_cut_reply_is_not_an_answer(film: Path) -> None:
    trace, model = play(film, [cut("<think>so the"), cut("<answer>half an")], Crop(num_frames=0, max_turns=2))
    assert "cut off after 4096 tokens" in model.requests[1].messages[-2].text
    assert (trace.stop_reason, trace.answer) == ("max_tokens", None)
    trace, _ = play(film, [cut("It is a long")], Direct(num_frames=2))
    assert (trace.stop_reason, trace.answer) == ("max_tokens", None)


def test_evidence_outside_the_video_is_none(film: Path) -> None:
    reply = "<answer>x</answer><evidence>100 - 200 s: a</evidence><evidence>15 - 99 s: b</evidence>"
    trace, _ = play(film, [reply])
    assert [evidence.span for evidence in trace.evidence] == [TimeSpan(15, 20)]


def test_one_turn_is_the_last_one(film: Path) -> None:
    trace, model = play(film, [crop(0, 2)], Crop(num_frames=0, max_turns=1))
    assert "last turn" in model.requests[0].messages[-1].text
    assert trace.stop_reason == "max_turns"


def test_subtitles_that_are_not_there_end_the_run_before_it_starts(film: Path) -> None:
    with pytest.raises(VideoError, match=r"none\.srt"):
        play(film, [], subtitles="none.srt")


def test_a_refusal_is_not_an_answer(film: Path) -> None:
    refusal = ModelOutput(Message("assistant", ("I cannot help with that.",)), "scripted", "refused")
    trace, _ = play(film, [refusal], Direct(num_frames=2))
    assert trace.answer is None


def test_a_failing_model_ends_the_run_and_keeps_what_was_done(film: Path) -> None:
    trace, _ = play(film, [crop(0, 2), ModelConnectionError("the endpoint is unreachable")])
    assert (trace.stop_reason, trace.answer, len(trace.turns)) == ("model_error", None, 1)
    assert "ModelConnectionError: the endpoint is unreachable" in (trace.error or "")


def test_abstaining_is_no_answer_and_has_its_reason(film: Path) -> None:
    trace, _ = play(film, ["<abstain>no cat is shown</abstain>"])
    assert (trace.stop_reason, trace.answer, trace.error) == ("abstained", None, "no cat is shown")


def test_the_trace_rebuilds_the_conversation_the_model_saw(film: Path) -> None:
    trace, model = play(
        film, [crop(0, 2), "hm", [crop(4, 5), ("fly", {})], "<answer>x</answer>"], Crop(num_frames=3, max_turns=4)
    )
    again = from_json(Trace, to_json(trace))
    assert again == trace
    assert conversation(again)[:-1] == list(model.requests[-1].messages)


def test_native_calls_of_an_agent_without_tools_do_not_stay_unanswered(film: Path) -> None:
    stray = ModelOutput(Message("assistant", ("hm",), (ToolCall("1", "x", {}),)), "scripted", "tool_calls")
    trace, _ = play(film, [stray], Direct(num_frames=0))
    assert not trace.turns[0].output.message.tool_calls


def test_gold_reaches_no_request(film: Path) -> None:
    gold = {
        "target": "GOLDTOKEN",
        "target_spans": (TimeSpan(11.25, 13.125),),
        "metadata": {"bbox": "GOLDTOKEN", "occur_clip": "GOLDTOKEN"},
    }
    worker = ScriptedModel(["<clip>clip_000</clip>", "GREEN"])
    master: list[Reply] = [
        "<request_grounding>it</request_grounding>",
        "<visual_query>it</visual_query>",
        "<answer>a</answer>",
    ]
    for agent, replies in (
        (CROP, [crop(0, 2), "<answer>a</answer>"]),
        (Direct(), ["a"]),
        (Team(worker, worker), master),
    ):
        _, model = play(film, replies, agent, choices=("a", "b"), **gold)  # type: ignore[arg-type]
        said = "".join(m.text for r in [*model.requests, *worker.requests] for m in r.messages)
        assert "What is lost?" in said
        assert "GOLDTOKEN" not in said
        assert "13.1" not in said


def test_a_worker_that_fails_ends_the_run_and_keeps_the_turn(film: Path) -> None:
    trace, _ = play(film, ["<request_grounding>when?</request_grounding>"], Team(ScriptedModel([]), ScriptedModel([])))
    assert (trace.stop_reason, len(trace.turns)) == ("model_error", 1)
    assert "no reply to request 1" in (trace.error or "")


def test_events_tell_the_run_in_order(film: Path) -> None:
    events: list[Event] = []
    asyncio.run(
        run(
            CROP, ScriptedModel([crop(0, 2), "<answer>x</answer>"]), Sample("1", str(film), "q"), on_event=events.append
        )
    )
    kinds = [event.kind for event in events]
    assert kinds == [
        "opening",
        "asking",
        "replied",
        "calling",
        "returned",
        "turn",
        "asking",
        "replied",
        "turn",
        "finished",
    ]
    assert [len(event.trace.turns) for event in events if event.kind == "turn"] == [1, 2]
    assert events[5].trace.turns[0].results
    assert events[-1].trace.stop_reason == "answered"


def test_a_video_that_is_not_there_is_an_error_not_a_trace(tmp_path: Path) -> None:
    with pytest.raises(VideoNotFoundError):
        play(tmp_path / "none.mp4", [])


def test_a_bug_is_not_hidden(film: Path) -> None:
    class Broken:
        name = "broken"

        async def generate(
            self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
        ) -> ModelOutput:
            raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run(CROP, Broken(), Sample("1", str(film), "q")))


def test_costs_of_workers_are_in_the_trace(film: Path) -> None:
    worker = ModelOutput(Message("assistant", ("<clip>clip_000</clip>",)), "w", usage=Usage(1, 100, 10, 0, 0.25))
    trace, _ = play(
        film,
        ["<request_grounding>x</request_grounding>", "<answer>a</answer>"],
        Team(ScriptedModel([worker]), ScriptedModel([])),
    )
    assert trace.usage.cost_usd == 0.25
    assert trace.usage.input_tokens >= 100
