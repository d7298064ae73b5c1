"""From what a chain says about one question to a row of training data in one of the published forms.

Pure but for frames, whose addresses are given by the caller. What a form cannot say is refused with a reason; nothing
is filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import orjson

from ...errors import RejectedError
from ...types import JSON, Trace, to_json
from ..values import Question
from .conversation import ask_text, conversation, problem_text, system_text
from .frame_urls import FrameUrls
from .items import Item
from .marks import scrubbed
from .rows import FormName

__all__ = ["FORMS", "Row"]

Row = dict[str, JSON]
_DATA_SOURCE = "longtake"
_VERL_LOOK: Mapping[str, JSON] = {"fps": 1.0, "min_frames": 1, "max_frames": 512, "max_pixels": 224 * 224}
"""How much of a video a policy sees at first: LongVT's overview."""


def _problem(item: Item, index: int, urls: FrameUrls) -> Row:
    del index, urls
    return {**_asked(item), "reasoning": _reasoning(item.question)}


def _grpo(item: Item, index: int, urls: FrameUrls) -> Row:
    del index, urls
    return _asked(item)


def _chat(item: Item, index: int, urls: FrameUrls) -> Row:
    del index, urls
    video: Row = {"type": "video_url", "video_url": {"url": item.source.video}}
    question: Row = {"type": "text", "text": problem_text(item.question)}
    reply = f"<think>{_reasoning(item.question)}</think><answer>{_answer(item)}</answer>"
    return {
        "id": item.id,
        "messages": [
            {"role": "user", "content": [video, question]},
            {"role": "assistant", "content": [{"type": "text", "text": reply}]},
        ],
    }


def _longvt(item: Item, index: int, urls: FrameUrls) -> Row:
    del index
    messages = orjson.dumps(conversation(item, urls)).decode()
    return {"id": item.id, "data_source": _DATA_SOURCE, "messages": messages}


def _verl(item: Item, index: int, urls: FrameUrls) -> Row:
    del urls
    answer = _answer(item)
    return {
        "data_source": _DATA_SOURCE,
        "prompt": [
            {"role": "system", "content": system_text()},
            {"role": "user", "content": "<video>" + ask_text(item)},
        ],
        "videos": [{"type": "video", "video": item.source.video, **_VERL_LOOK}],
        "ability": "video_qa",
        "reward_model": {"style": "rule" if item.question.options else "model", "ground_truth": answer},
        "extra_info": {
            "split": "train",
            "index": index,
            "id": item.id,
            "question": problem_text(item.question),
            "answer": answer,
            "video_segment": _segment(item.question),
            "need_tools_kwargs": True,
            "tools_kwargs": {"crop_video": {"create_kwargs": {"video_path": item.source.video}}},
        },
    }


def _trace(item: Item, index: int, urls: FrameUrls) -> Row:
    """The trace with its video named from the folder of videos on, its scores in the sample's metadata.

    Wall times and whether a reply came from a cache are left out: they differ from run to run."""
    del index, urls
    if item.trace is None:
        raise RejectedError("there is no trace; this form needs a recipe with a trace step")
    whole = cast("Row", orjson.loads(to_json(_timeless(item.trace))))
    moved = cast("Row", _moved(whole, item.trace.video.uri, item.source.video))
    sample = cast("Row", moved["sample"])
    scores: list[JSON] = [cast("JSON", orjson.loads(to_json(score))) for score in item.scores]
    metadata: Row = {**cast("Row", sample["metadata"]), "scores": scores}
    renamed: Row = {**sample, "id": item.id, "video": item.source.video, "metadata": metadata}
    moved["sample"] = renamed
    return moved


FORMS: Mapping[FormName, Callable[[Item, int, FrameUrls], Row]] = {
    "longvideo-reason": _problem,
    "chat": _chat,
    "grpo": _grpo,
    "verl": _verl,
    "longvt": _longvt,
    "traces": _trace,
}
"""What makes a row: of an item, its number among the rows, and what names frames. Raises `RejectedError`."""


def _asked(item: Item) -> Row:
    return {
        "problem_id": item.id,
        "problem": problem_text(item.question),
        "data_type": "video",
        "problem_type": item.question.question_type,
        "videos": item.source.video,
        "answer": f"<answer>{_answer(item)}</answer>",
    }


def _answer(item: Item) -> str:
    """The letter, or the words of an open answer."""
    if item.question.options:
        if item.letter is None:
            raise RejectedError("the answer names none of the options")
        return item.letter
    answer = scrubbed(item.question.answer, form=True).strip()
    if not answer:
        raise RejectedError("the answer is empty")
    return answer


def _segment(question: Question) -> list[JSON]:
    """Start and end of the longest span, the first of equal ones: LongVT's reward compares one crop with one segment,
    and what lies between two spans shows nothing."""
    longest = max(question.spans, key=lambda span: (span.duration, -span.start), default=None)
    return [] if longest is None else [longest.start, longest.end]


def _reasoning(question: Question) -> str:
    reasoning = scrubbed(question.reasoning, form=True).strip()
    if not reasoning:
        raise RejectedError("there is no reasoning; use a form without it, or a recipe that writes it")
    return reasoning


def _timeless(trace: Trace) -> Trace:
    turns = tuple(
        replace(
            turn,
            output=replace(turn.output, seconds=0.0, cached=False),
            results=tuple(replace(result, seconds=0.0) for result in turn.results),
        )
        for turn in trace.turns
    )
    return replace(trace, turns=turns, timings=type(trace.timings)())


def _moved(value: JSON, here: str, there: str) -> JSON:
    """``value`` with the path ``here`` as ``there``, wherever it stands in a text."""
    match value:
        case str():
            return value.replace(here, there) if here else value
        case list():
            return [_moved(part, here, there) for part in value]
        case dict():
            return {name: _moved(part, here, there) for name, part in value.items()}
        case _:
            return value
