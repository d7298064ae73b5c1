"""Tools an agent may offer, each made for one video. A worker agent is a tool like any other.

Arguments are what a model wrote: every one is checked, a refusal is a `ToolError` or `SpanError` that says what to
send instead. No tool opens a file that a model names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from ..clock import clock, parse_seconds, span_label
from ..errors import ToolError
from ..types import (
    JSON,
    Box,
    Cue,
    Evidence,
    GenerateConfig,
    Message,
    Model,
    Source,
    TimeSpan,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from ..video.decode import Video
from ..video.sample import by_fps
from ..video.text import TimedText
from .loop import Tool

__all__ = ["argument", "ask_model", "crop_video", "cue_lines", "read_text", "schema", "search_text", "zoom"]

T = TypeVar("T")
READ_FPS, READ_MAX_FRAMES, READ_ANEW_SECONDS = 0.5, 16, 32.0
MAX_LINES = 200


def crop_video(video: Video, *, fps: float, max_frames: int, max_pixels: int) -> Tool:
    """``crop_video(start_time, end_time)``: frames of that span, each with its time.

    LongVT's schema: ``video_path`` is accepted and ignored, since there is one video. A span past the end is cut."""
    times: dict[str, JSON] = {
        "video_path": {"type": "string", "description": "The path of the video; may be left out."},
        "start_time": {"type": "number", "description": "Start in seconds."},
        "end_time": {"type": "number", "description": "End in seconds, larger than start_time."},
    }
    spec = ToolSpec(
        "crop_video",
        f"Look closely at a part of the video: returns its frames at {fps:g} per second, each with its time.",
        schema(times, required=["start_time", "end_time"]),
    )

    async def run(call: ToolCall) -> ToolResult:
        span, note = _clamped(video, _span(call))
        frames = await asyncio.to_thread(video.frames_in, span, fps=fps, max_frames=max_frames, max_pixels=max_pixels)
        head = f"{len(frames)} frames of {span_label(span)}{note}:"
        looked = Evidence(span, "", "frames")
        return ToolResult(call.id, (head, frames), Usage(num_frames=len(frames)), evidence=(looked,))

    return Tool(spec, run)


def search_text(text: TimedText, *, limit: int = 8) -> Tool:
    """``search_text(query, source)``: the best matching lines of timed text with their times."""
    available = text.sources()
    spec = ToolSpec(
        "search_text",
        "Search the words of the video: what is said (subtitles, speech) and what is written in the picture (screen). "
        "Returns the best matching lines with their times.",
        schema(
            {
                "query": {"type": "string", "description": "Words to look for."},
                "source": {"type": "string", "enum": list(available), "description": "Where to look; all if left out."},
            },
            required=["query"],
        ),
    )

    async def run(call: ToolCall) -> ToolResult:
        query = _text(call, "query")
        sources = _sources(call, available)
        hits = await _reading(text, lambda: text.search(query, sources=sources, limit=limit))
        cues = [hit.cue for hit in hits]
        empty = f"nothing in {', '.join(sources) or 'this video, which has no timed text'} matches {query!r}"
        return ToolResult(call.id, ((cue_lines(cues) or empty) + _notes(text),), evidence=_evidence(cues))

    return Tool(spec, run)


def read_text(video: Video, text: TimedText) -> Tool:
    """``read_text(start_time, end_time)``: every line said or shown in a span, in order.

    In a short span the picture is read anew, finely; in a long one the words found in one pass over the scenes do."""
    available = text.sources()
    spec = ToolSpec(
        "read_text",
        "Read all words of a part of the video: subtitles, speech, and what is written in the picture.",
        schema(
            {
                "start_time": {"type": "number", "description": "Start in seconds."},
                "end_time": {"type": "number", "description": "End in seconds, larger than start_time."},
                "source": {"type": "string", "enum": list(available), "description": "Which words; all if left out."},
            },
            required=["start_time", "end_time"],
        ),
    )

    def read(span: TimeSpan, sources: Sequence[Source]) -> tuple[list[Cue], int]:
        if "screen" not in sources or span.duration > READ_ANEW_SECONDS:
            return list(text.cues_in(span, sources)), 0
        moments = by_fps(span, READ_FPS, READ_MAX_FRAMES)
        said: list[Source] = [source for source in sources if source != "screen"]
        cues = [*text.cues_in(span, said), *text.read_screen(moments)]
        return sorted(cues, key=lambda cue: cue.span), len(moments)

    async def run(call: ToolCall) -> ToolResult:
        span, note = _clamped(video, _span(call))
        sources = _sources(call, available)
        cues, num_frames = await _reading(text, lambda: read(span, sources))
        more = f"\n... {len(cues) - MAX_LINES} more lines; ask for a shorter span" if len(cues) > MAX_LINES else ""
        cues = cues[:MAX_LINES]
        lines = cue_lines(cues) or f"no words in {span_label(span)}"
        words = lines + more + note + _notes(text)
        return ToolResult(call.id, (words,), Usage(num_frames=num_frames), evidence=_evidence(cues))

    return Tool(spec, run)


