"""How much of an endpoint's throughput `longtake eval` uses at 256 requests in flight, beside other ways to evaluate.

    pip install requests openai lmms-eval && python benchmarks/eval_throughput.py
    python benchmarks/eval_throughput.py --rounds 4 --repeats 1

The endpoint is a process on this machine that replies after a latency; its CPU is not counted, but it takes of the same
cores. Every question sends one picture of 100 kB. longtake runs a benchmark in a file through the real runner, loop,
journals, client and scorers: the pictures are videos of one frame, decoded and encoded again as frames of a video are.
lmms-eval's own asynchronous client is given the pictures as its tasks give them (opened images); the thread pool, as in
LongVideoAgent's evaluation, sends the files as they are. Ideal is the sum of all latencies divided by the requests in
flight. Each measurement is a process of its own, imports included; the table shows medians.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import data_peers as peers
from loopback import Apart, Job, Measured, Service, measure, write_pictures

from longtake.eval.run import evaluate_async
from longtake.eval.settings import read_eval_settings
from longtake.models.journaled import Limits

BODY_BYTES = 100_000


def with_longtake(job: Job) -> None:
    for number, picture in enumerate(job.pictures):
        folder = job.folder / "videos" / f"v{number}"
        folder.mkdir(parents=True)
        shutil.copy(picture, folder / "00001.jpg")
    rows = job.folder / "rows.jsonl"
    with rows.open("w") as out:
        for number in range(job.num):
            row = {"id": f"q{number}", "video": f"v{number % len(job.pictures)}", "question": f"What is it? ({number})"}
            out.write(json.dumps({**row, "answer": "a red car"}) + "\n")
    settings = read_eval_settings(
        {
            "benchmark": "custom",
            "data": (str(rows),),
            "videos": str(job.folder / "videos"),
            "agent": "direct",
            "model": "openai:m",
            "base_url": job.url,
            "frames": 1,
            "max_pixels": 10_000_000,
            "max_tokens": 16,
            "model_options": {"max_in_flight": job.at_once},
        }
    )
    metrics = asyncio.run(evaluate_async(settings, job.folder / "run", limits=Limits(job.at_once)))
    if metrics["coverage"] != 1.0:
        raise SystemExit(f"longtake: {metrics['no_verdict']}")


def with_lmms_eval(job: Job) -> None:
    """lmms-eval's ``async_openai`` model, as its evaluator calls it."""
    from lmms_eval.api.instance import Instance
    from lmms_eval.models.chat.async_openai import AsyncOpenAIChat
    from PIL import Image

    def messages(doc: Path) -> list[dict[str, object]]:
        content = [{"type": "image", "url": Image.open(doc)}, {"type": "text", "text": "What is it?"}]
        return [{"role": "user", "content": content}]

    model = AsyncOpenAIChat(model="m", base_url=job.url, api_key="none", num_cpus=job.at_once)
    model.task_dict["task"] = {"test": [job.pictures[number % len(job.pictures)] for number in range(job.num)]}
    arguments = [("", messages, {"max_new_tokens": 16}, number, "task", "test") for number in range(job.num)]
    metadata = {"task": "task", "doc_id": 0, "repeats": 1}
    asked = [Instance("generate_until", arguments=one, idx=0, metadata=metadata) for one in arguments]
    replies = model.generate_until(asked)
    if len(replies) != job.num:
        raise SystemExit(f"lmms-eval: {len(replies)} replies")


CLIENTS: dict[str, tuple[Callable[[Job], Apart | None], str | None]] = {
    "longtake eval": (with_longtake, None),
    "lmms-eval async_openai": (with_lmms_eval, "lmms_eval"),
    "thread pool, requests": (peers.with_requests, "requests"),
    "thread pool, openai": (peers.with_openai_threads, "openai"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=2.0, help="seconds")
    parser.add_argument("--at-once", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=8, help="requests for each that is in flight")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "longtake-benchmarks")
    args = parser.parse_args()
    num = args.at_once * args.rounds
    pictures = write_pictures(args.folder / "pictures", BODY_BYTES)
    print(f"{args.at_once} in flight, latency {args.latency:g} s, {BODY_BYTES / 1000:g} kB, {num} requests")
    print(f"{'':24}{'wall s':>8}{'of ideal':>10}{'CPU ms':>8}{'MB':>6}{'first s':>9}")
    for name, (client, module) in CLIENTS.items():
        if module and not importlib.util.find_spec(module):
            print(f"{name:24}not installed")
            continue
        seen = list[Measured]()
        for _ in range(args.repeats):
            out = Path(tempfile.mkdtemp(dir=args.folder))
            seen.append(measure(client, Service(args.latency), Job(num, args.at_once, pictures, out)))
            shutil.rmtree(out)
        share, wall, cpu, memory, start = (
            statistics.median(getattr(each, field) for each in seen)
            for field in ("share", "wall", "cpu", "megabytes", "start_seconds")
        )
        print(f"{name:24}{wall:8.1f}{share:10.1%}{cpu / num * 1000:8.2f}{memory:6.0f}{start:9.2f}", flush=True)


if __name__ == "__main__":
    main()
