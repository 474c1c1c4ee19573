"""The tracker at work while a contender copies: a writer and a reader, each a process that logs every latency.

    python -m bench.load write DATABASE LOG --rate 100
    python -m bench.load read DATABASE LOG --rate 300

A log holds three numbers for each operation: when it ended (the monotonic clock, which all processes share), how many
milliseconds it took, and 1 if it succeeded. A log appears when its process is ready and at work.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from array import array
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from bench.settings import ROOT
from support.tracker_standin import WriteLoop

READS_A_SECOND = 300
HOT_ROWS = 2000
BUSY_SECONDS = 5.0
_AT_ONCE = 3 * 256
_READY_SECONDS = 300


@dataclass(frozen=True)
class Operation:
    """One write or read: when it ended, by the monotonic clock, its milliseconds, and whether it succeeded."""

    at: float
    milliseconds: float
    succeeded: bool


class Log:
    """Writes a log."""

    def __init__(self, path: Path) -> None:
        """Begin an empty one, which appears under its name at once."""
        self._numbers = array("d")
        self._file: IO[bytes] = path.open("wb", buffering=0)

    def add(self, milliseconds: float, succeeded: bool) -> None:  # noqa: FBT001 - WriteLoop calls it so
        """Note one operation that has just ended."""
        self._numbers.extend((time.monotonic(), milliseconds, float(succeeded)))
        if len(self._numbers) >= _AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.write(self._numbers.tobytes())
        del self._numbers[:]


def read_log(path: Path) -> list[Operation]:
    """Return what a log holds."""
    numbers = array("d")
    content = path.read_bytes()
    numbers.frombytes(content[: len(content) // 24 * 24])
    triples = zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True)
    return [Operation(at, milliseconds, bool(succeeded)) for at, milliseconds, succeeded in triples]


class Load:
    """A writer and a reader on one database; `with Load(...)` is as long as they run."""

    def __init__(self, database: Path, rate: float, logs: Path) -> None:
        """Remember what they work on: `rate` writes a second, 0 for a reader alone; their logs go to `logs`."""
        self._database = database
        self._rate = rate
        self._logs = logs
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Start them and wait until they are at work."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them."""
        self.stop()

    @property
    def pids(self) -> list[int]:
        """Return the numbers of the processes that run."""
        return [process.pid for process in self._processes]

    def start(self) -> None:
        """Start them and wait until they are at work. Raises RuntimeError when one ends instead."""
        number = len(list(self._logs.iterdir()))
        # The reader goes first: where readers wait for writers, it would not come to know its rows for a while.
        for what, rate in [("read", READS_A_SECOND), *([("write", self._rate)] if self._rate else [])]:
            log = self._logs / f"{what}-{number}"
            command = [sys.executable, "-m", "bench.load", what, str(self._database), str(log), "--rate", str(rate)]
            # Whoever is killed leaves no writer behind.
            command = ["setpriv", "--pdeathsig", "TERM", *command]
            process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL)
            self._processes.append(process)
            give_up = time.monotonic() + _READY_SECONDS
            while not log.exists():
                if process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"the load on {self._database} did not start")
                time.sleep(0.005)

    def stop(self) -> None:
        """Stop them, as a tracker is stopped: at the end of what they do."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        self._processes = []

    def operations(self, what: str) -> list[Operation]:
        """Return all that was logged of `write` or `read`, in order."""
        logs = sorted(self._logs.glob(f"{what}-*"))
        return sorted((each for log in logs for each in read_log(log)), key=lambda each: each.at)


def environment() -> dict[str, str]:
    """Return the environment in which Python finds the checkout's packages."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "tests", "scripts"))}


def read(database: Path, log: Path, rate: float) -> None:
    """Look up torrents of a hot set by their hash, as announces do, until a signal comes."""
    signals = _heard()
    generator = random.Random(1)  # noqa: S311 - much the same torrents are hot in every run
    uri = f"{database.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)) as connection:
        run = connection.execute
        last = int(run("SELECT max(id) FROM torrents").fetchone()[0])
        hot = sorted(generator.randint(1, last) for _ in range(HOT_ROWS))
        row = "SELECT info_hash FROM torrents WHERE id >= ? ORDER BY id LIMIT 1"
        hashes = [run(row, (number,)).fetchone()[0] for number in hot]
        query = "SELECT completed FROM torrents WHERE info_hash = ?"
        for info_hash in hashes:
            run(query, (info_hash,)).fetchone()
        noted = Log(log)
        due = time.monotonic()
        while not signals:
            began = time.perf_counter()
            try:
                succeeded = run(query, (generator.choice(hashes),)).fetchone() is not None
            except sqlite3.OperationalError:
                succeeded = False
            noted.add((time.perf_counter() - began) * 1000, succeeded)
            due = max(due + 1 / rate, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))
        noted.close()


def write(database: Path, log: Path, rate: float) -> None:
    """Write as the stand-in does until a signal comes."""
    noted: list[Log] = []

    def observe(milliseconds: float, succeeded: bool) -> None:  # noqa: FBT001 - WriteLoop calls it so
        if not noted:
            noted.append(Log(log))
        noted[0].add(milliseconds, succeeded)
        loop.stopping = bool(signals)

    signals = _heard()
    loop = WriteLoop(database, rate, None, BUSY_SECONDS, observe)
    loop.run(None)
    for each in noted:
        each.close()


def _heard() -> list[int]:
    """Return a list that fills with the signals that ask for an end."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda heard, _frame: signals.append(heard))
    return signals


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("write", "read"))
    parser.add_argument("database", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--rate", type=float, required=True)
    arguments = parser.parse_args()
    {"write": write, "read": read}[arguments.what](arguments.database, arguments.log, arguments.rate)


if __name__ == "__main__":
    main()
