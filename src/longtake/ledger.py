"""Journals: append-only files of JSON lines, found again by key. What survives a kill, and how it is read back.

A folder holds the files of many writers. Each writer appends to a file of its own that no one else ever writes to;
readers take the union of all. A line is in the file before `append` returns, so killing the process loses nothing
that was appended; the disk itself is told every `COMMIT_SECONDS`, which is what a power cut may cost. A line cut short
by a kill or a full disk is dropped by readers.

A line begins ``{"key":"<32 hex digits>","status":"<word>"``: an index is built from these places alone, without
reading JSON. Words listed as final beat others for the same key; else the later line counts. A line ends with a
checksum of the rest: one that is damaged, or was changed by hand, is as if it were not there.
"""

from __future__ import annotations

import logging
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import orjson

from .errors import StoreError

__all__ = ["COMMIT_SECONDS", "Committer", "Fsync", "Ledger", "read_lines"]

log = logging.getLogger(__name__)

COMMIT_SECONDS = 0.05
Fsync: TypeAlias = Literal["group", "always"]

_KEY_AT, _KEY_END, _STATUS_AT = 8, 40, 52
_HEAD, _MIDDLE = b'{"key":"', b'","status":"'
_SUM, _SUM_BYTES = b',"sum":"', 18
_CHUNK_BYTES = 16 << 20
_FILE_BITS = 44
_MAX_OPEN_FILES = 8


class Committer:
    """Tells the disk about appended lines: every `COMMIT_SECONDS` from a thread, or with ``always`` line by line."""

    def __init__(self, fsync: Fsync = "group") -> None:
        self.fsync: Fsync = fsync
        self._dirty = set[int]()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._error: OSError | None = None

    def wrote(self, handle: int) -> None:
        """``handle`` has new lines. Raises the `OSError` of an earlier commit that failed."""
        if self._error is not None:
            raise self._error
        if self.fsync == "always":
            os.fsync(handle)
            return
        with self._lock:
            if handle in self._dirty:
                return
            self._dirty.add(handle)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="longtake-commit", daemon=True)
                self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Commits what is left; files may be closed only then. Raises `StoreError` if the disk did not take all."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._commit()
        if self._error is not None:
            raise StoreError(f"the disk did not take all of the journals: {self._error.strerror}") from self._error

    def _run(self) -> None:
        pause = threading.Event()
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            self._commit()
            pause.wait(COMMIT_SECONDS)

    def _commit(self) -> None:
        with self._lock:
            handles, self._dirty = self._dirty, set[int]()
        for handle in handles:
            try:
                os.fsync(handle)
            except OSError as e:
                self._error = e


