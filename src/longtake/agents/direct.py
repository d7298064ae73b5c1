"""The baseline: all sampled frames (and the subtitles) at once, one reply, no tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ..errors import FormatError
from ..types import JSON, Abstention, Answer, Message, ModelOutput, Sample
from ..video.decode import Video
from .loop import Tool
from .prompt import about, question_block, render
from .replies import read_final, without_thinking
from .skim import check_looks, check_turns, said, skim
from .tools import cue_lines

__all__ = ["Direct"]


@dataclass(frozen=True, slots=True)
class Direct:
    """``num_frames`` uniform frames, or ``fps`` of them a second up to ``num_frames``; ``text`` adds the subtitles."""

    num_frames: int = 64
    fps: float | None = None
    max_pixels: int = 224 * 224
    text: bool = True
    max_turns: int = 1

    name = "direct"
    native_tools = False
    stop = ()
    last_call = ""

    def __post_init__(self) -> None:
        check_turns(self.max_turns)
        check_looks(self.num_frames, self.fps, self.max_pixels)

    @property
    def config(self) -> Mapping[str, JSON]:
        return asdict(self)

    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]:
        return ()

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        parts = skim(video, num_frames=self.num_frames, fps=self.fps, max_pixels=self.max_pixels)
        if self.text and (cues := said(video)):
            parts.append(f"Timed text:\n{cue_lines(cues)}\n")
        parts.append(question_block(sample))
        return [Message("system", (render("direct", about=about(video.info)),)), Message("user", tuple(parts))]

    def parse(self, output: ModelOutput) -> Answer | Abstention:
        """The last ``<answer>``, else the whole reply, unless it was cut off or refused."""
        if final := read_final(output):
            return final
        text = without_thinking(output.text).strip()
        if output.stop_reason != "stop" or not text:
            raise FormatError(f"there is no answer in the reply (stop reason {output.stop_reason})")
        return Answer(text)
