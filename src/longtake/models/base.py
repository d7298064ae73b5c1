"""Finding a model by its name, with its replies kept on disk. Knows no wire format."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

from ..errors import ConfigError
from ..registry import names, resolve
from ..store import DiskCache, cache_dir
from ..types import Model
from .cache import CachedModel
from .check import check_model

__all__ = ["check_model", "key_in", "load_model"]

_OLLAMA_URL = "http://localhost:11434/v1"


def key_in(variable: str | None) -> str | None:
    """The key that this environment variable holds; None for None. Raises `ConfigError` where it holds none."""
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise ConfigError(
            f"the environment variable {variable} holds no key; set it, or leave out the setting that names it"
        )
    return os.environ[variable]


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
