"""A model that says whether an answer means the same as the target. Owns what it is asked, how its replies are read,
and whether it can be trusted: known cases before it judges, and others while it does.

A reply that is no verdict is no verdict, and a model that cannot be asked gives none: neither is ever a 0.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ..errors import ConfigError, JudgeError, ModelAuthError, ModelEndpointError, ModelError
from ..models.journaled import model_identity
from ..models.thoughts import without_thinking
from ..models.toolcalls import without_surrogates
from ..prompts import Prompts
from ..store import digest
from ..types import JSON, GenerateConfig, Message, Model, ModelOutput, Score, ToolSpec, Usage
from .known_cases import KNOWN_CASES, Case, canary_case

__all__ = ["Canaries", "Judge", "Probes", "read_verdict"]

_VERSION = 1
"""Counted up when replies are read in another way: verdicts from before are not the same."""
_PROMPTS = Prompts("longtake.scoring")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MIN_SHARE = 0.8
_MAX_NAMED = 5
_SHOWN = 200

_WORD = r"(?:(?P<right>1(?:\.0)?|right|correct|true)|(?P<wrong>0(?:\.0)?|wrong|incorrect|false))"
_OPEN, _CLOSE = r"[\s*_`\"'“”(\[{<]*", r"[\s*_`\"'“”)\]}>.!。]*"
_BARE = re.compile(rf"(?i){_OPEN}(?:\\boxed\{{)?{_WORD}{_CLOSE}")
_LINE = re.compile(r"(?i)[\s*_`#>\"'<(\[-]*verdict\b(?P<rest>.*)")
_REST = re.compile(rf"(?i){_CLOSE}[:：=]?{_OPEN}(?:\\boxed\{{)?{_WORD}{_CLOSE}(?:</verdict>\s*)?")
_FENCED = re.compile(r"(?s)```\w*\s*(.*?)\s*```")


def read_verdict(text: str) -> bool | None:
    """Whether the judge says that the answer is right; None for a reply that is no verdict.

    The last line is ``VERDICT: 1`` or ``VERDICT: 0``, and no line says the other; or the whole reply is that figure
    or word, or a JSON object with ``verdict``. Thinking does not count. Nothing is guessed from prose."""
    said = without_thinking(text).strip()
    fenced = _FENCED.fullmatch(said)
    body = fenced[1] if fenced else said
    if body.startswith("{") and (stated := _object(body)) is not None:
        return _value(stated)
    lines = [line for line in body.splitlines() if line.strip()]
    verdicts = [_read(_REST, found["rest"]) for found in map(_LINE.fullmatch, lines) if found]
    if not verdicts:
        return _read(_BARE, body)
    if _LINE.fullmatch(lines[-1]) is None or len(set(verdicts)) > 1:
        return None
    return verdicts[0]


def _object(body: str) -> dict[str, Any] | None:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def _value(stated: dict[str, Any]) -> bool | None:
    given = [value for name, value in stated.items() if name.lower() == "verdict"]
    return _read(_BARE, str(given[0])) if len(given) == 1 and isinstance(given[0], str | int | float) else None


def _read(pattern: re.Pattern[str], text: str) -> bool | None:
    found = pattern.fullmatch(text)
    return None if found is None else found["right"] is not None


@dataclass(frozen=True, slots=True)
class Probes:
    """What the judge made of the known cases. ``missed`` says what it got wrong, or gave no verdict on."""

    num_cases: int
    num_right: int
    missed: tuple[str, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Canaries:
    """Known cases that were judged during the run. ``failure`` is set once the judge is not to be trusted any more:
    its verdicts since the canary before that one may be wrong too."""

    num_asked: int = 0
    num_wrong: int = 0
    num_without_verdict: int = 0
    failure: str | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """``failure`` is the error because of which the model gave no further reply."""

    is_right: bool | None
    model: str
    replies: tuple[str, ...]
    usage: Usage
    failure: ModelError | None = None


class _Counted:
    """``model``, counting the replies that it was really asked for, not those a cache had."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name = model.name
        self.reply_identity = model_identity(model)
        self.num_replies = 0

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        output = await self._model.generate(messages, tools=tools, config=config)
        self.num_replies += not output.cached
        return output


