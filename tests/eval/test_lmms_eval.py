"""longtake as a model of lmms-eval, and its tasks as benchmarks. The real package runs in processes of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clips import write_clock
from fake_openai import Fail, FakeOpenAI, Say
from longtake.errors import ConfigError, LongtakeError
from longtake.eval.lmms.plugin import Outcome, Player
from longtake.eval.lmms.request import Request, read_messages, read_request
from longtake.eval.run import load_benchmark
from longtake.eval.settings import read_eval_settings
from longtake.ledger import read_lines

TASKS = Path(__file__).parent / "lmms_tasks"
SUBTITLES = """1
00:00:01,000 --> 00:00:03,000
The ferry leaves at half past six.

2
00:00:04,000 --> 00:00:06,000
The lighthouse keeper is called Edda.
"""
ROWS = [
    {"question": "When does the ferry leave?", "options": ["at noon", "at half past six", "at midnight"]},
    {"question": "What is the lighthouse keeper called?", "options": ["Edda", "Solveig", "Ragna"]},
    {"question": "Who is called Edda?", "options": ["the ferry", "the cook", "the lighthouse keeper"]},
]
ANSWERS = ["B", "A", "C"]


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    """The folder of tasks with two videos (one with subtitles) and the documents beside them."""
    folder = tmp_path / "tasks"
    shutil.copytree(TASKS, folder)
    write_clock(folder / "harbour.mp4", fps=5, num_frames=40)
    (folder / "harbour.srt").write_text(SUBTITLES)
    rows = [{**row, "video": "harbour.mp4", "answer": ANSWERS[n]} for n, row in enumerate(ROWS)]
    (folder / "harbour.jsonl").write_text("\n".join(map(json.dumps, rows)))
    rows[2]["video"] = "lost.mp4"
    (folder / "harbour_open.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def player(**arguments: Any) -> Player:
    return Player.of_arguments({"agent": "direct", "frames": 1, **arguments})


def answers(who: Player, requests: Sequence[Request], done: list[None] | None = None) -> list[Outcome]:
    seen = done if done is not None else []
    return asyncio.run(who.answer_all(requests, lambda: seen.append(None)))


def asked(folder: Path, *questions: str, **more: Any) -> list[Request]:
    return [Request(f"t:{n}", str(folder / "harbour.mp4"), question, **more) for n, question in enumerate(questions)]


# ------------------------------------------------------------------------------------------- what is asked


def message(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": list(parts)}


VIDEO, TEXT = {"type": "video", "url": "a.mp4"}, {"type": "text", "text": "What?\nA. x\nB. y\nThe letter."}


def test_the_text_of_a_task_is_asked_as_it_stands() -> None:
    assert read_messages([message(VIDEO, TEXT)], "t") == ("a.mp4", TEXT["text"])
    told = {"role": "system", "content": "Think first."}
    assert read_messages([told, message(VIDEO, TEXT)], "t") == ("a.mp4", f"Think first.\n\n{TEXT['text']}")


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        (None, "0 videos"),
        ([message(TEXT)], "0 videos"),
        ([message(VIDEO, VIDEO, TEXT)], "2 videos"),
        ([message({"type": "image", "url": "a.png"}, TEXT)], "image data"),
        ([message({"type": "video", "url": {"video": "a.mp4", "video_start": 1}}, TEXT)], "video data"),
        ([message({**VIDEO, "start_time": 3.0}, TEXT)], "part of a video"),
        ([message(VIDEO, TEXT), message(TEXT, role="assistant")], "--num_fewshot 0"),
        ([message(VIDEO)], "no text"),
    ],
)
def test_what_is_no_question_about_one_video_is_refused(messages: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^t:3: .*{why}"):
        read_messages(messages, "t:3")


def test_generation_settings_are_read() -> None:
    wishes = {"until": "\n\n", "max_new_tokens": 16, "do_sample": False, "num_beams": 1}
    request = read_request([message(VIDEO, TEXT)], wishes, id="t:0", repeat=2)
    assert (request.until, request.max_tokens, request.temperature, request.repeat) == (("\n\n",), 16, 0.0, 2)
    request = read_request([message(VIDEO, TEXT)], {}, id="t:0", repeat=0)
    assert (request.until, request.max_tokens, request.temperature) == ((), None, None)


# --------------------------------------------------------------------------------------------- model_args


def test_model_args_are_the_settings_of_longtake() -> None:
    who = Player.of_arguments(
        {"agent": "crop", "agent_options.crop_fps": 2.0, "agent_options.tools": '["zoom"]', "frames": 3}
    )
    assert who.settings.agent_options == {"crop_fps": 2.0, "tools": ["zoom"]}
    assert who.contestant.agent.config["num_frames"] == 3
    assert (who.concurrency, who.trace_dir, who.failed_as) == (8, None, None)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"agnet": "crop"}, "agnet.*agent, base_url.*concurrency, trace_dir, failed_as"),
        ({"agent": "nobody"}, "no agent 'nobody'"),
        ({"agent": "direct", "agent_options.wings": 2}, "no wings"),
        ({"agent_options": "{oops"}, "not JSON"),
        ({"concurrency": 0}, "1 or more"),
        ({"agent": "oracle-crop"}, "cannot have"),
    ],
)
def test_wrong_model_args_are_told(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Player.of_arguments(arguments)


# ----------------------------------------------------------------------------------------------- answering


def test_answers_come_in_order_several_at_once(harbour: Path) -> None:
    done: list[None] = []
    with FakeOpenAI() as server:
        server.will(*(Say("A", seconds=0.2) for _ in range(6)))
        who = player(model="openai:tiny", base_url=server.base_url, concurrency=3)
        requests = asked(harbour, *"uvwxyz", max_tokens=16, temperature=0.5)
        found = answers(who, requests, done)
    assert [outcome.text for outcome in found] == ["A"] * 6
    assert len(done) == 6
    assert server.max_in_flight == 3
    assert all((body["max_tokens"], body["temperature"]) == (16, 0.5) for body in server.requests)
    assert "Options" not in json.dumps(server.requests[0])


def test_model_args_stand_above_the_tasks_settings(harbour: Path) -> None:
    with FakeOpenAI() as server:
        server.will(Say("A"))
        who = player(model="openai:tiny", base_url=server.base_url, max_tokens=500, temperature=0.2)
        answers(who, asked(harbour, "?", max_tokens=16, temperature=0.0))
    assert (server.requests[0]["max_tokens"], server.requests[0]["temperature"]) == (500, 0.2)


def test_an_answer_ends_where_the_task_says(harbour: Path) -> None:
    with FakeOpenAI() as server:
        server.will(Say("Edda. She keeps the light."))
        who = player(model="openai:tiny", base_url=server.base_url)
        (found,) = answers(who, asked(harbour, "Who?", until=(".", "\n\n")))
    assert found.text == "Edda"


def test_a_task_that_looks_for_tags_gets_the_whole_reply(harbour: Path) -> None:
    said = "<think>She said it.</think>\n<answer>Edda</answer>"
    with FakeOpenAI() as server:
        server.will(Say(said), Say(said))
        who = player(model="openai:tiny", base_url=server.base_url)
        (whole,) = answers(who, asked(harbour, "Who? Answer in <answer></answer>."))
        (bare,) = answers(who, asked(harbour, "Who?"))
    assert (whole.text, bare.text) == (said, "Edda")


def test_a_failure_is_no_answer_and_the_next_run_asks_only_what_is_missing(harbour: Path, tmp_path: Path) -> None:
    with FakeOpenAI() as server:
        arguments = {
            "model": "openai:tiny", "base_url": server.base_url, "trace_dir": str(tmp_path / "traces"),
            "concurrency": 1, "cache": False, "temperature": 0.7,
        }  # fmt: skip
        server.will(Say("A"), Say("cut off in mid-", finish="length"), Say("B"))
        with pytest.raises(LongtakeError, match=r"1 of 3 questions have no answer \(t:1.*raise max_tokens.*traces"):
            answers(player(**arguments), asked(harbour, "u", "v", "w"))
        assert len(server.requests) == 3
        server.will(Say("C"))
        found = answers(player(**arguments), asked(harbour, "u", "v", "w"))
        assert [(outcome.text, outcome.kept) for outcome in found] == [("A", True), ("C", False), ("B", True)]
        assert len(server.requests) == 4
    lines = [line for path in (tmp_path / "traces").glob("*.jsonl") for line in read_lines(path) if line]
    assert sorted(line["status"] for line in lines) == ["done", "done", "done", "failed"]


def test_other_settings_are_other_answers(harbour: Path, tmp_path: Path) -> None:
    with FakeOpenAI() as server:
        arguments = {"model": "openai:tiny", "base_url": server.base_url, "trace_dir": str(tmp_path), "cache": False}
        for more in ({}, {"max_tokens": 9}, {"frames": 2}):
            server.will(Say("A"))
            answers(player(**arguments, **more), asked(harbour, "u"))
        server.will(Say("A"))
        answers(player(**arguments), asked(harbour, "u", repeat=1))
        assert len(server.requests) == 4


def test_mended_subtitles_are_other_answers(harbour: Path, tmp_path: Path) -> None:
    who = Player.of_arguments({"agent": "crop", "ocr": False, "trace_dir": str(tmp_path / "traces")})
    requests = asked(harbour, ROWS[0]["question"])
    (before,) = answers(who, requests)
    assert answers(who, requests)[0].kept
    (harbour / "harbour.srt").write_text(SUBTITLES.replace("half past six", "a quarter to nine"))
    (after,) = answers(who, requests)
    assert "half past six" in before.text
    assert (after.kept, "a quarter to nine" in after.text) == (False, True)


def test_a_folder_of_frames_is_a_video(tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    for number in range(1, 7):
        Image.new("RGB", (32, 24), (40 * number, 0, 0)).save(tmp_path / "walk" / f"{number:05}.jpg")
    with FakeOpenAI() as server:
        server.will(Say("A"))
        who = player(model="openai:tiny", base_url=server.base_url, trace_dir=str(tmp_path / "traces"))
        found = [answers(who, [Request("t:0", str(tmp_path / "walk"), "?")])[0] for _ in range(2)]
        assert [(outcome.text, outcome.kept) for outcome in found] == [("A", False), ("A", True)]


def test_what_is_wrong_for_every_question_stops_at_once(harbour: Path) -> None:
    with FakeOpenAI() as server:
        server.will(Fail(401, "Incorrect API key"))
        who = player(model="openai:tiny", base_url=server.base_url, concurrency=1)
        with pytest.raises(LongtakeError, match=r"1 of 5 questions have no answer.*4 were not asked any more"):
            answers(who, asked(harbour, *"uvwxy"))


def test_when_nothing_gets_an_answer_it_stops_early(tmp_path: Path) -> None:
    requests = [Request(f"t:{n}", str(tmp_path / "lost.mp4"), "?") for n in range(40)]
    with pytest.raises(LongtakeError, match=r"8 of 40 questions have no answer.*there is no file.*32 were not asked"):
        answers(player(model="reader", concurrency=1), requests)


def test_failed_as_is_what_the_user_says(harbour: Path, caplog: pytest.LogCaptureFixture) -> None:
    lost = Request("t:9", str(harbour / "lost.mp4"), "?")
    found = answers(Player.of_arguments({"failed_as": "no answer"}), [lost, *asked(harbour, ROWS[0]["question"])])
    assert found[0].text == "no answer"
    assert "half past six" in found[1].text
    assert "1 of 2 questions have no answer" in caplog.text


def test_an_agent_that_cannot_tell_says_so(harbour: Path) -> None:
    (found,) = answers(Player.of_arguments({"ocr": False}), asked(harbour, "Which colour has the dragon's umbrella?"))
    assert "<abstain>" in found.text


# ---------------------------------------------------------------------------------------- the real package

real = pytest.mark.skipif(find_spec("lmms_eval") is None, reason="lmms-eval is not installed")


def process(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", **env}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env={**os.environ, **offline}, timeout=300
    )


def evaluate(harbour: Path, task: str, model_args: str) -> tuple[str, dict[str, Any] | None, list[dict[str, Any]]]:
    """(what was printed, the results file if there is one, the samples) of a run of lmms-eval."""
    out = harbour / "out"
    shutil.rmtree(out, ignore_errors=True)
    done = process(
        *("-m", "lmms_eval", "--model", "longtake", "--model_args", model_args, "--tasks", task),
        *("--include_path", str(harbour), "--log_samples", "--output_path", str(out)),
        HF_HOME=str(harbour / "hf"),
    )
    results = next(iter(out.rglob("*_results.json")), None)
    samples = next(iter(out.rglob("*_samples_*.jsonl")), None)
    lines = samples.read_text().splitlines() if samples else []
    return done.stdout + done.stderr, json.loads(results.read_text()) if results else None, [*map(json.loads, lines)]


@real
def test_lmms_eval_runs_an_agent_on_a_task(harbour: Path) -> None:
    said, results, samples = evaluate(harbour, "harbour", "agent=crop,model=reader,ocr=false,concurrency=2")
    assert results is not None, said
    assert results["results"]["harbour"]["harbour_score,none"] == 1.0
    assert results["results"]["harbour"]["harbour_by_kind,none"] == 100.0
    assert [sample["filtered_resps"] for sample in samples] == ANSWERS


@real
def test_a_failed_run_of_lmms_eval_has_no_result_and_goes_on_where_it_was(harbour: Path) -> None:
    with FakeOpenAI() as server:
        server.will(Say("(B)"), Fail(400, "no such picture"), Say("(B)"))
        arguments = f"agent=direct,frames=1,model=openai:tiny,base_url={server.base_url},trace_dir={harbour / 'kept'}"
        said, results, _ = evaluate(harbour, "harbour", arguments + ",concurrency=1")
        assert "1 of 3 questions have no answer (harbour:1" in said
        assert results is None
        server.will(Say("(A)"))
        said, results, samples = evaluate(harbour, "harbour", arguments)
    assert results is not None, said
    assert len(server.requests) == 4
    assert results["results"]["harbour"]["harbour_score,none"] == pytest.approx(2 / 3)
    assert [sample["filtered_resps"] for sample in samples] == ["(B)", "(A)", "(B)"]
    question = json.dumps(server.requests[0]["messages"][-1]["content"])
    assert question.count("C. at midnight") == question.count("from the given choices directly") == 1


READ = """
import json, sys
from longtake.errors import LongtakeError
from longtake.eval.lmms.task import load_lmms
found = {}
for name in sys.argv[2:]:
    try:
        items, malformed, grade = load_lmms(name, sys.argv[1])
    except LongtakeError as e:
        found[name] = f"{type(e).__name__}: {e}"
        continue
    found[name] = {
        "items": [[i.sample.id, i.sample.video, i.sample.question, i.sample.choices, i.sample.target, i.kind,
                   dict(i.strata)] for i in items],
        "malformed": [m.reason for m in malformed],
        "scores": {said: [dict(grade(i, said)) for i in items] for said in ("A", "B.", "(C)", "?")},
    }
