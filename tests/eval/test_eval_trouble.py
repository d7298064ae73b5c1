"""Evaluations in trouble: endpoints that fail, limits, refused keys, two at once, other settings, damaged files."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eval_killing import write_films, write_questions
from made_benchmark import RIGHT, ROWS, answers, play, settings, text_of, write_rows, write_videos

from endpoint import running_endpoint
from fake_openai import Fail, FakeOpenAI, Reset, Say
from longtake.errors import (
    ConfigError,
    ModelAuthError,
    ModelConnectionError,
    ModelError,
    ModelRequestError,
    ModelTimeoutError,
    SpendCapError,
    StoreError,
)
from longtake.eval.regrade import regrade
from longtake.eval.report.notes import notes
from longtake.eval.run import evaluate_async
from longtake.eval.settings import EvalSettings, read_eval_settings
from longtake.eval.worker import MAX_FAILED_IN_A_ROW
from longtake.ledger import read_lines
from longtake.models.journaled import Limits, paid
from longtake.models.scripted import Request
from longtake.store import locked
from longtake.types import Message, ModelOutput, Usage

QUICK = {"idle_seconds": 0.5, "timeout_seconds": 5}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("made") / "videos")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "made.jsonl", ROWS[:8])


@pytest.fixture
def endpoint() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as running:
        yield running


def many(path: Path, num: int) -> Path:
    return write_rows(path, [{**ROWS[0], "id": f"q{n}", "question": f"Question {n}?"} for n in range(num)])


def through(data: Path, videos: Path, url: str, **given: Any) -> EvalSettings:
    options = {**QUICK, **given.pop("model_options", {})}
    return settings(data, videos, model="openai:tiny", base_url=url, model_options=options, **given)


# ----------------------------------------------------------------------------------------- an endpoint that fails


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """40 questions whose answers the endpoint knows, but for every fifth."""
    folder = tmp_path_factory.mktemp("asked")
    return write_questions(folder / "questions.jsonl", 40), write_films(folder / "films")


async def test_nothing_that_went_wrong_is_scored_as_an_answer(asked: tuple[Path, Path], tmp_path: Path) -> None:
    data, films = asked
    out, starts = tmp_path / "run", list[dict[str, Any]]()
    with running_endpoint(ledger=tmp_path / "ledger", seed=6, failure_rate=0.4, stall_seconds=1.0) as failing:
        url = failing.base_url
        # few attempts, so that some questions fail for good and are left for the next start
        wanted = through(data, films, url, agent="crop", frames=2, max_turns=2, model_options={"max_attempts": 2})
        for _ in range(6):
            try:
                starts.append(await evaluate_async(wanted, out, limits=Limits(16)))
            except ModelError:
                continue
            if not starts[-1]["no_verdict"].get("transport"):
                break
        hows = failing.hows()
    assert sum(count for how, count in hows.items() if how != "ok") > 0.1 * sum(hows.values())
    metrics = starts[-1]
    assert "transport" not in metrics["no_verdict"]
    assert len(starts) > 1
    assert starts[0]["no_verdict"]["transport"] > 0
    rows = {row["id"]: row for row in map(json.loads, (out / "predictions.jsonl").read_text().splitlines())}
    assert len(rows) == 40
    for n, row in enumerate(rows.values()):
        value = row["scores"].get("lenient", {}).get("value")
        if row["cause"] is None:
            said = row["answer"] or ""
            assert "POISON" not in said
            assert value == (0.0 if n % 5 == 0 or not said else 1.0), row
        else:
            assert value is None
            assert row["cause"] in ("truncated", "refused")
    assert metrics["coverage"] == sum(row["cause"] is None for row in rows.values()) / 40
    bad = sum(count for how, count in hows.items() if how in ("refusal", "content_filter", "length", "unclosed_think"))
    assert set(metrics["no_verdict"]) == {"truncated", "refused"}
    assert bad >= sum(metrics["no_verdict"].values()) + metrics["unreadable"] - 4  # of four the answer is no option
    low, high = metrics["bounds"]["lenient"]
    assert low < high


async def test_no_reply_is_no_verdict_and_asked_again(videos: Path, tmp_path: Path, endpoint: FakeOpenAI) -> None:
    data, out = many(tmp_path / "d.jsonl", 6), tmp_path / "run"
    wanted = through(data, videos, endpoint.base_url, agent="blind", model_options={"max_attempts": 1})
    endpoint.will(Say("B"), Fail(500), Say("Error: Connection error."), Say("B"), Reset(), *[Say("B")] * 2)
    metrics: Any = await evaluate_async(wanted, out, limits=Limits(1))
    assert metrics["no_verdict"]["transport"] == 2
    assert metrics["coverage"] == 4 / 6
    assert metrics["accuracy"]["lenient"] == 1.0  # the error message was asked again, and is in no column
    endpoint.will(Say("B"), Say("C"))
    again: Any = await evaluate_async(wanted, out, limits=Limits(1))
    assert (again["no_verdict"], again["accuracy"]["lenient"]) == ({}, 5 / 6)


async def test_twenty_failures_in_a_row_end_the_run_with_what_is_kept(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def three_and_no_more(request: Request) -> str | Exception:
        return "B" if len(requests) <= 3 else ModelTimeoutError("nobody answers")

    requests = play(monkeypatch, agent=three_and_no_more)
    data, out = many(tmp_path / "d.jsonl", 60), tmp_path / "run"
    wanted = settings(data, videos, agent="blind", model="played:agent")
    with pytest.raises(ModelConnectionError, match=r"20 questions in a row got no reply.*run the same command again"):
        await evaluate_async(wanted, out, limits=Limits(2))
    assert len(requests) <= 3 + MAX_FAILED_IN_A_ROW + 2
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["n"] == 60
    assert metrics["coverage"] == 3 / 60
    assert set(metrics["no_verdict"]) == {"transport", "not run"}
    play(monkeypatch, agent=lambda request: "B")
    assert (await evaluate_async(wanted, out))["accuracy"] == {"strict": 1.0, "lenient": 1.0, "judge": None}


async def test_requests_that_are_too_long_do_not_end_a_run(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short_ones(request: Request) -> str | Exception:
        return "B" if "Question 39?" in text_of(request) else ModelRequestError("the prompt is too long")

    requests = play(monkeypatch, agent=short_ones)
    wanted = settings(many(tmp_path / "d.jsonl", 40), videos, agent="blind", model="played:agent")
    metrics: Any = await evaluate_async(wanted, tmp_path / "run", limits=Limits(1))
    assert metrics["no_verdict"] == {"request": 39}
    assert any("would not take the request" in note for note in notes(metrics))
    assert len(requests) == 40


async def test_an_endpoint_that_takes_no_request_is_told_at_the_end(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, agent=lambda request: ModelRequestError("no such parameter"))
    wanted = settings(many(tmp_path / "d.jsonl", 30), videos, agent="blind", model="played:agent")
    with pytest.raises(ModelRequestError, match=r"refused all 30 requests.*no such parameter"):
        await evaluate_async(wanted, tmp_path / "run", limits=Limits(1))
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["no_verdict"] == {"request": 30}


async def test_a_refused_key_ends_the_run_with_what_is_kept(videos: Path, tmp_path: Path, endpoint: FakeOpenAI) -> None:
    data, out = many(tmp_path / "d.jsonl", 30), tmp_path / "run"
    wanted = through(data, videos, endpoint.base_url, agent="blind")
    endpoint.will(*[Say("B")] * 5, *[Fail(401, {"error": {"message": "no credit"}})] * 20)
    with pytest.raises(ModelAuthError):
        await evaluate_async(wanted, out, limits=Limits(2))
    assert 6 <= len(endpoint.requests) <= 8
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["no_verdict"] == {"not run": 25}
    endpoint._acts.clear()
    endpoint.will(*[Say("B")] * 25)
    assert (await evaluate_async(wanted, out))["coverage"] == 1.0
    assert endpoint.refused == []


# ------------------------------------------------------------------------------------------------------- limits


async def test_no_more_calls_are_in_flight_than_allowed(videos: Path, tmp_path: Path, endpoint: FakeOpenAI) -> None:
    data = many(tmp_path / "d.jsonl", 24)
    endpoint.will(*[Say("B", seconds=0.03)] * 24)
    wanted = through(data, videos, endpoint.base_url, agent="blind")
    await evaluate_async(wanted, tmp_path / "run", limits=Limits(3))
    assert endpoint.max_in_flight == 3
    assert len(endpoint.requests) == 24


@pytest.mark.parametrize("by", ["cost", "tokens"])
async def test_a_spend_cap_stops_the_run_and_counts_what_was_spent_before(
    by: str, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(request: Request) -> ModelOutput:
        return ModelOutput(Message("assistant", ("B",)), "agent", usage=Usage(1, 90, 10, 0, 0.01))

    requests = play(monkeypatch, agent=said)
    data, out = many(tmp_path / "d.jsonl", 30), tmp_path / "run"
    wanted = settings(data, videos, agent="blind", model="played:agent")

    def capped(calls: int) -> Limits:
        return Limits(1, max_cost_usd=calls / 100) if by == "cost" else Limits(1, max_tokens=calls * 100)

    with pytest.raises(SpendCapError, match=r"raise --max-(cost|tokens)"):
        await evaluate_async(wanted, out, limits=capped(5))
    assert 5 <= len(requests) <= 6
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["no_verdict"] == {"not run": 30 - len(requests)}
    num = len(requests)
    with pytest.raises(SpendCapError):
        await evaluate_async(wanted, out, limits=capped(5))
    assert len(requests) == num
    with pytest.raises(SpendCapError):
        await evaluate_async(wanted, out, limits=capped(12))
    assert 12 <= len(requests) <= 13
    assert (await evaluate_async(wanted, out))["coverage"] == 1.0
    assert len(requests) == 30
    assert paid([out / "calls"]).input_tokens == 30 * 90


# ------------------------------------------------------------------------------------------------- one folder


async def test_two_runs_in_one_folder_are_refused(
    videos: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, right=answers(RIGHT))
    out = tmp_path / "run"
    wanted = settings(data, videos, agent="blind", model="played:right")
    await evaluate_async(wanted, out)
    with locked(out):
        with pytest.raises(StoreError, match="another run is at work"):
            await evaluate_async(wanted, out)
        with pytest.raises(StoreError, match="another run is at work"):
            await regrade(out)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"agent": "direct"}, "who"),
        ({"model": "played:other"}, "who"),
        ({"temperature": 0.5}, "temperature"),
        ({"seed": 1}, "seed"),
        ({"subtitles": False}, "words"),
    ],
)
async def test_other_settings_are_refused_unless_asked_for(
    change: dict[str, Any], said: str, videos: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = play(monkeypatch, right=answers(RIGHT), other=answers({}))
    out, given = tmp_path / "run", {"agent": "blind", "model": "played:right"}
    await evaluate_async(settings(data, videos, **given), out)
    other = settings(data, videos, **{**given, **change})
    with pytest.raises(ConfigError, match=rf"begun otherwise.*{said}.*--change"):
        await evaluate_async(other, out)
    assert len(requests) == 8
    metrics: Any = await evaluate_async(other, out, change=True)
    assert len(requests) == 16
    assert metrics["n"] == 8
    back: Any = await evaluate_async(settings(data, videos, **given), out, change=True)
    assert (len(requests), back["accuracy"]["lenient"]) == (16, 1.0)


async def test_a_folder_of_something_else_is_refused(
    videos: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = play(monkeypatch, right=answers(RIGHT))
    wanted, out = settings(data, videos, agent="blind", model="played:right"), tmp_path / "run"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds no evaluation"):
        await evaluate_async(wanted, out)
    (out / "thesis.txt").unlink()
    await evaluate_async(wanted, out)
    body = json.loads((out / "run.json").read_text())
    body["pinned"]["benchmark"] = "other"
    (out / "run.json").write_text(json.dumps(body))
    with pytest.raises(StoreError, match="changed by hand"):
        await evaluate_async(wanted, out)
    assert len(requests) == 8
    with pytest.raises(StoreError, match="no evaluation in"):
        await regrade(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("what", ["traces", "calls"])
async def test_a_damaged_line_costs_only_itself(
    what: str, videos: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = play(monkeypatch, right=answers(RIGHT))
    wanted, out = settings(data, videos, agent="blind", model="played:right"), tmp_path / "run"
    first = await evaluate_async(wanted, out)
    (path,) = (out / what).glob("*.jsonl")
    final = "ended" if what == "traces" else "said"
    number = next(n for n, line in enumerate(read_lines(path)) if line is not None and line["status"] == final)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b"answer", b"anSwer", 1)
    path.write_bytes(b"".join(lines))
    if what == "traces":
        metrics: Any = await regrade(out)
        assert metrics["no_verdict"] == {"not run": 1}
    assert await evaluate_async(wanted, out) == first or what == "traces"
    again: Any = await evaluate_async(wanted, out)
    assert (again["no_verdict"], again["accuracy"]) == ({}, first["accuracy"])
    assert len(requests) == 8  # an answer that is lost is made again of the replies


async def test_a_disk_that_is_full_ends_the_run(
    videos: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from longtake.ledger import Ledger

    play(monkeypatch, right=answers(RIGHT))
    wanted, out = settings(data, videos, agent="blind", model="played:right"), tmp_path / "run"
    append, num = Ledger.append, Counter[str]()

    def full(self: Ledger, key: str, status: str, fields: Any) -> None:
        num[status] += 1
        if num["said"] > 4:
            raise StoreError("cannot write the journal: No space left on device; make room and run again")
        append(self, key, status, fields)

    monkeypatch.setattr(Ledger, "append", full)
    with pytest.raises(StoreError, match="No space left"):
        await evaluate_async(wanted, out, limits=Limits(1))
    monkeypatch.setattr(Ledger, "append", append)
    assert (await evaluate_async(wanted, out))["coverage"] == 1.0


async def test_a_bad_row_is_told_and_the_rest_is_asked(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = play(monkeypatch, right=answers(RIGHT))
    odd = {**ROWS[0], "id": "lone", "question": "What is \ud83d?"}
    rows = [{**ROWS[0], "answer": "Z"}, {"id": "no question", "video": "ferry.mp4"}, ROWS[1], ROWS[1], odd]
    data = write_rows(tmp_path / "d.jsonl", rows)
    wanted = settings(data, videos, agent="blind", model="played:right")
    metrics: Any = await evaluate_async(wanted, tmp_path / "run")
    told = metrics["settings"]
    assert (told["num_rows"], told["num_malformed"], told["num_duplicates"]) == (5, 3, 1)
    assert metrics["n"] == len(requests) == 1
    assert "umbrella" in text_of(requests[0][1])
    with pytest.raises(ConfigError, match="no question of"):
        await evaluate_async(
            settings(write_rows(data, rows[:2]), videos, agent="blind", model="played:right"), tmp_path
        )


async def test_what_is_kept_holds_no_key(
    videos: Path, data: Path, tmp_path: Path, endpoint: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    await evaluate_async(through(data, videos, endpoint.base_url, agent="blind"), tmp_path / "run")
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert not [path for path in files if b"very-secret" in path.read_bytes()]


def test_settings_that_are_wrong_are_named() -> None:
    for values, said in (
        ({"agnet": "crop"}, "agnet"),
        ({"epochs": 0}, "epochs"),
        ({"min_coverage": 2}, "min_coverage"),
        ({"shard": "0/2"}, "like 2/4"),
        ({"judge": {"modle": "x"}}, "modle"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_eval_settings({"benchmark": "custom", **values})


async def test_a_stop_from_outside_leaves_a_folder_that_goes_on(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(request: Request) -> str:
        if len(requests) == 5:
            under_way.set()
        return "B"

    under_way, requests = asyncio.Event(), play(monkeypatch, right=say)
    data, out = many(tmp_path / "d.jsonl", 40), tmp_path / "run"
    wanted = settings(data, videos, agent="blind", model="played:right")
    running = asyncio.ensure_future(evaluate_async(wanted, out, limits=Limits(2)))
    await asyncio.wait_for(under_way.wait(), 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await evaluate_async(wanted, out))["coverage"] == 1.0
    assert len(requests) <= 42


async def test_replies_that_are_not_text_and_files_in_a_process_of_their_own(
    videos: Path, data: Path, tmp_path: Path, endpoint: FakeOpenAI
) -> None:
    endpoint.will(*[Say("half a letter: \ud83d <answer>B</answer>")] * 8)
    out = tmp_path / "run"
    metrics: Any = await evaluate_async(through(data, videos, endpoint.base_url, agent="direct", frames=2), out)
    assert metrics["no_verdict"] == {}
    assert metrics["accuracy"]["lenient"] == 2 / 8
    endpoint.will(*[Say("B")] * 8)
    isolated = through(data, videos, endpoint.base_url, agent="direct", frames=2, isolate=True)
    metrics = await evaluate_async(isolated, tmp_path / "isolated", limits=Limits(2))
    assert metrics["no_verdict"] == {}
    assert (metrics["accuracy"]["lenient"], metrics["usage"]["frames"]) == (2 / 8, 16)
    assert endpoint.refused == []
