"""Who works next when there is more to do than may be done at once."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

__all__ = ["Turns"]


class Turns:
    """At most ``most`` at a time; of those that wait the smallest ``rank`` is next, then who came first.

    So a video that was begun is brought to its end before the next one is spread out, and what is kept in memory
    does not grow with the number of videos."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: list[tuple[tuple[int, int], int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    @asynccontextmanager
    async def turn(self, rank: tuple[int, int]) -> AsyncGenerator[None]:
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(rank)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, rank: tuple[int, int]) -> None:
        mine = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._count), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # the turn came in the moment of being cancelled
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            *_, following = heapq.heappop(self._waiting)
            if not following.done():
                following.set_result(None)
                return
        self._free += 1
