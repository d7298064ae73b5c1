"""Asking one question: settings -> model and agent -> the loop -> a trace. What every surface calls."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..errors import ConfigError
from ..models.base import key_in, load_model
from ..registry import resolve
from ..store import digest
from ..types import JSON, GenerateConfig, Model, Sample, Trace
from ..video.decode import Video
from ..video.download import download, is_url
from .loop import Agent, Event, OnEvent, run
from .prompt import letters
from .record import Recorder

__all__ = ["AskSettings", "ask_async", "build_agent", "read_settings"]


class AskSettings(BaseModel):
    """How to ask. None leaves a setting to the agent or the model. ``frames`` is the overview's, 0 for none.

    ``api_key_env`` and those of the roles name environment variables that hold keys, where OPENAI_API_KEY is not the
    right one for every endpoint; a role without one shares the main model's where it shares its endpoint.

    ``deadline_seconds`` bounds each taking of frames; with ``isolate`` that is done in a process which is killed then
    (finding scenes and reading subtitle tracks is not)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "reader"
    agent: str = "crop"
    base_url: str | None = None
    grounding_model: str | None = None
    grounding_base_url: str | None = None
    vision_model: str | None = None
    vision_base_url: str | None = None
    api_key_env: str | None = None
    grounding_api_key_env: str | None = None
    vision_api_key_env: str | None = None
    max_turns: int | None = Field(default=None, ge=1)
    frames: int | None = Field(default=None, ge=0)
    fps: float | None = Field(default=None, gt=0)
    max_pixels: int | None = Field(default=None, ge=28 * 28)
    ocr: bool | None = None
    asr: bool | None = None
    agent_options: dict[str, JSON] = {}
    model_options: dict[str, JSON] = {}
    temperature: float = Field(default=0.0, ge=0)
    max_tokens: int = Field(default=4096, ge=1)
    seed: int | None = None
    cache: bool = True
    deadline_seconds: float = Field(default=60.0, gt=0)
    isolate: bool = False


def read_settings(values: Mapping[str, Any]) -> AskSettings:
    """Settings from plain values. Raises `ConfigError` with each wrong one and, for an unknown name, the known ones."""
    try:
        return AskSettings(**values)
    except ValidationError as e:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in e.errors())
        known = ", ".join(AskSettings.model_fields)
        raise ConfigError(f"wrong settings: {wrong}. The settings are {known}") from e


async def ask_async(
    video: str | Path,
    question: str,
    *,
    choices: Sequence[str] = (),
    subtitles: str | Path | None = None,
    model: str | Model | None = None,
    agent: str | Agent | None = None,
    settings: AskSettings | None = None,
    save: str | Path | None = None,
    on_event: OnEvent | None = None,
) -> Trace:
    """Answers ``question`` about ``video`` (a path or, with yt-dlp, a URL).

    ``model`` and ``agent`` are names (see `longtake.registry`) or objects, and stand above ``settings``. With ``save``
    the folder gets ``trace.json`` after every turn and a contact sheet of the evidence. The `Trace` has the answer,
    or why there is none. Raises `VideoError` or `ConfigError` when the run cannot start."""
    if not question.strip():
        raise ConfigError("the question is empty; ask something")
    for text in (question, str(video), *choices):
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ConfigError(f"{text!a} is not UTF-8, so it cannot be kept in a trace; rename the file, or retype it")
    choices = _bare(choices)
    names = {"model": model, "agent": agent}
    chosen = {key: value for key, value in names.items() if isinstance(value, str)}
    settings = read_settings({**(settings or AskSettings()).model_dump(exclude_unset=True), **chosen})
    the_model = load(settings) if model is None or isinstance(model, str) else model
    the_agent = build_agent(settings, the_model) if agent is None or isinstance(agent, str) else agent
    uri = str(await asyncio.to_thread(download, str(video)) if is_url(str(video)) else video)
    sample = Sample(
        digest([uri, question, *choices])[:16], uri, question, tuple(choices), str(subtitles) if subtitles else None
    )
    recorder = Recorder(Path(save)) if save is not None else None

    def tell(event: Event) -> None:
        for listener in (recorder, on_event):
            if listener is not None:
                listener(event)

    config = GenerateConfig(settings.temperature, settings.max_tokens, settings.seed)
    open_video = partial(Video.open, deadline_seconds=settings.deadline_seconds, isolate=settings.isolate)
    trace = await run(the_agent, the_model, sample, config=config, on_event=tell, open_video=open_video)
    if recorder is not None:
        await asyncio.to_thread(recorder.write_sheet, trace, open_video)
    return trace


