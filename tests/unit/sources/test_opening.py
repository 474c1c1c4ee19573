"""What the header says, and what SQLite's errors mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tracker_backup.sources.sqlite import opening


def header(*, version: int = 1, page_size: int = 4096, page_count: int = 7) -> bytes:
    """Return the first 100 bytes of a database."""
    data = bytearray(b"SQLite format 3\x00" + bytes(84))
    data[16:18] = (page_size % 65536 or 1).to_bytes(2, "big")
    data[18] = data[19] = version
    data[28:32] = page_count.to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 32768, 65536])
@pytest.mark.parametrize(("version", "wal_mode"), [(1, False), (2, True)])
def test_header_facts(page_size: int, version: int, wal_mode: bool) -> None:
    assert opening.header_facts(header(version=version, page_size=page_size)) == {
        "wal_mode": wal_mode,
        "page_size": page_size,
        "page_count": 7,
    }


def test_a_look_tells_sizes_and_identity(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    path.write_bytes(header(version=2) + bytes(4096 * 7 - 100))
    path.with_name("tracker.db-wal").write_bytes(bytes(1000))

    found = opening.look_at(path)

    assert (found.file_bytes, found.wal_bytes, found.journal_mode) == (4096 * 7, 1000, "wal")
    assert found.identity == (path.stat().st_dev, path.stat().st_ino)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_BUSY, "is locked by another program"),
        (sqlite3.SQLITE_BUSY_RECOVERY, "is locked by another program"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, "cannot be opened"),
        (sqlite3.SQLITE_NOTADB, "is not a SQLite database, or it is encrypted"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "is damaged"),
        (sqlite3.SQLITE_IOERR_READ, "the disk reports an error"),
        (sqlite3.SQLITE_READONLY_ROLLBACK, "has a hot journal"),
        (sqlite3.SQLITE_PROTOCOL, "cannot be copied (SQLite: what it says)"),
        (None, "cannot be copied (SQLite: what it says)"),
    ],
)
def test_every_error_is_told_with_its_file(code: int | None, words: str) -> None:
    error = sqlite3.OperationalError("what it says")
    if code is not None:
        error.sqlite_errorcode = code

    told = opening.explain(error, Path("/data/tracker.db"))

    assert told.message.startswith("/data/tracker.db ")
    assert words in told.message
