"""Making a trace for a question and keeping it if it is right: the agent loop itself, with a strong model or with the
policy (RFT). Owns which traces are kept and that a kept one is the same wherever and whenever it was made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...agents.crop import Crop
from ...agents.loop import Tool, already, run
from ...agents.prompt import prompt_digest
from ...errors import FormatError, MissingExtraError, ModelError, RejectedError
from ...models.heard import Heard
from ...models.journaled import model_identity
from ...models.pixels import as_jpegs
from ...models.reader import Reader
from ...registry import resolve
from ...scoring.grounding import union_iou
from ...scoring.hedges import hedge
from ...scoring.scorers import Scorer
from ...types import (
    JSON,
    Frames,
    GenerateConfig,
    Message,
    Model,
    ModelOutput,
    Part,
    Sample,
    Score,
    TimeSpan,
    Timings,
    ToolCall,
    ToolResult,
    ToolSpec,
    Trace,
    Turn,
)
from ...video import ocr as recognition
from ...video.decode import Video
from ..step import Context, Record, Step, Value
from ..values import Question, Source, as_value

__all__ = ["Take", "TraceSettings", "looked_iou", "portable", "samples", "trace"]


class TraceSettings(BaseModel):
    """How traces are made, and which are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    samples_per_question: int = Field(default=1, ge=1)
    """Traces that are tried of every question; 16 for RFT."""
    temperature: float = Field(default=0.7, ge=0)
    """Of traces."""
    max_tokens: int = Field(default=4096, ge=1)
    """Of a turn's reply, its thinking included."""
    scorer: str | None = None
    """Decides whether the answer is right; by default ``choice`` where there are options, else ``contains``. With
    ``contains`` and ``number`` an open answer that hedges ("red, or perhaps blue") is not right either."""
    min_score: float = Field(default=1.0, ge=0, le=1)
    min_temporal_iou: float = Field(default=0.0, ge=0, le=1)
    """How well what the trace cropped last must fit the question's time range (intersection over union), as LongVT's
    reward measures it; LongVT keeps 0.3 and above. 0 for no matter, also where questions have no time range."""
    require_tool: bool = True
    """Drop traces that looked nowhere before they answered."""
    overview_frames: int = Field(default=64, ge=0)
    max_turns: int = Field(default=5, ge=1)
    tools: tuple[str, ...] | None = None
    """Of the `crop` agent; by default LongVT's ``crop_video`` alone. The embedded reader, which cannot see, gets those
    that find words instead."""
    ocr: bool = False
    """Read the writing in the pictures too, wherever words are looked for."""

    @model_validator(mode="after")
    def _samples_differ(self) -> TraceSettings:
        if self.samples_per_question > 1 and self.temperature == 0:
            raise ValueError("at temperature 0 all samples of a question would be the same; take one, or a higher one")
        return self


@dataclass(frozen=True, slots=True)
class Take:
    """One try at a trace; ``number`` from 0."""

    number: int


