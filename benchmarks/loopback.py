"""The endpoint of the data benchmarks, and how they measure a client of it. Not a benchmark itself.

The endpoint and every client are processes of their own, so the CPU and memory of one client are its own. Linux only:
memory is read from /proc.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from aiohttp import web

from longtake.models.pixels import as_jpegs
from longtake.types import Frames

SPAWN = multiprocessing.get_context("spawn")
NUM_PICTURES = 16
REPLY = {
    "id": "r",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "A red car. " * 40}}],
    "usage": {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020},
}


@dataclass(frozen=True)
class Service:
    """``latency`` is the mean, ``sigma`` the width of the lognormal (0: constant). Every request whose number is a
    multiple of ``refuse_every`` gets a 429 at once, with ``Retry-After: retry_after`` if that is given."""

    latency: float = 2.0
    sigma: float = 0.0
    refuse_every: int = 0
    retry_after: int | None = None


@dataclass(frozen=True)
class Job:
    """What a client does: ``num`` requests, ``at_once`` in flight, each with a picture of ``pictures`` (JPEG files)."""

    num: int
    at_once: int
    pictures: tuple[Path, ...]
    folder: Path
    url: str = ""


@dataclass(frozen=True)
class Served:
    """What the endpoint saw. ``seconds``: the latencies of all replies together; times are of `time.time`."""

    num: int
    num_refused: int
    seconds: float
    first_at: float
    last_at: float


@dataclass(frozen=True)
class Apart:
    """What a client tells about itself: the CPU of processes that it started, and what the clock should leave out."""

    cpu_of_others: float
    setup_seconds: float


Client = Callable[[Job], Apart | None]


@dataclass(frozen=True)
class Measured:
    """``start_seconds``: from the start of the client's process to its first request at the endpoint."""

    wall: float
    cpu: float
    megabytes: float
    start_seconds: float
    ideal: float
    served: Served

    @property
    def share(self) -> float:
        """Of the endpoint's ideal throughput."""
        return self.ideal / self.wall

    @property
    def share_at_work(self) -> float:
        """The same from the first request to the last reply, without the start."""
        return self.ideal / (self.served.last_at - self.served.first_at)


def write_pictures(folder: Path, body_bytes: int) -> tuple[Path, ...]:
    """JPEG files that take about ``body_bytes`` in a request."""
    folder.mkdir(parents=True, exist_ok=True)
    side = int((body_bytes / 1.03) ** 0.5)  # noise takes about a byte per pixel with base64
    paths = list[Path]()
    for number in range(NUM_PICTURES):
        path = folder / f"{body_bytes}_{number}.jpg"
        if not path.exists():
            noise = np.random.default_rng(number).integers(0, 255, (1, side, side, 3), np.uint8)
            (jpeg,) = as_jpegs(Frames.of(noise, np.zeros(1), "v")).jpegs or (b"",)
            path.write_bytes(jpeg)
        paths.append(path)
    return tuple(paths)


def measure(client: Client, service: Service, job: Job) -> Measured:
    """Runs ``client`` in a process of its own."""
    here, there = SPAWN.Pipe()
    server = SPAWN.Process(target=_serve, args=(service, there), daemon=True)
    server.start()
    there.close()  # so that a process that dies ends the benchmark
    try:
        job = Job(job.num, job.at_once, job.pictures, job.folder, f"http://127.0.0.1:{here.recv()}/v1")
        mine, its = SPAWN.Pipe()
        started = time.time()
        process = SPAWN.Process(target=_run, args=(client, job, its))
        process.start()
        its.close()
        wall, cpu, megabytes = mine.recv()
        process.join()
        here.send(None)
        served: Served = here.recv()
    finally:
        server.terminate()
        server.join()
    if served.num != job.num:
        raise SystemExit(f"{client.__name__}: {served.num} replies were sent, {job.num} asked for")
    return Measured(wall, cpu, megabytes, served.first_at - started, served.seconds / job.at_once, served)


def _run(client: Client, job: Job, out: Connection) -> None:
    before = memory("VmRSS")
    cpu, wall = time.process_time(), time.perf_counter()
    apart = client(job) or Apart(0.0, 0.0)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    wall, cpu = wall - apart.setup_seconds, cpu + apart.cpu_of_others
    out.send((wall, cpu, (memory("VmHWM") - before) / 1024))


def memory(which: str) -> int:
    """Of this process, in kB: ``VmRSS`` now, ``VmHWM`` at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which))


def _serve(service: Service, pipe: Connection) -> None:
    chance = np.random.default_rng(0)
    num = num_refused = 0
    seconds = first_at = last_at = 0.0

    async def chat(request: web.Request) -> web.Response:
        nonlocal num, num_refused, seconds, first_at, last_at
        first_at = first_at or time.time()
        while await request.content.readany():
            pass
        if service.refuse_every and (num + num_refused + 1) % service.refuse_every == 0:
            num_refused += 1
            headers = {} if service.retry_after is None else {"Retry-After": str(service.retry_after)}
            return web.json_response({"error": {"message": "too many"}}, status=429, headers=headers)
        num += 1
        latency = service.latency
        if service.sigma:
            latency *= float(chance.lognormal(-(service.sigma**2) / 2, service.sigma))
        seconds += latency
        await asyncio.sleep(latency)
        last_at = time.time()
        return web.json_response(REPLY)

    async def main() -> None:
        app = web.Application(client_max_size=1 << 26)
        app.add_routes([web.post("/v1/chat/completions", chat)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        pipe.send(Served(num, num_refused, seconds, first_at, last_at))

    asyncio.run(main())
