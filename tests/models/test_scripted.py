"""Scripted models: what they say, what they keep, and that a recording plays back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from longtake.errors import ConfigError, ModelError, ModelTimeoutError
from longtake.models import RecordedModel, ScriptedModel
from longtake.types import Frames, GenerateConfig, Message, Model, ModelOutput, Usage

CONFIG = GenerateConfig()


async def ask(model: Model, text: str, *frames: Frames) -> ModelOutput:
    return await model.generate([Message("user", (text, *frames))], tools=(), config=CONFIG)


async def test_says_what_it_is_told() -> None:
    whole = ModelOutput(Message("assistant", ("whole",)), "other", usage=Usage(1, 5, 6))
    late = ModelTimeoutError("too late")
    model = ScriptedModel(["text", ("zoom", {"at": 1}), [("a", {}), ("b", {})], whole, late])
    assert (await ask(model, "1")).text == "text"
    one = (await ask(model, "2")).message.tool_calls
    two = await ask(model, "3")
    assert [(call.name, call.arguments) for call in one] == [("zoom", {"at": 1})]
    assert [call.name for call in two.message.tool_calls] == ["a", "b"]
    assert two.stop_reason == "tool_calls"
    assert len({call.id for call in (*one, *two.message.tool_calls)}) == 3
    assert await ask(model, "4") is whole
    with pytest.raises(ModelTimeoutError, match="too late"):
        await ask(model, "5")
    with pytest.raises(ModelError, match="no reply to request 6"):
        await ask(model, "6")
    assert [request.messages[0].text for request in model.requests] == list("123456")


async def test_a_file_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('"hello"\n\n{"name": "zoom", "arguments": {"at": 1}}\n[{"name": "a"}, {"name": "b"}]\n')
    model = ScriptedModel.from_file(path)
    assert (await ask(model, "1")).text == "hello"
    assert (await ask(model, "2")).message.tool_calls[0].arguments == {"at": 1}
    assert len((await ask(model, "3")).message.tool_calls) == 2


@pytest.mark.parametrize(
    "line", ["{", "3", '{"nmae": "zoom"}', "[]", '[{"name": "a"}, 1]', '{"key": "k"}', '{"key": 1, "output": {}}']
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text(f'"fine"\n{line}\n')
    with pytest.raises(ConfigError, match="line 2 is not a reply"):
        ScriptedModel.from_file(path)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the replies"):
        ScriptedModel.from_spec(str(tmp_path / "none.jsonl"))


async def test_a_recording_answers_each_request_with_its_own_reply(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    dark, bright = (Frames.of(np.full((1, 4, 4, 3), shade, np.uint8), np.array([1.0]), "v") for shade in (0, 255))
    recorded = RecordedModel(ScriptedModel(["one", "two", "two again", "dark", "bright", ("zoom", {})]), path)
    for text, *frames in (("1",), ("2",), ("2",), ("see", dark), ("see", bright), ("call",)):
        await ask(recorded, text, *frames)
    replay = ScriptedModel.from_file(path)
    outputs = await asyncio.gather(*(ask(replay, text) for text in "212"))
    assert [output.text for output in outputs] == ["two", "one", "two again"]
    assert (await ask(replay, "see", bright)).text == "bright"
    assert (await ask(replay, "see", dark)).text == "dark"
    assert (await ask(replay, "call")).message.tool_calls[0].name == "zoom"
    with pytest.raises(ModelError, match="not recorded"):
        await ask(replay, "2")
