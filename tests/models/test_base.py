"""What stands around any model: names, cache, prices, and the conformance check itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fake_openai import FakeOpenAI, Say
from longtake.errors import ConfigError
from longtake.models import ScriptedModel, check_model, load_model
from longtake.models.cache import CachedModel
from longtake.models.openai import EndpointOptions, OpenAIModel
from longtake.models.prices import Price, configured_prices, cost_usd, read_prices
from longtake.store import DiskCache
from longtake.types import (
    JSON,
    Frames,
    GenerateConfig,
    Message,
    Model,
    ModelOutput,
    ToolCall,
    ToolSpec,
    Usage,
)

CONFIG = GenerateConfig()
HI = Message("user", ("Hi.",))
CALL = ToolCall("a", "zoom", {"at": 1})
TOOL = ToolSpec("zoom", "Closer.", {"type": "object", "properties": {}})


async def ask(
    model: Model, *messages: Message, tools: Sequence[ToolSpec] = (), config: GenerateConfig = CONFIG
) -> ModelOutput:
    return await model.generate(messages or (HI,), tools=tools, config=config)


# ---------------------------------------------------------------------------------------------------- names


def test_models_by_name(tmp_path: Path) -> None:
    script = tmp_path / "a:b.jsonl"
    script.write_text('"hello"\n')
    assert asyncio.run(ask(load_model(f"scripted:{script}"))).text == "hello"
    ollama = load_model("ollama:qwen3-vl:8b", cache=False)
    assert repr(ollama) == "OpenAIModel('qwen3-vl:8b', base_url='http://localhost:11434/v1')"
    remote = load_model("ollama:tiny", base_url="http://box:11434/v1", cache=False)
    assert repr(remote) == "OpenAIModel('tiny', base_url='http://box:11434/v1')"
    assert load_model("openai:tiny", base_url="http://box/v1").name == "tiny"


@pytest.mark.parametrize(
    ("spec", "options", "says"),
    [
        ("gpt-5", {}, "for example openai:gpt-5"),
        ("nobody:x", {}, "known: ollama, openai, reader, scripted; .* for example openai:x$"),
        ("hf:Qwen/Qwen3-VL-8B", {}, "there is no model 'hf:Qwen/Qwen3-VL-8B'; .* openai:Qwen/Qwen3-VL-8B$"),
        ("", {}, "known: .* for example openai:gpt-5-mini$"),
        ("scripted:x", {"base_url": "http://box/v1"}, "base_url"),
        ("openai:", {"base_url": "http://box/v1"}, "needs a name"),
    ],
)
def test_a_name_that_is_none(spec: str, options: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_model(spec, **options)


async def test_ollama_gets_nothing_that_is_meant_for_openai(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variables are what README tells users of OpenAI to set."""
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://box/v1")
    plain = load_model("ollama:tiny", cache=False)
    assert repr(plain) == "OpenAIModel('tiny', base_url='http://localhost:11434/v1')"
    with FakeOpenAI() as fake:
        assert (await ask(load_model("ollama:tiny", base_url=fake.base_url))).text == "ok"
    assert fake.headers[0]["Authorization"] == "Bearer ollama"


async def test_loaded_models_remember(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path))
    with FakeOpenAI() as fake:
        for cache, num_requests in ((True, 1), (True, 1), (False, 2)):
            await ask(load_model("openai:tiny", base_url=fake.base_url, cache=cache))
            assert len(fake.requests) == num_requests


# ---------------------------------------------------------------------------------------------------- cache


class Counting:
    """Counts what it is asked; says what it is asked."""

    name = "counting"
    identity: JSON = "counting"

    def __init__(self, **changes: object) -> None:
        self.num_asked = 0
        self.changes = changes

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        self.num_asked += 1
        output = ModelOutput(
            Message("assistant", (f"reply {self.num_asked}",)), "counting", usage=Usage(1, 7, 3, 0, 0.5)
        )
        return replace(output, **self.changes)


@pytest.fixture
def replies(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "replies.sqlite")


async def test_a_reply_from_the_cache_costs_nothing(replies: DiskCache) -> None:
    model = CachedModel(Counting(), replies)
    first, second = await ask(model), await ask(model)
    assert first.usage == Usage(1, 7, 3, 0, 0.5)
    assert second == replace(first, usage=Usage(), seconds=second.seconds, cached=True)


