"""The localisation ledger: where an agent looked, against where the answer is. Measures, no verdicts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..clock import split_span
from ..types import Frames, Sample, TimeSpan, ToolResult, Trace
from .grounding import union, union_iou

__all__ = ["Looked", "look"]


@dataclass(frozen=True, slots=True)
class Looked:
    """``hit``: some look shares time with a gold span; ``coverage``: the share of the gold seconds that was looked at;
    ``iou``: of the union of looks with the union of gold; all None where the question has no gold span, and for agents
    that have no tools to look with. Looks are what tools showed or said, the overview apart. ``num_frames`` is all
    frames decoded for the agent and its workers, ``num_gold_frames`` how many of the frames that are on record
    (overview included) lie in a gold span, ``shown`` the share of the gold spans of which a frame was shown, to a
    worker included."""

    num_looks: int
    looked_seconds: float
    num_frames: int
    num_gold_frames: int | None = None
    hit: bool | None = None
    coverage: float | None = None
    iou: float | None = None
    shown: float | None = None


_WITHOUT_TOOLS = ("blind", "direct", "ground")
"""Agents that are shown something, or nothing, and cannot look."""


def look(trace: Trace, sample: Sample) -> Looked:
    """Where the run looked, against the gold spans of ``sample`` (the run's own sample may be without gold).

    A look is a result of a tool that shows or tells what is in some stretch of the video, the words of a clip that
    grounding moved to included. A tool that refused or found nothing is none."""
    results = [result for turn in trace.turns for result in turn.results if result.error is None]
    looks = [spans for result in results if (spans := _shown(result))]
    seen = union([span for spans in looks for span in spans])
    seconds = sum(span.duration for span in seen)
    gold = union(sample.target_spans)
    if not gold:
        return Looked(len(looks), seconds, trace.usage.num_frames)
    frames = [float(seconds) for part in _on_record(trace, results) for seconds in part.seconds]
    in_gold = sum(any(second in span for span in gold) for second in frames)
    told = [span for result in results for span in _to_worker(result)]
    reached = [any(s in span for s in frames) or any(span.overlap(one) > 0 for one in told) for span in gold]
    found = Looked(len(looks), seconds, trace.usage.num_frames, in_gold, shown=sum(reached) / len(gold))
    if trace.agent in _WITHOUT_TOOLS:
        return found
    shared = sum(one.overlap(other) for one in seen for other in gold)
    return replace(
        found,
        hit=shared > 0,
        coverage=shared / sum(span.duration for span in gold),
        iou=union_iou(seen, gold) if seen else 0.0,
    )


def _shown(result: ToolResult) -> list[TimeSpan]:
    """What a result has evidence of, else the clip it names."""
    if result.evidence:
        return [evidence.span for evidence in result.evidence]
    for part in result.content:
        if isinstance(part, str) and part.startswith("<New_clip>") and (found := split_span(part)):
            return [found[0]]
    return []


def _on_record(trace: Trace, results: list[ToolResult]) -> list[Frames]:
    contents = [*(message.content for message in trace.opening), *(result.content for result in results)]
    return [part for content in contents for part in content if isinstance(part, Frames)]


def _to_worker(result: ToolResult) -> list[TimeSpan]:
    """Where a worker saw frames that are not on record: only what it said of them is."""
    if any(isinstance(part, Frames) for part in result.content):
        return []
    return [evidence.span for evidence in result.evidence if evidence.source == "frames"]
