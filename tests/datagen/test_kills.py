"""kill -9 of whatever works on a run, at random and again: nothing lost, nothing twice, the same files at the end."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from killing import (
    IN_FLIGHT,
    Job,
    Outcome,
    ray_cluster,
    ray_environ,
    undisturbed,
    with_processes_killed,
    with_workers_killed,
    write_videos,
)

from endpoint import running_endpoint

KILLS = 6


@pytest.fixture(scope="module", params=["longvideo-reason", "longvt"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, Outcome]]:
    """A run that nothing disturbed; what follows is asked of the same endpoint."""
    folder = tmp_path_factory.mktemp("kills")
    seconds = {"longvideo-reason": 90, "longvt": 25}[request.param]
    videos = write_videos(folder / "films", 3, seconds)
    with running_endpoint(ledger=folder / "ledger.jsonl", latency_seconds=0.2) as endpoint:
        job = Job(request.param, videos, endpoint)
        yield job, undisturbed(job, folder / "whole")


def check(found: Outcome, expected: Outcome, *, num_workers: int = 1) -> None:
    assert all(expected.exports.values())
    assert found.kills == KILLS
    assert found.wrong == []
    assert found.exports == expected.exports
    assert found.num_lost(expected) == 0
    assert found.requests.keys() == expected.requests.keys()
    assert 0 < found.num_again(expected) <= found.num_in_doubt <= KILLS * IN_FLIGHT * 3
    assert expected.num_in_doubt == 0


def test_the_process_killed(whole: tuple[Job, Outcome], tmp_path: Path) -> None:
    job, expected = whole
    check(with_processes_killed(job, tmp_path / "out", kills=KILLS, seed=1), expected)


def test_workers_on_ray_killed(whole: tuple[Job, Outcome], tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs the ray extra")
    job, expected = whole
    environ = ray_environ()
    with ray_cluster(environ) as address:
        on_ray = replace(job, options=("--ray", address, "--workers", "2"), environ=environ)
        check(with_workers_killed(on_ray, tmp_path / "out", kills=KILLS, seed=2), expected)
