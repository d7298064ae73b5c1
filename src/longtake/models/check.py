"""What any model must do, as a check that authors of models can run in their tests."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import numpy as np

from ..types import (
    Frames,
    GenerateConfig,
    Message,
    Model,
    ModelOutput,
    ToolCall,
    ToolSpec,
    from_json,
    to_json,
)

__all__ = ["check_model"]

_CONFIG = GenerateConfig(max_tokens=16)
_TOOL = ToolSpec(
    "crop_video",
    "Frames of a span of the video.",
    {
        "type": "object",
        "properties": {"start_time": {"type": "number"}, "end_time": {"type": "number"}},
        "required": ["start_time", "end_time"],
    },
)
_STOPS = ("stop", "length", "tool_calls", "refused")


async def check_model(model: Model, *, frames: bool = True, tools: bool = True) -> None:
    """Asks ``model`` seven short questions and raises `AssertionError` saying what is wrong.

    ``frames`` and ``tools``: whether the model is to be shown pictures and offered tools."""
    assert model.name, f"name must be a non-empty text, it is {model.name!r}"
    question = Message("user", ("Say yes.",))
    for conversation, offered in _conversations(question, frames, tools):
        before = list(conversation)
        output = await model.generate(conversation, tools=offered, config=_CONFIG)
        assert conversation == before, "generate must not change the messages it is given"
        _check_output(output, offered)
    together = await asyncio.gather(*(model.generate([question], tools=(), config=_CONFIG) for _ in range(3)))
    for output in together:
        _check_output(output, ())
    await _check_cancelling(model, question)


def _conversations(question: Message, frames: bool, tools: bool) -> list[tuple[list[Message], Sequence[ToolSpec]]]:
    system = Message("system", ("Answer in one word.",))
    shown = Frames.of(np.zeros((2, 32, 48, 3), np.uint8), np.array([0.0, 1.5]), "0" * 32)
    asked: list[tuple[list[Message], Sequence[ToolSpec]]] = [([question], ()), ([system, question], ())]
    if frames:
        asked.append(([Message("user", (shown, "What is shown?"))], ()))
    if tools:
        calls = tuple(ToolCall(f"call0000{n}", _TOOL.name, {"start_time": n, "end_time": n + 1}) for n in range(2))
        content = (shown, "Two frames.") if frames else ("Nothing is there.",)
        results = [Message("tool", content, tool_call_id=call.id) for call in calls]
        asked.append(([question], (_TOOL,)))
        asked.append(([question, Message("assistant", ("I look.",), calls), *results], (_TOOL,)))
    return asked


def _check_output(output: ModelOutput, tools: Sequence[ToolSpec]) -> None:
    assert isinstance(output, ModelOutput), f"generate must return a ModelOutput, it returned {type(output).__name__}"
    message = output.message
    assert message.role == "assistant", f"the reply's role must be assistant, it is {message.role!r}"
    assert message.num_frames == 0, "a reply must not hold frames"
    assert output.stop_reason in _STOPS, f"stop_reason must be one of {_STOPS}, it is {output.stop_reason!r}"
    if output.stop_reason == "stop":
        assert message.text.strip(), "a reply that stopped must hold text; raise ModelError when there is none"
        assert not message.tool_calls, "a reply with tool calls has the stop reason tool_calls"
    if output.stop_reason == "tool_calls":
        assert message.tool_calls, "the stop reason is tool_calls and there are no calls"
        assert tools, "the reply calls tools though none were offered"
    ids = [call.id for call in message.tool_calls]
    assert len(set(ids) - {""}) == len(ids), f"tool calls need ids of their own, they have {ids}"
    for call in message.tool_calls:
        assert call.malformed is None or not call.arguments, "a malformed call must have no arguments"
    usage = output.usage
    counts = (usage.num_calls, usage.input_tokens, usage.output_tokens, usage.num_frames)
    assert all(isinstance(count, int) and count >= 0 for count in counts), f"usage must count up from 0, it is {usage}"
    assert usage.cost_usd is None or 0 <= usage.cost_usd < math.inf, f"cost_usd must be None or >= 0, it is {usage}"
    assert 0 <= output.seconds < math.inf, f"seconds must be a time, it is {output.seconds}"
    if output.tokens:
        assert len(output.tokens.ids) == len(output.tokens.logprobs), "tokens need one log-probability per id"
    assert from_json(ModelOutput, to_json(output)) == output, "the reply must survive JSON"


async def _check_cancelling(model: Model, question: Message) -> None:
    """A call that is given up must end, and leave the model usable."""
    call = asyncio.ensure_future(model.generate([question], tools=(), config=_CONFIG))
    await asyncio.sleep(0)
    call.cancel()
    done, _ = await asyncio.wait([call], timeout=10)
    assert done, "generate must end within seconds when it is cancelled"
    if not call.cancelled():
        call.result()
    _check_output(await model.generate([question], tools=(), config=_CONFIG), ())
