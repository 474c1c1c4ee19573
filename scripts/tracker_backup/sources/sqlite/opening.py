"""Look at a SQLite database from outside, and open it without ever creating or changing it.

While a connection to a source is open, nothing in this process may open its files by itself: POSIX locks belong to
the process, and one open and close drops SQLite's lock without a word (https://www.sqlite.org/howtocorrupt.html, 2.2).
So :func:`look_at` comes first, :func:`open_source` after it, and header facts of a copy are read from the copy.
"""

from __future__ import annotations

import os
import queue
import shlex
import sqlite3
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from tracker_backup.errors import SourceError, SourcePendingError
from tracker_backup.system.signals import start_undisturbed

LOCK_TIMEOUT_SECONDS = 60
"""Waiting for the lock costs the tracker nothing, so there is time."""

_OPENING_SECONDS = 30
"""How long a file may take to open; on a disk that is waking up it is seconds."""

_LOOK_EVERY_SECONDS = 0.25

_BUSY_TIMEOUT_SECONDS = 0.25
"""How long SQLite itself waits in one piece: no signal is heard meanwhile, so whoever wants more asks again."""

_MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
_WAL_VERSION = 2


class HeaderFacts(TypedDict):
    """What the header of a database says; `page_size` in bytes."""

    wal_mode: bool
    page_size: int
    page_count: int


@dataclass(frozen=True)
class DatabaseFile:
    """A database file as its first 100 bytes describe it (https://www.sqlite.org/fileformat2.html, 1.3)."""

    path: Path
    identity: tuple[int, int]
    file_bytes: int
    wal_bytes: int
    wal_mode: bool
    page_size: int
    page_count: int

    @property
    def journal_mode(self) -> str:
        """`wal`, or `rollback` for every kind of rollback journal."""
        return "wal" if self.wal_mode else "rollback"


def look_at(path: Path) -> DatabaseFile:
    """Read a database's header, while nobody in this process has it open.

    Raises SourcePendingError where there is no file, SourceError where it is not a database.
    """
    real = Path(os.path.realpath(path))  # not resolve(), which raises RuntimeError for links that go in a circle
    try:
        # One descriptor for all: between two looks by name the tracker's user could put something else there.
        descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{path} is not a file", hint="name the database file itself, not its directory")
            header = os.read(descriptor, HEADER_BYTES)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        raise SourcePendingError(
            f"{path} does not exist", hint="start the tracker once so that it makes its database, or mend the path"
        ) from None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}", hint=_reading_hint(error)) from error
    _refuse_non_database(path, header)
    _refuse_disguised_sidecars(real, status.st_uid)
    wal = real.with_name(real.name + "-wal")
    return DatabaseFile(
        path=real,
        identity=(status.st_dev, status.st_ino),
        file_bytes=status.st_size,
        wal_bytes=wal.stat().st_size if wal.exists() else 0,
        **header_facts(header),
    )


def header_facts(header: bytes) -> HeaderFacts:
    """Return journal mode, page size (bytes) and page count from the first 100 bytes of a database."""
    page_size = int.from_bytes(header[16:18], "big")
    return {
        "wal_mode": header[19] == _WAL_VERSION,
        "page_size": 65536 if page_size == 1 else page_size,
        "page_count": int.from_bytes(header[28:32], "big"),
    }


def read_header(path: Path) -> HeaderFacts:
    """Return the header facts of a copy of ours."""
    with path.open("rb") as file:
        return header_facts(file.read(HEADER_BYTES))


def open_source(database: DatabaseFile) -> sqlite3.Connection:
    """Open a live database for reading only; it is never created, recovered or checkpointed by this.

    Raises SourceError when SQLite would leave files behind that lock the tracker out.
    """
    _refuse_foreign_wal(database)
    uri = f"file:{quote(os.fsencode(database.path))}?mode=ro"
    try:
        connection = _connect(uri, database.path)
    except sqlite3.Error as error:
        raise explain(error, database.path) from error
    if connection is None:
        raise SourceError(
            f"{database.path} was a file and does not open: has somebody put a FIFO in its place?",
            hint=f"look at it: ls -l {shlex.quote(str(database.path))}",
        )
    return connection