class Ledger:
    """The lines of the files in ``folder`` by key; ``writer`` names the file that this process appends to.

    ``final`` are the statuses that beat others. Safe for threads. Raises `StoreError` when a file cannot be used."""

    def __init__(self, folder: Path, writer: str, committer: Committer, *, final: tuple[str, ...]) -> None:
        self.folder = folder
        self._path = folder / f"{writer}.jsonl"
        self._committer = committer
        self._final = frozenset(word.encode()[0] for word in final)
        self._done = dict[bytes, int]()
        self._open = dict[bytes, int]()
        self._earlier = dict[bytes, list[int]]()
        """Final lines that a later one stands for, should that be damaged."""
        self._files = list[Path]()
        self._read_to = dict[Path, int]()
        self._handles: OrderedDict[int, int] = OrderedDict()
        self._out: int | None = None
        self._out_place = 0
        self._broken = False
        self._lock = threading.RLock()
        self.refresh()

    def refresh(self) -> None:
        """Reads what other writers have appended since."""
        with self._lock:
            try:
                paths = sorted(self.folder.glob("*.jsonl")) if self.folder.is_dir() else []
                for path in paths:
                    if path != self._path or self._out is None:
                        self._index(path)
            except OSError as e:
                raise StoreError(f"cannot read the journal {self.folder}: {e.strerror}; check the disk") from e

    @property
    def num_final(self) -> int:
        """Keys that have a final line."""
        return len(self._done)

    def get(self, key: str) -> dict[str, Any] | None:
        """The line that counts for ``key``. One that turns out to be damaged is as if it were not there."""
        raw = key.encode()
        with self._lock:
            place = self._done.get(raw)
            if place is None:
                place = self._open.get(raw)
            while place is not None:
                line = self._read(place)
                if line is not None:
                    return line
                earlier = self._earlier.get(raw)
                place = earlier.pop() if earlier else None
                if place is None:
                    self._done.pop(raw, None)
                    self._open.pop(raw, None)
                else:
                    self._done[raw] = place
            return None

    def lines(self) -> Iterator[dict[str, Any]]:
        """The line that counts for every key, in the order of the files."""
        with self._lock:
            places = {**self._open, **self._done}.values()
        for place in sorted(places):
            with self._lock:
                line = self._read(place)
            if line is not None:
                yield line

    def append(self, key: str, status: str, fields: Mapping[str, Any]) -> None:
        """Adds a line. Raises `StoreError` if it cannot be written: nothing can be added after that."""
        body = orjson.dumps({"key": key, "status": status, **fields})[:-1]
        line = b'%b,"sum":"%08x"}\n' % (body, zlib.crc32(body))
        with self._lock:
            if self._broken:
                raise StoreError(f"the journal {self._path} could not be written before; start again")
            try:
                if self._out is None:
                    self._create()
                out = cast("int", self._out)
                written = os.write(out, line)
                while written < len(line):
                    written += os.write(out, line[written:])
                self._committer.wrote(out)
            except OSError as e:
                self._broken = True
                raise StoreError(
                    f"cannot write the journal {self._path}: {e.strerror}; make room and run the same command again,"
                    " what was finished is kept"
                ) from e
            self._note([(line[_KEY_AT:_KEY_END], self._out_place, line[_STATUS_AT] in self._final)])
            self._out_place += len(line)

    def close(self) -> None:
        """Gives the files back; the `Committer` must be closed first."""
        with self._lock:
            for handle in (*self._handles.values(), *([self._out] if self._out is not None else [])):
                os.close(handle)
            self._handles.clear()
            self._out = None
            self._broken = True

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._out = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        self._out_place = len(self._files) << _FILE_BITS
        self._files.append(self._path)

    def _index(self, path: Path) -> None:
        start = self._read_to.get(path, 0)
        if path not in self._read_to:
            self._files.append(path)
        base = self._files.index(path) << _FILE_BITS
        final = self._final
        for offset, lines in _whole_lines(path, start):
            places = accumulate((len(line) + 1 for line in lines), initial=base | offset)
            self._note(
                [
                    (line[_KEY_AT:_KEY_END], place, line[_STATUS_AT] in final)
                    for line, place in zip(lines, places, strict=False)
                    if line[:_KEY_AT] == _HEAD and line[_KEY_END:_STATUS_AT] == _MIDDLE and line[-2:] == b'"}'
                ]
            )
            self._read_to[path] = offset + sum(len(line) + 1 for line in lines)
        self._read_to.setdefault(path, start)

    def _note(self, rows: Sequence[tuple[bytes, int, bool]]) -> None:
        """Keys, their places, and whether they are final."""
        done = {key: place for key, place, is_final in rows if is_final}
        for key in done.keys() & self._done.keys():
            self._earlier.setdefault(key, []).append(self._done[key])
        self._done.update(done)
        self._open.update((key, place) for key, place, is_final in rows if not is_final and key not in self._done)
        if self._open:
            for key in done:
                self._open.pop(key, None)

    def _read(self, place: int) -> dict[str, Any] | None:
        number, offset = place >> _FILE_BITS, place & ((1 << _FILE_BITS) - 1)
        handle, data, size = self._handle(number), b"", 8192
        while b"\n" not in data:
            more = os.pread(handle, size, offset + len(data))
            if not more:
                break
            data, size = data + more, size * 4
        line = _parsed(data.partition(b"\n")[0])
        if line is None:
            log.warning("%s is damaged at byte %d; what stood there is done again", self._files[number], offset)
        return line

    def _handle(self, number: int) -> int:
        handle = self._handles.pop(number, None)
        if handle is None:
            try:
                handle = os.open(self._files[number], os.O_RDONLY)
            except OSError as e:
                raise StoreError(f"cannot read the journal {self._files[number]}: {e.strerror}") from e
            if len(self._handles) >= _MAX_OPEN_FILES:
                os.close(self._handles.popitem(last=False)[1])
        self._handles[number] = handle
        return handle


def read_lines(path: Path) -> Iterator[dict[str, Any] | None]:
    """Every line of a file in order, None for one that is damaged; a last one without its line end is left out."""
    for _, lines in _whole_lines(path, 0):
        yield from map(_parsed, lines)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """None for a line that is not as it was written."""
    body, sum_ = line[:-_SUM_BYTES], line[-_SUM_BYTES:]
    if not line.startswith(_HEAD) or sum_ != b'%b%08x"}' % (_SUM, zlib.crc32(body)):
        return None
    return orjson.loads(line)


def _whole_lines(path: Path, start: int) -> Iterator[tuple[int, list[bytes]]]:
    """Pieces of a file: where each begins, and its lines without their ends."""
    with path.open("rb") as file:
        file.seek(start)
        rest = b""
        while chunk := file.read(_CHUNK_BYTES):
            *lines, tail = (rest + chunk).split(b"\n")
            if lines:
                yield start, lines
            start += len(rest) + len(chunk) - len(tail)
            rest = tail
