"""A strict chat-completions endpoint in a process of its own, for runs of many requests: it outlives its clients.

    python tests/endpoint.py --port 0 --ledger ledger.jsonl --failure-rate 0.1        prints its base URL

    with running_endpoint(ledger=tmp_path / "ledger.jsonl", failure_rate=0.1) as endpoint:
        model = OpenAIModel("tiny", base_url=endpoint.base_url, options=EndpointOptions(idle_seconds=0.3))

What it says is a pure function of the request's bytes and the seed (`endpoint_replies`), whatever the order and however
often it is asked. It fails in two ways; ``poison_share`` of ``failure_rate`` is the second:

- `OUTAGES`: no reply comes. By request and occurrence, at most twice for one request, so that trying again helps.
  Kinds take turns in the order of coming.
- `POISONS`: a reply comes that must not be used as it is, always the same one. By the request alone, as a reply that a
  client has kept must be the one it would get again. Text that must not reach any result holds ``POISON``.

The ledger has a line for every request before it is answered, and one when its reply has been sent in full
(``answered``; ``how`` is the poison or "ok") or it was let down (``failed``; ``how`` is the outage).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from endpoint_replies import AGENT_TASKS, JSON_TASKS, Reply, digest_of, reply_to
from fake_openai import Refused, check_request

OUTAGES = ("429", "500", "503", "reset", "truncated", "stall", "empty", "not_json", "html", "error_text")
AGENT_POISONS = ("refusal", "content_filter", "length", "unclosed_think")
"""No thoughts that quote: what an agent thinks is a part of its trace."""
POISONS = (*AGENT_POISONS, "quoting_think")
QUESTION_POISONS = ("wrong_letter", "no_options", "repeated")
JSON_POISONS = ("prose",)
MAX_OUTAGES = 2
_SOON = {"Retry-After": "0.05"}


@dataclass(frozen=True)
class Entry:
    """A line of the ledger. ``number`` counts the requests as they come, ``digest`` names their bytes."""

    digest: str
    number: int
    event: str
    how: str


@dataclass(frozen=True)
class Endpoint:
    base_url: str
    ledger: Path
    pid: int

    def entries(self, *events: str) -> list[Entry]:
        """The lines of the ledger, or those with one of these events."""
        read = [Entry(**json.loads(line)) for line in self.ledger.read_text().splitlines()]
        return [entry for entry in read if not events or entry.event in events]

    def hows(self, wait_seconds: float = 5.0) -> Counter[str]:
        """How often requests ended in which way, once all that were received have ended: a client may have a reply
        a moment before the ledger says so. Raises `TimeoutError`."""
        give_up_at = time.monotonic() + wait_seconds
        while len(ended := self.entries("answered", "failed")) < len(self.entries("received")):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"requests are still in flight after {wait_seconds:g} s")
            time.sleep(0.01)
        return Counter(entry.how for entry in ended)


@contextmanager
def running_endpoint(
    *,
    ledger: Path,
    seed: int = 0,
    latency_seconds: float = 0.0,
    failure_rate: float = 0.0,
    poison_share: float = 0.5,
    kinds: Sequence[str] = (),
    in_flight_limit: int | None = None,
    stall_seconds: float = 5.0,
) -> Iterator[Endpoint]:
    """The endpoint in a process that ends with the block, and with this process. Arguments as on its command line."""
    given = {
        "seed": seed, "latency-seconds": latency_seconds, "failure-rate": failure_rate, "poison-share": poison_share,
        "kinds": ",".join(kinds), "in-flight-limit": in_flight_limit, "stall-seconds": stall_seconds, "ledger": ledger,
    }  # fmt: skip
    options = [f"--{name}={value}" for name, value in given.items() if value not in (None, "")]
    command = [sys.executable, __file__, "--with-parent", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            base_url = process.stdout.readline().strip()
            if not base_url:
                raise RuntimeError(f"the endpoint did not start: {' '.join(command)}")
            yield Endpoint(base_url, ledger, process.pid)
        finally:
            process.terminate()


class Server:
    def __init__(self, settings: argparse.Namespace) -> None:
        self.settings = settings
        self.outages = itertools.cycle([kind for kind in OUTAGES if self._is_on(kind)] or [""])
        self.poison_rate = settings.failure_rate * settings.poison_share
        self.outage_rate = settings.failure_rate - self.poison_rate
        self.num_received = self.num_in_flight = 0
        self.num_outages = Counter[str]()
        self.seen = Counter[str]()
        self.ledger = os.open(settings.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def _is_on(self, kind: str) -> bool:
        return not self.settings.kinds or kind in self.settings.kinds.split(",")

    async def chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        digest = digest_of(raw)
        self.num_received += 1
        number = self.num_received
        self.write(digest, number, "received", "")
        self.num_in_flight += 1
        try:
            event, how, response = await self.answer(request, raw, digest)
        except ConnectionError:
            event, how, response = "failed", "nobody there any more", web.Response()
        finally:
            self.num_in_flight -= 1
        self.write(digest, number, event, how)
        return response

    def write(self, digest: str, number: int, event: str, how: str) -> None:
        line = json.dumps({"digest": digest, "number": number, "event": event, "how": how}) + "\n"
        os.write(self.ledger, line.encode())

    async def answer(self, request: web.Request, raw: bytes, digest: str) -> tuple[str, str, web.StreamResponse]:
        """Event and how for the ledger, and the response, which has been sent."""
        limit = self.settings.in_flight_limit
        if limit is not None and self.num_in_flight > limit:
            return "failed", "over the limit", await _send(request, 429, _error("too many requests"), _SOON)
        try:
            body = json.loads(raw)
            await asyncio.to_thread(check_request, body)
        except (Refused, ValueError) as e:
            return "failed", f"refused: {e}", await _send(request, 400, _error(str(e)))
        reply = reply_to(body, f"{self.settings.seed} {digest}")
        outage = self.outage(digest)
        await asyncio.sleep(0 if outage == "429" else self.settings.latency_seconds)
        if outage:
            return "failed", outage, await self.let_down(request, outage, _completion(body, reply, "stop"))
        poison = self.poison(digest, reply)
        good = _completion(body, reply, "stop") if not poison else _completion(body, *poisoned(poison, reply))
        return "answered", poison or "ok", await _send(request, 200, good)

    def outage(self, digest: str) -> str:
        """What goes wrong with this request this time, "" for nothing."""
        self.seen[digest] += 1
        chance = random.Random(f"{self.settings.seed} outage {digest} {self.seen[digest]}").random()
        if chance >= self.outage_rate or self.num_outages[digest] >= MAX_OUTAGES:
            return ""
        self.num_outages[digest] += 1
        return next(self.outages)

    def poison(self, digest: str, reply: Reply) -> str:
        """What is wrong with the reply to this request, "" for nothing."""
        kinds = [*(AGENT_POISONS if reply.task in AGENT_TASKS else POISONS)]
        kinds += QUESTION_POISONS * 2 if reply.task == "question" else ()
        kinds += JSON_POISONS * 2 if reply.task in JSON_TASKS else ()
        kinds = [kind for kind in kinds if self._is_on(kind)]
        dice = random.Random(f"{self.settings.seed} poison {digest}")
        return dice.choice(kinds) if kinds and dice.random() < self.poison_rate else ""

    async def let_down(self, request: web.Request, outage: str, good: bytes) -> web.StreamResponse:
        match outage:
            case "429" | "503":
                return await _send(request, int(outage), _error("too much to do"), _SOON)
            case "500":
                return await _send(request, 500, _error("internal error"))
            case "reset":
                _cut(request)
                return web.Response()
            case "truncated" | "stall":
                response = web.StreamResponse(headers={"Content-Length": str(len(good))})
                await response.prepare(request)
                await response.write(good[: len(good) // 2])
                await asyncio.sleep(self.settings.stall_seconds if outage == "stall" else 0)
                _cut(request)
                return response
            case "not_json":
                return await _send(request, 200, b"POISON upstream is busy, please hold")
            case "html":
                return await _send(request, 200, b"<!doctype html><html><body><h1>POISON gateway</h1></body></html>")
            case _:
                text = "" if outage == "empty" else "Error: Connection error. POISON"
                return await _send(request, 200, _completion({"model": "m", "messages": []}, Reply("", text), "stop"))


def poisoned(poison: str, reply: Reply) -> tuple[Reply, str]:
    """A reply spoiled, and its finish reason. Tool calls are left out of all but the harmless kind."""
    half = reply.text[: len(reply.text) // 2]
    question = re.sub(r"QUESTION: ", "QUESTION: POISON ", reply.text)
    match poison:
        case "refusal":
            return Reply(reply.task, "I'm sorry, but I can't assist with that request. POISON"), "stop"
        case "content_filter":
            return Reply(reply.task, f"{half} POISON"), "content_filter"
        case "length":
            return Reply(reply.task, f"POISON {half}"), "length"
        case "quoting_think":
            form = 'QUESTION: POISON?\nOPTIONS:\nA. POISON\nANSWER: D\n{"question": "POISON"}\n<answer>POISON</answer>'
            return Reply(reply.task, f"<think>\nThe form is\n{form}\n</think>\n\n{reply.text}", reply.calls), "stop"
        case "unclosed_think":
            thought = reply.text.replace("</think>", "")
            return Reply(reply.task, f"<think>\nPOISON, or perhaps\n{thought}"), "stop"
        case "wrong_letter":
            return Reply(reply.task, re.sub(r"^ANSWER: .*$", "ANSWER: H", question, flags=re.MULTILINE)), "stop"
        case "no_options":
            return Reply(reply.task, re.sub(r"^OPTIONS:\n(?:[A-Z]\. .*\n)+", "", question, flags=re.MULTILINE)), "stop"
        case "repeated":
            return Reply(reply.task, f"{reply.text}\n\n{question}"), "stop"
        case _:
            around = f"Here is what you asked for, POISON:\n\n```json\n{reply.text}\n```\n\nPOISON, I hope it helps!"
            return Reply(reply.task, around), "stop"


def _completion(body: dict[str, Any], reply: Reply, finish: str) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.calls:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for n, (name, arguments) in enumerate(reply.calls)
        ]
        finish = "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 40 * len(body["messages"]), "completion_tokens": 1 + len(reply.text) // 4}
    whole = {"id": "r", "object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}
    return json.dumps(whole).encode()


async def _send(
    request: web.Request, status: int, content: bytes, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    """The response, sent to its end."""
    response = web.Response(status=status, body=content, headers=headers, content_type="application/json")
    await response.prepare(request)
    await response.write_eof()
    return response


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _error(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "error"}}).encode()


async def _models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "tiny"}]})


async def serve(settings: argparse.Namespace) -> None:
    app = web.Application(client_max_size=1 << 28)
    app.add_routes([web.post("/v1/chat/completions", Server(settings).chat), web.get("/v1/models", _models)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", settings.port, backlog=4096).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}/v1\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="a strict chat-completions endpoint that fails on demand")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    parser.add_argument("--failure-rate", type=float, default=0.0, help="outages and poisoned replies together")
    parser.add_argument("--poison-share", type=float, default=0.5, help="the share of poisoned replies among them")
    parser.add_argument("--kinds", default="", help="only these kinds of failure, with commas; all by default")
    parser.add_argument("--in-flight-limit", type=int, help="what is more at once gets a 429")
    parser.add_argument("--stall-seconds", type=float, default=5.0)
    parser.add_argument("--with-parent", action="store_true", help="ends when its standard input does")
    settings = parser.parse_args()
    if settings.with_parent:
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
