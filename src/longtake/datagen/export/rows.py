"""The rows that exports write, as types: they check every row and give the published JSON Schemas.

What a JSON Schema cannot say is checked here only: the order of messages, an answer that is none of the options. The
schemas in ``schemas/`` are written by `write_schemas`, never by hand.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, TypeAdapter, model_validator

from ...store import write_atomic
from ...types import JSON, Trace
from .marks import MARK

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

_END = r"(?![\s\S])"  # what $ means to some, a line break before the end to others
_SCHEME = r"(?:[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*:/|data:)"
_UPWARDS = rf"(?:[\s\S]*[/\\])?\.\.(?:[/\\]|{_END})"


def _unmarked(text: str) -> str:
    if found := MARK.search(text):
        raise ValueError(f"{found[0]!r} would be taken for a placeholder or a special token")
    return text


Text: TypeAlias = Annotated[str, Field(pattern=r"\S")]
Words: TypeAlias = Annotated[
    Text, AfterValidator(_unmarked), Field(json_schema_extra={"not": {"pattern": MARK.pattern}})
]
TaggedAnswer: TypeAlias = Annotated[
    str,
    Field(pattern=rf"^<answer>(?!\s*</answer>)(?:(?!</?answer>)[\s\S])+</answer>{_END}"),
    AfterValidator(_unmarked),
]
VideoPath: TypeAlias = Annotated[
    str,
    Field(
        pattern=rf"^(?!{_SCHEME})(?!{_UPWARDS})[^/\\]",
        description="The video file, from the folder of videos on: no absolute path, no ``..``, no scheme.",
    ),
]


class _Row(BaseModel):
    # the other engine has no lookahead
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, regex_engine="python-re")


class _Problem(_Row):
    """A question and its answer, which is one of the options if there are some."""

    problem_id: Text
    problem: Annotated[Words, Field(description="The question; its lettered options on lines after it.")]
    data_type: Literal["video"]
    problem_type: Literal["temporal", "goal", "plot", "spatial", "detail"]
    videos: VideoPath
    answer: TaggedAnswer

    @model_validator(mode="after")
    def _answer_is_an_option(self) -> Self:
        listed = re.findall(r"^([A-Z])\. ", self.problem, re.MULTILINE)
        said = self.answer.removeprefix("<answer>").removesuffix("</answer>")
        if "".join(listed).startswith("AB") and re.fullmatch("[A-Z]", said) and said not in listed:
            raise ValueError(f"the answer {said} is none of the options {', '.join(listed)}")
        return self


class LongVideoReasonRow(_Problem):
    """LongVideo-Reason's released form: one question with its options, its reasoning and its answer."""

    reasoning: Words


class GrpoRow(_Problem):
    """LongVideo-Reason's form for GRPO: no reasoning, since the policy writes it."""


# ---------------------------------------------------------------------------------------------- conversations


class Url(_Row):
    url: VideoPath


class Picture(_Row):
    url: Annotated[
        str,
        Field(
            pattern=rf"(#t=\d+(\.\d+)?(&xywh=percent:[0-9.,]+)?|\.jpg){_END}",
            description="A JPEG file, from this file's folder on, or FILE#t=SECONDS: the picture of that video then.",
        ),
    ]
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]


class TextPart(_Row):
    type: Literal["text"]
    text: Annotated[str, AfterValidator(_unmarked)]


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


def _ordered(messages: list[ChatMessage]) -> list[ChatMessage]:
    """A system message at most, the user with the one video, and from then on what is said, ending with words of the
    assistant. Tools speak after the assistant or each other, the assistant never twice in a row."""
    roles = [message.role for message in messages]
    first = roles[0] == "system"
    if roles[first : first + 2] != ["user", "assistant"] or roles[-1] != "assistant" or "system" in roles[1:]:
        raise ValueError(f"messages begin with system (or not), user, assistant, and end with assistant: {roles}")
    for before, after in pairwise(roles):
        if (before, after) in (("assistant", "assistant"), ("user", "tool"), ("user", "user")):
            raise ValueError(f"a message of {after} follows one of {before}")
    videos = [i for i, message in enumerate(messages) for part in message.content if part.type == "video_url"]
    if videos != [int(first)]:
        raise ValueError("the first message of the user holds the one video")
    for message in messages:
        if not any(part.type != "text" or part.text.strip() for part in message.content):
            raise ValueError(f"a message of {message.role} is empty")
    return messages


Messages: TypeAlias = Annotated[
    list[ChatMessage],
    Field(min_length=2, description="System or not, the user with the video, then assistant, tool and user in turns."),
    AfterValidator(_ordered),
]


class ChatRow(_Row):
    """Messages for supervised training: the video and the question, then ``<think>`` and ``<answer>``."""

    id: Text
    messages: Messages


class LongVTRow(_Row):
    """LongVT's form (iMCoTT): thinking, calls of ``crop_video``, what came back, and the answer, as messages."""

    id: Text
    data_source: Text
    messages: Annotated[
        Json[Messages],
        Field(description="The messages as JSON text.", json_schema_extra={"pattern": r"^\s*\[\s*\{[\s\S]*\}\s*\]"}),
    ]


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
    question: Words
    answer: Text
    video_segment: Annotated[
        list[float],
        Field(
            max_length=2,
            description="Start and end in seconds of what the answer rests on, the longest span if there are several;"
            " empty if unknown.",
        ),
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