def zoom(video: Video, *, max_pixels: int) -> Tool:
    """``zoom(time, box)``: one frame, or a region of it, in detail."""
    spec = ToolSpec(
        "zoom",
        "Look at one moment in detail, or at a region of the picture.",
        schema(
            {
                "time": {"type": "number", "description": "Seconds."},
                "box": {
                    "type": "array",
                    "items": {"type": "number"},
                    "minItems": 4,
                    "maxItems": 4,
                    "description": "left, top, right, bottom as fractions from 0 to 1; the whole picture if left out.",
                },
            },
            required=["time"],
        ),
    )

    async def run(call: ToolCall) -> ToolResult:
        seconds = parse_seconds(argument(call, "time"))
        box = _box(call)
        frames = await asyncio.to_thread(video.frames_at, [seconds], max_pixels=max_pixels, box=box)
        shown = TimeSpan(float(frames.seconds[0]), float(frames.seconds[0]) + 1 / max(video.info.average_fps, 1.0))
        looked = Evidence(shown, "", "frames")
        head = f"The picture shown at {clock(seconds)}:"
        return ToolResult(call.id, (head, frames), Usage(num_frames=1), evidence=(looked,))

    return Tool(spec, run)


def ask_model(
    spec: ToolSpec,
    model: Model,
    prepare: Callable[[ToolCall], Awaitable[Sequence[Message]]],
    finish: Callable[[ToolCall, str], Awaitable[ToolResult]],
) -> Tool:
    """A worker agent as a tool: ``prepare`` writes what the worker sees, ``finish`` reads what it said.

    The worker's cost and the frames it saw are added to the result's. Raises the worker's `ModelError`."""

    async def run(call: ToolCall) -> ToolResult:
        messages = await prepare(call)
        output = await model.generate(messages, tools=(), config=GenerateConfig())
        result = await finish(call, output.text)
        seen = Usage(num_frames=sum(message.num_frames for message in messages))
        return ToolResult(
            result.call_id, result.content, result.usage + output.usage + seen, result.error, result.evidence
        )

    return Tool(spec, run)


def cue_lines(cues: Sequence[Cue]) -> str:
    """One line a cue: ``[00:01:02.0 - 00:01:05.5 | 62.0 - 65.5 s] subtitles: text``."""
    return "\n".join(f"{span_label(cue.span)} {cue.source}: {' / '.join(cue.text.splitlines())}" for cue in cues)


# ------------------------------------------------------------------------------------------------- arguments


def schema(properties: Mapping[str, JSON], *, required: Sequence[str]) -> dict[str, JSON]:
    """The JSON schema of a tool's arguments."""
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def argument(call: ToolCall, name: str) -> JSON:
    """The argument ``name``; raises `ToolError` when the model left it out."""
    if name not in call.arguments:
        raise ToolError(f"{call.name} needs {name!r}, got {sorted(call.arguments) or 'no arguments'}")
    return call.arguments[name]


def _text(call: ToolCall, name: str) -> str:
    value = argument(call, name)
    if not isinstance(value, str) or not value.strip():
        raise ToolError(f"{call.name} needs {name!r} as text, got {value!r}")
    return value.strip()


def _span(call: ToolCall) -> TimeSpan:
    return TimeSpan(parse_seconds(argument(call, "start_time")), parse_seconds(argument(call, "end_time")))


def _clamped(video: Video, span: TimeSpan) -> tuple[TimeSpan, str]:
    """The part of ``span`` inside the video, and a note when something was cut off."""
    inside = video.clamp(span)
    return inside, f" (the video ends at {video.info.duration_seconds:.1f} s)" if inside != span else ""


def _sources(call: ToolCall, available: Sequence[Source]) -> tuple[Source, ...]:
    wanted = call.arguments.get("source")
    if wanted in (None, "", "all"):
        return tuple(available)
    chosen: list[Source] = [source for source in available if source == wanted]
    if not chosen:
        raise ToolError(f"{call.name}: source is one of {', '.join(available) or 'none here'}, got {wanted!r}")
    return tuple(chosen)


def _box(call: ToolCall) -> Box | None:
    value = call.arguments.get("box")
    if value is None:
        return None
    numbers = [float(v) for v in value if isinstance(v, float) or v in (0, 1)] if isinstance(value, list) else []
    if not isinstance(value, list) or not len(numbers) == len(value) == 4:
        raise ToolError(f"zoom needs box as [left, top, right, bottom] with fractions from 0 to 1, got {value!r}")
    return Box(*numbers)


async def _reading(text: TimedText, read: Callable[[], T]) -> T:
    """``read()`` on a thread; when the run is cancelled, what is being recognised stops too."""
    try:
        return await asyncio.to_thread(read)
    except asyncio.CancelledError:
        text.stop()
        raise


def _notes(text: TimedText) -> str:
    """What could not be read: a model must not take it for nothing being there."""
    return "".join(f"\nNote: {warning}" for warning in text.warnings)


def _evidence(cues: Sequence[Cue]) -> tuple[Evidence, ...]:
    return tuple(Evidence(cue.span, cue.text, cue.source) for cue in cues)
