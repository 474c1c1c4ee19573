"""Exchange a database file for another one, such that a crash at any instant leaves something to put right.

At every instant the old file or the new one, whole, lies under the live name: the old one gets a second name in a
directory beside it, then one rename puts the new one over the first. What SQLite keeps beside a database goes with it.
A super-journal that a hot journal names gets a second name there and stays where it is: other databases need it too.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from pathlib import Path

from tracker_backup.errors import RestoreError
from tracker_backup.sources.sqlite.superjournal import super_journal_of
from tracker_backup.system.files import CHUNK_BYTES, create_private, fsync_directory, opened_for_reading, write_all

SIDECARS = ("-wal", "-shm", "-journal")
_SUPER_JOURNAL = re.compile(r".+-mj[0-9A-F]{8,9}", re.DOTALL)
"""What SQLite calls them (vdbe.c, vdbeCommit): whoever writes a journal by hand must not have us move other files."""

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def beside(path: Path) -> list[Path]:
    """Return where SQLite keeps what belongs to a database."""
    return [path.with_name(path.name + suffix) for suffix in SIDECARS]


def require_straight(live: str | Path) -> None:
    """Raise RestoreError where a directory above a place has become a link: who may write there must not lead us on."""
    above = os.path.dirname(live)  # noqa: PTH120 - names of any bytes
    if os.path.realpath(above) != above:
        raise RestoreError(f"{above} is, or lies behind, a link now", hint="see who has put it there, then try again")


def exchange(live: Path, new: Path, kept: Path) -> None:
    """Put `new` in the place of `live`, whose files go into the directory `kept`; others of its directory may share it.

    Raises OSError, and RestoreError behind a link; :func:`take_back` puts right what was done by then.
    """
    require_straight(live)
    kept.mkdir(mode=0o700, exist_ok=True)
    fsync_directory(kept.parent)
    _keep_super_journal(live, kept)
    there = [path for path in beside(live) if path.exists()]
    if _link_all([live, *there], kept):
        fsync_directory(kept)
        for path in there:
            path.unlink()
    else:
        for path in (live, *there):
            path.rename(kept / path.name)
        fsync_directory(kept)
    if there:
        fsync_directory(live.parent)
    new.rename(live)
    fsync_directory(live.parent)


def take_back(live: Path, kept: Path) -> None:
    """Put what lies in `kept` back, in the place of whatever is live; where nothing was exchanged, nothing is.

    Safe to be called again after it was cut off. Raises OSError where it cannot.
    """
    if not kept.is_dir():
        return
    _give_back_super_journal(live, kept)  # first: it is found by the journal, wherever that is
    old = kept / live.name
    if old.exists():
        if _same(live, old):
            old.unlink()
        else:
            if live.exists():  # it is the new one, and what lies beside it is its own
                for path in beside(live):
                    path.unlink(missing_ok=True)
                fsync_directory(live.parent)
            old.rename(live)
        fsync_directory(live.parent)
    for path in beside(live):
        old = kept / path.name
        if old.exists():
            if _same(path, old):
                old.unlink()
            else:
                old.rename(path)
    fsync_directory(live.parent)
    with suppress(OSError):
        kept.rmdir()  # somebody may have put something of his own there
    fsync_directory(kept.parent)


def is_displaced(live: Path, kept: Path) -> bool:
    """Return whether something else than the old database, which lies in `kept`, has its name."""
    old = kept / live.name
    return live.exists() and old.exists() and not _same(live, old)


def set_aside(live: Path, kept: Path) -> None:
    """Move what a database has left that is gone itself: SQLite would apply it to the one that gets its name.

    Raises OSError; :func:`take_back` puts right what was done by then.
    """
    there = [path for path in beside(live) if path.exists()]
    if there:
        kept.mkdir(mode=0o700, exist_ok=True)
        fsync_directory(kept.parent)
        _keep_super_journal(live, kept)
        for path in there:
            path.rename(kept / path.name)
        fsync_directory(kept)
        fsync_directory(live.parent)


def put_away(live: Path, directory: Path) -> None:
    """Give all files of a database second names in a directory; where no file can have two, move them there.

    Safe to be called again after it was cut off. Raises OSError.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    fsync_directory(directory.parent)
    _keep_super_journal(live, directory)
    for path in (*beside(live), live):
        if path.exists() and not _same(path, directory / path.name):
            try:
                os.link(path, directory / path.name)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                path.rename(directory / path.name)
    fsync_directory(directory)


def put_new(new: Path, live: Path) -> None:
    """Give a file its name, where there was none.

    Raises FileExistsError where something has come up there meanwhile, RestoreError behind a link.
    """
    require_straight(live)
    try:
        os.link(new, live)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if live.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(live)) from error
        new.rename(live)
    fsync_directory(live.parent)
    new.unlink(missing_ok=True)


def _link_all(paths: list[Path], directory: Path) -> bool:
    """Give files second names in a directory, the database's first; return False where no file can have two names."""
    for path in paths:
        try:
            os.link(path, directory / path.name)
        except OSError as error:
            if error.errno in _NO_LINKS and path == paths[0]:
                return False
            raise
    return True


def _keep_super_journal(live: Path, directory: Path) -> None:
    """Give the super-journal of a database a second name in a directory, or put a copy of it there.

    Whoever rolls back the last other database that needs it deletes it, and without it ours would count as committed.
    """
    path = _super_journal(live)
    if path is None or not path.is_file():
        return
    kept = directory / path.name
    kept.unlink(missing_ok=True)  # of another database, the same file; or what a death has left half copied
    try:
        os.link(path, kept)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _duplicate(path, kept)


def _give_back_super_journal(live: Path, kept: Path) -> None:
    """Take back what :func:`_keep_super_journal` did; safe to be called again after it was cut off."""
    path = _super_journal(kept / live.name) or _super_journal(live)
    if path is None:
        return
    old, path = kept / path.name, live.with_name(path.name)
    if old.exists():
        if path.exists():
            old.unlink()
        else:
            old.rename(path)


def _super_journal(database: Path) -> Path | None:
    """Return where the super-journal that a database's journal names would lie beside it."""
    try:
        named = super_journal_of(database.with_name(f"{database.name}-journal"))
    except OSError:
        return None  # what cannot be read is kept as it is, and so is what SQLite did not make
    if named is None or not _SUPER_JOURNAL.fullmatch(named.path.name):
        return None
    return named.beside(database)


def _duplicate(path: Path, to: Path) -> None:
    descriptor = create_private(to)
    try:
        with opened_for_reading(path) as source:
            while block := os.read(source, CHUNK_BYTES):
                write_all(descriptor, block)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return False
