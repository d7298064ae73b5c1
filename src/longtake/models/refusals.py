"""What an endpoint says when it does not reply, as an error of ours: one line, the next step, never a secret."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import orjson
import yarl

from ..errors import (
    ModelAuthError,
    ModelConnectionError,
    ModelEndpointError,
    ModelError,
    ModelRateLimitError,
    ModelRequestError,
    ModelTimeoutError,
)

__all__ = ["Redactor", "basic_credentials", "refusal", "retry_after_seconds"]

_MAX_CHARS = 400
_LONG_KEY = 20
_NOT_SECRET = ("", "EMPTY", "ollama", "none", "dummy")
_HINTS = (
    (r"insufficient_quota|exceeded your current quota", "the account has no credit left"),
    (r"enable-auto-tool-choice|tool.call.parser", "start vLLM with both options, or set tool_style='hermes'"),
    (r"(?i)does not support tools|tools? (?:is|are) not supported", "set tool_style='hermes'"),
    (
        r"(?i)context length|context window|too many tokens|prompt is too long",
        "send fewer or smaller frames",
    ),
    (
        r"(?i)not a multimodal|does not support image|image input",
        "choose a model that sees",
    ),
    (
        r"(?i)'?temperature'?.{0,40}(?:not supported|does not support|unsupported)",
        "leave it out with --set 'model_options.extra.temperature={}'",
    ),
)


class Redactor:
    """Takes secrets out of text: the key, and what the base URL holds beside the address."""

    def __init__(self, key: str, url: yarl.URL) -> None:
        secrets = {key, url.password or "", basic_credentials(url), *url.query.values()} - {*_NOT_SECRET}
        if len(key) >= _LONG_KEY:
            secrets.add(key[:8])  # servers show the beginning of a key they refuse
        self._secrets = sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True)
        self._key = key.encode() if len(key) >= 8 and key not in _NOT_SECRET else b""

    def hide_key(self, body: bytes) -> bytes:
        """``body`` of a good reply with the key as ``***``: what a server repeats would be kept in the trace."""
        return body.replace(self._key, b"***") if self._key else body

    def clean(self, text: str) -> str:
        """``text`` on one line, short, secrets as ``***``."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= _MAX_CHARS else text[:_MAX_CHARS] + "..."


def basic_credentials(url: yarl.URL) -> str:
    """User and password of ``url`` as HTTP sends them."""
    return base64.b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()


def refusal(
    redactor: Redactor, base_url: str, model: str, status: int, headers: Mapping[str, str], body: bytes
) -> ModelError:
    """The error for an answer with a status other than 200."""
    said = redactor.clean(_message(body))
    hint = next(
        (f"; {hint}" for pattern, hint in _HINTS if re.search(pattern, said + body[:2000].decode("latin-1"))), ""
    )
    told = f"{base_url} answered {status} for {model}: {said or 'nothing more'}"
    if status in (401, 403):
        return ModelAuthError(f"the key was refused: {told}; set OPENAI_API_KEY or pass api_key")
    if 300 <= status < 400:
        where = redactor.clean(headers.get("Location", "elsewhere"))
        return ModelEndpointError(f"{base_url} redirects to {where}; give the final address as base URL")
    if status == 429 and not hint.startswith("; the account"):
        error = ModelRateLimitError(f"too many requests: {told}")
    elif status == 408:
        error = ModelTimeoutError(told)
    elif status == 409 or status >= 500:
        error = ModelConnectionError(f"the server failed: {told}{hint}")
    elif status in (400, 413, 422):
        return ModelRequestError(f"{told}{hint}")
    else:
        return ModelEndpointError(f"{told}{hint}")
    error.retry_after_seconds = retry_after_seconds(headers)
    return error


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds from now, given as seconds or as a date; None if absent or unreadable."""
    value = headers.get("Retry-After", "").strip()
    try:
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _message(body: bytes) -> str:
    """What the body says, whichever of the usual forms it has."""
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[:4000].decode(errors="replace")
        is_html = text.lstrip().startswith("<")
        return "an HTML page; a proxy, or not the address of an API" if is_html else text
    for name in ("error", "message", "detail"):
        if isinstance(value, dict) and name in value:
            value = cast(dict[str, Any], value)[name]
    return value if isinstance(value, str) else orjson.dumps(value).decode()
