"""Exports: rows keep to their published schemas, and what is left out is counted with its reason."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exporting import messages_of, one_row, refusal, rows_of, texts
from fake_context import record, source_record
from hypothesis import given
from hypothesis import strategies as st
from made_chains import (
    CHOICE,
    OPEN,
    asked,
    captioned,
    good_turns,
    look,
    seen,
    source,
    traced,
    turn,
)
from PIL import Image

from clips import read_code, write_clock
from longtake.datagen.export.frame_urls import frame_urls, parse_frame_url
from longtake.datagen.export.marks import scrubbed
from longtake.datagen.export.rows import ROWS, row_schema
from longtake.datagen.export.write import card_path, export
from longtake.datagen.step import Record
from longtake.datagen.values import Source
from longtake.errors import ConfigError, MissingExtraError, StoreError, VideoNotFoundError
from longtake.types import Box, Frames, TimeSpan, ToolCall, ToolResult, Trace, from_json
from longtake.video.decode import Video

SCHEMAS = Path(__file__).parents[2] / "src" / "longtake" / "datagen" / "export" / "schemas"
ALL_FORMS = list(ROWS)


# ------------------------------------------------------------------------------------------------------ schemas


@pytest.mark.parametrize("form", ALL_FORMS)
def test_published_schemas_are_those_of_the_types(form: str) -> None:
    assert json.loads((SCHEMAS / f"{form}.json").read_text()) == row_schema(form)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ALL_FORMS)
def test_every_row_is_valid_against_the_published_schema(form: str, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((SCHEMAS / f"{form}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    records = [traced(good_turns()), traced(good_turns(), parent=asked(OPEN, id="film/0001"), answer="the old sailor")]
    assert export(records, form, tmp_path / "out.jsonl").num_rows == 2
    for row in rows_of(tmp_path / "out.jsonl"):
        validator.validate(row)
        broken = {name: value for name, value in row.items() if name != next(iter(row))}
        assert not validator.is_valid(broken)
        if form == "longvt":
            inner = {**schema["properties"]["messages"]["contentSchema"], "$defs": schema["$defs"]}
            jsonschema.Draft202012Validator(inner).validate(messages_of(row))


# -------------------------------------------------------------------------------------------------------- forms


def test_longvideo_reason_rows_have_the_released_fields(tmp_path: Path) -> None:
    assert one_row([asked()], "longvideo-reason", tmp_path) == {
        "problem_id": "film/0000",
        "problem": "What passes the window after the rain?\nA. a red kite\nB. a blue boat\n"
        "C. a green bus\nD. a white dog",
        "data_type": "video",
        "problem_type": "temporal",
        "videos": "film.mp4",
        "answer": "<answer>B</answer>",
        "reasoning": CHOICE.reasoning,
    }


def test_chat_rows_end_in_thinking_and_answer(tmp_path: Path) -> None:
    row = one_row([asked(OPEN)], "chat", tmp_path)
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["messages"][0]["content"][0] == {"type": "video_url", "video_url": {"url": "film.mp4"}}
    assert texts(row["messages"][1]) == "<think>He holds the key.</think><answer>the old sailor</answer>"


def test_grpo_rows_hold_no_reasoning(tmp_path: Path) -> None:
    row = one_row([asked(replace(CHOICE, reasoning=""))], "grpo", tmp_path)
    assert (row["answer"], row["videos"]) == ("<answer>B</answer>", "film.mp4")
    assert "reasoning" not in row


def test_verl_prompts_hold_one_placeholder_and_no_gold(tmp_path: Path) -> None:
    row = one_row([asked()], "verl", tmp_path)
    prompt = "".join(message["content"] for message in row["prompt"])
    assert prompt.count("<video>") == len(row["videos"]) == 1
    assert row["extra_info"]["video_segment"] == [12.0, 20.0]
    assert "12" not in prompt
    apart = asked(replace(CHOICE, spans=(TimeSpan(0, 5), TimeSpan(50, 60), TimeSpan(30, 40))))
    assert one_row([apart], "verl", tmp_path)["extra_info"]["video_segment"] == [30.0, 40.0]
    row_ = one_row([asked(replace(OPEN, answer="x < 5"))], "verl", tmp_path)
    assert (row_["extra_info"]["video_segment"], row_["extra_info"]["answer"]) == ([], "x < 5")
    assert row["reward_model"] == {"style": "rule", "ground_truth": "B"}


def test_a_trace_is_a_conversation_of_five_messages(tmp_path: Path) -> None:
    row = one_row([traced(good_turns())], "longvt", tmp_path)
    system, user, call, tool, answer = messages_of(row)
    assert [m["role"] for m in (system, user, call, tool, answer)] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert '"name": "crop_video"' in texts(system)
    assert texts(user).startswith("[video_url]What passes the window")
    assert texts(user).endswith("The video path for this video is: film.mp4")
    assert texts(call) == (
        "<think>The rain ends early.</think>\n<tool_call>\n"
        '{"name": "crop_video", "arguments": {"video_path": "film.mp4", "start_time": 12.0, "end_time": 20.0}}'
        "\n</tool_call>"
    )
    assert texts(tool) == (
        "<tool_response>\n2 frames:[00:00:12.0 | 12.0 s][image_url][00:00:13.0 | 13.0 s][image_url]\n</tool_response>"
    )
    assert texts(answer) == "<think>It is a boat.</think>\n<answer>B</answer>"
    picture = next(part["image_url"] for part in tool["content"] if part["type"] == "image_url")
    assert picture == {"url": "film.mp4#t=12", "width": 56, "height": 28}


def test_other_tools_of_the_agent_are_listed_where_they_are_called(tmp_path: Path) -> None:
    found = ToolResult("call00000", ("[00:00:12.0] a boat",))
    call = ToolCall("call00000", "search_text", {"query": "boat <image>"})
    turns = [turn("", call, results=[found]), *good_turns()]
    messages = messages_of(one_row([traced(turns)], "longvt", tmp_path))
    assert '"search_text"' in texts(messages[0])
    assert '"zoom"' not in texts(messages[0])
    assert texts(messages[2]).startswith("<tool_call>")
    assert "<image>" not in texts(messages[2])
    assert json.loads(card_path(tmp_path / "out.jsonl").read_text())["num_without_thinking"] == 1


def test_calls_keep_what_their_schema_lists_and_nothing_else(tmp_path: Path) -> None:
    calls = [
        ToolCall("call00000", "search_text", {"query": "boat", "source": "screen", "limit": 3}),
        ToolCall("call00000", "read_text", {"start_time": "0:01", "end_time": 4, "source": "subtitles"}),
        ToolCall("call00000", "zoom", {"time": 3, "box": [0, 0, 0.5, 1], "video_path": "/somewhere/film.mp4"}),
        look(fps=2, video_path="/somewhere/film.mp4"),
    ]
    turns = [turn("<think>So.</think>", c, results=[ToolResult("call00000", ("words",))]) for c in calls]
    messages = messages_of(one_row([traced([*turns, *good_turns()])], "longvt", tmp_path))
    listed = [json.loads(line)["function"] for line in texts(messages[0]).splitlines() if line.startswith('{"type"')]
    shapes = {one["name"]: one["parameters"] for one in listed}
    said = [json.loads(texts(m).splitlines()[2])["arguments"] for m in messages[2:-1:2]]
    assert said[:4] == [
        {"query": "boat", "source": "screen"},
        {"start_time": 1.0, "end_time": 4.0, "source": "subtitles"},
        {"time": 3.0, "box": [0, 0, 0.5, 1]},
        {"video_path": "film.mp4", "start_time": 12.0, "end_time": 20.0},
    ]
    for arguments, call in zip(said, calls, strict=False):
        shape = shapes[call.name]
        assert set(shape["required"]) <= set(arguments) <= set(shape["properties"])


MARKS = (
    "<image> </s> <s> <img> [IMG] [/INST] <vila/video> <video_1> <frame> <|im_end|> <|vision_start|> <｜end｜> <eos>"
    " <unused94> <start_of_image> <image_soft_token> <IMG_CONTEXT> <<SYS>> ◁think▷ <tool_response> [IMG_BREAK] <pad>"
)


def test_special_tokens_are_scrubbed_and_words_are_not(tmp_path: Path) -> None:
    assert scrubbed(MARKS, form=True).split() == []
    kept = "x <y> z < 5, <b>bold</b>, [1], [sic], <summary>, a <sailor>, [sings]"
    assert scrubbed(kept, form=True) == kept
    turns = [turn(f"<think>I see {MARKS} it.</think>", look(), results=[seen("f" * 32, [12.0])]), *good_turns()[1:]]
    messages = messages_of(one_row([traced(turns)], "longvt", tmp_path))
    assert texts(messages[2]).split("\n")[0].split() == ["<think>I", "see", "it.</think>"]


def test_a_call_that_failed_is_a_turn(tmp_path: Path) -> None:
    lost = turn("<think>Later?</think>", look(90, 99), results=[ToolResult("call00000", error="it ends at 60 s")])
    messages = messages_of(one_row([traced([lost, *good_turns()])], "longvt", tmp_path))
    assert texts(messages[3]) == "<tool_response>\nit ends at 60 s\n</tool_response>"


def test_markup_in_what_a_model_wrote_does_not_reach_the_conversation(tmp_path: Path) -> None:
    first = "<think>Frame <image> and <vid<video>eo>, <|image_pad|>.</think>"
    turns = [
        turn(first, look(), results=[seen("f" * 32, [12.0])]),
        turn("So <think>it is <answer>A</answer></think> <answer>B</answer>"),
    ]
    question = replace(CHOICE, question="What is in <image>?")
    messages = messages_of(one_row([traced(turns, parent=asked(question))], "longvt", tmp_path))
    said = "".join(texts(message) for message in messages[1:])
    assert "<image>" not in said
    assert "<video>" not in said
    assert "<|" not in said
    assert texts(messages[2]).startswith("<think>Frame  and , .</think>\n<tool_call>")
    last = texts(messages[-1])
    assert last.count("<answer>") == last.count("<think>") == 1
    assert last.endswith("<answer>B</answer>")


@given(st.text(alphabet="<>/|iamgevdo ", max_size=60))
def test_nothing_is_left_to_scrub(text: str) -> None:
    once = scrubbed(text)
    assert scrubbed(once) == once
    assert "<image>" not in once
    assert "<video>" not in once


def test_where_the_video_lay_is_in_no_export(tmp_path: Path) -> None:
    lost = ToolResult("call00000", error="/somewhere/videos/film.mp4: nothing can be decoded there")
    turns = [turn("<think>Look.</think>", look(), results=[lost]), *good_turns()]
    for form in ALL_FORMS:
        export([traced(turns)], form, tmp_path / "out.jsonl")
        assert "/somewhere" not in (tmp_path / "out.jsonl").read_text()
        assert rows_of(tmp_path / "out.jsonl")


def test_exported_traces_read_back_without_times_of_the_run(tmp_path: Path) -> None:
    export([traced(good_turns())], "traces", tmp_path / "out.jsonl")
    trace = from_json(Trace, (tmp_path / "out.jsonl").read_bytes())
    assert (trace.sample.id, trace.sample.video, trace.video.uri) == ("film/0000", "film.mp4", "film.mp4")
    assert trace.turns[0].output.seconds == trace.turns[0].results[0].seconds == 0
    assert not trace.turns[0].output.cached
    scores: Any = trace.sample.metadata["scores"]
    assert scores[0]["value"] == 1.0


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("form", "leaf", "reason"),
    [
        ("longvideo-reason", asked(replace(CHOICE, reasoning=" ")), "no reasoning"),
        ("grpo", asked(replace(CHOICE, answer="E")), "none of the options"),
        ("grpo", asked(replace(OPEN, answer="<image> ")), "answer is empty"),
        ("longvt", asked(), "no trace"),
        ("longvt", traced(good_turns(), answer=None), "no answer: max_turns"),
        ("longvt", traced([turn("hm", error="no form"), *good_turns()]), "broke the form"),
        ("longvt", traced([turn("", look(name="open_file"), results=[ToolResult("c")])] * 2), "calls 'open_file'"),
        ("longvt", traced([turn("", look("soon"), results=[ToolResult("c")]), *good_turns()]), "times that cannot"),
        ("longvt", traced([turn("", look()), *good_turns()]), "neither calls"),
    ],
)  # fmt: skip
def test_what_a_form_cannot_say_is_refused_with_its_reason(
    form: str, leaf: Record, reason: str, tmp_path: Path
) -> None:
    assert reason in refusal(leaf, form, tmp_path)


def test_a_video_named_like_a_placeholder_is_refused(tmp_path: Path) -> None:
    parent = asked(parent=source("film", video="<video>.mp4"))
    assert "placeholder" in refusal(traced(good_turns(), parent=parent), "longvt", tmp_path)


def test_a_record_that_comes_from_no_question_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="comes from no question"):
        export([captioned(source())], "grpo", tmp_path / "out.jsonl")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------------ the file


def test_an_export_that_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    export([asked()], "grpo", tmp_path / "out.jsonl")
    before = (tmp_path / "out.jsonl").read_bytes()
    with pytest.raises(StoreError):
        export([asked(), record("x", {}, id="zzz")], "grpo", tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"out.jsonl", "out.jsonl.card.json"}


@pytest.mark.parametrize(("form", "name"), [("csv", "out.jsonl"), ("grpo", "out.csv")])
def test_unknown_forms_and_suffixes_are_named(form: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"grpo|parquet"):
        export([asked()], form, tmp_path / name)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'longtake\[data\]'"):
        export([asked()], "grpo", tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ALL_FORMS)
def test_parquet_holds_the_same_rows(form: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    records = [
        traced(good_turns(), parent=asked(replace(CHOICE, question=f"Q {i}?"), id=f"film/{i:04d}")) for i in range(3)
    ]
    export(records, form, tmp_path / "out.jsonl")
    first = export(records, form, tmp_path / "out.parquet")
    assert export(records, form, tmp_path / "again.parquet").sha256 == first.sha256
    wanted = rows_of(tmp_path / "out.jsonl")
    read = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    for row, want in zip(read, wanted, strict=True):
        as_text = {name for name, value in want.items() if isinstance(row[name], str) and not isinstance(value, str)}
        assert {name: json.loads(v) if name in as_text else v for name, v in row.items()} == want
        assert as_text <= ({"messages"} if form == "chat" else set(want) if form == "traces" else set())


# -------------------------------------------------------------------------------------------------------- frames


def test_frames_as_files_are_the_pictures_of_their_times(tmp_path: Path) -> None:
    clock = (
        write_clock(tmp_path / "videos" / "film.mp4", num_frames=100) if (tmp_path / "videos").mkdir() is None else None
    )
    assert clock is not None
    root = source_record(tmp_path / "videos" / "film.mp4")
    file = root.read(Source)
    parent = asked(parent=captioned(root))
    turns = good_turns(file.fingerprint, clock.seconds[10:12])
    folder = tmp_path / "export"
    row = one_row([traced(turns, parent=parent)], "longvt", folder, media=folder / "frames", root=tmp_path / "videos")
    urls = [p["image_url"]["url"] for m in messages_of(row) for p in m["content"] if p["type"] == "image_url"]
    assert [url.split("/")[0] for url in urls] == ["frames", "frames"]
    for number, url in zip((10, 11), urls, strict=True):
        with Image.open(folder / url) as image:
            assert (image.size, read_code(np.asarray(image))) == ((56, 28), number)
    times = [os.stat(folder / url).st_mtime_ns for url in urls]
    one_row([traced(turns, parent=parent)], "longvt", folder, media=folder / "frames", root=tmp_path / "videos")
    assert [os.stat(folder / url).st_mtime_ns for url in urls] == times
    with pytest.raises(VideoNotFoundError):
        export([traced(turns, parent=parent)], "longvt", tmp_path / "x.jsonl", media=tmp_path / "m", root=tmp_path)
    changed = traced(good_turns("0" * 32, [0.5]), parent=parent)
    report = export([changed], "longvt", tmp_path / "y.jsonl", media=tmp_path / "m", root=tmp_path / "videos")
    assert Counter(report.refused) == {"its frames cannot be decoded": 1}


@pytest.mark.parametrize("fps", [25, Fraction(24000, 1001)])
def test_a_moment_names_the_picture_the_model_saw(fps: Fraction | int, tmp_path: Path) -> None:
    clock = write_clock(tmp_path / "film.mp4", fps=fps, num_frames=50)
    video = Video.open(tmp_path / "film.mp4")
    file = source_record(tmp_path / "film.mp4").read(Source)
    urls = frame_urls(file, video.frames_at(clock.seconds, size=(64, 48)))
    moments = [parse_frame_url(url)[1] for url in urls]
    assert [read_code(picture) for picture in video.frames_at(moments).pixels] == list(range(50))


@given(
    st.floats(0, 1e5, allow_nan=False),
    st.none() | st.tuples(st.integers(0, 49), st.integers(0, 49), st.integers(51, 100), st.integers(51, 100)),
    st.sampled_from(["film.mp4", "a/b#t=3.mp4", "ü & co.mkv"]),
)
def test_a_moment_reads_back(seconds: float, corners: tuple[int, int, int, int] | None, video: str) -> None:
    box = Box(*(corner / 100 for corner in corners)) if corners else None
    file = replace(source().read(Source), video=video)
    (url,) = frame_urls(file, Frames(np.array([seconds]), 10, 10, "f", box))
    name, read, region = parse_frame_url(url)
    assert name == video
    assert -1e-5 <= read - seconds <= 1.1e-3  # the picture shown then, never the one before
    assert (region is None) == (box is None)
    if region and box:
        assert [region.left, region.top, region.right, region.bottom] == pytest.approx(
            [box.left, box.top, box.right, box.bottom]
        )
