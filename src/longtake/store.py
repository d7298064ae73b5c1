"""Files longtake owns: content fingerprints, atomic writes, the cache folder and a keyed cache on disk.

A cache may be deleted at any time; nothing but time is lost.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import orjson

from .errors import StoreError, VideoDecodeError
from .types import JSON, from_json, to_json

__all__ = ["DiskCache", "cache_dir", "digest", "fingerprint", "kept", "write_atomic"]

T = TypeVar("T")
log = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 20


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                os.unlink(file.name)
                raise
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e}") from e


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


class DiskCache:
    """Bytes by key in one SQLite file, safe for threads and processes. Past ``max_bytes`` the oldest entries go."""

    def __init__(self, path: Path, *, max_bytes: int = 1 << 30) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("create table if not exists entries (key text primary key, value blob, used integer)")
            self._db.execute("create index if not exists by_use on entries (used)")
        except sqlite3.Error as e:
            raise StoreError(f"cannot use the cache file {path}: {e}; delete it, or set LONGTAKE_CACHE") from e

    def get(self, key: str) -> bytes | None:
        with self._lock:
            row = self._db.execute("select value from entries where key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def put(self, key: str, value: bytes) -> None:
        with self._lock:
            self._db.execute("insert or replace into entries values (?, ?, unixepoch())", (key, value))
            (total,) = self._db.execute("select coalesce(sum(length(value)), 0) from entries").fetchone()
            if total > self.max_bytes:
                self._db.execute(
                    "delete from entries where key in (select key from entries order by used, rowid limit"
                    " (select max(1, count(*) / 4) from entries))"
                )

    def close(self) -> None:
        with self._lock:
            self._db.close()
