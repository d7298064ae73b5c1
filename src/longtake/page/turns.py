"""Turns of a trace as a page shows them: short words, frames counted and not shown."""

from __future__ import annotations

import orjson

from ..types import JSON, Frames, ToolCall, ToolResult, Turn

__all__ = ["cut", "turn_json"]


def turn_json(turn: Turn, *, length: int, result_length: int) -> dict[str, JSON]:
    """What ``turn`` of the script that pages share reads. ``length`` bounds the letters of what the model wrote,
    ``result_length`` those of a call and of what came back."""
    return {
        "text": cut(turn.output.text, length),
        "calls": [_call(call, result_length) for call in turn.calls],
        "results": [_result(result, result_length) for result in turn.results],
        "error": None if turn.error is None else cut(turn.error, result_length),
    }


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + " …"


def _call(call: ToolCall, length: int) -> JSON:
    arguments = dict(call.arguments)
    written = orjson.dumps(arguments).decode()
    return {"name": call.name, "arguments": arguments if len(written) <= length else {"": cut(written, length)}}


def _result(result: ToolResult, length: int) -> str:
    if result.error is not None:
        return "refused: " + cut(result.error, length)
    parts = list[str]()
    for part in result.content:
        if not isinstance(part, Frames):
            parts.append(part)
        elif len(part):
            parts.append(f"[{len(part)} frames from {part.seconds[0]:.1f} to {part.seconds[-1]:.1f} s]")
    return cut(" ".join(parts), length)
