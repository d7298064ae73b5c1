"""Native tool calling (LongVT): skim the whole video, look closer with tools, answer in ``<answer>``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ..errors import ConfigError, FormatError
from ..types import JSON, Message, ModelOutput, Sample
from ..video.decode import Video
from ..video.text import TimedText
from . import tools
from .loop import Action, Tool
from .prompt import about, question_block, render
from .replies import read_final
from .skim import check_looks, check_turns, skim

__all__ = ["Crop"]

TOOLS = ("crop_video", "search_text", "read_text", "zoom")


@dataclass(frozen=True, slots=True)
class Crop:
    """The overview is ``num_frames`` uniform frames (``fps`` a second up to that many, if set), 0 for none.

    ``crop_fps`` and ``crop_max_frames`` are `crop_video`'s; ``max_pixels`` bounds each frame of the overview and of
    crops, ``zoom_max_pixels`` those of `zoom`. ``tools`` names the tools offered; ``ocr`` and ``asr`` say which words
    may be recognised."""

    num_frames: int = 64
    fps: float | None = None
    max_pixels: int = 224 * 224
    max_turns: int = 5
    crop_fps: float = 1.0
    crop_max_frames: int = 128
    zoom_max_pixels: int = 1280 * 28 * 28
    tools: tuple[str, ...] = TOOLS
    ocr: bool = True
    asr: bool = False

    name = "crop"
    prompts = ("crop", "crop_again", "last_turn", "abstain")
    native_tools = True
    stop = ()

    def __post_init__(self) -> None:
        if unknown := set(self.tools) - set(TOOLS):
            raise ConfigError(f"the tools are {', '.join(TOOLS)}; got {', '.join(sorted(unknown))}")
        check_turns(self.max_turns)
        check_looks(self.num_frames, self.fps, self.max_pixels)
        check_looks(self.crop_max_frames, self.crop_fps, self.zoom_max_pixels, least=1)

    @property
    def config(self) -> Mapping[str, JSON]:
        return {**asdict(self), "tools": list(self.tools)}

    @property
    def last_call(self) -> str:
        return render("last_turn")

    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]:
        text = TimedText(video, ocr=self.ocr, asr=self.asr)
        make: dict[str, Callable[[], Tool]] = {
            "crop_video": lambda: tools.crop_video(
                video, fps=self.crop_fps, max_frames=self.crop_max_frames, max_pixels=self.max_pixels
            ),
            "search_text": lambda: tools.search_text(text),
            "read_text": lambda: tools.read_text(video, text),
            "zoom": lambda: tools.zoom(video, max_pixels=self.zoom_max_pixels),
        }
        wordless = {"search_text", "read_text"} if not text.sources() else set[str]()
        return [make[name]() for name in self.tools if name not in wordless]

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        abstain = "" if sample.choices else " " + render("abstain")
        system = render("crop", about=about(video.info), abstain=abstain)
        parts = skim(video, num_frames=self.num_frames, fps=self.fps, max_pixels=self.max_pixels)
        parts.append(f"{question_block(sample)}\nThe video path for this video is {video.path.name}")
        return [Message("system", (system,)), Message("user", tuple(parts))]

    def parse(self, output: ModelOutput) -> Action:
        """Tool calls if there are any, else the last ``<answer>``; anything else is a `FormatError`."""
        if output.message.tool_calls:
            return output.message.tool_calls
        if final := read_final(output):
            return final
        raise FormatError(render("crop_again"))
