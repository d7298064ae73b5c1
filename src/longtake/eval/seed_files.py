"""Results in the files that users of the seed projects know, made from an evaluation's folder at any time of a run.

What is in them is what is known: a question without an answer is there without one, and numbers are those of
`metrics`, withheld where they are.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from ..agents.loop import conversation
from ..agents.prompt import question_block
from ..errors import ConfigError, LongtakeError, StoreError
from ..scoring.choice import extract_choice
from ..scoring.grounding import clip_of, same_clip
from ..store import write_atomic
from ..types import JSON, Message, Trace
from .items import Item
from .regrade import Opened, metrics_of, open_evaluation
from .store import read_manifest

__all__ = ["Unified", "write_baseline", "write_longvideo_reason", "write_unified", "written_meanwhile"]

log = logging.getLogger(__name__)

_EVERY_SECONDS = 30.0
_SHARE_OF_TIME = 0.05
"""Writing takes no more of the time than this."""


@contextmanager
def written_meanwhile(
    root: Path, write: Callable[[Opened], object], *, every_seconds: float = _EVERY_SECONDS
) -> Generator[None]:
    """While the block runs an evaluation in ``root``, ``write`` is called with it now and then, and when it ends,
    however that is; not where the folder could not be used. The last call raises what ``write`` raises."""
    stop = threading.Event()

    def go() -> None:
        pause = every_seconds
        while not stop.wait(pause):
            began = time.monotonic()
            _write_quietly(root, write)
            pause = max(every_seconds, (time.monotonic() - began) / _SHARE_OF_TIME)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    try:
        yield
    except (ConfigError, StoreError):
        _end(thread, stop)
        raise
    except BaseException:
        _end(thread, stop)
        _write_quietly(root, write)
        raise
    _end(thread, stop)
    write(asyncio.run(open_evaluation(root)))


def _end(thread: threading.Thread, stop: threading.Event) -> None:
    stop.set()
    thread.join()


def _write_quietly(root: Path, write: Callable[[Opened], object]) -> None:
    try:
        if read_manifest(root) is not None:
            write(asyncio.run(open_evaluation(root)))
    except (LongtakeError, OSError) as e:
        log.warning("the results so far could not be written: %s", e)


# ---------------------------------------------------------------------------------------------- LongVideoAgent


@dataclass(frozen=True, slots=True)
class Unified:
    """What the summary of LongVideoAgent's unified evaluation tells of the run. ``first_usage``: what the first
    groundings cost, which were made before it."""

    dataset: str
    checkpoint_step: str
    main_model: str
    max_turn: int
    first_usage: Mapping[str, JSON]


def write_unified(opened: Opened, told: Unified, path: Path, detailed: Path | None) -> None:
    """The summary, and where ``detailed`` is given every conversation. Raises `StoreError`."""
    traces = {item.sample.id: trace for item, trace in _rows(opened) if trace is not None}
    grounded = [item for item in opened.items.values() if item.clip is not None]
    right = [item for item in grounded if same_clip(_first_clip(traces.get(item.sample.id)), item.clip or "")]
    metrics = metrics_of(opened)
    num_completed = sum(trace.answer is not None for trace in traces.values())
    num_turns = [len(trace.turns) for trace in traces.values()]
    measures = cast("dict[str, Any]", metrics["measures"])
    body: dict[str, JSON] = {
        "dataset": told.dataset,
        "checkpoint_step": told.checkpoint_step,
        "model_path": told.main_model,
        "total": len(opened.items),
        "max_turn": told.max_turn,
        "metadata": {
            "avg_turns": sum(num_turns) / len(num_turns) if num_turns else 0.0,
            "vision_calls_total": _num_calls(traces.values(), "look"),
            "grounding_calls_total": _num_calls(traces.values(), "ground"),
            "completed_questions": num_completed,
            "completion_rate": num_completed / len(opened.items),
            **_accuracy(metrics),
            "grounding_accuracy": measures["clip"]["mean"] if "clip" in measures else None,
            "first_grounding_accuracy": len(right) / len(grounded) if grounded else None,
            "first_grounding_usage": dict(told.first_usage),
        },
        "results": [_unified_row(item, trace) for item, trace in _rows(opened)],
    }
    _put(path, body)
    if detailed is not None:
        _put(detailed, [_conversation(item, trace) for item, trace in _rows(opened)])


def _unified_row(item: Item, trace: Trace | None) -> JSON:
    return {
        "qid": item.sample.id,
        "vid": (clip_of(trace) if trace is not None else None) or item.video_name,
        "question": item.sample.question,
        "num_turns": len(trace.turns) if trace is not None else 0,
        "final_answer": _option(item, trace),
        "predicted_clip": _first_clip(trace),
    }


def _conversation(item: Item, trace: Trace | None) -> JSON:
    messages = conversation(trace) if trace is not None else []
    return {
        "qid": item.sample.id,
        "vid": (clip_of(trace) if trace is not None else None) or item.video_name,
        "question": item.sample.question,
        "conversation_history": "\n".join(_said(message) for message in messages),
        "last_llm_response": _response(trace),
    }


def write_baseline(opened: Opened, path: Path) -> None:
    """The file of LongVideoAgent's API baseline. Raises `StoreError`."""
    results: list[JSON] = [
        {
            "qid": item.sample.id,
            "vid": item.clip or item.video_name,
            "question": item.sample.question,
            "final_answer": _option(item, trace),
        }
        for item, trace in _rows(opened)
    ]
    _put(path, {"total": len(opened.items), "metadata": _accuracy(metrics_of(opened)), "results": results})


