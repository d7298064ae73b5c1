"""Outcomes of questions made for tests, and a run of them that draws its luck from a seed."""

from __future__ import annotations

import random
from typing import Any

from longtake.eval.items import Graded, Item
from longtake.scoring.looked import Looked
from longtake.types import Sample, Score, TimeSpan, Usage

KINDS = ("choice", "text")


def graded(id: str = "q0", video: str = "v0", *, epoch: int = 0, **given: Any) -> Graded:
    """A choice question; ``strict``, ``lenient``, ``judge`` and ``scores`` give values, None is no verdict."""
    scores = dict[str, float | None](given.pop("scores", {}))
    scores.update({name: given.pop(name) for name in ("strict", "lenient", "judge") if name in given})
    made = {n: Score(n, v, error="no verdict" if v is None else None) for n, v in scores.items()}
    settings = {"kind": "choice", "strata": {}, "cause": None, **given}
    return Graded(id, epoch, video, scores=made, **settings)


def verdicts(*values: float | None, videos: int = 0, column: str = "strict") -> list[Graded]:
    """A question a value, each about its own video, or about ``videos`` of them in turn."""
    return [
        graded(f"q{i}", f"v{i % videos if videos else i}", cause="transport" if v is None else None, scores={column: v})
        for i, v in enumerate(values)
    ]


def run_of(num_videos: int, *, accuracy: float = 0.6, seed: int = 0, epochs: int = 1, **usage: Any) -> list[Graded]:
    """Three questions a video, two of choice and one of words, some without a verdict, with looks and costs."""
    luck = random.Random(seed)
    made: list[Graded] = []
    for v in range(num_videos):
        ease = luck.betavariate(4 * accuracy, 4 * (1 - accuracy))
        for q in range(3):
            kind = "text" if q == 2 else "choice"
            strata = {"task": (("plot", "count", "order")[q],), "topics": ("sport", "news")[: 1 + v % 2]}
            for epoch in range(epochs):
                right, luckless = luck.random() < ease, luck.random()
                cause = "transport" if luckless < 0.01 else "abstained" if luckless < 0.03 else None
                verdict = None if cause else float(right)
                strict = None if cause else float(right and luck.random() < 0.9)
                scores = {"strict": strict, "lenient": verdict, "temporal_iou": None if cause else luck.random()}
                if kind == "text":
                    scores["judge"] = None if cause else float(right or luck.random() < 0.05)
                made.append(
                    graded(
                        f"v{v}/{q}",
                        f"v{v}",
                        epoch=epoch,
                        kind=kind,
                        strata=strata,
                        cause=cause,
                        error="the server closed the connection" if cause == "transport" else None,
                        answer=None if cause else "B" if kind == "choice" else "A red car stops at the bridge.",
                        scores=scores,
                        unreadable=not right and luck.random() < 0.05,
                        looked=Looked(2, 24.0, 40, 6, right, 0.5 if right else 0.0, 0.2 if right else 0.0, 1.0),
                        usage=Usage(3, 9000, 300, 40, **{"cost_usd": 0.004, **usage}),
                        seconds=4.5,
                    )
                )
    return made


def items_of(run: list[Graded]) -> dict[str, Item]:
    """The questions of a run, with options and gold."""
    found: dict[str, Item] = {}
    for one in run:
        number = int(one.id.split("/")[0][1:])
        choices = ("blue", "red", "green", "grey") if one.kind == "choice" else ()
        sample = Sample(
            one.id,
            f"{one.video_id}.mp4",
            f"What does the {('tall', 'old', 'quiet')[number % 3]} man do in part {number} of the film?",
            choices,
            target="B" if choices else "It stops at the bridge.",
            target_spans=(TimeSpan(10.0 + number, 22.0 + number),),
        )
        found[one.id] = Item(sample, one.kind, one.video_id, f"{one.video_id}.mp4", one.strata)
    return found
