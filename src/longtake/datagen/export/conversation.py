"""A trace as LongVT's training conversation (iMCoTT): think, call ``crop_video``, see, ..., think, answer.

The model's own words are kept but for markup: special tokens and the tags that build the form are taken out of them,
so that every tag in the result was put there here. A call that failed is a turn like any other, with what the tool
said: going on from there is worth learning. What cannot be said in the form is refused with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from ...agents.prompt import letters
from ...agents.replies import without_thinking
from ...clock import frame_label, parse_seconds
from ...errors import RejectedError, SpanError
from ...models.toolcalls import read_tool_calls, render_tool_call, render_tools
from ...types import JSON, Frames, ToolCall, ToolResult, ToolSpec, Trace, Turn
from ..values import Question
from .frame_urls import FrameUrls
from .items import Item
from .marks import MARK, scrubbed

__all__ = ["CROP_VIDEO", "ask_text", "conversation", "problem_text", "system_text", "thought_of"]


def _object(required: str, optional: str = "") -> dict[str, JSON]:
    """The schema of arguments; ``name:type`` each."""
    pairs = [pair.partition(":") for pair in f"{required} {optional}".split()]
    properties: dict[str, JSON] = {name: _LISTS.get(kind, {"type": kind}) for name, _, kind in pairs}
    return {"type": "object", "properties": properties, "required": [p.partition(":")[0] for p in required.split()]}


_LISTS: Mapping[str, dict[str, JSON]] = {"numbers": {"type": "array", "items": {"type": "number"}}}
CROP_VIDEO = ToolSpec(
    "crop_video",
    "Look closely at a part of the video: returns its frames, each with its time.",
    _object("video_path:string start_time:number end_time:number"),
)
_TOOLS: Mapping[str, ToolSpec] = {
    spec.name: spec
    for spec in (
        CROP_VIDEO,
        ToolSpec(
            "search_text",
            "Search the words said or shown in the video; source is where to look, all if left out.",
            _object("query:string", "source:string"),
        ),
        ToolSpec(
            "read_text",
            "Read all words said or shown in a part of the video; source is which words, all if left out.",
            _object("start_time:number end_time:number", "source:string"),
        ),
        ToolSpec(
            "zoom",
            "Look at the picture of one moment in detail; box is left, top, right, bottom from 0 to 1, or left out.",
            _object("time:number", "box:numbers"),
        ),
    )
}
"""LongVT's tool, and those that the `crop` agent offers beside it; times are seconds."""
_INSTRUCTION = (
    "Think first, call a tool where you must look closer, then answer. Write <think>...</think>, then either"
    " <tool_call>...</tool_call> or <answer>...</answer>."
)
_SAID_LAST = re.compile(r"<(answer|abstain|evidence)\b[^>]*>.*?</\1>", re.IGNORECASE | re.DOTALL)

Message = dict[str, JSON]


def system_text(*tools: str) -> str:
    """What the system says: the tools, `crop_video` always."""
    return "You are a helpful assistant.\n\n" + render_tools(
        [spec for name, spec in _TOOLS.items() if name in (CROP_VIDEO.name, *tools)]
    )


def problem_text(question: Question) -> str:
    """The question, and its lettered options on lines after it."""
    lines = [f"{letter}. {option}" for letter, option in letters(question.options)]
    return scrubbed("\n".join([question.question.strip(), *lines]))


def ask_text(item: Item) -> str:
    """What the user says beside the video: the question, how to reply, the path of the video."""
    path = f"The video path for this video is: {item.source.video}"
    return f"{problem_text(item.question)}\n{_INSTRUCTION}\n{path}"


def conversation(item: Item, urls: FrameUrls) -> list[Message]:
    """The messages of an answered trace. Raises `RejectedError` with what does not fit the form."""
    trace = _answered(item)
    opening: list[JSON] = [{"type": "video_url", "video_url": {"url": item.source.video}}, _text(ask_text(item))]
    messages: list[Message] = [
        {"role": "system", "content": [_text(system_text(*(c.name for turn in trace.turns for c in turn.calls)))]},
        {"role": "user", "content": opening},
    ]
    for turn in trace.turns[:-1]:
        messages += _looking(item, turn, urls)
    last = trace.turns[-1]
    messages += _told(last)
    answer = scrubbed(trace.answer.text if trace.answer else "", form=True).strip()
    if not answer:
        raise RejectedError("the answer is empty")
    messages.append({"role": "assistant", "content": [_text(f"{_thinking(last)}<answer>{answer}</answer>")]})
    shown = sum(len(p) for turn in trace.turns for r in turn.results for p in r.content if isinstance(p, Frames))
    _check(messages, shown)
    return messages


