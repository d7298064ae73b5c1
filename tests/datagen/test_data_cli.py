"""``longtake data`` as a person uses it: processes of their own, the README's commands, what is printed and written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from talking import write_talk

from endpoint import running_endpoint
from longtake.datagen.export.rows import row_schema

ROOT = Path(__file__).parents[2]


def longtake(*arguments: object, cwd: Path, code: int = 0, **env: str) -> str:
    """What the command prints on stdout; checks its exit code. No run may show a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "longtake", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "COLUMNS": "100", **env},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "films"
    folder.mkdir()
    write_talk(folder / "talk.mp4")
    (folder / "broken.mkv").write_bytes(b"this is no video")
    return folder


SHORT = ("--set", "clip_seconds=4")


def test_from_a_folder_of_videos_to_a_training_file(films: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    out = longtake("data", "run", "--videos", films, "--out", "run", *SHORT, cwd=tmp_path)
    assert "1 result from 1 of 2 videos" in out
    assert "source: 1 x VideoDecodeError" in out
    assert "complete; next: longtake data report run" in out
    assert longtake("data", "report", "run", cwd=tmp_path).startswith("run/report.html: 1 result")
    assert "the books are right" in longtake("data", "verify", "run", cwd=tmp_path)
    for form in ("longvideo-reason", "chat", "grpo", "verl"):
        out = longtake("data", "export", "run", "--form", form, "--out", f"{form}.jsonl", cwd=tmp_path)
        assert "1 row from 1 video" in out
        row = json.loads((tmp_path / f"{form}.jsonl").read_text())
        jsonschema.validate(row, row_schema(form))
    card = json.loads((tmp_path / "chat.jsonl.card.json").read_text())
    assert card["lineage"]["recipe"] == "longvideo-reason"
    found = json.loads(longtake("data", "status", "run", "--json", cwd=tmp_path))
    assert found["complete"]
    assert [step["step"] for step in found["steps"]] == [
        *("source", "split", "caption", "merge", "plan", "reason", "parse")
    ]
    again = longtake("data", "run", "--videos", films, "--out", "run", *SHORT, "--json", cwd=tmp_path)
    assert {**json.loads(again), "running": False} == found


def test_the_longvt_recipe_makes_traces_that_export(films: Path, tmp_path: Path) -> None:
    longtake(
        *("data", "run", "--recipe", "longvt", "--videos", films, "--out", "run"),
        *("--set", "max_scene_seconds=4", "--set", "events_per_question=2"),
        cwd=tmp_path,
    )
    out = longtake("data", "export", "run", "--form", "longvt", "--out", "t.jsonl", "--media", "frames", cwd=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert f"{len(rows)} row" in out
    assert rows
    assert all(json.loads(row["messages"])[-1]["role"] == "assistant" for row in rows)


def test_the_six_commands_one_after_the_other(films: Path, tmp_path: Path) -> None:
    data = ("data",)
    longtake(*data, "split", "--input_dir", films, "--output_dir", "c", "--clip_duration", 4, cwd=tmp_path)
    longtake(*data, "caption", "--video_dir", "c", "--output_dir", "d", cwd=tmp_path)
    longtake(*data, "merge", "--input_dir", "d", "--output_file", "m.json", cwd=tmp_path)
    longtake(*data, "reason", "--captions", "m.json", "--output_folder", "r", cwd=tmp_path)
    longtake(*data, "parse", "--input_dir", "r", "--output_file", "p.json", cwd=tmp_path)
    longtake(*data, "reformat", "--input_json", "p.json", "--output_dir", "q", cwd=tmp_path)
    merged = json.loads((tmp_path / "m.json").read_text())
    assert [caption["start_time"] for caption in merged[0]["captions"]] == [0, 4, 8, 12, 16, 20]
    (question,) = (json.loads(path.read_text()) for path in (tmp_path / "q").glob("*.json"))
    assert question["answer"] in {f"<answer>{letter}</answer>" for letter in "ABCD"}
    assert question["videos"] == "talk.mp4"
    assert "A. " in question["problem"]


def test_real_clips_and_an_endpoint(shared_videos: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    films = tmp_path / "films"
    films.mkdir()
    for name in ("nasa_13013.mp4", "talk_captions_17s.mp4", "scenes_30s.mp4", "corrupted.mp4"):
        shutil.copy(shared_videos / name, films)
    with running_endpoint(ledger=tmp_path / "ledger") as endpoint:
        at = ("--model", "openai:tiny", "--base-url", endpoint.base_url)
        out = longtake("data", "run", "--videos", films, "--out", "lvr", *at, cwd=tmp_path)
        assert "results from 3 of 4 videos" in out
        longtake("data", "run", "--recipe", "longvt", "--videos", films, "--out", "lvt", *at, cwd=tmp_path)
    for run, form in (("lvr", "longvideo-reason"), ("lvr", "chat"), ("lvt", "longvt"), ("lvt", "traces")):
        longtake("data", "export", run, "--form", form, "--out", f"{form}.jsonl", cwd=tmp_path)
        rows = (tmp_path / f"{form}.jsonl").read_text().splitlines()
        assert len(rows) >= 2
        for row in rows:
            jsonschema.validate(json.loads(row), row_schema(form))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "--videos", "nowhere"), 2, "there is no video in nowhere"),
        (("run", "--videos", ".", "--recipe", "soup"), 2, "known: longvideo-reason, longvt, traces"),
        (("run", "--videos", ".", "--set", "clip_second=3"), 2, "It has clip_seconds"),
        (("run", "--videos", ".", "--workers", "3"), 2, "--workers goes with --ray"),
        (("run", "--videos", ".", "--in-flight", "0"), 2, "--in-flight"),
        (("run", "--videos", ".", "--model", "openai:tiny", "--base-url", "http://127.0.0.1:9/v1"), 1, "cannot reach"),
        (("status", "nowhere"), 1, "there is no run in nowhere"),
        (("export", "nowhere", "--form", "chat", "--out", "x.jsonl"), 1, "there is no run in nowhere"),
        (("split", "--input_dir", "nowhere", "--output_dir", "c"), 2, "there is no video in nowhere"),
        (("merge", "--input_dir", "nowhere", "--output_file", "m.json"), 2, "nowhere"),
    ],
)
def test_wrong_usage_is_one_line(films: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    shutil.copy(films / "talk.mp4", tmp_path)
    assert said in " ".join(longtake("data", *arguments, cwd=tmp_path, code=code).split())


def test_other_settings_in_the_same_folder_need_a_word(films: Path, tmp_path: Path) -> None:
    longtake("data", "run", "--videos", films, "--out", "run", *SHORT, cwd=tmp_path)
    other = ("data", "run", "--videos", films, "--out", "run", "--set", "clip_seconds=6")
    said = longtake(*other, cwd=tmp_path, code=2)
    assert "settings.clip_seconds was 4.0, is now 6.0" in " ".join(said.split())
    longtake(*other, "--change", cwd=tmp_path)
    assert len(list((tmp_path / "run/steps").glob("*-split@*"))) == 2


def test_a_model_the_server_does_not_have_is_found_before_anything_is_spent(films: Path, tmp_path: Path) -> None:
    with running_endpoint(ledger=tmp_path / "ledger") as endpoint:
        arguments = ("data", "run", "--videos", films, "--model", "openai:huge", "--base-url", endpoint.base_url)
        said = longtake(*arguments, cwd=tmp_path, code=2)
        assert "the server has no model 'huge'" in " ".join(said.split())
        assert endpoint.entries() == []


def test_interrupted_it_says_so_and_goes_on(films: Path, tmp_path: Path) -> None:
    with running_endpoint(ledger=tmp_path / "ledger", latency_seconds=1.0) as endpoint:
        command = [sys.executable, "-m", "longtake", "data", "run", "--videos", str(films), "--out", "run"]
        command += ["--model", "openai:tiny", "--base-url", endpoint.base_url, *SHORT]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(200):
            if len(endpoint.entries("received")) >= 4:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "interrupted" in said
        assert "Traceback" not in said
        found = json.loads(longtake("data", "status", "run", "--json", cwd=tmp_path))
        assert not found["complete"]
        assert longtake(*command[3:], cwd=tmp_path)
        open_calls = sum(step["in_flight"] for step in found["steps"])
        digests = [entry.digest for entry in endpoint.entries("received")]
        assert len(digests) - len(set(digests)) <= open_calls


def test_settings_and_servers_are_told(tmp_path: Path) -> None:
    assert "clip_seconds = 10.0" in longtake("data", "settings", cwd=tmp_path)
    assert "samples_per_question" in longtake("data", "settings", "longvt", cwd=tmp_path)
    assert "vllm serve" in longtake("data", "serve-help", cwd=tmp_path)


def test_the_data_recipes_run(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "longtake").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m longtake "$@"\n')
    (folder / "longtake").chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    with running_endpoint(ledger=tmp_path / "ledger") as endpoint:
        env |= dict.fromkeys(("EYES", "BRAIN", "MODEL"), "openai:tiny")
        env |= dict.fromkeys(("EYES_URL", "BRAIN_URL", "OPENAI_BASE_URL"), endpoint.base_url)
        (tmp_path / "prices.toml").write_text("[tiny]\nusd_per_million_input = 1\nusd_per_million_output = 2\n")
        env["LONGTAKE_PRICES"] = str(tmp_path / "prices.toml")
        for recipe, files in (("reason_data.sh", ("sft", "grpo")), ("qa_data.sh", ("traces", "rl"))):
            command = ["bash", str(ROOT / "recipes" / recipe), str(films), str(tmp_path / recipe)]
            done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=180)
            assert done.returncode == 0, done.stdout + done.stderr
            for file in files:
                assert (tmp_path / recipe / "export" / f"{file}.jsonl").exists()
