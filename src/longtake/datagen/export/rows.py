"""The rows that exports write, as types: they check every row and give the published JSON Schemas.

The schemas in ``schemas/`` are written by `write_schemas`, never by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, Json, TypeAdapter

from ...store import write_atomic
from ...types import JSON, Trace

__all__ = [
    "ROWS",
    "ChatRow",
    "FormName",
    "GrpoRow",
    "LongVTRow",
    "LongVideoReasonRow",
    "VerlRow",
    "row_schema",
    "write_schemas",
]

FormName: TypeAlias = Literal["longvideo-reason", "chat", "grpo", "verl", "longvt", "traces"]

Text: TypeAlias = Annotated[str, Field(min_length=1)]
TaggedAnswer: TypeAlias = Annotated[str, Field(pattern=r"^<answer>[^<]+</answer>$")]
VideoPath: TypeAlias = Annotated[
    str, Field(min_length=1, pattern=r"^[^/\\]", description="The video file, from the folder of videos on.")
]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LongVideoReasonRow(_Row):
    """LongVideo-Reason's released form: one question with its options, its reasoning and its answer."""

    problem_id: Text
    problem: Annotated[str, Field(min_length=1, description="The question; its lettered options on lines after it.")]
    data_type: Literal["video"]
    problem_type: Literal["temporal", "goal", "plot", "spatial", "detail"]
    reasoning: Text
    videos: VideoPath
    answer: TaggedAnswer


class GrpoRow(_Row):
    """LongVideo-Reason's form for GRPO: no reasoning, since the policy writes it."""

    problem_id: Text
    problem: Text
    data_type: Literal["video"]
    problem_type: Literal["temporal", "goal", "plot", "spatial", "detail"]
    videos: VideoPath
    answer: TaggedAnswer


# ---------------------------------------------------------------------------------------------- conversations


class Url(_Row):
    url: Text


class Picture(_Row):
    url: Annotated[
        str,
        Field(
            pattern=r"(#t=\d+(\.\d+)?(&xywh=percent:[0-9.,]+)?|\.jpg)$",
            description="A JPEG file, from this file's folder on, or FILE#t=SECONDS: the picture of that video then.",
        ),
    ]
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]


class TextPart(_Row):
    type: Literal["text"]
    text: str


class VideoPart(_Row):
    type: Literal["video_url"]
    video_url: Url


class ImagePart(_Row):
    type: Literal["image_url"]
    image_url: Picture


Part: TypeAlias = Annotated[TextPart | VideoPart | ImagePart, Field(discriminator="type")]


class ChatMessage(_Row):
    role: Literal["system", "user", "assistant", "tool"]
    content: Annotated[list[Part], Field(min_length=1)]


Messages: TypeAlias = Annotated[list[ChatMessage], Field(min_length=2)]


class ChatRow(_Row):
    """Messages for supervised training: the video and the question, then ``<think>`` and ``<answer>``."""

    id: Text
    messages: Messages


class LongVTRow(_Row):
    """LongVT's form (iMCoTT): thinking, calls of ``crop_video``, what came back, and the answer, as messages."""

    id: Text
    data_source: Text
    messages: Annotated[Json[Messages], Field(description="The messages as JSON text.")]


# ------------------------------------------------------------------------------------------- verl's RL rows


class VerlMessage(_Row):
    role: Literal["system", "user"]
    content: Text


class VerlVideo(_Row):
    type: Literal["video"]
    video: VideoPath
    fps: float
    min_frames: int
    max_frames: int
    max_pixels: int


class VerlReward(_Row):
    style: Literal["rule", "model"]
    ground_truth: Text


class VerlCreate(_Row):
    video_path: VideoPath


class VerlTool(_Row):
    create_kwargs: VerlCreate


class VerlTools(_Row):
    crop_video: VerlTool


class VerlExtra(_Row):
    split: Text
    index: int
    id: Text
    question: Text
    answer: Text
    video_segment: Annotated[
        list[float],
        Field(max_length=2, description="Start and end in seconds of what the answer rests on; empty if unknown."),
    ]
    need_tools_kwargs: bool
    tools_kwargs: VerlTools


class VerlRow(_Row):
    """verl's columns for reinforcement learning with the tool ``crop_video``."""

    data_source: Text
    prompt: Annotated[list[VerlMessage], Field(min_length=1)]
    videos: Annotated[list[VerlVideo], Field(min_length=1, max_length=1)]
    ability: Text
    reward_model: VerlReward
    extra_info: VerlExtra


ROWS: dict[FormName, TypeAdapter[object]] = {
    "longvideo-reason": TypeAdapter(LongVideoReasonRow),
    "chat": TypeAdapter(ChatRow),
    "grpo": TypeAdapter(GrpoRow),
    "verl": TypeAdapter(VerlRow),
    "longvt": TypeAdapter(LongVTRow),
    "traces": TypeAdapter(Trace),
}


def row_schema(form: FormName) -> dict[str, JSON]:
    """The JSON Schema (2020-12) of one row of the form."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ROWS[form].json_schema()}


def write_schemas(folder: Path) -> None:
    """Writes ``<form>.json`` for every form; run after a change of the types above."""
    for form in ROWS:
        write_atomic(folder / f"{form}.json", (json.dumps(row_schema(form), indent=2) + "\n").encode())


if __name__ == "__main__":
    write_schemas(Path(__file__).parent / "schemas")
