"""What is printed for servers and clusters: lines that shells read, a Slurm job with Slurm's commands played."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from clips import write_clock
from longtake.datagen.cluster import SlurmJob, serve_lines, slurm_script
from longtake.datagen.recipe import DataSettings
from longtake.errors import ConfigError

ARGUMENTS = ["--videos", "my films", "--out", "run"]


def parsed(line: str) -> tuple[str, dict[str, str]]:
    """The model and the options of a ``vllm serve`` line; "" for an option without a value."""
    words = shlex.split(line)
    assert words[:2] == ["vllm", "serve"]
    options: dict[str, str] = {}
    for word, after in zip(words[3:], [*words[4:], "--"], strict=True):
        if word.startswith("--"):
            options[word] = "" if after.startswith("--") else after
    return words[2], options


def servers(settings: DataSettings) -> dict[str, dict[str, str]]:
    lines = [line for line in serve_lines(settings) if line.startswith("vllm")]
    return dict(parsed(line) for line in lines)


def run_of(settings: DataSettings) -> list[str]:
    return shlex.split(serve_lines(settings)[-1])


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_the_reader_is_replaced_by_models_that_see_and_reason() -> None:
    found = servers(DataSettings())
    assert len(found) == 2
    sees = next(options for options in found.values() if "--limit-mm-per-prompt" in options)
    thinks = next(options for options in found.values() if "--limit-mm-per-prompt" not in options)
    assert json.loads(sees["--limit-mm-per-prompt"]) == {"image": 32}
    assert int(sees["--max-model-len"]) >= 32 * 360 * 420 // 784 + 4096
    assert "--tool-call-parser" not in sees
    assert thinks["--reasoning-parser"] == "qwen3"
    assert int(thinks["--max-model-len"]) > 65536 + 32768 - 1
    assert {sees["--port"], thinks["--port"]} == {"8000", "8001"}


def test_frames_a_request_follow_the_settings() -> None:
    found = servers(DataSettings(settings={"max_frames": 7, "max_pixels": 784}, caption_model="openai:eyes"))
    assert json.loads(found["eyes"]["--limit-mm-per-prompt"]) == {"image": 7}
    traced = servers(
        DataSettings(recipe="longvt", model="openai:Qwen/Qwen3-VL-8B", settings={"overview_frames": 10, "max_turns": 2})
    )
    assert json.loads(traced["Qwen/Qwen3-VL-8B"]["--limit-mm-per-prompt"]) == {"image": 10 + 2 * 128}


@pytest.mark.parametrize(
    ("model", "tools", "reasoning", "gpus"),
    [
        ("Qwen/Qwen2.5-VL-72B-Instruct", "hermes", None, "4"),
        ("Qwen/Qwen3-VL-8B-Thinking", "hermes", "qwen3", "1"),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", "hermes", None, "2"),
        ("deepseek-ai/DeepSeek-R1", "deepseek_v3", "deepseek_r1", "8"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json", None, "1"),
        ("mistralai/Pixtral-12B-2409", "mistral", None, "1"),
    ],
)
def test_parsers_by_family(model: str, tools: str, reasoning: str | None, gpus: str) -> None:
    options = servers(DataSettings(recipe="longvt", model=f"openai:{model}"))[model]
    assert "--enable-auto-tool-choice" in options
    assert options["--tool-call-parser"] == tools
    assert options.get("--reasoning-parser") == reasoning
    assert options["--tensor-parallel-size"] == gpus
    assert options["--served-model-name"] == model


def test_the_run_uses_the_servers_and_what_is_hosted_is_left_alone() -> None:
    settings = DataSettings(
        recipe="longvt",
        model="openai:Qwen/Qwen3-VL-8B",
        reason_model="openai:gpt-5-mini",
        trace_base_url="http://far:9000/v1",
        settings={"ocr": False},
    )
    assert servers(settings)["Qwen/Qwen3-VL-8B"]["--port"] in ("8000", "9000")
    words = run_of(settings)
    assert after(words, "--caption-base-url") == "http://localhost:8000/v1"
    assert after(words, "--trace-base-url") == "http://far:9000/v1"
    assert after(words, "--reason-model") == "openai:gpt-5-mini"
    assert "--reason-base-url" not in words
    assert after(words, "--set") == "ocr=false"


def test_both_texts_from_the_command_line(tmp_path: Path) -> None:
    def longtake(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "longtake", "data", *words], capture_output=True, text=True)

    said = longtake("serve-help", "--recipe", "longvt", "--videos", "my films")
    assert said.returncode == 0, said.stderr
    assert "--videos 'my films'" in said.stdout
    file = tmp_path / "job.sh"
    said = longtake("slurm", "--nodes", "3", "--partition", "long", "--out", str(file), "--", *ARGUMENTS)
    assert said.returncode == 0, said.stderr
    assert "#SBATCH --nodes=3" in file.read_text()
    assert longtake("slurm", "--nodes", "3", "--partition", "long", "--", *ARGUMENTS).stdout == file.read_text()


# --------------------------------------------------------------------------------------------------------- Slurm


def test_the_script_is_bash_with_the_lines_slurm_reads() -> None:
    script = slurm_script(ARGUMENTS, SlurmJob(nodes=4, partition="cpu", gpus_per_node=2, cpus_per_task=8))
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    head = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    for line in ("--nodes=4", "--partition=cpu", "--gpus-per-node=2", "--cpus-per-task=8", "--requeue"):
        assert f"#SBATCH {line}" in head
    assert "longtake data run --videos 'my films' --out run --ray" in script
    assert "--partition" not in slurm_script(ARGUMENTS, SlurmJob())


@pytest.mark.parametrize("arguments", [[*ARGUMENTS, "--ray", "auto"], [*ARGUMENTS, "--ray=local"], ["--out", "run"]])
def test_arguments_that_cannot_work_are_refused(arguments: list[str]) -> None:
    with pytest.raises(ConfigError):
        slurm_script(arguments, SlurmJob())


def test_nothing_gets_into_the_head_of_the_script() -> None:
    with pytest.raises(ConfigError, match="cannot stand"):
        SlurmJob(job_name="a\n#SBATCH --exclusive")
    with pytest.raises(ConfigError, match="at least 1"):
        SlurmJob(nodes=0)


class Played:
    """Slurm's commands, and others, as shell scripts that come first on PATH; ``scontrol`` writes what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told = folder / "told"
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.play("srun", 'while [[ $1 == --* ]]; do shift; done; exec "$@"')
        self.play("scontrol", f'echo "$@" >> {self.told}; [[ $1 != show ]] || printf "127.0.0.1\\n127.0.0.1\\n"')

    def play(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def begin(self, arguments: list[str], environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        script = self.folder / "job.sh"
        script.write_text(slurm_script(arguments, SlurmJob(cpus_per_task=1)))
        path = f"{self.folder}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "SLURM_JOB_NODELIST": "a[1-2]", "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1",
               "RAY_PORT": str(self.port)}  # fmt: skip
        return subprocess.Popen(
            ["bash", str(script)],
            env={**os.environ, **own, **(environ or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def played(tmp_path: Path) -> Played:
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    folder = tmp_path / "bin"
    folder.mkdir()
    return Played(folder)


def test_on_two_nodes_of_a_real_ray_cluster(played: Played, tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs the ray extra")
    films = tmp_path / "my films"
    films.mkdir()
    write_clock(films / "film.mp4", fps=5, num_frames=100)
    process = played.begin(["--videos", str(films), "--out", str(tmp_path / "run"), "--workers", "2"])
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert "complete" in said
    assert said.count("received SIGTERM") == 2
    assert len(list((tmp_path / "run").glob("steps/*caption*/journal/*.jsonl"))) == 1


def test_a_node_that_fails_ends_the_job_with_a_word(played: Played) -> None:
    played.play("ray", "exit 3")
    said, _ = (process := played.begin(ARGUMENTS)).communicate(timeout=20)
    assert process.returncode == 1
    assert "Ray ended on a node" in said


def test_before_its_time_is_over_the_job_is_put_in_the_queue_again(played: Played, tmp_path: Path) -> None:
    played.play("ray", "exec sleep 60")
    played.play("python", "exit 0")
    played.play("longtake", f'touch {tmp_path}/begun; trap "exit 5" TERM; while :; do sleep 0.05; done')
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", played.port))
        listening.listen()
        process = played.begin(ARGUMENTS)
        for _ in range(200):
            if (tmp_path / "begun").exists():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGUSR1)
        said, _ = process.communicate(timeout=20)
    assert process.returncode != 0, said
    assert played.told.read_text().splitlines()[-1] == "requeue 7"
