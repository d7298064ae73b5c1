"""`OpenAIModel` against a server nobody here wrote (see ``independent``): pictures, tools and errors for real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clips import write_clock
from independent import ANSWER, CALL, TOKENS_PER_IMAGE, IndependentServer
from longtake.agents.ask import AskSettings, ask_async
from longtake.errors import ModelRequestError
from longtake.models import check_model
from longtake.models.openai import EndpointOptions, OpenAIModel
from longtake.types import Frames, GenerateConfig, Message, ModelOutput, ToolCall, ToolSpec

CONFIG = GenerateConfig(max_tokens=32)
TOOL = ToolSpec(
    "crop_video",
    "Frames of a span.",
    {"type": "object", "properties": {"start_time": {"type": "number"}, "end_time": {"type": "number"}}},
)
QUESTION = "What is it?"


def frames(num: int) -> Frames:
    noise = np.random.default_rng(0).integers(0, 255, (num, 90, 160, 3), np.uint8)
    return Frames.of(noise, np.arange(float(num)), "v" * 32)


def model_at(server: IndependentServer, *, native: bool = True, **options: Any) -> OpenAIModel:
    name = server.native if native else server.textual
    return OpenAIModel(name, base_url=server.base_url, options=EndpointOptions(**options))


async def ask(model: OpenAIModel, *messages: Message, tools: bool = False) -> ModelOutput:
    return await model.generate(messages, tools=[TOOL] if tools else [], config=CONFIG)


async def test_every_picture_arrives(independent_server: IndependentServer) -> None:
    """Prompt tokens count what the server made of the request: four per picture, one per byte of text."""
    model = model_at(independent_server)
    inputs = {}
    for num in (0, 1, 8):
        output = await ask(model, Message("user", (frames(num), QUESTION)))
        assert (output.text, output.stop_reason) == (ANSWER, "stop")
        inputs[num] = output.usage.input_tokens
    label = len("[00:00:00.0 | 0.0 s]")
    assert inputs[1] - inputs[0] == TOKENS_PER_IMAGE + label
    assert inputs[8] - inputs[0] == 8 * (TOKENS_PER_IMAGE + label)


async def test_calls_that_the_server_parses(independent_server: IndependentServer) -> None:
    output = await ask(model_at(independent_server), Message("user", (QUESTION,)), tools=True)
    (call,) = output.message.tool_calls
    assert (call.name, call.arguments) == ("crop_video", {"start_time": 1.0, "end_time": 2.5})
    assert (output.stop_reason, output.text) == ("tool_calls", "")


@pytest.mark.parametrize("style", ["native", "hermes"])
async def test_calls_that_come_as_text(independent_server: IndependentServer, style: str) -> None:
    model = model_at(independent_server, native=False, tool_style=style)
    output = await ask(model, Message("user", (QUESTION,)), tools=True)
    (call,) = output.message.tool_calls
    assert (call.name, call.arguments) == ("crop_video", {"start_time": 1.0, "end_time": 2.5})
    assert (output.stop_reason, output.text) == ("tool_calls", CALL)


@pytest.mark.parametrize("options", [{}, {"tool_images": "tool"}, {"tool_style": "hermes"}])
@pytest.mark.parametrize("native", [True, False])
async def test_a_conversation_with_a_tool(
    independent_server: IndependentServer, options: dict[str, Any], native: bool
) -> None:
    model = model_at(independent_server, native=native, **options)
    question = Message("user", (frames(2), QUESTION))
    output = await ask(model, question, tools=True)
    (call,) = output.message.tool_calls
    plain = Message("tool", ("Seen.",), tool_call_id=call.id)
    shown = Message("tool", ("Seen.", frames(3)), tool_call_id=call.id)
    without = await ask(model, question, output.message, plain, tools=True)
    final = await ask(model, question, output.message, shown, tools=True)
    assert (final.text, final.message.tool_calls) == (ANSWER, ())
    assert final.usage.input_tokens - without.usage.input_tokens >= 3 * TOKENS_PER_IMAGE


async def test_a_malformed_call_in_the_history(independent_server: IndependentServer) -> None:
    """The server parses the arguments of every call in the history."""
    broken = ToolCall("a", "crop_video", {}, malformed='{"start_time": ')
    result = Message("tool", ("Error: not JSON",), tool_call_id="a")
    asked = Message("assistant", ("I look.",), (broken,))
    output = await ask(model_at(independent_server), Message("user", (QUESTION,)), asked, result, tools=True)
    assert output.text == ANSWER


async def test_a_field_it_does_not_know(independent_server: IndependentServer) -> None:
    model = model_at(independent_server, extra={"no_such_field": 1})
    with pytest.raises(ModelRequestError, match=r"422 .*no_such_field"):
        await ask(model, Message("user", (QUESTION,)))


async def test_it_is_a_model(independent_server: IndependentServer) -> None:
    await check_model(model_at(independent_server))
    await check_model(model_at(independent_server, native=False, tool_style="hermes"))


@pytest.mark.parametrize("native", [True, False])
async def test_a_whole_run_of_an_agent(independent_server: IndependentServer, tmp_path: Path, native: bool) -> None:
    """Decoding, prompts, the loop, tools and the wire together: the span the server calls for is shown to it."""
    video = tmp_path / "clock.mp4"
    write_clock(video, num_frames=100)
    model = model_at(independent_server, native=native)
    trace = await ask_async(video, QUESTION, choices=("yes", "no"), agent="crop", model=model)
    assert (trace.stop_reason, trace.answer and trace.answer.text) == ("answered", "B"), trace.error
    (result,) = trace.turns[0].results
    (shown,) = [part for part in result.content if isinstance(part, Frames)]
    assert 1.0 <= shown.seconds.min() <= shown.seconds.max() <= 2.5
    assert trace.usage.num_calls == 2
    grown = trace.turns[1].output.usage.input_tokens - trace.turns[0].output.usage.input_tokens
    assert grown >= len(shown) * TOKENS_PER_IMAGE


async def test_the_other_two_agents(independent_server: IndependentServer, tmp_path: Path) -> None:
    """A baseline in one call; a team whose master asks its vision agent, all three behind the same server."""
    video = tmp_path / "clock.mp4"
    write_clock(video, num_frames=100)
    model = model_at(independent_server)
    direct = await ask_async(video, QUESTION, agent="direct", model=model, settings=AskSettings(frames=4))
    assert (direct.answer and direct.answer.text, direct.usage.num_calls, direct.usage.num_frames) == ("B", 1, 4)
    team = await ask_async(video, QUESTION, agent="team", model=model, settings=AskSettings(frames=3))
    assert team.answer is not None, team.error
    assert team.answer.text == "B"
    assert [call.name for turn in team.turns for call in turn.calls] == ["look"]
    assert (team.usage.num_calls, team.usage.num_frames) == (3, 3)


@pytest.mark.parametrize("agent", ["direct", "crop", "team"])
async def test_the_three_agents_on_a_real_video(
    independent_server: IndependentServer, shared_videos: Path, agent: str
) -> None:
    model = model_at(independent_server)
    video = shared_videos / "nasa_13013.mp4"
    trace = await ask_async(video, QUESTION, agent=agent, model=model, settings=AskSettings(frames=3))
    assert trace.answer is not None, trace.error
    assert trace.answer.text == "B"
    assert trace.usage.num_frames >= 3
