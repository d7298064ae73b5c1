"""Asking a model inside a step, and which replies count as content.

A reply counts only if it is complete and says something: thinking is taken off, a refusal drops the record, and an
error message that a proxy sent as if a model had said it is an error again, before it is kept as a reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from ...agents.prompt import render
from ...agents.replies import without_thinking
from ...errors import FormatError, RejectedError
from ...models.heard import Heard
from ...models.phrases import is_error_message, is_nothing, is_refusal
from ...types import GenerateConfig, Message, Model, ModelOutput, Part
from ..step import Context

__all__ = ["ask", "content_of", "read_or_repair"]

T = TypeVar("T")

_SHOWN = 160

# prompts let a model say so, with a reason, when there is nothing to write
_ABSTAINS = re.compile(r"<abstain>(.*?)(?:</abstain>|\Z)", re.DOTALL | re.IGNORECASE)


async def ask(
    ctx: Context, model: Model, prompt: str | Sequence[Part], *, temperature: float = 0.0, max_tokens: int = 4096
) -> str:
    """What ``model`` replies to ``prompt`` (one user message of texts and frames), through the journal of ``ctx``.

    Raises what `content_of` raises, and the model's own `ModelError`."""
    parts = (prompt,) if isinstance(prompt, str) else tuple(prompt)
    config = GenerateConfig(temperature=temperature, max_tokens=max_tokens)
    output = await ctx.journaled(Heard(model)).generate([Message("user", parts)], tools=(), config=config)
    return content_of(output, max_tokens=max_tokens)


async def read_or_repair(
    ctx: Context,
    model: Model | None,
    reply: str,
    read: Callable[[str], T],
    *,
    task: Callable[[], str],
    repairs: int,
    temperature: float,
    max_tokens: int,
) -> T:
    """What ``read`` makes of ``reply``. Where it raises `FormatError`, ``model`` is shown the task, its reply and what
    is wrong, and ``read`` gets what it writes then, up to ``repairs`` times. Raises the last `FormatError`."""
    num_repairs = 0
    while True:
        try:
            return read(reply)
        except FormatError as e:
            if model is None or num_repairs >= repairs:
                raise FormatError(f"{e} (mended {num_repairs} times)" if num_repairs else str(e)) from e
            prompt = render("data_repair", problem=str(e), task=task(), reply=reply)
        num_repairs += 1
        reply = await ask(ctx, model, prompt, temperature=temperature, max_tokens=max_tokens)


def content_of(output: ModelOutput, *, max_tokens: int) -> str:
    """The text of a reply, without its thinking and without space at both ends; never empty.

    Raises `RejectedError` where the model refused or abstained (its words are the reason), `FormatError` where the
    reply was cut off, is empty, calls a tool or is an error message."""
    said = without_thinking(output.text).strip()
    if output.stop_reason == "refused":
        raise RejectedError(f"{output.model} refused: {_short(said) or 'it gave no reason'}")
    if output.stop_reason == "length":
        raise FormatError(
            f"the reply of {output.model} was cut off after {max_tokens} tokens; allow more, or a shorter reply"
        )
    if output.message.tool_calls:
        raise FormatError(
            f"{output.model} called the tool {output.message.tool_calls[0].name!r}; there are no tools here"
        )
    if is_nothing(said):
        thought = " but thinking" if len(output.text.strip()) > len(said) else ""
        raise FormatError(f"the reply of {output.model} holds nothing{thought}{f': {said!r}' if said else ''}")
    if abstains := _ABSTAINS.search(said):
        raise RejectedError(f"{output.model} abstains: {_short(abstains[1]) or 'it gave no reason'}")
    if is_refusal(said):
        raise RejectedError(f"{output.model} refused: {_short(said)}")
    if is_error_message(said):
        raise FormatError(f"the reply of {output.model} is an error message: {_short(said)!r}")
    return said


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