def _connect(uri: str, path: Path) -> sqlite3.Connection | None:
    """Let SQLite open a file; None where that does not end.

    It waits in a FIFO until somebody writes into that, and hears no signal meanwhile (os_unix.c, robust_open): so this
    is a thread's business, which is left to its fate then and does not keep the program from ending.
    """
    opened: queue.SimpleQueue[sqlite3.Connection | BaseException] = queue.SimpleQueue()

    def connect() -> None:
        try:
            opened.put(
                sqlite3.connect(
                    uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_SECONDS, check_same_thread=False
                )
            )
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            opened.put(error)

    start_undisturbed(threading.Thread(target=connect, daemon=True))
    for _ in range(int(_OPENING_SECONDS / _LOOK_EVERY_SECONDS)):
        with suppress(queue.Empty):
            result = opened.get(timeout=_LOOK_EVERY_SECONDS)
            if isinstance(result, BaseException):
                raise result
            return result
        with suppress(OSError):
            if stat.S_ISFIFO(path.lstat().st_mode):
                return None
    return None


def explain(error: sqlite3.Error, path: Path) -> SourceError:
    """Turn what SQLite says of a source into what happened and what to do."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return SourceError(
            f"{path} has a hot journal: whoever wrote it last crashed in the middle of a transaction",
            hint="start the tracker once, which rolls it back, then try again",
        )
    known = {
        sqlite3.SQLITE_BUSY: (
            f"is locked by another program, for longer than {LOCK_TIMEOUT_SECONDS} s",
            "end what holds it; an application with locking_mode=EXCLUSIVE never lets go, nor does one that is paused",
        ),
        sqlite3.SQLITE_CANTOPEN: (
            "cannot be opened; in WAL mode on a read-only mount that takes an existing -shm file",
            "name the database at its place on the host, where its directory can be written to",
        ),
        sqlite3.SQLITE_NOTADB: ("is not a SQLite database, or it is encrypted", "check the path"),
        sqlite3.SQLITE_CORRUPT: ("is damaged", "`sqlite3 FILE 'PRAGMA integrity_check'` says where; restore a backup"),
        sqlite3.SQLITE_IOERR: ("cannot be read: the disk reports an error", "look at `dmesg` and the disk"),
    }
    what, hint = known.get(primary_code(error), ("cannot be copied", None))
    return SourceError(f"{path} {what} (SQLite: {error})", hint=hint)


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code of an error, -1 where it has none (https://www.sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def _refuse_non_database(path: Path, header: bytes) -> None:
    if not header:
        raise SourceError(f"{path} is empty (0 bytes), not a database", hint="is this the file the tracker uses?")
    if not header.startswith(_MAGIC):
        raise SourceError(f"{path} is not a SQLite database, or it is encrypted", hint="check the path")
    if len(header) < HEADER_BYTES:
        raise SourceError(f"{path} is cut off: it has {len(header)} bytes only", hint="restore a backup")


def _refuse_disguised_sidecars(path: Path, owner: int) -> None:
    """Refuse what lies where SQLite's own files do and is none of them.

    SQLite gives a -wal that it opens to the database's owner: one that is another name of a file of root's would be
    his from then on.
    """
    for suffix in ("-wal", "-shm", "-journal"):
        beside = path.with_name(path.name + suffix)
        try:
            status = beside.lstat()
        except FileNotFoundError:
            continue
        named_elsewhere = status.st_nlink > 1 and status.st_uid != owner
        if not stat.S_ISREG(status.st_mode) or named_elsewhere:
            raise SourceError(
                f"{beside} is a link, or another name of somebody else's file: SQLite did not make it",
                hint="find out who did; nothing was opened",
            )


def _refuse_foreign_wal(database: DatabaseFile) -> None:
    """Refuse to be the one who makes the -wal and -shm of a user who could then not open the database any more."""
    if not database.wal_mode or os.geteuid() in (0, database.path.stat().st_uid):
        return
    if not all(database.path.with_name(database.path.name + suffix).exists() for suffix in ("-wal", "-shm")):
        raise SourceError(
            f"{database.path} belongs to another user and is not in use: reading it in WAL mode would leave files of "
            "ours beside it that its owner cannot open",
            hint="run the same command with sudo",
        )


def _reading_hint(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "run the same command with sudo"
    return "look at the disk and the mount"
