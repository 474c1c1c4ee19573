"""The quick check of a dump: read to its end, its objects and rows compared with what was counted on its way out."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tracker_backup.sources.interface import CheckResult
from tracker_backup.sources.mysql.dumptext import DumpContents, DumpReader

QUICK = "quick"


class DumpCheck:
    """Checks a dump while it is read back; `rows` by table and `objects` by kind are what it must hold."""

    def __init__(self, rows: Mapping[str, int] | None, objects: Mapping[str, int] | None) -> None:
        """Begin before the first byte; what is None is not compared."""
        self._rows, self._objects = rows or {}, objects
        self._reader = DumpReader()
        self._began = time.monotonic()

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        self._reader.feed(block)

    def result(self) -> CheckResult:
        """Return what was found, after the last block."""
        contents = self._reader.finish()
        problems = [*_unfinished(contents)]
        problems += [
            f"table {table}: {contents.rows.get(table, 0)} rows instead of {count}"
            for table, count in self._rows.items()
            if contents.rows.get(table) != count
        ]
        if self._objects is not None and count_objects(contents) != self._objects:
            problems.append(f"objects: {count_objects(contents)} instead of {self._objects}")
        return _result(contents, problems, self._began)


def count_objects(contents: DumpContents) -> dict[str, int]:
    """Return how many objects of each kind a dump holds."""
    return {"table": len(contents.rows), "view": len(contents.views), **contents.stored}


def _unfinished(contents: DumpContents) -> list[str]:
    return [] if contents.completed else ["the dump ends before its last line"]


def _result(contents: DumpContents, problems: list[str], began: float) -> CheckResult:
    seconds = time.monotonic() - began
    if not problems and not contents.rows:
        return CheckResult(QUICK, None, seconds, ("the dump has no table",))
    said = f"ok; {sum(contents.rows.values())} rows in {len(contents.rows)} tables"
    return CheckResult(QUICK, not problems, seconds, tuple(problems) or (said,))
