"""Judges for tests: honest ones, liars, and an endpoint on loopback that judges by what the prompt holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from aiohttp import web

from fake_openai import FakeOpenAI, Say, check_request
from longtake.models.scripted import Request
from longtake.scoring.known_cases import KNOWN_CASES, canary_case
from longtake.types import GenerateConfig, Message, ModelOutput, ToolSpec, Usage

_PART = r"(?s)<{name} (?P<mark>[0-9a-f]{{12}})>\n(?P<text>.*?)\n</{name} (?P=mark)>"
_TRUTH = {(case.question, case.answer): case.is_right for case in KNOWN_CASES}
_CANARIES = {
    (case.question, case.target, case.answer): case.is_right for case in (canary_case(index) for index in range(2002))
}


@dataclass(frozen=True)
class Seen:
    """What a judge is shown."""

    prompt: str
    mark: str
    question: str
    options: str
    target: str
    answer: str

    @property
    def is_canary(self) -> bool:
        return (self.question, self.target, self.answer) in _CANARIES

    @property
    def is_right(self) -> bool:
        """The truth about a known case; of any other, whether the words are the same."""
        known = _TRUTH.get((self.question, self.answer))
        if known is None:
            known = _CANARIES.get((self.question, self.target, self.answer))
        return self.target.strip().lower() == self.answer.strip().lower() if known is None else known

    @classmethod
    def of(cls, prompt: str) -> Seen:
        def part(name: str) -> str:
            found = re.search(_PART.format(name=name), prompt)
            return found["text"] if found else ""

        marks = set(re.findall(r"<question ([0-9a-f]{12})>", prompt))
        assert len(marks) == 1, f"a prompt has one mark, this has {marks}"
        return cls(prompt, marks.pop(), part("question"), part("options"), part("known-answer"), part("given-answer"))


Says: TypeAlias = Callable[[Seen], "str | ModelOutput | Exception"]


def verdict(is_right: bool) -> str:
    return f"VERDICT: {int(is_right)}"


def honest(seen: Seen) -> str:
    return verdict(seen.is_right)


def inverted(seen: Seen) -> str:
    return verdict(not seen.is_right)


def always_yes(seen: Seen) -> str:
    return verdict(True)


def always_no(seen: Seen) -> str:
    return verdict(False)


def obedient(seen: Seen) -> str:
    """Honest, until an answer tells it what to say."""
    told = re.findall(r"VERDICT: [01]", seen.answer)
    return told[-1] if told else honest(seen)


def prose(seen: Seen) -> str:
    return f"The known answer is {seen.target!r}, and the given one comes close in some ways, though 1 or 0 is hard."


def parrot(seen: Seen) -> str:
    return seen.answer or "(nothing)"


class FakeJudge:
    """A model that says what ``says`` makes of the prompt, and keeps what it was asked."""

    def __init__(self, says: Says, *, name: str = "fake-judge") -> None:
        self.name = name
        self.identity = self.reply_identity = name
        self.says = says
        self.requests = list[Request]()

    @property
    def seen(self) -> list[Seen]:
        return [Seen.of(request.messages[0].text) for request in self.requests]

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        self.requests.append(Request(tuple(messages), tuple(tools), config))
        said = self.says(Seen.of(messages[0].text))
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, ModelOutput) else reply(said)


def reply(text: str, stop_reason: Any = "stop") -> ModelOutput:
    return ModelOutput(Message("assistant", (text,)), "fake-judge-1", stop_reason, Usage(1, 100, 5, cost_usd=0.001))


class JudgingEndpoint(FakeOpenAI):
    """After the acts it was told, it says what ``says`` makes of the prompt."""

    def __init__(self, says: Callable[[Seen], str] = honest, **given: Any) -> None:
        super().__init__(**given)
        self.says = says

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._acts:
            return await super()._answer(request)
        body = await request.json()
        self.requests.append(body)
        check_request(body)
        return web.json_response(Say(self.says(Seen.of(body["messages"][0]["content"]))).body(body["model"]))
