"""An agent whose frames are JPEG files from the moment they are there, for endpoints that are sent JPEG files anyway.

While a request waits, its frames would be held as pixels: a hundred times the size. What is sent is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..models.openai import OpenAIModel
from ..models.pixels import as_jpegs
from ..types import JSON, Frames, Message, Model, ModelOutput, Part, Sample, ToolCall, ToolResult
from ..video.decode import Video
from .loop import Action, Agent, Tool

__all__ = ["light"]


def light(agent: Agent, model: Model) -> Agent:
    """``agent`` as it is to be run with ``model``: itself, unless that is sent JPEG files."""
    if not isinstance(model, OpenAIModel):
        return agent
    quality, max_side = model.options.jpeg_quality, model.options.max_side
    return _Light(agent, lambda frames: as_jpegs(frames, quality=quality, max_side=max_side))


@dataclass(frozen=True, slots=True)
class _Light:
    agent: Agent
    lighten: Callable[[Frames], Frames]

    @property
    def name(self) -> str:
        return self.agent.name

    @property
    def max_turns(self) -> int:
        return self.agent.max_turns

    @property
    def native_tools(self) -> bool:
        return self.agent.native_tools

    @property
    def stop(self) -> tuple[str, ...]:
        return self.agent.stop

    @property
    def last_call(self) -> str:
        return self.agent.last_call

    @property
    def config(self) -> Mapping[str, JSON]:
        return self.agent.config

    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]:
        return [Tool(tool.spec, self._lightened(tool)) for tool in self.agent.bind(sample, video)]

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        messages = self.agent.opening(sample, video)
        return [replace(message, content=self._content(message.content)) for message in messages]

    def parse(self, output: ModelOutput) -> Action:
        return self.agent.parse(output)

    def _lightened(self, tool: Tool) -> Callable[[ToolCall], Awaitable[ToolResult]]:
        async def run(call: ToolCall) -> ToolResult:
            result = await tool.run(call)
            return replace(result, content=await asyncio.to_thread(self._content, result.content))

        return run

    def _content(self, content: tuple[Part, ...]) -> tuple[Part, ...]:
        return tuple(
            self.lighten(part) if isinstance(part, Frames) and part.data is not None else part for part in content
        )
