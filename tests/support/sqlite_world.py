"""SQLite as the rest of the world uses it: other processes on the same file, and what must be in a snapshot of it.

While a process has a database open it must not open its files by itself, so the tests keep connections to live
databases in processes of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FREE_BYTES_OF_PAGE_1 = frozenset([*range(24, 28), *range(40, 44), *range(92, 100)])
"""Change counter, schema cookie, version-valid-for, library version: the copy's own."""

_CHILD = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=float(sys.argv[2]))
for line in sys.stdin:
    try:
        print(json.dumps(["rows", connection.execute(json.loads(line)).fetchall()]), flush=True)
    except sqlite3.Error as error:
        print(json.dumps(["error", str(error)]), flush=True)
"""


class OtherProcess:
    """A connection to a database in a process of its own; it ends with the `with` block."""

    def __init__(self, path: Path, *, timeout: float = 30) -> None:
        """Open the database; `timeout` is the connection's busy timeout in seconds."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _CHILD, str(path), str(timeout)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection as a program does that ends well."""
        self._process.communicate()

    def crash(self) -> None:
        """End it without closing anything."""
        self._process.kill()
        self._process.communicate()

    def ask(self, statement: str) -> None:
        """Send a statement and do not wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(statement) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the rows of what was asked; raises AssertionError with SQLite's message where it failed."""
        assert self._process.stdout is not None
        kind, value = json.loads(self._process.stdout.readline())
        assert kind == "rows", value
        return value

    def run(self, *statements: str) -> Any:
        """Run statements, and return the rows of the last one."""
        rows = None
        for statement in statements:
            self.ask(statement)
            rows = self.answer()
        return rows


def expected_pages(main: Path, wal: Path | None = None) -> list[bytes]:
    """Return the pages of the newest snapshot: the main file, overlaid with the WAL's committed frames.

    The formats are those of https://www.sqlite.org/fileformat2.html; nobody in this process may have the files open.
    """
    data = main.read_bytes()
    size = int.from_bytes(data[16:18], "big")
    size = 65536 if size == 1 else size
    pages = {number + 1: data[number * size : (number + 1) * size] for number in range(len(data) // size)}
    count = len(pages)
    log = wal.read_bytes() if wal is not None and wal.exists() else b""
    salt, pending = log[16:24], {}
    for start in range(32, len(log) - size - 23, size + 24):
        header, page = log[start : start + 24], log[start + 24 : start + 24 + size]
        if header[8:16] != salt:
            break
        pending[int.from_bytes(header[0:4], "big")] = page
        if committed := int.from_bytes(header[4:8], "big"):
            pages.update(pending)
            pending, count = {}, committed
    return [pages[number] for number in range(1, count + 1)]


def differing_bytes(expected: list[bytes], copy: bytes) -> dict[int, list[int]]:
    """Return page numbers with the offsets at which a copy differs from the expected pages; page 0: the length."""
    size = len(expected[0])
    if len(copy) != size * len(expected):
        return {0: [len(copy)]}
    found = {}
    for number, page in enumerate(expected, 1):
        other = copy[(number - 1) * size : number * size]
        if other != page:
            found[number] = [at for at in range(size) if other[at] != page[at]]
    return found


def locks_of(pid: int, path: Path) -> list[str]:
    """Return the lines of /proc/locks that show POSIX locks of a process on a file."""
    inode = path.stat().st_ino
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return [line for line in lines if f" {pid} " in line and f":{inode} " in line and "POSIX" in line]
