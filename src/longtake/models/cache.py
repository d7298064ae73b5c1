"""Not asking twice: replies by request, on disk. Owns what makes two requests the same.

Only complete replies are kept, and only where the request decides them: at temperature 0 or with a seed. Anything
sampled freely is asked again, or every rollout of a group would be the same one.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Protocol, cast

from pydantic import TypeAdapter

from ..errors import StoreError
from ..store import DiskCache, digest
from ..types import JSON, GenerateConfig, Message, Model, ModelOutput, ToolSpec, Usage, from_json, to_json
from .pixels import pixel_digests

__all__ = ["CachedModel", "IdentifiedModel", "request_key"]

_FORM = 2
"""Counted up when requests are written or replies read in another way: what was kept before is not said again."""

logger = logging.getLogger(__name__)


class IdentifiedModel(Model, Protocol):
    @property
    def identity(self) -> JSON:
        """Everything beside the request that decides the reply (endpoint, model, settings), without secrets."""
        ...


@cache
def _messages_adapter() -> TypeAdapter[list[Message]]:
    return TypeAdapter(list[Message])


async def request_key(
    identity: JSON, messages: Sequence[Message], tools: Sequence[ToolSpec], config: GenerateConfig
) -> str:
    """The same for requests that must get the same reply: model, messages with their pixels, tools, settings."""
    request = {
        "identity": identity,
        "messages": _messages_adapter().dump_python(list(messages), mode="json"),
        "pixels": await pixel_digests(messages),
        "tools": [asdict(tool) for tool in tools],
        "config": asdict(config),
    }
    return digest(cast(JSON, request))


class CachedModel:
    """``model`` behind a cache. A reply from the cache was paid before: its usage is zero."""

    def __init__(self, model: IdentifiedModel, replies: DiskCache) -> None:
        self.model = model
        self._replies = replies
        weakref.finalize(self, replies.close)

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def identity(self) -> JSON:
        return self.model.identity

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        if config.temperature > 0 and config.seed is None:
            return await self.model.generate(messages, tools=tools, config=config)
        started = time.perf_counter()
        key = await request_key([_FORM, self.identity], messages, tools, config)
        if output := await asyncio.to_thread(self._kept, key):
            return replace(output, usage=Usage(), seconds=time.perf_counter() - started, cached=True)
        output = await self.model.generate(messages, tools=tools, config=config)
        if output.stop_reason in ("stop", "tool_calls"):
            await asyncio.to_thread(self._replies.put, key, to_json(output))
        return output

    def _kept(self, key: str) -> ModelOutput | None:
        found = self._replies.get(key)
        try:
            return None if found is None else from_json(ModelOutput, found)
        except StoreError as e:
            logger.warning("a reply in the cache cannot be read and is asked for again: %s", e)
            return None
