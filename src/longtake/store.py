"""Files longtake owns: content fingerprints, atomic writes, locked folders, the cache folder and a keyed cache on disk.

A cache may be deleted at any time; nothing but time is lost.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar, cast

import orjson

from .errors import StoreError, VideoDecodeError
from .types import JSON, from_json, to_json

__all__ = [
    "DiskCache",
    "Journal",
    "cache_dir",
    "digest",
    "fingerprint",
    "is_locked",
    "kept",
    "locked",
    "write_atomic",
    "writer_name",
]

T = TypeVar("T")
log = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 20
_LOCK_ATTEMPTS = 10
_WRITTEN_AT = re.compile(r"\d+(?:\.\d+)?(?=-)")
_USED_BYTES = (
    "select (page_count - freelist_count) * page_size from pragma_page_count, pragma_freelist_count, pragma_page_size"
)


def cache_dir(*parts: str) -> Path:
    """A folder in the cache, made if absent: under ``$LONGTAKE_CACHE``, else ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    base = os.environ.get("LONGTAKE_CACHE")
    root = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "longtake"
    folder = root.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise StoreError(
            f"cannot make the cache folder {folder}: {e}; set LONGTAKE_CACHE to a folder you can write"
        ) from e
    return folder


def fingerprint(path: Path) -> str:
    """Names a file by its content, 32 hex digits: size and sha256 over its first, middle and last MiB.

    Reading three MiB keeps this in milliseconds for files of many gigabytes; files up to 3 MiB are hashed whole.
    Raises `VideoDecodeError` for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            state = hashlib.sha256(str(size).encode())
            if size <= 3 * _BLOCK_BYTES:
                state.update(file.read())
            else:
                for start in (0, (size - _BLOCK_BYTES) // 2, size - _BLOCK_BYTES):
                    file.seek(start)
                    state.update(file.read(_BLOCK_BYTES))
    except OSError as e:
        problem = (e.strerror or str(e)).lower()
        raise VideoDecodeError(f"{path} cannot be read: {problem}; check the file and who may read it") from e
    return state.hexdigest()[:32]


def digest(value: JSON) -> str:
    """sha256 of the canonical JSON of ``value``, 64 hex digits: the same value, the same digest, anywhere."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces ``path`` by ``data`` in one step: a reader or a crash sees the old file or the new one, never a part."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:  # not by tempfile, whose files nobody else may read whatever the umask
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e}") from e


def writer_name(others: Iterable[Path] = ()) -> str:
    """Names a process that appends to journals: in the order of time, since of what failed the later line counts.

    ``others`` are the files of earlier ones: its name comes after theirs, also where the clock was set back."""
    times = [float(found[0]) for path in others if (found := _WRITTEN_AT.match(path.name))]
    now = max([time.time(), *(at + 1e-5 for at in times)])
    return f"{now:.6f}-{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"


@contextmanager
def locked(root: Path) -> Generator[None]:
    """Only one run at a time in this folder. Raises `StoreError` when there is another, or no such folder."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / ".lock").open("w")
    except OSError as e:
        raise StoreError(f"cannot use {root} for a run: {e.strerror}; give another --out") from e
    with file:
        _lock(root, file)
        for part in root.glob(".*.json*.*"):  # what a kill left of a file that was being written
            part.unlink(missing_ok=True)
        yield


def _lock(root: Path, file: IO[str]) -> None:
    for attempts_left in reversed(range(_LOCK_ATTEMPTS)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:  # perhaps only someone who looks whether it is locked
            if not attempts_left:
                raise StoreError(f"another run is at work in {root}; wait for it, or stop it") from None
            time.sleep(0.1)
        except OSError as e:
            raise StoreError(f"cannot lock {root}: {e.strerror}") from e


def is_locked(root: Path) -> bool:
    """Whether a run is at work in this folder."""
    try:
        with (root / ".lock").open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def kept(cls: type[T], path: Path, make: Callable[[], T]) -> T:
    """What ``make`` gave when it was kept in ``path`` (any type that `from_json` reads), or gives now.

    A file that cannot be read back is made anew."""
    if path.exists():
        try:
            return from_json(cls, path.read_bytes())
        except StoreError as e:
            log.warning("%s is damaged and is made anew: %s", path, e)
    value = make()
    write_atomic(path, to_json(value))
    return value


class Journal:
    """Values by second in the file ``path``; the last record of a second counts.

    A record starts and ends with a line end and is written in one go: one cut short by a crash spoils only itself,
    and several processes may append to the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[float, JSON]:
        """All whole records; damaged lines are skipped, so what they held is recognised again."""
        found: dict[float, JSON] = {}
        if not self.path.exists():
            return found
        for line in self.path.read_bytes().splitlines():
            if not line:
                continue
            try:
                record = cast("JSON", orjson.loads(line))
            except orjson.JSONDecodeError:
                record = None
            match record:
                case [int() | float() as seconds, value]:
                    found[float(seconds)] = value
                case _:
                    log.debug("%s: a damaged line is skipped", self.path)
        return found

    def add(self, seconds: float, value: JSON) -> None:
        """Appends one record. Raises `StoreError` if the file cannot be written."""
        try:
            with self.path.open("ab", buffering=0) as file:
                file.write(b"\n" + orjson.dumps([seconds, value]) + b"\n")
        except OSError as e:
            raise StoreError(f"cannot write {self.path}: {e}; set LONGTAKE_CACHE to a folder you can write") from e


