"""kill -9, again and again, of the process of a run and of its workers on Ray, and what it cost.

    pip install "longtake[ray]" && python benchmarks/data_kills.py
    python benchmarks/data_kills.py --kills 100 --only longvt

Both recipes run on small videos against an endpoint in a process of its own that replies after a latency. Each run is
killed so many times, while calls are under way, and is compared with one that nothing disturbed: its exported files
byte by byte, the requests that the endpoint received, and the calls that ``longtake data verify`` lists as in doubt.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "datagen")]

from killing import (  # noqa: E402
    FORMS,
    Job,
    Outcome,
    ray_cluster,
    ray_environ,
    undisturbed,
    with_processes_killed,
    with_workers_killed,
    write_videos,
)

from endpoint import running_endpoint  # noqa: E402

SECONDS = {"longvideo-reason": 240, "longvt": 45}


def measured(recipe: str, folder: Path, *, kills: int, latency: float) -> Iterator[tuple[str, Outcome, Outcome]]:
    """What was killed, what came of it, and the undisturbed run."""
    videos = write_videos(folder / "films", 4, SECONDS[recipe])
    with running_endpoint(ledger=folder / "ledger.jsonl", latency_seconds=latency) as endpoint:
        job = Job(recipe, videos, endpoint)
        whole = undisturbed(job, folder / "whole")
        yield "nothing", whole, whole
        yield "the process", with_processes_killed(job, folder / "process", kills=kills, seed=1), whole
        environ = ray_environ()
        with ray_cluster(environ) as address:
            on_ray = replace(job, options=("--ray", address, "--workers", "2"), environ=environ)
            yield "Ray workers", with_workers_killed(on_ray, folder / "workers", kills=kills, seed=2), whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds until a reply")
    parser.add_argument("--only", choices=sorted(FORMS), help="one recipe")
    args = parser.parse_args()
    heads = ("recipe", "killed", "times", "requests", "lost", "again", "in doubt", "exports", "verify", "seconds")
    print(" | ".join(heads))
    print(" | ".join("---" for _ in heads))
    for recipe in [args.only] if args.only else sorted(FORMS):
        with tempfile.TemporaryDirectory() as folder:
            for what, found, whole in measured(recipe, Path(folder), kills=args.kills, latency=args.latency):
                row = (
                    recipe,
                    what,
                    found.kills,
                    found.requests.total(),
                    found.num_lost(whole),
                    found.num_again(whole),
                    found.num_in_doubt,
                    "identical" if found.exports == whole.exports else "DIFFER",
                    "ok" if not found.wrong else "; ".join(found.wrong),
                    f"{found.seconds:.1f}",
                )
                print(" | ".join(map(str, row)), flush=True)


if __name__ == "__main__":
    main()
