"""CPU per request of `OpenAIModel` beside the official ``openai`` SDK: same endpoint on loopback, same bytes, one run.

    pip install openai && python benchmarks/client_cpu.py

The endpoint is a process of its own and its CPU is not counted. The picture is encoded before the clock starts, for
both: an agent sends the same frames again in every turn. Rounds take turns; the table shows medians over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from aiohttp import web

from longtake.models.openai import EndpointOptions, OpenAIModel
from longtake.models.wire import write_request
from longtake.types import Frames, GenerateConfig, Message

CONFIG = GenerateConfig(max_tokens=16)
REPLY = {
    "id": "r",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "A red car. " * 40}}],
    "usage": {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020},
}


def serve(latency_seconds: float, where: Connection) -> None:
    """Answers everything with `REPLY` after a while; sends its port through ``where``."""

    async def chat(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(latency_seconds)
        return web.json_response(REPLY)

    async def main() -> None:
        app = web.Application(client_max_size=1 << 26)
        app.add_routes([web.post("/v1/chat/completions", chat)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        where.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


def question(num_bytes: int) -> Message:
    """One picture whose data URL has about ``num_bytes``."""
    side = int((num_bytes / 1.03) ** 0.5)  # noise takes about a byte per pixel
    noise = np.random.default_rng(0).integers(0, 255, (1, side, side, 3), np.uint8)
    return Message("user", (Frames.of(noise, np.zeros(1), "v"), "What is it?"))


async def in_flight(once: Callable[[], Awaitable[Any]], num_requests: int, at_once: int) -> tuple[float, float]:
    """CPU and wall seconds per request, ``at_once`` in flight."""
    left = iter(range(num_requests))

    async def work() -> None:
        for _ in left:
            await once()

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return (time.process_time() - cpu) / num_requests, (time.perf_counter() - wall) / num_requests


async def measure(base_url: str, args: argparse.Namespace) -> dict[str, list[tuple[float, float]]]:
    from openai import AsyncOpenAI

    asked = question(args.bytes)
    options = EndpointOptions(max_in_flight=args.at_once)
    body = await write_request("m", [asked], [], CONFIG, options)
    ours = OpenAIModel("m", base_url=base_url, api_key="none", options=options)
    seen: dict[str, list[tuple[float, float]]] = {"longtake OpenAIModel": [], "openai AsyncOpenAI": []}
    async with AsyncOpenAI(base_url=base_url, api_key="none") as theirs:
        clients: dict[str, Callable[[], Awaitable[Any]]] = {
            "longtake OpenAIModel": lambda: ours.generate([asked], tools=[], config=CONFIG),
            "openai AsyncOpenAI": lambda: theirs.chat.completions.create(**body),
        }
        for once in clients.values():
            await in_flight(once, args.at_once, args.at_once)
        for _ in range(args.rounds):
            for name, once in clients.items():
                seen[name].append(await in_flight(once, args.requests, args.at_once))
    size = len(str(body["messages"]))
    print(f"{args.requests} requests of {size / 1000:.0f} kB a round, {args.at_once} in flight, "
          f"{args.latency:g} s latency, {args.rounds} rounds")  # fmt: skip
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1024)
    parser.add_argument("--at-once", type=int, default=256)
    parser.add_argument("--bytes", type=int, default=100_000)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(args.latency, there), daemon=True)
    server.start()
    try:
        seen = asyncio.run(measure(f"http://127.0.0.1:{here.recv()}/v1", args))
    finally:
        server.terminate()
        server.join()
    print(f"{'client':24}{'CPU ms/request':>16}{'requests/s':>14}{'share of ideal':>16}")
    for name, rounds in seen.items():
        cpu, wall = (statistics.median(values) for values in zip(*rounds, strict=True))
        ideal = args.at_once / args.latency
        print(f"{name:24}{cpu * 1000:16.2f}{1 / wall:14.0f}{1 / wall / ideal:16.1%}")


if __name__ == "__main__":
    main()
