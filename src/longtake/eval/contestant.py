"""Who is measured: an agent with its models, or a baseline, ready for each question. Owns what a baseline is.

blind        the question alone; the video is not even opened
constant     always the answer that is most frequent in the benchmark (made from its gold, and marked so)
uniform      frames spread evenly over the video, no words, one reply
reader       the built-in rules that read words
oracle-crop  only the spans where the answer is (made from gold, and marked so)
think, tool  LongVT's modes: `direct` that thinks first; `crop` with crop_video alone
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from ..agents.ask import AskSettings, build_agent, load
from ..agents.direct import Direct
from ..agents.loop import Agent
from ..agents.prompt import prompt_digest
from ..agents.team import Team
from ..errors import ConfigError
from ..media import VideoInfo
from ..models.heard import Heard
from ..models.journaled import model_identity
from ..models.reader import Reader
from ..registry import names, nearest
from ..store import fingerprint
from ..types import JSON, GenerateConfig, Message, Model, ModelOutput, ToolSpec
from ..video.decode import Video
from ..video.subtitles import find_sidecar
from .data.benchmark import Scoring, Spec
from .items import Item

__all__ = ["BASELINES", "Contestant", "contestant", "no_video"]

BASELINES = ("blind", "constant", "uniform", "reader", "oracle-crop")
_OPTIONS: dict[str, tuple[str, dict[str, JSON]]] = {
    "constant": ("blind", {}),
    "uniform": ("direct", {"text": False}),
    "reader": ("crop", {}),
    "oracle-crop": ("direct", {}),
    "think": ("direct", {"think": True}),
    "tool": ("crop", {"tools": ["crop_video"]}),
}
"""Name -> the agent that plays it, and with what."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """``gold`` says what of the gold it was given, "" for nothing. ``needs_video``: it looks at the video at all.
    ``first_clips``: question id -> the clip in which a team begins, where a grounding cache says so."""

    name: str
    agent: Agent
    model: Model
    config: GenerateConfig
    gold: str = ""
    needs_video: bool = True
    first_clips: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def identity(self) -> dict[str, JSON]:
        """All that decides its answers beside the question: settings, prompts, models."""
        roles: dict[str, JSON] = {name: model_identity(model) for name, model in self.models.items()}
        config = self.config
        generate: dict[str, JSON] = {"temperature": config.temperature, "max_tokens": config.max_tokens}
        return {
            "name": self.name,
            "agent": self.agent.name,
            "options": dict(self.agent.config),
            "models": roles,
            "generate": {**generate, "seed": config.seed},
            "prompts": _prompts_of(self.agent),
        }

    @property
    def models(self) -> dict[str, Model]:
        """Role -> model; ``main`` is the one that answers."""
        roles = {name: model for name, model in _parts(self.agent).items() if hasattr(model, "generate")}
        return {"main": self.model, **roles}

    def given(self, item: Item) -> JSON:
        """What it is given for this item beside the question: gold, or where to begin."""
        if self.name == "oracle-crop":
            return [[span.start, span.end] for span in item.sample.target_spans]
        if isinstance(self.model, _Constant):
            return self.model.answer(item)
        return self.first_clips.get(item.sample.id)

    def words(self, video: Video) -> str:
        """Names the words that come with the video by their content: the file that was named, else the one beside it;
        "" for none. Raises `VideoError`."""
        if not self.needs_video or not video.use_text:
            return ""
        path = video.subtitles or find_sidecar(video.path)
        return fingerprint(path) if path is not None else ""

    def scored(self, spec: Spec) -> Spec:
        """How its answers are scored: the clip that `Ground` names is no answer to the question."""
        if self.agent.name != "ground":
            return spec
        return spec.model_copy(update={"scoring": Scoring(strict="clip", lenient="clip", headline="strict")})

    def lacks(self, item: Item) -> str | None:
        """Why this item cannot be put to it, if so."""
        if self.name == "oracle-crop" and not item.sample.target_spans:
            return "the question has no gold span, so there is nothing to crop"
        return None

    def ready(self, item: Item, wrap: Callable[[Model], Model], epoch: int) -> tuple[Agent, Model, GenerateConfig]:
        """For one run: every model behind ``wrap``; a seed of its own for every epoch."""
        roles = {name: wrap(model) for name, model in self.models.items() if name != "main"}
        agent = cast("Agent", replace(cast("Any", self.agent), **roles)) if roles else self.agent
        if self.name == "oracle-crop":
            agent = replace(cast("Direct", agent), spans=item.sample.target_spans)
        if first_clip := self.first_clips.get(item.sample.id):
            agent = replace(cast("Team", agent), first_clip=first_clip)
        model = self.model.of(item) if isinstance(self.model, _Constant) else self.model
        seed = None if self.config.seed is None else self.config.seed + epoch
        return agent, wrap(model), replace(self.config, seed=seed)


def contestant(
    settings: AskSettings, items: Sequence[Item], first_clips: Mapping[str, str] | None = None
) -> Contestant:
    """The one that ``settings.agent`` names: an agent of the registry or a baseline. Raises `ConfigError`."""
    name = settings.agent
    known = sorted({*names("agent"), *_OPTIONS})
    if name not in known:
        raise ConfigError(f"there is no agent {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    agent_name, options = _OPTIONS.get(name, (name, {}))
    if name in ("constant", "reader") and settings.model != Reader.name:
        raise ConfigError(f"the baseline {name!r} asks no model, got --model {settings.model}; leave it out")
    if agent_name == "blind":  # so that one set of options does for all baselines
        settings = settings.model_copy(update=dict.fromkeys(("frames", "fps", "max_pixels", "ocr", "asr")))
    settings = settings.model_copy(update={"agent": agent_name, "agent_options": {**options, **settings.agent_options}})
    model: Model = _Constant.of_items(items) if name == "constant" else Heard(load(settings))
    agent = _heard(build_agent(settings, model))
    config = GenerateConfig(settings.temperature, settings.max_tokens, settings.seed)
    gold = {"constant": "the most frequent answer", "oracle-crop": "the spans where the answer is"}.get(name, "")
    if first_clips and not hasattr(agent, "first_clip"):
        raise ConfigError(
            f"a grounding cache says where a team begins; the agent {name!r} begins nowhere, leave it out"
        )
    return Contestant(name, agent, model, config, gold, agent_name != "blind", first_clips or {})


def _parts(agent: Agent) -> dict[str, Any]:
    """The fields of an agent that is a dataclass; workers' models are among them."""
    try:
        return {each.name: getattr(agent, each.name) for each in fields(cast("Any", agent))}
    except TypeError:
        return {}


