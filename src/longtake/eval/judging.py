"""Judges of evaluations: loaded, tried before they are used, and remembered by the folder when they proved wrong."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from ..errors import ConfigError, JudgeError, ModelRequestError, StoreError
from ..models.base import key_in, load_model
from ..models.heard import Heard
from ..models.journaled import Account, CallJournal, Gate, JournaledModel, Limits, StoppingError, key_of, paid
from ..scoring.judge import Judge, Probes
from ..store import digest, write_atomic
from ..types import JSON, GenerateConfig, Message, Model, ModelOutput, Score, ToolSpec, Usage
from .items import Item
from .settings import JudgeSettings
from .store import Ended

__all__ = [
    "AbsentJudge",
    "JudgeGate",
    "Judging",
    "bare",
    "judge_failure",
    "judge_model",
    "judge_spent",
    "keep_judge_failure",
    "probed",
    "with_spent",
]

log = logging.getLogger(__name__)

_FILE = "judge.json"
_MAX_FAILED_IN_A_ROW = 5
"""So many answers in a row that the judge could not be asked about mean that it is gone; a call has tried by itself."""
_MAX_ROUNDS = 100


class AbsentJudge:
    """The model of a judge that is only read: what it said is in the journal, more it cannot say."""

    def __init__(self, name: str, identity: JSON) -> None:
        self.name = name
        self.reply_identity = identity

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        raise StoppingError


class JudgeGate:
    """Bounds how many calls there are at once, and what they may cost in all. A closed one lets none through: what is
    kept is read, and no more."""

    def __init__(self, in_flight: int, limits: Limits | None = None, *, is_open: bool = True) -> None:
        self.calls = asyncio.Semaphore(in_flight)
        self.is_open = is_open
        self._limits, self._spent = limits or Limits(), Usage()

    def begin(self) -> None:
        if not self.is_open:
            raise StoppingError
        self._limits.check(self._spent)

    def spend(self, usage: Usage) -> None:
        self._spent += usage


class Judging:
    """A judge at work on the answers of a run. Its replies are kept by what it was asked, so nothing is judged twice:
    the same answer to the same question waits for the verdict that is under way.

    It is the gate of its calls: ``unreachable`` is set once the judge is gone, and then lets none through."""

    def __init__(self, judge: Judge, journal: CallJournal, gate: Gate) -> None:
        self.judge = judge
        self.unreachable: str | None = None
        self._journal, self._gate = journal, gate
        self._turns = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._failed_in_a_row = 0
        known = Account(secrets.token_hex(16), "known cases")  # asked anew each time: nothing of it is read again
        judge.keep_known(lambda model: JournaledModel(model, journal, self, known))

    @property
    def calls(self) -> asyncio.Semaphore:
        return self._gate.calls

    def begin(self) -> None:
        if self.unreachable is not None:
            raise StoppingError
        self._gate.begin()

    def spend(self, usage: Usage) -> None:
        self._gate.spend(usage)

    async def score(self, item: Item, ended: Ended) -> Score:
        """For an answer that `is_judged`. Raises `ModelAuthError`, `ModelEndpointError`, `SpendCapError`,
        `StoppingError`."""
        assert ended.trace is not None
        assert ended.trace.answer is not None
        sample, answer = item.sample, ended.trace.answer.text
        asked: list[JSON] = [sample.question, [*sample.choices], sample.target, answer]
        account = Account(key_of(digest(self.judge.identity), [digest(asked)]), f"{sample.id}/{ended.epoch}")
        model = JournaledModel(self.judge.model, self._journal, self, account)
        score: Score | None = None
        async with self._turns[account.key]:
            for _ in range(_MAX_ROUNDS):
                read_before = account.occurrences.total()
                try:
                    score = await self.judge.score(
                        sample.question, sample.target or "", answer, choices=sample.choices, model=model
                    )
                except StoppingError:
                    if score is None and self.unreachable is None:
                        raise
                    break
                if score.value is not None or account.num_asked or account.occurrences.total() == read_before:
                    break  # else all of it was kept from before, and was no verdict: it is asked again
        self._watch(account)
        return score or Score("judge", None, error=self.unreachable)

    def _watch(self, account: Account) -> None:
        """An answer that the judge would not take, being too long for example, says nothing of the others."""
        if account.num_asked:
            is_gone = account.error is not None and not isinstance(account.error, ModelRequestError)
            self._failed_in_a_row = self._failed_in_a_row + 1 if is_gone else 0
        if self._failed_in_a_row >= _MAX_FAILED_IN_A_ROW and self.unreachable is None:
            self.unreachable = (
                f"not judged yet: the judge {self.judge.name} could not be asked {_MAX_FAILED_IN_A_ROW} times in a row,"
                f" so it is not asked any more; the last error: {account.error}"
            )
            log.warning("%s", self.unreachable)


def judge_model(settings: JudgeSettings) -> Model:
    """The model that ``settings.model`` names. Raises `ConfigError`."""
    assert settings.model is not None
    if settings.model == "reader":
        raise ConfigError("the reader finds words in videos and cannot judge answers; give a judge like openai:NAME")
    takes_options = settings.model.partition(":")[0] not in ("reader", "scripted")
    url, options = (settings.base_url, settings.options or None) if takes_options else (None, None)
    key = key_in(settings.api_key_env) if takes_options else None
    return Heard(load_model(settings.model, base_url=url, api_key=key, options=options, cache=False))


def bare(model: Model) -> Model:
    """The model itself, as it was loaded."""
    return model.model if isinstance(model, Heard) else model


async def probed(judge: Judge, root: Path, journal: CallJournal, in_flight: int) -> Probes:
    """Raises `JudgeError` for a judge that is wrong about what is known, or was in an earlier run of this folder."""
    if failure := judge_failure(root, judge.identity):
        raise JudgeError(f"{failure}; this folder remembers it: delete {root / _FILE} to try this judge again")
    Judging(judge, journal, JudgeGate(in_flight))
    return await judge.probe()


def judge_spent(root: Path) -> Usage:
    """What judging cost in this folder, in all its runs, known cases included."""
    return paid([root / "judge"])


def with_spent(limits: Limits, root: Path) -> Limits:
    """``limits`` that count what was spent in this folder before."""
    if limits.max_cost_usd is None and limits.max_tokens is None:
        return limits
    return replace(limits, spent_before=paid([root / "calls", root / "judge"]))


def keep_judge_failure(root: Path, judge: Judge) -> None:
    """A judge that failed a canary is not to be trusted, also not for what it said before. Raises `StoreError`."""
    write_atomic(root / _FILE, orjson.dumps({"identity": judge.identity, "failure": judge.canaries.failure}))


def judge_failure(root: Path, identity: JSON) -> str | None:
    """What this judge got wrong during a run, if anything. Raises `StoreError`."""
    path = root / _FILE
    if not path.exists():
        return None
    try:
        told = orjson.loads(path.read_bytes())
        return str(told["failure"]) if told["identity"] == identity else None
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise StoreError(f"{path} cannot be read ({e}); delete it, and judge again") from e
