"""Grounding by itself (LongVideoAgent's first step): which clip of the video answers the question?

The answer of its runs is the id of a clip. `Team` does the same in the middle of a run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ..errors import ConfigError, FormatError
from ..types import JSON, Answer, Message, ModelOutput, Part, Sample
from ..video.decode import Video
from .loop import Tool
from .prompt import question_block, render
from .replies import without_thinking
from .skim import check_looks, check_turns
from .team import CLIPS_AT, ClipsAt, is_wordless, middles, split_into_clips

__all__ = ["Ground"]

_CLIP = re.compile(r"<clip>\s*([^<>]+?)\s*</clip>")


@dataclass(frozen=True, slots=True)
class Ground:
    """Reads the words of all clips (sees a picture of each where the video has no words) and names one.

    Clips are those of `Team`. ``max_turns``: how often it may reply, should a reply name none."""

    max_turns: int = 2
    clip_seconds: float = 60.0
    clips: ClipsAt = "auto"
    max_pixels: int = 448 * 448

    name = "ground"
    prompts = ("ground", "ground_again")
    native_tools = False
    stop = ()
    last_call = ""

    def __post_init__(self) -> None:
        check_turns(self.max_turns)
        check_looks(1, None, self.max_pixels, least=1)
        if not self.clip_seconds > 0 or self.clips not in CLIPS_AT:
            raise ConfigError(
                f"grounding needs clip_seconds above 0 and clips one of {', '.join(CLIPS_AT)};"
                f" got {self.clip_seconds}, {self.clips!r}"
            )

    @property
    def config(self) -> Mapping[str, JSON]:
        return asdict(self)

    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]:
        return ()

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        clips = split_into_clips(video, self.clip_seconds, self.clips)
        wordless = is_wordless(clips)
        prompt = render(
            "ground",
            content="a picture from its middle" if wordless else "its words",
            clips="\n".join(clip.tagged for clip in clips),
            question=question_block(sample),
            example=clips[-1].id,
        )
        pictures: Sequence[Part] = middles(video, clips, self.max_pixels) if wordless else ()
        return [Message("user", (prompt, *pictures))]

    def parse(self, output: ModelOutput) -> Answer:
        """The last clip that is named after the reasoning."""
        named = _CLIP.findall(without_thinking(output.text))
        if not named or output.stop_reason == "refused":
            raise FormatError(render("ground_again"))
        return Answer(str(named[-1]))