def _bare(choices: Sequence[str]) -> tuple[str, ...]:
    """The options without the letters that benchmarks write before them. Raises `ConfigError` for what is no choice."""
    if isinstance(choices, str) or (choices and len(set(choices)) < max(2, len(choices))):
        raise ConfigError(f"choices are two or more different texts, got {choices!r}")
    lettered = [re.match(rf"\(?{letter}[.):]\s*(?=\S)", choice) for letter, choice in letters(tuple(choices))]
    if choices and all(lettered):
        return tuple(choice[match.end() :] for choice, match in zip(choices, lettered, strict=True) if match)
    return tuple(choices)


def load(settings: AskSettings, role: str = "") -> Model:
    """The model for ``role`` ("", "grounding" or "vision"); a role without one of its own shares the main model's.

    The main model's address and options hold for a role's model of the same kind only."""
    spec: str = (getattr(settings, f"{role}_model") if role else None) or settings.model
    url: str | None = getattr(settings, f"{role}_base_url") if role else None
    same_kind = spec.partition(":")[0] == settings.model.partition(":")[0]
    return load_model(
        spec,
        base_url=url or (settings.base_url if same_kind else None),
        api_key=_key(settings, role, shares_endpoint=same_kind and url is None),
        options=(settings.model_options or None) if same_kind else None,
        cache=settings.cache,
    )


def _key(settings: AskSettings, role: str, *, shares_endpoint: bool) -> str | None:
    name: str | None = getattr(settings, f"{role}_api_key_env") if role else settings.api_key_env
    return key_in(name or (settings.api_key_env if shares_endpoint else None))


def build_agent(settings: AskSettings, model: Model) -> Agent:
    """The agent that ``settings`` name. Raises `ConfigError` for a setting that this agent does not have or take."""
    build = resolve("agent", settings.agent)
    hints = get_type_hints(build)
    known = list(inspect.signature(build).parameters)
    asked: dict[str, Any] = {
        "max_turns": settings.max_turns,
        "num_frames": settings.frames,
        "fps": settings.fps,
        "max_pixels": settings.max_pixels,
        "ocr": settings.ocr,
        "asr": settings.asr,
        **settings.agent_options,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    if unknown := sorted(set(given) - set(known)):
        raise ConfigError(
            f"the agent {settings.agent!r} has no {', '.join(unknown)}; it has {', '.join(known)}. Leave that out"
        )
    for name, value in given.items():
        given[name] = _checked(f"{settings.agent}.{name}", value, hints.get(name, Any))
    roles = [role for role in ("grounding", "vision") if role in known]
    if model.name == "reader" and "num_frames" in known and not roles:
        given.setdefault("num_frames", 0)  # it reads words: an overview would be decoded for nobody
    for role in roles:
        own = any(getattr(settings, f"{role}_{what}") for what in ("model", "base_url", "api_key_env"))
        given[role] = load(settings, role) if own else model
    if not roles and (settings.grounding_model or settings.vision_model):
        raise ConfigError(
            f"the agent {settings.agent!r} has no grounding or vision model; use --agent team, or leave it out"
        )
    agent: Agent = build(**given)
    return agent


def _checked(name: str, value: Any, kind: Any) -> Any:
    """``value`` as ``kind``. Raises `ConfigError` saying what is wrong with it."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as e:
        raise ConfigError(f"{name}: {e.errors()[0]['msg']}, got {value!r}") from e
