"""Reads groups of pictures on a few daemon threads, by a deadline, with decoders shared among all calls.

Owns the bound on decoders at work and the idle ones kept open. A thread that hangs in C is abandoned: its caller goes
on at the deadline. Knows nothing of spans or sizes.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import VideoDecodeError, VideoTimeoutError
from .frame_cache import Picture
from .frame_folder import FrameTrack
from .frame_reader import FrameReader
from .picture import Look
from .probe import Track
from .reader import Reader

__all__ = ["Request", "nothing", "read", "run_by_deadline", "too_late"]

T = TypeVar("T")
NUM_DECODERS = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """``groups``: targets in ticks, ascending, each group under one key frame; for ``keys_only`` the key frames.

    ``skip_damaged``: damage ends its group, not the request, unless nothing at all can be decoded."""

    track: Track
    look: Look
    groups: tuple[tuple[int, ...], ...]
    keys_only: bool = False
    skip_damaged: bool = False

    @property
    def num_wanted(self) -> int:
        return sum(len(group) for group in self.groups)


class _Cancelled(Exception):
    """The caller has given up waiting."""


class _Decoders:
    """Permits to decode, and readers that wait for their next use. Begins anew in a forked child."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(NUM_DECODERS)
        self._idle: OrderedDict[Reader | FrameReader, None] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, track: Track) -> Reader | FrameReader:
        with self._lock:
            for reader in reversed(self._idle):
                if reader.track is track:
                    del self._idle[reader]
                    return reader
        return FrameReader(track) if isinstance(track, FrameTrack) else Reader(track)

    def give(self, reader: Reader | FrameReader) -> None:
        with self._lock:
            self._idle[reader] = None
            old = self._idle.popitem(last=False)[0] if len(self._idle) > 2 * NUM_DECODERS else None
        if old is not None:
            old.close()


_decoders = _Decoders()


def _begin_anew() -> None:
    # open files and locks held by threads that a fork does not copy are of no use to the child
    global _decoders
    _decoders = _Decoders()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


@dataclass(slots=True)
class _Work:
    """One request under way; ``done`` is set when the last thread is through."""

    request: Request
    deliver: Callable[[int, Picture], None]
    groups: deque[tuple[int, ...]]
    num_threads: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    done: threading.Event = field(default_factory=threading.Event)
    stopped: bool = False
    num_read: int = 0
    latest: int | None = None
    error: Exception | None = None
    damage: VideoDecodeError | None = None

    def check(self) -> None:
        if self.stopped:
            raise _Cancelled

    def run(self) -> None:
        try:
            self._read_groups()
        except _Cancelled:
            pass
        except Exception as e:  # noqa: BLE001  a thread hands every error to its caller, who raises it
            with self.lock:
                self.error = self.error or e
            self.stopped = True
        finally:
            with self.lock:
                self.num_threads -= 1
                if self.num_threads == 0:
                    self.done.set()

    def _read_groups(self) -> None:
        reader = _decoders.take(self.request.track)
        try:
            while True:
                self.check()
                with self.lock:
                    if not self.groups:
                        break
                    group = self.groups.popleft()
                try:
                    self._read_group(reader, group)
                except VideoDecodeError as e:
                    if not self.request.skip_damaged:
                        raise
                    with self.lock:
                        self.damage = self.damage or e
        except BaseException:
            reader.close()
            raise
        _decoders.give(reader)

    def _read_group(self, reader: Reader | FrameReader, group: tuple[int, ...]) -> None:
        look = self.request.look
        if self.request.keys_only:
            self._take(group[0], reader.key_picture(group[0], look, self.check))
            return
        for target, picture in reader.pictures(group, look, self.check):
            self._take(target, picture)

    def _take(self, target: int, picture: Picture) -> None:
        self.check()
        with self.lock:
            self.num_read += 1
            self.latest = max(target, self.latest or target)
            self.deliver(target, picture)


def nothing() -> None:
    """The ``check`` of work that nobody stops."""


def read(request: Request, deadline_seconds: float, deliver: Callable[[int, Picture], None]) -> None:
    """Calls ``deliver(target, picture)`` for every target, one call at a time, from other threads.

    The deadline counts from when a decoder is free; waiting in line before that is bounded by the deadlines of those
    ahead. Raises `VideoDecodeError`, or `VideoTimeoutError` saying how far it came."""
    permits = _decoders.permits
    permits.acquire()
    num_threads = 1
    while num_threads < min(NUM_DECODERS, len(request.groups)) and permits.acquire(blocking=False):
        num_threads += 1
    work = _Work(request, deliver, deque(request.groups), num_threads)
    try:
        for _ in range(num_threads):
            threading.Thread(target=work.run, daemon=True, name="longtake-decode").start()
        in_time = work.done.wait(deadline_seconds)
    finally:
        work.stopped = True
        for _ in range(num_threads):
            permits.release()
    if work.error is not None:
        raise work.error
    if not in_time:
        with work.lock:
            raise too_late(request, deadline_seconds, work.num_read, work.latest)
    if work.damage is not None and not work.num_read:
        raise work.damage


def too_late(request: Request, deadline_seconds: float, num_read: int, latest: int | None) -> VideoTimeoutError:
    until = "" if latest is None else f", until {request.track.seconds(latest):.3f} s"
    return VideoTimeoutError(
        f"{request.track.path}: gave up after {deadline_seconds:g} s with {num_read} of {request.num_wanted} pictures "
        f"decoded{until}; ask for fewer or raise deadline_seconds"
    )


def run_by_deadline(function: Callable[[], T], deadline_seconds: float, what: str) -> T:
    """``function()`` on a daemon thread. Raises what it raises, or `VideoTimeoutError` naming ``what``."""
    results: list[T] = []
    errors: list[Exception] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(function())
        except Exception as e:  # noqa: BLE001  handed to the caller, who raises it
            errors.append(e)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True, name="longtake-probe").start()
    if not done.wait(deadline_seconds):
        raise VideoTimeoutError(f"{what} took more than {deadline_seconds:g} s; the file or its disk hangs")
    if errors:
        raise errors[0]
    return results[0]
