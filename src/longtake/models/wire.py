"""Messages in the chat-completions wire format: the request. `reply` reads what comes back. No network, no retries.

What servers differ in is a setting: where the frames of a tool result go, and whether tools travel in fields of their
own or as text. Frames go as JPEG, each after its time label.

Reasoning that came in a field of its own (see `reply`) is not sent back. Thinking that a model wrote in its text is
part of the text and goes back with it: chat templates decide what to keep of it, and models trained with tools
expect to see it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from ..clock import frame_label
from ..errors import ConfigError, ModelRequestError
from ..types import JSON, Frames, GenerateConfig, Message, Part, ToolCall, ToolSpec
from .pixels import data_urls
from .prices import Price
from .toolcalls import read_tool_calls, render_tool_call, render_tools, tool_schema

__all__ = ["EndpointOptions", "write_request"]

_BAD_NAME = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """How to talk to one endpoint.

    ``tool_style``: ``native`` fields, or ``hermes`` text for servers that take no tools. ``tool_images``: frames of a
    tool result in the ``tool`` message itself (vLLM) or in a ``user`` message after it (works everywhere).
    ``extra`` is merged into each request; None in it, or ``{}`` (TOML has no None), takes a field out. ``prices``: by
    prefix of the model's name; None reads the table that ``$LONGTAKE_PRICES`` names. ``timeout_seconds`` bounds one
    attempt, ``idle_seconds`` a reply that has begun and stalls. ``max_in_flight`` bounds the calls at once; fewer go
    while the endpoint refuses many. ``max_requests_per_minute`` and ``max_tokens_per_minute`` (input and output, as
    the replies count them) keep an even pace below an account's limits, and should be a little below them. Each holds
    for one `OpenAIModel`."""

    tool_style: Literal["native", "hermes"] = "native"
    tool_images: Literal["user", "tool"] = "user"
    jpeg_quality: int = 85
    max_side: int | None = None
    extra: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    prices: Mapping[str, Price] | None = None
    timeout_seconds: float = 600.0
    idle_seconds: float = 120.0
    max_in_flight: int = 256
    max_attempts: int = 6
    max_requests_per_minute: int | None = None
    max_tokens_per_minute: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.jpeg_quality <= 100:
            raise ConfigError(f"jpeg_quality is from 1 to 100, got {self.jpeg_quality}")
        for name in (each.name for each in fields(self) if each.name.startswith(("max_", "timeout_", "idle_"))):
            value: float | None = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} is more than 0, got {value}")

    @classmethod
    def read(cls, values: Mapping[str, JSON]) -> EndpointOptions:
        """From a table of settings. Raises `ConfigError` for a name or a value that is wrong."""
        known = [each.name for each in fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise ConfigError(f"an endpoint has no option {', '.join(unknown)}; it has {', '.join(known)}")
        try:
            return TypeAdapter(cls).validate_python(dict(values))
        except ValidationError as e:
            raise ConfigError(f"options of an endpoint: {e}") from e


async def write_request(
    model: str,
    messages: Sequence[Message],
    tools: Sequence[ToolSpec],
    config: GenerateConfig,
    options: EndpointOptions,
) -> dict[str, Any]:
    """The body of a ``/chat/completions`` request.

    ``config.stop`` stays here: servers leave the stop string out of the reply, and most do not say which one it was.
    Raises `ModelRequestError` for a conversation no server takes, `StoreError` for frames without pixels."""
    hermes = options.tool_style == "hermes"
    _check(messages, hermes)
    urls = {
        id(part): await data_urls(part, quality=options.jpeg_quality, max_side=options.max_side)
        for message in messages
        for part in message.content
        if isinstance(part, Frames)
    }
    pen = _Pen(urls, options.tool_images)
    body: dict[str, Any] = {
        "model": model,
        "messages": _as_text(messages, tools, pen) if hermes else _native(messages, pen),
        "temperature": config.temperature,
        "max_tokens": config.max_tokens,
    }
    if config.seed is not None:
        body["seed"] = config.seed
    if tools and not hermes:
        body["tools"] = [tool_schema(tool) for tool in tools]
    body |= options.extra
    return {name: value for name, value in body.items() if value is not None and value != {}}


@dataclass(frozen=True, slots=True)
class _Pen:
    """Writes content: ``urls`` by id of the `Frames`, one per frame."""

    urls: Mapping[int, Sequence[str]]
    tool_images: Literal["user", "tool"]

    def content(self, parts: Sequence[Part]) -> str | list[dict[str, Any]]:
        """Plain text where there are no frames, since every server reads that."""
        if not any(isinstance(part, Frames) for part in parts):
            return "".join(part for part in parts if isinstance(part, str))
        return [written for part in parts for written in self._part(part)]

    def _part(self, part: Part) -> Iterator[dict[str, Any]]:
        if isinstance(part, str):
            if part:
                yield {"type": "text", "text": part}
            return
        for seconds, url in zip(part.seconds, self.urls[id(part)], strict=True):
            yield {"type": "text", "text": frame_label(float(seconds))}
            yield {"type": "image_url", "image_url": {"url": url}}


def _native(messages: Sequence[Message], pen: _Pen) -> list[dict[str, Any]]:
    written = list[dict[str, Any]]()
    shown_later = list[Part]()
    for message in messages:
        if message.role != "tool" and shown_later:
            written.append({"role": "user", "content": pen.content(shown_later)})
            shown_later = []
        match message.role:
            case "assistant":
                written.append(_native_assistant(message))
            case "tool":
                content: Sequence[Part] = message.content
                if pen.tool_images == "user" and message.num_frames:
                    shown_later += [f"Frames returned by tool call {message.tool_call_id}:", *content]
                    content = [message.text, "\n(the frames are in the next user message)"]
                written.append({"role": "tool", "tool_call_id": message.tool_call_id, "content": pen.content(content)})
            case _:
                written.append({"role": message.role, "content": pen.content(message.content)})
    if shown_later:
        written.append({"role": "user", "content": pen.content(shown_later)})
    return written


def _native_assistant(message: Message) -> dict[str, Any]:
    text = _said(message)
    if not message.tool_calls:
        return {"role": "assistant", "content": text}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {
                "name": _BAD_NAME.sub("_", call.name)[:64] or "unknown",
                # A malformed call goes back empty: servers parse this field and some die of bad JSON.
                "arguments": json.dumps(dict(call.arguments), ensure_ascii=False),
            },
        }
        for call in message.tool_calls
    ]
    return {"role": "assistant", "content": read_tool_calls(text).text, "tool_calls": calls}


def _as_text(messages: Sequence[Message], tools: Sequence[ToolSpec], pen: _Pen) -> list[dict[str, Any]]:
    """Tools in the system prompt, calls in the text, results of one turn together in a user message."""
    system = [message.text for message in messages if message.role == "system"]
    if tools:
        system.append(render_tools(tools))
    written = list[dict[str, Any]]()
    if system:
        written.append({"role": "system", "content": "\n\n".join(system)})
    results = list[Part]()
    for message in messages:
        if message.role == "tool":
            results += [
                "\n<tool_response>\n" if results else "<tool_response>\n",
                *message.content,
                "\n</tool_response>",
            ]
            continue
        if results:
            written.append({"role": "user", "content": pen.content(results)})
            results = []
        if message.role == "assistant":
            written.append({"role": "assistant", "content": _with_markup(_said(message), message.tool_calls)})
        elif message.role == "user":
            written.append({"role": "user", "content": pen.content(message.content)})
    if results:
        written.append({"role": "user", "content": pen.content(results)})
    return written


def _with_markup(text: str, calls: Sequence[ToolCall]) -> str:
    """``text`` with ``calls`` in it, as it came if the model itself wrote them as text."""
    if not calls or len(read_tool_calls(text).calls) == len(calls):
        return text
    return "\n".join([*([text] if text else []), *map(render_tool_call, calls)])


def _said(message: Message) -> str:
    """The text without reasoning that came in a field of its own, which is a part of its own."""
    first, *rest = message.content or ("",)
    if rest and isinstance(first, str) and first.startswith("<think>") and first.rstrip().endswith("</think>"):
        return "".join(part for part in rest if isinstance(part, str))
    return message.text


def _check(messages: Sequence[Message], hermes: bool) -> None:
    """Says which message is wrong here rather than let each server say it in its own words."""
    open_calls = list[str]()
    for number, message in enumerate(messages, 1):
        if message.num_frames and message.role in ("system", "assistant"):
            raise ModelRequestError(
                f"message {number} ({message.role}) holds frames; put them in a user or tool message"
            )
        if message.role == "tool" and not hermes:
            if message.tool_call_id not in open_calls:
                raise ModelRequestError(
                    f"message {number} answers the tool call {message.tool_call_id!r}, which no message before it makes"
                )
            open_calls.remove(message.tool_call_id)
        elif open_calls:
            break
        if message.role == "assistant" and not hermes:
            open_calls = [call.id for call in message.tool_calls]
    if open_calls:
        raise ModelRequestError(
            f"no tool message answers the tool calls {', '.join(open_calls)}; add one for each, or drop the calls"
        )
