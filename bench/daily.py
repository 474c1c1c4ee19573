"""What daily copies of a database take in restic and in borg, by how the database changes.

    PYTHONPATH=.:tests:scripts .venv/bin/python -m bench.daily [--mib 1024] [--write]

Each day 1 % of the database's pages change. Sizes are what is measured, so it does not matter what else runs.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.databases import tracker_database
from tracker_backup.config.model import CopySettings
from tracker_backup.copies.interface import Origin
from tracker_backup.copies.registry import destination

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "offsite.md"
BEGIN, END = "<!-- written by bench.daily -->", "<!-- until here -->"
SHARE = 0.01
FIRST_DAY = datetime(2026, 11, 1, 3, tzinfo=UTC)
MIB = 1024 * 1024


def in_one_place(database: sqlite3.Connection, pages: int, luck: random.Random) -> None:
    """Rows of so many pages in a row change, as where a tracker writes to its newest torrents."""
    rows, there_are = _rows(database), _pages(database)
    count = rows * pages // there_are
    first = luck.randrange(1, rows - count)
    database.execute("UPDATE torrents SET completed = completed + 1 WHERE id BETWEEN ? AND ?", (first, first + count))


def scattered(database: sqlite3.Connection, pages: int, luck: random.Random) -> None:
    """One row in each of so many pages changes, all over the table."""
    rows = _rows(database)
    chosen = [(luck.randrange(1, rows),) for _ in range(pages)]
    database.executemany("UPDATE torrents SET completed = completed + 1 WHERE id = ?", chosen)


PATTERNS: dict[str, Callable[[sqlite3.Connection, int, random.Random], None]] = {
    "rows in one place": in_one_place,
    "a row in each of so many pages, all over": scattered,
}
DAYS = dict(zip(PATTERNS, (30, 10), strict=True))
"""Of what grows by nearly a whole copy each day, ten days tell as much, and need a third of the disk."""


def _rows(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT max(id) FROM torrents").fetchone()[0])


def _pages(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA page_count").fetchone()[0])


def measure(program: str, pattern: str, mib: float, days: int, place: Path) -> tuple[int, int]:
    """Return the bytes of a repository after the first day, and after the last."""
    password = place / "password"
    password.write_text("password\n", encoding="ascii")
    password.chmod(0o600)
    settings = CopySettings("nas", program, str(place / "repository"), password)
    there = destination(settings, place / "cache", "")
    there.init()
    raw = place / "raw"
    raw.mkdir()
    file = tracker_database(raw / "tracker.sqlite3", mib, journal_mode="delete")
    luck = random.Random(1)  # noqa: S311 - the same every time
    sizes = []
    for day in range(days):
        if day:
            with sqlite3.connect(file) as database:
                PATTERNS[pattern](database, int(_pages(database) * SHARE), luck)
            database.close()
        backup = f"{FIRST_DAY + timedelta(days=day):%Y%m%dT%H%M%SZ}-daily"
        there.store(raw, backup, Origin("host", "default", "daily"), lambda _done, _total: None)
        sizes.append(sum(path.stat().st_size for path in (place / "repository").rglob("*") if path.is_file()))
        print(f"{program}, {pattern}, day {day + 1}: {sizes[-1] / MIB:.0f} MiB", flush=True)
    return sizes[0], sizes[-1]


def main() -> None:
    """Measure, print a table, and with --write put it into the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=float, default=1024)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    lines = [
        f"{given.mib:.0f} MiB of a tracker's database with random hashes; 1 % of its pages change each day:",
        "",
        "| what changes | program | daily copies | the first takes, MiB | all together, MiB | of the first |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for pattern, days in DAYS.items():
        for program in ("restic", "borg"):
            with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as place:
                first, last = measure(program, pattern, given.mib, days, Path(place))
            sizes = f"{first / MIB:.0f} | {last / MIB:.0f} | {last / first:.2f}"
            lines.append(f"| {pattern} | {program} | {days} | {sizes} |")
    table = "\n".join(lines)
    print(table)
    if given.write:
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
