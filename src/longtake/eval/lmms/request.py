"""What a task of lmms-eval asks, as one question about one video, and which words of a run it scores. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...agents.replies import without_thinking
from ...errors import ConfigError
from ...types import Trace

__all__ = ["Request", "read_messages", "read_request", "scored_text"]

_WANTS_TAGS = re.compile(r"<answer>|\\boxed\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One question of a task. ``id`` names it in messages; ``until`` are strings that end an answer; ``repeat`` counts
    the times that the same question is asked in one run."""

    id: str
    video: str
    question: str
    temperature: float | None = None
    max_tokens: int | None = None
    until: tuple[str, ...] = ()
    repeat: int = 0


def read_messages(messages: Any, name: str) -> tuple[str, str]:
    """(video, question) of a task's chat messages: their text is the question as it stands.

    Raises `ConfigError`, naming the question by ``name``, unless they are about one whole video file."""
    videos, texts = list[str](), list[str]()
    for message in messages or ():
        if message["role"] not in ("system", "user"):
            raise ConfigError(f"{name}: its examples ({message['role']} messages) cannot be shown; use --num_fewshot 0")
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                texts.append(part["text"])
            elif part["type"] == "video" and isinstance(part["url"], str):
                if part.get("start_time") is not None or part.get("end_time") is not None:
                    raise ConfigError(f"{name}: it is about a part of a video; longtake is asked about whole files")
                videos.append(part["url"])
            else:
                raise ConfigError(f"{name}: it shows {part['type']} data; longtake answers questions about video files")
    if len(videos) != 1:
        raise ConfigError(f"{name}: it is about {len(videos)} videos; longtake answers questions about one")
    question = "\n\n".join(texts)
    if not question.strip():
        raise ConfigError(f"{name}: it has no text, so nothing is asked")
    return videos[0], question


def read_request(messages: Any, wishes: Mapping[str, Any], *, id: str, repeat: int) -> Request:
    """A question from chat messages and lmms-eval's generation settings (``until``, ``max_new_tokens``, ...).

    Settings that the agent's models do not take (beams, top_p) are left out. Raises `ConfigError`."""
    video, question = read_messages(messages, id)
    until = wishes.get("until") or ()
    temperature = wishes.get("temperature")
    if temperature is None and wishes.get("do_sample") is False:
        temperature = 0.0
    return Request(
        id,
        video,
        question,
        None if temperature is None else float(temperature),
        int(wishes.get("max_new_tokens") or wishes.get("max_gen_toks") or 0) or None,
        (until,) if isinstance(until, str) else tuple(until),
        repeat,
    )


def scored_text(question: str, trace: Trace) -> str | None:
    """The words that a task scores: the answer, or the whole last reply where the task itself asks for tags around
    answers, and so looks for them.

    A model that abstains or breaks the form has said something, which is scored as it stands. None where the model
    failed, was cut off or said nothing."""
    if trace.stop_reason not in ("answered", "abstained", "max_turns", "format_errors"):
        return None
    if trace.answer is not None and not _WANTS_TAGS.search(question):
        return trace.answer.text.strip() or None
    reply = trace.turns[-1].output.text
    return (reply if trace.answer is not None else without_thinking(reply)).strip() or None
