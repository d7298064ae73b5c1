"""A recipe by its name with its settings and models -> the steps that make it.

A recipe is a function ``build(settings, models) -> steps``, registered as ``longtake.recipe``; the type of its
``settings`` says which there are. ``models(role)`` gives the model of a role.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ConfigError
from ..models.base import load_model
from ..models.journaled import model_identity
from ..registry import resolve
from ..types import JSON, Model
from .sources import source
from .step import Step
from .steps.blind import blind

__all__ = [
    "DataSettings",
    "Models",
    "Role",
    "SettingDoc",
    "build_steps",
    "checked_settings",
    "describe",
    "read_data_settings",
    "recipe_settings",
]

S = TypeVar("S", bound=BaseModel)
Role = Literal["caption", "reason", "trace", "blind"]


class DataSettings(BaseModel):
    """What is made of the videos. A role without a model of its own uses ``model``.

    ``settings`` are the recipe's own. With ``blind_model`` every question is put to it without the video."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str = "longvideo-reason"
    model: str = "reader"
    caption_model: str | None = None
    reason_model: str | None = None
    trace_model: str | None = None
    blind_model: str | None = None
    base_url: str | None = None
    caption_base_url: str | None = None
    reason_base_url: str | None = None
    trace_base_url: str | None = None
    blind_base_url: str | None = None
    model_options: dict[str, JSON] = {}
    settings: dict[str, JSON] = {}


def read_data_settings(values: Mapping[str, Any]) -> DataSettings:
    """From plain values; what is no setting of the run is one of the recipe. Raises `ConfigError`."""
    own = {name: value for name, value in values.items() if name in DataSettings.model_fields}
    rest = {name: value for name, value in values.items() if name not in own}
    if rest:
        own["settings"] = {**own.get("settings", {}), **rest}
    try:
        return DataSettings(**own)
    except ValidationError as e:
        raise ConfigError(
            f"wrong settings: {_wrong(e)}. The settings are {', '.join(DataSettings.model_fields)}"
        ) from e


def recipe_settings(settings: DataSettings) -> BaseModel:
    """The recipe's own settings, checked. Raises `ConfigError` with each wrong one and the known ones."""
    kind: type[BaseModel] = get_type_hints(resolve("recipe", settings.recipe))["settings"]
    return checked_settings(kind, settings.settings)


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """``default`` as TOML would have it, "" for one that must be given."""

    name: str
    default: str
    about: str


def describe(recipe: str) -> list[SettingDoc]:
    """The recipe's own settings. Raises `ConfigError` for an unknown recipe."""
    kind: type[BaseModel] = get_type_hints(resolve("recipe", recipe))["settings"]
    docs = list[SettingDoc]()
    for name, field in kind.model_fields.items():
        default = "" if field.is_required() else orjson.dumps(field.default, default=str).decode()
        docs.append(SettingDoc(name, default, " ".join((field.description or "").split())))
    return docs


def checked_settings(kind: type[S], values: Mapping[str, Any]) -> S:
    """``values`` as a ``kind``. Raises `ConfigError` with each wrong one and the known ones."""
    try:
        return kind(**values)
    except ValidationError as e:
        raise ConfigError(f"wrong settings of the recipe: {_wrong(e)}. It has {', '.join(kind.model_fields)}") from e


_SAID = {"extra_forbidden": "there is no such setting", "missing": "must be given (--set NAME=VALUE)"}


def _wrong(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, item['loc']))}: {_SAID.get(item['type'], item['msg'])}" for item in error.errors()
    )


class Models:
    """The model of each role, made when first asked for; roles that name the same one share it.

    Replies are not taken from the cache of `ask`: the run's journals are its memory."""

    def __init__(self, settings: DataSettings, *, max_in_flight: int = 1) -> None:
        """``max_in_flight`` is how many calls there may be at once: endpoints must not be bounded below that."""
        self.settings = settings
        self._bound: dict[str, JSON] = {"max_in_flight": max_in_flight} if max_in_flight > 256 else {}
        self.used = dict[str, Model]()
        self._made = dict[tuple[str, str | None], Model]()

    def __call__(self, role: Role) -> Model:
        settings = self.settings
        spec: str = getattr(settings, f"{role}_model") or settings.model
        url: str | None = getattr(settings, f"{role}_base_url")
        same_kind = spec.partition(":")[0] == settings.model.partition(":")[0]
        url = url or (settings.base_url if same_kind or settings.model == "reader" else None)
        if (spec, url) not in self._made:
            options = {**self._bound, **settings.model_options} or None
            takes_options = spec.partition(":")[0] not in ("reader", "scripted")
            self._made[spec, url] = load_model(
                spec,
                base_url=url if takes_options else None,
                options=options if takes_options else None,
                cache=False,
            )
        self.used[role] = self._made[spec, url]
        return self.used[role]

    def identities(self) -> dict[str, JSON]:
        return {role: model_identity(model) for role, model in sorted(self.used.items())}


def build_steps(settings: DataSettings, models: Models) -> list[Step]:
    """The whole chain: the source, the recipe's steps, and the blind test if there is a model for it."""
    build: Callable[[Any, Models], list[Step]] = resolve("recipe", settings.recipe)
    steps = [source(), *build(recipe_settings(settings), models)]
    if settings.blind_model:
        steps.append(blind(models("blind")))
    return steps