class Judge:
    """``model`` as a judge. A reply that is no verdict is asked for again, ``max_attempts`` times in all; a canary is
    judged after every ``canary_every`` replies, at most ``max_tokens`` long (thinking counts).

    Whoever keeps replies in a journal wraps ``judge.model`` and gives it to `score`, so that replies which come from
    the journal call for no canary. Raises `ConfigError` for counts below 1."""

    def __init__(self, model: Model, *, max_attempts: int = 3, canary_every: int = 50, max_tokens: int = 4096) -> None:
        for name, value in (("max_attempts", max_attempts), ("canary_every", canary_every), ("max_tokens", max_tokens)):
            if value < 1:
                raise ConfigError(f"a judge needs {name} of at least 1, got {value}")
        self._asked = self._on_known = model
        self.model = self._counted = _Counted(model)
        self._max_attempts, self._canary_every = max_attempts, canary_every
        self._config = GenerateConfig(max_tokens=max_tokens)
        self._num_rounds = self._num_canaries = 0
        self.prompt_digest = digest([_PROMPTS.digest("judge"), _PROMPTS.digest("judge_again")])[:16]
        self.canaries = Canaries()

    @property
    def name(self) -> str:
        return self._asked.name

    @property
    def identity(self) -> JSON:
        """Everything that decides its verdicts."""
        limits: list[JSON] = [self._max_attempts, self._config.max_tokens]
        return ["judge", _VERSION, model_identity(self._asked), self.prompt_digest, limits]

    def keep_known(self, wrap: Callable[[Model], Model]) -> None:
        """Has known cases put to ``wrap`` of the model, which keeps the replies or counts what they cost."""
        self._on_known = wrap(self._asked)

    async def probe(self) -> Probes:
        """Has it judge the known cases; no cache answers them.

        Raises `JudgeError` if it cannot be asked, is wrong about a plain case or about over a fifth of all."""
        cases = KNOWN_CASES
        judged = [await self._judge_fresh(cases[0])]  # alone: where nobody is, the others need not knock
        if judged[0].failure is None:
            judged += await asyncio.gather(*(self._judge_fresh(case) for case in cases[1:]))
        if failure := next((judgement.failure for judgement in judged if judgement.failure), None):
            raise JudgeError(
                f"the judge {self.name} cannot be asked, so nothing can be judged: {failure}; see to it that it runs,"
                " or choose another"
            ) from failure
        wrong = [(case, each) for case, each in zip(cases, judged, strict=True) if each.is_right != case.is_right]
        missed = tuple(_miss(case, each) for case, each in wrong)
        num_plain = sum(case.is_plain for case, _ in wrong)
        num_right = len(cases) - len(wrong)
        if num_plain or num_right < _MIN_SHARE * len(cases):
            wrong.sort(key=lambda pair: not pair[0].is_plain)
            named = "; ".join(_miss(*pair) for pair in wrong[:_MAX_NAMED])
            more = f"; and {len(wrong) - _MAX_NAMED} more" if len(wrong) > _MAX_NAMED else ""
            raise JudgeError(
                f"the judge {self.name} cannot be trusted: of {len(cases)} known cases it judged {num_right} rightly,"
                f" and missed {num_plain} plain ones: {named}{more}; choose another model as judge"
            )
        return Probes(len(cases), num_right, missed, sum((each.usage for each in judged), Usage()))

    async def score(
        self, question: str, target: str, answer: str, *, choices: Sequence[str] = (), model: Model | None = None
    ) -> Score:
        """1 or 0 as the judge says, else no verdict and why. ``target`` may be the letter of one of ``choices``.

        ``model`` is asked instead of ``judge.model``; it must be a wrapper of that. Raises `ModelAuthError` or
        `ModelEndpointError`, which no later call will escape either."""
        if not target.strip():
            return Score("judge", None, error="there is no target to judge by")
        if len(choices) > len(_LETTERS):
            return Score("judge", None, error=f"{len(choices)} options are more than there are letters")
        if self.canaries.failure is None:
            options = tuple(map(without_surrogates, choices))
            case = Case("", *map(without_surrogates, (question, target, answer)), is_right=True, choices=options)
            judged = await self._judge(case, model or self.model)
            if isinstance(judged.failure, ModelAuthError | ModelEndpointError):
                raise judged.failure
            await self._ask_canaries()
            if self.canaries.failure is None:
                return self._score(judged)
        return Score("judge", None, error=self.canaries.failure)

    def _score(self, judged: _Judgement) -> Score:
        said = " | ".join(_short(reply) for reply in judged.replies)
        tries = f"attempt {len(judged.replies)} of {self._max_attempts}"
        how = f"{judged.model}, prompt {self.prompt_digest}, {tries}: {said or 'nothing'}"
        if judged.failure is not None:
            return Score("judge", None, how, error=f"the judge could not be asked: {judged.failure}")
        if judged.is_right is None:
            last = _short(judged.replies[-1])
            return Score("judge", None, how, error=f"no verdict in {len(judged.replies)} replies, the last was {last}")
        return Score("judge", float(judged.is_right), how)

    async def _ask_canaries(self) -> None:
        """Asks one if it is due. One wrong verdict may be a slip; with another one of the kind it is none."""
        due = self._counted.num_replies // self._canary_every
        if due <= self._num_rounds:
            return
        self._num_rounds = due
        index = self._num_canaries
        self._num_canaries += 1
        if (first := await self._ask_canary(index)) and (second := await self._ask_canary(index + 1000)):
            self.canaries = replace(
                self.canaries,
                failure=f"the judge {self.name} was wrong about known cases during the run ({first}; {second}): its"
                " verdicts are not to be used; choose another model as judge",
            )

    async def _ask_canary(self, index: int) -> str | None:
        """What was wrong with the verdict. No verdict is not wrong; it counts where it is given."""
        case = canary_case(index)
        judged = await self._judge_fresh(case)
        if isinstance(judged.failure, ModelAuthError | ModelEndpointError):
            raise judged.failure
        is_wrong = judged.is_right is (not case.is_right)
        now = self.canaries
        self.canaries = replace(
            now,
            num_asked=now.num_asked + 1,
            num_wrong=now.num_wrong + is_wrong,
            num_without_verdict=now.num_without_verdict + (judged.is_right is None),
            usage=now.usage + judged.usage,
        )
        return _miss(case, judged) if is_wrong else None

    async def _judge_fresh(self, case: Case) -> _Judgement:
        """As `_judge`, with a mark that never was, so that no cache has the reply."""
        return await self._judge(case, self._on_known, salt=secrets.token_hex(8))

    async def _judge(self, case: Case, model: Model, salt: str = "") -> _Judgement:
        prompt, replies, usage, name = _prompt(case, salt), list[str](), Usage(), model.name
        for attempt in range(1, self._max_attempts + 1):
            numbers = {"attempt": str(attempt), "max_attempts": str(self._max_attempts)}
            again = "\n\n" + _PROMPTS.render("judge_again", **numbers) if attempt > 1 else ""
            try:
                output = await model.generate([Message("user", (prompt + again,))], tools=(), config=self._config)
            except ModelError as e:
                spent = e.spent if isinstance(e.spent, Usage) else Usage()
                return _Judgement(None, name, tuple(replies), usage + spent, e)
            name, usage = output.model, usage + output.usage
            replies.append(output.text if output.stop_reason == "stop" else f"({output.stop_reason}) {output.text}")
            is_right = read_verdict(output.text) if output.stop_reason == "stop" else None
            if is_right is not None:
                return _Judgement(is_right, name, tuple(replies), usage)
        return _Judgement(None, name, tuple(replies), usage)


