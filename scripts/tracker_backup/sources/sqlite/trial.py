"""How fast a database can be copied here, where no earlier copy tells: a short trial, before anything is locked."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError
from tracker_backup.system.files import opened_for_reading

if TYPE_CHECKING:
    from pathlib import Path

TRIAL_BYTES = 64 * 1024 * 1024
HANDED_BYTES = 32 * 1024 * 1024
_BLOCK_BYTES = 1024 * 1024


def trial_rate(path: Path) -> float:
    """Return the bytes per second that a copy of a file is expected to make; nobody here may have it open.

    A copy reads, and SQLite hands what was read over page by page. The first is tried on pieces from all over the file,
    as much of it may lie in the page cache, the second on a database in memory: the file itself is not locked.

    Raises SourceError when the disk cannot.
    """
    size = path.stat().st_size
    pieces = max(1, min(TRIAL_BYTES, size) // _BLOCK_BYTES)
    stride = max(_BLOCK_BYTES, size // pieces)
    began = time.perf_counter()
    try:
        done = _read_pieces(path, pieces, stride)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}", hint="look at `dmesg` and the disk") from error
    reading = max(1.0, done / max(time.perf_counter() - began, 1e-6))
    return max(1.0, 1 / (1 / reading + 1 / handing_rate()))


def handing_rate() -> float:
    """Return the bytes per second that SQLite's backup moves from memory to memory on this machine at this moment."""
    with closing(sqlite3.connect(":memory:")) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.execute("CREATE TABLE filling (content BLOB)")
        source.execute("INSERT INTO filling VALUES (zeroblob(?))", (HANDED_BYTES,))
        source.commit()
        began = time.perf_counter()
        source.backup(copy)
        return HANDED_BYTES / max(time.perf_counter() - began, 1e-6)


def _read_pieces(path: Path, pieces: int, stride: int) -> int:
    with opened_for_reading(path) as descriptor:
        return sum(len(os.pread(descriptor, _BLOCK_BYTES, piece * stride)) for piece in range(pieces))
