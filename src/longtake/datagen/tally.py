"""What became of records, counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..types import Usage
from .step import Outcome

__all__ = ["StepCount", "Tally"]


@dataclass(slots=True)
class StepCount:
    """What became of the inputs of one step so far. ``known``: inputs that came up until now; ``active``: being worked
    on; ``usage``: of all that ended."""

    ok: int = 0
    rejected: int = 0
    invalid: int = 0
    failed: int = 0
    known: int = 0
    active: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        return self.ok + self.rejected + self.invalid + self.failed

    def add(self, outcome: Outcome) -> None:
        setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        self.usage += outcome.usage
        self.seconds += outcome.seconds


@dataclass(slots=True)
class Tally:
    """Counts by step, videos that are through, and what this process spent. Adds up over workers."""

    steps: dict[str, StepCount]
    num_videos: int = 0
    spent: Usage = field(default_factory=Usage)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def sum(cls, names: Iterable[str], parts: Iterable[Mapping[str, Any]]) -> Tally:
        """From several `as_json`."""
        total = cls({name: StepCount() for name in names})
        for part in parts:
            total.num_videos += part["num_videos"]
            total.spent += Usage(**part["spent"])
            for name, fields in part["steps"].items():
                count = total.steps[name]
                for status in ("ok", "rejected", "invalid", "failed", "known", "active", "seconds"):
                    setattr(count, status, getattr(count, status) + fields[status])
                count.usage += Usage(**fields["usage"])
        return total
