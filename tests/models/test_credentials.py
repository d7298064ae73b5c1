"""What is kept in files that are given to others holds no credentials, and is otherwise the same."""

from __future__ import annotations

from typing import Any

import pytest

from longtake.models.credentials import without_credentials


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("http://user:pw123@host:8000/v1", "http://host:8000/v1"),
        ("http://user:p@w@host/v1", "http://host/v1"),
        ("https://host/v1?api_key=qk999&api-version=2", "https://host/v1?api_key=***&api-version=***"),
        ({"extra": {"api_key": "xk777", "top_k": 3}}, {"extra": {"api_key": "***", "top_k": 3}}),
        ({"headers": {"X-Api-Key": "a", "Authorization": "Bearer b"}},
         {"headers": {"X-Api-Key": "***", "Authorization": "***"}}),
        ({"tokens": ["a", {"b": "c"}]}, {"tokens": ["***", {"b": "***"}]}),
        ([{"clientSecret": "s"}, {"PASSWORD": "p"}], [{"clientSecret": "***"}, {"PASSWORD": "***"}]),
    ],
)  # fmt: skip
def test_credentials_are_taken_out(value: Any, left: Any) -> None:
    assert without_credentials(value) == left


@pytest.mark.parametrize(
    "value",
    [
        "a@b.org",
        "hf:owner/data@main",
        "videos/what?x=1.mp4",
        "http://localhost:8000/v1",
        {"api_key_env": "MY_KEY", "max_tokens": 64, "api_key": None, "key": "", "tokenizer": "path", "tool_style": "x"},
        [1, 2.5, None, True],
    ],
)
def test_the_rest_stays_as_it_is(value: Any) -> None:
    assert without_credentials(value) == value
