#!/usr/bin/env python3
"""A stand-in for the tracker: its four tables, its statements, and a proof that a copy is consistent.

The tracker itself cannot be had on every test machine, so this file plays its part. It needs nothing but
Python's standard library: it runs in unit tests, in the demo and inside containers.

    tracker_standin.py build PATH [--mib N | --rows N] [--order random|sorted] [--journal-mode wal|delete] [--seed N]
    tracker_standin.py write PATH [--rate 100] [--seconds S] [--report FILE] [--busy-timeout 5]
    tracker_standin.py check PATH [--integrity [--cache-mib N]]

The invariant: a built database has `completed` = 0 in every row and a counter of 0. Each transaction of the
writer adds one to `completed` of one row and one to the counter, so in every consistent copy the sum of
`completed` equals the counter, which equals the number of transactions committed before the copy's instant.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

COUNTER = "torrents_downloads_total"
MIB = 1024 * 1024
SCHEMA = f"""
CREATE TABLE torrents (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE,
                       completed INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE whitelist (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE);
CREATE TABLE keys (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, valid_until INTEGER);
CREATE TABLE torrent_aggregate_metrics (id INTEGER PRIMARY KEY AUTOINCREMENT,
                                        metric_name TEXT NOT NULL UNIQUE, value INTEGER DEFAULT 0 NOT NULL);
INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES ('{COUNTER}', 0);
"""
SAVE_TORRENT = (
    "INSERT INTO torrents (info_hash, completed) VALUES (?, ?)"
    " ON CONFLICT(info_hash) DO UPDATE SET completed = excluded.completed"
)
ADD_ONE = f"UPDATE torrent_aggregate_metrics SET value = value + 1 WHERE metric_name = '{COUNTER}'"
HASHES_PER_BATCH = 20_000
BUILD_PRAGMAS = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA cache_size = -2000000",
)


def random_hashes(seed: int) -> Iterator[list[tuple[str]]]:
    """Yield batches of random info hashes, endless and equal for equal seeds."""
    generator = random.Random(seed)
    while True:
        text = generator.randbytes(20 * HASHES_PER_BATCH).hex()
        yield [(text[at : at + 40],) for at in range(0, len(text), 40)]


def sorted_hashes(seed: int) -> Iterator[list[tuple[str]]]:
    """Yield batches of ascending info hashes: quicker to insert, kinder to the index than real ones."""
    generator = random.Random(seed)
    number = 0
    while True:
        tail = generator.randbytes(12 * HASHES_PER_BATCH).hex()
        yield [(f"{number + i:016x}{tail[i * 24 : i * 24 + 24]}",) for i in range(HASHES_PER_BATCH)]
        number += HASHES_PER_BATCH


def build_database(
    path: Path | str,
    mib: float = 1,
    order: str = "random",
    journal_mode: str = "wal",
    seed: int = 1,
    rows: int | None = None,
) -> int:
    """Make a tracker database of about `mib` MiB (0: the empty schema) and return its number of torrents.

    With `rows` it has exactly so many torrents, whatever its size. It appears under its name only when it is complete.
    Raises FileExistsError when there is a file already.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists already; remove it first")
    unfinished = path.with_name(f".{path.name}.building")
    unfinished.unlink(missing_ok=True)
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        batches = random_hashes(seed) if order == "random" else sorted_hashes(seed)
        made = _fill(connection, mib if rows is None else math.inf, batches, rows)
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
    except BaseException:
        connection.close()
        unfinished.unlink(missing_ok=True)
        raise
    connection.close()
    unfinished.rename(path)
    return made


def _fill(
    connection: sqlite3.Connection, mib: float, batches: Iterator[list[tuple[str]]], most_rows: int | None
) -> int:
    """Create the tables and insert whole batches, the last one cut, until the file has its size or its rows."""
    for pragma in BUILD_PRAGMAS:
        connection.execute(pragma)
    connection.executescript(SCHEMA)
    connection.execute("BEGIN")
    rows = 0
    step = HASHES_PER_BATCH if mib >= 16 else 500
    while mib * MIB > _size(connection) and rows != most_rows:
        batch = next(batches)[: None if most_rows is None else most_rows - rows]
        for at in range(0, len(batch), step):
            connection.executemany("INSERT INTO torrents (info_hash) VALUES (?)", batch[at : at + step])
            rows += len(batch[at : at + step])
            if mib * MIB <= _size(connection):
                break
    connection.execute("COMMIT")
    return rows


def _size(connection: sqlite3.Connection) -> int:
    """Return the database's size in bytes, pages not yet written included."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    return int(pages * connection.execute("PRAGMA page_size").fetchone()[0])


def check_invariant(path: Path | str, integrity: bool = False, cache_mib: int | None = None) -> dict[str, Any]:
    """Look at a copy, read-only: `ok` is true when each transaction is in it wholly or not at all.

    With `integrity` SQLite's own integrity_check must say ok too; large files are read much faster with a larger cache,
    as long as nobody cuts them short meanwhile. Never raises for a bad file: `ok` is false
    then and `error` says why.
    """
    result: dict[str, Any] = {"ok": False, "rows": None, "counter": None, "completed": None}
    try:
        connection = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
        try:
            if cache_mib is not None:
                connection.execute(f"PRAGMA mmap_size = {cache_mib * MIB}")
                connection.execute(f"PRAGMA cache_size = {-cache_mib * 1024}")
            connection.execute("BEGIN")
            rows, completed = connection.execute(
                "SELECT count(*), coalesce(sum(completed), 0) FROM torrents"
            ).fetchone()
            query = "SELECT value FROM torrent_aggregate_metrics WHERE metric_name = ?"
            (counter,) = connection.execute(query, (COUNTER,)).fetchone() or (None,)
            result.update(rows=rows, completed=completed, counter=counter, ok=counter == completed)
            if integrity:
                result["integrity"] = connection.execute("PRAGMA integrity_check").fetchone()[0]
                result["ok"] = result["ok"] and result["integrity"] == "ok"
        finally:
            connection.close()
    except sqlite3.Error as error:
        result.update(ok=False, error=str(error))
    return result


class Latencies:
    """Latencies in a histogram whose buckets grow by 2 %: constant memory, percentiles as exact as that."""

    def __init__(self) -> None:
        """Start empty."""
        self._buckets: dict[int, int] = {}
        self._count = 0
        self.max_ms = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one latency, in milliseconds."""
        bucket = math.ceil(math.log(max(milliseconds, 0.001), 1.02))
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._count += 1
        self.max_ms = max(self.max_ms, milliseconds)

    def percentile(self, percent: float) -> float:
        """Return the latency in milliseconds that `percent` of all stayed below; 0 when there is none."""
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= self._count * percent / 100:
                return min(float(1.02**bucket), self.max_ms)
        return 0.0


class WriteLoop:
    """The tracker at work: one connection that is never reopened, paced transactions, a report on disk."""

    def __init__(
        self,
        path: Path,
        rate: float,
        report: Path | None,
        busy_timeout: float,
        observe: Callable[[float, bool], None] | None = None,
    ) -> None:
        """Open the database, which must exist; `rate` in transactions a second, `busy_timeout` in seconds.

        `observe` is told of each transaction how many milliseconds it took and whether it was committed.

        Raises sqlite3.Error when the database cannot be opened or is none of ours.
        """
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=busy_timeout
        )
        self._last_id = int(self._connection.execute("SELECT coalesce(max(id), 0) FROM torrents").fetchone()[0])
        self._period = 1 / rate
        self._report = report
        self._observe = observe
        self._random = random.Random()
        self._latencies = Latencies()
        self._started = time.monotonic()
        self._transactions = 0
        self._errors: dict[str, int] = {}
        # Not a threading.Event: set by a signal handler in the very moment in which wait() holds its lock, it hangs.
        self.stopping = False

    def run(self, seconds: float | None) -> dict[str, Any]:
        """Write until the time is over or `stopping` is set, then return the final report."""
        due = reported = self._started
        self._publish(finished=False)
        while not self._stopping_before(due):
            now = time.monotonic()
            if seconds is not None and now - self._started >= seconds:
                break
            # Behind by more than a second: those announces have gone elsewhere, no burst is owed.
            due = max(due + self._period, now - 1)
            self._count_one()
            if now - reported >= 1:
                reported = now
                self._publish(finished=False)
        self._connection.close()
        return self._publish(finished=True)

    def _stopping_before(self, due: float) -> bool:
        """Sleep until then, in slices so that a signal is heard soon, and return whether it is time to stop."""
        while not self.stopping and (left := due - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
        return self.stopping

    def _count_one(self) -> None:
        """Do one transaction and count how it went."""
        begin = time.perf_counter()
        committed = False
        try:
            self._transaction()
            committed = True
            self._transactions += 1
        except sqlite3.Error as error:
            self._errors[str(error)] = self._errors.get(str(error), 0) + 1
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        milliseconds = (time.perf_counter() - begin) * 1000
        self._latencies.add(milliseconds)
        if self._observe is not None:
            self._observe(milliseconds, committed)

    def _transaction(self) -> None:
        """Half the time a torrent never seen, else one more download of a torrent that is there."""
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        known = None
        if self._last_id and self._random.random() < 0.5:
            wanted = self._random.randint(1, self._last_id)
            known = run("SELECT info_hash, completed FROM torrents WHERE id = ?", (wanted,)).fetchone()
        info_hash, completed = known or (self._random.randbytes(20).hex(), 0)
        inserted = run(SAVE_TORRENT, (info_hash, completed + 1)).lastrowid or 0
        run(ADD_ONE)
        run("COMMIT")
        self._last_id = max(self._last_id, inserted)

    def _publish(self, finished: bool) -> dict[str, Any]:
        """Write the report, under its name only when whole, and return it."""
        report = {
            "transactions": self._transactions,
            "failed": sum(self._errors.values()),
            "p50_ms": round(self._latencies.percentile(50), 3),
            "p99_ms": round(self._latencies.percentile(99), 3),
            "max_ms": round(self._latencies.max_ms, 3),
            "errors": self._errors,
            "seconds": round(time.monotonic() - self._started, 3),
            "finished": finished,
        }
        if self._report is not None:
            unfinished = self._report.with_name(f".{self._report.name}.{os.getpid()}")
            unfinished.write_text(json.dumps(report) + "\n", encoding="utf-8")
            unfinished.replace(self._report)
        return report


class Writer:
    """The stand-in's writer as a process of its own, for tests: `with Writer(path) as writer: ...`."""

    def __init__(self, path: Path | str, rate: float = 100, busy_timeout: float = 5) -> None:
        """Remember what to write to; nothing starts before the `with` block."""
        self._path = Path(path)
        self._options = ["--rate", str(rate), "--busy-timeout", str(busy_timeout)]
        self._directory = tempfile.TemporaryDirectory(prefix="tracker-standin-")
        self._report = Path(self._directory.name, "report.json")
        self._options += ["--report", str(self._report)]
        self._process: subprocess.Popen[str] | None = None
        self._final: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        """Start the process and wait until it writes. Raises RuntimeError when it cannot."""
        command = [sys.executable, __file__, "write", str(self._path), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not self._report.exists():
            if self._process.poll() is not None:
                _, message = self._process.communicate()
                self._directory.cleanup()
                raise RuntimeError(f"the writer did not start: {message.strip()}")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process whatever happened."""
        self.stop()
        self._directory.cleanup()

    def report(self) -> dict[str, Any]:
        """Return the newest report: at most a second old while it runs, exact after stop()."""
        if self._final is not None:
            return self._final
        report: dict[str, Any] = json.loads(self._report.read_text(encoding="utf-8"))
        return report

    def stop(self) -> dict[str, Any]:
        """End the writer with SIGTERM and return its final report. Raises RuntimeError when it ended badly."""
        if self._final is None and self._process is not None:
            self._process.terminate()
            _, message = self._process.communicate()
            if self._process.returncode != 0:
                raise RuntimeError(f"the writer ended with {self._process.returncode}: {message.strip()}")
            self._final = self.report()
        return self.report()


def _write_command(arguments: argparse.Namespace) -> int:
    """Run the write loop until the time is over or a signal comes."""
    loop = WriteLoop(arguments.path, arguments.rate, arguments.report, arguments.busy_timeout)

    def stop(number: int, frame: FrameType | None) -> None:
        loop.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(json.dumps(loop.run(arguments.seconds)))
    return 0


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="A stand-in for the tracker's database and its writer.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make a database")
    build.add_argument("--mib", type=float, default=1, help="size in MiB, 0 for the empty schema (default 1)")
    build.add_argument("--rows", type=int, help="number of torrents, instead of a size")
    build.add_argument("--order", choices=("random", "sorted"), default="random", help="order of the hashes")
    build.add_argument("--journal-mode", choices=("wal", "delete"), default="wal")
    build.add_argument("--seed", type=int, default=1)
    write = commands.add_parser("write", help="write to a database as the tracker does")
    write.add_argument("--rate", type=float, default=100, help="transactions a second (default 100)")
    write.add_argument("--seconds", type=float, help="stop by itself after so many seconds")
    write.add_argument("--report", type=Path, help="JSON file, renewed every second")
    write.add_argument("--busy-timeout", type=float, default=5, help="seconds to wait for a lock (default 5)")
    check = commands.add_parser("check", help="prove that a copy is consistent; exit 1 when it is not")
    check.add_argument("--integrity", action="store_true", help="run SQLite's integrity_check too")
    check.add_argument("--cache-mib", type=int, help="memory for the check (default: SQLite's own 2 MiB)")
    for command in (build, write, check):
        command.add_argument("path", type=Path, metavar="PATH")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.command == "write":
            return _write_command(parsed)
        if parsed.command == "check":
            result = check_invariant(parsed.path, parsed.integrity, parsed.cache_mib)
            print(json.dumps(result))
            return 0 if result["ok"] else 1
        rows = build_database(parsed.path, parsed.mib, parsed.order, parsed.journal_mode, parsed.seed, rows=parsed.rows)
        print(json.dumps({"rows": rows, "bytes": parsed.path.stat().st_size}))
        return 0
    except (OSError, sqlite3.Error) as error:
        print(f"tracker_standin: {parsed.path}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
