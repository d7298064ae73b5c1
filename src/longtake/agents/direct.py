"""The baselines without tools: sampled frames (and the subtitles) at once, or nothing of the video at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ..errors import FormatError
from ..types import JSON, Abstention, Answer, Message, ModelOutput, Sample, TimeSpan
from ..video.decode import Video
from .loop import Tool
from .prompt import about, question_block, render
from .replies import read_final, without_thinking
from .skim import check_looks, check_turns, said, skim
from .tools import cue_lines

__all__ = ["Blind", "Direct"]


@dataclass(frozen=True, slots=True)
class Direct:
    """``num_frames`` uniform frames, or ``fps`` of them a second up to ``num_frames``; ``text`` adds the subtitles.

    ``think`` asks for thoughts before the answer. With ``spans`` nothing else of the video is shown."""

    num_frames: int = 64
    fps: float | None = None
    max_pixels: int = 224 * 224
    text: bool = True
    think: bool = False
    spans: tuple[TimeSpan, ...] = ()
    max_turns: int = 1

    name = "direct"
    prompts = ("direct",)
    native_tools = False
    stop = ()
    last_call = ""

    def __post_init__(self) -> None:
        check_turns(self.max_turns)
        check_looks(self.num_frames, self.fps, self.max_pixels)

    @property
    def config(self) -> Mapping[str, JSON]:
        spans: list[JSON] = [[span.start, span.end] for span in self.spans]
        return {**asdict(self), "spans": spans}

    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]:
        return ()

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        parts = skim(video, num_frames=self.num_frames, fps=self.fps, max_pixels=self.max_pixels, spans=self.spans)
        cues = said(video) if self.text else ()
        if self.spans:
            cues = tuple(cue for cue in cues if any(cue.span.overlap(span) > 0 for span in self.spans))
        if cues:
            parts.append(f"Timed text:\n{cue_lines(cues)}\n")
        parts.append(question_block(sample))
        think = "Think inside <think> and </think> first. " if self.think else ""
        system = render("direct", about=about(video.info), think=think)
        return [Message("system", (system,)), Message("user", tuple(parts))]

    def parse(self, output: ModelOutput) -> Answer | Abstention:
        """The last ``<answer>``, else the whole reply, unless it was cut off or refused."""
        return _whole_reply(output)


@dataclass(frozen=True, slots=True)
class Blind:
    """Answers from the question alone: what can be had without the video."""

    max_turns: int = 1

    name = "blind"
    prompts = ("blind",)
    native_tools = False
    stop = ()
    last_call = ""

    def __post_init__(self) -> None:
        check_turns(self.max_turns)

    @property
    def config(self) -> Mapping[str, JSON]:
        return asdict(self)

    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]:
        return ()

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        return [Message("user", (render("blind", question=question_block(sample)),))]

    def parse(self, output: ModelOutput) -> Answer | Abstention:
        return _whole_reply(output)


def _whole_reply(output: ModelOutput) -> Answer | Abstention:
    if final := read_final(output):
        return final
    text = without_thinking(output.text).strip()
    if output.stop_reason != "stop" or not text:
        raise FormatError(f"there is no answer in the reply (stop reason {output.stop_reason})")
    return Answer(text)
