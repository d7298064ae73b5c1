"""Files of our own: whole or not at all, and a cache that costs time at worst."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from longtake.errors import StoreError
from longtake.store import DiskCache, cache_dir, digest, fingerprint, kept, write_atomic, writer_name
from longtake.types import TimeSpan, to_json

# --------------------------------------------------------------------------------------------- atomic writes


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.json"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]


def test_readers_never_see_a_part(tmp_path: Path) -> None:
    path = tmp_path / "a"
    whole = [bytes([digit]) * 200_000 for digit in b"01"]
    write_atomic(path, whole[0])
    done = threading.Event()

    def write() -> None:
        for turn in range(50):
            write_atomic(path, whole[turn % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert path.read_bytes() in whole
    writer.join()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError, match=r"cannot write .*taken"):
        write_atomic(tmp_path / "taken", b"x")
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(StoreError, match="cannot write"):
        write_atomic(tmp_path / "file" / "a", b"x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "taken"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_is_respected(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


# ------------------------------------------------------------------------------------------------------ kept


def test_work_is_done_once(tmp_path: Path) -> None:
    path = tmp_path / "span.json"
    assert kept(TimeSpan, path, lambda: TimeSpan(1, 2)) == TimeSpan(1, 2)
    assert kept(TimeSpan, path, lambda: TimeSpan(3, 4)) == TimeSpan(1, 2)


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"start": 2, "end": 1}', to_json(TimeSpan(1, 2))[:-3]])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damaged: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "span.json"
    path.write_bytes(damaged)
    assert kept(TimeSpan, path, lambda: TimeSpan(3, 4)) == TimeSpan(3, 4)
    assert path.read_bytes() == to_json(TimeSpan(3, 4))
    assert "span.json is damaged and is made anew" in caplog.text


def test_work_that_fails_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        kept(TimeSpan, tmp_path / "span.json", lambda: TimeSpan(0, 1 / 0))
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ names, folders


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path / "mine"))
    assert cache_dir("models") == tmp_path / "mine" / "models"
    assert (tmp_path / "mine" / "models").is_dir()
    monkeypatch.delenv("LONGTAKE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "longtake"
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path / "file"))
    with pytest.raises(StoreError, match="set LONGTAKE_CACHE to a folder you can write"):
        cache_dir("models")


def test_names_by_content(tmp_path: Path) -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
    for name, data in (("a", b"x" * 100), ("b", b"x" * 100), ("c", b"x" * 99 + b"y")):
        (tmp_path / name).write_bytes(data)
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b") != fingerprint(tmp_path / "c")
    assert len(fingerprint(tmp_path / "a")) == 32


# ------------------------------------------------------------------------------------------------- disk cache


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[DiskCache]:
    cache = DiskCache(tmp_path / "c.sqlite")
    yield cache
    cache.close()


def test_what_is_put_is_got(cache: DiskCache) -> None:
    assert cache.get("a") is None
    cache.put("a", b"one")
    cache.put("a", b"two")
    cache.put("empty", b"")
    cache.close()
    assert (cache.get("a"), cache.get("empty"), cache.get("b")) == (b"two", b"", None)


def test_the_oldest_go_first(cache: DiskCache) -> None:
    cache.max_bytes = 200_000
    for number in range(100):
        cache.put(str(number), b"x" * 5_000)
    left = [number for number in range(100) if cache.get(str(number)) is not None]
    assert left == list(range(left[0], 100))
    assert 20 <= len(left) <= 40
    assert cache.path.stat().st_size < 250_000
    cache.put(str(left[0]), b"again")
    for number in range(100, 105):
        cache.put(str(number), b"x" * 5_000)
    assert cache.get(str(left[0])) == b"again", "what is put again is new"


def test_an_entry_larger_than_the_cache_does_no_harm(cache: DiskCache) -> None:
    cache.max_bytes = 20_000
    for number in range(5):
        cache.put(str(number), b"x" * 50_000)
    cache.max_bytes = 1 << 20
    cache.put("small", b"x")
    assert cache.get("small") == b"x"


def test_putting_stays_cheap_in_a_large_cache(cache: DiskCache) -> None:
    with sqlite3.connect(cache.path) as db:
        db.execute("create table entries (key text primary key, value blob)")
        rows = ((f"{number:064d}", b"x" * 50) for number in range(100_000))
        db.executemany("insert into entries values (?, ?)", rows)
    db.close()
    cache.put("first", b"x")
    started = time.process_time()
    for number in range(20):
        cache.put(str(number), b"x" * 100)
    assert (time.process_time() - started) / 20 < 0.004, "looking at every row takes 0.01 s"


def test_many_threads(cache: DiskCache) -> None:
    def work(name: str) -> None:
        for number in range(20):
            cache.put(f"{name} {number}", name.encode())

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(cache.get(f"{name} {number}") == name.encode() for name in "abcd" for number in range(20))


_WORKER = """
import sys, time
from pathlib import Path
from longtake.store import DiskCache
cache, name = DiskCache(Path(sys.argv[1]), max_bytes=int(sys.argv[3])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    cache.put(f"{name} {number}", name.encode() * 1000)
    assert cache.get(f"{name} {number}") in (name.encode() * 1000, None)
cache.close()
"""


def _two_processes(path: Path, max_bytes: int) -> None:
    """Both begin at the same moment, with no file there yet."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(path), name, str(max_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in "ab"
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline().strip() == b"ready"
    for worker in workers:
        assert worker.stdin
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert (worker.returncode, errors) == (0, b"")


def test_two_processes_lose_nothing(cache: DiskCache) -> None:
    _two_processes(cache.path, 1 << 30)
    assert all(cache.get(f"{name} {number}") == name.encode() * 1000 for name in "ab" for number in range(100))


def test_two_processes_keep_the_bound_together(cache: DiskCache) -> None:
    _two_processes(cache.path, 100_000)
    assert cache.path.stat().st_size < 150_000
    assert cache.get("a 99") or cache.get("b 99")


# ---------------------------------------------------------------------------------------- trouble with the file


def _trouble(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_file_that_is_no_cache_is_moved_aside(cache: DiskCache, caplog: pytest.LogCaptureFixture) -> None:
    cache.path.write_bytes(b"this is not a database" * 1000)
    assert cache.get("a") is None
    cache.put("a", b"one")
    assert cache.get("a") == b"one"
    assert cache.path.with_name("c.sqlite.damaged").read_bytes().startswith(b"this is not")
    (said,) = _trouble(caplog)
    assert "is damaged" in said
    assert "a new one is begun" in said


def test_damage_in_the_middle_is_found_when_it_is_met(cache: DiskCache, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(300):
        cache.put(f"{number:064d}", b"x" * 1000)
    cache.close()
    data = bytearray(cache.path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    cache.path.write_bytes(data)
    assert [cache.get(f"{number:064d}") for number in range(300)] == [None] * 300
    cache.put("a", b"one")
    assert cache.get("a") == b"one"
    assert len(_trouble(caplog)) == 1


def test_a_journal_of_the_damaged_file_does_not_reach_the_new_one(cache: DiskCache) -> None:
    cache.path.write_bytes(b"this is not a database" * 1000)
    journals = [cache.path.with_name(cache.path.name + end) for end in ("-journal", "-wal", "-shm")]
    for journal in journals:
        journal.write_bytes(b"left behind" * 1000)
    cache.get("a")
    cache.put("a", b"one")
    assert cache.get("a") == b"one"
    assert not any(journal.exists() for journal in journals)


def test_a_lost_table_is_a_miss(cache: DiskCache, caplog: pytest.LogCaptureFixture) -> None:
    cache.put("a", b"one")
    with sqlite3.connect(cache.path) as db:
        db.execute("drop table entries")
    db.close()
    assert cache.get("a") is None
    cache.put("a", b"two")
    assert cache.get("a") == b"two"
    (said,) = _trouble(caplog)
    assert "no such table" in said


def test_a_full_disk_is_a_miss(cache: DiskCache, caplog: pytest.LogCaptureFixture) -> None:
    cache.put("a", b"one")
    assert cache._db is not None
    cache._db.execute("pragma max_page_count = 4")
    cache.put("b", b"x" * 100_000)
    assert (cache.get("a"), cache.get("b")) == (b"one", None)
    (said,) = _trouble(caplog)
    assert "full" in said


def test_a_place_that_cannot_be_written_is_a_miss_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = DiskCache(tmp_path / "absent" / "c.sqlite")
    cache.put("a", b"one")
    assert cache.get("a") is None
    (said,) = _trouble(caplog)
    assert "unable to open" in said
    (tmp_path / "absent").mkdir()
    cache.put("a", b"one")
    assert cache.get("a") == b"one"
    cache.close()


def test_a_cache_that_another_process_holds_is_a_miss(cache: DiskCache, caplog: pytest.LogCaptureFixture) -> None:
    cache.put("a", b"one")
    assert cache._db is not None
    cache._db.execute("pragma busy_timeout = 50")
    holder = sqlite3.connect(cache.path, isolation_level=None)
    holder.execute("begin exclusive")
    assert cache.get("a") is None
    holder.close()
    assert cache.get("a") == b"one"
    (said,) = _trouble(caplog)
    assert "locked" in said


def test_a_writer_comes_after_earlier_ones_also_when_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / f"{writer_name()}.jsonl"
    first.touch()
    (tmp_path / "notes.jsonl").touch()
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)
    second = tmp_path / f"{writer_name(tmp_path.glob('*.jsonl'))}.jsonl"
    assert sorted([second, first]) == [first, second]
