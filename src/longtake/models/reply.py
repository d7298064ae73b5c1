"""Reading a chat-completions reply. No network; nothing that went wrong is ever returned as text.

Reasoning that comes in a field of its own becomes a first content part ``<think>...</think>``, so that it is in the
trace. Tool calls come from their own field, else from Hermes markup in the text if tools were offered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import orjson

from ..errors import ModelReplyError
from ..types import Message, ModelOutput, Tokens, ToolCall, Usage
from .prices import Price, cost_usd
from .toolcalls import call_id, read_arguments, read_tool_calls, without_surrogates

__all__ = ["Asked", "read_reply"]

_Stop: TypeAlias = Literal["stop", "length", "tool_calls", "refused"]
_STOPS: dict[str, _Stop] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refused",
    "refusal": "refused",
    "safety": "refused",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What reading the reply needs to know of the request. ``num_calls``: tool calls the conversation already has."""

    model: str
    has_tools: bool
    num_calls: int
    prices: Mapping[str, Price]


def read_reply(body: bytes, asked: Asked) -> ModelOutput:
    """The reply in ``body``. Raises `ModelReplyError` for anything that is not a complete answer of the protocol."""
    reply = _load(body)
    choice = _object(next(iter(_list(reply.get("choices"))), None))
    message = _object(choice.get("message"))
    if not message:
        raise ModelReplyError(f"the reply of {asked.model} holds no message but {body[:200].decode(errors='replace')}")
    text, stop = _text(message.get("content")), _stop(choice.get("finish_reason"), asked.model)
    calls = _native_calls(message.get("tool_calls"), asked.num_calls)
    if not calls and asked.has_tools:
        calls = read_tool_calls(text, first_index=asked.num_calls).calls
    if refusal := _text(message.get("refusal")):
        text, stop = text or refusal, "refused"
    if not text.strip() and not calls and stop in ("stop", "tool_calls"):
        raise ModelReplyError(f"{asked.model} replied with neither text nor tool calls")
    if stop in ("stop", "tool_calls"):
        stop = "tool_calls" if calls else "stop"
    reasoning = _text(message.get("reasoning_content") or message.get("reasoning"))
    content = (f"<think>\n{reasoning.strip()}\n</think>\n\n", text) if reasoning.strip() else (text,) if text else ()
    return ModelOutput(
        Message("assistant", content, calls),
        _text(reply.get("model")) or asked.model,
        stop,
        _usage(reply.get("usage"), asked),
        _tokens(choice),
    )


def _load(body: bytes) -> Mapping[str, Any]:
    """The reply as an object. A strict reader refuses all of it for one odd value in it (half an emoji, 1e400) that
    the model wrote; the lenient one passes such values on to where they are judged."""
    try:
        return _object(orjson.loads(body))
    except orjson.JSONDecodeError as e:
        try:
            return _object(json.loads(body, parse_int=_integer, parse_constant=_no_constant))
        except (ValueError, RecursionError):
            raise ModelReplyError(f"the reply is not JSON ({e}); it begins {body[:80]!r}") from e


def _integer(digits: str) -> int | float:
    """A float where 64 bits may not hold it, as the strict reader gives."""
    return int(digits) if len(digits) < 20 else float(digits)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _text(content: Any) -> str:
    """Text given as a string or as a list of text parts, safe to store."""
    if isinstance(content, list):
        return "".join(_text(_object(part).get("text")) for part in _list(content))
    return without_surrogates(content) if isinstance(content, str) else ""


def _stop(reason: object, model: str) -> _Stop:
    """An unknown reason is an error, as is none: the server may mean that the reply was aborted."""
    stop = _STOPS.get(reason.lower()) if isinstance(reason, str) else None
    if stop is None:
        raise ModelReplyError(
            f"{model} ended its reply with finish_reason {reason!r}; a complete one ends with {', '.join(_STOPS)}"
        )
    return stop


def _native_calls(value: object, num_calls: int) -> tuple[ToolCall, ...]:
    calls = list[ToolCall]()
    for item in _list(value):
        given = _object(item)
        function = _object(given.get("function"))
        name, id_, raw = _text(function.get("name")), _text(given.get("id")), function.get("arguments")
        if not id_ or any(call.id == id_ for call in calls):
            id_ = call_id(num_calls + len(calls))
        arguments = read_arguments("" if raw is None else raw)
        if name and "\ufffd" not in name and arguments is not None:
            calls.append(ToolCall(id_, name, arguments))
        else:
            calls.append(ToolCall(id_, name, {}, malformed=_raw(raw)))
    return tuple(calls)


def _raw(arguments: Any) -> str:
    """Arguments that could not be read, as text to be shown."""
    if isinstance(arguments, str):
        return without_surrogates(arguments)
    try:
        return json.dumps(arguments)
    except RecursionError:
        return "(nested too deep to be shown)"


def _usage(value: object, asked: Asked) -> Usage:
    """Without a count from the server the tokens are 0 and the cost is unknown. Some servers state the cost."""
    counts = _object(value)
    num_input, num_output, stated = counts.get("prompt_tokens"), counts.get("completion_tokens"), counts.get("cost")
    if not isinstance(num_input, int) or not isinstance(num_output, int):
        return Usage(num_calls=1, cost_usd=None)
    cost = cost_usd(asked.prices, asked.model, num_input, num_output)
    if cost is None and isinstance(stated, int | float) and not isinstance(stated, bool) and math.isfinite(stated):
        cost = float(stated)
    return Usage(1, num_input, num_output, cost_usd=cost)


def _tokens(choice: Mapping[str, Any]) -> Tokens | None:
    """Ids and log-probabilities, for servers asked for both (vLLM: ``logprobs`` and ``return_token_ids`` in extra)."""
    ids = [token for token in _list(choice.get("token_ids")) if isinstance(token, int)]
    entries = [_object(entry).get("logprob") for entry in _list(_object(choice.get("logprobs")).get("content"))]
    logprobs = [float(value) for value in entries if isinstance(value, int | float) and math.isfinite(value)]
    return Tokens(tuple(ids), tuple(logprobs)) if ids and len(ids) == len(logprobs) else None


def _object(value: Any) -> Mapping[str, Any]:
    """``value`` if it is a JSON object, else an empty one."""
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[object]:
    return cast(list[object], value) if isinstance(value, list) else []
