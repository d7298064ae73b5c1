"""The LongVT (VideoSIAH) recipe: from scenes to questions with a time range, to traces that look before they answer."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from ...types import Model
from ..step import Step
from ..steps.caption import caption
from ..steps.events import events, scenes, summary
from ..steps.filters import kept_questions, text_filter, visual_filter
from ..steps.questions import drafts, groups
from ..steps.trace import TraceSettings, samples, trace

__all__ = ["Settings", "build"]


class Settings(TraceSettings):
    """What the recipe does, beside how traces are made. Lengths are in seconds, ``max_pixels`` is a frame's."""

    max_scene_seconds: float = Field(default=10.0, ge=2)
    """A longer scene is divided into equal parts."""
    scene_threshold: float = Field(default=15.0, gt=0)
    """How far two pictures must be apart for a cut; a lower one finds more."""
    caption_fps: float = Field(default=2.0, gt=0)
    max_frames: int = Field(default=32, ge=1)
    max_pixels: int = Field(default=360 * 420, ge=28 * 28)
    caption_max_tokens: int = Field(default=4096, ge=1)
    min_captioned_share: float = Field(default=0.8, ge=0, le=1)
    """A video of which less has a caption is dropped."""
    events_per_question: int = Field(default=15, ge=1)
    """Events in a row that a question is written about."""
    questions_per_group: int = Field(default=1, ge=1)
    max_questions: int = Field(default=5, ge=1)
    """The best by their words that a video keeps."""
    visual_filter: bool = True
    """Have the captioning model look whether the moment bears out question and answer."""
    visual_frames: int = Field(default=64, ge=1)
    """The most that it sees of a moment, two a second."""
    min_visual_score: float = Field(default=0.85, ge=0, le=1)


def build(settings: Settings, models: Callable[[str], Model]) -> list[Step]:
    """The chain after ``source``. Roles: ``caption`` (sees; the visual filter too), ``reason`` (words), ``trace``."""
    sees, reasons = models("caption"), models("reason")
    chain = [
        scenes(max_seconds=settings.max_scene_seconds, threshold=settings.scene_threshold),
        caption(
            sees,
            fps=settings.caption_fps,
            max_frames=settings.max_frames,
            max_pixels=settings.max_pixels,
            ocr=settings.ocr,
            max_tokens=settings.caption_max_tokens,
        ),
        events(reasons, min_captioned_share=settings.min_captioned_share),
        summary(reasons),
        groups(events_per_question=settings.events_per_question, questions_per_group=settings.questions_per_group),
        drafts(reasons),
        text_filter(reasons, max_questions=settings.max_questions),
        kept_questions(),
    ]
    if settings.visual_filter:
        chain.append(
            visual_filter(
                sees, min_score=settings.min_visual_score, max_frames=settings.visual_frames, ocr=settings.ocr
            )
        )
    return [*chain, samples(settings), trace(models("trace"), settings)]
