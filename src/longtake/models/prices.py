"""What tokens cost. There is no built-in table, since prices change: a cost nobody configured is None, never a guess.

A table is a mapping, or a TOML file named by ``$LONGTAKE_PRICES``; the longest prefix of a model's name wins:

    [gpt-x]
    usd_per_million_input = 1.25
    usd_per_million_output = 10
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..errors import ConfigError

__all__ = ["Price", "configured_prices", "cost_usd", "read_prices"]


@dataclass(frozen=True, slots=True)
class Price:
    usd_per_million_input: float
    usd_per_million_output: float


def read_prices(path: Path | str) -> dict[str, Price]:
    """The table in a TOML file. Raises `ConfigError` naming what is wrong."""
    try:
        table = tomllib.loads(Path(path).read_text("utf-8"))
        return TypeAdapter(dict[str, Price]).validate_python(table)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as e:
        wrong = (
            f"{'.'.join(map(str, e.errors()[0]['loc']))}: {e.errors()[0]['msg']}"
            if isinstance(e, ValidationError)
            else e
        )
        raise ConfigError(
            f"cannot read the price table {path}: {wrong}; it has a [section] per prefix of a model's name"
            " with usd_per_million_input and usd_per_million_output"
        ) from e


def configured_prices() -> dict[str, Price]:
    """The table named by ``$LONGTAKE_PRICES``, empty if that is not set."""
    path = os.environ.get("LONGTAKE_PRICES")
    return read_prices(path) if path else {}


def cost_usd(prices: Mapping[str, Price], model: str, input_tokens: int, output_tokens: int) -> float | None:
    """None when no prefix in ``prices`` fits ``model``."""
    prefix = max((prefix for prefix in prices if model.startswith(prefix)), key=len, default=None)
    if prefix is None:
        return None
    price = prices[prefix]
    return (input_tokens * price.usd_per_million_input + output_tokens * price.usd_per_million_output) / 1e6