def samples(settings: TraceSettings) -> Step:
    """A `Take` for every trace to be tried of a question."""

    async def run_(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [as_value(Take(number)) for number in range(settings.samples_per_question)]

    return Step("samples", 1, {"samples_per_question": settings.samples_per_question}, run_, many=True)


def trace(model: Model, settings: TraceSettings) -> Step:
    """``{"trace": Trace, "scores": [Score, ...]}`` of the question's run, if it is right; else it is dropped and why.

    A run that a failing model ended is no trace: the model's error is raised. Raises `ConfigError` for a scorer or
    tool that is not there, `MissingExtraError` for words that cannot be recognised here."""
    names = ("choice", "contains") if settings.scorer is None else (settings.scorer,) * 2
    of_options, of_text = (resolve("scorer", name) for name in names)
    if settings.ocr and not recognition.available():
        raise MissingExtraError("reading text in pictures needs the ocr extra: pip install 'longtake[ocr]'")
    agent = _LightCrop(
        num_frames=settings.overview_frames,
        max_turns=settings.max_turns,
        tools=_tools(model, settings),
        ocr=settings.ocr,
    )

    async def run_(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        source = records[0].find("source").read(Source)
        question = records[0].find("questions").read(Question)
        video = await ctx.open(records[0].find("source"))
        watched = _Watched(ctx.journaled(Heard(model)))
        made = await run(
            agent,
            watched,
            _sample(records[0].id, source, question),
            config=GenerateConfig(settings.temperature, settings.max_tokens),
            open_video=already(video),
        )
        if watched.error is not None:
            raise watched.error
        scores = _checked(made, of_options if question.options else of_text, settings)
        return [{"trace": portable(made, video.path, source.video), "scores": [dict(as_value(s)) for s in scores]}]

    config: dict[str, JSON] = {
        "model": model_identity(model),
        "prompts": {name: prompt_digest(name) for name in agent.prompts},
        "agent": dict(agent.config),
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
        "scorers": list(names),
        "min_score": settings.min_score,
        "min_temporal_iou": settings.min_temporal_iou,
        "require_tool": settings.require_tool,
    }
    return Step("trace", 4, config, run_)


def _tools(model: Model, settings: TraceSettings) -> tuple[str, ...]:
    if settings.tools is not None:
        return settings.tools
    return ("search_text", "read_text") if model.name == Reader.name else ("crop_video",)


def looked_iou(made: Trace) -> Score:
    """Intersection over union of what was cropped with the question's time range.

    As in LongVT's reward the last crop counts; where a turn made several at once, their union. A run that cropped
    nothing, since it has other tools, is measured by what its answer states. Of several gold spans the one that fits
    best counts, or all together."""
    gold = made.sample.target_spans
    if not gold:
        return Score("looked_iou", None, error="the question has no time range")
    crops = [spans for turn in made.turns if (spans := _cropped(turn))]
    stated = [e.span for e in made.answer.evidence] if made.answer else []
    looked = crops[-1] if crops else stated
    if not looked:
        return Score("looked_iou", 0.0, "it looked nowhere")
    best = max(union_iou(looked, wanted) for wanted in [*([one] for one in gold), gold])
    what = "cropped last" if crops else "stated"
    return Score("looked_iou", best, f"{what}: {', '.join(f'{s.start:g} - {s.end:g} s' for s in looked)}")


def _cropped(turn: Turn) -> list[TimeSpan]:
    pairs = zip(turn.calls, turn.results, strict=False)
    return [e.span for call, result in pairs if call.name == "crop_video" for e in result.evidence]


def portable(made: Trace, path: Path, video: str) -> JSON:
    """The trace as JSON without what differs from run to run and from place to place: times taken, and the folder of
    the video at ``path``, which is ``video`` from the folder of videos on."""
    turns = tuple(
        replace(
            turn,
            output=replace(turn.output, seconds=0.0, cached=False),
            results=tuple(replace(result, seconds=0.0) for result in turn.results),
        )
        for turn in made.turns
    )
    bare = replace(made, video=replace(made.video, uri=video), turns=turns, timings=Timings())
    here, there = str(path.with_suffix("")), str(Path(video).with_suffix(""))
    return _renamed(dict(as_value(bare)), here, there)


def _renamed(value: JSON, here: str, there: str) -> JSON:
    """``value`` with ``there`` for ``here`` in all its texts: notes name the video and its subtitle files by path."""
    if isinstance(value, str):
        return value.replace(here, there)
    if isinstance(value, list):
        return [_renamed(item, here, there) for item in value]
    if isinstance(value, dict):
        return {name: _renamed(item, here, there) for name, item in value.items()}
    return value


def _sample(id_: str, source: Source, question: Question) -> Sample:
    return Sample(
        id_, source.video, question.question, question.options, target=question.answer, target_spans=question.spans
    )


def _checked(made: Trace, scorer: Scorer, settings: TraceSettings) -> list[Score]:
    """The scores of a trace that is kept. Raises `RejectedError` with the reason for any other."""
    if made.stop_reason != "answered":
        raise RejectedError(f"{made.stop_reason}: {made.error}")
    for number, turn in enumerate(made.turns, 1):
        if turn.error is not None or any(call.malformed is not None for call in turn.calls):
            raise RejectedError(f"turn {number} broke the form: {turn.error or 'a tool call is not valid JSON'}")
    if settings.require_tool and not any(_worked(turn) for turn in made.turns):
        raise RejectedError("it answered without looking: no tool was called, or none worked")
    scores = [scorer(made, made.sample)]
    least = [settings.min_score]
    if settings.min_temporal_iou > 0:
        scores.append(looked_iou(made))
        least.append(settings.min_temporal_iou)
    for score, wanted in zip(scores, least, strict=True):
        if score.value is None:
            raise FormatError(f"{score.scorer} gives no verdict: {score.error}")
        if score.value < wanted:
            raise RejectedError(
                f"{score.scorer} gives {score.value:.2f}, and {wanted:.2f} is asked for: {score.explanation}"
            )
    if why := _hedge(made, settings):
        raise RejectedError(why)
    return scores


def _hedge(made: Trace, settings: TraceSettings) -> str | None:
    """Why an open answer whose words are right is none; scorers that read more than words decide by themselves."""
    if made.answer is None or made.sample.choices or settings.scorer not in (None, "contains", "number"):
        return None
    answer, target = made.answer.text, made.sample.target or ""
    why = hedge(answer, target)
    return f"{why}: answered {answer!r}, right is {target!r}" if why else None


def _worked(turn: Turn) -> bool:
    return any(result.error is None for result in turn.results)


class _Watched:
    """``model``, remembering the error that ended a run: the loop keeps only its words."""

    def __init__(self, model: Model) -> None:
        self.name = model.name
        self.error: ModelError | None = None
        self._model = model

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        try:
            return await self._model.generate(messages, tools=tools, config=config)
        except ModelError as e:
            self.error = e
            raise


class _LightCrop(Crop):
    """`Crop` whose frames wait as JPEG files: a run holds them to its end, and hundreds run at once."""

    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]:
        return [Tool(tool.spec, _Light(tool)) for tool in super().bind(sample, video)]

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        return [replace(message, content=_lightened(message.content)) for message in super().opening(sample, video)]


@dataclass(frozen=True, slots=True)
class _Light:
    tool: Tool

    async def __call__(self, call: ToolCall) -> ToolResult:
        result = await self.tool.run(call)
        return replace(result, content=await asyncio.to_thread(_lightened, result.content))


def _lightened(content: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(as_jpegs(part) if isinstance(part, Frames) else part for part in content)
