"""The nouns of an evaluation: a question of a benchmark with its gold, and what became of it. Values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from ..scoring.looked import Looked
from ..types import Sample, Score, Usage

__all__ = ["CAUSES", "Cause", "Graded", "Item", "Kind", "Malformed"]

Kind: TypeAlias = Literal["choice", "text", "number", "span"]
"""What is asked for: one of the options, words, a number, a stretch of time."""

Cause: TypeAlias = Literal[
    "transport", "request", "video", "truncated", "refused", "abstained", "gold", "judge", "scorer", "not run"
]
"""Why there is no verdict: the model was not reached; it was, and its server would not take this request, being too
long for example; the video is missing or cannot be decoded; the reply was cut off
before an answer; the model or its server refused; the agent said that it cannot tell; the data have no answer; the
judge gave no verdict; the scorer gave none, or there is none for such a question; nothing was tried yet."""

CAUSES: tuple[Cause, ...] = get_args(Cause)


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark.

    ``sample.id`` is unique in the benchmark; ``sample.video`` is the path that was found, "" if none was;
    ``sample.choices`` are bare texts, and then ``sample.target`` is the letter of the right one. A span that is asked
    for is in ``sample.target_spans``, as are gold spans that only say where the answer is. ``video_id`` is shared by
    questions about the same video (they are not independent), ``video_name`` is what the data call it. ``strata``:
    name -> the values that this question has of it. ``clip``: the id of the clip that holds the answer."""

    sample: Sample
    kind: Kind
    video_id: str
    video_name: str = ""
    strata: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    clip: str | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that cannot be used, or is odd. ``row`` counts the rows of ``source`` (a file or split) from 1, whatever
    the form of the file: a header and empty lines are none. 0: what is said is of all of ``source``, a video or a
    question."""

    source: str
    row: int
    reason: str

    @property
    def place(self) -> str:
        return f"{self.source}, row {self.row}" if self.row else self.source


@dataclass(frozen=True, slots=True)
class Graded:
    """What became of an item in one epoch.

    ``cause`` is None when the agent answered. ``unreadable``: its replies could not be read, or the answer states
    nothing of the kind that was asked for (no option, no number), which is wrong.
    ``scores`` by column: ``strict``, ``lenient``, ``judge`` where they apply, and measures such as ``temporal_iou``,
    ``format``, ``clip``. A score without a value is no verdict of that column."""

    id: str
    epoch: int
    video_id: str
    kind: Kind
    strata: Mapping[str, tuple[str, ...]]
    cause: Cause | None
    scores: Mapping[str, Score]
    answer: str | None = None
    unreadable: bool = False
    error: str | None = None
    looked: Looked | None = None
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    def why_not(self, column: str) -> Cause:
        """Why there is no verdict in ``column``, for a question without one."""
        return self.cause or ("judge" if column == "judge" else "scorer")
