"""What an evaluation is asked for: values, checked. What decides an answer is apart from what only says which."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..agents.ask import AskSettings, read_settings
from ..errors import ConfigError
from ..registry import nearest
from ..types import JSON
from .items import Item

__all__ = ["EvalSettings", "JudgeSettings", "absolute", "read_eval_settings", "selected"]

_OF_THE_COMMAND = ("out", "in_flight", "max_cost", "ray", "workers", "change", "json")
_SHARD = re.compile(r"([1-9]\d*)/([1-9]\d*)")


class JudgeSettings(BaseModel):
    """``model`` as in --model; None for no judge. ``api_key_env`` names the environment variable with the key of its
    endpoint, where OPENAI_API_KEY is not the right one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    options: dict[str, JSON] = {}
    in_flight: int = Field(default=16, ge=1)


class EvalSettings(BaseModel):
    """``ask`` says who is measured and how it looks; replies are not taken from the cache of `ask`, the run's journal
    is its memory. ``subtitles`` False: no words of any video are used. ``shard``: ``"2/4"``, the second of four parts
    of the videos; ``limit``: the first so many questions; ``epochs``: every question so often. ``ground_cache``: files
    that say where a team begins, the first that knows a question; grounding leaves out what they know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str
    data: tuple[str, ...] = ()
    videos: str | None = None
    subtitles: str | bool | None = None
    split: str | None = None
    revision: str | None = None
    ground_cache: tuple[str, ...] = ()
    ask: AskSettings = AskSettings(cache=False)
    judge: JudgeSettings = JudgeSettings()
    limit: int | None = Field(default=None, ge=1)
    shard: str | None = None
    epochs: int = Field(default=1, ge=1)
    min_coverage: float = Field(default=0.98, ge=0, le=1)

    @property
    def key_variables(self) -> list[str]:
        """The environment variables that hold keys, beside OPENAI_API_KEY."""
        ask = self.ask
        named = (ask.api_key_env, ask.grounding_api_key_env, ask.vision_api_key_env, self.judge.api_key_env)
        return [name for name in named if name]

    @field_validator("data", "ground_cache", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        if isinstance(value, str | Path):
            return (str(value),)
        return tuple(map(str, cast("list[object]", value))) if isinstance(value, list | tuple) else value

    @field_validator("videos", "subtitles", mode="before")
    @classmethod
    def _path(cls, value: object) -> object:
        return str(value) if isinstance(value, Path) else value

    @field_validator("judge", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"model": value} if isinstance(value, str) else value

    @field_validator("shard")
    @classmethod
    def _part(cls, value: str | None) -> str | None:
        if value is not None:
            found = _SHARD.fullmatch(value)
            if found is None or int(found[1]) > int(found[2]):
                raise ValueError(f"a shard is PART/PARTS with PART up to PARTS, like 2/4, got {value}")
        return value


def read_eval_settings(values: Mapping[str, Any]) -> EvalSettings:
    """From plain values; what is no setting of the evaluation is one of `AskSettings`. Raises `ConfigError`."""
    own_names = [name for name in EvalSettings.model_fields if name != "ask"]
    known = [*own_names, *(name for name in AskSettings.model_fields if name != "cache")]
    for name in values:
        if name in _OF_THE_COMMAND:
            raise ConfigError(f"{name} is an option of the command line (or of the call), no setting; give it there")
        if name not in (*known, "cache"):
            raise ConfigError(
                f"there is no setting {name!r}{nearest(name, known)}; the settings are {', '.join(known)}"
            )
    own = {name: value for name, value in values.items() if name in own_names}
    ask = read_settings({"cache": False, **{name: value for name, value in values.items() if name not in own}})
    try:
        return EvalSettings(**own, ask=ask)
    except ValidationError as e:
        wrong = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}, got {item['input']!r}" for item in e.errors())
        raise ConfigError(f"wrong settings: {'; '.join(wrong)}. The settings are {', '.join(known)}") from e


def selected(items: Sequence[Item], settings: EvalSettings) -> list[Item]:
    """The first ``limit`` items, and of these the videos of the shard: questions on a video stay together."""
    first = list(items[: settings.limit])
    if settings.shard is None:
        return first
    part, parts = (int(number) for number in settings.shard.split("/"))
    order = {video: number for number, video in enumerate(dict.fromkeys(item.video_id for item in first))}
    return [item for item in first if order[item.video_id] % parts == part - 1]


def absolute(path: str) -> str:
    """Workers may be started in another folder."""
    return str(Path(path).absolute())
