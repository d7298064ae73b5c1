"""What became of records, counted; and what a run may spend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import ConfigError, SpendCapError
from ..types import Usage
from .step import Outcome

__all__ = ["Limits", "StepCount", "Tally"]


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


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_in_flight``: records worked on at once. ``max_cost_usd`` and ``max_tokens``: no model call is begun past
    them; they count what ``spent_before`` cost too."""

    max_in_flight: int = 64
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    spent_before: Usage = field(default_factory=Usage)
    retry_failed: bool = False
    """Also tries again what failed for good."""

    def __post_init__(self) -> None:
        if self.max_in_flight < 1:
            raise ConfigError(f"max_in_flight must be at least 1, got {self.max_in_flight}")

    def check(self, spent: Usage) -> None:
        """Raises `SpendCapError` when no call may be begun any more."""
        total = self.spent_before + spent
        tokens = total.input_tokens + total.output_tokens
        if self.max_tokens is not None and tokens >= self.max_tokens:
            raise SpendCapError(f"{tokens} tokens are spent, {self.max_tokens} allowed; raise --max-tokens to go on")
        if self.max_cost_usd is None:
            return
        if total.cost_usd is None:
            raise SpendCapError("--max-cost needs prices, and a call had none; set LONGTAKE_PRICES to a price table")
        if total.cost_usd >= self.max_cost_usd:
            raise SpendCapError(
                f"{total.cost_usd:.2f} USD are spent, {self.max_cost_usd:.2f} allowed; raise --max-cost to go on"
            )
