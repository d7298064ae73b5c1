"""What the types of rows refuse, and the published schemas with them where a schema can say it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_chains import OPEN, asked, good_turns, traced
from pydantic import ValidationError

from longtake.datagen.export.rows import ROWS, FormName, row_schema
from longtake.datagen.export.write import export
from longtake.datagen.step import Record

Row = dict[str, Any]


def row(form: FormName, folder: Path, leaf: Record | None = None) -> Row:
    export([leaf or traced(good_turns())], form, folder / "out.jsonl")
    return json.loads((folder / "out.jsonl").read_text(encoding="utf-8"))


def checks(form: FormName, changed: Row) -> tuple[bool, bool]:
    """Whether the type takes it, and whether the published schema does."""
    jsonschema = pytest.importorskip("jsonschema")
    try:
        ROWS[form].validate_python(changed)
        by_type = True
    except ValidationError:
        by_type = False
    return by_type, jsonschema.Draft202012Validator(row_schema(form)).is_valid(changed)


@pytest.mark.parametrize(
    ("change", "schema_knows"),
    [
        ({"reasoning": " \n"}, True),
        ({"reasoning": "I see <image> and <|im_end|>"}, True),
        ({"problem": "What is in <image>?"}, True),
        ({"problem": "\t"}, True),
        ({"answer": "<answer> </answer>"}, True),
        ({"answer": "<answer>B</answer>\n"}, True),
        ({"answer": "<answer>B</answer><answer>C</answer>"}, True),
        ({"answer": "<answer>Z</answer>"}, False),
        ({"videos": "/films/film.mp4"}, True),
        ({"videos": "../film.mp4"}, True),
        ({"videos": "a/../../film.mp4"}, True),
        ({"videos": "a/.."}, True),
        ({"videos": "C:\\film.mp4"}, True),
        ({"videos": "https://example.org/film.mp4"}, True),
        ({"videos": "file:/film.mp4"}, True),
    ],
)
def test_rows_of_problems_are_refused(change: Row, schema_knows: bool, tmp_path: Path) -> None:
    by_type, by_schema = checks("longvideo-reason", {**row("longvideo-reason", tmp_path), **change})
    assert not by_type
    assert by_schema != schema_knows


@pytest.mark.parametrize(
    "change",
    [{"videos": "films.d/part 1: the ...end.mp4"}, {"answer": "<answer>x < 5</answer>"}, {"problem": "A?\nB. 1"}],
)
def test_rows_of_problems_are_taken(change: Row, tmp_path: Path) -> None:
    whole = row("longvideo-reason", tmp_path, asked(OPEN))
    assert checks("longvideo-reason", {**whole, **change}) == (True, True)


def without_video(messages: list[Row]) -> list[Row]:
    user = {**messages[1], "content": messages[1]["content"][1:]}
    return [messages[0], user, *messages[2:]]


def with_url(url: str) -> Callable[[list[Row]], list[Row]]:
    def change(messages: list[Row]) -> list[Row]:
        part = {"type": "video_url", "video_url": {"url": url}}
        return [messages[0], {**messages[1], "content": [part, *messages[1]["content"][1:]]}, *messages[2:]]

    return change


def said(text: str) -> Callable[[list[Row]], list[Row]]:
    return lambda messages: [*messages[:-1], {"role": "assistant", "content": [{"type": "text", "text": text}]}]


WRONG: list[Callable[[list[Row]], list[Row]]] = [
    without_video,
    with_url("/films/film.mp4"),
    with_url("../film.mp4"),
    with_url("C:/film.mp4"),
    with_url("http://example.org/film.mp4"),
    said(" "),
    said("It is </s>"),
    lambda messages: messages[:-1],
    lambda messages: [messages[1], messages[0], *messages[2:]],
    lambda messages: [*messages, messages[-1]],
    lambda messages: [*messages[:2], messages[3], *messages[2:]],
    lambda messages: [*messages[:2], messages[0], *messages[2:]],
]


@pytest.mark.parametrize("change", WRONG)
def test_conversations_out_of_order_are_refused(change: Callable[[list[Row]], list[Row]], tmp_path: Path) -> None:
    whole = row("longvt", tmp_path)
    messages = json.loads(whole["messages"])
    assert ROWS["longvt"].validate_python({**whole, "messages": json.dumps(messages)})
    with pytest.raises(ValidationError):
        ROWS["longvt"].validate_python({**whole, "messages": json.dumps(change(messages))})


@pytest.mark.parametrize("text", ["not json", "", "[]", '"text"', '{"role": "user"}'])
def test_a_column_of_messages_is_a_list_of_them(text: str, tmp_path: Path) -> None:
    assert checks("longvt", {**row("longvt", tmp_path), "messages": text}) == (False, False)
