"""Decoding in a process of its own, for files that are not trusted: one that hangs or crashes FFmpeg is killed and
takes nothing with it.

`Child` is the parent's end, `serve` the child's. They exchange pickles over the child's standard streams; both ends
are this package, on this machine.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import VideoDecodeError, VideoError, VideoTimeoutError
from .extent import scan_keys
from .frame_cache import Picture
from .frame_folder import open_track
from .probe import Track
from .workers import Request, read, too_late

__all__ = ["Child", "serve"]

_COMMAND = (sys.executable, "-c", "from longtake.video.isolate import serve; serve()")
_NO_DEADLINE = threading.TIMEOUT_MAX


class Child:
    """A process that probes and reads. Started when first needed, and again after it was killed; one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def probe(self, path: Path, frame_fps: float | None, deadline_seconds: float) -> Track:
        """As `frame_folder.open_track`; raises `VideoTimeoutError` too."""
        for kind, value in self._ask(("probe", (path, frame_fps)), path, deadline_seconds):
            if kind == "track":
                return value
        raise VideoTimeoutError(
            f"{path}: gave up after {deadline_seconds:g} s without having read its header; the file or disk hangs"
        )

    def keys(self, track: Track, deadline_seconds: float) -> npt.NDArray[np.int64]:
        """As `extent.scan_keys`; raises `VideoTimeoutError` too."""
        for kind, value in self._ask(("keys", track), track.path, deadline_seconds):
            if kind == "keys":
                return value
        raise VideoTimeoutError(
            f"{track.path}: listing its key frames took more than {deadline_seconds:g} s; raise deadline_seconds"
        )

    def read(self, request: Request, deadline_seconds: float, deliver: Callable[[int, Picture], None]) -> None:
        """As `workers.read`."""
        num_read, latest = 0, None
        for kind, value in self._ask(("read", request), request.track.path, deadline_seconds):
            if kind == "end":
                return
            target, picture = value
            deliver(target, picture)
            num_read, latest = num_read + 1, max(target, latest or target)
        raise too_late(request, deadline_seconds, num_read, latest)

    def _ask(self, message: tuple[str, object], path: Path, deadline_seconds: float) -> Iterator[tuple[str, Any]]:
        """The replies to ``message``; ends early when the deadline killed the process."""
        with self._lock:
            process = self._running()
            late = threading.Event()

            def kill() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(deadline_seconds, kill)
            timer.daemon = True
            timer.start()
            done = False
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                pickle.dump(message, process.stdin)
                process.stdin.flush()
                while not done:
                    kind, value = pickle.load(process.stdout)
                    if kind == "error":
                        done = True
                        raise value
                    done = kind != "picture"
                    yield kind, value
            except (EOFError, BrokenPipeError, pickle.UnpicklingError) as e:
                if not late.is_set():
                    code = process.wait()
                    raise VideoDecodeError(
                        f"{path} made the decoding process end with code {code}; the file is damaged in a way FFmpeg "
                        "does not survive, so leave it out"
                    ) from e
            finally:
                timer.cancel()
                if not done:
                    process.kill()
                    process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            weakref.finalize(self, _end, self._process)
        return self._process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            # what is still in its buffer has nobody to read it
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def serve() -> None:
    """Answers requests on standard input until it closes."""
    replies = os.fdopen(os.dup(1), "wb")
    # whatever a library prints must not mix with the replies
    os.dup2(2, 1)

    def reply(kind: str, value: object) -> None:
        pickle.dump((kind, value), replies, protocol=pickle.HIGHEST_PROTOCOL)
        replies.flush()

    while True:
        try:
            kind, value = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if kind == "probe":
                reply("track", open_track(*value))
            elif kind == "keys":
                reply("keys", scan_keys(value.path, value.index, value.in_order))
            else:
                known = open_track(value.track.path, value.track.info.average_fps)
                own = Request(known, value.look, value.groups, value.keys_only, value.skip_damaged)
                read(own, _NO_DEADLINE, lambda target, picture: reply("picture", (target, picture)))
                reply("end", None)
        except VideoError as e:
            reply("error", e)
