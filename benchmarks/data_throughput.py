"""How much of an endpoint's throughput a run of `longtake data` uses, at what cost, beside other ways to ask it.

    pip install requests openai "ray[data]" && python benchmarks/data_throughput.py
    python benchmarks/data_throughput.py --rounds 3 --repeats 1 --only 256    # a quick look

The endpoint is a process on this machine that replies after a latency; its CPU is not counted, but it takes of the
same cores. longtake runs a recipe of two steps through the real runner, journals and client: a video is divided into
50 records without looking at it, and each record reads a JPEG file and asks about it (decoding, which takes longer
than all of this, is left out). Ideal is the sum of all latencies divided by the requests in flight. Each measurement
is a process of its own, imports included; the table shows medians.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import data_peers as peers
import numpy as np
from loopback import Client, Job, Measured, Service, measure, write_pictures

from longtake.compute import Local, Progress
from longtake.datagen.pipeline import Runner
from longtake.datagen.step import Context, Record, Step, Value
from longtake.datagen.store import RunStore, roots_of
from longtake.datagen.tally import Tally
from longtake.models.journaled import Limits
from longtake.models.openai import EndpointOptions, OpenAIModel
from longtake.types import Frames, GenerateConfig, Message

CLIPS_A_VIDEO = 50
CONFIG = GenerateConfig(max_tokens=16)
FEW = 6
"""Requests of ways that are too slow for as many as the others. Their rate is taken without their start, so that it
does not depend on how many there are."""


def with_longtake(job: Job) -> None:
    last = list[Tally]()

    def look(progress: Progress) -> bool:
        last[:] = [Tally.sum(["split", "ask"], progress.now)]
        return True

    def make() -> Runner:
        options = EndpointOptions(max_in_flight=job.at_once)
        model = OpenAIModel("m", base_url=job.url, api_key="none", options=options)
        return Runner(steps(model, job.pictures), RunStore(job.folder), limits=Limits(job.at_once))

    sizes = [min(CLIPS_A_VIDEO, job.num - at) for at in range(0, job.num, CLIPS_A_VIDEO)]
    roots = roots_of([(f"v{number}", f"v{number}", {"clips": size}) for number, size in enumerate(sizes)])
    asyncio.run(Local().map(make, roots, look))
    if last[0].steps["ask"].ok != job.num:
        raise SystemExit(f"longtake: {last[0].steps['ask'].ok} records are ok, {job.num} should be")


def steps(model: OpenAIModel, pictures: Sequence[Path]) -> list[Step]:
    async def split(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [{"clip": number} for number in range(int(str(records[0].value["clips"])))]

    async def ask(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        (record,) = records
        number = int(str(record.value["clip"]))
        path = pictures[number % len(pictures)]
        jpeg = path.read_bytes()
        frames = Frames(np.array([float(number)]), 300, 300, record.video, jpegs=(jpeg,))
        message = Message("user", (frames, "What is it?"))
        output = await ctx.journaled(model).generate([message], tools=(), config=CONFIG)
        return [{"said": output.text}]

    return [Step("split", 1, {}, split, many=True), Step("ask", 1, {}, ask)]


# -------------------------------------------------------------------------------------------------------- table


@dataclass(frozen=True)
class Case:
    title: str
    at_once: int
    body_bytes: int
    service: Service
    clients: tuple[Client, ...]
    target: str


NAMES = {
    with_longtake: ("longtake", None),
    peers.with_requests: ("threads, requests", "requests"),
    peers.with_openai: ("AsyncOpenAI, semaphore", "openai"),
    peers.one_at_a_time: ("one at a time (step 4)", "openai"),
    peers.ray_threads: ("Ray Data, threads", "ray"),
    peers.ray_map: ("Ray Data, map", "ray"),
    peers.ray_llm: ("ray.data.llm HTTP", "ray"),
}
SLOW = (peers.one_at_a_time, peers.ray_map, peers.ray_llm)


def cases(latency: float) -> dict[str, Case]:
    steady, small = Service(latency), 100_000
    tail = Service(latency / 4, sigma=0.8)
    all_at_64 = (with_longtake, peers.with_requests, peers.with_openai, peers.ray_threads, *SLOW)
    at_256 = (with_longtake, peers.with_requests, peers.with_openai, peers.ray_threads, peers.ray_llm)
    some = (with_longtake, peers.with_openai)
    tailed = (with_longtake, peers.with_requests, peers.ray_threads)
    return {
        "64": Case("64 in flight", 64, small, steady, all_at_64, "55x of one at a time"),
        "256": Case("256 in flight", 256, small, steady, at_256, "97 %, 0.6 ms, 120 MB, 1 s; 200x of ray.data.llm"),
        "1024": Case("1,024 in flight", 1024, small, steady, some, "90 %"),
        "429": Case("256 in flight, every 10th refused", 256, small, Service(latency, refuse_every=10), some, "90 %"),
        "tail": Case("64 in flight, lognormal 0.8", 64, small, tail, tailed, "88 %"),
        "1MB": Case("256 in flight, 1 MB", 256, 1_000_000, steady, (with_longtake, peers.with_requests), "1.5 ms"),
    }


def run(case: Case, args: argparse.Namespace, folder: Path) -> None:
    rounds = args.rounds * 4 if case.service.sigma else args.rounds
    num = case.at_once * rounds
    pictures = write_pictures(folder / "pictures", case.body_bytes)
    print(f"\n{case.title}, latency {case.service.latency:g} s, {case.body_bytes / 1000:g} kB; target: {case.target}")
    print(f"{'':24}{'requests':>9}{'wall s':>8}{'of ideal':>10}{'CPU ms':>8}{'MB':>6}{'first s':>9}{'slower':>8}")
    base = 0.0
    for client in case.clients:
        name, module = NAMES[client]
        if module and not importlib.util.find_spec(module):
            print(f"{name:24}not installed")
            continue
        if args.longtake_only and client is not with_longtake:
            continue
        slow = client in SLOW
        seen = list[Measured]()
        for _ in range(1 if slow else args.repeats):
            out = Path(tempfile.mkdtemp(dir=folder))
            seen.append(measure(client, case.service, Job(FEW if slow else num, case.at_once, pictures, out)))
            shutil.rmtree(out)
        count = FEW if slow else num
        share = statistics.median(each.share_at_work if slow else each.share for each in seen)
        base = base or share
        wall, cpu, memory, start = (
            statistics.median(getattr(each, field) for each in seen)
            for field in ("wall", "cpu", "megabytes", "start_seconds")
        )
        in_own = not name.lower().startswith("ray")
        print(
            f"{name:24}{count:9}{wall:8.1f}{share:10.1%}{cpu / count * 1000:8.2f}"
            + (f"{memory:6.0f}" if in_own else f"{'':6}") + f"{start:9.2f}{base / share:7.1f}x", flush=True
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=2.0, help="seconds; a quarter of it where it has a tail")
    parser.add_argument("--rounds", type=int, default=8, help="requests for each that is in flight")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="64, 256, 1024, 429, tail, 1MB")
    parser.add_argument("--longtake-only", action="store_true", help="leave the peers out")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "longtake-benchmarks")
    args = parser.parse_args()
    for name, case in cases(args.latency).items():
        if not args.only or name in args.only:
            run(case, args, args.folder)


if __name__ == "__main__":
    main()
