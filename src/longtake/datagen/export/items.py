"""What the end of a chain says about one question: the question, its video, and a trace or a blind test if there are.

Reads records; makes nothing. Exports, measures and the report all begin here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import orjson
from pydantic import TypeAdapter, ValidationError

from ...agents.prompt import LETTERS
from ...errors import StoreError
from ...types import JSON, Score, Trace
from ..step import Record, Value
from ..values import Caption, Question, Source

__all__ = ["BlindTest", "Item", "captions_of", "read_item"]

# made once: making one takes longer than reading a thousand records with it
_SOURCE = TypeAdapter(Source)
_QUESTION = TypeAdapter(Question)
_TRACE = TypeAdapter(Trace)
_SCORES = TypeAdapter(tuple[Score, ...])
_CAPTIONS = TypeAdapter(tuple[Caption, ...])


@dataclass(frozen=True, slots=True)
class BlindTest:
    """How often a model that saw nothing of the video was right: ``right`` of the ``usable`` of ``tries``, and what it
    said. A try is usable if it gave a verdict: an answer, be it none of the options, or that there is none."""

    tries: int
    usable: int
    right: int
    answers: tuple[str, ...] = ()


_BLIND = TypeAdapter(BlindTest)


@dataclass(frozen=True, slots=True)
class Item:
    """One question about one video. ``id`` is that of the record at the end of the chain."""

    id: str
    source: Source
    question: Question
    trace: Trace | None = None
    scores: tuple[Score, ...] = ()
    blind: BlindTest | None = None

    @property
    def letter(self) -> str | None:
        """The right option's letter; None for an open question, or when the answer names no option."""
        index = self.right
        return None if index is None else LETTERS[index]

    @property
    def right(self) -> int | None:
        """The place of the right option; None as for ``letter``."""
        known = LETTERS[: len(self.question.options)]
        answer = self.question.answer.strip()
        return known.index(answer) if len(answer) == 1 and answer in known else None


def read_item(record: Record) -> Item:
    """Reads the chain from its end back to the nearest question. Raises `StoreError` when there is none.

    Values are loaded anew and not kept, so a million records can be read one after the other."""
    trace: Trace | None = None
    scores: tuple[Score, ...] = ()
    blind: BlindTest | None = None
    at: Record | None = record
    while at is not None:
        value = at.value
        try:
            if isinstance(value.get("question"), str) and "answer" in value:
                question = _QUESTION.validate_python(dict(value))
                source = _SOURCE.validate_python(dict(at.find("source").value))
                return Item(record.id, source, question, trace, scores, blind)
            if "trace" in value and trace is None:
                trace = _TRACE.validate_json(orjson.dumps(value["trace"]))
                scores = _SCORES.validate_python(value.get("scores", ()))
            if "tries" in value and blind is None:
                blind = _BLIND.validate_python(dict(value))
        except ValidationError as e:
            raise StoreError(f"the record {at.step} {at.id} cannot be read: {e}") from e
        at = at.parents[0] if at.parents else None
    raise StoreError(f"the record {record.step} {record.id} comes from no question; export the end of a recipe's chain")


def captions_of(record: Record) -> tuple[Caption, ...]:
    """The captions of the record's video: the nearest ``captions`` or ``events`` before it; () without any."""
    at: Record | None = record
    while at is not None:
        found = _listed(at.value)
        if found is not None:
            return _CAPTIONS.validate_python(found)
        at = at.parents[0] if at.parents else None
    return ()


def _listed(value: Value) -> list[JSON] | None:
    for name in ("captions", "events"):
        held = value.get(name)
        if isinstance(held, list):
            return [_timed(cast("Mapping[str, JSON]", entry)) for entry in held if isinstance(entry, dict)]
    return None


def _timed(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: entry.get(name) for name in ("start_time", "end_time", "caption")}
