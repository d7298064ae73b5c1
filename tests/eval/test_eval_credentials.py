"""Keys of endpoints: each is sent where it belongs, and none is in the files of an evaluation, which are given away."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from judges import JudgingEndpoint
from made_benchmark import settings, write_rows

from fake_openai import FakeOpenAI
from longtake.compute import Local
from longtake.errors import ConfigError
from longtake.eval.regrade import regrade
from longtake.eval.report.write import write_report
from longtake.eval.run import evaluate_async
from longtake.eval.settings import EvalSettings, JudgeSettings

QUICK = {"idle_seconds": 0.5, "timeout_seconds": 5}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "d.jsonl", [{"video": "v.mp4", "question": "Which tree?", "answer": "oak"}])


@pytest.fixture
def endpoint() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as running:
        yield running


@pytest.fixture
def judging() -> Iterator[JudgingEndpoint]:
    with JudgingEndpoint() as running:
        yield running


def with_secrets(url: str) -> str:
    return url.replace("://", "://user:pw123@") + "?api_key=qk999"


async def test_what_is_kept_holds_no_credentials(
    data: Path, tmp_path: Path, endpoint: FakeOpenAI, judging: JudgingEndpoint
) -> None:
    def asked(key: str) -> EvalSettings:
        options = {**QUICK, "extra": {"chat_template_kwargs": {"api_key": key}}}
        judge = {"model": "openai:tiny", "base_url": with_secrets(judging.base_url), "options": options}
        url = with_secrets(endpoint.base_url)
        return settings(
            data, tmp_path, agent="blind", model="openai:tiny", base_url=url, model_options=options, judge=judge
        )

    out = tmp_path / "run"
    metrics: Any = await evaluate_async(asked("xk777"), out)
    assert metrics["coverage"] == 1.0
    for server in (endpoint, judging):  # sent, and not kept
        assert server.requests[0]["chat_template_kwargs"] == {"api_key": "xk777"}
    num = len(endpoint.requests)
    assert await evaluate_async(asked("xk778"), out) == await regrade(out) == metrics  # another key: the same model
    assert len(endpoint.requests) == num
    await regrade(out, judge=JudgeSettings(**asked("xk779").judge.model_dump()))
    await asyncio.to_thread(write_report, [out], out)
    files = {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {"run.json", "metrics.json", "report.html", "report.md"} <= set(files)
    for secret in (b"pw123", b"qk999", b"xk77", base64.b64encode(b"user:pw123")):
        assert not [name for name, text in files.items() if secret in text], secret


class Elsewhere(Local):
    """Notes which variables workers are to get."""

    def __init__(self) -> None:
        self.variables = set[str]()

    async def map(
        self, make: Any, items: Sequence[Any], on_progress: Any, *, variables: Collection[str] = ()
    ) -> list[Any]:
        self.variables.update(variables)
        return await super().map(make, items, on_progress, variables=variables)


async def test_every_endpoint_gets_its_own_key(
    data: Path, tmp_path: Path, endpoint: FakeOpenAI, judging: JudgingEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "MY_KEY", "JUDGE_KEY"):
        monkeypatch.setenv(name, f"the-{name}")
    judge = {"model": "openai:tiny", "base_url": judging.base_url, "options": QUICK, "api_key_env": "JUDGE_KEY"}
    more = {"base_url": endpoint.base_url, "model_options": QUICK, "api_key_env": "MY_KEY"}
    asked = settings(data, tmp_path, agent="blind", model="openai:tiny", judge=judge, **more)
    compute = Elsewhere()
    await evaluate_async(asked, tmp_path / "run", compute=compute)
    assert compute.variables == {"MY_KEY", "JUDGE_KEY"}
    assert {headers["Authorization"] for headers in endpoint.headers} == {"Bearer the-MY_KEY"}
    assert {headers["Authorization"] for headers in judging.headers} == {"Bearer the-JUDGE_KEY"}
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(ConfigError, match="JUDGE_KEY holds no key"):
        await evaluate_async(asked, tmp_path / "run")
