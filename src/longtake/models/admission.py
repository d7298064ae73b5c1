"""When a call may go to an endpoint: how many at once, how many a minute, and when to try again. Knows no wire format.

Calls stand in one line. The first of it waits until there is room, until the pace allows it and until the endpoint
wants to hear from us again; so what a refusal teaches holds for every call behind it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import weakref
from collections.abc import Awaitable, Callable

from ..errors import (
    ModelConnectionError,
    ModelError,
    ModelRateLimitError,
    ModelReplyError,
    ModelTimeoutError,
)
from ..types import ModelOutput

__all__ = ["Patience"]

_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 1.0, 60.0
_MAX_COOL_DOWN_SECONDS = 300.0
_MAX_COSTLY_ATTEMPTS = 3
_LOOK_AGAIN_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Patience:
    """Admits the calls to one endpoint and tries again what can heal.

    At most ``max_in_flight`` calls at once, and fewer while the endpoint refuses many of them (`Room`); at most
    ``max_requests_per_minute`` and ``max_tokens_per_minute``, evenly spread (`Pace`), None for no bound.

    Waits between attempts double from 1 s to 60 s with jitter. A wait the server asks for (``retry_after_seconds``)
    holds back every call of this endpoint, once; longer than five minutes it is an error. Replies that came but were
    unusable or late were probably paid for, and an endpoint that never answered is probably not there: both get three
    attempts."""

    def __init__(
        self,
        *,
        max_in_flight: int,
        max_attempts: int,
        max_requests_per_minute: int | None = None,
        max_tokens_per_minute: int | None = None,
    ) -> None:
        self.max_attempts = max_attempts
        self.has_answered = False
        """Set by the caller once the endpoint has answered anything at all."""
        self.room = Room(max_in_flight)
        self._requests = Pace(max_requests_per_minute)
        self._tokens = Pace(max_tokens_per_minute)
        self._tokens_per_call: float | None = None
        self._cool_until = 0.0
        self._lines = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Line]()

    async def call(self, once: Callable[[], Awaitable[ModelOutput]]) -> ModelOutput:
        """What ``once`` returns. Raises what it raised last, saying how often it was tried."""
        line = self._lines.setdefault(asyncio.get_running_loop(), _Line())
        attempt = 0
        while True:
            attempt += 1
            async with line.first:
                await self._may_go(line)
                line.num_in_flight += 1
                tokens = self._tokens_per_call or 0.0
                self._requests.take(1)
                self._tokens.take(tokens)
            sent_at = time.monotonic()
            try:
                output = await once()
            except (ModelConnectionError, ModelRateLimitError, ModelReplyError, ModelTimeoutError) as e:
                if not isinstance(e, ModelReplyError):
                    self.room.refused(sent_at)
                wait = self._wait(e, attempt)
            else:
                self.room.answered(sent_at)
                self._count_tokens(output, tokens)
                return output
            finally:
                line.num_in_flight -= 1
                line.one_left.set()
            await asyncio.sleep(wait)

    async def _may_go(self, line: _Line) -> None:
        """Returns when the first of the line may go. All that is waited for may change in the meantime."""
        while True:
            wait = max(self._cool_until, self._requests.free_at, self._tokens.free_at) - time.monotonic()
            if line.num_in_flight >= self._num_allowed():
                line.one_left.clear()
                await line.one_left.wait()
            elif wait > 0:
                await asyncio.sleep(min(wait, _LOOK_AGAIN_SECONDS))
            else:
                return

    def _num_allowed(self) -> int:
        """One, as long as tokens are counted and no reply has told yet how many a call takes."""
        learning = self._tokens.is_bounded and self._tokens_per_call is None
        return 1 if learning else self.room.limit

    def _count_tokens(self, output: ModelOutput, taken: float) -> None:
        """Puts right what was ``taken`` for a call now that its reply says what it used. A failed call keeps what it
        took: most endpoints count it too."""
        used = output.usage.input_tokens + output.usage.output_tokens
        if self._tokens_per_call is None:
            self._tokens_per_call = used
            if self._tokens.is_bounded and not used:
                logger.warning("%s states no usage, so max_tokens_per_minute holds nothing back", output.model)
        self._tokens_per_call += (used - self._tokens_per_call) / 16
        self._tokens.take(used - taken)

    def _wait(self, e: ModelError, attempt: int) -> float:
        """Seconds until the next attempt. Raises ``e`` when there is to be none."""
        costly = isinstance(e, ModelReplyError | ModelTimeoutError)
        patient = self.has_answered and not costly
        asked = e.retry_after_seconds
        if attempt >= (self.max_attempts if patient else min(self.max_attempts, _MAX_COSTLY_ATTEMPTS)):
            raise type(e)(f"{e} (tried {attempt} times)" if attempt > 1 else str(e)) from e
        if asked is not None and asked > _MAX_COOL_DOWN_SECONDS:
            raise type(e)(f"{e} (it asks to wait {asked:.0f} s; try again then)") from e
        backoff = min(_MAX_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        if asked:  # to be asked to wait for no time at all is not to be asked
            self._cool_until = max(self._cool_until, time.monotonic() + asked)
            backoff = random.uniform(0.0, 0.1) * asked
        logger.info("attempt %d failed, next in %.1f s: %s", attempt, asked or backoff, e)
        return backoff


class _Line:
    """The calls of one event loop: ``first`` is held by the one whose turn is next."""

    def __init__(self) -> None:
        self.first = asyncio.Lock()
        self.num_in_flight = 0
        self.one_left = asyncio.Event()


class Pace:
    """So much a minute, evenly: whoever goes next waits until all that was taken is paid off."""

    def __init__(self, per_minute: int | None) -> None:
        self.is_bounded = per_minute is not None
        self._seconds_each = 60 / per_minute if per_minute else 0.0
        self.free_at = 0.0
        """On the clock of ``time.monotonic``."""

    def take(self, amount: float) -> None:
        """Less than 0 gives back."""
        if amount:
            self.free_at = max(self.free_at, time.monotonic()) + amount * self._seconds_each


class Room:
    """How many calls may be in flight: ``limit``, from 1 to ``most``, learned from how calls end.

    As in TCP: halved when the endpoint is overloaded, then one more for each reply up to half of where it was when
    that happened, and from there one more for each ``limit`` replies. Overloaded means that over a quarter of the
    calls are refused, and ``limit`` / 4 more than that: the few that some endpoints refuse whatever the load is must
    not bring it down.

    ``sent_at`` is when a call was sent, on the clock of ``time.monotonic``. What was sent before the last halving says
    nothing about the room that is left, so a burst of refusals halves it once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self._quick_until = most
        self._num_replies = 0
        """Since ``limit`` last grew."""
        self._has_worked = True
        """Since it was last halved: a series of halvings without a reply is one overload."""
        self._pressure = 0.0
        """Refusals, less a third for each reply."""
        self._halved_at = 0.0

    def answered(self, sent_at: float) -> None:
        if sent_at < self._halved_at:
            return
        self._has_worked = True
        self._pressure = max(0.0, self._pressure - 1 / 3)
        self._num_replies += 1
        if self._num_replies >= (1 if self.limit < self._quick_until else self.limit):
            self.limit = min(self.limit + 1, self.most)
            self._num_replies = 0

    def refused(self, sent_at: float) -> None:
        if sent_at < self._halved_at or self.limit == 1:
            return
        self._pressure += 1
        if self._pressure <= max(1, self.limit / 4):
            return
        if self._has_worked:
            self._quick_until = self.limit // 2
        self.limit //= 2
        self._num_replies, self._has_worked, self._pressure = 0, False, 0.0
        self._halved_at = time.monotonic()
        logger.info("the endpoint refuses many calls; at most %d at once from now on", self.limit)
