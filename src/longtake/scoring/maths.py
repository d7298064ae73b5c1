"""Formulas and numbers compared by `math-verify`, in a process of its own: SymPy can be sent away for hours by a line.

`math-verify`'s own limits are alarms, which work in the main thread only; here a process that is late is killed.
"""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import MissingExtraError, ScoringError
from ..types import Sample, Score, Trace
from .base import answer_of, target_of

__all__ = ["is_expression", "maths", "maths_available", "same_maths", "serve"]

_EXTRA = "comparing formulas needs the eval extra: pip install 'longtake[eval]'"
_COMMAND = (sys.executable, "-c", "from longtake.scoring.maths import serve; serve()")
_LONGEST = 400
_START_SECONDS, _SECONDS = 60.0, 10.0
_MAX_BYTES = 4 << 30
_EXPRESSION = re.compile(
    r"\\(?:d?frac|sqrt|pi|times|cdot|boxed|infty|left)\b|\w\s*\^|[=√π]|\d\s*[+*/]\s*\d|\d\s*[a-z]\s*[-+]"
)
_WORD = re.compile(r"(?<![\\a-z])[a-z]{3,}", re.IGNORECASE)
"""Text around a formula, which is then found by its marks; anything else is read as a formula whole."""


def maths_available() -> bool:
    """Whether formulas can be compared here."""
    return find_spec("math_verify") is not None


def is_expression(text: str) -> bool:
    """Whether ``text`` is a formula rather than a number or words: ``\\frac{1}{2}``, ``x^2``, ``3/4``, ``2x + 1``."""
    return len(text) <= _LONGEST and _EXPRESSION.search(text) is not None


def maths(trace: Trace, sample: Sample) -> Score:
    """1 if answer and target are the same number, formula, set or interval, as `math-verify` sees it.

    Raises `MissingExtraError` where ``longtake[eval]`` is not installed."""
    try:
        answer, target = answer_of(trace), target_of(sample)
        same = same_maths(answer, target)
    except ScoringError as e:
        return Score("maths", None, error=str(e))
    return Score("maths", float(same), f"answered {answer!r}, right is {target!r}")


def same_maths(answer: str, target: str) -> bool:
    """Whether ``answer`` equals ``target`` mathematically. What is longer than 400 characters is no formula.

    Raises `ScoringError` for a target that is no formula, or when 10 s do not settle it; `MissingExtraError`."""
    if not maths_available():
        raise MissingExtraError(_EXTRA)
    if len(target) > _LONGEST:
        raise ScoringError(f"the target is no formula: it has {len(target)} characters, at most {_LONGEST} are read")
    if len(answer) > _LONGEST:
        return False
    verdict = _WORKER.ask(answer, target)
    if verdict is None:
        raise ScoringError(f"the target {target!r} is no number or formula that can be read")
    return verdict


class _Worker:
    """The process that compares. Started when first needed, and again after it was killed; one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, answer: str, target: str) -> bool | None:
        """None for a target that cannot be read. Raises `ScoringError` when it takes too long or the process dies."""
        with self._lock:
            process = self._running()
            reply = self._exchange(process, json.dumps([answer, target]), _SECONDS)
            if not reply:
                self.close()
                raise ScoringError(f"{answer!r} and {target!r} could not be compared within {_SECONDS:g} s")
        return json.loads(reply)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            atexit.register(self.close)
            if not self._exchange(self._process, json.dumps(["1", "1"]), _START_SECONDS):
                self.close()
                raise ScoringError("math-verify is installed and does not start; run: python -c 'import math_verify'")
        return self._process

    @staticmethod
    def _exchange(process: subprocess.Popen[bytes], line: str, seconds: float) -> bytes:
        """The reply to ``line``; b"" when the process was killed for being late, or ended."""
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(seconds, process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            reply = process.stdout.readline()
            return reply if reply.endswith(b"\n") else b""
        except BrokenPipeError:
            return b""
        finally:
            timer.cancel()


_WORKER = _Worker()


def serve() -> None:
    """Answers ``[answer, target]`` lines on standard input with true or false, null for a target that is no formula."""
    package: Any = import_module("math_verify")
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MAX_BYTES, _MAX_BYTES))

    def read(text: str) -> Any:
        # without an alarm, which is the asking side's work
        for form in (text,) if _WORD.search(text) else (f"${text}$", text):
            if found := package.parse(form, parsing_timeout=None, raise_on_error=False):
                return found
        return []

    for line in sys.stdin:
        answer, target = json.loads(line)
        gold = read(target)
        same = package.verify(gold, read(answer), timeout_seconds=None, raise_on_error=False) if gold else None
        sys.stdout.write(json.dumps(same) + "\n")
        sys.stdout.flush()
