"""`longtake demo`: makes the sample video, asks its three questions, sets the answers beside the truth."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...agents.ask import AskSettings, ask_async
from ...agents.loop import OnEvent
from ...scoring.scorers import choice, contains
from ...types import Sample, Score, Trace
from ..show import answer_json, answer_text

__all__ = ["DemoAnswer", "ask_demo", "demo_json"]


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """One question of the demo, the run that answered it and what it scored."""

    sample: Sample
    trace: Trace
    score: Score
    trace_path: Path

    @property
    def truth(self) -> str:
        return self.sample.target or ""

    @property
    def span_is_right(self) -> bool:
        """Whether a span of the answer's evidence contains the middle of the true span."""
        true = self.sample.target_spans[0]
        return any((true.start + true.end) / 2 in evidence.span for evidence in self.trace.evidence)


def ask_demo(sample: Sample, folder: Path, *, on_event: OnEvent) -> DemoAnswer:
    """Asks one question of the sample video with the embedded default; the run is saved in ``folder``.

    The agent gets the question and its choices alone: the truth stays here."""
    saved = folder / sample.id
    trace = asyncio.run(
        ask_async(
            sample.video,
            sample.question,
            choices=sample.choices,
            settings=AskSettings(),
            save=saved,
            on_event=on_event,
        )
    )
    score = (choice if sample.choices else contains)(trace, sample)
    return DemoAnswer(sample, trace, score, saved / "trace.json")


def demo_json(answer: DemoAnswer) -> dict[str, Any]:
    """The object a question gets in ``--json``."""
    true = answer.sample.target_spans[0]
    return {
        "question": answer.sample.question,
        "choices": list(answer.sample.choices),
        "truth": answer.truth,
        "true_span": {"start": true.start, "end": true.end},
        **answer_json(answer.trace, str(answer.trace_path)),
        "answer": answer_text(answer.trace) or None,
        "answer_is_right": answer.score.value == 1.0,
        "span_is_right": answer.span_is_right,
    }
