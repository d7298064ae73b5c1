"""The only agent loop: ask the model, run the tools it calls, stop at an answer.

It owns the order of things and the `Trace`. It knows no prompt, no tag and no tool by name: the `Agent` does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from ..errors import FormatError, ModelError, ToolError, VideoError
from ..types import (
    JSON,
    Abstention,
    Answer,
    Evidence,
    Frames,
    GenerateConfig,
    Message,
    Model,
    ModelOutput,
    Sample,
    StopReason,
    TimeSpan,
    Timings,
    ToolCall,
    ToolResult,
    ToolSpec,
    Trace,
    Turn,
)
from ..video.decode import Video
from ..video.text import TimedText
from .replies import without_thinking

__all__ = ["Action", "Agent", "Event", "OnEvent", "Tool", "already", "conversation", "run"]

MAX_FORMAT_ERRORS = 2
"""A model that breaks the form more often than this in one run will not mend itself."""


@dataclass(frozen=True, slots=True)
class Tool:
    """``run`` raises `ToolError`, or `VideoError`, with a message the model can act on."""

    spec: ToolSpec
    run: Callable[[ToolCall], Awaitable[ToolResult]]


Action: TypeAlias = Answer | Abstention | tuple[ToolCall, ...]


class Agent(Protocol):
    """A protocol of conversation. It holds no loop, no client and no state of a run.

    ``bind`` makes the tools for one run; it and ``opening`` see a sample without gold; ``parse`` raises `FormatError`;
    ``last_call`` is what the model is told before its last turn, "" for nothing; ``config`` is stored in the trace.
    A reply is cut after the first of the ``stop`` strings. ``native_tools`` says whether calls travel as the
    model's own tool calls or as text.
    """

    @property
    def name(self) -> str: ...
    @property
    def max_turns(self) -> int: ...
    @property
    def native_tools(self) -> bool: ...
    @property
    def stop(self) -> tuple[str, ...]: ...
    @property
    def last_call(self) -> str: ...
    @property
    def config(self) -> Mapping[str, JSON]: ...
    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]: ...
    def opening(self, sample: Sample, video: Video) -> Sequence[Message]: ...
    def parse(self, output: ModelOutput) -> Action: ...


EventKind: TypeAlias = Literal["opening", "asking", "replied", "calling", "returned", "turn", "finished"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened; ``trace`` is the run so far, ``call`` and ``result`` belong to tool events."""

    kind: EventKind
    trace: Trace
    call: ToolCall | None = None
    result: ToolResult | None = None


OnEvent: TypeAlias = Callable[[Event], None]


class OpenVideo(Protocol):
    def __call__(self, uri: str, *, subtitles: str | None) -> Video: ...


def already(video: Video) -> OpenVideo:
    """For `run`, where the video is open already."""

    def open_video(uri: str, *, subtitles: str | None) -> Video:
        del uri, subtitles
        return video

    return open_video


async def run(
    agent: Agent,
    model: Model,
    sample: Sample,
    *,
    config: GenerateConfig | None = None,
    on_event: OnEvent | None = None,
    open_video: OpenVideo = Video.open,
) -> Trace:
    """Runs ``agent`` on ``sample`` until it answers, abstains, hits a limit or the model fails.

    A failing model, or a worker behind a tool, ends the trace with ``stop_reason="model_error"``; what had happened
    until then is in it. Raises `VideoError` when the video cannot be used, since then nothing has happened yet.
    ``open_video`` is `Video.open` with options of its own.
    """
    started = time.perf_counter()
    config = config or GenerateConfig()
    video = await asyncio.to_thread(open_video, sample.video, subtitles=sample.subtitles)
    await asyncio.to_thread(_check, video)
    shown = sample.without_gold()
    tools = {tool.spec.name: tool for tool in await asyncio.to_thread(agent.bind, shown, video)}
    opening = tuple(await asyncio.to_thread(agent.opening, shown, video))
    settings: dict[str, JSON] = {
        **agent.config,
        "temperature": config.temperature,
        "max_tokens": config.max_tokens,
        "seed": config.seed,
    }
    trace = Trace(sample, video.info, agent.name, model.name, settings, tuple(map(_without_pixels, opening)))
    config = replace(config, stop=agent.stop)
    return await _Run(agent, model, tools, config, on_event or _ignore, started, list(opening), trace).play()