def _prompt(case: Case, salt: str) -> str:
    """The mark of the tags follows from all that stands between them, so no answer can forge one."""
    texts: list[JSON] = [salt, case.question, case.target, case.answer, *case.choices]
    mark = digest(texts)[:12]
    lettered = [f"{letter}. {choice}" for letter, choice in zip(_LETTERS, case.choices, strict=False)]
    target = next((line for line in lettered if line[0] == case.target.strip()), case.target)
    options = "\n".join(["", f"<options {mark}>", *lettered, f"</options {mark}>", ""]) if lettered else ""
    return _PROMPTS.render(
        "judge", mark=mark, question=case.question, options=options, target=target, answer=case.answer
    )


def _miss(case: Case, judged: _Judgement) -> str:
    if judged.is_right is None:
        said = f"gave no verdict but {_short(judged.replies[-1]) if judged.replies else 'no reply'}"
    else:
        said = f"said {'right' if judged.is_right else 'wrong'}"
    return f"{case.about} ({_short(case.answer)} for {_short(case.target)}: {said})"


def _short(text: str) -> str:
    """On one line, quoted; of a long text its end, where a verdict stands."""
    line = " ".join(text.split())
    return f'"{line}"' if len(line) <= _SHOWN else f'"...{line[-_SHOWN:]}"'
