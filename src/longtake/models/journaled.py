"""Models whose replies are kept the moment they come: asked for once, whatever is killed when.

Owns the journal of calls, what a run lets its calls do (how many at once, how much in all), and what makes two calls
the same. A call that is asked and neither said nor unsaid was under way at a kill, or was given up at a timeout:
these, and no others, may have been paid for without a reply to show for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import orjson
from pydantic import TypeAdapter

from ..errors import ConfigError, ModelError, ModelTimeoutError, SpendCapError
from ..ledger import Committer, Ledger, read_lines
from ..types import JSON, GenerateConfig, Message, Model, ModelOutput, ToolSpec, Usage, from_json, to_json
from .prices import configured_prices, cost_usd

__all__ = [
    "Account",
    "CallJournal",
    "Gate",
    "JournaledModel",
    "Limits",
    "OpenCall",
    "StoppingError",
    "in_doubt",
    "key_of",
    "model_identity",
    "paid",
]


class StoppingError(Exception):
    """The run ends, so this call is not begun. Not an error of longtake: nobody is told."""


def key_of(maker: str, inputs: Sequence[str]) -> str:
    """The key of what ``maker`` makes of inputs with these digests, 32 hex digits."""
    return hashlib.sha256("\n".join((maker, *inputs)).encode()).hexdigest()[:32]


def model_identity(model: Model) -> JSON:
    """What of a model decides its replies, wherever it is served: moving a server must not pay for everything again."""
    return getattr(model, "reply_identity", model.name)


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_in_flight``: records worked on at once. ``max_cost_usd`` and ``max_tokens``: no model call is begun past
    them; they count what ``spent_before`` cost too."""

    max_in_flight: int = 64
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    spent_before: Usage = field(default_factory=Usage)
    retry_failed: bool = False
    """Also tries again what failed for good."""

    def __post_init__(self) -> None:
        if self.max_in_flight < 1:
            raise ConfigError(f"max_in_flight must be at least 1, got {self.max_in_flight}")

    def check(self, spent: Usage) -> None:
        """Raises `SpendCapError` when no call may be begun any more."""
        total = self.spent_before + spent
        tokens = total.input_tokens + total.output_tokens
        if self.max_tokens is not None and tokens >= self.max_tokens:
            raise SpendCapError(f"{tokens} tokens are spent, {self.max_tokens} allowed; raise --max-tokens to go on")
        if self.max_cost_usd is None:
            return
        if total.cost_usd is None:
            raise SpendCapError("--max-cost needs prices, and a call had none; set LONGTAKE_PRICES to a price table")
        if total.cost_usd >= self.max_cost_usd:
            raise SpendCapError(
                f"{total.cost_usd:.2f} USD are spent, {self.max_cost_usd:.2f} allowed; raise --max-cost to go on"
            )


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A model call under way when its process ended. ``record`` names what it was made for."""

    record: str
    key: str


class CallJournal:
    """The calls in ``folder``: one line before each and one after it, with the reply."""

    def __init__(self, folder: Path, writer: str, committer: Committer) -> None:
        self._ledger = Ledger(folder, writer, committer, final=("said",))

    def said(self, key: str) -> ModelOutput | None:
        """The reply to a call, if it came."""
        line = self._ledger.get(key)
        if line is None or line["status"] != "said":
            return None
        return from_json(ModelOutput, orjson.dumps(line["output"]))

    def ask(self, key: str, record: str) -> None:
        self._ledger.append(key, "asked", {"record": record})

    def say(self, key: str, record: str, output: ModelOutput) -> None:
        self._ledger.append(key, "said", {"record": record, "output": orjson.Fragment(to_json(output))})

    def unsaid(self, key: str, record: str, error: str, usage: Usage) -> None:
        """The call failed, so it is not under way any more. ``usage`` is what replies cost that could not be used."""
        self._ledger.append(key, "unsaid", {"record": record, "error": error, "usage": usage})

    def open_calls(self) -> Iterator[OpenCall]:
        for line in self._ledger.lines():
            if line["status"] == "asked":
                yield OpenCall(line["record"], line["key"])

    @property
    def num_said(self) -> int:
        return self._ledger.num_final

    def refresh(self) -> None:
        self._ledger.refresh()

    def close(self) -> None:
        self._ledger.close()


def in_doubt(folder: Path) -> list[OpenCall]:
    """The calls in ``folder`` that were under way when their process ended (or are now), or were given up at a
    timeout; made again since or not. These and no others may have been paid for without a reply being kept."""
    found = list[OpenCall]()
    for path in sorted(folder.glob("*.jsonl")):
        asked = dict[str, OpenCall]()
        for line in read_lines(path):
            if line is not None and line["status"] == "asked":
                asked[line["key"]] = OpenCall(line["record"], line["key"])
            elif line is not None:
                asked.pop(line["key"], None)
        found += asked.values()
    return found


def paid(folders: Iterable[Path]) -> Usage:
    """What the calls in these folders cost. A call without a price is priced by the table that is set now."""
    prices, total = configured_prices(), Usage()
    for path in (path for folder in folders for path in sorted(folder.glob("*.jsonl"))):
        for line in read_lines(path):
            if line is not None and line["status"] != "asked":
                usage = Usage(**(line["usage"] if line["status"] == "unsaid" else line["output"]["usage"]))
                if usage.cost_usd is None and line["status"] == "said":
                    cost = cost_usd(prices, line["output"]["model"], usage.input_tokens, usage.output_tokens)
                    usage = replace(usage, cost_usd=cost)
                total += usage
    return total


class Gate(Protocol):
    """What a run lets its calls do. ``calls`` bounds how many are under way."""

    @property
    def calls(self) -> asyncio.Semaphore: ...
    def begin(self) -> None:
        """Raises `StoppingError` or `SpendCapError` when no call may be begun any more."""
        ...

    def spend(self, usage: Usage) -> None: ...


@dataclass(slots=True)
class Account:
    """One piece of work that makes calls. ``key`` decides which kept replies are its own, ``record`` names it.

    ``usage`` is what its replies cost, kept ones included, ``seconds`` the time of its calls; ``error`` is the last
    one that a model raised; ``num_asked`` counts calls that were really made."""

    key: str
    record: str
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    error: ModelError | None = None
    num_asked: int = 0
    occurrences: Counter[str] = field(default_factory=Counter[str])


@cache
def _messages() -> TypeAdapter[list[Message]]:
    return TypeAdapter(list[Message])


class JournaledModel:
    """``model`` for one account: replies are known by account, request and how often that was made.

    Frames count by (video, seconds, size), not by their pixels, so nothing is hashed that was just decoded."""

    def __init__(self, model: Model, journal: CallJournal, gate: Gate, account: Account) -> None:
        self._model, self._journal, self._gate, self._account = model, journal, gate, account
        self.name = model.name
        self.reply_identity = model_identity(model)

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        account = self._account
        rest = orjson.dumps([self.reply_identity, list(tools), config])
        request = hashlib.sha256(_messages().dump_json(list(messages)) + rest).hexdigest()[:32]
        number = account.occurrences[request]
        account.occurrences[request] += 1
        key = key_of(account.key, [request, str(number)])
        output = self._journal.said(key)
        if output is None:
            async with self._gate.calls:
                output = await self._ask(key, messages, tools, config)
        account.usage += output.usage
        return replace(output, cached=False)

    async def _ask(
        self, key: str, messages: Sequence[Message], tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        """One call, noted before it is made: if it is cut off by a kill it may have been paid for."""
        account = self._account
        self._gate.begin()
        account.num_asked += 1
        self._journal.ask(key, account.record)
        started = time.perf_counter()
        try:
            output = await self._model.generate(messages, tools=tools, config=config)
        except ModelTimeoutError as e:
            account.error = e
            raise  # it may have been paid for: it stays in doubt
        except ModelError as e:
            usage = e.spent if isinstance(e.spent, Usage) else Usage()
            self._journal.unsaid(key, account.record, f"{type(e).__name__}: {e}", usage)
            account.usage += usage
            account.error = e
            self._gate.spend(usage)
            raise
        account.seconds += time.perf_counter() - started
        self._journal.say(key, account.record, output)
        self._gate.spend(output.usage)
        return output
