"""The LongVT (VideoSIAH) recipe: from scenes to questions with a time range, to traces that look before they answer."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from ..types import Model
from .caption import caption
from .events import events, scenes, summary
from .filters import kept_questions, text_filter, visual_filter
from .questions import drafts, groups
from .step import Step
from .trace import TraceSettings, samples, trace

__all__ = ["Settings", "build"]


class Settings(TraceSettings):
    """Those of traces, and:

    Scenes: ``scene_threshold`` is how far two pictures must be apart for a cut (lower finds more); scenes longer than
    ``max_scene_seconds`` are cut into equal pieces. Captions: up to ``caption_frames`` frames, ``caption_fps`` a
    second. A video of which less than ``min_captioned_share`` has a caption is dropped. Questions: for every
    ``events_per_question`` events ``questions_per_group``, of which a video keeps the best ``max_questions``. With
    ``visual_filter`` a model looks at up to ``visual_frames`` frames of each moment and must give ``min_visual_score``.
    ``ocr`` also reads the writing in the pictures, for captions, the visual filter and traces."""

    max_scene_seconds: float = Field(default=10.0, ge=2)
    scene_threshold: float = Field(default=15.0, gt=0)
    caption_fps: float = Field(default=2.0, gt=0)
    caption_frames: int = Field(default=32, ge=1)
    min_captioned_share: float = Field(default=0.8, ge=0, le=1)
    events_per_question: int = Field(default=15, ge=1)
    questions_per_group: int = Field(default=1, ge=1)
    max_questions: int = Field(default=5, ge=1)
    visual_filter: bool = True
    min_visual_score: float = Field(default=0.85, ge=0, le=1)
    visual_frames: int = Field(default=64, ge=1)


def build(settings: Settings, models: Callable[[str], Model]) -> list[Step]:
    """The chain after ``source``. Roles: ``caption`` (sees; the visual filter too), ``reason`` (words), ``trace``."""
    sees, reasons = models("caption"), models("reason")
    chain = [
        scenes(max_seconds=settings.max_scene_seconds, threshold=settings.scene_threshold),
        caption(sees, fps=settings.caption_fps, max_frames=settings.caption_frames, ocr=settings.ocr),
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
