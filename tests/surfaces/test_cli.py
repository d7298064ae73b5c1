"""The command line as a person uses it: a process of its own, what it prints, how it exits."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from clips import truncate, write_clock
from longtake.agents.record import load_trace

SUBTITLES = "1\n00:00:02,000 --> 00:00:04,000\nAda: The ferry leaves at half past six.\n"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "film.mp4"
    write_clock(path, fps=10, num_frames=100)
    path.with_suffix(".srt").write_text(SUBTITLES, encoding="utf-8")
    return path


def longtake(*arguments: object, cwd: Path, code: int = 0, **env: str) -> tuple[str, str]:
    """Runs the command in ``cwd``, checks its exit code, returns what it printed. No run may show a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "longtake", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "COLUMNS": "100", **env},
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_ask_shows_the_answer_its_evidence_and_the_cost(film: Path, tmp_path: Path) -> None:
    out, err = longtake("ask", film, "When does the ferry leave?", "--set", "ocr=false", cwd=tmp_path)
    assert "answer  Ada: The ferry leaves at half past six." in out
    assert '00:00:02.0 - 00:00:04.0  subtitles  "Ada: The ferry' in out
    assert "looked at 0 of 100 frames · 3 turns" in out
    assert 'search_text("When does the ferry leave?"' in err
    assert len(list(tmp_path.glob("longtake-runs/*/trace.json"))) == 1
    assert len(list(tmp_path.glob("longtake-runs/*/evidence.jpg"))) == 1


def test_ask_json_is_one_object(film: Path, tmp_path: Path) -> None:
    out, _ = longtake(
        "ask", film, "When does the ferry leave?", "--set", "ocr=false", "--json", "--save", "run", cwd=tmp_path
    )
    found = json.loads(out)
    assert set(found) >= {"answer", "spans", "stop_reason", "agent", "model", "usage", "timings", "trace"}
    assert found["spans"] == [
        {"start": 2.0, "end": 4.0, "quote": "Ada: The ferry leaves at half past six.", "source": "subtitles"}
    ]
    assert (found["stop_reason"], found["agent"], found["model"]) == ("answered", "crop", "reader")
    assert (tmp_path / found["trace"]).is_file()


def test_exit_codes(film: Path, tmp_path: Path) -> None:
    longtake("ask", film, "Who plays the trombone?", "--set", "ocr=false", cwd=tmp_path, code=3)
    longtake("ask", film, cwd=tmp_path, code=2)
    longtake("ask", film, "What?", "--frobnicate", cwd=tmp_path, code=2)


def test_a_scripted_model_plays_the_three_agents(film: Path, tmp_path: Path) -> None:
    crop = {"name": "crop_video", "arguments": {"start_time": 1, "end_time": 3}}
    scripts = {
        "direct": ["a clock"],
        "crop": [crop, "<answer>a clock</answer>"],
        "team": ["<visual_query>what?</visual_query>", "it shows a clock", "<answer>a clock</answer>"],
    }
    for agent, replies in scripts.items():
        script = tmp_path / f"{agent}.jsonl"
        script.write_text("\n".join(json.dumps(reply) for reply in replies))
        model = f"scripted:{script}"
        out, _ = longtake("ask", film, "What is it?", "--model", model, "--agent", agent, "--json", cwd=tmp_path)
        found = json.loads(out)
        assert (found["answer"], found["agent"]) == ("a clock", agent)
        assert found["usage"]["num_frames"] > 0


def test_choices_and_config(film: Path, tmp_path: Path) -> None:
    (tmp_path / "ask.toml").write_text("ocr = false\nmax_turns = 4\n[agent_options]\ncrop_fps = 2.0\n")
    question = ["ask", film, "When does the ferry leave?"]
    out, _ = longtake(*question, "--choices", "at noon|half past six", "--config", "ask.toml", cwd=tmp_path)
    assert "answer  B. half past six" in out
    out, _ = longtake(*question, "--choices", "at noon|half past six", "--config", "ask.toml", "--json", cwd=tmp_path)
    assert (json.loads(out)["answer"], json.loads(out)["choice"]) == ("B", "half past six")
    (tmp_path / "file").write_text("x")
    _, err = longtake(*question, "--config", "ask.toml", "--save", "file", cwd=tmp_path, code=1)
    assert "give a folder" in err
    (tmp_path / "bad.toml").write_text("modle = 'x'\n")
    for wrong, said in (
        (["--config", "bad.toml"], "modle"),
        (["--config", "none.toml"], "cannot read --config"),
        (["--choices", "one"], "two or more options"),
        (["--set", "x"], "KEY=VALUE"),
        (["--agent", "crp"], "known: blind, crop, direct, ground, team"),
        (["--model", "gpt"], "openai:gpt"),
        (["--max-turns", "0"], "max_turns"),
    ):
        _, err = longtake(*question, *wrong, cwd=tmp_path, code=2)
        assert said in err


