"""Runs of the benchmark that the tests make: exact numbers, causes, what is done once, parts that make the whole."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from made_benchmark import RIGHT, ROWS, answers, play, settings, text_of, write_rows, write_videos

from fake_openai import FakeOpenAI, Say
from longtake.errors import ConfigError
from longtake.eval.folders import compare_folders, open_folders
from longtake.eval.regrade import metrics_of, regrade
from longtake.eval.run import corrected, evaluate_async
from longtake.eval.settings import EvalSettings
from longtake.models.journaled import Limits
from longtake.models.scripted import Request
from longtake.types import Message, ModelOutput

HALF = dict(list(RIGHT.items())[::2])
"""Right for when, keeper, pies, key, and what has no verdict; "nobody knows" for the others."""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("made") / "videos")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "made.jsonl")


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Request]]:
    return play(monkeypatch, right=answers(RIGHT), half=answers(HALF))


def predictions(out: Path) -> dict[tuple[str, int], dict[str, Any]]:
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    return {(row["id"], row["epoch"]): row for row in rows}


def values(out: Path, column: str = "lenient") -> dict[str, float | None]:
    return {id_: row["scores"].get(column, {}).get("value") for (id_, _), row in predictions(out).items()}


async def measured(wanted: EvalSettings, out: Path, **given: Any) -> dict[str, Any]:
    metrics: Any = await evaluate_async(wanted, out, **given)
    assert json.loads((out / "metrics.json").read_text()) == metrics
    return metrics


# ------------------------------------------------------------------------------------------------ exact numbers


async def test_a_run_has_exact_numbers_with_what_they_are_worth(videos: Path, data: Path, tmp_path: Path) -> None:
    metrics = await measured(settings(data, videos, agent="direct", model="played:half"), tmp_path / "run")
    assert (metrics["n"], metrics["num_questions"], metrics["num_videos"]) == (11, 11, 5)
    assert metrics["no_verdict"] == {"video": 2, "gold": 1}
    assert metrics["coverage"] == 8 / 11
    assert metrics["accuracy"] == {"strict": 4 / 7, "lenient": 4 / 8, "judge": None}  # a span has no strict column
    low, high = metrics["interval"]["lenient"]
    assert 0 <= low < 0.5 < high <= 1
    assert metrics["bounds"]["lenient"] == [4 / 11, 7 / 11]
    assert metrics["unreadable"] == 4  # three options and a span were not there
    assert metrics["headline"]["value"] is None
    assert "coverage 72.73 % is below 98 %" in metrics["headline"]["why"]
    detail = metrics["strata"]["type"]["detail"]
    assert (detail["n"], detail["coverage"], detail["accuracy"]["lenient"]) == (6, 4 / 6, 1 / 4)
    assert metrics["usage"]["calls"] == 9
    assert metrics["usage"]["cost_usd"] == pytest.approx(0.009)
    assert values(tmp_path / "run") == {
        **dict.fromkeys(("when", "keeper", "pies", "key"), 1.0),
        **dict.fromkeys(("colour", "escaped", "parrot", "walk"), 0.0),
        **dict.fromkeys(("secret", "missing", "broken")),
    }
    found = predictions(tmp_path / "run")
    assert {id_: row["cause"] for (id_, _), row in found.items() if row["cause"]} == {
        "secret": "gold", "missing": "video", "broken": "video",
    }  # fmt: skip
    assert "missing.mp4" in found["missing", 0]["error"]
    assert "cannot be" in found["broken", 0]["error"]
    assert found["secret", 0]["answer"] == "a hymn"  # kept, for a benchmark whose answers are not public


@pytest.mark.parametrize(
    ("agent", "model", "right", "causes", "num_calls"),
    [
        ("direct", "played:right", 8, {"video": 2, "gold": 1}, 9),
        ("think", "played:right", 8, {"video": 2, "gold": 1}, 9),
        ("crop", "played:right", 8, {"video": 2, "gold": 1}, 9),
        ("tool", "played:right", 8, {"video": 2, "gold": 1}, 9),
        ("uniform", "played:half", 4, {"video": 2, "gold": 1}, 9),
        ("blind", "played:right", 10, {"gold": 1}, 11),
        ("constant", "reader", 6, {"gold": 1}, 0),
        ("oracle-crop", "played:right", 8, {"gold": 3}, 8),
        ("reader", "reader", 4, {"video": 2, "abstained": 2, "gold": 1}, 0),
    ],
)
async def test_agents_and_baselines(
    agent: str, model: str, right: int, causes: dict[str, int], num_calls: int, videos: Path, data: Path,
    tmp_path: Path, requests: list[tuple[str, Request]],
) -> None:  # fmt: skip
    metrics = await measured(settings(data, videos, agent=agent, model=model, min_coverage=0.5), tmp_path / "run")
    num_verdicts = 11 - sum(causes.values())
    assert metrics["no_verdict"] == causes
    assert metrics["headline"]["value"] == metrics["accuracy"]["lenient"] == right / num_verdicts
    assert metrics["headline"]["interval"] is not None
    assert len(requests) == num_calls
    gold = {"constant": "the most frequent answer", "oracle-crop": "the spans where the answer is"}
    assert metrics["settings"]["gold_given"] == gold.get(agent, "")


async def test_what_agents_see(videos: Path, data: Path, tmp_path: Path, requests: list[tuple[str, Request]]) -> None:
    def looks() -> dict[str, tuple[int, str]]:
        """Question -> frames and words of its first request."""
        found = {row["question"]: (0, "") for row in ROWS}
        for question in found:
            for _, request in requests:
                if question in text_of(request):
                    found[question] = (sum(message.num_frames for message in request.messages), text_of(request))
        requests.clear()
        return found

    asked = {row["id"]: row["question"] for row in ROWS}
    wanted = settings(data, videos, agent="blind", model="played:right")
    await evaluate_async(wanted, tmp_path / "blind")
    assert all(frames == 0 and "ferry to Lisbon leaves" not in text for frames, text in looks().values())
    await evaluate_async(settings(data, videos, agent="uniform", model="played:right", frames=10), tmp_path / "uniform")
    seen = looks()
    assert seen[asked["when"]][0] == seen[asked["walk"]][0] == 10
    assert "half past six" not in seen[asked["keeper"]][1]
    await evaluate_async(settings(data, videos, agent="oracle-crop", model="played:right"), tmp_path / "oracle")
    seen = looks()
    assert "ferry to Lisbon leaves" in seen[asked["when"]][1]
    assert "umbrella was lost" not in seen[asked["when"]][1]
    await evaluate_async(
        settings(data, videos, agent="direct", model="played:right", subtitles=False), tmp_path / "wordless"
    )
    assert "half past six." not in looks()[asked["keeper"]][1]


# -------------------------------------------------------------------------------------------- once, and in parts


async def test_a_run_given_again_does_nothing(
    videos: Path, data: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    wanted, out = settings(data, videos, agent="crop", model="played:half"), tmp_path / "run"
    first = await measured(wanted, out)
    lines = num_lines(out)
    assert len(requests) == 9
    assert await measured(wanted, out) == first
    assert len(requests) == 9
    assert {name: count for name, count in num_lines(out).items() if name != "traces"} == {
        name: count for name, count in lines.items() if name != "traces"
    }
    assert num_lines(out)["traces"] == lines["traces"] + 2  # the two videos were looked for again


def num_lines(out: Path) -> Counter[str]:
    return Counter(path.parent.name for path in out.glob("*/*.jsonl") for _ in path.read_text().splitlines())


async def test_what_failed_is_tried_again_and_what_comes_back_counts(
    videos: Path, data: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    mine = tmp_path / "videos"
    mine.mkdir()
    for name in ("ferry.mp4", "ferry.srt", "harbour.mp4", "harbour.srt"):
        (mine / name).symlink_to(videos / name)
    shutil.copytree(videos / "walk", mine / "walk")
    wanted, out = settings(data, mine, agent="direct", model="played:right"), tmp_path / "run"
    first = await measured(wanted, out)
    assert first["no_verdict"] == {"video": 2, "gold": 1}
    (mine / "missing.mp4").symlink_to(videos / "ferry.mp4")
    (mine / "harbour.mp4").unlink()
    second = await measured(wanted, out)
    assert second["no_verdict"] == {"video": 5, "gold": 1}  # four on the harbour and the broken one
    assert len(requests) == 10
    (mine / "harbour.mp4").symlink_to(videos / "harbour.mp4")
    third = await measured(wanted, out)
    assert third["no_verdict"] == {"video": 1, "gold": 1}
    assert third["accuracy"]["lenient"] == 1.0
    assert len(requests) == 10


async def test_a_limit_is_raised_and_only_the_new_is_asked(
    videos: Path, data: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    wanted, out = settings(data, videos, agent="blind", model="played:right", limit=3), tmp_path / "run"
    assert (await measured(wanted, out))["n"] == 3
    assert len(requests) == 3
    more = await measured(wanted.model_copy(update={"limit": 7}), out)
    assert (more["n"], len(requests)) == (7, 7)
    less = await measured(wanted, out)
    assert (less["n"], len(requests)) == (3, 7)


async def test_shards_put_together_are_the_whole(videos: Path, data: Path, tmp_path: Path) -> None:
    wanted = settings(data, videos, agent="crop", model="played:half")
    whole = await measured(wanted, tmp_path / "whole")
    parts = [tmp_path / f"part{n}" for n in (1, 2, 3)]
    for n, part in enumerate(parts, 1):
        metrics = await measured(wanted.model_copy(update={"shard": f"{n}/3"}), part)
        assert 0 < metrics["n"] < 11
    ((name, joined),) = await asyncio.to_thread(open_folders, parts)
    assert name == "part1+part2+part3"
    told: Any = metrics_of(joined)
    same = ("n", "num_videos", "coverage", "no_verdict", "unreadable", "accuracy", "interval", "bounds", "strata",
            "headline", "measures", "localisation", "agreement")  # fmt: skip
    assert {key: told[key] for key in same} == {key: whole[key] for key in same}
    assert told["usage"]["calls"] == whole["usage"]["calls"]
    with pytest.raises(ConfigError, match="give each shard once"):
        await asyncio.to_thread(open_folders, [parts[0], parts[0]])
    nothing = await evaluate_async(wanted.model_copy(update={"shard": "6/6"}), tmp_path / "none")
    assert nothing["n"] == 0  # a job over more shards than there are videos
    assert len(await asyncio.to_thread(open_folders, [*parts, tmp_path / "none"])) == 1
    with pytest.raises(ConfigError, match="like 2/4"):
        settings(data, videos, shard="4/3")


async def test_epochs_ask_again_with_another_seed_and_are_no_new_videos(
    videos: Path, data: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    wanted = settings(data, videos, agent="direct", model="played:half", epochs=3, seed=7, limit=3)
    metrics = await measured(wanted, tmp_path / "run")
    assert (metrics["n"], metrics["num_questions"], metrics["num_videos"], metrics["num_epochs"]) == (9, 3, 1, 3)
    assert Counter(request.config.seed for _, request in requests) == {7: 3, 8: 3, 9: 3}
    assert metrics["accuracy"]["lenient"] == 6 / 9
    assert metrics["interval"]["lenient"] is None  # nothing can be said from one video
    unseeded = settings(data, videos, agent="direct", model="played:half", epochs=2, limit=1)
    requests.clear()
    await evaluate_async(unseeded, tmp_path / "unseeded")
    assert len(requests) == 2


@pytest.mark.parametrize("in_flight", [1, 8])
async def test_rows_that_ask_the_same_each_have_their_own_result(
    in_flight: int, videos: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    twins = [{**ROWS[0], "id": "one"}, {**ROWS[0], "id": "two", "answer": "C"}]
    data = write_rows(tmp_path / "twins.jsonl", twins)
    out = tmp_path / "run"
    metrics = await measured(
        settings(data, videos, agent="direct", model="played:right"), out, limits=Limits(in_flight)
    )
    assert metrics["no_verdict"] == {}
    assert values(out) == {"one": 1.0, "two": 0.0}
    assert len(requests) == 1  # the same request is not paid twice


# ------------------------------------------------------------------------------------------ grading again, comparing


async def test_corrected_gold_is_graded_without_a_model_and_stays(
    videos: Path, data: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    wanted, out = settings(data, videos, agent="direct", model="played:half", min_coverage=0.5), tmp_path / "run"
    await measured(wanted, out)
    other = await measured(wanted.model_copy(update={"limit": 11}), tmp_path / "other")
    requests.clear()
    rows = [{**row} for row in ROWS]
    rows[2]["answer"], rows[6]["answer"], rows[8]["answer"] = "Finnish", "nobody knows", "a hymn"
    better = write_rows(tmp_path / "better.jsonl", rows)
    metrics: Any = await regrade(out, corrected=corrected(out, (str(better),)))
    assert requests == []
    assert metrics["no_verdict"] == {"video": 2}
    assert metrics["accuracy"]["lenient"] == 3 / 9  # when, pies and secret; no more keeper and key
    assert values(out)["secret"] == 1.0
    assert metrics["settings"]["settings"]["data"] == [str(better)]
    ((_, opened),) = await asyncio.to_thread(open_folders, [out])
    assert metrics_of(opened) == metrics
    with pytest.raises(ConfigError, match="not of the same data"):
        await asyncio.to_thread(compare_folders, out, tmp_path / "other")
    again = await measured(wanted.model_copy(update={"data": (str(better),)}), out)  # no --change is asked for
    assert again["accuracy"] == metrics["accuracy"]
    assert requests == []
    assert other["accuracy"]["lenient"] == 4 / 8


@pytest.mark.parametrize(
    ("change", "said"), [({"question": "When does it go?"}, "another one"), ({"id": "other"}, "not in the data")]
)
async def test_another_question_is_no_correction(
    change: dict[str, str], said: str, videos: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    await measured(settings(data, videos, agent="blind", model="played:half"), out)
    other = write_rows(tmp_path / "other.jsonl", [{**ROWS[0], **change}, *ROWS[1:]])
    with pytest.raises(ConfigError, match=f"when is {said} now"):
        corrected(out, (str(other),))


async def test_two_runs_are_compared_question_by_question(videos: Path, data: Path, tmp_path: Path) -> None:
    for model in ("right", "half"):
        await measured(settings(data, videos, agent="direct", model=f"played:{model}"), tmp_path / model)
    found: Any = await asyncio.to_thread(compare_folders, tmp_path / "half", tmp_path / "right")
    assert (found["column"], found["n"], found["mean_a"], found["mean_b"]) == ("lenient", 8, 0.5, 1.0)
    assert found["difference"] == 0.5
    exact = found["mcnemar"]
    assert (exact["only_a"], exact["only_b"], exact["both_right"], exact["both_wrong"]) == (0, 4, 4, 0)
    assert exact["p_exact"] == pytest.approx(2 / 2**4)
    assert sum(found["no_verdict"].values()) == 3


async def test_going_back_to_earlier_data_finds_earlier_answers(
    videos: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    data, out = tmp_path / "made.jsonl", tmp_path / "run"
    first, second = ROWS[0], {**ROWS[0], "question": "Which umbrella was lost at the market?", "answer": "A"}
    wanted = settings(write_rows(data, [first]), videos, agent="direct", model="played:right")
    assert (await measured(wanted, out))["accuracy"]["lenient"] == 1.0
    write_rows(data, [second])
    with pytest.raises(ConfigError, match=r"begun otherwise.*--change"):
        await evaluate_async(wanted, out)
    assert len(requests) == 1
    await measured(wanted, out, change=True)
    assert predictions(out)["when", 0]["answer"] == "A"
    write_rows(data, [first])
    await measured(wanted, out, change=True)
    assert predictions(out)["when", 0]["answer"] == "B"
    assert len(requests) == 2


@pytest.mark.parametrize("touched", ["video", "subtitles"])
async def test_what_changed_on_disk_is_asked_again(
    touched: str, videos: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    mine, out = tmp_path / "videos", tmp_path / "run"
    mine.mkdir()
    for name in ("ferry.mp4", "ferry.srt"):
        (mine / name).write_bytes((videos / name).read_bytes())
    data = write_rows(tmp_path / "made.jsonl", ROWS[:3])
    wanted = settings(data, mine, agent="direct", model="played:right")
    await measured(wanted, out)
    if touched == "video":
        (mine / "ferry.mp4").write_bytes((videos / "harbour.mp4").read_bytes())
    else:
        (mine / "ferry.srt").write_text((mine / "ferry.srt").read_text().replace("six", "seven"), encoding="utf-8")
    await measured(wanted, out)
    assert len(requests) == 6
    await measured(wanted, out)
    assert len(requests) == 6


# ---------------------------------------------------------------------------------------------------- three values


async def test_causes_are_told_apart_and_none_is_a_wrong_answer(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def output(text: str, stop: Any) -> ModelOutput:
        return ModelOutput(Message("assistant", (text,)), "m", stop)

    said: dict[str, Any] = {
        "cut off": output("<think>perhaps <answer>B", "length"),
        "filtered": output("<answer>B</answer>", "refused"),
        "declines": "I'm sorry, but I can't assist with that request.",
        "declines but names": "I'm sorry, but I cannot view the video. The best answer is B.",
        "abstains": "<abstain>it is not shown</abstain>",
        "babbles": "well, well, well",
        "empty": "",
        "right": "<answer>B</answer>",
    }
    play(
        monkeypatch, odd=lambda request: next(say for q, say in said.items() if f"Question: {q}\n" in text_of(request))
    )
    rows = [{**ROWS[0], "id": name, "question": name} for name in said]
    out = tmp_path / "run"
    wanted = settings(write_rows(tmp_path / "odd.jsonl", rows), videos, agent="direct", model="played:odd")
    metrics = await measured(wanted, out)
    assert metrics["no_verdict"] == {"truncated": 1, "refused": 2, "abstained": 1}
    assert {id_: value for id_, value in values(out).items() if value is not None} == {
        "declines but names": 1.0, "babbles": 0.0, "empty": 0.0, "right": 1.0,
    }  # fmt: skip
    assert metrics["unreadable"] == 2
    assert metrics["coverage"] == 4 / 8
    assert metrics["accuracy"]["lenient"] == 2 / 4
    assert metrics["settings"]["scoring"] == {"choice": {"strict": "choice_strict", "lenient": "choice"}}


async def test_the_gold_that_is_given_decides_what_is_asked_again(
    videos: Path, tmp_path: Path, requests: list[tuple[str, Request]]
) -> None:
    data, out = write_rows(tmp_path / "d.jsonl", ROWS[:2]), tmp_path / "run"
    wanted = settings(data, videos, agent="oracle-crop", model="played:right")
    await measured(wanted, out)
    write_rows(data, [{**ROWS[0], "spans": [[1, 5]]}, ROWS[1]])
    await measured(wanted, out, change=True)
    assert len(requests) == 3


async def test_gold_is_corrected_from_another_folder(
    videos: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(videos.parent)
    out = tmp_path / "run"
    await measured(settings(data, Path("videos"), agent="blind", model="played:right"), out)
    monkeypatch.chdir(tmp_path)
    found = corrected(out, (str(data),))
    assert {item.sample.id: item.sample.video for item in found.items}["when"] == str(videos / "ferry.mp4")


async def test_a_server_that_moved_is_not_asked_again(videos: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for n in (1, 2):
        with FakeOpenAI() as fake:
            fake.will(*[Say("B")] * 11)
            wanted = settings(data, videos, agent="blind", model="openai:tiny", base_url=fake.base_url)
            metrics = await measured(wanted, out)
            assert len(fake.requests) == (11 if n == 1 else 0)
            assert metrics["settings"]["endpoints"] == {"main": fake.base_url}
