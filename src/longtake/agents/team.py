"""Master + grounding + vision (LongVideoAgent): the master acts by tags, the two workers are its tools.

Works on any video: clips are its chapters, else fixed spans with ids. The grounding worker reads the words of all clips
(their pictures where a video has no words) and names one; the vision worker sees the frames of the current clip.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from ..clock import span_label
from ..errors import ConfigError, FormatError, ToolError, VideoError
from ..types import (
    JSON,
    Cue,
    Evidence,
    Message,
    Model,
    ModelOutput,
    Part,
    Sample,
    TimeSpan,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from ..video.decode import Video
from ..video.sample import uniform
from ..video.scenes import detect
from .loop import Action, Tool
from .prompt import about, question_block, render
from .replies import read_final, without_thinking
from .skim import check_looks, check_turns, readable, said
from .tools import ask_model, cue_lines

__all__ = ["CLIPS_AT", "Clip", "ClipsAt", "Team", "is_wordless", "middles", "split_into_clips"]

ClipsAt: TypeAlias = Literal["auto", "fixed", "scenes", "chapters"]
CLIPS_AT: tuple[ClipsAt, ...] = get_args(ClipsAt)

_ACTION = re.compile(r"<(request_grounding|search|visual_query)>(.*?)</\1>", re.DOTALL)
_CLIP = re.compile(r"<clip>\s*(.*?)\s*</clip>", re.DOTALL)
_TOOL_OF = {"request_grounding": "ground", "search": "look", "visual_query": "look"}


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of the video with an id and the words in it."""

    id: str
    span: TimeSpan
    cues: tuple[Cue, ...]

    @property
    def words(self) -> str:
        return cue_lines(self.cues) or "(no words)"

    @property
    def tagged(self) -> str:
        return f"<{self.id}>{span_label(self.span)} {' '.join(cue.text for cue in self.cues)}</{self.id}>"


@dataclass(frozen=True, slots=True)
class Team:
    """``clip_seconds`` is the length of a clip; with ``clips="scenes"`` it ends at the next change of scene. With
    ``"chapters"`` clips are the chapters of the video, under their ids; ``"auto"`` takes them where a video has any.
    ``num_frames`` is how many of its frames the vision worker sees. The master starts in ``first_clip`` (None: in the
    first)."""

    grounding: Model
    vision: Model
    max_turns: int = 5
    clip_seconds: float = 60.0
    clips: ClipsAt = "auto"
    num_frames: int = 32
    max_pixels: int = 448 * 448
    first_clip: str | None = None

    name = "team"
    prompts = ("team_master", "team_again", "team_grounding", "team_vision", "last_turn")
    native_tools = False
    stop = tuple(f"</{tag}>" for tag in ("request_grounding", "search", "visual_query", "answer", "abstain"))

    def __post_init__(self) -> None:
        check_turns(self.max_turns)
        check_looks(self.num_frames, None, self.max_pixels, least=1)
        if not self.clip_seconds > 0 or self.clips not in CLIPS_AT:
            raise ConfigError(
                f"a team needs clip_seconds above 0 and clips one of {', '.join(CLIPS_AT)}; "
                f"got {self.clip_seconds}, {self.clips!r}"
            )

    @property
    def config(self) -> Mapping[str, JSON]:
        return {
            "grounding": self.grounding.name,
            "vision": self.vision.name,
            "max_turns": self.max_turns,
            "clip_seconds": self.clip_seconds,
            "clips": self.clips,
            "num_frames": self.num_frames,
            "max_pixels": self.max_pixels,
            "first_clip": self.first_clip,
        }

    @property
    def last_call(self) -> str:
        return render("last_turn")

    def bind(self, sample: Sample, video: Video) -> Sequence[Tool]:
        clips = split_into_clips(video, self.clip_seconds, self.clips)
        place = _Place(self._first(clips))
        return (self._ground(sample, video, clips, place), self._look(video, place))

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        abstain = "" if sample.choices else " If the video does not show it: <abstain>what is missing</abstain>."
        system = render("team_master", about=about(video.info), max_turns=str(self.max_turns), abstain=abstain)
        first = self._first(split_into_clips(video, self.clip_seconds, self.clips))
        return [Message("system", (system,)), Message("user", (f"{question_block(sample)}\n\n{_shown(first)}",))]

    def parse(self, output: ModelOutput) -> Action:
        """The first action tag after the reasoning; ``<search>`` is the other spelling of ``<visual_query>``."""
        action = _ACTION.search(without_thinking(output.text))
        before = output.text[: action.start()] if action else output.text
        final = read_final(replace(output, message=replace(output.message, content=(before,))))
        if final is not None:
            return final
        if action is None or output.stop_reason == "refused":
            raise FormatError(render("team_again"))
        tag, query = action.groups()
        return (ToolCall(f"{tag}-1", _TOOL_OF[tag], {"query": query.strip()}),)

    def _first(self, clips: Sequence[Clip]) -> Clip:
        found = [clip for clip in clips if self.first_clip in (None, clip.id)]
        if not found:
            raise ConfigError(
                f"first_clip {self.first_clip!r} is not a clip of this video; its {len(clips)} clips are "
                f"{clips[0].id} to {clips[-1].id}"
            )
        return found[0]

    def _ground(self, sample: Sample, video: Video, clips: Sequence[Clip], place: _Place) -> Tool:
        """The grounding worker: reads all clips, names one, and moves ``place`` there."""
        by_id = {clip.id: clip for clip in clips}
        wordless = is_wordless(clips)

        async def prepare(call: ToolCall) -> Sequence[Message]:
            prompt = render(
                "team_grounding",
                content="a picture from its middle" if wordless else "its words",
                current=place.clip.id,
                clips="\n".join(clip.tagged for clip in clips),
                query=str(call.arguments.get("query") or sample.question),
                question=question_block(sample),
                example=clips[-1].id,
            )
            parts: list[Part] = [prompt]
            if wordless:
                parts += await asyncio.to_thread(middles, video, clips, self.max_pixels)
            return [Message("user", tuple(parts))]

        async def finish(call: ToolCall, reply: str) -> ToolResult:
            named = [found for found in _CLIP.findall(without_thinking(reply)) if found in by_id]
            if not named:
                info = (
                    f"The grounding agent named no known clip; you are still in {place.clip.id}. It said: {reply[:300]}"
                )
                return ToolResult(call.id, (f"<grounding_info>{info}</grounding_info>",))
            place.clip = by_id[named[-1]]
            return ToolResult(call.id, (f"<New_clip>{_shown(place.clip)}</New_clip>",))

        spec = ToolSpec("ground", "Move to the clip that fits a description.", _QUERY)
        return ask_model(spec, self.grounding, prepare, finish)

    def _look(self, video: Video, place: _Place) -> Tool:
        """The vision worker: sees the frames of the current clip."""

        async def prepare(call: ToolCall) -> Sequence[Message]:
            query = str(call.arguments.get("query", ""))
            if not query:
                raise ToolError("<visual_query> is empty; say what to look at")
            seconds = uniform(place.clip.span, self.num_frames)
            parts = await asyncio.to_thread(readable, video, seconds, max_pixels=self.max_pixels)
            num_frames = Message("user", tuple(parts)).num_frames
            span = span_label(place.clip.span)
            prompt = render("team_vision", num_frames=str(num_frames), span=span, query=query)
            return [Message("user", (*parts, prompt))]

        async def finish(call: ToolCall, reply: str) -> ToolResult:
            seen = without_thinking(reply).strip()
            evidence = Evidence(place.clip.span, seen, "frames")
            return ToolResult(call.id, (f"<information>{seen}</information>",), evidence=(evidence,))

        spec = ToolSpec("look", "Ask what is seen in the current clip.", _QUERY)
        return ask_model(spec, self.vision, prepare, finish)