def _check(video: Video) -> None:
    """What would fail later is found before anything is spent: an undecodable file, subtitles that are not there."""
    video.check()
    if video.subtitles is not None:
        TimedText(video, ocr=False).cues("subtitles")


def conversation(trace: Trace) -> list[Message]:
    """The messages of a stored run in order, just as the model saw them but for the pixels."""
    return [*trace.opening, *(message for turn in trace.turns for message in _messages(turn))]


def _messages(turn: Turn) -> list[Message]:
    """What one turn added to the conversation."""
    told = [Message("user", (turn.notice,))] if turn.notice else []
    shown = [_observation(turn, result) for result in turn.results]
    wrong = [Message("user", (turn.error,))] if turn.error else []
    return [*told, turn.output.message, *shown, *wrong]


def _observation(turn: Turn, result: ToolResult) -> Message:
    """A result goes back the way its call came: as a tool message to a native call, else as a user message."""
    content = (f"Error: {result.error}",) if result.error else result.content
    native = any(call.id == result.call_id for call in turn.output.message.tool_calls)
    return Message("tool", content, tool_call_id=result.call_id) if native else Message("user", content)


@dataclass(slots=True)
class _Run:
    """The state of one run: the live messages with their pixels, and the trace so far without."""

    agent: Agent
    model: Model
    tools: Mapping[str, Tool]
    config: GenerateConfig
    on_event: OnEvent
    started: float
    messages: list[Message]
    trace: Trace
    num_format_errors: int = 0

    async def play(self) -> Trace:
        self._tell("opening")
        try:
            while self.trace.stop_reason is None:
                await self._turn()
        except ModelError as e:
            self._stop("model_error", error=f"{type(e).__name__}: {e}")
        self._tell("finished")
        return self.trace

    async def _turn(self) -> None:
        last = len(self.trace.turns) + 1 >= self.agent.max_turns
        notice = self.agent.last_call or None if last else None
        if notice:
            self.messages.append(Message("user", (notice,)))
        self._tell("asking")
        specs = [tool.spec for tool in self.tools.values()] if self.agent.native_tools else []
        output = await self.model.generate(self.messages, tools=specs, config=self.config)
        output = _cut(output, self.config.stop)
        turn, action = self._read(output, notice)
        wants_tools = isinstance(action, tuple)
        if last and wants_tools:  # calls are not run any more; an answer beside them counts
            turn, action = self._read(_without_calls(output), notice)
            turn = replace(turn, calls=(), error=None)
        self.messages.append(turn.output.message)
        self.trace = replace(self.trace, turns=(*self.trace.turns, turn))
        self._tell("replied")
        if isinstance(action, Answer):
            self._stop("answered", answer=self._inside(action))
        elif isinstance(action, Abstention):
            self._stop("abstained", error=action.reason)
        elif last or self.num_format_errors > MAX_FORMAT_ERRORS:
            self._give_up(output, turn, last and wants_tools)
        else:
            await self._run_tools(turn)
        self._tell("turn")

    def _inside(self, answer: Answer) -> Answer:
        """The answer with its evidence cut to the video; what lies outside is no evidence."""
        end = self.trace.video.duration_seconds
        inside = tuple(
            Evidence(TimeSpan(item.span.start, min(item.span.end, end)), item.quote, item.source)
            for item in answer.evidence
            if item.span.start < end
        )
        return replace(answer, evidence=inside)

    def _read(self, output: ModelOutput, notice: str | None) -> tuple[Turn, Action | None]:
        """The reply as a turn and what it asks for; None when its form is wrong."""
        try:
            action = self.agent.parse(output)
        except FormatError as e:
            self.num_format_errors += 1
            cut = f"Your reply was cut off after {self.config.max_tokens} tokens. " * (output.stop_reason == "length")
            return Turn(_without_calls(output), error=cut + str(e), notice=notice), None
        if isinstance(action, tuple):
            self.num_format_errors += any(call.malformed is not None for call in action)
            return Turn(output, calls=action, notice=notice), action
        return Turn(_without_calls(output), notice=notice), action

    async def _run_tools(self, turn: Turn) -> None:
        """Runs the calls of ``turn`` side by side. When a worker's model fails, the other results are kept."""
        outcomes = await asyncio.gather(*map(self._call, turn.calls), return_exceptions=True)
        results = tuple(outcome for outcome in outcomes if isinstance(outcome, ToolResult))
        live = replace(turn, results=results)
        self.messages += [*(_observation(live, result) for result in results)]
        if turn.error:
            self.messages.append(Message("user", (turn.error,)))
        stored = tuple(replace(r, content=_stored(r.content)) for r in results)
        self.trace = replace(self.trace, turns=(*self.trace.turns[:-1], replace(turn, results=stored)))
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _call(self, call: ToolCall) -> ToolResult:
        """A refusal, or a video that cannot be read there, is an observation; anything else leaves."""
        self._tell("calling", call)
        started = time.perf_counter()
        try:
            result = await self._checked(call).run(call)
        except (ToolError, VideoError) as e:
            result = ToolResult(call.id, error=str(e))
        result = replace(result, seconds=time.perf_counter() - started)
        self._tell("returned", call, result)
        return result

    def _checked(self, call: ToolCall) -> Tool:
        known = ", ".join(self.tools) or "none"
        if call.malformed is not None:
            raise ToolError(
                f"this tool call is not valid JSON: {call.malformed[:200]!r}; send it again as"
                ' {"name": ..., "arguments": {...}}'
                f" with one of these tools: {known}"
            )
        if call.name not in self.tools:
            raise ToolError(f"there is no tool {call.name!r}; the tools are: {known}")
        return self.tools[call.name]

    def _give_up(self, output: ModelOutput, turn: Turn, wants_tools: bool) -> None:
        if wants_tools:
            self._stop("max_turns", error=f"no answer within {self.agent.max_turns} turns; raise max_turns")
        elif output.stop_reason == "length":
            said = f"the reply was cut off at {self.config.max_tokens} tokens before an answer; raise max_tokens"
            self._stop("max_tokens", error=said)
        else:
            wrong = turn.error or "its tool calls were not valid JSON"
            self._stop("format_errors", error=f"the model's replies could not be read: {wrong}")

    def _stop(self, reason: StopReason, *, answer: Answer | None = None, error: str | None = None) -> None:
        self.trace = replace(self.trace, stop_reason=reason, answer=answer, error=error, timings=self._timings())

    def _timings(self) -> Timings:
        turns = self.trace.turns
        in_tools = sum(max((result.seconds for result in turn.results), default=0.0) for turn in turns)
        return Timings(time.perf_counter() - self.started, sum(turn.output.seconds for turn in turns), in_tools)

    def _tell(self, kind: EventKind, call: ToolCall | None = None, result: ToolResult | None = None) -> None:
        self.on_event(Event(kind, self.trace, call, result))


def _ignore(event: Event) -> None:
    del event


def _cut(output: ModelOutput, stop: Sequence[str]) -> ModelOutput:
    """``output`` ending right after the first stop string outside its thinking."""
    said = without_thinking(output.text)
    ends = [at + len(mark) for mark in stop if (at := said.find(mark)) >= 0]
    if not ends or min(ends) == len(said):
        return output
    kept = (output.text[: min(ends)],)
    return replace(output, message=replace(output.message, content=kept), stop_reason="stop")


def _without_calls(output: ModelOutput) -> ModelOutput:
    """The reply without its native calls: a call that nobody answers is refused by strict servers."""
    if not output.message.tool_calls:
        return output
    return replace(output, message=replace(output.message, tool_calls=()))


def _stored(content: tuple[str | Frames, ...]) -> tuple[str | Frames, ...]:
    return tuple(part.without_pixels() if isinstance(part, Frames) else part for part in content)


def _without_pixels(message: Message) -> Message:
    return replace(message, content=_stored(message.content))
