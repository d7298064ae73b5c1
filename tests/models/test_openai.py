"""The HTTP side of `OpenAIModel` against a strict endpoint that breaks on demand."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest

from fake_openai import Act, Fail, FakeOpenAI, Reset, Say, Stall
from longtake.errors import (
    ConfigError,
    ModelAuthError,
    ModelConnectionError,
    ModelError,
    ModelRateLimitError,
    ModelReplyError,
    ModelRequestError,
    ModelTimeoutError,
)
from longtake.models import check_model
from longtake.models.openai import EndpointOptions, OpenAIModel
from longtake.models.pixels import as_jpegs
from longtake.surfaces.arguments import read_arguments
from longtake.types import Frames, GenerateConfig, Message, ModelOutput, ToolSpec

KEY = "sk-very-secret-0123456789"
CONFIG = GenerateConfig()
NOW = {"Retry-After": "0.01"}
NO_TOKENS = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
TOOL = ToolSpec("zoom", "Closer.", {"type": "object", "properties": {}})


@pytest.fixture
def fake() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server
        assert server.refused == []


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LONGTAKE_PRICES"):
        monkeypatch.delenv(name, raising=False)


def model_at(fake: FakeOpenAI, name: str = "tiny", key: str | None = None, **options: Any) -> OpenAIModel:
    return OpenAIModel(name, base_url=fake.base_url, api_key=key, options=EndpointOptions(**options))


async def ask(model: OpenAIModel, text: str = "Hi.", tools: tuple[ToolSpec, ...] = ()) -> ModelOutput:
    return await model.generate([Message("user", (text,))], tools=tools, config=CONFIG)


async def test_a_question_and_its_answer(fake: FakeOpenAI) -> None:
    fake.will(Say("hello", seconds=0.05))
    output = await ask(model_at(fake))
    assert (output.text, output.stop_reason, output.usage.input_tokens) == ("hello", "stop", 100)
    assert 0.05 <= output.seconds < 5


@pytest.mark.parametrize("style", ["native", "hermes"])
@pytest.mark.parametrize("images", ["user", "tool"])
async def test_it_is_a_model(fake: FakeOpenAI, style: str, images: str) -> None:
    await check_model(model_at(fake, tool_style=style, tool_images=images))
    assert fake.images == [(48, 32)] * 6


async def test_megabytes_of_frames(fake: FakeOpenAI) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (8, 720, 1280, 3), np.uint8)
    shown = Message("user", (Frames.of(noise, np.arange(8.0), "v"),))
    await model_at(fake).generate([shown], tools=(), config=CONFIG)
    assert fake.images == [(1280, 720)] * 8


def test_one_object_in_one_event_loop_after_the_other(fake: FakeOpenAI) -> None:
    """Unclosed connections would be warnings, and warnings are errors here."""
    model = model_at(fake)
    for _ in range(3):
        assert asyncio.run(ask(model)).text == "ok"
    texts = list[str]()
    threads = [threading.Thread(target=lambda: texts.append(asyncio.run(ask(model)).text)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["ok"] * 3


async def test_connections_are_kept(fake: FakeOpenAI) -> None:
    model = model_at(fake)
    for _ in range(3):
        await ask(model)
    assert {headers.get("Connection", "keep-alive") for headers in fake.headers} == {"keep-alive"}


async def test_a_request_is_gone_once_it_is_sent(fake: FakeOpenAI) -> None:
    """While hundreds wait for replies, only what the caller holds may count."""
    noise = np.random.default_rng(0).integers(0, 255, (1, 1000, 1000, 3), np.uint8)
    asked = [Message("user", (as_jpegs(Frames.of(noise, np.zeros(1), "v")), "What is it?"))]
    model = model_at(fake)
    await model.generate(asked, tools=[], config=CONFIG)
    fake.will(*[Say("at last", seconds=2)] * 8)
    tracemalloc.start()
    try:
        waiting = [asyncio.create_task(model.generate(asked, tools=[], config=CONFIG)) for _ in range(8)]
        await asyncio.sleep(1.0)
        held = sum(
            trace.size
            for trace in tracemalloc.take_snapshot().statistics("filename")
            if "longtake/models" in trace.traceback[0].filename
        )
        num_waiting = fake.in_flight
    finally:
        tracemalloc.stop()
    assert [output.text for output in await asyncio.gather(*waiting)] == ["at last"] * 8
    assert int(fake.headers[-1]["Content-Length"]) > 500_000
    assert num_waiting == 8
    assert held < 1_000_000


async def test_no_more_requests_in_flight_than_allowed(fake: FakeOpenAI) -> None:
    fake.will(*[Say(seconds=0.05)] * 12)
    model = model_at(fake, max_in_flight=3)
    await asyncio.gather(*(ask(model) for _ in range(12)))
    assert fake.max_in_flight == 3


async def test_a_cancelled_call_gives_its_place_back(fake: FakeOpenAI) -> None:
    fake.will(Say(seconds=5))
    model = model_at(fake, max_in_flight=1)
    call = asyncio.ensure_future(ask(model))
    await asyncio.sleep(0.1)
    call.cancel()
    assert (await asyncio.wait_for(ask(model), 2)).text == "ok"


# -------------------------------------------------------------------------------------------- what can heal


@pytest.mark.parametrize(
    "act",
    [
        Fail(429, headers=NOW),
        Fail(500, headers=NOW),
        Fail(503, "<html>busy</html>", headers=NOW),
        Fail(408, headers=NOW),
        Fail(409, headers=NOW),
        Reset(),
        Reset(after=b'{"choices": [{"mess'),
        Fail(200, "<html>proxy</html>"),
        Fail(200, '{"choices": ['),
        Fail(200, {"error": {"message": "upstream", "code": 502}}),
        Fail(200, {"choices": []}),
        Say(None),
        Say("half", finish="abort"),
    ],
)
async def test_what_can_heal_is_tried_again(fake: FakeOpenAI, act: Act) -> None:
    fake.will(act, Say("healed"))
    assert (await ask(model_at(fake))).text == "healed"
    assert len(fake.requests) == 2
    assert fake.requests[0] == fake.requests[1]


@pytest.mark.parametrize("status", [400, 402, 403, 404, 413, 422])
async def test_what_cannot_heal_is_not(fake: FakeOpenAI, status: int) -> None:
    fake.will(Fail(status, {"error": {"message": "no such luck"}}))
    with pytest.raises(ModelError, match="no such luck"):
        await ask(model_at(fake))
    assert len(fake.requests) == 1


async def test_it_gives_up_at_last(fake: FakeOpenAI) -> None:
    fake.will(*[Fail(429, headers=NOW)] * 10)
    with pytest.raises(ModelRateLimitError, match="tried 4 times"):
        await ask(model_at(fake, max_attempts=4))
    assert len(fake.requests) == 4


async def test_a_reply_that_stays_unusable_is_paid_three_times_at_most(fake: FakeOpenAI) -> None:
    fake.will(*[Say(None)] * 10)
    with pytest.raises(ModelReplyError, match="neither text nor tool calls"):
        await ask(model_at(fake))
    assert len(fake.requests) == 3


@pytest.mark.parametrize("as_date", [False, True])
async def test_one_cool_down_for_all_calls(fake: FakeOpenAI, as_date: bool) -> None:
    """A date has whole seconds, so it is put 3 s ahead to be at least 2 s ahead."""
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True) if as_date else "1"
    fake.will(Fail(429, headers={"Retry-After": until}))
    model = model_at(fake)
    started = time.monotonic()
    first = asyncio.ensure_future(ask(model))
    await asyncio.sleep(0.3)
    second = asyncio.ensure_future(ask(model))
    await asyncio.sleep(0.4)
    assert len(fake.requests) == 1, "the second call waits too"
    await asyncio.gather(first, second)
    assert time.monotonic() - started >= (1.9 if as_date else 1.0)
    assert len(fake.requests) == 3


async def test_a_wait_of_hours_is_an_error(fake: FakeOpenAI) -> None:
    fake.will(Fail(429, headers={"Retry-After": "7200"}))
    with pytest.raises(ModelRateLimitError, match="asks to wait 7200 s"):
        await ask(model_at(fake))


async def test_no_credit_is_not_a_rate_limit(fake: FakeOpenAI) -> None:
    fake.will(Fail(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}))
    with pytest.raises(ModelRequestError, match="no credit left"):
        await ask(model_at(fake))


async def test_a_reply_that_never_comes(fake: FakeOpenAI) -> None:
    fake.will(Say(seconds=5), Say(seconds=5))
    with pytest.raises(ModelTimeoutError, match=r"no reply from .* within 0\.2 s"):
        await ask(model_at(fake, timeout_seconds=0.2, max_attempts=2))
    assert len(fake.requests) == 2


async def test_a_reply_that_stalls_is_given_up(fake: FakeOpenAI) -> None:
    fake.will(Stall(5), Say("healed"))
    started = time.monotonic()
    assert (await ask(model_at(fake, idle_seconds=0.2))).text == "healed"
    assert time.monotonic() - started < 3


# ------------------------------------------------------------------------------------- what servers differ in


async def test_servers_that_want_max_completion_tokens(fake: FakeOpenAI) -> None:
    fake.will(Fail(400, {"error": {"message": NO_TOKENS, "code": "unsupported_parameter"}}))
    model = model_at(fake)
    assert (await ask(model)).text == "ok"
    assert (await ask(model)).text == "ok"
    assert [sorted(set(body) & {"max_tokens", "max_completion_tokens"}) for body in fake.requests] == [
        ["max_tokens"],
        ["max_completion_tokens"],
        ["max_completion_tokens"],
    ]


@pytest.mark.parametrize(
    "no",
    [
        "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value is allowed.",
        "Unsupported parameter: 'temperature' is not supported with this model.",
    ],
)
@pytest.mark.parametrize("first", [True, False])
async def test_models_that_take_no_temperature(fake: FakeOpenAI, no: str, first: bool) -> None:
    """Reasoning models refuse both, one after the other."""
    for said in (no, NO_TOKENS) if first else (NO_TOKENS, no):
        fake.will(Fail(400, {"error": {"message": said, "code": "unsupported_value"}}))
    model = model_at(fake)
    assert (await ask(model)).text == "ok"
    assert (await ask(model)).text == "ok"
    assert len(fake.requests) == 4
    assert "temperature" in fake.requests[0]
    for body in fake.requests[2:]:
        assert sorted(body) == ["max_completion_tokens", "messages", "model"]


async def test_many_calls_at_once_learn_it_together(fake: FakeOpenAI) -> None:
    no = {"error": {"message": "Unsupported value: 'temperature' does not support 0 with this model."}}
    fake.will(*[Fail(400, no)] * 4)
    model = model_at(fake)
    assert [output.text for output in await asyncio.gather(*(ask(model) for _ in range(4)))] == ["ok"] * 4


async def test_a_temperature_out_of_range_is_the_users_to_mend(fake: FakeOpenAI) -> None:
    fake.will(Fail(400, {"error": {"message": "temperature must be at most 1, got 1.5"}}))
    with pytest.raises(ModelRequestError, match="at most 1"):
        await ask(model_at(fake))
    assert len(fake.requests) == 1


async def test_a_refusal_of_the_temperature_in_other_words_names_the_setting(fake: FakeOpenAI) -> None:
    """What the message says to do must work when typed."""
    fake.will(Fail(422, {"error": {"message": "temperature is not supported here"}}))
    with pytest.raises(ModelRequestError) as caught:
        await ask(model_at(fake))
    typed = str(caught.value).partition("--set 'model_options.")[2].partition("'")[0]
    options = read_arguments(None, {}, [typed])
    assert (await ask(model_at(fake, **options))).text == "ok"
    assert "temperature" not in fake.requests[-1]


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            "tool_style='hermes'",
        ),
        ("This model's maximum context length is 8192 tokens.", "fewer or smaller frames"),
        ("tiny is not a multimodal model", "a model that sees"),
    ],
)
async def test_refusals_come_with_the_next_step(fake: FakeOpenAI, said: str, hint: str) -> None:
    fake.will(Fail(400, {"error": {"message": said}}))
    with pytest.raises(ModelRequestError) as caught:
        await ask(model_at(fake))
    assert said in str(caught.value)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_an_unknown_model_lists_the_known_ones() -> None:
    with FakeOpenAI(models=["big", "small"]) as fake:
        with pytest.raises(ModelRequestError, match="this server has the models big, small"):
            await ask(model_at(fake, "tinny"))
        assert len(fake.requests) == 1


async def test_a_wrong_path_is_explained(fake: FakeOpenAI) -> None:
    model = OpenAIModel("tiny", base_url=fake.base_url.removesuffix("/v1"))
    with pytest.raises(ModelRequestError, match="most end in /v1"):
        await ask(model)


async def test_nothing_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    with pytest.raises(ModelConnectionError, match=rf"cannot reach {address}: .*is the server running"):
        await ask(OpenAIModel("tiny", base_url=address, options=EndpointOptions(max_attempts=1)))


async def test_a_redirect_is_not_followed(fake: FakeOpenAI) -> None:
    fake.will(Fail(301, "", {"Location": "https://elsewhere.example/v1"}))
    with pytest.raises(ModelRequestError, match=r"redirects to https://elsewhere\.example/v1"):
        await ask(model_at(fake, key=KEY))


# -------------------------------------------------------------------------------------------- keys, addresses


async def test_the_key_is_sent() -> None:
    with FakeOpenAI(key=KEY) as fake:
        assert (await ask(model_at(fake, key=f" {KEY}\n"))).text == "ok"


async def test_key_and_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOpenAI(key=KEY) as fake:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
        assert (await ask(OpenAIModel("tiny"))).text == "ok"


async def test_a_key_that_the_server_echoes_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeOpenAI(key="another") as fake:
        model = model_at(fake, key=KEY)
        with pytest.raises(ModelAuthError, match="the key was refused") as caught:
            await ask(model)
    assert "Bearer ***" in str(caught.value)
    assert "OPENAI_API_KEY" in str(caught.value)
    shown = f"{caught.value!r} {caught.value.__cause__!r} {model!r} {model.identity} {model.options}"
    assert KEY not in shown + caplog.text


async def test_a_reply_that_repeats_the_key_does_not_keep_it(fake: FakeOpenAI) -> None:
    fake.will(Say(f"your key is {KEY}"))
    assert (await ask(model_at(fake, key=KEY))).text == "your key is ***"


@pytest.mark.parametrize("act", [Fail(500, f"key {KEY}"), Fail(400, {"error": f"{KEY}"}), Fail(200, f"<b>{KEY}")])
async def test_no_error_repeats_the_key(fake: FakeOpenAI, act: Act, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.will(act, act)
    with pytest.raises(ModelError) as caught:
        await ask(model_at(fake, key=KEY, max_attempts=2))
    assert KEY not in f"{caught.value} {caught.value.__cause__!r}" + caplog.text


async def test_secrets_in_the_address(fake: FakeOpenAI) -> None:
    secret = fake.base_url.replace("http://", "http://user:pass-word@") + "/chat/completions?api-key=query-secret"
    model = OpenAIModel("tiny", base_url=secret)
    fake.will(Fail(400, "no: query-secret and pass-word"))
    with pytest.raises(ModelRequestError) as caught:
        await ask(model)
    shown = f"{model!r} {model.base_url} {model.identity} {caught.value}"
    assert "query-secret" not in shown
    assert "pass-word" not in shown
    assert fake.headers[0]["Authorization"].startswith("Basic ")
    assert fake.queries == [{"api-key": "query-secret"}]


@pytest.mark.parametrize("address", ["localhost:8000/v1", "ftp://host/v1", "http://", "https:///v1", "http://[::1"])
def test_a_bad_address_is_a_config_error(address: str) -> None:
    with pytest.raises(ConfigError, match="base URL must be"):
        OpenAIModel("tiny", base_url=address)


def test_openai_itself_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="set OPENAI_API_KEY"):
        OpenAIModel("tiny")
    with pytest.raises(ConfigError, match="copy it again"):
        OpenAIModel("tiny", api_key="sk-ä b")
    with pytest.raises(ConfigError, match="needs a name"):
        OpenAIModel("", api_key=KEY)
