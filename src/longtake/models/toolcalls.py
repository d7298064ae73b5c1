"""Tool calls as text: reading what a model wrote, tolerantly and typed, and writing it in the form models were taught.

The form is Hermes markup, ``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``, as Qwen and many others use
it. Pure text; nothing written by a model is ever evaluated. A call that cannot be read is not dropped: it becomes a
`ToolCall` with its raw text in ``malformed``, so that the model can be told.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard, cast

from ..types import JSON, ToolCall, ToolSpec

__all__ = [
    "TextCalls",
    "call_id",
    "read_arguments",
    "read_call",
    "read_tool_calls",
    "render_tool_call",
    "render_tools",
    "tool_schema",
    "without_surrogates",
]

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_THINKING = re.compile(r"<(think|thinking|reasoning)>", re.IGNORECASE)
_NAME = re.compile(r'"name"\s*:\s*"([\w.-]{1,64})"')
_ARGUMENT_KEYS = ("arguments", "parameters", "args")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class TextCalls:
    """``text`` is what was said beside the calls (thinking kept), ``calls`` in the order written."""

    text: str
    calls: tuple[ToolCall, ...]


def call_id(index: int) -> str:
    """Id of the ``index``-th call of a conversation. Nine letters and digits, the strictest form servers ask for."""
    return f"call{index:05d}"


def without_surrogates(text: str) -> str:
    """``text`` with U+FFFD for halves of characters (a cut emoji), which no file and no request can hold."""
    return _SURROGATE.sub("\ufffd", text)


def read_tool_calls(text: str, *, first_index: int = 0) -> TextCalls:
    """Every ``<tool_call>`` in ``text`` that is not inside closed thinking; several per reply, closed or not.

    An end that was cut off (``<tool_call>{"na``, or even ``<tool_c``) is a malformed call, never part of the answer.
    ``first_index`` numbers the ids: pass how many calls the conversation already has."""
    text = without_surrogates(text)
    calls = list[ToolCall]()
    said = list[str]()
    for thinking, piece in _split_thinking(text):
        if thinking:
            said.append(piece)
            continue
        before, *bodies = piece.split(_OPEN)
        said.append(before)
        for number, body in enumerate(bodies, 1):
            inside, closed, after = body.partition(_CLOSE)
            if not inside.strip() and not closed and number < len(bodies):
                continue  # the opening said twice
            calls += _read_body(inside, first_index + len(calls))
            said.append(after)
    rest = "".join(said)
    if cut := _cut_opening(rest):
        calls.append(_malformed(cut, first_index + len(calls)))
        rest = rest[: -len(cut)]
    return TextCalls(rest.strip() if calls else text, tuple(calls))


def read_arguments(raw: object) -> Mapping[str, JSON] | None:
    """The arguments of a call as an object: given as one, or as JSON text of one (even encoded twice). Else None.

    None too for what cannot be stored or sent again: numbers beyond float64 or 64 bits, halves of characters."""
    for _ in range(2):
        if not isinstance(raw, str):
            break
        raw = _load(raw) if raw.strip() else {}
    return raw if _is_object(raw) and _is_plain(raw) else None


def render_tool_call(call: ToolCall) -> str:
    """The call in Hermes markup; a malformed one with the text that came."""
    if call.malformed is None:
        body = json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)
        body = body.replace("<", "\\u003c")  # the same JSON, and no tag in it can be taken for one around it
    else:
        body = call.malformed.replace(_OPEN, "").replace(_CLOSE, "").strip()
    return f"{_OPEN}\n{body}\n{_CLOSE}"


def render_tools(tools: Sequence[ToolSpec]) -> str:
    """What stands in the system prompt for models that take tools as text; the wording Qwen models are trained on."""
    lines = "\n".join(json.dumps(tool_schema(tool), ensure_ascii=False) for tool in tools)
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        f"You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{lines}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        f"{_OPEN}{_CLOSE} XML tags:\n"
        f'{_OPEN}\n{{"name": <function-name>, "arguments": <args-json-object>}}\n{_CLOSE}'
    )


def tool_schema(tool: ToolSpec) -> dict[str, JSON]:
    """The tool as chat-completions endpoints take it."""
    function: dict[str, JSON] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


def _split_thinking(text: str) -> Iterator[tuple[bool, str]]:
    """(is it thinking?, piece) in order. A lone ``</think>`` ends thinking that the prompt had opened."""
    _, lone_end, _ = text.rpartition("</think>")
    if lone_end and "<think>" not in text:
        end = text.rindex("</think>") + len("</think>")
        yield True, text[:end]
        yield False, text[end:]
        return
    at = 0
    never_closed = set[str]()
    for match in _THINKING.finditer(text):
        tag = match[1].lower()
        if match.start() < at or tag in never_closed:
            continue
        if end := re.compile(f"</{tag}>", re.IGNORECASE).search(text, match.end()):
            yield False, text[at : match.start()]
            at = end.end()
            yield True, text[match.start() : at]
        else:
            never_closed.add(tag)
    yield False, text[at:]


def _read_body(body: str, index: int) -> list[ToolCall]:
    value = _load(body.strip().removeprefix("```").removeprefix("json"))
    items: list[object] = cast(list[object], value) if isinstance(value, list) and value else [value]
    calls = list[ToolCall]()
    for item in items:
        call = read_call(item, index + len(calls))
        if call is None:
            return [_malformed(body.strip(), index)]
        calls.append(call)
    return calls


def read_call(value: object, index: int = 0) -> ToolCall | None:
    """One call as JSON, ``{"name", "arguments"}`` or inside ``{"function": ...}``; None if it is not one."""
    if _is_object(value) and _is_object(function := value.get("function")):
        value = function
    if not _is_object(value):
        return None
    name = value.get("name")
    arguments = read_arguments(next((value[key] for key in _ARGUMENT_KEYS if key in value), ""))
    if not isinstance(name, str) or not name or not _is_plain(name) or arguments is None:
        return None
    return ToolCall(call_id(index), name, arguments)


def _malformed(raw: str, index: int) -> ToolCall:
    name = _NAME.search(raw)
    return ToolCall(call_id(index), name[1] if name else "", {}, malformed=raw)


def _cut_opening(text: str) -> str:
    """The beginning of ``<tool_call>`` that ``text`` ends with, long enough to be meant; "" if none."""
    for length in range(len(_OPEN) - 1, len("<tool") - 1, -1):
        if text.endswith(_OPEN[:length]):
            return _OPEN[:length]
    return ""


def _load(text: str) -> object:
    """The first JSON value of ``text`` (models append braces and remarks), None if there is none.

    Line breaks inside strings pass; NaN and infinities do not, since they are not JSON."""
    try:
        value, _ = _DECODER.raw_decode(text.strip())
    except (ValueError, RecursionError):
        return None
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)


def _is_plain(value: JSON | Mapping[str, JSON], depth: int = 0) -> bool:
    """Whether every reader and writer of JSON takes ``value``; Python's own takes more than the others."""
    match value:
        case str():
            return not _SURROGATE.search(value)
        case int():
            return -(1 << 63) <= value < 1 << 64
        case float():
            return math.isfinite(value)
        case list():
            return depth < _MAX_DEPTH and all(_is_plain(item, depth + 1) for item in value)
        case Mapping():
            parts = (part for pair in value.items() for part in pair)
            return depth < _MAX_DEPTH and all(_is_plain(part, depth + 1) for part in parts)
        case None:
            return True


def _is_object(value: object) -> TypeGuard[Mapping[str, JSON]]:
    return isinstance(value, dict)
