"""Names people type -> the objects that serve them. Built-ins by "module:attribute", plug-ins by entry point.

A plug-in registers under the group ``longtake.<kind>``, for example in its pyproject.toml:

    [project.entry-points."longtake.model"]
    mymodel = "mypackage.mymodule:MyModel"
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal, TypeAlias

from .errors import ConfigError

__all__ = ["Kind", "names", "nearest", "resolve"]

Kind: TypeAlias = Literal["model", "agent", "scorer", "recipe"]

_BUILTIN: dict[Kind, dict[str, str]] = {
    "model": {
        "reader": "longtake.models.reader:Reader",
        "openai": "longtake.models.openai:OpenAIModel",
        "scripted": "longtake.models.scripted:ScriptedModel",
    },
    "agent": {
        "blind": "longtake.agents.direct:Blind",
        "direct": "longtake.agents.direct:Direct",
        "crop": "longtake.agents.crop:Crop",
        "team": "longtake.agents.team:Team",
        "ground": "longtake.agents.ground:Ground",
    },
    "scorer": {
        "choice": "longtake.scoring.scorers:choice",
        "choice_strict": "longtake.scoring.scorers:choice_strict",
        "exact": "longtake.scoring.scorers:exact",
        "contains": "longtake.scoring.scorers:contains",
        "relaxed": "longtake.scoring.scorers:relaxed",
        "number": "longtake.scoring.scorers:number",
        "maths": "longtake.scoring.scorers:maths",
        "temporal_iou": "longtake.scoring.scorers:temporal_iou",
        "recall@0.3": "longtake.scoring.scorers:recall_03",
        "recall@0.5": "longtake.scoring.scorers:recall_05",
        "recall@0.7": "longtake.scoring.scorers:recall_07",
        "asa": "longtake.scoring.scorers:asa",
        "clip": "longtake.scoring.scorers:clip",
        "format": "longtake.scoring.scorers:format_",
        "format_longvt": "longtake.scoring.scorers:format_longvt",
    },
    "recipe": {
        "longvideo-reason": "longtake.datagen.recipes.longvideo_reason:build",
        "longvt": "longtake.datagen.recipes.longvt:build",
        "traces": "longtake.datagen.recipes.traces:build",
    },
}


def names(kind: Kind) -> list[str]:
    """Every name of this kind, built-in and installed."""
    return sorted({*_BUILTIN[kind], *(entry.name for entry in entry_points(group=f"longtake.{kind}"))})


def resolve(kind: Kind, name: str) -> Any:
    """The object called ``name``. Raises `ConfigError` listing the known names."""
    if target := _BUILTIN[kind].get(name):
        module, attribute = target.split(":")
        return getattr(import_module(module), attribute)
    for entry in entry_points(group=f"longtake.{kind}", name=name):
        try:
            return entry.load()
        except (ImportError, AttributeError) as e:
            raise ConfigError(f"the {kind} {name!r} is installed as {entry.value}, which cannot be loaded: {e}") from e
    raise ConfigError(f"there is no {kind} {name!r}{nearest(name, names(kind))}; known: {', '.join(names(kind))}")


def nearest(name: str, known: Iterable[str]) -> str:
    """``" (did you mean 'crop'?)"``, or nothing where no known name is near."""
    found = get_close_matches(name, list(known), 1)
    return f" (did you mean {found[0]!r}?)" if found else ""
