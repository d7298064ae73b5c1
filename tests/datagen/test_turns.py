"""Who works next: depth before breadth, and no turn is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from test_pipeline import Counting, ask, run

from longtake.datagen.step import Context, Record, Step, Value
from longtake.datagen.store import roots_of
from longtake.datagen.turns import Turns
from longtake.models.journaled import Limits


async def test_the_smallest_rank_is_next_and_no_more_than_allowed_work() -> None:
    turns, order, at_work, most = Turns(2), list[tuple[int, int]](), 0, 0

    async def work(rank: tuple[int, int]) -> None:
        nonlocal at_work, most
        async with turns.turn(rank):
            at_work += 1
            most = max(most, at_work)
            order.append(rank)
            await asyncio.sleep(0.001)
            at_work -= 1

    ranks = [(3, 0), (2, 0), (2, -1), (1, 0), (0, -5), (2, -1)]
    await asyncio.gather(*map(work, ranks))
    assert most == 2
    assert order == [(3, 0), (2, 0), (0, -5), (1, 0), (2, -1), (2, -1)]


async def test_who_is_cancelled_takes_no_turn_away() -> None:
    turns = Turns(1)
    done = list[int]()

    async def work(number: int) -> None:
        async with turns.turn((number, 0)):
            await asyncio.sleep(0.001)
            done.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(6)]
    await asyncio.sleep(0)
    for number in (1, 3):
        tasks[number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await work(9)
    assert done == [0, 2, 4, 5, 9]


def test_a_video_that_was_begun_is_finished_before_the_next_is_spread_out(tmp_path: Path) -> None:
    model, order = Counting(seconds=0.002), list[str]()

    async def source(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [{}]

    async def split(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [{"part": number} for number in range(50)]

    async def say(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        order.append("say")
        return [{"said": await ask(ctx, model, records[0].id)}]

    async def join(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        order.append("join")
        return [{}]

    steps = [Step("source", 1, {}, source), Step("split", 1, {}, split, many=True), Step("say", 1, {}, say)]
    steps.append(Step("join", 1, {}, join, gathers=True))
    items = roots_of([(f"v{n}", f"v{n}", {}) for n in range(40)])
    run(steps, tmp_path, items, Limits(8))
    firsts = [order[: at + 1].count("say") for at, what in enumerate(order) if what == "join"]
    assert firsts[0] <= 2 * 50, "the first video is joined when it and perhaps a part of the next are captioned"
    assert all(said <= 50 * (n + 3) for n, said in enumerate(firsts))
