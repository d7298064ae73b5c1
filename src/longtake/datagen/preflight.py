"""Is every endpoint there, and has it the model? Asked before anything is spent."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from ..errors import ConfigError, ModelReplyError, ModelRequestError
from ..types import Model

__all__ = ["preflight"]

log = logging.getLogger(__name__)


@runtime_checkable
class _Listing(Protocol):
    name: str

    async def list_models(self) -> Sequence[str]: ...


async def preflight(models: Iterable[Model]) -> None:
    """Raises the `ModelError` of an endpoint that cannot be reached or refuses the key, `ConfigError` for a model
    that it does not have. An endpoint that does not list its models is taken on trust."""
    for model in models:
        if not isinstance(model, _Listing):
            continue
        try:
            known = await model.list_models()
        except (ModelReplyError, ModelRequestError) as e:
            log.info("%s does not list its models: %s", model.name, e)
            continue
        if known and not any(name == model.name or name.endswith(f"/{model.name}") for name in known):
            raise ConfigError(f"the server has no model {model.name!r}; it has {', '.join(sorted(known)[:20])}")
