"""`CueList`: what reading one source of timed text gave."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import Cue

__all__ = ["CueList"]


@dataclass(frozen=True, slots=True)
class CueList:
    """Cues in order of time, and what was found wrong on the way, one sentence each."""

    cues: tuple[Cue, ...]
    warnings: tuple[str, ...] = ()
