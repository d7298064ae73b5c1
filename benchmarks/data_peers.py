"""Other ways to send many requests with a picture each, for the throughput benchmarks. Not a benchmark itself.

None of them keeps what came back as a run does: each appends the replies to one file, or leaves them in memory.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from loopback import Apart, Job


def body(picture: Path) -> dict[str, Any]:
    url = "data:image/jpeg;base64," + base64.b64encode(picture.read_bytes()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]
    return {"model": "m", "max_tokens": 16, "messages": [{"role": "user", "content": content}]}


def requests_of(job: Job) -> Iterator[Path]:
    return (job.pictures[number % len(job.pictures)] for number in range(job.num))


def with_requests(job: Job) -> None:
    """A pool of ``at_once`` threads, one `requests` session, a connection for each thread."""
    import requests
    from requests.adapters import HTTPAdapter

    session, lock = requests.Session(), threading.Lock()
    session.mount("http://", HTTPAdapter(pool_maxsize=job.at_once))

    with (job.folder / "replies.jsonl").open("w") as out, ThreadPoolExecutor(job.at_once) as pool:

        def once(picture: Path) -> None:
            reply = session.post(f"{job.url}/chat/completions", json=body(picture))
            reply.raise_for_status()
            with lock:
                out.write(json.dumps(reply.json()) + "\n")
                out.flush()

        list(pool.map(once, requests_of(job)))


def with_openai_threads(job: Job) -> None:
    """A pool of ``at_once`` threads and one `OpenAI` client, as LongVideoAgent's evaluation has it."""
    from openai import OpenAI

    lock = threading.Lock()
    with (
        (job.folder / "replies.jsonl").open("w") as out,
        OpenAI(base_url=job.url, api_key="none") as client,
        ThreadPoolExecutor(job.at_once) as pool,
    ):

        def once(picture: Path) -> None:
            reply = client.chat.completions.create(**body(picture))
            with lock:
                out.write(reply.model_dump_json() + "\n")
                out.flush()

        list(pool.map(once, requests_of(job)))


def with_openai(job: Job) -> None:
    """`AsyncOpenAI` behind a semaphore."""
    from openai import AsyncOpenAI

    async def main() -> None:
        turn = asyncio.Semaphore(job.at_once)
        with (job.folder / "replies.jsonl").open("w") as out:
            async with AsyncOpenAI(base_url=job.url, api_key="none", max_retries=6) as client:

                async def once(picture: Path) -> None:
                    async with turn:
                        reply = await client.chat.completions.create(**body(picture))
                        out.write(reply.model_dump_json() + "\n")
                        out.flush()

                await asyncio.gather(*map(once, requests_of(job)))

    asyncio.run(main())


def one_at_a_time(job: Job) -> None:
    """As LongVideo-Reason's step 4: each question waits for the one before it, a file for each reply."""
    from openai import OpenAI

    with OpenAI(base_url=job.url, api_key="none") as client:
        for number, picture in enumerate(requests_of(job)):
            reply = client.chat.completions.create(**body(picture))
            (job.folder / f"{number}.json").write_text(reply.model_dump_json())


# --------------------------------------------------------------------------------------------------------- Ray


class Cluster:
    """A Ray cluster of this machine; its start is left out of the measurement, that of the actors is not."""

    def __init__(self) -> None:
        import ray

        began = time.perf_counter()
        logging.disable(logging.WARNING)
        ray.init("local", log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        self.cpu, self.seconds = _cpu_of_children(), time.perf_counter() - began

    def apart(self) -> Apart:
        return Apart(_cpu_of_children() - self.cpu, self.seconds)


def ray_map(job: Job) -> Apart:
    """`Dataset.map` as the documentation shows it: a task for each block, as many as there are cores."""
    import ray

    cluster, url = Cluster(), job.url

    def once(row: dict[str, Any]) -> dict[str, Any]:
        import requests

        return {"reply": requests.post(f"{url}/chat/completions", json=body(Path(row["item"]))).text}

    items = [str(picture) for picture in requests_of(job)]
    num = len(ray.data.from_items(items, override_num_blocks=job.num).map(once).take_all())
    assert num == job.num
    return cluster.apart()


def ray_threads(job: Job) -> Apart:
    """`Dataset.map_batches` with ``at_once`` rows a batch and a thread for each; one actor."""
    import ray

    cluster = Cluster()

    class Ask:
        def __init__(self, url: str, at_once: int) -> None:
            import requests
            from requests.adapters import HTTPAdapter

            self.url, self.session, self.pool = url, requests.Session(), ThreadPoolExecutor(at_once)
            self.session.mount("http://", HTTPAdapter(pool_maxsize=at_once))

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            return {"reply": list(self.pool.map(self.once, batch["item"]))}

        def once(self, picture: str) -> str:
            return self.session.post(f"{self.url}/chat/completions", json=body(Path(picture))).text

    items = [str(picture) for picture in requests_of(job)]
    made = ray.data.from_items(items).map_batches(
        Ask, fn_constructor_args=(job.url, job.at_once), batch_size=job.at_once, concurrency=1
    )
    assert len(made.take_all()) == job.num
    return cluster.apart()


def ray_llm(job: Job) -> Apart:
    """`ray.data.llm`'s HTTP processor with its defaults: one actor, batches of 64."""
    import ray
    from ray.data.llm import HttpRequestProcessorConfig, build_processor

    cluster = Cluster()
    processor = build_processor(
        HttpRequestProcessorConfig(url=f"{job.url}/chat/completions", concurrency=1),
        preprocess=lambda row: {"payload": body(Path(row["item"]))},
        postprocess=lambda row: {"reply": row["http_response"]["choices"][0]["message"]["content"]},
    )
    items = [str(picture) for picture in requests_of(job)]
    assert len(processor(ray.data.from_items(items)).take_all()) == job.num
    return cluster.apart()


def _cpu_of_children() -> float:
    """CPU seconds so far of all processes below this one."""
    parents, ticks = dict[int, int](), dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)], ticks[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))

    def is_below(process: int) -> bool:
        while process > 1:
            process = parents.get(process, 0)
            if process == os.getpid():
                return True
        return False

    return sum(count for process, count in ticks.items() if is_below(process)) / os.sysconf("SC_CLK_TCK")
