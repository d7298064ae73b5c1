"""What stands around any model: finding it by name, patience with its endpoint. Knows no wire format."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..errors import (
    ConfigError,
    ModelConnectionError,
    ModelError,
    ModelRateLimitError,
    ModelReplyError,
    ModelTimeoutError,
)
from ..registry import names, resolve
from ..store import DiskCache, cache_dir
from ..types import Model
from .cache import CachedModel
from .check import check_model

__all__ = ["Patience", "check_model", "load_model"]

T = TypeVar("T")
_OLLAMA_URL = "http://localhost:11434/v1"
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 1.0, 60.0
_MAX_COOL_DOWN_SECONDS = 300.0
_MAX_COSTLY_ATTEMPTS = 3

logger = logging.getLogger(__name__)


class Patience:
    """Admits the calls to one endpoint: at most ``max_in_flight`` at once, what can heal is tried again.

    Waits double from 1 s to 60 s with jitter. A wait the server asks for (``retry_after_seconds``) holds back every
    call of this endpoint, once; longer than five minutes it is an error. Replies that came but were unusable or late
    were probably paid for, and an endpoint that never answered is probably not there: both get three attempts."""

    def __init__(self, *, max_in_flight: int, max_attempts: int) -> None:
        self.max_in_flight = max_in_flight
        self.max_attempts = max_attempts
        self.has_answered = False
        """Set by the caller once the endpoint has answered anything at all."""
        self._cool_until = 0.0
        self._slots = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]()

    async def call(self, once: Callable[[], Awaitable[T]]) -> T:
        """What ``once`` returns. Raises what it raised last, saying how often it was tried."""
        attempt = 0
        while True:
            attempt += 1
            async with self._slot():
                while (wait := self._cool_until - time.monotonic()) > 0:  # noqa: ASYNC110 (it may be put off again)
                    await asyncio.sleep(wait)
                try:
                    return await once()
                except (ModelConnectionError, ModelRateLimitError, ModelReplyError, ModelTimeoutError) as e:
                    wait = self._wait(e, attempt)
            await asyncio.sleep(wait)

    def _slot(self) -> asyncio.Semaphore:
        return self._slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self.max_in_flight))

    def _wait(self, e: ModelError, attempt: int) -> float:
        """Seconds until the next attempt. Raises ``e`` when there is to be none."""
        costly = isinstance(e, ModelReplyError | ModelTimeoutError)
        patient = self.has_answered and not costly
        asked = e.retry_after_seconds
        if attempt >= (self.max_attempts if patient else min(self.max_attempts, _MAX_COSTLY_ATTEMPTS)):
            raise type(e)(f"{e} (tried {attempt} times)" if attempt > 1 else str(e)) from e
        if asked is not None and asked > _MAX_COOL_DOWN_SECONDS:
            raise type(e)(f"{e} (it asks to wait {asked:.0f} s; try again then)") from e
        backoff = min(_MAX_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        if asked is not None:
            self._cool_until = max(self._cool_until, time.monotonic() + asked)
            backoff = random.uniform(0.0, 0.1) * asked
        logger.info("attempt %d failed, next in %.1f s: %s", attempt, asked or backoff, e)
        return backoff


def load_model(
    spec: str, *, base_url: str | None = None, api_key: str | None = None, options: Any = None, cache: bool = True
) -> Model:
    """The model that ``spec`` names: ``reader``, ``openai:NAME``, ``ollama:NAME``, ``scripted:FILE``, a plug-in.

    ``base_url``, ``api_key`` and ``options`` go to ``from_spec`` of the model's class; None is not passed on. A class
    without ``from_spec`` is made without arguments. With ``cache``, replies of models that have an ``identity`` are
    kept on disk. Raises `ConfigError`."""
    prefix, _, argument = spec.partition(":")
    if prefix == "ollama":  # what $OPENAI_BASE_URL and $OPENAI_API_KEY hold is another server's
        prefix, base_url, api_key = "openai", base_url or _OLLAMA_URL, api_key or "ollama"
    if prefix not in names("model"):
        raise ConfigError(
            f"there is no model {spec!r}; known: {', '.join(sorted([*names('model'), 'ollama']))};"
            f" a model that a server offers is openai:NAME with its base URL, for example"
            f" openai:{argument or prefix or 'gpt-5-mini'}"
        )
    cls = resolve("model", prefix)
    given = {"base_url": base_url, "api_key": api_key, "options": options}
    given = {name: value for name, value in given.items() if value is not None}
    make: Callable[..., Model] = getattr(cls, "from_spec", cls)
    arguments = (argument,) if make is not cls or argument else ()
    try:
        inspect.signature(make).bind(*arguments, **given)
    except TypeError as e:
        raise ConfigError(f"the model {spec!r} cannot be made from {', '.join(given) or 'its name'}: {e}") from e
    model = make(*arguments, **given)
    if cache and hasattr(model, "identity"):
        return CachedModel(model, DiskCache(cache_dir("models") / "replies.sqlite"))  # type: ignore[arg-type]
    return model