_QUERY: dict[str, JSON] = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


@dataclass(slots=True)
class _Place:
    """Where the master is in the video, for one run."""

    clip: Clip


def split_into_clips(video: Video, clip_seconds: float, at: ClipsAt = "auto") -> list[Clip]:
    """The whole video in clips of ``clip_seconds``, or of so many seconds up to the next change of scene, or its
    chapters.

    A rest under a tenth of a clip joins the one before it. Each clip has the subtitles that start in it. Raises
    `VideoError` for the chapters of a video that has none."""
    chapters, duration = video.info.chapters, video.info.duration_seconds
    cues = said(video)
    if at == "chapters" and not chapters:
        raise VideoError(f"{video.path} has no chapters to take as clips; use clips='fixed' or 'scenes'")
    if at == "chapters" or (at == "auto" and chapters):
        return [Clip(chapter.id, chapter.span, _starting_in(chapter.span, cues)) for chapter in chapters]
    if at == "scenes":
        ends = [scene.end for scene in detect(video)]
    else:
        ends = [clip_seconds * (i + 1) for i in range(math.ceil(duration / clip_seconds))]
    edges = [0.0]
    for end in ends:
        if end - edges[-1] >= clip_seconds * 0.999 and duration - end >= clip_seconds / 10:
            edges.append(end)
    spans = [TimeSpan(a, b) for a, b in pairwise([*edges, duration])]
    return [Clip(f"clip_{i:03d}", span, _starting_in(span, cues)) for i, span in enumerate(spans)]


def is_wordless(clips: Sequence[Clip]) -> bool:
    return not any(clip.cues for clip in clips)


def middles(video: Video, clips: Sequence[Clip], max_pixels: int) -> list[Part]:
    """A small picture from the middle of each clip, to tell wordless clips apart."""
    seconds = [(clip.span.start + clip.span.end) / 2 for clip in clips]
    return readable(video, seconds, max_pixels=max(28 * 28, max_pixels // 4), snap="keyframe")


def _starting_in(span: TimeSpan, cues: Sequence[Cue]) -> tuple[Cue, ...]:
    return tuple(cue for cue in cues if cue.span.start in span)


def _shown(clip: Clip) -> str:
    return f"{clip.id} {span_label(clip.span)}\n{clip.words}"
