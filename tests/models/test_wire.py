"""Messages to the wire format and replies from it, judged by the strict checks of the fake endpoint."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fake_openai import Say, check_request
from longtake.errors import ModelReplyError, ModelRequestError, StoreError
from longtake.models.cache import request_key
from longtake.models.pixels import as_jpegs
from longtake.models.prices import Price
from longtake.models.reply import Asked, read_reply
from longtake.models.wire import EndpointOptions, write_request
from longtake.types import Frames, GenerateConfig, Message, ModelOutput, ToolCall, ToolSpec, from_json, to_json

CONFIG = GenerateConfig(temperature=0.5, max_tokens=64, seed=3)
TOOL = ToolSpec("crop_video", "Frames of a span.", {"type": "object", "properties": {"start_time": {"type": "number"}}})
SYSTEM = Message("system", ("Be brief.",))
ASKED = Asked("tiny", has_tools=True, num_calls=0, prices={})


def frames(num: int = 2, width: int = 48, height: int = 32, shade: int = 90) -> Frames:
    return Frames.of(np.full((num, height, width, 3), shade, np.uint8), np.arange(num) * 750.96, "v" * 32)


def call(n: int, **arguments: float) -> ToolCall:
    return ToolCall(f"id{n}", "crop_video", arguments)


def looked(*content: str | Frames) -> list[Message]:
    """A conversation in which two crops were asked for and answered."""
    answers = [Message("tool", content, tool_call_id=f"id{n}") for n in range(2)]
    asks = Message("assistant", ("I look twice.",), (call(0, start_time=1), call(1, start_time=5)))
    return [SYSTEM, Message("user", ("What is it?",)), asks, *answers]


async def write(messages: Sequence[Message], tools: Sequence[ToolSpec] = (TOOL,), **options: Any) -> dict[str, Any]:
    return await write_request("tiny", messages, tools, CONFIG, EndpointOptions(**options))


def said(output: Say, asked: Asked = ASKED) -> ModelOutput:
    return read_reply(orjson.dumps(output.body("tiny-2026")), asked)


# ------------------------------------------------------------------------------------------------- requests


async def test_text_travels_as_plain_strings() -> None:
    body = await write([SYSTEM, Message("user", ("What ", "is it?"))], [])
    assert check_request(body) == []
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is it?"}]
    assert (body["temperature"], body["max_tokens"], body["seed"]) == (0.5, 64, 3)
    assert "tools" not in body


async def test_each_frame_follows_its_time_label() -> None:
    body = await write([Message("user", ("Look: ", frames(), "What is it?"))])
    assert check_request(body) == [(48, 32), (48, 32)]
    parts = body["messages"][0]["content"]
    assert [part.get("text") for part in parts] == [
        "Look: ", "[00:00:00.0 | 0.0 s]", None, "[00:12:31.0 | 751.0 s]", None, "What is it?",
    ]  # fmt: skip


async def test_pixels_arrive_as_they_were() -> None:
    body = await write([Message("user", (frames(1, shade=200),))])
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))
    assert abs(picture.astype(int) - 200).max() <= 2


async def test_size_and_quality_are_settings() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1, 300, 400, 3), np.uint8)
    shown = [Message("user", (Frames.of(noise, np.zeros(1), "v"),))]
    assert check_request(await write(shown, max_side=100)) == [(100, 75)]
    assert check_request(await write(shown)) == [(400, 300)]
    coarse, fine = [len(json.dumps(await write(shown, jpeg_quality=quality))) for quality in (30, 95)]
    assert coarse < fine / 2


async def test_frames_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = list[object]()
    save = Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda *args, **kw: (saved.append(1), save(*args, **kw)))
    conversation = looked(frames(3))
    first, second = await write(conversation), await write([*conversation, Message("user", ("And now?",))])
    assert len(saved) == 3
    assert check_request(first) == check_request(second) == [(48, 32)] * 6


async def test_frames_without_pixels_cannot_be_sent() -> None:
    with pytest.raises(StoreError, match=r"Video\.load"):
        await write([Message("user", (frames().without_pixels(),))])


async def test_jpegs_go_as_they_are_in_place_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2, 300, 400, 3), np.uint8)
    shown = Frames.of(noise, np.arange(2.0), "v")
    kept = as_jpegs(shown, quality=60)
    assert (kept, kept.data) == (shown, None)
    expected = await write([Message("user", ("Look: ", shown))], jpeg_quality=60)
    monkeypatch.setattr(Image.Image, "save", None)
    assert await write([Message("user", ("Look: ", kept))], jpeg_quality=95, max_side=400) == expected


async def test_jpegs_that_are_too_large_become_smaller() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2, 300, 400, 3), np.uint8)
    kept = as_jpegs(Frames.of(noise, np.arange(2.0), "v"))
    assert check_request(await write([Message("user", (kept,))], max_side=100)) == [(100, 75)] * 2
    small = as_jpegs(Frames.of(noise, np.arange(2.0), "v"), max_side=200)
    assert (small.width, small.height) == (200, 150)
    assert check_request(await write([Message("user", (small,))])) == [(200, 150)] * 2


async def test_jpegs_decide_the_key_of_a_request() -> None:
    async def key(shown: Frames) -> str:
        return await request_key("m", [Message("user", (shown,))], [], CONFIG)

    dark, bright = as_jpegs(frames(shade=10)), as_jpegs(frames(shade=200))
    assert await key(dark) == await key(as_jpegs(frames(shade=10)))
    assert len({await key(dark), await key(bright), await key(dark.without_pixels()), await key(frames())}) == 4


@pytest.mark.parametrize("where", ["user", "tool"])
async def test_frames_of_tool_results(where: str) -> None:
    body = await write(looked("Two frames.", frames()), tool_images=where)
    assert check_request(body) == [(48, 32)] * 4
    roles = [message["role"] for message in body["messages"]]
    after = ["user"] if where == "user" else []
    assert roles == ["system", "user", "assistant", "tool", "tool", *after]
    texts = json.dumps(body["messages"])
    assert texts.count("Two frames.") == (4 if where == "user" else 2)
    assert [call["id"] for call in body["messages"][2]["tool_calls"]] == ["id0", "id1"]


async def test_tools_as_text_for_servers_that_take_none() -> None:
    body = await write([*looked("Two frames.", frames()), Message("user", ("Well?",))], tool_style="hermes")
    assert check_request(body) == [(48, 32)] * 4
    assert "tools" not in body
    system, question, asks, results, last = body["messages"]
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "user", "user"]
    assert system["content"].startswith("Be brief.\n\n# Tools")
    assert '"name": "crop_video"' in system["content"]
    assert asks["content"].count("<tool_call>") == 2
    text = "".join(part.get("text", "") for part in results["content"])
    assert text.count("<tool_response>\n") == text.count("\n</tool_response>") == 2
    assert (question["content"], last["content"]) == ("What is it?", "Well?")


async def test_text_calls_are_not_sent_twice() -> None:
    text = '<think>hm</think>I look.\n<tool_call>\n{"name": "crop_video", "arguments": {"start_time": 1}}\n</tool_call>'
    asks = Message("assistant", (text,), (call(0, start_time=1),))
    conversation = [Message("user", ("?",)), asks, Message("tool", ("Nothing.",), tool_call_id="id0")]
    native = (await write(conversation))["messages"][1]
    assert native["content"] == "<think>hm</think>I look."
    assert len(native["tool_calls"]) == 1
    assert (await write(conversation, tool_style="hermes"))["messages"][2]["content"] == text


@pytest.mark.parametrize("style", ["native", "hermes"])
async def test_malformed_calls_go_back_as_something_servers_can_read(style: str) -> None:
    broken = ToolCall("id0", "crop video\n", {}, malformed='{"name": "crop_video", "arguments": {"start')
    nameless = ToolCall("id1", "", {}, malformed='{"na')
    answers = [Message("tool", ("Error: not JSON",), tool_call_id=f"id{n}") for n in range(2)]
    body = await write(
        [Message("user", ("?",)), Message("assistant", (), (broken, nameless)), *answers], tool_style=style
    )
    check_request(body)
    if style == "hermes":
        assert '{"na\n</tool_call>' in body["messages"][2]["content"]


async def test_reasoning_from_a_field_of_its_own_is_not_sent_back() -> None:
    apart = said(Say("The answer.", message={"reasoning_content": "Long thoughts."})).message
    within = said(Say("<think>Long thoughts.</think>The answer.")).message
    assert apart.text == "<think>\nLong thoughts.\n</think>\n\nThe answer."
    body = await write([Message("user", ("?",)), apart, Message("user", ("?",)), within, Message("user", ("?",))])
    assert body["messages"][1]["content"] == "The answer."
    assert body["messages"][3]["content"] == "<think>Long thoughts.</think>The answer."


async def test_extra_fields_are_merged_and_none_takes_one_out() -> None:
    body = await write([SYSTEM, Message("user", ("?",))], extra={"top_p": 0.9, "temperature": None, "max_tokens": {}})
    assert body["top_p"] == 0.9
    assert "max_tokens" not in body
    assert "temperature" not in body


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        (looked("x")[:3], "answers the tool calls id0, id1"),
        (looked("x")[:4], "answers the tool calls id1"),
        ([*looked("x")[:3], Message("user", ("?",))], "answers the tool calls"),
        ([Message("tool", ("x",), tool_call_id="id9")], "which no message before it makes"),
        ([Message("system", (frames(),))], "holds frames"),
    ],
)
async def test_a_conversation_no_server_takes_is_refused_here(messages: list[Message], says: str) -> None:
    with pytest.raises(ModelRequestError, match=says):
        await write(messages)


user_message = st.builds(
    lambda text, n: Message("user", (text, *([frames(n)] if n else []))), st.text(), st.integers(0, 2)
)


@st.composite
def turn(draw: st.DrawFn) -> list[Message]:
    """What one turn may add to a conversation."""
    calls = draw(
        st.lists(st.builds(ToolCall, st.just(""), st.text(max_size=5), st.just({}), st.none() | st.text()), max_size=3)
    )
    calls = [ToolCall(f"id{n}", c.name, c.arguments, c.malformed) for n, c in enumerate(calls)]
    answers = [
        Message("tool", (draw(st.text()), *draw(st.sampled_from([(), (frames(1),)]))), tool_call_id=c.id) for c in calls
    ]
    return [Message("assistant", (draw(st.text()),), tuple(calls)), *answers, *draw(st.lists(user_message, max_size=1))]


@given(st.lists(turn(), max_size=3), st.sampled_from(["native", "hermes"]), st.sampled_from(["user", "tool"]))
async def test_any_conversation_is_written_as_the_wire_format_demands(
    turns: list[list[Message]], style: str, images: str
) -> None:
    messages = [SYSTEM, Message("user", ("?", frames(1))), *(message for turn in turns for message in turn)]
    body = await write(messages, tool_style=style, tool_images=images)
    assert len(check_request(body)) == sum(message.num_frames for message in messages)


# -------------------------------------------------------------------------------------------------- replies


@pytest.mark.parametrize(
    ("reply", "stop"),
    [
        (Say("yes"), "stop"),
        (Say("yes", finish="STOP"), "stop"),
        (Say("ye", finish="length"), "length"),
        (Say(None, finish="length"), "length"),
        (Say("", finish="content_filter"), "refused"),
        (Say(None, message={"refusal": "I can not."}), "refused"),
        (Say(None, [("zoom", "{}")], "tool_calls"), "tool_calls"),
        (Say(None, [("zoom", "{}")], "stop"), "tool_calls"),
        (Say("yes", finish="tool_calls"), "stop"),
        (Say('<tool_call>{"name": "zoom"}</tool_call>'), "tool_calls"),
        (Say('<tool_call>{"name": "zo', finish="length"), "length"),
    ],
)
def test_why_a_reply_ended(reply: Say, stop: str) -> None:
    output = said(reply)
    assert output.stop_reason == stop
    assert from_json(ModelOutput, to_json(output)) == output


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>proxy</html>",
        b'{"choices": [{"message": {"role": "assistant", "content": "cut',
        b"[]",
        b"null",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [null]}',
        b'{"error": {"message": "overloaded", "code": 502}}',
        orjson.dumps(Say(None).body("m")),
        orjson.dumps(Say("  \n").body("m")),
        orjson.dumps(Say("half a th", finish=None).body("m")),
        b'{"choices": [{"message": {"content": "half a th"}}]}',
        orjson.dumps(Say("half a th", finish="abort").body("m")),
        orjson.dumps(Say("half a th", finish="error").body("m")),
        orjson.dumps(Say("yes", finish="something new").body("m")),
    ],
)
def test_what_is_no_reply_is_an_error(body: bytes) -> None:
    with pytest.raises(ModelReplyError):
        read_reply(body, ASKED)


def test_native_calls() -> None:
    output = said(Say("I look.", [("crop_video", '{"start_time": 1}'), ("zoom", "")], "tool_calls"))
    assert [(c.id, c.name, c.arguments) for c in output.message.tool_calls] == [
        ("srv_0", "crop_video", {"start_time": 1}),
        ("srv_1", "zoom", {}),
    ]
    assert output.text == "I look."


def test_native_calls_that_are_broken() -> None:
    output = said(Say(None, [("crop_video", '{"start_time": '), ("", "{}"), ("zoom", "[1]")], "length"))
    assert [call.malformed for call in output.message.tool_calls] == ['{"start_time": ', "{}", "[1]"]
    assert all(call.arguments == {} for call in output.message.tool_calls)


# Whatever JSON can spell: halves of characters, numbers no float and no 64 bits hold, deep nesting.
odd_texts = st.text(st.characters()) | st.sampled_from(["\ud83d", "a\udc00", "\U0001f600", "<tool_call>"])
odd_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_texts | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_texts, inner, max_size=3),
    max_leaves=8,
)
odd_json = odd_values.map(lambda value: json.dumps(value).replace("Infinity", "1e400"))
odd_arguments = odd_json | odd_json.map(json.dumps) | st.sampled_from(["[" * n + "]" * n for n in (70, 300, 900)])


@given(content=odd_json, reasoning=odd_json, name=odd_json, id_=odd_json, arguments=odd_arguments, markup=odd_arguments)
async def test_whatever_a_model_writes_can_be_kept_and_sent_again(
    content: str, reasoning: str, name: str, id_: str, arguments: str, markup: str
) -> None:
    call = f'{{"id": {id_}, "function": {{"name": {name}, "arguments": {arguments}}}}}'
    in_text = json.dumps(f'Look.<tool_call>{{"name": {name}, "arguments": {markup}}}</tool_call>')
    for message in (
        f'{{"content": {content}, "reasoning": {reasoning}, "refusal": {content}, "tool_calls": [{call}]}}',
        f'{{"content": {in_text}}}',
    ):
        body = f'{{"choices": [{{"message": {message}, "finish_reason": "stop"}}], "model": {content}}}'
        try:
            output = read_reply(body.encode(), ASKED)
        except ModelReplyError:
            assert "NaN" in body or "neither text" in str(read_error(body))
            continue
        assert from_json(ModelOutput, to_json(output)) == output
        answers = [Message("tool", ("x",), tool_call_id=call.id) for call in output.message.tool_calls]
        conversation = [SYSTEM, output.message, *answers]
        assert await request_key(None, conversation, [TOOL], CONFIG)
        for style in ("native", "hermes"):
            assert orjson.dumps(await write(conversation, tool_style=style))


def read_error(body: str) -> ModelReplyError:
    with pytest.raises(ModelReplyError) as caught:
        read_reply(body.encode(), ASKED)
    return caught.value


def test_half_an_emoji_is_replaced() -> None:
    body = rb'{"choices": [{"message": {"content": "cut \ud83d", "reasoning": "\udc00"}, "finish_reason": "stop"}]}'
    assert read_reply(body, ASKED).message.content == ("<think>\n\ufffd\n</think>\n\n", "cut \ufffd")


def test_native_calls_with_values_that_cannot_be_kept() -> None:
    raw = ['{"at": 1e400}', '{"at": 18446744073709551616}', '{"at": "\\ud83d"}', '"{\\"at\\": -1e400}"']
    output = said(Say(None, [("zoom", text) for text in raw], "tool_calls"))
    assert [call.malformed for call in output.message.tool_calls] == raw
    given = b'{"function": {"name": "zoom", "arguments": {"at": 1e400}}}, {"function": {"name": "z\\ud83d"}}'
    output = read_reply(
        b'{"choices": [{"message": {"tool_calls": [' + given + b']}, "finish_reason": "tool_calls"}]}', ASKED
    )
    assert [(c.name, c.malformed) for c in output.message.tool_calls] == [
        ("zoom", '{"at": Infinity}'),
        ("z\ufffd", "null"),
    ]


def test_native_calls_get_ids_where_the_server_gives_none_or_the_same() -> None:
    calls = [
        {"function": {"name": "zoom", "arguments": {"at": 1}}},
        {"id": "x", "function": {"name": "a"}},
        {"id": "x", "function": {"name": "b"}},
    ]
    output = said(Say(None, message={"tool_calls": calls}), Asked("tiny", has_tools=True, num_calls=4, prices={}))
    assert [call.id for call in output.message.tool_calls] == ["call00004", "x", "call00006"]
    assert output.message.tool_calls[0].arguments == {"at": 1}


def test_text_calls_count_only_where_tools_were_offered() -> None:
    reply = Say('<tool_call>{"name": "zoom"}</tool_call>')
    assert said(reply).message.tool_calls[0].name == "zoom"
    assert said(reply, Asked("tiny", has_tools=False, num_calls=0, prices={})).message.tool_calls == ()


def test_content_in_parts() -> None:
    assert said(Say(message={"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})).text == "ab"


def test_tokens_and_money() -> None:
    table = {"ti": Price(100, 100), "tiny": Price(2, 10), "tiny-x": Price(7, 7)}
    priced = Asked("tiny", has_tools=False, num_calls=0, prices=table)
    usage = said(Say(), priced).usage
    assert (usage.num_calls, usage.input_tokens, usage.output_tokens) == (1, 100, 20)
    assert usage.cost_usd == pytest.approx((100 * 2 + 20 * 10) / 1e6)
    assert said(Say()).usage.cost_usd is None
    assert said(Say(usage={"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25})).usage.cost_usd == 0.25
    for uncounted in (None, {}, {"prompt_tokens": 5}, {"prompt_tokens": None, "completion_tokens": None}):
        usage = said(Say(usage=uncounted), priced).usage
        assert (usage.num_calls, usage.input_tokens, usage.output_tokens, usage.cost_usd) == (1, 0, 0, None)


def test_the_model_that_answered_is_named() -> None:
    assert said(Say()).model == "tiny-2026"


def test_sampled_tokens() -> None:
    logprobs = {"content": [{"token": "o", "logprob": -0.5}, {"token": "k", "logprob": -1}]}
    tokens = said(Say(fields={"token_ids": [5, 6], "logprobs": logprobs})).tokens
    assert tokens is not None
    assert (tokens.ids, tokens.logprobs) == ((5, 6), (-0.5, -1.0))
    assert said(Say(fields={"token_ids": [5], "logprobs": logprobs})).tokens is None
    assert said(Say(fields={"logprobs": logprobs})).tokens is None
