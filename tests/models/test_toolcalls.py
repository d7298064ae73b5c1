"""Tool calls as text: what is written is read back, and nothing a model writes raises or is lost."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.models.toolcalls import call_id, read_arguments, read_tool_calls, render_tool_call, render_tools
from longtake.types import ToolCall, ToolSpec

CROP = '{"name": "crop_video", "arguments": {"start_time": 1, "end_time": 2.5}}'

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.text("abcxyz_0123456789", min_size=1, max_size=20)


def calls_in(text: str) -> list[tuple[str, object]]:
    return [
        (call.name, call.malformed if call.malformed is not None else call.arguments)
        for call in read_tool_calls(text).calls
    ]


@given(st.lists(st.tuples(names, st.dictionaries(st.text(), json_values, max_size=3)), min_size=1, max_size=4))
def test_what_is_written_is_read_back(pairs: list[tuple[str, dict[str, object]]]) -> None:
    calls = tuple(ToolCall(call_id(n), name, arguments) for n, (name, arguments) in enumerate(pairs))
    markup = ("<tool_call>", "</tool_call>")
    if any(mark in json.dumps(call.arguments, ensure_ascii=False) for call in calls for mark in markup):
        return
    text = "I look.\n" + "\n".join(map(render_tool_call, calls))
    found = read_tool_calls(text)
    assert found.calls == calls
    assert found.text == "I look."


@given(
    st.text()
    | st.lists(st.sampled_from(["<tool_call>", "</tool_call>", "<think>", "</think>", CROP, "{", "a"])).map("".join)
)
def test_no_text_raises_and_ids_differ(text: str) -> None:
    found = read_tool_calls(text)
    assert "<tool_call>" not in found.text or "think>" in text
    assert len({call.id for call in found.calls}) == len(found.calls)


@given(st.integers(1, len(f"<tool_call>{CROP}") - 1))
def test_a_cut_call_is_malformed_and_never_an_answer(length: int) -> None:
    cut = f"<tool_call>{CROP}"[:length]
    found = read_tool_calls(f"Let me see. {cut}")
    if length < len("<tool"):
        assert found.calls == ()
    else:
        assert [call.malformed is not None for call in found.calls] == [True]
        assert found.text == "Let me see."


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{CROP}</tool_call>",
        f"<tool_call>\n{CROP}}}\n</tool_call>",
        f"<tool_call>{CROP}",
        f"<tool_call>```json\n{CROP}\n```</tool_call>",
        f"<tool_call>[{CROP}]</tool_call>",
        f"<tool_call><tool_call>{CROP}</tool_call>".replace("<tool_call><", "<", 1),
        f"<tool_call>\n<tool_call>{CROP}</tool_call>",
        f"İ<Think>about to call</THINK><tool_call>{CROP}</tool_call>",
        f"<think>about to call</think><tool_call>{CROP}</tool_call>",
        f"the prompt opened this</think><tool_call>{CROP}</tool_call>",
        f"<think>never closed <tool_call>{CROP}</tool_call>",
        f'<tool_call>{{"type": "function", "function": {CROP}}}</tool_call>',
        f"<tool_call>{CROP.replace('arguments', 'parameters')}</tool_call>",
        '<tool_call>{"name": "crop_video", "arguments": "{\\"start_time\\": 1, \\"end_time\\": 2.5}"}</tool_call>',
    ],
)
def test_forms_that_models_write(text: str) -> None:
    assert calls_in(text) == [("crop_video", {"start_time": 1, "end_time": 2.5})]


def test_several_calls_stay_in_order() -> None:
    text = f"a<tool_call>{CROP}</tool_call>b<tool_call>{{bad</tool_call>c<tool_call>" + '{"name": "zoom"}</tool_call>'
    found = read_tool_calls(text, first_index=7)
    assert [call.name for call in found.calls] == ["crop_video", "", "zoom"]
    assert [call.id for call in found.calls] == ["call00007", "call00008", "call00009"]
    assert found.calls[1].malformed == "{bad"
    assert found.text == "abc"


def test_calls_inside_thinking_do_not_count() -> None:
    text = f"<think>I could say <tool_call>{CROP}</tool_call> here</think><answer>B</answer>"
    assert read_tool_calls(text).calls == ()
    assert read_tool_calls(text).text == text


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "crop_video", "arguments": {"start_time": 1e400}}',
        '{"name": "crop_video", "arguments": {"start_time": [{"deep": -1e400}]}}',
        '{"name": "crop_video", "arguments": {"n": 18446744073709551616}}',
        '{"name": "crop_video", "arguments": {"text": "cut \\ud83d"}}',
        '{"name": "crop_video", "arguments": {"cut \\ud83d": 1}}',
        '{"name": "crop_video", "arguments": "{\\"text\\": \\"\\\\ud83d\\"}"}',
        '{"name": "crop\\udc00", "arguments": {}}',
        '{"name": "crop_video", "arguments": {"a":' + "[" * 100 + "]" * 100 + "}}",
        '{"name": "crop_video", "arguments": {"start_time": NaN}}',
        '{"name": "crop_video", "arguments": {"start_time": __import__("os")}}',
        '{"name": "crop_video", "arguments": [1, 2]}',
        '{"name": "", "arguments": {}}',
        '{"name": 3, "arguments": {}}',
        "[" * 100_000,
        '{"name": "crop_video", "arguments": {"n": ' + "9" * 10_000 + "}}",
        "",
        "crop_video(1, 2)",
        "[]",
    ],
)
def test_what_cannot_be_read_is_malformed_with_its_text(body: str) -> None:
    (call,) = read_tool_calls(f"<tool_call>{body}</tool_call>").calls
    assert call.malformed == body
    assert call.arguments == {}


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "<think></think>", "<tool_call>", "<tool_c", '{"a":', "[[{", " "]
)
def test_a_model_that_repeats_itself_is_read_in_linear_time(piece: str) -> None:
    started = time.process_time()
    for opening in ("", "<think>", "<tool_call>", "<tool_call>```"):
        read_tool_calls(opening + piece * 50_000)
    assert time.process_time() - started < 2


def test_arguments_of_native_calls() -> None:
    assert read_arguments('{"a": 1}') == {"a": 1}
    assert read_arguments({"a": 1}) == {"a": 1}
    assert read_arguments("") == {}
    assert read_arguments('"{\\"a\\": 1}"') == {"a": 1}
    for bad in ('{"a": ', "[1]", "null", 3, None):
        assert read_arguments(bad) is None


def test_half_a_character_in_the_text_is_replaced() -> None:
    found = read_tool_calls("cut \ud83d <tool_call>bad \ud83d")
    assert found.text == "cut \ufffd"
    assert found.calls[0].malformed == "bad \ufffd"
    assert read_tool_calls("whole \U0001f600").text == "whole \U0001f600"


def test_tools_are_listed_as_json_lines() -> None:
    tool = ToolSpec("zoom", "Größer.", {"type": "object", "properties": {}})
    listed = render_tools([tool, tool]).split("<tools>\n")[1].split("\n</tools>")[0].splitlines()
    assert [json.loads(line)["function"]["name"] for line in listed] == ["zoom", "zoom"]
    assert "Größer" in listed[0]