print(json.dumps(found))
"""


@pytest.fixture
def read(harbour: Path) -> dict[str, Any]:
    names = ["harbour", "harbour_open", "harbour_likelihood", "harbor"]
    done = process("-c", READ, str(harbour), *names, HF_HOME=str(harbour / "hf"))
    assert done.returncode == 0, done.stderr
    assert "a task that talks" in done.stderr
    return json.loads(done.stdout)


@real
def test_a_task_of_lmms_eval_is_run_here_and_scores_itself(harbour: Path) -> None:
    out = str(harbour / "run")
    command = ("eval", "run", "lmms:harbour", "--data", str(harbour), "--agent", "reader", "--out", out)
    done = process("-m", "longtake", *command, "--json", HF_HOME=str(harbour / "hf"))
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)
    assert metrics["headline"]["column"] == "lmms"
    assert metrics["accuracy"]["lmms"] == metrics["coverage"] == 1.0
    again = process("-m", "longtake", "eval", "regrade", out, "--json", HF_HOME=str(harbour / "hf"))
    assert json.loads(again.stdout)["accuracy"] == metrics["accuracy"]


@real
def test_a_task_of_lmms_eval_is_checked(harbour: Path) -> None:
    command = ("-m", "longtake", "eval", "check", "lmms:harbour_open", "--data", str(harbour))
    done = process(*command, "--json", HF_HOME=str(harbour / "hf"))
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["num_items"], found["num_videos"], found["missing"]) == (3, 2, ["harbour_open:2"])
    assert found["problems"] == ["1 of 2 videos are missing: harbour_open:2; put them where the task looks"]


def test_a_task_of_lmms_eval_takes_no_place_of_videos(tmp_path: Path) -> None:
    settings = read_eval_settings({"benchmark": "lmms:harbour", "videos": str(tmp_path)})
    with pytest.raises(ConfigError, match="--videos does not go with lmms:harbour"):
        load_benchmark(settings)


@real
def test_tasks_of_lmms_eval_are_benchmarks(harbour: Path, read: dict[str, Any]) -> None:
    video = str(harbour / "harbour.mp4")
    first, *_ = read["harbour"]["items"]
    options = "A. at noon\nB. at half past six\nC. at midnight"
    closing = "Answer with the option's letter from the given choices directly."
    question = f"{ROWS[0]['question']}\nOptions:\n{options}\n{closing}"
    assert first == ["harbour:0", video, question, [], "B", "text", {"task": ["harbour"]}]
    assert read["harbour"]["scores"]["B."] == [
        {"lmms": score, "lmms:harbour_by_kind": score} for score in (1.0, 0.0, 0.0)
    ]
    assert [item[1:6] for item in read["harbour_open"]["items"]] == [
        [video, ROWS[0]["question"], ROWS[0]["options"], "B", "choice"],
        [video, ROWS[1]["question"], ROWS[1]["options"], "A", "choice"],
        ["", ROWS[2]["question"], ROWS[2]["options"], "C", "choice"],
    ]
    assert read["harbour_open"]["scores"]["(C)"] == [{"lmms": 0.0}, {"lmms": 0.0}, {"lmms": 1.0}]
    assert read["harbour"]["malformed"] == read["harbour_open"]["malformed"] == []
    assert "generate_until" in read["harbour_likelihood"]
    assert "no task 'harbor'" in read["harbor"]
