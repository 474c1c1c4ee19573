"""Hot journals of a transaction over several databases, which may have been committed although they are hot.

Such a journal ends with the name of a super-journal, a file that all of the transaction's journals name. While it is
there the transaction has to be rolled back; its deletion was the commit (https://www.sqlite.org/atomiccommit.html, 5).
The name is the path that the writer saw: of a tracker in a container that path is not the host's, SQLite on the host
finds nothing there, takes the transaction for committed and drops the journal. So it is decided here, before SQLite is
let near.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tracker_backup.errors import SourceError
from tracker_backup.system.files import opened_for_reading

_MAGIC = bytes.fromhex("d9d505f920a163d7")
_TAIL_BYTES = 16
_PAGE_NUMBER_BYTES = 4
_LONGEST_NAME = 512
"""MAX_PATHNAME of os_unix.c: for SQLite a longer name is none."""


@dataclass(frozen=True)
class SuperJournal:
    """What a journal names: `path` as its writer saw it; `record_at` is the byte of the journal where that begins."""

    path: Path
    record_at: int

    def beside(self, database: Path) -> Path:
        """Return where it lies if the writer's directory is the one of `database`."""
        return database.with_name(self.path.name)


def super_journal_of(journal: Path) -> SuperJournal | None:
    """Return the super-journal that a rollback journal names, or None where it names none, or is none, or not hot.

    The record is that of writeSuperJournal and readSuperJournal in SQLite's pager.c: page number, name, the name's
    length, the sum of its bytes, magic; it is the last thing in the file. A journal whose first byte is zero is not hot
    (hasHotJournal).

    Raises OSError where it cannot be read, or is no plain file.
    """
    try:
        with opened_for_reading(journal) as descriptor:
            size = os.fstat(descriptor).st_size
            tail_at = max(0, size - _TAIL_BYTES)
            tail = os.pread(descriptor, _TAIL_BYTES, tail_at)
            length = int.from_bytes(tail[:4], "big")
            hot = os.pread(descriptor, 1, 0) not in (b"", b"\0")
            if not hot or tail[8:] != _MAGIC or not 0 < length <= min(_LONGEST_NAME, tail_at):
                return None
            name = os.pread(descriptor, length, tail_at - length)
    except FileNotFoundError:
        return None
    if int.from_bytes(tail[4:8], "big") not in _sums(name) or not Path(os.fsdecode(name)).name or b"\0" in name:
        return None
    return SuperJournal(Path(os.fsdecode(name)), max(0, tail_at - length - _PAGE_NUMBER_BYTES))


def has_to_be_rolled_back(database: Path, named: SuperJournal) -> bool:
    """Return whether the transaction of a hot journal was not committed; False says that it was.

    Raises SourceError where that cannot be told from here.
    """
    if _is_there(named.path) or _is_there(named.beside(database)):
        return True
    if _same_directory(named.path.parent, database.parent):
        return False
    raise SourceError(
        f"{database} has a hot journal: whoever wrote it last crashed in a transaction over several databases. Whether "
        f"that was committed depends on {named.path}, a path that was seen from a container or before a move",
        hint="start the tracker once, which finishes it or rolls it back by itself, then try again",
    )


def refuse_undecidable(database: Path, journal: Path) -> None:
    """Raise SourceError where it cannot be told what has to become of a hot journal, or where it cannot be read."""
    named = _named_by(journal)
    if named is not None:
        has_to_be_rolled_back(database, named)


def settle(database: Path, copy: Path) -> None:
    """Cut the name off `copy`, our copy of the journal of `database`, where the transaction has to be rolled back.

    Then it is a hot journal like others, and SQLite rolls it back without a look at files that are not ours. Where the
    transaction was committed it stays as it is: SQLite finds no super-journal either, and drops it.

    Raises SourceError where it cannot be told.
    """
    named = _named_by(copy)
    if named is not None and has_to_be_rolled_back(database, named):
        os.truncate(copy, named.record_at)


def _named_by(journal: Path) -> SuperJournal | None:
    try:
        return super_journal_of(journal)
    except OSError as error:
        raise SourceError(f"cannot read {journal}: {error.strerror}", hint="look at the disk and the mount") from error


def _sums(name: bytes) -> tuple[int, int]:
    """Return the checksums of a name: of signed characters as pager.c has it, of unsigned ones as it is on ARM."""
    unsigned = sum(name)
    return (unsigned - 256 * sum(byte > 127 for byte in name)) & 0xFFFFFFFF, unsigned  # noqa: PLR2004 - int8


def _is_there(path: Path) -> bool:
    """Return what unixAccess of SQLite's os_unix.c does: an empty plain file is not there.

    Raises SourceError where a disk fails, which must not be taken for a commit.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    except OSError as error:
        raise SourceError(f"cannot look at {path}: {error.strerror}", hint="look at the disk and the mount") from error
    return not stat.S_ISREG(status.st_mode) or status.st_size > 0


def _same_directory(one: Path, other: Path) -> bool:
    try:
        return one.is_absolute() and one.samefile(other)
    except OSError:
        return False  # what cannot be looked at is not known to be the same
