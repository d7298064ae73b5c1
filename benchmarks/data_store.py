"""What a run's journals cost at a million records: writing, opening, and taking the run up again.

    python benchmarks/data_store.py --records 1000000

Writing is outcomes with their lines and the index, as the store does after each record, without any model call.
Resuming opens the journals and sends every video through its steps with everything known, through the real `Runner`.
Peers store the same lines by the same keys and are asked for each of them again: SQLite with a row per record (WAL, a
commit every 50 ms, as the journals tell the disk), and a file per record, as LongVideo-Reason keeps its replies
(measured with fewer files and scaled). Every measurement is a process of its own; the table shows medians.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
from loopback import memory

from longtake.compute import Local, Progress
from longtake.datagen.pipeline import Runner
from longtake.datagen.step import Outcome, Record, Step
from longtake.datagen.store import RunStore, roots_of
from longtake.ledger import COMMIT_SECONDS
from longtake.models.journaled import key_of
from longtake.types import Usage

CLIPS_A_VIDEO = 100
VALUE = {"start_time": 10.0, "end_time": 20.0, "caption": "A red car stops beside two people who wait. " * 9}
USAGE = Usage(1, 900, 120, 0, None)


async def _unused(*_: object) -> list[dict[str, object]]:
    raise AssertionError("everything is known")


STEPS = [Step("split", 1, {}, _unused, many=True), Step("caption", 1, {}, _unused)]  # type: ignore[arg-type]


def roots(num: int) -> list[Record]:
    return roots_of([(f"v{number}", f"v{number}", {"clips": CLIPS_A_VIDEO}) for number in range(num // CLIPS_A_VIDEO)])


# ----------------------------------------------------------------------------------------------------- longtake


def write_longtake(folder: Path, num: int) -> None:
    from longtake.datagen.flow import records_of

    store = RunStore(folder)
    stores = store.steps(STEPS)
    parts = tuple({"part": number} for number in range(CLIPS_A_VIDEO))
    for root in roots(num):
        divided = Outcome("ok", parts)
        stores["split"].put(key_of(STEPS[0].hash, [root.digest]), (root,), divided)
        for clip in records_of(STEPS[0], (root,), divided):
            outcome = Outcome("ok", (VALUE,), usage=USAGE, seconds=2.0)
            stores["caption"].put(key_of(STEPS[1].hash, [clip.digest]), (clip,), outcome)
    store.close()


def open_longtake(folder: Path, num: int) -> None:
    assert RunStore(folder).steps(STEPS)["caption"].outcomes.num_final == num


def resume_longtake(folder: Path, num: int) -> None:
    last = list[Progress]()

    def look(progress: Progress) -> bool:
        last[:] = [progress]
        return True

    asyncio.run(Local().map(lambda: Runner(STEPS, RunStore(folder)), roots(num), look))
    assert last[0].now[0]["steps"]["caption"]["ok"] == num


# -------------------------------------------------------------------------------------------------------- peers


def lines(num: int) -> Iterator[tuple[str, bytes]]:
    """Keys and lines as they are in a journal."""
    for number in range(num):
        key = hashlib.sha256(str(number).encode()).hexdigest()[:32]
        fields = {"id": f"v/{number}", "parents": [key], "usage": USAGE, "seconds": 2.0, "values": [VALUE]}
        yield key, orjson.dumps({"key": key, "status": "ok", **fields})


def write_sqlite(folder: Path, num: int) -> None:
    with sqlite3.connect(folder / "run.sqlite", isolation_level=None) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE outcomes (key TEXT PRIMARY KEY, line BLOB) WITHOUT ROWID")
        db.execute("BEGIN")
        began = time.monotonic()
        for row in lines(num):
            db.execute("INSERT INTO outcomes VALUES (?, ?)", row)
            if time.monotonic() - began > COMMIT_SECONDS:
                db.execute("COMMIT")
                db.execute("BEGIN")
                began = time.monotonic()
        db.execute("COMMIT")


def resume_sqlite(folder: Path, num: int) -> None:
    with sqlite3.connect(folder / "run.sqlite") as db:
        for number in range(num):
            key = hashlib.sha256(str(number).encode()).hexdigest()[:32]
            (line,) = db.execute("SELECT line FROM outcomes WHERE key = ?", (key,)).fetchone()
            assert orjson.loads(line)["status"] == "ok"


def write_files(folder: Path, num: int) -> None:
    for key, line in lines(num):
        (folder / f"{key}.json").write_bytes(line)


def resume_files(folder: Path, num: int) -> None:
    for number in range(num):
        key = hashlib.sha256(str(number).encode()).hexdigest()[:32]
        assert orjson.loads((folder / f"{key}.json").read_bytes())["status"] == "ok"


# -------------------------------------------------------------------------------------------------------- table


@dataclass(frozen=True)
class Row:
    what: str
    work: Callable[[Path, int], None]
    folder: str
    scaled: bool = False


ROWS = [
    Row("longtake, write", write_longtake, "longtake"),
    Row("longtake, open", open_longtake, "longtake"),
    Row("longtake, resume", resume_longtake, "longtake"),
    Row("SQLite, write", write_sqlite, "sqlite"),
    Row("SQLite, look all up", resume_sqlite, "sqlite"),
    Row("files, write", write_files, "files", scaled=True),
    Row("files, read all", resume_files, "files", scaled=True),
]


def measured(work: Callable[[Path, int], None], folder: Path, num: int) -> tuple[float, float, float]:
    """Wall and CPU seconds and megabytes, in a new process."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_run, args=(work, folder, num, its))
    process.start()
    its.close()
    result: tuple[float, float, float] = mine.recv()
    process.join()
    return result


def _run(work: Callable[[Path, int], None], folder: Path, num: int, out: Connection) -> None:
    before = memory("VmRSS")
    cpu, wall = time.process_time(), time.perf_counter()
    work(folder, num)
    out.send((time.perf_counter() - wall, time.process_time() - cpu, (memory("VmHWM") - before) / 1024))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=100_000, help="records of the peer with a file for each, at most")
    parser.add_argument("--repeats", type=int, default=3, help="rounds; each writes everything anew")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "longtake-benchmarks")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    args.records -= args.records % CLIPS_A_VIDEO
    num_files = min(args.files, args.records)
    seen: dict[str, list[tuple[float, float, float]]] = {row.what: [] for row in ROWS}
    for _ in range(args.repeats):
        out = Path(tempfile.mkdtemp(dir=args.folder))
        for row in ROWS:
            (out / row.folder).mkdir(exist_ok=True)
            num = num_files if row.scaled else args.records
            seen[row.what].append(measured(row.work, out / row.folder, num))
        size = sum(path.stat().st_size for path in (out / "longtake").rglob("*.jsonl"))
        shutil.rmtree(out)
    print(f"{args.records} records of {size / args.records:.0f} bytes, {args.repeats} rounds")
    print(f"longtake has one more for every {CLIPS_A_VIDEO} (their video); {num_files} files are measured and scaled")
    print(f"{'':22}{'wall s':>9}{'CPU s':>9}{'us a record':>13}{'records/s':>12}{'MB':>8}")
    for row in ROWS:
        wall, cpu, megabytes = (statistics.median(values) for values in zip(*seen[row.what], strict=True))
        scale = args.records / num_files if row.scaled else 1.0
        each = wall * scale / args.records
        print(f"{row.what:22}{wall * scale:9.2f}{cpu * scale:9.2f}{each * 1e6:13.1f}{1 / each:12.0f}{megabytes:8.0f}")
    print("targets: open at least 500,000 records/s, resume well under 30 s")


if __name__ == "__main__":
    main()
