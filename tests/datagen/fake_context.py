"""A `Context` without an engine, and records made by hand: what a step is tested with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from longtake.datagen.step import Record, Step, Value, value_digest
from longtake.datagen.values import Source, as_value
from longtake.errors import FormatError, RejectedError
from longtake.types import Model
from longtake.video.decode import Video

T = TypeVar("T")


class FakeContext:
    """Opens videos under ``videos``; nothing is journaled."""

    def __init__(self, folder: Path, videos: Path | None = None) -> None:
        self.folder = folder
        self._videos = videos or folder

    def journaled(self, model: Model) -> Model:
        return model

    async def open(self, source: Record) -> Video:
        return Video.open(self._videos / str(source.value["video"]))

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work)


def record(step: str, value: Value, *, id: str = "film", video: str = "film", parents: Sequence[Record] = ()) -> Record:
    return Record(step, id, video, value_digest(id, value), tuple(parents), value)


def source_record(path: Path, id: str | None = None) -> Record:
    """The `Source` of a video file, by its name in its folder."""
    info = Video.open(path).info
    source = Source(
        id or path.stem,
        path.name,
        info.fingerprint,
        path.stat().st_size,
        info.duration_seconds,
        info.average_fps,
        info.width,
        info.height,
        info.warnings,
    )
    return record("source", as_value(source), id=source.id, video=source.id)


def run_step(step: Step, records: Sequence[Record], ctx: FakeContext) -> list[Record]:
    """The records ``step`` makes of ``records``: of all of them together if it gathers, else of the only one."""
    inputs = tuple(records)
    values = asyncio.run(_run(step, inputs, ctx))
    made = [step.id_of(inputs, number) for number in range(len(values))]
    return [
        record(step.name, value, id=id, video=inputs[0].video, parents=inputs)
        for id, value in zip(made, values, strict=True)
    ]


def run_chain(steps: Sequence[Step], records: Sequence[Record], ctx: FakeContext) -> tuple[list[Record], list[str]]:
    """What comes out of the last step, and why the rest did not."""
    left, reasons = list(records), list[str]()
    for step in steps:
        made = list[Record]()
        for inputs in [left][: len(left)] if step.gathers else [[one] for one in left]:
            try:
                made += run_step(step, inputs, ctx)
            except (RejectedError, FormatError) as e:
                reasons.append(f"{step.name}: {e}")
        left = made
    return left, reasons


async def _run(step: Step, inputs: tuple[Record, ...], ctx: FakeContext) -> Sequence[Value]:
    return await step.run(inputs, ctx)
