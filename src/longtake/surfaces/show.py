"""What a person sees of a run on a terminal: live lines while it goes, then the answer, its evidence and its cost."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from ..agents.loop import Event
from ..agents.prompt import letters
from ..clock import clock
from ..media import VideoInfo
from ..types import JSON, Evidence, Frames, ToolCall, ToolResult, Trace

__all__ = ["LiveRun", "answer_json", "answer_text", "cost_line", "describe_video", "plural", "print_answer"]

_ARGUMENT_LENGTH = 80
_QUOTE_LENGTH = 160
_LOG_SECONDS = 5.0


class LiveRun:
    """Prints a line for every step of a run as it happens (an ``on_event`` of the loop)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._said_at = time.monotonic()

    @contextmanager
    def showing(self) -> Generator[LiveRun]:
        """Slow steps report by logging: to a spinner on a terminal, as a line every few seconds in a log."""
        handler = _StatusHandler(self)
        logger = logging.getLogger("longtake")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            with self._console.status("opening the video") as self._status:
                yield self
        finally:
            self._status = None
            logger.setLevel(level)
            logger.removeHandler(handler)

    def say(self, doing: str) -> None:
        if self._status is not None and self._console.is_terminal:
            self._status.update(escape(doing))
        elif time.monotonic() - self._said_at > _LOG_SECONDS:
            self._line(escape(doing))

    def __call__(self, event: Event) -> None:
        turn = len(event.trace.turns)
        if event.kind == "opening":
            self._line(f"[bold]{escape(describe_video(event.trace.video))}[/]")
            for warning in event.trace.video.warnings:
                self._line(f"[yellow]warning: {escape(warning)}[/]")
            if frames := event.trace.usage.num_frames:
                self._line(f"overview  {plural(frames, 'frame')}")
        elif event.kind == "asking" and event.trace.model != "reader":
            asking = f"turn {turn + 1}  asking {event.trace.model}"
            self.say(asking) if self._console.is_terminal else self._line(escape(asking))
        elif event.kind == "calling" and event.call is not None:
            self.say(f"turn {turn}: {_call(event.call)}")
        elif event.kind == "returned" and event.call is not None and event.result is not None:
            self._line(f"turn {turn}  {escape(_call(event.call))}  [dim]{escape(_result(event.result))}[/]")
        elif event.kind == "turn" and event.trace.turns and event.trace.turns[-1].error:
            self._line(f"turn {turn}  [yellow]{escape(_short(event.trace.turns[-1].error, _QUOTE_LENGTH))}[/]")

    def _line(self, markup: str) -> None:
        self._said_at = time.monotonic()
        self._console.print(markup, soft_wrap=True)


class _StatusHandler(logging.Handler):
    """Hands what the library logs to the person who waits."""

    def __init__(self, live: LiveRun) -> None:
        super().__init__(logging.INFO)
        self._live = live

    def emit(self, record: logging.LogRecord) -> None:
        self._live.say(record.getMessage())


def describe_video(info: VideoInfo) -> str:
    frames = f"{num_frames(info):,} frames" if info.num_frames else f"{info.average_fps:.5g} frames a second"
    tracks = f", {plural(len(info.subtitle_tracks), 'subtitle track')}" if info.subtitle_tracks else ""
    return f"{info.uri}  {clock(info.duration_seconds)}, {info.width}x{info.height}, {frames}{tracks}"


def num_frames(info: VideoInfo) -> int:
    """Frames in the video: as its header counts them, but of a truncated file only those that are there."""
    shown = round(info.duration_seconds * info.average_fps)
    return min(info.num_frames or shown, shown)


def answer_text(trace: Trace) -> str:
    """The answer as a person reads it: a letter is followed by its option."""
    if trace.answer is None:
        return ""
    options = dict(letters(trace.sample.choices))
    letter = _letter(trace.answer.text)
    return f"{letter}. {options[letter]}" if letter in options else trace.answer.text


