"""The LongVideo-Reason recipe: clips are captioned, and questions with reasoning are written from the captions.

The steps themselves are in `split`, `caption`, `reason`, `parse` and `reformat`; this says which there are and their
settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ...errors import MissingExtraError
from ...types import Model
from ...video import ocr as writing
from ..step import Step
from ..steps.caption import caption, merge
from ..steps.parse import parse
from ..steps.reason import LETTERS, plan, reason
from ..steps.reformat import reformat
from ..steps.split import split

__all__ = ["Settings", "build", "caption_step", "question_steps"]

Role: TypeAlias = Literal["caption", "reason"]


class Settings(BaseModel):
    """What the recipe does. Lengths are in seconds, ``max_pixels`` is a frame's."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    clip_seconds: float = Field(default=10.0, ge=1.0)
    """Length of a clip; with ``scenes`` the longest a scene may be before it is divided."""
    scenes: bool = False
    """Clips begin and end where scenes do."""
    materialize: bool = False
    """Write a file for every clip; without it a clip is only a span of its video."""
    caption_fps: float = Field(default=2.0, gt=0)
    max_frames: int = Field(default=32, ge=1)
    max_pixels: int = Field(default=360 * 420, ge=28 * 28)
    ocr: bool = False
    """Read the writing in the pictures too and put it into the captioner's prompt beside the subtitles."""
    caption_max_tokens: int = Field(default=4096, ge=1)
    min_captioned_share: float = Field(default=0.8, ge=0, le=1)
    """A video of which less has a caption is dropped."""
    question_types: tuple[Literal["temporal", "goal", "plot", "spatial"], ...] = ("temporal", "goal", "plot", "spatial")
    questions_per_type: int = Field(default=1, ge=1)
    temperature: float = Field(default=0.6, ge=0)
    """Of the reasoning model; captions are written at 0."""
    max_tokens: int = Field(default=32768, ge=1)
    """Of the reasoning model's reply, its thinking included."""
    repairs: int = Field(default=1, ge=0)
    """How often a reply that cannot be used is shown to the model again."""
    reformat: bool = False
    """Have the reasoning rewritten as fluent text; without it the reasons are joined as they are."""


def build(settings: Settings, models: Callable[[Role], Model]) -> list[Step]:
    """The steps after ``source``. Raises `ConfigError`, and `MissingExtraError` where ``ocr`` is not installed."""
    reasoner = models("reason")
    steps = [
        split(clip_seconds=settings.clip_seconds, scenes=settings.scenes, materialize=settings.materialize),
        caption_step(models("caption"), settings),
        merge(min_captioned_share=settings.min_captioned_share),
        *question_steps(reasoner, settings),
        parse(
            reasoner,
            num_options=len(LETTERS),
            repairs=settings.repairs,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
        ),
    ]
    if settings.reformat:
        steps.append(reformat(reasoner, repairs=settings.repairs))
    return steps


def caption_step(model: Model, settings: Settings) -> Step:
    """Raises `MissingExtraError` where ``ocr`` is not installed."""
    if settings.ocr and not writing.available():
        raise MissingExtraError("ocr=true reads the writing in the pictures, which needs: pip install 'longtake[ocr]'")
    return caption(
        model,
        fps=settings.caption_fps,
        max_frames=settings.max_frames,
        max_pixels=settings.max_pixels,
        ocr=settings.ocr,
        max_tokens=settings.caption_max_tokens,
    )


def question_steps(model: Model, settings: Settings) -> list[Step]:
    """From a captioned video to replies that hold a question each."""
    return [
        plan(question_types=settings.question_types, questions_per_type=settings.questions_per_type),
        reason(model, temperature=settings.temperature, max_tokens=settings.max_tokens),
    ]
