"""Ends of recipe chains made by hand: questions and traces about videos that need not exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from fake_context import record

from longtake.datagen.step import Record
from longtake.datagen.values import Caption, CaptionedVideo, Question, as_value
from longtake.datagen.values import Source as SourceVideo
from longtake.types import (
    Answer,
    Frames,
    Message,
    ModelOutput,
    Sample,
    Score,
    TimeSpan,
    ToolCall,
    ToolResult,
    Trace,
    Turn,
    VideoInfo,
    to_json,
)

OPTIONS = ("a red kite", "a blue boat", "a green bus", "a white dog")
CHOICE = Question(
    "What passes the window after the rain?",
    "B",
    OPTIONS,
    "temporal",
    (TimeSpan(12.0, 20.0),),
    reasoning="Rain stops at noon, and then the boat comes by.",
)
OPEN = Question("Who opens the door?", "the old sailor", reasoning="He holds the key.", question_type="plot")


def source(name: str = "film", *, video: str | None = None, fingerprint: str = "f" * 32) -> Record:
    value = SourceVideo(name, video or f"{name}.mp4", fingerprint, 1000, 60.0, 25.0, 640, 360)
    return record("source", as_value(value), id=name, video=name)


def captioned(parent: Record, num_clips: int = 6) -> Record:
    clips = tuple(Caption(10.0 * i, 10.0 * i + 10, f"Clip {i} shows something.") for i in range(num_clips))
    value = CaptionedVideo(parent.id, clips)
    return record("merge", as_value(value), id=parent.id, video=parent.id, parents=[parent])


def asked(question: Question = CHOICE, *, id: str = "film/0000", parent: Record | None = None) -> Record:
    parent = parent or captioned(source(id.split("/")[0]))
    return record("parse", as_value(question), id=id, video=parent.video, parents=[parent])


def blind_tested(parent: Record, right: int, usable: int = 4) -> Record:
    """``right`` of the ``usable`` of four tries."""
    value = {"tries": 4, "usable": usable, "right": right, "answers": ["B"] * 4}
    return record("blind", value, id=parent.id, video=parent.video, parents=[parent])


def look(start: object = 12.0, end: object = 20.0, *, name: str = "crop_video", **more: Any) -> ToolCall:
    arguments: dict[str, Any] = {"start_time": start, "end_time": end, **more}
    return ToolCall("call00000", name, arguments)


def seen(fingerprint: str, seconds: Sequence[float], size: tuple[int, int] = (56, 28)) -> ToolResult:
    frames = Frames(np.array(seconds), size[0], size[1], fingerprint)
    return ToolResult("call00000", (f"{len(seconds)} frames:", frames), seconds=0.3)


def turn(text: str, *calls: ToolCall, results: Sequence[ToolResult] = (), **more: Any) -> Turn:
    output = ModelOutput(Message("assistant", (text,), calls), "strong", seconds=1.5, cached=True)
    return Turn(output, calls, tuple(results), **more)


def traced(
    turns: Sequence[Turn],
    *,
    answer: str | None = "B",
    parent: Record | None = None,
    uri: str = "/somewhere/videos/film.mp4",
) -> Record:
    """A trace record whose question is ``parent``'s; the run knew the video as ``uri``."""
    parent = parent or asked()
    question, file = parent.read(Question), parent.find("source").read(SourceVideo)
    sample = Sample("x", uri, question.question, question.options, target=question.answer)
    info = VideoInfo(uri, file.fingerprint, 60.0, 25.0, None, 640, 360, "h264", False)
    stop = ("answered", None) if answer else ("max_turns", "no answer within 5 turns")
    trace = Trace(
        sample, info, "crop", "strong", {}, (Message("system", ("Look.",)),), tuple(turns),
        Answer(answer) if answer else None, stop[0], stop[1],
    )  # fmt: skip
    scores = [orjson.loads(to_json(Score("choice", 1.0, "answered B, right is B")))]
    value = {"trace": orjson.loads(to_json(trace)), "scores": scores}
    return record("trace", value, id=parent.id, video=parent.video, parents=[parent])


def good_turns(fingerprint: str = "f" * 32, seconds: Sequence[float] = (12.0, 13.0)) -> list[Turn]:
    first = "<think>The rain ends early.</think>"
    last = "<think>It is a boat.</think><answer>B</answer>\n<evidence>12 - 20 s: a boat</evidence>"
    return [turn(first, look(), results=[seen(fingerprint, seconds)]), turn(last)]