@pytest.fixture
def bad_files(tmp_path: Path, film: Path) -> Path:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("This is a text, not a video.\n" * 50)
    (tmp_path / "sound.wav").write_bytes(
        b"RIFF"
        + (36 + 8000).to_bytes(4, "little")
        + b"WAVEfmt "
        + bytes.fromhex("1000000001000100400000004000000001000800")
        + b"data"
        + (8000).to_bytes(4, "little")
        + b"\x80" * 8000
    )
    return tmp_path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.mp4", "none.mp4"),
        ("empty.mp4", "empty"),
        ("text.mp4", "text.mp4"),
        ("sound.wav", "no picture track"),
        (".", "folder"),
    ],
)
def test_what_is_no_video_is_one_clear_line(bad_files: Path, name: str, said: str) -> None:
    _, err = longtake("ask", name, "What?", cwd=bad_files, code=1)
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("error  ")
    assert said in lines[0]


def test_a_corrupted_file_is_refused(shared_videos: Path, tmp_path: Path) -> None:
    _, err = longtake("ask", shared_videos / "corrupted.mp4", "What?", cwd=tmp_path, code=1)
    assert len(err.strip().splitlines()) == 1


def test_endpoints_that_fail_are_one_clear_line(film: Path, tmp_path: Path) -> None:
    out, _ = longtake(
        "ask", film, "What?", "--model", "openai:x", "--base-url", "http://127.0.0.1:9/v1",
        "--set", "model_options.max_attempts=1", cwd=tmp_path, code=1,
    )  # fmt: skip
    assert "failed  ModelConnectionError" in out
    assert "127.0.0.1:9" in out


def test_a_truncated_file_is_used_as_far_as_it_goes_and_the_answer_says_so(film: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mkv"
    write_clock(cut, fps=10, num_frames=300)
    truncate(cut, 0.5)
    cut.with_suffix(".srt").write_text(SUBTITLES, encoding="utf-8")
    out, _ = longtake("ask", cut, "When does the ferry leave?", "--set", "ocr=false", cwd=tmp_path)
    assert "answer" in out
    assert "note: " in out
    assert "truncated" in out


def test_probe(film: Path, tmp_path: Path) -> None:
    out, _ = longtake("probe", film, "--json", cwd=tmp_path)
    info = json.loads(out)
    assert (info["duration_seconds"], info["num_frames"], info["width"]) == (10.0, 100, 64)
    out, _ = longtake("probe", film, cwd=tmp_path)
    assert "codec h264, 10 frames a second" in out


def test_frames_at_span_and_uniform(film: Path, tmp_path: Path) -> None:
    longtake("frames", film, "--at", "1.5", "--at", "0:03", "--out", "at", cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "at").iterdir()) == ["film_000001.500.jpg", "film_000003.000.jpg"]
    out, _ = longtake("frames", film, "--span", "2-3", "--fps", "50", "--out", "span", cwd=tmp_path)
    assert out == "10 frames in span/\n"
    out, _ = longtake("frames", film, "--span", "2-4", "--fps", "2", cwd=tmp_path)
    assert "4 frames on frames.jpg" in out
    longtake("frames", film, "--uniform", "3", "--out", "sheet.jpg", cwd=tmp_path)
    for wrong in (["--span", "5-2"], ["--span", "nan-3"], ["--span", "50-60"], ["--at", "11"], ["--at", "NaN"], []):
        _, err = longtake("frames", film, *wrong, cwd=tmp_path, code=2)
        assert err.startswith("error  ")
        assert len(err.strip().splitlines()) == 1


