"""Which replies are heard as error messages: never what a sign says, always what a server says."""

from __future__ import annotations

import asyncio

import pytest

from longtake.errors import ModelReplyError
from longtake.models import heard as hearing
from longtake.models.heard import Heard
from longtake.models.scripted import ScriptedModel
from longtake.types import GenerateConfig, Message


def heard(*replies: str) -> str:
    model = Heard(ScriptedModel(replies))
    said = [Message("user", ("What does the sign say?",))]
    return asyncio.run(model.generate(said, tools=(), config=GenerateConfig())).text


@pytest.mark.parametrize("sign", ["Forbidden", "Not found", "Error", "ERROR!", "Out of memory.", "Unauthorized"])
def test_the_writing_on_a_sign_is_a_reply(sign: str) -> None:
    assert heard(sign) == sign
    assert heard(f"<answer>{sign}</answer>") == f"<answer>{sign}</answer>"


@pytest.mark.parametrize(
    "message", ["403 Forbidden", "Error: not found", "[ERROR]", "Internal Server Error", '{"detail": "Not Found"}']
)
def test_a_servers_message_is_asked_again(message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_FIRST_WAIT_SECONDS", 0.0)
    assert heard(message, "blue") == "blue"
    with pytest.raises(ModelReplyError, match="3 times"):
        heard(message, message, message)
    tagged = f"<answer>{message}</answer>"
    assert heard(tagged) == tagged
