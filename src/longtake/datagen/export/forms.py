"""From what a chain says about one question to a row of training data in one of the published forms.

Pure but for frames, whose addresses are given by the caller. What a form cannot say is refused with a reason; nothing
is filled in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import orjson

from ...agents.prompt import LETTERS
from ...errors import RejectedError
from ...types import JSON, Trace, to_json
from ..values import Question
from .conversation import ask_text, conversation, problem_text, scrubbed, system_text
from .frame_urls import FrameUrls
from .items import Item
from .rows import FormName

__all__ = ["FORMS", "Row", "balanced"]

Row = dict[str, JSON]
_DATA_SOURCE = "longtake"
_VERL_LOOK: Mapping[str, JSON] = {"fps": 1.0, "min_frames": 1, "max_frames": 512, "max_pixels": 224 * 224}
"""How much of a video a policy sees at first: LongVT's overview."""
_A_AS_LETTER = re.compile(r"\b(?:options?|answers?|choices?|letters?)\W+(?:is\W+)?A\b|\(A\)|\bA[.):]")
_OTHER_OPTIONS = re.compile(r"\b(?:above|below|both|neither|(?:all|none) of)\b", re.IGNORECASE)


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
    answer, spans = _answer(item), item.question.spans
    segment: list[JSON] = [min(s.start for s in spans), max(s.end for s in spans)] if spans else []
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
            "video_segment": segment,
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
    if not answer or "<" in answer:
        raise RejectedError("the answer is empty or holds markup")
    return answer


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


# ------------------------------------------------------------------------------------------- letters in balance


def balanced(item: Item) -> Item | None:
    """The item with the right option at a place drawn from its id, so that over many items the letters are even.

    The other options keep their order. None when its words speak of letters or of the order of the options, or when
    there is a trace, whose conversation shows the options as they were."""
    options, right = item.question.options, item.right
    if right is None:
        return item
    place = int(hashlib.sha256(item.id.encode()).hexdigest(), 16) % len(options)
    if place == right:
        return item
    if item.trace is not None or _names_letters(item.question):
        return None
    others = [*options[:right], *options[right + 1 :]]
    moved = (*others[:place], options[right], *others[place:])
    return replace(item, question=replace(item.question, options=moved, answer=LETTERS[place]))


def _names_letters(question: Question) -> bool:
    """Whether the words of a question or its reasoning hold on to letters or to the order of the options."""
    texts = (question.question, question.reasoning, *question.options)
    known = "".join(LETTERS[1 : len(question.options)])
    letter = re.compile(rf"(?<![\w'’])[{known}](?![\w'’])") if known else _A_AS_LETTER
    if any(letter.search(text) or _A_AS_LETTER.search(text) for text in texts):
        return True
    return any(_OTHER_OPTIONS.search(option) for option in question.options)