def test_frames_refuses_what_cannot_be_written(film: Path, tmp_path: Path) -> None:
    for wrong, said in (
        (["--uniform", "100001"], "at most 100,000 frames"),
        (["--uniform", "0"], "num_frames"),
        (["--uniform", "2", "--out", "sheet.png"], "a .jpg for a contact sheet"),
    ):
        _, err = longtake("frames", film, *wrong, cwd=tmp_path, code=2)
        assert said in err
    _, err = longtake("split", film, "--seconds", "1e-9", cwd=tmp_path, code=2)
    assert "make them longer" in err


def test_wrong_options_and_subtitles_are_found_before_the_run(film: Path, tmp_path: Path) -> None:
    _, err = longtake("ask", film, "What?", "--set", "agent_options.crop_fps=abc", cwd=tmp_path, code=2)
    assert "crop.crop_fps" in err
    _, err = longtake("ask", film, "What?", "--vision-model", "reader", cwd=tmp_path, code=2)
    assert "use --agent team" in err
    _, err = longtake("ask", film, "When does the ferry leave?", "--subtitles", "nope.srt", cwd=tmp_path, code=1)
    assert "nope.srt" in err
    assert not list(tmp_path.glob("longtake-runs/*/trace.json"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_one_line(film: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "longtake", "text", str(film)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot print" in done.stderr


def test_brackets_in_a_name_are_shown_as_they_are(film: Path, tmp_path: Path) -> None:
    odd = tmp_path / "[bold]odd[red].mp4"
    odd.write_bytes(film.read_bytes())
    odd.with_suffix(".srt").write_text(SUBTITLES)
    out, _ = longtake("ask", odd, "When does the ferry leave?", "--set", "ocr=false", "--save", "[x]", cwd=tmp_path)
    assert "[x]/trace.json, evidence.jpg" in out
    out, _ = longtake("doctor", cwd=tmp_path)
    assert "pip install 'longtake'" not in out


def test_interrupting_keeps_the_turns_and_says_where(film: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        command = [sys.executable, "-m", "longtake", "ask", str(film), "What?", "--model", "openai:x"]
        command += ["--base-url", url, "--save", "run"]
        run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            run.send_signal(signal.SIGINT)
            _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "interrupted; the turns until here are in run/trace.json" in err
    assert "Traceback" not in err
    assert load_trace(tmp_path / "run/trace.json").stop_reason is None


def test_split_by_seconds(film: Path, tmp_path: Path) -> None:
    out, _ = longtake("split", film, "--seconds", "4", "--exact", "--out", "clips", cwd=tmp_path)
    assert len(list((tmp_path / "clips").iterdir())) == 3
    assert "3 clips" in out


def test_text_and_search(film: Path, tmp_path: Path) -> None:
    out, _ = longtake("text", film, cwd=tmp_path)
    assert out == "[00:00:02.0 - 00:00:04.0 | 2.0 - 4.0 s] subtitles: Ada: The ferry leaves at half past six.\n"
    out, _ = longtake("text", film, "--search", "ferries", "--json", cwd=tmp_path)
    assert json.loads(out)[0]["span"] == {"start": 2.0, "end": 4.0}
    out, _ = longtake("text", film, "--search", "trombone", cwd=tmp_path)
    assert out == ""


def test_doctor_finds_this_machine_well(tmp_path: Path) -> None:
    out, _ = longtake("doctor", cwd=tmp_path)
    assert "ok   decoding a sample" in out
    assert "text search" in out
    _, err = longtake("doctor", "--json", cwd=tmp_path)
    assert not err


def test_doctor_says_what_is_wrong_with_the_endpoint(tmp_path: Path) -> None:
    out, _ = longtake("doctor", cwd=tmp_path, code=1, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert "FAIL model endpoint" in out


def test_help_and_version(tmp_path: Path) -> None:
    out, _ = longtake("--help", cwd=tmp_path)
    for command in ("ask", "demo", "probe", "frames", "split", "text", "doctor"):
        assert command in out
    out, _ = longtake("ask", "--help", cwd=tmp_path)
    assert "Examples" in out
    out, _ = longtake("--version", cwd=tmp_path)
    assert out.startswith("longtake 0.")