def _first_clip(trace: Trace | None) -> str:
    """Where the first grounding led, "" if nowhere."""
    return str((trace.config.get("first_clip") if trace is not None else None) or "")


def _num_calls(traces: Any, tool: str) -> int:
    return sum(call.name == tool for trace in traces for turn in trace.turns for call in turn.calls)


def _option(item: Item, trace: Trace | None) -> str:
    """The answer as their data name options, ``a2``; as it was given where it names none, "" for none."""
    if trace is None or trace.answer is None:
        return ""
    index = extract_choice(trace.answer.text, item.sample.choices) if item.sample.choices else None
    return trace.answer.text if index is None else f"a{index}"


# -------------------------------------------------------------------------------------------- LongVideo-Reason


def write_longvideo_reason(opened: Opened, folder: Path) -> None:
    """The files of LongVideo-Reason's test: one a question (theirs are one a video, so that questions on the same
    video overwrite each other), ``outputs.jsonl`` with all, ``metrics.json``. Raises `StoreError`."""
    rows = list[bytes]()
    for item, trace in _rows(opened):
        if trace is None:
            continue
        video_id = item.video_name.split("/")[-1].split(".")[0]
        row: dict[str, JSON] = {
            "video_id": video_id,
            "problem_id": item.sample.id,
            "question": question_block(item.sample),
            "response": _response(trace),
            "answer": item.sample.metadata.get("gold"),
        }
        rows.append(orjson.dumps(row))
        name = re.sub(r"[^\w.-]+", "_", f"{video_id}.{item.sample.id}")
        _put(folder / f"{name}.json", row)
    metrics = metrics_of(opened)
    measures = cast("dict[str, Any]", metrics["measures"])
    write_atomic(folder / "outputs.jsonl", b"".join(row + b"\n" for row in rows))
    shown = _accuracy(metrics)
    _put(
        folder / "metrics.json",
        {**shown, "format_accuracy": measures["format"]["mean"] if "format" in measures else None},
    )


# ------------------------------------------------------------------------------------------------- all of them


def _rows(opened: Opened) -> Sequence[tuple[Item, Trace | None]]:
    """Every question, with its run if the agent was let run to its end."""
    ended = {id_: opened.ended.get((id_, 0)) for id_ in opened.items}
    return [
        (item, how.trace if (how := ended[id_]) is not None and how.status == "ended" else None)
        for id_, item in opened.items.items()
    ]


def _accuracy(metrics: Mapping[str, Any]) -> dict[str, JSON]:
    """``accuracy`` is over the questions with a verdict, None where too few have one; the bounds count the others as
    wrong and as right."""
    headline = metrics["headline"]
    column = headline["column"]
    return {
        "accuracy": headline["value"],
        "why_no_accuracy": headline["why"],
        "accuracy_bounds": metrics["bounds"].get(column),
        "accuracy_interval": metrics["interval"].get(column),
        "accuracy_by_scorer": metrics["accuracy"],
        "coverage": metrics["coverage"],
        "no_verdict": metrics["no_verdict"],
    }


def _response(trace: Trace | None) -> str:
    return trace.turns[-1].output.text if trace is not None and trace.turns else ""


def _said(message: Message) -> str:
    calls = "".join(f"\n[{call.name} {dict(call.arguments)}]" for call in message.tool_calls)
    return f"{message.role}: {message.text}{calls}"


def _put(path: Path, body: JSON) -> None:
    """Written only where it says something else than before."""
    data = orjson.dumps(body, option=orjson.OPT_INDENT_2)
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
