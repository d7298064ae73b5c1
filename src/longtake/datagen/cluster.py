"""Texts for those who run on a cluster: how to serve the models of a run, and a Slurm job that runs it on many nodes.

Makes text and starts nothing.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from ..errors import ConfigError
from ..registry import resolve
from ..types import GenerateConfig, Message, ModelOutput, ToolSpec
from .recipe import DataSettings, Role, recipe_settings
from .steps.blind import MAX_TOKENS as BLIND_TOKENS

__all__ = ["SlurmJob", "serve_lines", "slurm_script"]

T = TypeVar("T")

RECOMMENDED: dict[str, str] = {
    "caption": "Qwen/Qwen3-VL-8B-Instruct",
    "trace": "Qwen/Qwen3-VL-8B-Instruct",
    "reason": "Qwen/Qwen3-30B-A3B-Thinking-2507",
    "blind": "Qwen/Qwen3-30B-A3B-Thinking-2507",
}
"""Open models for roles that no model is given for."""

FIRST_PORT = 8000
PIXELS_PER_TOKEN = 28 * 28
"""Qwen2.5-VL's; later models take fewer tokens for a picture."""
CROP_FRAMES, CROP_PIXELS, CAPTION_PIXELS = 128, 224 * 224, 360 * 420
"""What the agent's `crop_video` gives at most, and a caption's frames where the recipe has no setting for them."""
PROMPT_TOKENS = {"caption": 8192, "reason": 65536, "trace": 16384, "blind": 4096}
"""Room for the words of a prompt; a reason prompt holds the captions of an hour."""

_TOOL_PARSERS = (
    ("qwen3-coder", "qwen3_coder"),
    ("qwen|qwq|hermes", "hermes"),
    ("llama-?4", "llama4_pythonic"),
    ("llama", "llama3_json"),
    ("mistral|magistral|ministral|pixtral", "mistral"),
    (r"deepseek-v3\.1", "deepseek_v31"),
    ("deepseek", "deepseek_v3"),
    (r"glm-4\.5", "glm45"),
    ("kimi-k2", "kimi_k2"),
    ("granite", "granite"),
)
_REASONING_PARSERS = (
    ("deepseek-r1|qwq", "deepseek_r1"),
    (r"deepseek-v3\.1", "deepseek_v3"),
    ("qwen3(?!.*(?:instruct|coder))", "qwen3"),
    (r"glm-4\.5", "glm45"),
)
_HOSTED = re.compile(r"gpt-[345]|o[1-9](-|$)|chatgpt")


@dataclass
class _Server:
    """One ``vllm serve``: the model, where, and what its roles ask of it."""

    model: str
    url: str
    roles: list[str] = field(default_factory=list[str])
    num_frames: int = 0
    num_tokens: int = 0
    why: list[str] = field(default_factory=list[str])


def serve_lines(settings: DataSettings, *, videos: str = "VIDEOS", out: str = "RUN") -> list[str]:
    """Shell lines: ``vllm serve`` for every model of the recipe's roles, then the run that uses them.

    A role with no model but the reader gets a `RECOMMENDED` one. Raises `ConfigError`."""
    own = recipe_settings(settings)
    roles = _roles_of(settings, own)
    servers, lines, run = list[_Server](), list[str](), dict[str, str]()
    for role in roles:
        given = getattr(settings, f"{role}_model") or settings.model
        kind, _, name = (f"openai:{RECOMMENDED[role]}" if given == "reader" else given).partition(":")
        url = getattr(settings, f"{role}_base_url") or settings.base_url
        if kind != "openai" or (url is None and _HOSTED.match(name)):
            lines.append(f"# {role}: {given} is not served here")
            run[f"--{role}-model"] = given
            continue
        server = next((s for s in servers if s.model == name and url in (None, s.url)), None)
        if server is None:
            taken = {urlsplit(s.url).port for s in servers}
            port = next(p for p in range(FIRST_PORT, FIRST_PORT + 99) if p not in taken)
            server = _Server(name, url or f"http://localhost:{port}/v1")
            servers.append(server)
        _ask_of(server, role, own)
        run |= {f"--{role}-model": f"openai:{name}", f"--{role}-base-url": server.url}
    for server in servers:
        lines += [f"# {'; '.join(server.why)}", _serve_line(server)]
    command = ["longtake", "data", "run", "--recipe", settings.recipe, "--videos", videos, "--out", out]
    command += [word for option in run.items() for word in option]
    for key, value in settings.settings.items():
        command += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return [
        *lines,
        "# then, on any machine that reaches them (elsewhere: their host for localhost)",
        shlex.join(command),
    ]