async def test_every_part_of_a_request_counts(replies: DiskCache) -> None:
    dark, bright, later = (
        Frames.of(np.full((1, 4, 4, 3), shade, np.uint8), np.array([at]), "v")
        for shade, at in ((0, 1.0), (9, 1.0), (0, 2.0))
    )
    inner = Counting()
    model = CachedModel(inner, replies)
    shown = [Message("user", ("Hi.", frames)) for frames in (dark, bright, later, dark.without_pixels())]
    calls = [Message("assistant", ("Hi.",), (ToolCall("a", "zoom", arguments),)) for arguments in ({}, {"at": 1})]
    sampled = [GenerateConfig(temperature=1.0, seed=seed) for seed in (1, 2)]
    requests: list[tuple[list[Message], list[ToolSpec], GenerateConfig]] = [
        *(([message], [], CONFIG) for message in (HI, Message("system", HI.content), *shown, *calls)),
        ([HI, HI], [], CONFIG),
        *(([HI], [tool], CONFIG) for tool in (TOOL, replace(TOOL, description="Farther."))),
        *(([HI], [], config) for config in (GenerateConfig(max_tokens=5), GenerateConfig(stop=("x",)), *sampled)),
    ]
    for _ in range(2):
        texts = [(await model.generate(m, tools=tools, config=config)).text for m, tools, config in requests]
        assert texts == [f"reply {n + 1}" for n in range(len(requests))]


async def test_replies_of_an_older_form_are_not_said_again(replies: DiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Counting()
    model = CachedModel(inner, replies)
    await ask(model)
    monkeypatch.setattr("longtake.models.cache._FORM", 10**6)
    await ask(model)
    await ask(model)
    assert inner.num_asked == 2


async def test_what_is_sampled_freely_is_asked_again(replies: DiskCache) -> None:
    model = CachedModel(Counting(), replies)
    texts = {(await ask(model, config=GenerateConfig(temperature=1.0))).text for _ in range(3)}
    assert len(texts) == 3


@pytest.mark.parametrize("reason", ["length", "refused"])
async def test_replies_that_are_not_whole_are_not_kept(replies: DiskCache, reason: str) -> None:
    inner = Counting(stop_reason=reason)
    model = CachedModel(inner, replies)
    await ask(model)
    await ask(model)
    assert inner.num_asked == 2


async def test_an_entry_that_cannot_be_read_is_asked_for_again(
    replies: DiskCache, caplog: pytest.LogCaptureFixture
) -> None:
    inner = Counting()
    model = CachedModel(inner, replies)
    await ask(model)
    with sqlite3.connect(replies.path) as db:
        db.execute("update entries set value = ?", (b'{"message": 3}',))
    db.close()
    assert [(await ask(model)).text for _ in range(2)] == ["reply 2"] * 2
    assert "cannot be read and is asked for again" in caplog.text


@pytest.mark.parametrize("data", [b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 8192])
async def test_a_damaged_cache_does_not_stop_a_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "replies.sqlite").write_bytes(data)
    with FakeOpenAI() as fake:
        for _ in range(2):
            assert (await ask(load_model("openai:tiny", base_url=fake.base_url))).text == "ok"
        assert len(fake.requests) == 1
    assert caplog.text.count("is damaged") == 1


async def test_a_cache_that_fails_after_the_reply_does_not_lose_it(tmp_path: Path) -> None:
    inner = Counting()
    model = CachedModel(inner, DiskCache(tmp_path / "absent" / "replies.sqlite"))
    assert (await ask(model)).text == "reply 1"


def test_endpoint_and_settings_are_part_of_the_identity() -> None:
    plain = OpenAIModel("tiny", base_url="http://box/v1")
    assert plain.identity == OpenAIModel("tiny", base_url="http://box/v1/", api_key="other-key").identity
    for other in (
        OpenAIModel("tiny2", base_url="http://box/v1"),
        OpenAIModel("tiny", base_url="http://box2/v1"),
        OpenAIModel("tiny", base_url="http://box/v1", options=EndpointOptions(extra={"top_p": 0.5})),
        OpenAIModel("tiny", base_url="http://box/v1", options=EndpointOptions(max_side=100)),
    ):
        assert other.identity != plain.identity


# --------------------------------------------------------------------------------------------------- prices


