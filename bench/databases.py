"""The databases that are copied: built once, kept below BENCH_DIR, put into a journal mode for each case."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from bench.settings import GIB, MIB, PRODUCTION_ROWS, PRODUCTION_SIZE, ROOT, Case, Settings, bytes_of

STANDIN = ROOT / "tests" / "support" / "tracker_standin.py"
_JOURNAL = {"wal": "wal", "rollback": "delete"}
_RESERVE = 2 * GIB
"""For a WAL that grows while it is copied, logs, and what a repository needs beside its data."""


class RoomError(Exception):
    """The disk has not enough room; the message says how much is needed."""


def path_of(directory: Path, size: str, order: str) -> Path:
    """Return where a database lies."""
    return directory / "databases" / f"{order}-{size}.db"


def build_missing(settings: Settings) -> None:
    """Build the databases that are not there yet."""
    for size in settings.sizes:
        for order in settings.orders:
            path = path_of(settings.directory, size, order)
            if path.exists():
                continue
            print(f"building {path.name} ...", flush=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = ["--rows", str(PRODUCTION_ROWS)] if size == PRODUCTION_SIZE else []
            command = [sys.executable, str(STANDIN), "build", str(path), "--order", order]
            command += rows or ["--mib", str(bytes_of(size) // MIB)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make_ready(settings: Settings, case: Case) -> Path:
    """Put a case's database into its journal mode, with nothing left in a WAL, and return its path."""
    path = path_of(settings.directory, case.size, case.order)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        mode = connection.execute(f"PRAGMA journal_mode = {_JOURNAL[case.mode]}").fetchone()[0]
        if mode != _JOURNAL[case.mode]:
            raise RuntimeError(f"{path} stays in journal mode {mode}: who has it open?")
    return path


def check(copy: Path) -> tuple[bool, str]:
    """Return whether a copy is sound, by the stand-in's invariant and SQLite's integrity check, and what was said."""
    # From the page cache it takes a minute at production size, from the disk ten.
    subprocess.run(["cat", copy], stdout=subprocess.DEVNULL, check=True)
    command = [sys.executable, str(STANDIN), "check", str(copy), "--integrity", "--cache-mib", "1024"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    found = json.loads(done.stdout)
    if found["ok"] and found["rows"]:
        return True, f"{found['rows']} rows, all of each write or nothing, integrity ok"
    said = found.get("error") or found.get("integrity") or "no rows"
    if said == "ok":
        said = f"{found['counter']} writes counted, {found['completed']} found"
    return False, str(said).splitlines()[0][:120]


def room_needed(settings: Settings) -> int:
    """Return how many bytes a run takes at most beside what is built already."""
    missing = sum(
        bytes_of(size)
        for size in settings.sizes
        for order in settings.orders
        if not path_of(settings.directory, size, order).exists()
    )
    largest = max(map(bytes_of, settings.sizes), default=0)
    # A copy and what is restored of it, or a raw snapshot beside its artifact; of MySQL rows, a dump, the rows again.
    return missing + int(2.2 * largest) + settings.rows * 500 + min(_RESERVE, largest + GIB)


def require_room(settings: Settings) -> str:
    """Return how much is needed and free, in words. Raises RoomError when it is not there."""
    settings.directory.mkdir(parents=True, exist_ok=True)
    needed = room_needed(settings)
    stat = os.statvfs(settings.directory)
    free = stat.f_bavail * stat.f_frsize
    said = f"{needed / GIB:.1f} GiB needed in {settings.directory}, {free / GIB:.1f} GiB free"
    if free < needed:
        raise RoomError(f"{said}: choose smaller SIZE, or another BENCH_DIR")
    return said
