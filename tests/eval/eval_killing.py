"""Runs of ``longtake eval run`` against the endpoint process, killed again and again, and what became of them.

The questions are the endpoint's own (`endpoint_replies`): the agent looks once and answers, two requests a question.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judges import JudgingEndpoint, Seen
from killing import ray_workers, wait_to_kill

from clips import picture_of, write_frames
from endpoint import Endpoint
from endpoint_replies import answer_to
from longtake.models.journaled import in_doubt

IN_FLIGHT = 4
FPS, SECONDS = 5, 30
_SOUNDS = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_OTHERS = ("a grey map", "a red bell", "a tin whistle")


@dataclass(frozen=True)
class Outcome:
    """What came of one run. ``requests`` counts those of the agent's endpoint by their bytes, ``judged`` those of the
    judge by question and answer, known cases apart; ``in_doubt`` are the calls under way at a kill."""

    metrics: dict[str, Any]
    predictions: list[dict[str, Any]]
    requests: Counter[str]
    judged: Counter[str]
    num_in_doubt: int
    num_judged_in_doubt: int
    kills: int = 0


@dataclass(frozen=True)
class Job:
    data: Path
    videos: Path
    endpoint: Endpoint
    judge: JudgingEndpoint | None = None
    options: Sequence[str] = ()
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def begin(self, out: Path) -> subprocess.Popen[bytes]:
        judge = [] if self.judge is None else ["--judge", "openai:tiny", "--judge-base-url", self.judge.base_url]
        command = [sys.executable, "-m", "longtake", "eval", "run", "custom", "--data", str(self.data),
                   "--videos", str(self.videos), "--agent", "crop", "--frames", "4", "--set", "ocr=false",
                   "--model", "openai:tiny", "--base-url", self.endpoint.base_url, "--out", str(out),
                   "--in-flight", str(IN_FLIGHT), "--json", *judge, *self.options]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environ)

    def num_requests(self) -> int:
        return len(self.endpoint.entries("received"))

    def run(self, out: Path, *, kills: int = 0, seed: int = 0) -> Outcome:
        """The process of the command dies ``kills`` times, and the command is given again."""
        chance, first, first_judged = random.Random(seed), self.num_requests(), self._num_judged()
        for done in range(kills):
            process = self.begin(out)
            if not wait_to_kill(process, self.num_requests, chance, most=IN_FLIGHT):
                return self._finish(process, out, first, first_judged, done)
            process.kill()
            process.communicate()
        return self._finish(self.begin(out), out, first, first_judged, kills)

    def run_with_workers_killed(self, out: Path, *, kills: int, seed: int) -> Outcome:
        chance, first, first_judged, done = random.Random(seed), self.num_requests(), self._num_judged(), 0
        process = self.begin(out)
        while done < kills and wait_to_kill(process, self.num_requests, chance, most=IN_FLIGHT):
            if workers := ray_workers(out.glob("*/*.jsonl")):
                os.kill(chance.choice(workers), signal.SIGKILL)
                done += 1
        return self._finish(process, out, first, first_judged, done)

    def _num_judged(self) -> int:
        return 0 if self.judge is None else len(self.judge.requests)

    def _finish(
        self, process: subprocess.Popen[bytes], out: Path, first: int, first_judged: int, kills: int
    ) -> Outcome:
        _, errors = process.communicate(timeout=120)
        if process.returncode != 0:
            raise RuntimeError(f"the run ended with {process.returncode}: {errors.decode()[-3000:]}")
        bodies = [] if self.judge is None else self.judge.requests[first_judged:]
        seen = [Seen.of(body["messages"][0]["content"]) for body in bodies]
        return Outcome(
            json.loads((out / "metrics.json").read_text()),
            [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()],
            Counter(entry.digest for entry in self.endpoint.entries("received")[first:]),
            Counter(f"{one.question} -> {one.answer}" for one in seen if "crate" in one.question),
            len(in_doubt(out / "calls")),
            len(in_doubt(out / "judge")),
            kills,
        )


def without_time(metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics but for how long it took, where it was, and what it cost to try the judge at each start."""
    usage = {key: value for key, value in metrics["usage"].items() if key not in ("seconds", "per_question")}
    return {
        **metrics,
        "usage": usage,
        "judge_usage": None,
        "settings": {**metrics["settings"], "endpoints": None, "settings": None},
    }


def write_films(folder: Path, num: int = 3) -> Path:
    folder.mkdir()
    for n in range(num):
        write_frames(folder / f"f{n}.mp4", ((i, picture_of(n * 999 + i)) for i in range(SECONDS * FPS)), fps=FPS)
    return folder


def write_questions(path: Path, num: int, *, open_share: float = 0.5) -> Path:
    """Of these the endpoint knows the answer, but for every fifth, whose gold is another."""
    rows, chance = list[dict[str, Any]](), random.Random(5)
    for n in range(num):
        start = chance.uniform(0, SECONDS - 4)
        question = f"What does guest {n} take out of the crate marked {_encoded(start)}-{_encoded(start + 3)}?"
        right = "something else" if n % 5 == 0 else answer_to(question)
        row: dict[str, Any] = {"id": f"q{n}", "video": f"f{n % 3}.mp4", "question": question, "answer": right}
        if n >= num * open_share:
            row |= {"options": [_OTHERS[0], right, *_OTHERS[1:]], "answer": "B"}
        rows.append({**row, "spans": [[start, start + 3]]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _encoded(seconds: float) -> str:
    number, sounds = round(seconds * 1000), ""
    for _ in range(4):
        number, digit = divmod(number, 70)
        sounds = _SOUNDS[digit] + sounds
    assert re.fullmatch("[a-z]{8}", sounds)
    return sounds
