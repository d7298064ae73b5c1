"""The way of records through steps. Reads and decides nothing itself: `Apply` says what a step makes of its inputs.

What comes out of a step stands in the order of what went in, whatever was finished first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from .step import Outcome, Record, Step, key_of, value_digest
from .store import StepStore

__all__ = ["Apply", "Look", "flow", "is_open", "known", "records_of"]

T = TypeVar("T")
Apply = Callable[[Step, tuple[Record, ...]], Awaitable["list[Record] | None"]]
"""What a step makes of its inputs, [] for nothing; None while that is not known."""

Look = Callable[[Step, str, tuple[Record, ...], "Outcome | None"], None]
"""Is shown every input of every step with its key, and its outcome if there is one."""


async def flow(apply: Apply, steps: Sequence[Step], records: Sequence[Record]) -> tuple[list[Record], bool]:
    """Sends the records of one video through ``steps``: what comes out at the end, and whether something is missing.

    A step that gathers waits until all before it is known."""
    waiting, left = False, list(records)
    at = 0
    while at < len(steps) and left:
        if steps[at].gathers:
            made = None if waiting else await apply(steps[at], tuple(left))
            if made is None:
                return [], True
            left, at = made, at + 1
            continue
        end = next((n for n in range(at, len(steps)) if steps[n].gathers), len(steps))
        branches = [_through(apply, steps[at:end], record) for record in left]
        results = [await branches[0]] if len(branches) == 1 else await _together(branches)
        left = [record for made, _ in results for record in made]
        waiting |= any(missing for _, missing in results)
        at = end
    return left, waiting


async def _through(apply: Apply, steps: Sequence[Step], record: Record) -> tuple[list[Record], bool]:
    made = await apply(steps[0], (record,))
    if made is None:
        return [], True
    return (made, False) if len(steps) == 1 or not made else await flow(apply, steps[1:], made)


async def _together(branches: Iterable[Awaitable[T]]) -> list[T]:
    """All of them side by side; the first error ends the others."""
    tasks = [asyncio.ensure_future(branch) for branch in branches]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def records_of(step: Step, inputs: tuple[Record, ...], outcome: Outcome) -> list[Record]:
    """What came out of ``inputs`` as records of their own."""
    parents = [record.digest for record in inputs if record.parents]  # of a root only what came out of it counts
    made = list[Record]()
    for number, value in enumerate(outcome.values):
        id_ = step.id_of(inputs, number)
        name = value_digest(id_, value, parents)
        made.append(Record(step.name, id_, inputs[0].video, name, inputs, lambda value=value: value))
    return made


def known(stores: Mapping[str, StepStore], look: Look) -> Apply:
    """Reads what is in the journals and does nothing; ``look`` is shown every input of every step."""

    async def apply(step: Step, inputs: tuple[Record, ...]) -> list[Record] | None:
        key = key_of(step.hash, [record.digest for record in inputs])
        outcome = stores[step.name].find(key)
        look(step, key, inputs, outcome)
        return None if outcome is None or is_open(outcome) else records_of(step, inputs, outcome)

    return apply


def is_open(outcome: Outcome) -> bool:
    """It failed, and the next run tries it again."""
    return outcome.status == "failed" and not outcome.permanent
