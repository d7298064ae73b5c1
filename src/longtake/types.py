"""The nouns of longtake: frozen values with a JSON round-trip.

The ones about the video itself live in `media` and are re-exported here. Nothing opens a file, decodes a picture
or calls a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar

from typing_extensions import TypeAliasType

from .errors import LongtakeError, StoreError
from .media import Box, Chapter, Cue, CueList, Evidence, Frames, Source, SubtitleTrack, TimeSpan, VideoInfo

__all__ = [
    "JSON",
    "Abstention",
    "Answer",
    "Box",
    "Chapter",
    "Cue",
    "CueList",
    "Evidence",
    "Frames",
    "GenerateConfig",
    "Message",
    "Model",
    "ModelOutput",
    "Part",
    "Role",
    "Sample",
    "Score",
    "Source",
    "StopReason",
    "SubtitleTrack",
    "TimeSpan",
    "Timings",
    "Tokens",
    "ToolCall",
    "ToolResult",
    "ToolSpec",
    "Trace",
    "Turn",
    "Usage",
    "VideoInfo",
    "adapter_of",
    "from_json",
    "to_json",
]

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
else:  # pydantic follows a recursive alias only by its name
    JSON = TypeAliasType("JSON", "bool | int | float | str | list[JSON] | dict[str, JSON] | None")
Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
StopReason: TypeAlias = Literal["answered", "abstained", "max_turns", "max_tokens", "format_errors", "model_error"]


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Abstention:
    """The model says that it cannot answer, and why."""

    reason: str


# --------------------------------------------------------------------------------------- messages and models

Part: TypeAlias = str | Frames


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``malformed`` holds the raw text of a call whose arguments could not be read; ``arguments`` is empty then."""

    id: str
    name: str
    arguments: Mapping[str, JSON]
    malformed: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        return "".join(part for part in self.content if isinstance(part, str))

    @property
    def num_frames(self) -> int:
        return sum(len(part) for part in self.content if isinstance(part, Frames))


@dataclass(frozen=True, slots=True)
class Usage:
    """What something cost. ``num_frames`` counts each time a frame was decoded for a model, not each time it was
    sent. ``cost_usd`` is None when the price of any part is not known."""

    num_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    num_frames: int = 0
    cost_usd: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        known = self.cost_usd is not None and other.cost_usd is not None
        return Usage(
            self.num_calls + other.num_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.num_frames + other.num_frames,
            (self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
        )


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """``parameters`` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered and what it cost; a worker agent is a tool, so its calls are in ``usage``.

    ``error`` is set instead of ``content`` when the tool refused. ``evidence`` is what the tool found where."""

    call_id: str
    content: tuple[Part, ...] = ()
    usage: Usage = Usage()
    error: str | None = None
    evidence: tuple[Evidence, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """Exactly what was sampled, for training: ``ids`` and ``logprobs`` have one entry per token."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GenerateConfig:
    """``stop``: the reply ends right after the first of these strings; a model may use it to save tokens, the loop
    cuts in any case."""

    temperature: float = 0.0
    max_tokens: int = 4096
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """One reply. ``seconds`` is the wall time of the call, retries included; ``cached``: paid for in an earlier run."""

    message: Message
    model: str
    stop_reason: Literal["stop", "length", "tool_calls", "refused"] = "stop"
    usage: Usage = Usage()
    tokens: Tokens | None = None
    seconds: float = 0.0
    cached: bool = False

    @property
    def text(self) -> str:
        return self.message.text


class Model(Protocol):
    """Messages in, one message out. Raises `ModelError`; never returns an error as text."""

    @property
    def name(self) -> str: ...

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput: ...


# ------------------------------------------------------------------------------------------------------- runs


@dataclass(frozen=True, slots=True)
class Sample:
    """One question about one video. ``target``, ``target_spans`` and ``metadata`` are gold or may hold it."""

    id: str
    video: str
    question: str
    choices: tuple[str, ...] = ()
    subtitles: str | None = None
    target: str | None = None
    target_spans: tuple[TimeSpan, ...] = ()
    metadata: Mapping[str, JSON] = field(default_factory=dict[str, JSON])

    def without_gold(self) -> Sample:
        """What an agent may see."""
        return Sample(self.id, self.video, self.question, self.choices, self.subtitles)


@dataclass(frozen=True, slots=True)
class Turn:
    """One model call and what it caused.

    ``notice`` is what the model was told just before (the last call to answer), ``calls`` the tool calls that were
    read from the reply and run, with one result each unless a worker failed, ``error`` what was wrong with the form
    of the reply."""

    output: ModelOutput
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    error: str | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall seconds: the whole run, waiting for the model, running tools (concurrent tools overlap)."""

    total_seconds: float = 0.0
    model_seconds: float = 0.0
    tool_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that happened for one sample: enough to show, score, replay and train on.

    Frames in it hold no pixels. ``error`` says why there is no answer, so exactly one of the two is set once the
    run is over; while it is running both are None."""

    sample: Sample
    video: VideoInfo
    agent: str
    model: str
    config: Mapping[str, JSON]
    opening: tuple[Message, ...]
    turns: tuple[Turn, ...] = ()
    answer: Answer | None = None
    stop_reason: StopReason | None = None
    error: str | None = None
    timings: Timings = Timings()
    version: int = 1

    @property
    def usage(self) -> Usage:
        """Of the model and of every tool, workers included."""
        total = Usage(num_frames=sum(message.num_frames for message in self.opening))
        for turn in self.turns:
            total = sum((result.usage for result in turn.results), total + turn.output.usage)
        return total

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the answer rests on: the evidence it names, else where the agent looked last; () without an answer."""
        if self.answer is None:
            return ()
        looked = [tuple(e for result in turn.results for e in result.evidence) for turn in self.turns]
        return self.answer.evidence or next((found for found in reversed(looked) if found), ())


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` in [0, 1], or None with ``error`` set when there was no verdict: that is not 0."""

    scorer: str
    value: float | None
    explanation: str = ""
    error: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != (self.error is not None) or not 0 <= (self.value or 0.0) <= 1:
            raise ValueError(f"a score has a value in [0, 1] or an error, got value={self.value} error={self.error!r}")


# ------------------------------------------------------------------------------------------------------- JSON

T = TypeVar("T")


@lru_cache(maxsize=256)
def adapter_of(cls: type[T]) -> TypeAdapter[T]:
    """What reads and writes a ``cls``. Kept: making one takes milliseconds."""
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def to_json(value: object, *, indent: int | None = None) -> bytes:
    """``value`` (any type of this module) as JSON text. Pixels are left out."""
    return adapter_of(type(value)).dump_json(value, indent=indent)


def from_json(cls: type[T], text: str | bytes) -> T:
    """Reads back what `to_json` wrote. Raises `StoreError` naming each field that is wrong."""
    from pydantic import ValidationError

    try:
        return adapter_of(cls).validate_json(text)
    except (ValidationError, LongtakeError) as e:
        raise StoreError(f"this is not a {cls.__name__} that longtake can read: {e}") from e
