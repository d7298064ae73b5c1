"""A model whose replies were heard: an error message that came as if the model had said it is an error again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ..errors import ModelReplyError
from ..types import JSON, GenerateConfig, Message, Model, ModelOutput, ToolSpec, Usage
from .journaled import model_identity
from .phrases import is_server_message
from .thoughts import without_thinking

__all__ = ["Heard"]

_MAX_ATTEMPTS = 3
_FIRST_WAIT_SECONDS = 0.5
_SHOWN = 160


class Heard:
    """``model``, with error messages that came as replies raised as `ModelReplyError`, after three attempts.

    It stands below a journal, so that such a reply is never kept and the next run asks anew."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def reply_identity(self) -> JSON:
        return model_identity(self.model)

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        attempt, spent = 0, Usage()
        while True:
            attempt += 1
            output = await self.model.generate(messages, tools=tools, config=config)
            spent += output.usage
            said = without_thinking(output.text).strip()
            if output.message.tool_calls or not is_server_message(said):
                return replace(output, usage=spent)
            if attempt == _MAX_ATTEMPTS:
                error = ModelReplyError(
                    f"{self.name} replied with an error message {attempt} times: {said[:_SHOWN]!r}; look at the server,"
                    " then run again"
                )
                error.spent = spent
                raise error
            await asyncio.sleep(_FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
