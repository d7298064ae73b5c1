"""Judges that are down, slow, lie, chat or go wrong after a while: the run says so, and no score is invented."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judges import JudgingEndpoint, Seen, always_yes, honest, inverted, prose, verdict
from made_benchmark import ROWS, answers, play, settings, write_rows, write_videos

from fake_openai import Fail, Stall
from longtake.errors import JudgeError, ModelAuthError, ModelError, SpendCapError
from longtake.eval.folders import open_folders
from longtake.eval.regrade import metrics_of, regrade
from longtake.eval.run import evaluate_async
from longtake.eval.settings import EvalSettings, JudgeSettings
from longtake.eval.worker import EvalTally
from longtake.models.journaled import Limits
from longtake.scoring import judge as judging
from longtake.scoring.known_cases import KNOWN_CASES

NAMES = ("oak", "elm", "ash", "fir", "yew", "box", "bay", "fig", "gum", "ivy", "nut", "rue")
QUICK = {"max_attempts": 2, "timeout_seconds": 5, "idle_seconds": 0.3}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("made") / "videos")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve open questions; the agent is right about all but every fourth."""
    rows = [
        {"id": name, "video": "ferry.mp4", "question": f"Which tree is {name}?", "answer": name if n % 4 else "none"}
        for n, name in enumerate(NAMES)
    ]
    return write_rows(tmp_path / "open.jsonl", rows)


@pytest.fixture
def agent_calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    return play(monkeypatch, agent=answers({f"tree is {name}": name for name in NAMES}))


@pytest.fixture
def endpoint() -> Iterator[JudgingEndpoint]:
    with JudgingEndpoint() as running:
        yield running


def asked(data: Path, videos: Path, url: str, **options: Any) -> EvalSettings:
    judge = {"model": "openai:tiny", "base_url": url, "options": {**QUICK, **options}}
    return settings(data, videos, agent="blind", model="played:agent", judge=judge)


def about_answers(endpoint: JudgingEndpoint) -> Counter[str]:
    """Question -> how often the judge was asked about an answer to it; known cases apart."""
    seen = [Seen.of(body["messages"][0]["content"]) for body in endpoint.requests]
    return Counter(one.question for one in seen if one.question.startswith("Which tree"))


TOKENS = 120
"""Of one call of the judge."""


def is_asked(seen: Seen) -> bool:
    """Whether it is about an answer, not a known case."""
    return seen.question.startswith("Which tree")


# ------------------------------------------------------------------------------------------------- a good judge