class DiskCache:
    """Bytes by key in one SQLite file, safe for threads and processes. Past ``max_bytes`` the oldest quarter goes.

    Trouble with the file never raises: it is a miss and a line in the log. A damaged file is moved aside, and the
    next use begins a new one."""

    def __init__(self, path: Path, *, max_bytes: int = 1 << 30) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._has_warned = False

    def get(self, key: str) -> bytes | None:
        row = self._use(lambda db: db.execute("select value from entries where key = ?", (key,)).fetchone())
        return None if row is None else row[0]

    def put(self, key: str, value: bytes) -> None:
        self._use(lambda db: self._put(db, key, value))

    def close(self) -> None:
        """Gives the file back; the next use opens it again."""
        with self._lock:
            self._disconnect()

    def _put(self, db: sqlite3.Connection, key: str, value: bytes) -> None:
        db.execute("insert or replace into entries (key, value) values (?, ?)", (key, value))
        (used_bytes,) = db.execute(_USED_BYTES).fetchone()
        if used_bytes > self.max_bytes:
            db.execute(
                "delete from entries where rowid in (select rowid from entries order by rowid limit"
                " (select max(1, count(*) / 4) from entries))"
            )

    def _use(self, act: Callable[[sqlite3.Connection], T]) -> T | None:
        with self._lock:
            try:
                self._db = self._db or self._connect()
                return act(self._db)
            except (sqlite3.Error, OSError) as e:
                self._disconnect()
                if getattr(e, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                    self._move_aside(e)
                else:
                    self._warn(f"the cache {self.path} cannot be used, so work may be done again: {e}")
                return None

    def _connect(self) -> sqlite3.Connection:
        self._inode = _inode(self.path)
        db = sqlite3.connect(self.path, timeout=10, check_same_thread=False, isolation_level=None)
        try:
            # not WAL: changing to it fails at once, without waiting, where another process has just opened the file
            db.execute("pragma synchronous = normal")
            db.execute("create table if not exists entries (key text primary key, value blob)")
        except BaseException:
            db.close()
            raise
        return db

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _move_aside(self, why: Exception) -> None:
        """Unless another process has done so or is doing so."""
        aside, gate, *journals = (
            self.path.with_name(self.path.name + end) for end in (".damaged", ".moving", "-journal", "-wal", "-shm")
        )
        try:
            gate.mkdir()
            try:
                if _inode(self.path) != self._inode:
                    return
                for journal in journals:  # SQLite would apply them to the new file
                    journal.unlink(missing_ok=True)
                self.path.replace(aside)
            finally:
                gate.rmdir()
        except OSError as e:
            self._warn(f"the cache {self.path} is damaged ({why}) and not used; if that stays so, delete it: {e}")
        else:
            self._warn(f"the cache {self.path} is damaged ({why}); it is now {aside.name}, and a new one is begun")

    def _warn(self, message: str) -> None:
        """Once; the same trouble comes with every use."""
        log.log(logging.DEBUG if self._has_warned else logging.WARNING, message)
        self._has_warned = True


def _inode(path: Path) -> int:
    """Tells one file of this name from the next; 0 when there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