def test_a_price_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('["gpt-x"]\nusd_per_million_input = 1\nusd_per_million_output = 4\n["gpt-x-mini"]\n'
                    "usd_per_million_input = 0.5\nusd_per_million_output = 2\n")  # fmt: skip
    prices = read_prices(path)
    assert cost_usd(prices, "gpt-x-2026-01-01", 1_000_000, 500_000) == 3.0
    assert cost_usd(prices, "gpt-x-mini", 1_000_000, 0) == 0.5
    assert cost_usd(prices, "other", 1, 1) is None
    assert configured_prices() == {}
    monkeypatch.setenv("LONGTAKE_PRICES", str(path))
    assert configured_prices() == prices


@pytest.mark.parametrize(
    "text", ["[", '["m"]\nusd_per_million_input = 1\n', "m = 3\n", '["m"]\nusd_per_million_input = "x"\n']
)
def test_a_price_table_that_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(ConfigError, match="cannot read the price table"):
        read_prices(tmp_path / "prices.toml")


async def test_money_is_counted_per_call() -> None:
    with FakeOpenAI() as fake:
        fake.will(Say(usage={"prompt_tokens": 1000, "completion_tokens": 100}))
        options = EndpointOptions(prices={"tiny": Price(1, 10)})
        output = await ask(OpenAIModel("tiny", base_url=fake.base_url, options=options))
    assert output.usage == Usage(1, 1000, 100, 0, pytest.approx(0.002))


# -------------------------------------------------------------------------------------------------- options


def test_options_from_a_table() -> None:
    table: dict[str, JSON] = {
        "tool_style": "hermes",
        "timeout_seconds": 5,
        "extra": {"top_p": 0.5},
        "prices": {"tiny": {"usd_per_million_input": 1, "usd_per_million_output": 2}},
    }
    model = load_model("openai:tiny", base_url="http://box/v1", options=table, cache=False)
    assert isinstance(model, OpenAIModel)
    expected = EndpointOptions("hermes", timeout_seconds=5, extra={"top_p": 0.5}, prices={"tiny": Price(1, 2)})
    assert model.options == expected


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"tool_stile": "hermes"}, "no option tool_stile; it has tool_style"),
        ({"tool_style": "xml"}, "tool_style"),
        ({"jpeg_quality": 0}, "jpeg_quality is from 1 to 100, got 0"),
        ({"timeout_seconds": 0}, "timeout_seconds is more than 0"),
        ({"max_in_flight": 0}, "max_in_flight is more than 0"),
        ({"max_requests_per_minute": 0}, "max_requests_per_minute is more than 0"),
        ({"max_tokens_per_minute": -5}, "max_tokens_per_minute is more than 0"),
        ({"idle_seconds": float("nan")}, "idle_seconds is more than 0"),
    ],
)
def test_options_that_are_wrong(table: dict[str, JSON], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_model("openai:tiny", base_url="http://box/v1", options=table)


# -------------------------------------------------------------------------------------------- the check itself


async def test_the_check_passes_a_good_model() -> None:
    await check_model(ScriptedModel(["yes"] * 11))
    await check_model(Counting())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"message": Message("user", ("yes",))}, "role must be assistant"),
        ({"message": Message("assistant", ())}, "must hold text"),
        ({"stop_reason": "done"}, "stop_reason must be one of"),
        ({"stop_reason": "tool_calls"}, "there are no calls"),
        ({"message": Message("assistant", (), (CALL,)), "stop_reason": "tool_calls"}, "none were offered"),
        (
            {"message": Message("assistant", ("x",), (replace(CALL, id=""),)), "stop_reason": "length"},
            "ids of their own",
        ),
        ({"message": Message("assistant", ("x",), (CALL, CALL)), "stop_reason": "length"}, "ids of their own"),
        (
            {"message": Message("assistant", ("x",), (replace(CALL, malformed="{"),)), "stop_reason": "length"},
            "malformed",
        ),
        ({"usage": Usage(-1)}, "usage must count up"),
        ({"usage": Usage(cost_usd=float("nan"))}, "cost_usd must be"),
        ({"seconds": -1.0}, "seconds must be a time"),
    ],
)
async def test_the_check_says_what_is_wrong(changes: dict[str, object], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        await check_model(Counting(**changes))


async def test_the_check_sees_a_model_that_changes_its_messages() -> None:
    class Changing(Counting):
        async def generate(self, messages, *, tools, config):  # type: ignore[no-untyped-def]
            messages.append(HI)
            return await super().generate(messages, tools=tools, config=config)

    with pytest.raises(AssertionError, match="must not change the messages"):
        await check_model(Changing())