def _heard(agent: Agent) -> Agent:
    """``agent`` whose workers' error messages are errors too."""
    roles = {
        name: Heard(part)
        for name, part in _parts(agent).items()
        if hasattr(part, "generate") and not isinstance(part, Heard)
    }
    return cast("Agent", replace(cast("Any", agent), **roles)) if roles else agent


def _prompts_of(agent: Agent) -> dict[str, JSON]:
    """What names the words it uses; an agent from elsewhere answers for its own in its options."""
    return {name: prompt_digest(name) for name in getattr(agent, "prompts", ())}


def no_video(uri: str, *, subtitles: str | None = None) -> Video:
    """Stands where a video would, for those who do not look at it: nothing of it is known."""
    del subtitles
    return cast("Video", _NoVideo(VideoInfo(uri, "", 0.0, 0.0, None, 0, 0, "none", False)))


@dataclass(frozen=True, slots=True)
class _NoVideo:
    info: VideoInfo
    subtitles: None = None

    def check(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Constant:
    """Says the most frequent answer of each kind of question."""

    answers: Mapping[str, str]
    name: str = "constant"

    @property
    def reply_identity(self) -> JSON:
        return ["constant", dict(self.answers)]

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> _Constant:
        gold: dict[str, Counter[str]] = {}
        for item in items:
            gold.setdefault(item.kind, Counter()).update([_gold_of(item)] if _gold_of(item) else [])
        if not any(gold.values()):
            raise ConfigError("the data hold no answers, so there is no most frequent one; use another agent")
        return cls({kind: counts.most_common(1)[0][0] for kind, counts in gold.items() if counts})

    def answer(self, item: Item) -> str:
        return self.answers.get(item.kind, "")

    def of(self, item: Item) -> Model:
        return replace(self, answers={item.kind: self.answer(item)})

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        (answer,) = self.answers.values()
        return ModelOutput(Message("assistant", (f"<answer>{answer}</answer>",)), self.name)


def _gold_of(item: Item) -> str:
    if item.kind != "span":
        return item.sample.target or ""
    return "; ".join(f"{span.start:g} - {span.end:g}" for span in item.sample.target_spans[:1])
