"""The way of records through steps. Reads and decides nothing itself: `Apply` says what a step makes of its inputs.

What comes out of a step stands in the order of what went in, whatever was finished first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from ..models.journaled import key_of
from .step import Outcome, Record, Step, value_digest
from .store import StepStore

__all__ = ["Apply", "Later", "Look", "flow", "is_open", "known", "records_of"]

T = TypeVar("T")
Later: TypeAlias = Callable[[], Awaitable[T]]
"""Called once and awaited, it does what is left to do."""

_Made: TypeAlias = list[Record] | None
_Way: TypeAlias = tuple[list[Record], bool]
"""What has come out, and whether something is missing."""

Apply = Callable[[Step, tuple[Record, ...]], "_Made | Later[_Made]"]
"""What a step makes of its inputs, [] for nothing; None while that is not known. What is known comes at once: a run
of a million records that is taken up does not make a task for each."""

Look = Callable[[Step, str, tuple[Record, ...], "Outcome | None"], None]
"""Is shown every input of every step with its key, and its outcome if there is one."""


async def flow(apply: Apply, steps: Sequence[Step], records: Sequence[Record]) -> _Way:
    """Sends the records of one video through ``steps``: what comes out at the end, and whether something is missing.

    A step that gathers waits until all before it is known."""
    waiting, left = False, list(records)
    at = 0
    while at < len(steps) and left:
        if steps[at].gathers:
            made = None if waiting else apply(steps[at], tuple(left))
            made = await made() if callable(made) else made
            if made is None:
                return [], True
            left, at = made, at + 1
            continue
        end = next((n for n in range(at, len(steps)) if steps[n].gathers), len(steps))
        left, missing = await _now(_side_by_side(apply, steps[at:end], left))
        waiting |= missing
        at = end
    return left, waiting


def _side_by_side(apply: Apply, steps: Sequence[Step], records: Sequence[Record]) -> _Way | Later[_Way]:
    parts = [_through(apply, steps, record) for record in records]
    if any(callable(part) for part in parts):
        return partial(_together, parts)
    return _joined([part for part in parts if not callable(part)])


def _through(apply: Apply, steps: Sequence[Step], record: Record) -> _Way | Later[_Way]:
    made = apply(steps[0], (record,))
    return partial(_then, apply, steps[1:], made) if callable(made) else _on(apply, steps[1:], made)


async def _then(apply: Apply, steps: Sequence[Step], made: Later[_Made]) -> _Way:
    return await _now(_on(apply, steps, await made()))


def _on(apply: Apply, steps: Sequence[Step], made: _Made) -> _Way | Later[_Way]:
    if made is None:
        return [], True
    return _side_by_side(apply, steps, made) if steps and made else (made, False)


async def _together(parts: Sequence[_Way | Later[_Way]]) -> _Way:
    """All of them side by side; the first error ends the others."""
    tasks = [asyncio.ensure_future(_now(part)) for part in parts]
    try:
        return _joined(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _now(way: _Way | Later[_Way]) -> _Way:
    return await way() if callable(way) else way


def _joined(ways: Sequence[_Way]) -> _Way:
    return [record for made, _ in ways for record in made], any(missing for _, missing in ways)


def records_of(step: Step, inputs: tuple[Record, ...], outcome: Outcome) -> list[Record]:
    """What came out of ``inputs`` as records of their own."""
    parents = [] if step.forgets else [record.digest for record in inputs]
    made = list[Record]()
    for number, value in enumerate(outcome.values):
        id_ = step.id_of(inputs, number)
        name = value_digest(id_, value, parents)
        made.append(Record(step.name, id_, inputs[0].video, name, inputs, value))
    return made


def known(stores: Mapping[str, StepStore], look: Look) -> Apply:
    """Reads what is in the journals and does nothing; ``look`` is shown every input of every step."""
    hashes = {name: store.step.hash for name, store in stores.items()}

    def apply(step: Step, inputs: tuple[Record, ...]) -> list[Record] | None:
        key = key_of(hashes[step.name], [record.digest for record in inputs])
        outcome = stores[step.name].find(key)
        look(step, key, inputs, outcome)
        return None if outcome is None or is_open(outcome) else records_of(step, inputs, outcome)

    return apply


def is_open(outcome: Outcome) -> bool:
    """It failed, and the next run tries it again."""
    return outcome.status == "failed" and not outcome.permanent
