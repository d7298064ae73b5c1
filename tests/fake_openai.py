"""A strict chat-completions endpoint on loopback, for tests: it refuses what the wire format forbids, breaks on demand.

    with FakeOpenAI() as fake:
        fake.will(Say("hello"), Fail(429, headers={"Retry-After": "1"}), Reset())
        model = OpenAIModel("tiny", base_url=fake.base_url)

It answers in the order told and ``Say("ok")`` after that. ``requests`` holds every body, ``images`` the size of every
picture that came, ``refused`` what was wrong with requests: a test of good requests asserts that it is empty.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from PIL import Image


@dataclass(frozen=True)
class Say:
    """A proper reply; ``message`` and ``fields`` override what is sent."""

    text: str | None = "ok"
    calls: Sequence[tuple[str, str]] = ()
    finish: str | None = "stop"
    usage: Mapping[str, Any] | None = field(default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 20})
    message: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def body(self, model: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.calls:
            message["tool_calls"] = [
                {"id": f"srv_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for n, (name, arguments) in enumerate(self.calls)
            ]
        choice = {"index": 0, "message": message | dict(self.message), "finish_reason": self.finish, **self.fields}
        reply = {"id": "r", "object": "chat.completion", "model": model, "choices": [choice]}
        return reply | ({"usage": dict(self.usage)} if self.usage is not None else {})


@dataclass(frozen=True)
class Fail:
    """An answer that is no reply. ``body``: text as is, anything else as JSON."""

    status: int
    body: Any = "it broke"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reset:
    """The connection breaks; ``after`` bytes of a body announced as longer."""

    after: bytes | None = None


@dataclass(frozen=True)
class Stall:
    """Headers and a blank line come, and then nothing for ``seconds``."""

    seconds: float


Act = Say | Fail | Reset | Stall


class FakeOpenAI:
    def __init__(self, *, key: str | None = None, models: Sequence[str] = ("tiny",)) -> None:
        self.key, self.models = key, models
        self.requests: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.queries: list[Mapping[str, str]] = []
        self.images: list[tuple[int, int]] = []
        self.refused: list[str] = []
        self.in_flight = self.max_in_flight = 0
        self.base_url = ""
        self._acts: deque[Act] = deque()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def will(self, *acts: Act) -> None:
        self._acts.extend(acts)

    def __enter__(self) -> FakeOpenAI:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 28)
        app.add_routes([web.post("/v1/chat/completions", self._chat), web.get("/v1/models", self._list)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": model} for model in self.models]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        self.queries.append(dict(request.query))
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, f"Incorrect API key provided: {request.headers.get('Authorization')}", "invalid_api_key")
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            return await self._answer(request)
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        try:
            self.images += check_request(body)
        except Refused as e:
            self.refused.append(str(e))
            return _error(400, str(e), "invalid_request_error")
        if body["model"] not in self.models:
            return _error(404, f"The model `{body['model']}` does not exist", "model_not_found")
        act = self._acts.popleft() if self._acts else Say()
        match act:
            case Say():
                await asyncio.sleep(act.seconds)
                return web.json_response(act.body(body["model"]))
            case Fail(status, content, headers):
                if isinstance(content, str):
                    return web.Response(status=status, text=content, headers=headers)
                return web.json_response(content, status=status, headers=headers)
            case Reset(None):
                _cut(request)
                return web.Response()
            case _:
                return await self._break_off(request, act)

    async def _break_off(self, request: web.Request, act: Reset | Stall) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(act.after or b"" if isinstance(act, Reset) else b"\n")
        if isinstance(act, Stall):
            await asyncio.sleep(act.seconds)
        _cut(request)
        return response


def _cut(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


def _error(status: int, message: str, code: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "error", "code": code}}, status=status)


# ------------------------------------------------------------------------------------------ what is allowed


class Refused(Exception):
    """What is wrong with a request."""


_FIELDS = {
    "model", "messages", "temperature", "max_tokens", "max_completion_tokens", "seed", "tools", "top_p", "stop",
    "logprobs", "chat_template_kwargs", "return_token_ids",
}  # fmt: skip
_MESSAGE_FIELDS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls"},
    "tool": {"role", "content", "tool_call_id"},
}
_JPEG = "data:image/jpeg;base64,"


def check_request(body: Any) -> list[tuple[int, int]]:
    """The sizes of the pictures in a request. Raises `Refused`."""
    _need(isinstance(body, dict) and set(body) <= _FIELDS, f"unknown fields {set(body) - _FIELDS}")
    _need(isinstance(body.get("model"), str), "model must be a string")
    _need(isinstance(body.get("messages"), list) and body["messages"], "messages must be a list that is not empty")
    if "temperature" in body:
        _need(0 <= body["temperature"] <= 2, "temperature must be between 0 and 2")
    _need(not ("max_tokens" in body and "max_completion_tokens" in body), "only one bound on tokens")
    for tool in body.get("tools", []):
        _check_tool(tool)
    images: list[tuple[int, int]] = []
    waiting: list[str] = []
    for message in body["messages"]:
        role = message.get("role")
        _need(role in _MESSAGE_FIELDS, f"unknown role {role!r}")
        _need(set(message) <= _MESSAGE_FIELDS[role], f"a {role} message has unknown fields: {set(message)}")
        images += _check_content(message.get("content"), role)
        if role == "tool":
            _need(waiting, "a tool message must follow a message with tool_calls")
            _need(message.get("tool_call_id") == waiting.pop(0), "tool messages must answer the calls in their order")
        else:
            _need(not waiting, f"no tool message answers the calls {waiting}")
        waiting = waiting or [_check_call(call) for call in message.get("tool_calls", [])]
        _need(len(set(waiting)) == len(waiting), "ids of tool calls must differ")
    _need(not waiting, f"no tool message answers the calls {waiting}")
    return images


def _check_content(content: Any, role: str) -> list[tuple[int, int]]:
    if isinstance(content, str):
        return []
    _need(role in ("user", "tool"), f"the content of a {role} message must be a string")
    _need(isinstance(content, list) and content, "content must be a string or a list that is not empty")
    images: list[tuple[int, int]] = []
    for part in content:
        match part:
            case {"type": "text", "text": str(text), **rest} if not rest:
                _need(text, "a text part must not be empty")
            case {"type": "image_url", "image_url": {"url": str(url)}, **rest} if not rest:
                _need(url.startswith(_JPEG), f"a picture must be a JPEG data URL, it begins {url[:40]!r}")
                picture = Image.open(io.BytesIO(base64.b64decode(url[len(_JPEG) :], validate=True)))
                picture.load()
                _need(picture.format == "JPEG", f"the picture is not a JPEG but {picture.format}")
                images.append(picture.size)
            case _:
                raise Refused(f"unknown content part {str(part)[:200]}")
    return images


def _check_call(call: Any) -> str:
    match call:
        case {"id": str(id_), "type": "function", "function": {"name": str(name), "arguments": str(arguments)}}:
            _need(id_, "a tool call needs an id")
            _need(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name), f"{name!r} is not a name of a function")
            try:
                _need(isinstance(json.loads(arguments), dict), "arguments must be the JSON of an object")
            except json.JSONDecodeError as e:
                raise Refused(f"arguments are not JSON: {e}") from e
            return id_
        case _:
            raise Refused(f"not a tool call: {call}")


def _check_tool(tool: Any) -> None:
    match tool:
        case {"type": "function", "function": {"name": str(name), "description": str(), "parameters": dict(schema)}}:
            _need(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name), f"{name!r} is not a name of a function")
            _need(schema.get("type") == "object", "the parameters of a tool must be a schema of type object")
            _need(isinstance(schema.get("properties"), dict), "the schema of a tool must have properties")
        case _:
            raise Refused(f"not a tool: {tool}")


def _need(fact: object, otherwise: str) -> None:
    if not fact:
        raise Refused(otherwise)