async def test_a_good_judge_is_recorded_and_asked_once(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted, out = asked(data, videos, endpoint.base_url), tmp_path / "run"
    metrics: Any = await evaluate_async(wanted, out)
    assert metrics["headline"]["column"] == "judge"
    assert metrics["headline"]["value"] == metrics["accuracy"]["judge"] == 9 / 12
    assert metrics["agreement"]["judge_strict"]["agree"] == 1.0
    told = metrics["settings"]["judge"]
    assert (told["name"], told["probes"][:2]) == ("tiny", [len(KNOWN_CASES)] * 2)
    assert len(told["prompt"]) == 16
    assert set(about_answers(endpoint).values()) == {1}
    assert await evaluate_async(wanted, out) == metrics
    ((_, opened),) = await asyncio.to_thread(open_folders, [out])
    assert metrics_of(opened) == metrics
    assert sum(about_answers(endpoint).values()) == 12
    assert endpoint.refused == []


async def test_the_same_answer_is_judged_once_however_often_it_comes(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted = asked(data, videos, endpoint.base_url).model_copy(update={"epochs": 3})
    metrics: Any = await evaluate_async(wanted, tmp_path / "run")
    assert (metrics["n"], len(agent_calls), metrics["accuracy"]["judge"]) == (36, 36, 27 / 36)
    assert set(about_answers(endpoint).values()) == {1}


async def test_what_could_not_be_read_is_wrong_for_the_judge_too(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, agent=lambda request: "")
    metrics: Any = await evaluate_async(asked(data, videos, endpoint.base_url), tmp_path / "run")
    assert (metrics["accuracy"]["judge"], metrics["unreadable"], metrics["no_verdict"]) == (0.0, 12, {})
    assert not about_answers(endpoint)


# ---------------------------------------------------------------------------------------- judges that are no use


@pytest.mark.parametrize(
    ("says", "said"),
    [(inverted, "cannot be trusted"), (always_yes, "cannot be trusted"), (prose, "gave no verdict")],
    ids=["inverted", "always yes", "prose"],
)
async def test_a_judge_that_fails_known_cases_is_not_begun_with(
    says: Any, said: str, endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    endpoint.says = says
    with pytest.raises(JudgeError, match=said):
        await evaluate_async(asked(data, videos, endpoint.base_url), tmp_path / "run")
    assert agent_calls == []  # nothing was spent
    assert not (tmp_path / "run" / "metrics.json").exists()


async def test_a_judge_that_is_down_is_said_before_anything_is_spent(
    data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        with pytest.raises((JudgeError, ModelError)):
            await evaluate_async(asked(data, videos, url), tmp_path / "run")
    assert agent_calls == []


async def test_a_judge_that_goes_down_leaves_no_verdict_and_is_asked_again(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted, out = asked(data, videos, endpoint.base_url), tmp_path / "run"
    broken = {"is": False}

    def until_it_breaks(seen: Seen) -> str:
        if seen.question.startswith("Which tree") and not broken["is"]:
            broken["is"] = True
            endpoint.will(*[Fail(503)] * 100)
        return honest(seen)

    endpoint.says = until_it_breaks
    metrics: Any = await evaluate_async(wanted, out)
    assert metrics["no_verdict"] == {"judge": 11}
    assert metrics["headline"]["value"] is None
    assert metrics["accuracy"]["lenient"] == 9 / 12  # the other columns stand
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    why = Counter(row["scores"]["judge"]["error"] is not None for row in rows)
    assert why == {True: 11, False: 1}
    endpoint._acts.clear()
    again: Any = await evaluate_async(wanted, out)
    assert (again["no_verdict"], again["accuracy"]["judge"]) == ({}, 9 / 12)
    assert len(agent_calls) == 12


async def test_a_judge_that_is_gone_is_not_asked_for_every_question(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted, out = asked(data, videos, endpoint.base_url, max_attempts=1), tmp_path / "run"
    wanted = wanted.model_copy(update={"judge": wanted.judge.model_copy(update={"in_flight": 1})})
    endpoint.says = lambda seen: endpoint.will(*[Fail(503)] * 100) or honest(seen) if is_asked(seen) else honest(seen)
    tallies = list[EvalTally]()
    metrics: Any = await evaluate_async(wanted, out, on_tally=lambda tally, total: tallies.append(tally))
    assert (metrics["no_verdict"], len(agent_calls)) == ({"judge": 11}, 12)
    assert "5 times in a row" in (tallies[-1].judge_failure or "")
    assert len(endpoint.requests) == len(KNOWN_CASES) + 1 + 5
    endpoint._acts.clear()
    endpoint.says = honest
    again: Any = await evaluate_async(wanted, out)  # it was away, not wrong
    assert (again["no_verdict"], again["accuracy"]["judge"]) == ({}, 9 / 12)


async def test_a_judge_that_is_gone_while_grading_again_is_not_asked_for_every_answer(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    out = tmp_path / "run"
    await evaluate_async(settings(data, videos, agent="blind", model="played:agent"), out)
    endpoint.says = lambda seen: endpoint.will(*[Fail(503)] * 100) or honest(seen) if is_asked(seen) else honest(seen)
    judge = asked(data, videos, endpoint.base_url, max_attempts=1).judge.model_copy(update={"in_flight": 1})
    metrics: Any = await regrade(out, judge=judge)
    assert metrics["no_verdict"] == {"judge": 11}
    assert len(endpoint.requests) == len(KNOWN_CASES) + 1 + 5
    told = [
        json.loads(line)["scores"]["judge"]["error"] for line in (out / "predictions.jsonl").read_text().splitlines()
    ]
    assert sum("5 times in a row" in (error or "") for error in told) == 6


async def test_an_answer_that_is_too_long_for_the_judge_does_not_keep_it_from_the_others(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted = asked(data, videos, endpoint.base_url)
    wanted = wanted.model_copy(update={"judge": wanted.judge.model_copy(update={"in_flight": 1})})
    too_long = Fail(400, {"error": {"message": "this is longer than the context"}})

    def first_short(seen: Seen) -> str:
        if seen.question == "Which tree is oak?":
            endpoint.will(*[too_long] * 8)
        return honest(seen)

    endpoint.says = first_short
    metrics: Any = await evaluate_async(wanted, tmp_path / "run", limits=Limits(1))
    assert metrics["no_verdict"] == {"judge": 8}


async def test_agents_do_not_wait_for_a_slow_judge(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted = asked(data, videos, endpoint.base_url)
    wanted = wanted.model_copy(update={"judge": wanted.judge.model_copy(update={"in_flight": 1})})
    answered = list[int]()
    endpoint.says = lambda seen: (answered.append(len(agent_calls)), time.sleep(0.1))[0] or honest(seen)
    await evaluate_async(wanted, tmp_path / "run", limits=Limits(1))
    assert answered[len(KNOWN_CASES) + 4] == 12  # all answers were there long before all were judged


async def test_a_slow_judge_gives_no_verdict(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted = asked(data, videos, endpoint.base_url, max_attempts=1).model_copy(update={"limit": 3})
    judge = wanted.judge.model_copy(update={"in_flight": 1})

    def then_slow(seen: Seen) -> str:
        if seen.question == "Which tree is elm?":
            endpoint.will(*[Stall(0.6)] * 10)
        return honest(seen)

    endpoint.says = then_slow
    metrics: Any = await evaluate_async(wanted.model_copy(update={"judge": judge}), tmp_path / "run")
    assert set(metrics["no_verdict"]) == {"judge"}
    assert metrics["accuracy"]["lenient"] == 2 / 3


async def test_prose_about_one_answer_is_no_verdict_and_not_a_zero(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    endpoint.says = lambda seen: prose(seen) if "ivy" in seen.question else honest(seen)
    metrics: Any = await evaluate_async(asked(data, videos, endpoint.base_url), tmp_path / "run")
    assert metrics["no_verdict"] == {"judge": 1}
    assert about_answers(endpoint)["Which tree is ivy?"] == 3
    assert metrics["accuracy"]["judge"] == 8 / 11
    assert metrics["bounds"]["judge"] == [8 / 12, 9 / 12]
    assert metrics["num_not_judged"] == 1


@pytest.mark.parametrize("again", ["run", "regrade"])
async def test_what_was_no_verdict_is_asked_again_and_other_verdicts_are_not(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any], again: str
) -> None:
    wanted, out = asked(data, videos, endpoint.base_url), tmp_path / "run"
    endpoint.says = lambda seen: prose(seen) if "ivy" in seen.question else honest(seen)
    await evaluate_async(wanted, out)
    endpoint.says = honest
    metrics: Any = await (evaluate_async(wanted, out) if again == "run" else regrade(out, judge=wanted.judge))
    assert (metrics["accuracy"]["judge"], metrics["num_not_judged"]) == (9 / 12, 0)
    assert about_answers(endpoint) == Counter({f"Which tree is {name}?": 4 if name == "ivy" else 1 for name in NAMES})
    assert len(agent_calls) == 12
    assert (await regrade(out))["accuracy"]["judge"] == 9 / 12


async def test_a_refused_key_of_the_judge_ends_the_run_and_keeps_what_is_there(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    def until_refused(seen: Seen) -> str:
        if seen.question.startswith("Which tree"):
            endpoint.will(*[Fail(401)] * 50)
        return honest(seen)

    endpoint.says = until_refused
    with pytest.raises(ModelAuthError):
        await evaluate_async(asked(data, videos, endpoint.base_url), tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["n"] == 12
    assert metrics["headline"]["value"] is None


# ------------------------------------------------------------------------------------------- what judging costs


async def test_known_cases_are_asked_only_when_something_is_left_to_judge(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted, out = asked(data, videos, endpoint.base_url), tmp_path / "run"
    first: Any = await evaluate_async(wanted, out)
    num = len(endpoint.requests)
    assert num == len(KNOWN_CASES) + 12
    assert first["judge_usage"] == {**first["judge_usage"], "calls": num, "input_tokens": 100 * num}
    assert await evaluate_async(wanted, out) == first
    again: Any = await regrade(out, judge=wanted.judge)
    assert (again["accuracy"], again["settings"]["judge"]) == (first["accuracy"], first["settings"]["judge"])
    assert len(endpoint.requests) == num
    more = wanted.model_copy(update={"epochs": 2})
    metrics: Any = await evaluate_async(more, out)
    assert metrics["judge_usage"]["calls"] == len(endpoint.requests) == num + len(KNOWN_CASES)


async def test_the_cap_counts_judging_and_comes_before_known_cases(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted, out = asked(data, videos, endpoint.base_url), tmp_path / "run"
    wanted = wanted.model_copy(update={"judge": wanted.judge.model_copy(update={"in_flight": 1})})
    cap = len(KNOWN_CASES) * TOKENS + 6 * TOKENS
    with pytest.raises(SpendCapError, match="raise --max-tokens"):
        await evaluate_async(wanted, out, limits=Limits(1, max_tokens=cap))
    num = len(endpoint.requests)
    assert len(KNOWN_CASES) < num < len(KNOWN_CASES) + 12
    assert len(agent_calls) < 12
    assert TOKENS * num + 110 * len(agent_calls) < cap + 2 * TOKENS
    num_answered = len(agent_calls)
    with pytest.raises(SpendCapError, match="raise --max-tokens"):
        await evaluate_async(wanted, out, limits=Limits(1, max_tokens=100))
    assert (len(endpoint.requests), len(agent_calls)) == (num, num_answered)


async def test_canaries_are_counted_too(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any], canaries: None
) -> None:
    metrics: Any = await evaluate_async(asked(data, videos, endpoint.base_url), tmp_path / "run")
    assert metrics["judge_usage"]["calls"] == len(endpoint.requests) > len(KNOWN_CASES) + 12


async def test_grading_again_keeps_to_limits(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted, out = asked(data, videos, endpoint.base_url), tmp_path / "run"
    await evaluate_async(settings(data, videos, agent="blind", model="played:agent"), out)
    agent_tokens = 12 * 110
    with pytest.raises(SpendCapError):
        await regrade(out, judge=wanted.judge, limits=Limits(max_tokens=agent_tokens))
    assert not endpoint.requests
    cap = agent_tokens + (len(KNOWN_CASES) + 5) * TOKENS
    with pytest.raises(SpendCapError):
        await regrade(out, judge=wanted.judge, limits=Limits(2, max_tokens=cap))
    num = len(endpoint.requests)
    assert len(KNOWN_CASES) + 5 <= num <= len(KNOWN_CASES) + 6  # two at once
    metrics: Any = await regrade(out, judge=wanted.judge)
    assert metrics["accuracy"]["judge"] == 9 / 12
    assert set(about_answers(endpoint).values()) == {1}


# -------------------------------------------------------------------------------------------- wrong after a while


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary after every third reply."""
    asked_for = judging.Judge.__init__

    def often(self: judging.Judge, model: Any, **given: Any) -> None:
        asked_for(self, model, **{**given, "canary_every": 3})

    monkeypatch.setattr(judging.Judge, "__init__", often)


def gone_wrong(after: int) -> Any:
    """Honest, until it was asked about so many answers; then it says yes to everything."""
    count = {"answers": 0}

    def say(seen: Seen) -> str:
        count["answers"] += seen.question.startswith("Which tree")
        return honest(seen) if count["answers"] <= after else verdict(not seen.is_right)

    return say


@pytest.mark.usefixtures("canaries")
async def test_a_judge_that_fails_a_canary_is_not_believed_also_for_what_it_said_before(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    endpoint.says = gone_wrong(after=4)
    wanted, out = asked(data, videos, endpoint.base_url), tmp_path / "run"
    judge = wanted.judge.model_copy(update={"in_flight": 1})
    wanted = wanted.model_copy(update={"judge": judge})
    metrics: Any = await evaluate_async(wanted, out)
    assert metrics["accuracy"]["judge"] is None
    assert metrics["no_verdict"] == {"judge": 12}
    assert metrics["headline"]["value"] is None
    row = json.loads((out / "predictions.jsonl").read_text().splitlines()[0])
    assert "wrong about known cases during the run" in row["scores"]["judge"]["error"]
    num = len(agent_calls)
    endpoint.says = honest
    with pytest.raises(JudgeError, match="this folder remembers it"):
        await evaluate_async(wanted, out)
    with pytest.raises(JudgeError, match="this folder remembers it"):
        await regrade(out, judge=wanted.judge)
    assert json.loads((out / "metrics.json").read_text())["accuracy"]["judge"] is None
    with JudgingEndpoint(models=("other",)) as better:
        other = JudgeSettings(model="openai:other", base_url=better.base_url, options=QUICK)
        mended: Any = await regrade(out, judge=other)
        assert (mended["accuracy"]["judge"], mended["settings"]["judge"]["name"]) == (9 / 12, "other")
        num_asked = len(better.requests)
        ((_, opened),) = await asyncio.to_thread(open_folders, [out])
        assert metrics_of(opened) == mended
        assert len(better.requests) == num_asked
    assert len(agent_calls) == num == 12


@pytest.mark.usefixtures("canaries")
async def test_a_judge_that_goes_wrong_while_grading_again_is_not_believed_either(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    wanted, out = settings(data, videos, agent="blind", model="played:agent"), tmp_path / "run"
    await evaluate_async(wanted, out)
    endpoint.says = gone_wrong(after=4)
    judge = JudgeSettings(model="openai:tiny", base_url=endpoint.base_url, options=QUICK, in_flight=1)
    metrics: Any = await regrade(out, judge=judge)
    assert metrics["accuracy"]["judge"] is None
    ((_, opened),) = await asyncio.to_thread(open_folders, [out])
    assert metrics_of(opened) == metrics


async def test_reading_a_folder_writes_nothing(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    out = tmp_path / "run"
    endpoint.says = lambda seen: prose(seen) if "ivy" in seen.question else honest(seen)
    await evaluate_async(asked(data, videos, endpoint.base_url), out)
    for path in (out / "judge").glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[: len(lines) // 2]))
    before = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    ((_, opened),) = await asyncio.to_thread(open_folders, [out])
    assert {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()} == before
    missing = [one for one in opened.graded if "not judged yet" in (one.scores["judge"].error or "")]
    assert 0 < len(missing) < 12


async def test_spans_are_not_put_to_a_judge(
    endpoint: JudgingEndpoint, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, agent=lambda request: "<answer>2 - 4 s</answer>")
    data = write_rows(tmp_path / "span.jsonl", [ROWS[5]])
    metrics: Any = await evaluate_async(asked(data, videos, endpoint.base_url), tmp_path / "run")
    assert metrics["accuracy"]["lenient"] == 1.0
    assert metrics["headline"]["column"] == "lenient"
    assert len(endpoint.requests) == len(KNOWN_CASES)


async def test_a_judge_may_come_later(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    out = tmp_path / "run"
    first: Any = await evaluate_async(settings(data, videos, agent="blind", model="played:agent"), out)
    assert (first["headline"]["column"], first["accuracy"]["judge"]) == ("lenient", None)
    metrics: Any = await evaluate_async(asked(data, videos, endpoint.base_url), out)
    assert (metrics["headline"]["column"], metrics["accuracy"]["judge"]) == ("judge", 9 / 12)
    assert len(agent_calls) == 12


async def test_a_key_refused_while_grading_again_loses_no_verdict(
    endpoint: JudgingEndpoint, data: Path, videos: Path, tmp_path: Path, agent_calls: list[Any]
) -> None:
    out = tmp_path / "run"
    await evaluate_async(settings(data, videos, agent="blind", model="played:agent"), out)
    judge = JudgeSettings(model="openai:tiny", base_url=endpoint.base_url, options=QUICK, in_flight=2)

    def until_refused(seen: Seen) -> str:
        if seen.question == "Which tree is fir?":
            endpoint.will(*[Fail(401)] * 50)
        return honest(seen)

    endpoint.says = until_refused
    with pytest.raises(ModelAuthError):
        await regrade(out, judge=judge)
    num = len(endpoint.requests)
    endpoint._acts.clear()
    endpoint.says = honest
    metrics: Any = await regrade(out, judge=judge)
    assert metrics["accuracy"]["judge"] == 9 / 12
    again = [count for count in about_answers(endpoint).values() if count > 1]
    assert len(again) <= 2  # those that were refused
    assert num <= len(KNOWN_CASES) + 6
