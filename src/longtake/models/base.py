"""What stands around any model: finding it by name, patience with its endpoint. Knows no wire format."""

from __future__ import annotations

import inspect
from typing import Any

from ..errors import ConfigError
from ..registry import names, resolve
from ..store import DiskCache, cache_dir
from ..types import Model
from .cache import CachedModel

__all__ = ["load_model"]

_OLLAMA_URL = "http://localhost:11434/v1"


def load_model(
    spec: str, *, base_url: str | None = None, api_key: str | None = None, options: Any = None, cache: bool = True
) -> Model:
    """The model that ``spec`` names: ``reader``, ``openai:NAME``, ``ollama:NAME``, ``scripted:FILE``, a plug-in.

    ``base_url``, ``api_key`` and ``options`` go to ``from_spec`` of the model's class; None is not passed on. With
    ``cache``, replies of models that have an ``identity`` are kept on disk. Raises `ConfigError`."""
    prefix, _, argument = spec.partition(":")
    if prefix == "ollama":
        prefix, base_url, api_key = "openai", base_url or _OLLAMA_URL, api_key or "ollama"
    if prefix not in names("model"):
        raise ConfigError(
            f"there is no model {spec!r}; give one of {', '.join(names('model'))}, ollama as NAME or NAME:WHICH,"
            f" for example openai:{spec} with --base-url"
        )
    cls = resolve("model", prefix)
    given = {"base_url": base_url, "api_key": api_key, "options": options}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        inspect.signature(cls.from_spec).bind(argument, **given)
    except TypeError as e:
        raise ConfigError(f"{prefix} models do not take {', '.join(given)}: {e}; leave that out") from e
    model: Model = cls.from_spec(argument, **given)
    if cache and hasattr(model, "identity"):
        return CachedModel(model, DiskCache(cache_dir("models") / "replies.sqlite"))  # type: ignore[arg-type]
    return model
