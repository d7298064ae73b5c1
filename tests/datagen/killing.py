"""Runs of ``longtake data run`` against the endpoint process, killed again and again, and what became of them.

A kill comes after so many new requests as chance says and a little later: while calls are under way, and not before
something could be kept. Used by `test_kills` and by the benchmark of kills.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from clips import picture_of, write_frames
from endpoint import Endpoint

LONGTAKE = [sys.executable, "-m", "longtake"]
FORMS = {"longvideo-reason": ("longvideo-reason", "chat"), "longvt": ("longvt", "traces")}
IN_FLIGHT = 4
FPS = 5


@dataclass(frozen=True)
class Outcome:
    """What came of one run: its exports by form, the digests of all requests that came in, and the calls in doubt."""

    exports: dict[str, bytes]
    requests: Counter[str]
    num_in_doubt: int
    wrong: list[str]
    seconds: float
    kills: int = 0

    def num_again(self, undisturbed: Outcome) -> int:
        """Requests beyond those of the undisturbed run."""
        return (self.requests - undisturbed.requests).total()

    def num_lost(self, undisturbed: Outcome) -> int:
        return (undisturbed.requests - self.requests).total()


@dataclass(frozen=True)
class Job:
    """A recipe on a folder of videos."""

    recipe: str
    videos: Path
    endpoint: Endpoint
    options: Sequence[str] = ()
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def begin(self, out: Path) -> subprocess.Popen[bytes]:
        command = [*LONGTAKE, "data", "run", "--recipe", self.recipe, "--videos", str(self.videos), "--out", str(out),
                   "--model", "openai:tiny", "--base-url", self.endpoint.base_url, "--in-flight", str(IN_FLIGHT),
                   *self.options]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environ)

    def num_requests(self) -> int:
        return len(self.endpoint.entries("received"))

    def finish(self, process: subprocess.Popen[bytes], first: int, began: float, out: Path, kills: int = 0) -> Outcome:
        """Waits for the end and looks at everything."""
        _, errors = process.communicate(timeout=240)
        if process.returncode != 0:
            raise RuntimeError(f"the run ended with {process.returncode}: {errors.decode()[-3000:]}")
        seconds = time.monotonic() - began
        verified = subprocess.run([*LONGTAKE, "data", "verify", str(out), "--json"], capture_output=True, check=False)
        found = json.loads(verified.stdout)
        requests = Counter(entry.digest for entry in self.endpoint.entries("received")[first:])
        return Outcome(self._export(out), requests, len(found["in_doubt"]), found["wrong"], seconds, kills)

    def _export(self, out: Path) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for form in FORMS[self.recipe]:
            file = out.with_suffix(f".{form}.jsonl")
            command = [*LONGTAKE, "data", "export", str(out), "--form", form, "--out", str(file)]
            subprocess.run(command, check=True, capture_output=True)
            files[form] = file.read_bytes()
        return files


def write_videos(folder: Path, num: int, seconds: int) -> Path:
    """``num`` videos with no picture twice, so that no two requests are the same."""
    folder.mkdir()
    for n in range(num):
        length = (seconds + n) * FPS
        frames = ((i, picture_of(n * 5000 + i)) for i in range(length))
        write_frames(folder / f"film{n}.mp4", frames, fps=FPS)
    return folder


def undisturbed(job: Job, out: Path) -> Outcome:
    first, began = job.num_requests(), time.monotonic()
    return job.finish(job.begin(out), first, began, out)


def with_processes_killed(job: Job, out: Path, *, kills: int, seed: int) -> Outcome:
    """The process of the command itself dies, and the command is given again."""
    chance, first, began, done = random.Random(seed), job.num_requests(), time.monotonic(), 0
    while done < kills:
        process = job.begin(out)
        if not wait_to_kill(process, job.num_requests, chance, most=2 * IN_FLIGHT):
            break
        process.kill()
        process.communicate()
        done += 1
    else:
        process = job.begin(out)
    return job.finish(process, first, began, out, done)


def with_workers_killed(job: Job, out: Path, *, kills: int, seed: int) -> Outcome:
    """Worker processes die at random, the process of the command lives."""
    chance, first, began, done = random.Random(seed), job.num_requests(), time.monotonic(), 0
    process = job.begin(out)
    while done < kills and wait_to_kill(process, job.num_requests, chance, most=2 * IN_FLIGHT):
        if workers := ray_workers(out.glob("steps/*/*/*.jsonl")):
            os.kill(chance.choice(workers), signal.SIGKILL)
            done += 1
    return job.finish(process, first, began, out, done)


def wait_to_kill(
    process: subprocess.Popen[bytes], num_requests: Callable[[], int], chance: random.Random, *, most: int
) -> bool:
    """Until up to ``most`` more requests came, and a little longer. False when the run ended before."""
    wanted = num_requests() + chance.randint(1, most)
    while process.poll() is None:
        if num_requests() >= wanted:
            time.sleep(chance.uniform(0, 0.2))
            return process.poll() is None
        time.sleep(0.02)
    return False


def ray_workers(journals: Iterable[Path]) -> list[int]:
    """The processes on Ray that write to these journals now."""
    pids = {int(path.stem.split("-")[-2]) for path in journals}
    return sorted(pid for pid in pids if "ray::" in _name_of(pid))


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def ray_environ() -> dict[str, str]:
    """For a cluster and those who work on it: with a secret of its own, and modules of the tests at hand."""
    here = Path(__file__).parent
    path = os.pathsep.join((str(here), str(here.parent)))
    own = {"PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid4().hex}
    return {**os.environ, **own}


@contextmanager
def ray_cluster(environ: dict[str, str], *, num_cpus: int = 3) -> Iterator[str]:
    """The address of a Ray cluster on this machine that lives as long as the block."""
    command = [sys.executable, str(Path(__file__).with_name("ray_driver.py")), "cluster", str(num_cpus)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the Ray cluster did not start")
        yield address
        process.stdin.close()
