"""Any endpoint that speaks chat completions: vLLM, SGLang, OpenAI, Gemini, Ollama, ... Owns the HTTP and its errors.

On aiohttp and orjson, since one process keeps hundreds of requests with large bodies in flight. A key, wherever the
server may echo it, never reaches a message, a log line or a trace.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import aiohttp
import orjson
import yarl

from ..errors import (
    ConfigError,
    ModelConnectionError,
    ModelEndpointError,
    ModelError,
    ModelReplyError,
    ModelRequestError,
    ModelTimeoutError,
)
from ..types import JSON, GenerateConfig, Message, ModelOutput, ToolSpec
from .admission import Patience
from .credentials import without_credentials
from .prices import configured_prices
from .refusals import Redactor, basic_credentials, refusal
from .reply import Asked, read_reply
from .sessions import CONNECT_SECONDS, http_session
from .wire import EndpointOptions, write_request

__all__ = ["EndpointOptions", "OpenAIModel"]

_OPENAI_URL = "https://api.openai.com/v1"
_UNKNOWN_MODEL = re.compile(rb"(?i)model_not_found|model\b.{0,100}(?:does not exist|not found)")
_NO_TEMPERATURE = re.compile(rb"(?i)temperature\b.{0,40}(?:does not support|not supported)")
_MODELS_SECONDS = 10.0
_PIECE_BYTES = 1 << 18

logger = logging.getLogger(__name__)


class OpenAIModel:
    """The model ``name`` behind an OpenAI-compatible endpoint.

    ``base_url``: else ``$OPENAI_BASE_URL``, else OpenAI's. ``api_key``: else ``$OPENAI_API_KEY``; local servers need
    none. One object may be used by many tasks, and by one event loop after the other; connections close with their
    loop. Raises `ConfigError` for a bad address or a missing key."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        options: EndpointOptions | None = None,
    ) -> None:
        if not name:
            raise ConfigError("a model needs a name, for example openai:gpt-5 or ollama:qwen3-vl")
        self.name = name
        self.options = options or EndpointOptions()
        url = _endpoint(base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI_URL)
        key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip()
        if not key and url.host == "api.openai.com":
            raise ConfigError(
                "OpenAI needs a key: set OPENAI_API_KEY, or give base_url (OPENAI_BASE_URL) of another endpoint"
            )
        self._url = url.with_user(None)
        self.base_url = str(self._url.with_query(None))
        self._redactor = Redactor(key, url)
        self._headers = _headers(key, url)
        self._patience = Patience(
            max_in_flight=self.options.max_in_flight,
            max_attempts=self.options.max_attempts,
            max_requests_per_minute=self.options.max_requests_per_minute,
            max_tokens_per_minute=self.options.max_tokens_per_minute,
        )
        self._wants_completion_tokens = False
        self._takes_temperature = True
        self._has_replied = False
        self._is_local = url.host in ("localhost", "127.0.0.1", "::1")

    @classmethod
    def from_spec(
        cls,
        argument: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        options: EndpointOptions | Mapping[str, JSON] | None = None,
    ) -> OpenAIModel:
        """``openai:NAME`` on the command line; ``options`` may come from a TOML file."""
        if options is not None and not isinstance(options, EndpointOptions):
            options = EndpointOptions.read(options)
        return cls(argument, base_url=base_url, api_key=api_key, options=options)

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, base_url={self.base_url!r})"

    @property
    def reply_identity(self) -> JSON:
        """What beside the request decides the reply, wherever the model is served; no secrets in it."""
        options, extra = self.options, without_credentials(dict(self.options.extra))
        shown = (options.tool_style, options.tool_images, options.jpeg_quality, options.max_side, extra)
        return ["chat completions", self.name, *shown]

    @property
    def identity(self) -> JSON:
        """As `reply_identity`, with the address; no secrets in it."""
        return [self.base_url, self.reply_identity]

    @cached_property
    def _prices(self) -> Mapping[str, Any]:
        return configured_prices() if self.options.prices is None else self.options.prices

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        """The reply. Raises the `ModelError` that fits; what can heal was tried again by then."""
        started = time.perf_counter()
        num_calls = sum(len(message.tool_calls) for message in messages)
        asked = Asked(self.name, bool(tools), num_calls, self._prices)

        async def write() -> dict[str, Any]:
            return await write_request(self.name, messages, tools, config, self.options)

        output = await self._patience.call(lambda: self._ask(write, asked))
        return replace(output, seconds=time.perf_counter() - started)

    async def _ask(self, write: Callable[[], Awaitable[dict[str, Any]]], asked: Asked) -> ModelOutput:
        """One attempt. The request is written for it alone and gone once it is sent: with hundreds of calls in line
        and in flight, only what the caller holds counts."""
        request = await write()
        if self._wants_completion_tokens and "max_tokens" in request:
            request["max_completion_tokens"] = request.pop("max_tokens")
        if not self._takes_temperature:
            request.pop("temperature", None)
        upload, sent = _Upload(orjson.dumps(request)), frozenset(request)
        del request
        status, headers, body = await self._send("POST", "chat/completions", upload)
        self._patience.has_answered = True
        if status == 200:
            try:
                output = read_reply(self._redactor.hide_key(body), asked)
                self._has_replied = True
                return output
            except ModelReplyError as e:
                raise ModelReplyError(self._redactor.clean(str(e))) from None
        if status == 400 and b"max_completion_tokens" in body and "max_tokens" in sent:
            self._wants_completion_tokens = True
            return await self._ask(write, asked)
        if status == 400 and "temperature" in sent and _NO_TEMPERATURE.search(body):
            if self._takes_temperature:
                logger.info("%s takes no temperature and is asked without one", self.name)
            self._takes_temperature = False
            return await self._ask(write, asked)
        error = refusal(self._redactor, self.base_url, self.name, status, headers, body)
        if status == 404 or (status == 400 and _UNKNOWN_MODEL.search(body)):
            error = ModelEndpointError(f"{error}{await self._known_models()}")
        if status == 403 and self._has_replied:  # the key is good; some providers refuse what they will not answer so
            error = ModelRequestError(str(error))
        raise error

    async def list_models(self) -> list[str]:
        """The names of the models the endpoint has. Raises the `ModelError` that fits."""
        status, headers, body = await self._send("GET", "models")
        if status != 200:
            raise refusal(self._redactor, self.base_url, self.name, status, headers, body)
        try:
            listed: list[Any] = orjson.loads(body)["data"]
            return [self._redactor.clean(str(entry["id"])) for entry in listed]
        except (ValueError, KeyError, TypeError) as e:
            raise ModelReplyError(f"{self.base_url}/models does not list models; most addresses end in /v1") from e

    async def _known_models(self) -> str:
        """The end of a message about an unknown model: the names the server has, "" if ours is one of them."""
        try:
            async with asyncio.timeout(_MODELS_SECONDS):
                known = await self.list_models()
        except (ModelError, TimeoutError):
            known = list[str]()
        if self.name in known:
            return ""
        if not known:
            return f"; is {self.base_url} the whole address (most end in /v1)?"
        return f"; this server has the models {', '.join(known[:20])}"

    async def _send(
        self, method: str, path: str, upload: _Upload | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and whole body of the answer. Raises `ModelConnectionError` or `ModelTimeoutError`."""
        seconds = self.options.timeout_seconds
        length = {} if upload is None else {"Content-Length": str(upload.num_bytes)}
        try:
            async with (
                asyncio.timeout(seconds),
                (await http_session(local=self._is_local)).request(
                    method,
                    (self._url / path).with_query(self._url.query),
                    data=upload,
                    headers=self._headers | length,
                    allow_redirects=False,
                ) as response,
            ):
                return response.status, response.headers, await self._body(response)
        except ModelError:
            raise
        except aiohttp.ServerTimeoutError as e:
            raise ModelConnectionError(f"{self.base_url} could not be reached within {CONNECT_SECONDS:g} s") from e
        except TimeoutError as e:
            raise ModelTimeoutError(f"no reply from {self.base_url} within {seconds:g} s; raise timeout_seconds") from e
        except aiohttp.ClientSSLError as e:
            raise ModelEndpointError(
                f"no secure connection to {self.base_url}: {self._redactor.clean(str(e))}"
            ) from None
        except aiohttp.ClientConnectorError as e:
            raise ModelConnectionError(
                f"cannot reach {self.base_url}: {self._redactor.clean(str(e.os_error))};"
                " is the server running and is the base URL right?"
            ) from None
        except (aiohttp.ClientError, OSError) as e:
            said = self._redactor.clean(str(e)) or type(e).__name__
            raise ModelConnectionError(f"the connection to {self.base_url} broke: {said}") from None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """Read piece by piece: some servers send headers and blank lines at once and the reply when it is there."""
        pieces = list[bytes]()
        while True:
            try:
                async with asyncio.timeout(self.options.idle_seconds):
                    piece = await response.content.readany()
            except TimeoutError as e:
                raise ModelTimeoutError(
                    f"the reply from {self.base_url} stalled for {self.options.idle_seconds:g} s"
                ) from e
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)


class _Upload:
    """The body of a request, sent piece by piece and let go of when it is sent."""

    def __init__(self, data: bytes) -> None:
        # orjson returns what it has written in a buffer of eight times the size.
        self._data = bytes(memoryview(data))
        self.num_bytes = len(data)

    async def __aiter__(self) -> AsyncGenerator[memoryview]:
        data, self._data = memoryview(self._data), b""
        for start in range(0, len(data), _PIECE_BYTES):
            yield data[start : start + _PIECE_BYTES]


def _endpoint(base_url: str) -> yarl.URL:
    """The address requests go to, without ``/chat/completions``. Raises `ConfigError`."""
    try:
        url = yarl.URL(base_url.strip())
    except ValueError:
        url = yarl.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError("the base URL must be http(s)://HOST[:PORT]/v1, and the one given is not (not shown: keys)")
    path = url.path.rstrip("/").removesuffix("/chat/completions").rstrip("/")
    return url.with_path(path or "/", keep_query=True).with_fragment(None)


def _headers(key: str, url: yarl.URL) -> dict[str, str]:
    """The key goes first; a user and password in the address serve only without one."""
    headers = {"Content-Type": "application/json", "User-Agent": "longtake"}
    if key and not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigError("the API key holds a blank or a letter that no key has; copy it again")
    if key:
        headers["Authorization"] = f"Bearer {key}"
    elif url.user:
        headers["Authorization"] = f"Basic {basic_credentials(url)}"
    return headers
