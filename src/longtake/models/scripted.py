"""Models that say what they are told: written replies for tests and demonstrations, recording and replay of real ones.

A file of replies is JSON lines. Written by hand, a line is a text, one tool call or a list of them, said in order:

    "<answer>B</answer>"
    {"name": "crop_video", "arguments": {"start_time": 10, "end_time": 20}}

Recorded, a line is ``{"key": ..., "output": {...}}`` and is said only to the request it answered.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import orjson

from ..errors import ConfigError, ModelError, StoreError
from ..types import JSON, GenerateConfig, Message, Model, ModelOutput, ToolCall, ToolSpec, Usage, from_json, to_json
from .cache import request_key
from .toolcalls import call_id, read_call

__all__ = ["RecordedModel", "Reply", "Request", "ScriptedModel"]

Call: TypeAlias = tuple[str, Mapping[str, JSON]]
Reply: TypeAlias = str | Call | list[Call] | ModelOutput | Exception
"""What to say: a text, a call ``(tool, arguments)``, several calls, a whole output, or an error to raise."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the model was asked."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    config: GenerateConfig


class ScriptedModel:
    """Says ``replies`` in order, keeps what it was asked in ``requests``, raises `ModelError` once it has no more."""

    def __init__(self, replies: Iterable[Reply], *, name: str = "scripted") -> None:
        self.name = name
        self.reply_identity: JSON = name
        self.requests = list[Request]()
        self._replies = deque(replies)
        self._recorded = dict[str, deque[ModelOutput]]()
        self._num_calls = 0

    @classmethod
    def from_file(cls, path: Path | str) -> ScriptedModel:
        """Replies from JSON lines (see the module). Raises `ConfigError` naming the line that is wrong."""
        path = Path(path)
        try:
            lines = path.read_bytes().splitlines()
        except OSError as e:
            raise ConfigError(f"cannot read the replies {path}: {e.strerror}; give a JSON-lines file") from e
        recorded = defaultdict[str, deque[ModelOutput]](deque)
        written = list[Reply]()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value: Any = orjson.loads(line)
                if isinstance(value, dict) and "key" in value:
                    recorded[value["key"]].append(from_json(ModelOutput, orjson.dumps(value["output"])))
                else:
                    written.append(_reply(cast(object, value)))
            except (ValueError, TypeError, KeyError, StoreError) as e:
                raise ConfigError(
                    f"{path} line {number} is not a reply ({e}); allowed: a JSON string,"
                    ' {"name": TOOL, "arguments": {...}}, a list of those, or a recorded line'
                ) from e
        model = cls(written, name=f"scripted:{path.name}")
        model._recorded = dict(recorded)
        model.reply_identity = [model.name, hashlib.sha256(b"\n".join(lines)).hexdigest()[:16]]
        return model

    @classmethod
    def from_spec(cls, argument: str) -> ScriptedModel:
        """``scripted:FILE`` on the command line."""
        return cls.from_file(argument)

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        self.requests.append(Request(tuple(messages), tuple(tools), config))
        if self._recorded:
            key = await request_key(None, messages, tools, config)
            if outputs := self._recorded.get(key):
                return outputs.popleft()
        if not self._replies:
            raise ModelError(
                f"{self.name} has no reply to request {len(self.requests)}: "
                + ("this request was not recorded; record again" if self._recorded else "add one to its script")
            )
        reply = self._replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, ModelOutput) else self._output(reply)

    def _output(self, reply: str | Call | list[Call]) -> ModelOutput:
        usage = Usage(num_calls=1)
        if isinstance(reply, str):
            return ModelOutput(Message("assistant", (reply,)), self.name, usage=usage)
        calls = list[ToolCall]()
        for tool, arguments in reply if isinstance(reply, list) else [reply]:
            calls.append(ToolCall(call_id(self._num_calls), tool, arguments))
            self._num_calls += 1
        return ModelOutput(Message("assistant", (), tuple(calls)), self.name, "tool_calls", usage)


class RecordedModel:
    """``model``, with every reply appended to ``path`` for `ScriptedModel.from_file`."""

    def __init__(self, model: Model, path: Path | str) -> None:
        self.model = model
        self.path = Path(path)

    @property
    def name(self) -> str:
        return self.model.name

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        key = await request_key(None, messages, tools, config)
        output = await self.model.generate(messages, tools=tools, config=config)
        line = orjson.dumps({"key": key, "output": orjson.loads(to_json(output))}, option=orjson.OPT_APPEND_NEWLINE)
        try:
            with self.path.open("ab") as file:
                file.write(line)
        except OSError as e:
            raise StoreError(f"cannot write the reply to {self.path}: {e.strerror}; choose another file") from e
        return output


def _reply(value: object) -> Reply:
    """Reads a line written by hand. Raises `ValueError`."""
    if isinstance(value, str):
        return value
    calls = list[Call]()
    for item in cast(list[object], value if isinstance(value, list) else [value]):
        call = read_call(item)
        if call is None:
            raise ValueError(f"{item!r} is not a call")
        calls.append((call.name, call.arguments))
    if not calls:
        raise ValueError("it is an empty list")
    return calls
