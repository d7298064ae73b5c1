"""kill -9 of whatever works on an evaluation, at random and again: every question once, nothing paid twice."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from eval_killing import IN_FLIGHT, Job, Outcome, without_time, write_films, write_questions
from judges import JudgingEndpoint, Seen, verdict
from killing import ray_cluster, ray_environ

from endpoint import running_endpoint

NUM = 40


def letters_too(seen: Seen) -> str:
    """Honest; the known answer to a choice is shown as a letter and a text."""
    return verdict(seen.is_right or (bool(seen.options) and seen.target.startswith(f"{seen.answer}. ")))


class SlowJudge(JudgingEndpoint):
    """Its calls too are under way when a kill comes."""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.1)
        return await super()._answer(request)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, Outcome]]:
    """A run that nothing disturbed; what follows is asked of the same endpoints."""
    folder = tmp_path_factory.mktemp("kills")
    data, films = write_questions(folder / "questions.jsonl", NUM), write_films(folder / "films")
    judge = SlowJudge(letters_too)
    with running_endpoint(ledger=folder / "ledger.jsonl", latency_seconds=0.15) as endpoint, judge:
        job = Job(data, films, endpoint, judge)
        yield job, job.run(folder / "whole")
        assert judge.refused == []


def check(found: Outcome, expected: Outcome, *, kills: int, num_workers: int = 1) -> None:
    assert expected.num_in_doubt == expected.num_judged_in_doubt == 0
    assert len(expected.requests) == expected.requests.total() == 2 * NUM
    assert expected.metrics["coverage"] == 1.0
    assert expected.metrics["accuracy"]["judge"] == expected.metrics["accuracy"]["lenient"] == 0.8
    assert found.kills == kills
    assert [row["id"] for row in found.predictions] == [f"q{n}" for n in range(NUM)]
    assert found.predictions == expected.predictions
    assert without_time(found.metrics) == without_time(expected.metrics)
    assert found.requests.keys() == expected.requests.keys()
    again = (found.requests - expected.requests).total()
    assert 0 < again <= found.num_in_doubt <= kills * IN_FLIGHT * num_workers
    assert found.judged.keys() == expected.judged.keys()
    assert (found.judged - expected.judged).total() <= found.num_judged_in_doubt


def test_the_process_killed(whole: tuple[Job, Outcome], tmp_path: Path) -> None:
    job, expected = whole
    check(job.run(tmp_path / "out", kills=10, seed=1), expected, kills=10)


def test_workers_on_ray_killed(whole: tuple[Job, Outcome], tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs the ray extra")
    job, expected = whole
    environ = ray_environ()
    with ray_cluster(environ) as address:
        on_ray = replace(job, options=("--ray", address, "--workers", "2"), environ=environ)
        found = on_ray.run_with_workers_killed(tmp_path / "out", kills=3, seed=2)
        check(found, expected, kills=3, num_workers=2)
