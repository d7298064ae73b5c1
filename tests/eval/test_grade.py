"""What an answer becomes: a verdict, or none and why. A refusal is none only where the whole answer is one."""

from __future__ import annotations

from typing import Any

import pytest

from longtake.eval.data.benchmark import load_spec
from longtake.eval.grade import grade, is_judged
from longtake.eval.items import Graded, Item
from longtake.eval.store import Ended
from longtake.types import Answer, Message, ModelOutput, Sample, TimeSpan, Trace, Turn, VideoInfo

VIDEO = VideoInfo("v", "f", 100.0, 25.0, 2500, 64, 48, "h264", False)
DECLINES = [
    "I'm sorry, but I can't assist with that request.",
    "I cannot determine the colour from these frames.",
    "I'm sorry, I can't help with that. Please upload the video, or let me know if there is anything else!",
    "Unfortunately, I can't identify people. I am unable to describe them.",
]
ANSWERS = [
    "I cannot determine the exact shade, but the car is red.",
    "I can't identify the make. The car is red.",
    "I'm sorry, I can't determine who. B or C",
    "Safety",
    "RECITATION",
    "Forbidden",
]


def item_of(kind: Any, target: str) -> Item:
    choices = ("a cat", "a dog", "a bird") if kind == "choice" else ()
    spans = (TimeSpan(1, 2),) if kind == "span" else ()
    return Item(Sample("q", "v.mp4", "What?", choices, target=target, target_spans=spans), kind, "v")


def graded(kind: Any, target: str, text: str | None, reply: str = "") -> Graded:
    item = item_of(kind, target)
    answer = None if text is None else Answer(text)
    turns = (Turn(ModelOutput(Message("assistant", (reply,)), "m")),)
    stop = "answered" if answer else "format_error"
    trace = Trace(item.sample, VIDEO, "crop", "m", {}, (), turns, answer, stop)  # type: ignore[arg-type]
    ended = Ended("q", 0, "ok", trace=trace)  # type: ignore[arg-type]
    found = grade(item, 0, ended, load_spec("custom"))
    assert is_judged(item, ended) == (found.cause is None and answer is not None and kind != "span")
    return found


KINDS = [("choice", "B"), ("text", "blue"), ("number", "7"), ("span", "1 - 2")]


@pytest.mark.parametrize(("kind", "target"), KINDS)
@pytest.mark.parametrize("text", DECLINES)
def test_an_answer_that_only_declines_is_no_verdict_of_any_kind(kind: Any, target: str, text: str) -> None:
    assert graded(kind, target, text).cause == "refused"
    assert graded(kind, target, None, reply=text).cause == "refused"


@pytest.mark.parametrize(("kind", "target"), KINDS)
@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_that_says_more_is_wrong_where_it_is_wrong(kind: Any, target: str, text: str) -> None:
    found = graded(kind, target, text)
    assert (found.cause, found.scores["lenient"].value) == (None, 0.0)


@pytest.mark.parametrize(
    ("kind", "target", "text"),
    [
        ("text", "Safety", "Safety"),
        ("text", "I'm sorry, I can't do that", "I'm sorry, I can't do that."),
        ("span", "1 - 2", "I cannot give the exact times, but it happens from 1 s to 2 s."),
        ("choice", "B", "I'm sorry, but I cannot view the video. The best answer is B."),
        ("number", "7", "I cannot determine it exactly, but 7"),
    ],
)
def test_a_right_answer_that_sounds_like_a_refusal_is_right(kind: Any, target: str, text: str) -> None:
    assert graded(kind, target, text).scores["lenient"].value == 1.0


def test_what_a_server_sends_in_place_of_a_reply_is_a_refusal_outside_of_an_answer() -> None:
    assert graded("text", "blue", None, reply="PROHIBITED_CONTENT").cause == "refused"
    assert graded("text", "blue", None, reply="I can't identify the make. The car is red.").unreadable
