"""How many calls go to an endpoint, how fast, and what is learned from refusals. Short real times."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest

from fake_openai import Fail, FakeOpenAI, Say
from longtake.errors import ModelConnectionError, ModelRateLimitError, ModelReplyError
from longtake.models.admission import Patience, Room
from longtake.models.openai import EndpointOptions, OpenAIModel
from longtake.types import GenerateConfig, Message, ModelOutput, Usage

Once = Callable[[], Awaitable[ModelOutput]]


def reply(tokens: int = 100) -> ModelOutput:
    return ModelOutput(Message("assistant", ("ok",)), "tiny", usage=Usage(1, tokens - 10, 10))


def says(output: ModelOutput, seconds: float = 0.0) -> Once:
    async def once() -> ModelOutput:
        await asyncio.sleep(seconds)
        return output

    return once


def soon(error: type[ModelConnectionError | ModelRateLimitError | ModelReplyError]) -> Exception:
    """An error after which the next attempt comes at once."""
    raised = error("not now")
    raised.retry_after_seconds = 0.001
    return raised


async def seconds_of(patience: Patience, once: Once, num_calls: int) -> float:
    started = time.monotonic()
    await asyncio.gather(*(patience.call(once) for _ in range(num_calls)))
    return time.monotonic() - started


# ------------------------------------------------------------------------------------------------- attempts


async def test_an_endpoint_that_never_answered_is_not_waited_for_long() -> None:
    num_tries = 0

    async def refuse() -> ModelOutput:
        nonlocal num_tries
        num_tries += 1
        raise soon(ModelConnectionError)

    patience = Patience(max_in_flight=1, max_attempts=8)
    with pytest.raises(ModelConnectionError, match="tried 3 times"):
        await patience.call(refuse)
    patience.has_answered = True
    with pytest.raises(ModelConnectionError, match="tried 8 times"):
        await patience.call(refuse)
    assert num_tries == 11


async def test_a_call_that_is_cancelled_makes_room() -> None:
    patience = Patience(max_in_flight=1, max_attempts=1)
    inside, first, second = (asyncio.create_task(patience.call(says(reply(), 60))) for _ in range(3))
    await asyncio.sleep(0.01)
    for task in (first, inside, second):
        task.cancel()
    await asyncio.gather(inside, first, second, return_exceptions=True)
    assert await asyncio.wait_for(patience.call(says(reply())), 1) == reply()


def test_calls_of_one_loop_after_the_other() -> None:
    patience = Patience(max_in_flight=2, max_attempts=1)
    for _ in range(2):
        assert asyncio.run(seconds_of(patience, says(reply(), 0.02), 6)) >= 0.06


# ----------------------------------------------------------------------------------------------------- pace


async def test_requests_a_minute() -> None:
    patience = Patience(max_in_flight=8, max_attempts=1, max_requests_per_minute=1200)
    assert await seconds_of(patience, says(reply()), 6) >= 0.24


async def test_tokens_a_minute_as_replies_count_them() -> None:
    """1,000 a second: each call of 100 holds the next back for 0.1 s. The first goes alone and tells."""
    patience = Patience(max_in_flight=8, max_attempts=1, max_tokens_per_minute=60_000)
    assert await seconds_of(patience, says(reply(100), 0.02), 6) >= 0.49


async def test_calls_that_take_more_tokens_than_those_before_are_paid_for_afterwards() -> None:
    patience = Patience(max_in_flight=1, max_attempts=1, max_tokens_per_minute=60_000)
    await patience.call(says(reply(10)))
    await patience.call(says(reply(400)))
    assert await seconds_of(patience, says(reply(10)), 1) >= 0.35


async def test_an_endpoint_without_usage_is_not_held_back(caplog: pytest.LogCaptureFixture) -> None:
    silent = ModelOutput(Message("assistant", ("ok",)), "tiny", usage=Usage(1, cost_usd=None))
    patience = Patience(max_in_flight=8, max_attempts=1, max_tokens_per_minute=60)
    assert await seconds_of(patience, says(silent), 20) < 5
    assert caplog.text.count("tiny states no usage") == 1


async def test_the_options_of_an_endpoint_reach_its_line() -> None:
    with FakeOpenAI() as fake:
        options = EndpointOptions(max_requests_per_minute=600)
        model = OpenAIModel("tiny", base_url=fake.base_url, options=options)
        started = time.monotonic()
        ask = [model.generate([Message("user", (f"{n}",))], tools=[], config=GenerateConfig()) for n in range(4)]
        await asyncio.gather(*ask)
        assert time.monotonic() - started >= 0.29
        assert fake.refused == []


async def test_to_be_asked_to_wait_for_no_time_is_not_to_be_asked() -> None:
    patience = Patience(max_in_flight=1, max_attempts=2)
    hurry = ModelRateLimitError("too many")
    hurry.retry_after_seconds = 0.0

    async def once() -> ModelOutput:
        raise hurry

    started = time.monotonic()
    with pytest.raises(ModelRateLimitError):
        await patience.call(once)
    assert time.monotonic() - started >= 0.5


# ----------------------------------------------------------------------------------------------------- room


async def settle(patience: Patience, most_inside: int, num_calls: int) -> int:
    """Runs calls against an endpoint that refuses whatever is more than ``most_inside`` at once; how often it did."""
    inside = num_refused = 0

    async def once() -> ModelOutput:
        nonlocal inside, num_refused
        if inside >= most_inside:
            num_refused += 1
            raise soon(ModelRateLimitError)
        inside += 1
        await asyncio.sleep(0.005)
        inside -= 1
        return reply()

    await asyncio.gather(*(patience.call(once) for _ in range(num_calls)))
    return num_refused


async def test_the_room_follows_what_the_endpoint_bears() -> None:
    patience = Patience(max_in_flight=64, max_attempts=50)
    patience.has_answered = True
    num_refused = await settle(patience, 8, 400)
    assert patience.room.limit <= 11
    assert num_refused < 200
    assert await settle(patience, 64, 3000) == 0
    assert patience.room.limit > 30


async def test_refusals_that_do_not_come_from_load_do_not_slow_down() -> None:
    patience = Patience(max_in_flight=32, max_attempts=50)
    patience.has_answered = True
    number = 0

    async def once() -> ModelOutput:
        nonlocal number
        number += 1
        if number % 10 == 0:
            raise soon(ModelRateLimitError)
        return reply()

    await asyncio.gather(*(patience.call(once) for _ in range(500)))
    assert patience.room.limit == 32


async def test_bad_replies_say_nothing_about_load() -> None:
    patience = Patience(max_in_flight=4, max_attempts=3)

    async def once() -> ModelOutput:
        raise soon(ModelReplyError)

    await asyncio.gather(*(patience.call(once) for _ in range(20)), return_exceptions=True)
    assert patience.room.limit == 4


def test_a_burst_halves_once_and_one_call_stays() -> None:
    room = Room(64)
    sent_at = time.monotonic()
    for _ in range(64):
        room.refused(sent_at)
    assert room.limit == 32
    for _ in range(200):
        room.refused(time.monotonic())
    assert room.limit == 1


def test_after_an_outage_it_comes_back_quickly_to_half_and_slowly_to_the_whole() -> None:
    room = Room(64)
    while room.limit > 1:
        room.refused(time.monotonic())
    for _ in range(31):
        room.answered(time.monotonic())
    assert room.limit == 32
    for _ in range(32):
        room.answered(time.monotonic())
    assert room.limit == 33
    for _ in range(64 * 64):
        room.answered(time.monotonic())
    assert room.limit == 64


async def test_failures_of_a_real_endpoint_halve_the_room(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "longtake")
    with FakeOpenAI() as fake:
        now = {"Retry-After": "0.01"}
        fake.will(Say("hello"), Fail(429, headers=now), Fail(503, headers=now), Fail(429, headers=now), Say("at last"))
        model = OpenAIModel("tiny", base_url=fake.base_url, options=EndpointOptions(max_in_flight=4))
        texts = [
            (await model.generate([Message("user", ("Hi.",))], tools=[], config=GenerateConfig())).text
            for _ in range(2)
        ]
    assert texts == ["hello", "at last"]
    assert "at most 2 at once from now on" in caplog.text
