"""The localisation ledger: where an agent looked, against where the answer is. Measures, no verdicts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Looked"]


@dataclass(frozen=True, slots=True)
class Looked:
    """``hit``: some look shares time with a gold span; ``coverage``: the share of the gold seconds that was looked at;
    ``iou``: of the union of looks with the union of gold; all None where the question has no gold span. Looks are
    what tools showed or said, the overview apart. ``num_frames`` is all frames decoded for the agent and its workers,
    ``num_gold_frames`` how many of the frames that are on record (overview included) lie in a gold span."""

    num_looks: int
    looked_seconds: float
    num_frames: int
    num_gold_frames: int | None = None
    hit: bool | None = None
    coverage: float | None = None
    iou: float | None = None
