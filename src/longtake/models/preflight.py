"""Is every endpoint there, has it the model, is its price known? Asked before anything is spent."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from ..errors import ConfigError, ModelReplyError, ModelRequestError
from ..types import Model
from .journaled import Limits
from .openai import OpenAIModel
from .prices import configured_prices, cost_usd

__all__ = ["check_prices", "preflight"]

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


def check_prices(limits: Limits, models: Iterable[Model]) -> None:
    """Raises `ConfigError` for a price table that cannot be read, and if what a call costs could not be known though
    it is limited."""
    prices = configured_prices()
    used = [model for model in dict.fromkeys(models) if isinstance(model, OpenAIModel)]
    unknown = [m.name for m in used if cost_usd({**prices, **(m.options.prices or {})}, m.name, 0, 0) is None]
    if limits.max_cost_usd is not None and unknown:
        raise ConfigError(
            f"--max-cost needs the price of {', '.join(unknown)}: write it to a file, [{unknown[0]}] with"
            " usd_per_million_input = ... and usd_per_million_output = ..., and name the file in LONGTAKE_PRICES"
        )