def _letter(answer: str) -> str:
    return answer.strip().rstrip(".:)").lstrip("(")


def print_answer(trace: Trace, console: Console) -> None:
    """The answer with its evidence, or why there is none."""
    if trace.answer is None:
        word = "no answer" if trace.stop_reason == "abstained" else "failed"
        console.print(f"[bold red]{word}[/]  {escape(trace.error or '')}", soft_wrap=True)
    else:
        console.print(f"[bold green]answer[/]  {escape(answer_text(trace))}", soft_wrap=True)
    for evidence in trace.evidence:
        console.print(f"  {escape(_evidence(evidence))}", soft_wrap=True)
    for warning in trace.video.warnings:
        console.print(f"  [yellow]note: {escape(warning)}[/]", soft_wrap=True)


def cost_line(trace: Trace) -> str:
    """Frames looked at of frames in the video, turns, seconds, tokens, money: one line."""
    usage, info = trace.usage, trace.video
    about = "" if info.num_frames else "about "
    tokens = f"{usage.input_tokens + usage.output_tokens:,} tokens"
    money = "price unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    if trace.turns and all(turn.output.cached for turn in trace.turns):
        tokens = "replies from the cache"
    looked = f"looked at {usage.num_frames:,} of {about}{num_frames(info):,} frames"
    return f"{looked} · {plural(len(trace.turns), 'turn')} · {trace.timings.total_seconds:.1f} s · {tokens} · {money}"


def answer_json(trace: Trace, trace_path: str | None) -> dict[str, Any]:
    """The object that ``--json`` prints."""
    spans: list[dict[str, JSON]] = [
        {"start": e.span.start, "end": e.span.end, "quote": e.quote, "source": e.source} for e in trace.evidence
    ]
    usage, timings = trace.usage, trace.timings
    options = dict(letters(trace.sample.choices))
    return {
        "answer": trace.answer.text if trace.answer else None,
        "choice": options.get(_letter(trace.answer.text)) if trace.answer else None,
        "spans": spans,
        "stop_reason": trace.stop_reason,
        "error": trace.error,
        "warnings": list(trace.video.warnings),
        "agent": trace.agent,
        "model": trace.model,
        "usage": {
            "num_turns": len(trace.turns),
            "num_calls": usage.num_calls,
            "num_frames": usage.num_frames,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd": usage.cost_usd,
        },
        "timings": {
            "total_seconds": timings.total_seconds,
            "model_seconds": timings.model_seconds,
            "tool_seconds": timings.tool_seconds,
        },
        "trace": trace_path,
    }


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _evidence(evidence: Evidence) -> str:
    span = f"{clock(evidence.span.start)} - {clock(evidence.span.end)}"
    quote = f'  "{_short(evidence.quote, _QUOTE_LENGTH)}"' if evidence.quote else ""
    return f"{span}  {evidence.source}{quote}"


def _call(call: ToolCall) -> str:
    if call.malformed is not None:
        return f"{call.name or 'tool call'} (malformed)"
    arguments = ", ".join(_short(_value(name, value), _ARGUMENT_LENGTH) for name, value in call.arguments.items())
    return f"{call.name}({arguments})"


def _value(name: str, value: JSON) -> str:
    if name.endswith("time") and isinstance(value, int | float) and 0 <= value < 1e9:
        return f"{name.removesuffix('_time')} {clock(value)}"
    return f'"{value}"' if isinstance(value, str) else f"{name} {value}"


def _result(result: ToolResult) -> str:
    if result.error:
        return f"refused: {_short(result.error, _QUOTE_LENGTH)}"
    frames = sum(len(part) for part in result.content if isinstance(part, Frames))
    lines = sum(len(part.splitlines()) for part in result.content if isinstance(part, str))
    return f"{plural(frames, 'frame') if frames else plural(lines, 'line')} in {result.seconds:.1f} s"


def _short(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"
