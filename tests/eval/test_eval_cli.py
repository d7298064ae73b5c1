"""``longtake eval`` as a person uses it: processes of their own, what is printed and written, how they exit."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from judges import JudgingEndpoint, inverted
from made_benchmark import ROWS, write_rows, write_videos

from fake_openai import Fail, FakeOpenAI, Say
from longtake.eval.settings import JudgeSettings
from longtake.surfaces.evaluation import read_eval_arguments

OCR = ("--set", "ocr=false")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``videos/``, ``made.jsonl`` and ``good.jsonl``, which is the rows with a video and an answer."""
    folder = tmp_path_factory.mktemp("home")
    write_videos(folder / "videos")
    write_rows(folder / "made.jsonl")
    write_rows(folder / "good.jsonl", ROWS[:8])
    return folder


def longtake(*arguments: object, cwd: Path, code: int = 0, **env: str) -> tuple[str, str]:
    """What the command prints on stdout and stderr; checks its exit code. No run may show a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "longtake", "eval", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "COLUMNS": "100", **env},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def given(home: Path, data: str = "good.jsonl") -> tuple[object, ...]:
    return ("custom", "--data", home / data, "--videos", home / "videos")


def test_what_there_is(tmp_path: Path) -> None:
    out, _ = longtake("list", cwd=tmp_path)
    assert "video-mme" in out
    assert "oracle-crop" in out
    found = json.loads(longtake("list", "--json", cwd=tmp_path)[0])
    assert {"tvqa", "lvbench", "custom"} < {one["name"] for one in found["benchmarks"]}


def test_data_are_looked_over_before_anything_is_spent(home: Path, tmp_path: Path) -> None:
    write_rows(home / "words.jsonl", ROWS[:7])
    out, _ = longtake("check", *given(home, "words.jsonl"), cwd=tmp_path)
    assert "7 questions" in out
    out, _ = longtake("check", *given(home, "made.jsonl"), cwd=tmp_path, code=1)
    assert "missing.mp4" in out
    found = json.loads(longtake("check", *given(home, "made.jsonl"), "--json", cwd=tmp_path, code=1)[0])
    assert found["problems"]


def test_runs_reports_and_comparisons(home: Path, tmp_path: Path) -> None:
    out, err = longtake("run", *given(home), "--agent", "reader", *OCR, "--out", "reader", cwd=tmp_path)
    assert "4 of" not in out
    assert "no verdict: 2 abstained" in out
    assert "no headline: coverage 75.00 % is below 98 %" in out
    assert "8 of 8 questions" in err
    metrics = json.loads((tmp_path / "reader" / "metrics.json").read_text())
    assert {"n", "coverage", "accuracy", "interval", "strata", "usage", "settings"} <= metrics.keys()
    for name in ("report.html", "report.md", "predictions.jsonl"):
        assert (tmp_path / "reader" / name).stat().st_size > 0
    again = longtake("run", *given(home), "--agent", "reader", *OCR, "--out", "reader", "--json", cwd=tmp_path)
    assert json.loads(again[0]) == metrics
    constant = json.loads(longtake("run", *given(home), "--agent", "constant", "--out", "constant", "--json",
                                   cwd=tmp_path)[0])  # fmt: skip
    assert (constant["n"], constant["coverage"], constant["headline"]["value"]) == (8, 1.0, 5 / 8)
    out, _ = longtake("report", "reader", "constant", "--out", "both", cwd=tmp_path)
    assert "constant: made with gold: it was given the most frequent answer" in out
    assert "constant" in (tmp_path / "both" / "report.md").read_text()
    assert len(json.loads(longtake("report", "reader", "constant", "--json", cwd=tmp_path)[0])) == 2
    out, _ = longtake("compare", "reader", "constant", cwd=tmp_path)
    assert "2 pairs without a verdict left out" in out
    found = json.loads(longtake("compare", "reader", "constant", "--json", cwd=tmp_path)[0])
    assert found["n"] == 6
    lower = json.loads(longtake("regrade", "reader", "--min-coverage", "0.5", "--json", cwd=tmp_path)[0])
    assert lower["headline"]["value"] == 4 / 6
    assert json.loads(longtake("report", "reader", "--json", cwd=tmp_path)[0])[0]["headline"]["value"] == 4 / 6


def test_exit_codes_and_one_line_for_what_is_wrong(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("agnet = 'crop'\n")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        for arguments, code, said in (
            (("run", "nosuch", "--out", "x"), 2, "there is no benchmark 'nosuch'"),
            (("run", *given(home)), 2, "--out"),
            (("run", *given(home), "--out", "x", "--agent", "nosuch"), 2, "nosuch"),
            (("run", *given(home), "--out", "x", "--shard", "3/2"), 2, "like 2/4"),
            (("run", *given(home), "--out", "x", "--config", "bad.toml"), 2, "agnet"),
            (("run", *given(home), "--out", "x", "--workers", "2"), 2, "--ray"),
            (("run", *given(home), "--out", "x", "--model", "openai:m", "--base-url", dead), 1, "127.0.0.1"),
            (("regrade", "nowhere"), 1, "no evaluation in"),
            (("report", "nowhere"), 1, "no evaluation in"),
        ):
            _, err = longtake(*arguments, cwd=tmp_path, code=code)
            assert said in " ".join(err.split()), arguments
    assert not (tmp_path / "nowhere").exists()
    longtake("run", *given(home, "made.jsonl"), "--agent", "reader", *OCR, "--out", "part", cwd=tmp_path, code=1)


def test_settings_of_a_judge_come_from_everywhere(tmp_path: Path) -> None:
    config = tmp_path / "eval.toml"
    config.write_text('epochs = 2\n[judge]\nmodel = "openai:slow"\nin_flight = 3\n')
    given = {"judge": {"model": "openai:j", "base_url": None}, "epochs": None}
    wanted = read_eval_arguments("custom", given, config, ["judge.options.max_attempts=2"])
    assert wanted.judge == JudgeSettings(model="openai:j", in_flight=3, options={"max_attempts": 2})
    config.write_text('judge = "openai:short"\n')
    assert read_eval_arguments("custom", {"judge": None}, config).judge == JudgeSettings(model="openai:short")
    assert read_eval_arguments("custom", {"judge": None}).judge == JudgeSettings()


def test_settings_of_another_run_and_a_limit(home: Path, tmp_path: Path) -> None:
    with FakeOpenAI() as fake:
        fake.will(*[Say("B")] * 40)
        model = ("--model", "openai:tiny", "--base-url", fake.base_url, "--agent", "blind", "--out", "run")
        longtake("run", *given(home), *model, "--limit", "3", cwd=tmp_path)
        assert len(fake.requests) == 3
        _, err = longtake("run", *given(home), *model, "--set", "temperature=0.7", cwd=tmp_path, code=2)
        assert "begun otherwise" in err
        out, _ = longtake("run", *given(home), *model, cwd=tmp_path)
        assert len(fake.requests) == 8
        assert "2 answers could not be read, counted as wrong" in out
        longtake("run", *given(home), *model, "--change", "--set", "temperature=0.7", cwd=tmp_path)
        assert len(fake.requests) == 16
        fake._acts.clear()
        fake.will(*[Fail(401)] * 9)
        _, err = longtake("run", *given(home), *model[:-1], "other", cwd=tmp_path, code=1)
        assert "key" in err.lower() or "401" in err
        assert fake.refused == []


def test_judges_and_corrected_gold(home: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**row, "question": row["question"]} for row in (ROWS[2], ROWS[6])]
    data = write_rows(tmp_path / "open.jsonl", rows)
    script = tmp_path / "replies.jsonl"
    script.write_text('"<answer>Norwegian</answer>"\n"<answer>gold</answer>"\n')
    run = ("run", "custom", "--data", data, "--videos", home / "videos", "--agent", "direct",
           "--model", f"scripted:{script}", "--in-flight", "1", "--out", "run")  # fmt: skip
    out, _ = longtake(*run, cwd=tmp_path)
    assert "50.0" in out
    with JudgingEndpoint() as judge:
        asked = ("regrade", "run", "--judge", "openai:tiny", "--judge-base-url", judge.base_url)
        found = json.loads(longtake(*asked, "--json", cwd=tmp_path)[0])
        assert found["headline"] | {"column": "judge", "value": 0.5} == found["headline"]
        better = write_rows(tmp_path / "better.jsonl", [rows[0], {**rows[1], "answer": "gold"}])
        found = json.loads(longtake("regrade", "run", "--data", better, "--json", cwd=tmp_path)[0])
        assert found["accuracy"]["lenient"] == 1.0
        assert "judge" in found["no_verdict"]  # it has not been asked about the new gold
        judge.says = inverted
        _, err = longtake(*asked, cwd=tmp_path, code=1)
        assert "cannot be trusted" in " ".join(err.split())
    report = json.loads(longtake("report", "run", "--json", cwd=tmp_path)[0])[0]
    assert report["accuracy"] == found["accuracy"]


def test_interrupted_it_says_so_and_goes_on(home: Path, tmp_path: Path) -> None:
    with FakeOpenAI() as fake:
        fake.will(*[Say("B", seconds=0.4)] * 40)
        command = ["run", *given(home), "--model", "openai:tiny", "--base-url", fake.base_url, "--agent", "blind",
                   "--in-flight", "1", "--out", "run"]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "longtake", "eval", *map(str, command)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        give_up_at = time.monotonic() + 30
        while len(fake.requests) < 3 and time.monotonic() < give_up_at:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "give the same command again to go on" in " ".join(err.split())
        longtake(*command, cwd=tmp_path)
        assert len(fake.requests) <= 9
