"""Which replies count as content."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_context import FakeContext

from longtake.agents.prompt import prompt_digest
from longtake.datagen.steps.asking import ask, content_of
from longtake.errors import FormatError, ModelConnectionError, ModelReplyError, RejectedError
from longtake.models import heard as hearing
from longtake.models.phrases import is_error_message, is_refusal
from longtake.models.scripted import Reply, ScriptedModel
from longtake.types import Message, ModelOutput, ToolCall


def heard(tmp_path: Path, *replies: Reply) -> str:
    return asyncio.run(ask(FakeContext(tmp_path), ScriptedModel(replies), "Task: test", max_tokens=99))


def output(text: str, stop: str = "stop") -> ModelOutput:
    return ModelOutput(Message("assistant", (text,)), "m", stop)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_FIRST_WAIT_SECONDS", 0.0)


CONTENT = [
    "A man opens the door.",
    "A screen shows 'Error: Connection error.' in red letters while the man swears.",
    'The monitor reads "500 Internal Server Error"; the crowd laughs.',
    "Error messages flash over the screen as the hacker types.",
    "Errors pile up on the terminal behind her.",
    "Error 404 is the name of the band that plays on the stage, as the poster says.",
    "\"I'm sorry, I can't help you with that,\" says the clerk and closes the window.",
    "I'm sorry, Dave. I'm afraid I can't do that, says the calm voice of the computer.",
    "The narrator says: I cannot describe what I saw that day.",
    "Unfortunately for the runner, it starts to rain.",
    "No frames of the old film survive, the narrator explains over a black picture.",
    "Sorry, wrong number, she says into the phone and hangs up.",
    "Connections between the wires are checked by a woman in a blue coat.",
    "The request was refused by the king, says the title card.",
    "Nan cooks dinner.",
    "No caption is shown while the camera pans over the sea.",
    "5 people cross the road.",
    "404 visitors are counted at the gate.",
    "The server is busy: he carries four plates at once.",
    "Failed to catch the ball, the boy falls over. He gets up again and laughs.",
    "Please provide for your families, the preacher says.",
    "A request for help is written in the sand.",
    "An error in the score makes the referee stop the game.",
    "Access denied, reads the door panel.",
    "Unfortunately, I can't make this shot, says the man as he lifts the bow.",
    "Error: 404 is displayed on a blue screen while a man types.",
    "Sorry, I cannot help you, the clerk says.",
    "I cannot help but notice the red car.",
    "500 internal server racks stand in a room.",
    "Forbidden City gates open wide.",
    "Terror: the crowd runs from the square.",
    "Safety glasses are handed out to the visitors.",
    "Unable to open the door, he kicks it.",
    "Something went wrong with the engine, the mechanic explains.",
    "Read errors and broken tapes lie on the bench of the archivist, who sorts them by year.",
]
REFUSALS = [
    "I'm sorry, but I can't assist with that.",
    "I’m sorry, I can’t help with that request.",
    "I cannot provide a description of this video.",
    "I can't identify people in images.",
    "I am unable to view or analyze videos.",
    "I'm not able to see the frames, so no caption is possible.",
    "As an AI language model, I cannot watch videos.",
    "Unfortunately, I can't describe this content.",
    "**I'm sorry, but I cannot comply.**",
    "I apologize, but I cannot generate a question for these captions.",
    "It seems that no image was provided. Please upload it.",
    "It looks like you haven't attached any frames.",
    "I don't see any image in your message.",
    "Please provide the video you would like me to describe.",
    "Your request was blocked by the content policy.",
    "很抱歉，我无法描述这个视频。",
    "Sorry, I can't help with this.",
    "Lo siento, pero no puedo ayudar con eso.",
    "Désolé, je ne peux pas vous aider avec cela.",
    "Es tut mir leid, aber dabei kann ich nicht helfen.",
    "申し訳ありませんが、この動画を説明することはできません。",
    "죄송하지만 이 요청은 도와드릴 수 없습니다.",
    "Извините, я не могу помочь с этим.",
    "Desculpe, não posso ajudar com isso.",
    "对不起，无法处理该请求。",
    "مع الأسف، لا يمكنني المساعدة",
    "I'm sorry, but I must decline.",
    "I'm a language model and can't see images.",
    "I'm just a text-based model and cannot view images.",
    "Unable to process the video.",
    "I need to see the frames to describe them.",
    "I'm not seeing any images in your message.",
    "The images are not visible to me.",
    "The frames appear to be blank or failed to load, so I cannot describe them.",
    "I'd be happy to help! Please upload the video frames.",
    "I regret to inform you that I cannot describe this.",
    "Cannot describe: image missing.",
    "I'm not comfortable describing this.",
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    "This content may violate our usage policies.",
    "PROHIBITED_CONTENT",
    "SAFETY",
    "[Blocked by safety filter]",
]
ERRORS = [
    "Error: Connection error.",
    "Error code: 429 - {'error': {'message': 'Rate limit reached'}}",
    "[ERROR] backend timed out",
    "API Error: 503",
    "Error communicating with OpenAI: timeout",
    "openai.APIConnectionError: Connection error.",
    "litellm.InternalServerError: no response",
    "TimeoutError: no reply in 60 s",
    "Internal Server Error",
    "502 Bad Gateway",
    "HTTP/1.1 503 Service Temporarily Unavailable",
    "Error 404: Not Found",
    "<html><head><title>504 Gateway Time-out</title></head></html>",
    "<!DOCTYPE html>\n<html>",
    '{"error": {"message": "The server had an error", "code": 500}}',
    '{"object": "error", "message": "too long"}',
    '{"detail": "Not Found"}',
    "upstream connect error or disconnect/reset before headers. reset reason: overflow",
    "no healthy upstream",
    "Request timed out.",
    "Connection refused",
    "Connection error.",
    "Traceback (most recent call last):\n  File 'x.py', line 1",
    "An error occurred while processing your request.",
    "An unexpected error has occurred.",
    "Rate limit reached for requests",
    "Too Many Requests",
    "context deadline exceeded",
    "CUDA out of memory. Tried to allocate 2.00 GiB",
    "Failed to generate response",
    "The server is overloaded, please try again later.",
    "HTTPConnectionPool(host='localhost', port=8000): Max retries exceeded with url: /v1",
    "ReadTimeout",
    "fetch failed",
    "Quota exceeded",
    "Insufficient balance",
    "Invalid API key",
    "The model `x` does not exist.",
    "This model's maximum context length is 32768 tokens. However, you requested 40000",
    '{"message": "Internal server error"}',
    "Something went wrong. Please try again later.",
    "Server disconnected without response.",
    "ECONNREFUSED 127.0.0.1:8000",
]


@pytest.mark.parametrize("text", CONTENT)
def test_content_is_given_back(text: str, tmp_path: Path) -> None:
    assert heard(tmp_path, f"<think>Error: hm. I'm sorry, I can't see.</think>\n{text}\n") == text


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_drops_the_record_with_its_words(text: str, tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match="refused") as caught:
        heard(tmp_path, text)
    assert text[:30] in str(caught.value)


@pytest.mark.parametrize("text", ERRORS)
def test_an_error_message_is_never_kept_as_a_reply(text: str, tmp_path: Path) -> None:
    with pytest.raises(ModelReplyError, match="3 times"):
        heard(tmp_path, text, text, text)
    assert heard(tmp_path, text, "A door opens.") == "A door opens."


@pytest.mark.parametrize("text", ERRORS)
def test_an_error_message_that_was_kept_after_all_is_not_content(text: str) -> None:
    with pytest.raises(FormatError, match="error message"):
        content_of(output(text), max_tokens=9)


def test_a_long_text_that_begins_like_one_is_about_one() -> None:
    tale = " and then the clerk goes on to the next window" * 20
    assert not is_refusal("I cannot provide a ticket," + tale)
    assert not is_error_message("Error: that is what the sign says," + tale)


@pytest.mark.parametrize(
    "text",
    [
        "n/a - no frames",
        "No caption",
        "[object Object]",
        "Not specified.",
        "",
        "  \n",
        "None",
        "null.",
        "N/A",
        "...",
        "**",
        "<think>only this",
        "<think>a</think>",
    ],
)
def test_a_reply_that_says_nothing_is_no_content(text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="nothing"):
        heard(tmp_path, text)


def test_a_reply_that_was_cut_off_is_no_content(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cut off after 99 tokens"):
        heard(tmp_path, output("A man opens the", "length"))


def test_a_reply_the_server_calls_refused_drops_the_record(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match=r"m refused: it gave no reason"):
        heard(tmp_path, output("", "refused"))


def test_a_model_may_say_that_there_is_nothing_to_write(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match=r"abstains: the picture is black"):
        heard(tmp_path, "<think>hm</think><abstain>the picture is black</abstain>")


def test_an_abstention_that_was_not_closed_is_one(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match=r"abstains: too dark"):
        heard(tmp_path, "<abstain>too dark")


def test_a_tool_call_is_no_content(tmp_path: Path) -> None:
    message = Message("assistant", (), (ToolCall("1", "crop_video", {}),))
    with pytest.raises(FormatError, match="crop_video"):
        heard(tmp_path, ModelOutput(message, "m", "tool_calls"))


def test_errors_of_the_model_pass_through(tmp_path: Path) -> None:
    with pytest.raises(ModelConnectionError, match="gone"):
        heard(tmp_path, ModelConnectionError("gone"))


def test_what_stands_below_the_journal_names_the_model(tmp_path: Path) -> None:
    model = ScriptedModel(["A door."], name="m7")
    seen: list[object] = []

    class Journal(FakeContext):
        def journaled(self, model):  # type: ignore[no-untyped-def]
            seen.append((model.name, model.reply_identity))
            return model

    asyncio.run(ask(Journal(tmp_path), model, ["Task: test", " more"], temperature=0.6, max_tokens=7))
    assert seen == [("m7", "m7")]
    request = model.requests[0]
    assert request.messages == (Message("user", ("Task: test", " more")),)
    assert (request.tools, request.config.temperature, request.config.max_tokens) == ((), 0.6, 7)


def test_the_digest_of_a_prompt_is_of_its_words() -> None:
    assert len(prompt_digest("crop")) == 16
    assert prompt_digest("crop") == prompt_digest("crop") != prompt_digest("direct")