def _roles_of(settings: DataSettings, own: BaseModel) -> list[str]:
    """The roles that the recipe asks a model for, in its order."""
    asked = dict[str, None]()

    def models(role: Role) -> _Nobody:
        asked[role] = None
        return _Nobody()

    build: Callable[[Any, Callable[[Role], _Nobody]], Any] = resolve("recipe", settings.recipe)
    build(own, models)
    return [*asked, *(["blind"] if settings.blind_model else [])]


class _Nobody:
    """A model that is only named."""

    name = "nobody"

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        raise ConfigError("nobody is asked here")


def _ask_of(server: _Server, role: str, own: BaseModel) -> None:
    """Adds what a role needs: frames a request, tokens, and why."""
    num_frames, pixels = 0, getattr(own, "max_pixels", CAPTION_PIXELS)
    why = "words only"
    if role == "caption":
        num_frames = max(getattr(own, name, 0) for name in ("max_frames", "caption_frames", "visual_frames"))
        why = f"sees up to {num_frames} frames a request"
    elif role == "trace":
        overview, turns = getattr(own, "overview_frames", 64), getattr(own, "max_turns", 5)
        num_frames, pixels = overview + turns * CROP_FRAMES, CROP_PIXELS
        why = f"calls tools; an overview of {overview} frames and {turns} turns of up to {CROP_FRAMES}"
    reply = getattr(own, "caption_max_tokens" if role == "caption" else "max_tokens", 4096)
    reply = BLIND_TOKENS if role == "blind" else reply
    reply *= getattr(own, "max_turns", 5) if role == "trace" else 1
    tokens = num_frames * -(-pixels // PIXELS_PER_TOKEN) + PROMPT_TOKENS[role] + reply
    server.roles.append(role)
    server.num_frames = max(server.num_frames, num_frames)
    server.num_tokens = max(server.num_tokens, -(-tokens // 1024) * 1024)
    server.why.append(f"{role}: {why}")


def _serve_line(server: _Server) -> str:
    name = server.model.lower()
    line = ["vllm", "serve", server.model, "--served-model-name", server.model]
    line += ["--port", str(urlsplit(server.url).port or FIRST_PORT), "--max-model-len", str(server.num_tokens)]
    if server.num_frames:
        line += ["--limit-mm-per-prompt", json.dumps({"image": server.num_frames})]
    if "trace" in server.roles:
        line += ["--enable-auto-tool-choice", "--tool-call-parser", _first(_TOOL_PARSERS, name) or "hermes"]
    if parser := _first(_REASONING_PARSERS, name):
        line += ["--reasoning-parser", parser]
    return shlex.join([*line, "--tensor-parallel-size", str(_num_gpus(name))])


def _first(table: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((parser for pattern, parser in table if re.search(pattern, name)), None)


def _num_gpus(name: str) -> int:
    """For cards of 80 GB, by the billions of parameters in the name."""
    found = re.search(r"(\d+(?:\.\d+)?)b\b", name)
    billions = float(found[1]) if found else (671 if re.search("deepseek-(r1|v3)", name) else 0)
    return next((gpus for most, gpus in ((16, 1), (36, 2), (80, 4)) if billions <= most), 8)


# ------------------------------------------------------------------------------------------------------- Slurm


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """What is asked of Slurm. ``time`` as it takes it (``24:00:00``)."""

    nodes: int = 2
    time: str = "24:00:00"
    cpus_per_task: int = 16
    partition: str | None = None
    gpus_per_node: int | None = None
    job_name: str = "longtake-data"

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.cpus_per_task < 1 or (self.gpus_per_node is not None and self.gpus_per_node < 1):
            raise ConfigError("nodes, CPUs and GPUs must each be at least 1")
        for text in (self.time, self.partition or "", self.job_name):
            if not re.fullmatch(r"[\w.:,-]*", text):
                raise ConfigError(f"{text!r} cannot stand in an #SBATCH line; letters, digits and . : , - _ can")


def slurm_script(arguments: Sequence[str], job: SlurmJob) -> str:
    """An sbatch file that runs ``longtake data run ARGUMENTS`` on a Ray cluster of all its nodes.

    It is put in the queue again when a node fails, and before its time is over; the run goes on where it stopped. The
    folders of the arguments must be shared by the nodes. Raises `ConfigError`."""
    if any(word == "--ray" or word.startswith("--ray=") for word in arguments):
        raise ConfigError("--ray is given by the script itself; leave it out")
    if not any(word == "--videos" or word.startswith("--videos=") for word in arguments):
        raise ConfigError("give the arguments of longtake data run after --: -- --videos FOLDER --out RUN ...")
    asked = {
        "job-name": job.job_name, "nodes": job.nodes, "ntasks-per-node": 1, "cpus-per-task": job.cpus_per_task,
        "time": job.time, "partition": job.partition, "gpus-per-node": job.gpus_per_node,
    }  # fmt: skip
    head = [f"#SBATCH --{name}={value}" for name, value in asked.items() if value is not None]
    return "\n".join(["#!/bin/bash", *head, _SLURM.strip("\n").replace("@ARGUMENTS@", shlex.join(arguments)), ""])


_SLURM = r"""
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@300

# Activate the environment that has longtake here, if the shell that submits this has not.

set -euo pipefail
export RAY_USAGE_STATS_ENABLED=0
# only processes of this job may use its cluster
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${nodes[0]}
port=${RAY_PORT:-6379}
address=$first:$port
cpus=$SLURM_CPUS_PER_TASK
steps=()
run=
requeue=

finish() {
  trap - EXIT
  for pid in $run "${steps[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
}
trap finish EXIT
trap 'exit 143' TERM
# Slurm's warning before the time is over: everything that is done is kept, the rest is for the next turn
trap 'requeue=1; kill "$run" 2>/dev/null || true' USR1

# succeeds when so many nodes have joined
joined() {
  python - "$address" "$1" 2>/dev/null <<'PYTHON'
import logging, sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
sys.exit(sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]))
PYTHON
}

wait_for_nodes() {
  for _ in $(seq 60); do
    for pid in "${steps[@]}"; do
      kill -0 "$pid" 2>/dev/null || { echo "Ray ended on a node before all had joined" >&2; exit 1; }
    done
    (exec 3<>"/dev/tcp/$first/$port") 2>/dev/null && joined "$1" && return
    sleep 2
  done
  echo "$1 nodes did not join the Ray cluster at $address in time" >&2
  exit 1
}

srun --nodes=1 --ntasks=1 --cpus-per-task="$cpus" --nodelist="$first" \
  ray start --head --node-ip-address="$first" --port="$port" --num-cpus="$cpus" --include-dashboard=false --block &
steps+=($!)
wait_for_nodes 1
others=$((${#nodes[@]} - 1))
if ((others > 0)); then
  srun --nodes="$others" --ntasks="$others" --cpus-per-task="$cpus" --exclude="$first" \
    ray start --address="$address" --num-cpus="$cpus" --block &
  steps+=($!)
  wait_for_nodes "${#nodes[@]}"
fi

longtake data run @ARGUMENTS@ --ray "$address" &
run=$!
code=0
wait "$run" || code=$?
if [[ $requeue ]]; then
  wait "$run" || true
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""