def _answered(item: Item) -> Trace:
    trace = item.trace
    if trace is None:
        raise RejectedError("there is no trace; this form needs a recipe with a trace step")
    if trace.answer is None or not trace.turns:
        raise RejectedError(f"the trace has no answer: {trace.stop_reason}")
    return trace


def _looking(item: Item, turn: Turn, urls: FrameUrls) -> list[Message]:
    """A turn that called the tool: what was said and called, and what came back."""
    if turn.error is not None:
        raise RejectedError("a reply of the trace broke the form")
    if not turn.calls or len(turn.calls) != len(turn.results):
        raise RejectedError("a turn of the trace neither calls a tool nor answers")
    calls = "\n".join(render_tool_call(_call(item, call)) for call in turn.calls)
    said: Message = {"role": "assistant", "content": [_text(_thinking(turn) + calls)]}
    return [*_told(turn), said, *(_seen(item, result, urls) for result in turn.results)]


def _told(turn: Turn) -> list[Message]:
    return [{"role": "user", "content": [_text(turn.notice)]}] if turn.notice else []


def _thinking(turn: Turn) -> str:
    thought = thought_of(turn)
    return f"<think>{thought}</think>\n" if thought else ""


def thought_of(turn: Turn) -> str:
    """What the model said beside its calls and its answer, without markup; "" if it said nothing."""
    text = turn.output.text
    said = without_thinking(text)
    outside = _SAID_LAST.sub("", read_tool_calls(said).text)
    return scrubbed(f"{_thought(text, said).strip()}\n{outside.strip()}", form=True).strip()


def _thought(text: str, said: str) -> str:
    """The letters of ``text`` that are blank in ``said``; a space belongs to what stands before it."""
    inside, kept = False, list[str]()
    for letter, left in zip(text, said, strict=True):
        inside = inside if letter == " " else left != letter
        kept.append(letter if inside else "")
    return "".join(kept)


def _call(item: Item, call: ToolCall) -> ToolCall:
    """The call with the exported path, and times as numbers."""
    if call.malformed is not None:
        raise RejectedError("a tool call of the trace is not valid JSON")
    if call.name not in _TOOLS:
        raise RejectedError(f"the trace calls {call.name[:40]!r}; this form knows {', '.join(_TOOLS)}")
    shape = _TOOLS[call.name].parameters
    names, required = cast("dict[str, JSON]", shape["properties"]), cast("list[JSON]", shape["required"])
    given: dict[str, JSON] = {**call.arguments, "video_path": item.source.video}
    # what the schema does not list did nothing
    known = {name: _plain(given[name]) for name in names if name in given}
    try:
        for name in ("start_time", "end_time", "time"):
            if name in known or name in required:
                known[name] = parse_seconds(known.get(name))
    except SpanError as e:
        raise RejectedError("a call of the trace has times that cannot be read") from e
    return ToolCall(call.id, call.name, known)


def _plain(value: JSON) -> JSON:
    return scrubbed(value, form=True) if isinstance(value, str) else value


def _seen(item: Item, result: ToolResult, urls: FrameUrls) -> Message:
    parts: list[JSON] = [_text("<tool_response>\n")]
    if result.error is not None:
        parts.append(_text(_observed(item, result.error)))
    for part in result.content:
        if isinstance(part, str):
            parts.append(_text(_observed(item, part)))
            continue
        for seconds, url in zip(part.seconds.tolist(), urls(item.source, part), strict=True):
            picture: dict[str, JSON] = {"url": url, "width": part.width, "height": part.height}
            parts.append(_text(frame_label(seconds)))
            parts.append({"type": "image_url", "image_url": picture})
    return {"role": "tool", "content": [*parts, _text("\n</tool_response>")]}


def _observed(item: Item, text: str) -> str:
    """What a tool said, without the place where the video lay."""
    uri = item.trace.video.uri if item.trace else ""
    return scrubbed(text.replace(uri, item.source.video) if uri else text, form=True)


def _check(messages: list[Message], num_frames: int) -> None:
    """As many media as placeholders: the parts are the placeholders, so no text may hold one."""
    parts = [cast("Mapping[str, JSON]", p) for m in messages for p in cast("list[JSON]", m["content"])]
    kinds = [part["type"] for part in parts]
    if any(MARK.search(str(part["text"])) for part in parts if part["type"] == "text"):
        raise RejectedError("a placeholder of an image or a video stands in a text")
    if kinds.count("image_url") != num_frames or kinds.count("video_url") != 1:
        raise RejectedError("there are not as many media as the trace showed")


def _text(text: str) -> dict[str, JSON]:
    return {"type": "text", "text": text}
