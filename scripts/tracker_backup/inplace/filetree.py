"""Compare an unpacked tree with what is live, and exchange single files, such that each step can be undone."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tracker_backup.inplace.dress import dress_of, put_on
from tracker_backup.inplace.exchange import require_straight
from tracker_backup.system.files import CHUNK_BYTES, create_private, fsync_directory, unused_name

_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\x00"
NEW_DIRECTORY, NEW, REPLACED = "new directory", "new", "replaced"


@dataclass
class Entry:
    """One change: what lies at `tree` belongs to `live`, and waits at `new`, under the inode `inode`, once it is ready.

    `kept` is where the old one goes. `kind` is one of the words above; `link` is where a symbolic link leads to.
    """

    kind: str
    tree: str
    live: str
    new: str
    kept: str
    link: str | None = None
    inode: int | None = None


def differs(tree: Path, live: Path) -> bool | None:
    """Return whether a file or link differs from the live one; None where there is something of another kind."""
    ours, theirs = tree.lstat(), live.lstat()
    if stat.S_ISLNK(ours.st_mode) and stat.S_ISLNK(theirs.st_mode):
        return os.readlink(tree) != os.readlink(live)  # noqa: PTH115 - names of any bytes
    if stat.S_ISDIR(theirs.st_mode) or not (stat.S_ISREG(theirs.st_mode) or stat.S_ISLNK(theirs.st_mode)):
        return None
    if stat.S_IFMT(ours.st_mode) != stat.S_IFMT(theirs.st_mode) or ours.st_size != theirs.st_size:
        return True
    if stat.S_IMODE(ours.st_mode) != stat.S_IMODE(theirs.st_mode):
        return True
    if os.geteuid() == 0 and (ours.st_uid, ours.st_gid) != (theirs.st_uid, theirs.st_gid):
        return True
    return not filecmp.cmp(tree, live, shallow=False)


def same_database(tree: Path, live: Path) -> bool:
    """Return whether a database holds what its copy does; a copy has other counters on its first page."""
    wal = live.with_name(f"{live.name}-wal")
    if not live.is_file() or (wal.exists() and wal.stat().st_size) or tree.stat().st_size != live.stat().st_size:
        return False
    with tree.open("rb") as ours, live.open("rb") as theirs:
        if _without_counters(ours.read(_HEADER_BYTES)) != _without_counters(theirs.read(_HEADER_BYTES)):
            return False
        while block := ours.read(CHUNK_BYTES):
            if block != theirs.read(CHUNK_BYTES):
                return False
    return True


def is_database(tree: Path, live: Path) -> bool:
    """Return whether a file that takes the place of another one would take it from a database with all that it has."""
    if not (stat.S_ISREG(tree.lstat().st_mode) and os.path.lexists(live) and stat.S_ISREG(live.lstat().st_mode)):
        return False
    with live.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _without_counters(header: bytes) -> bytes:
    """Leave out what the copying changes (https://www.sqlite.org/fileformat2.html, 1.3)."""
    return header[:24] + header[28:40] + header[44:92]


def make_ready(entry: Entry) -> None:
    """Give a file of the tree a place beside its own, with all that it has, and flush it; raises as `put` does."""
    tree, new = Path(entry.tree), Path(entry.new)
    require_straight(entry.live)
    if entry.link is not None:
        new.symlink_to(entry.link)
        if os.geteuid() == 0:
            os.chown(new, tree.lstat().st_uid, tree.lstat().st_gid, follow_symlinks=False)
    else:
        _share(tree, new)
    entry.inode = new.lstat().st_ino


def put(entry: Entry) -> None:
    """Make one change.

    Raises OSError, FileExistsError where something has come up meanwhile, RestoreError behind a link.
    """
    live = Path(entry.live)
    require_straight(entry.live)
    if entry.kind == NEW_DIRECTORY:
        live.mkdir()
        put_on(live, dress_of(Path(entry.tree)))
        return
    if entry.kind == REPLACED:
        _keep(live, Path(entry.kept))
        Path(entry.new).rename(live)
        return
    if os.path.lexists(live):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(live))
    Path(entry.new).rename(live)


def take_back(entry: Entry) -> None:
    """Undo one change, whether it was made or not; safe to be called again. What waits at `new` stays there."""
    live, kept = Path(entry.live), Path(entry.kept)
    if entry.kind == NEW_DIRECTORY:
        with suppress(OSError):
            live.rmdir()  # somebody may have put something there meanwhile, or it was never made
    elif entry.kind == NEW:
        if os.path.lexists(live) and live.lstat().st_ino == entry.inode:
            live.unlink()
    elif os.path.lexists(kept):
        _bring_back(entry, kept, live)


def flush(entries: list[Entry]) -> None:
    """Flush the directories in which something was changed."""
    for directory in sorted({os.path.dirname(entry.live) for entry in entries}):  # noqa: PTH120 - names of any bytes
        if os.path.isdir(directory):  # noqa: PTH112 - the same
            fsync_directory(Path(directory))


def remove_empty(directory: Path) -> None:
    """Remove a directory and those in it, as far as they hold nothing."""
    for place, _, _ in os.walk(directory, topdown=False):
        with suppress(OSError):
            os.rmdir(place)  # noqa: PTH106 - a name of any bytes


def _keep(live: Path, kept: Path) -> None:
    """Give a file a second name among what is kept; on another file system, copy it there."""
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.link(live, kept, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        unfinished = kept.with_name(f".tb-{unused_name()}.unfinished")  # short, however long the live one's name is
        _duplicate(live, unfinished)
        unfinished.rename(kept)
    fsync_directory(kept.parent)


def _bring_back(entry: Entry, kept: Path, live: Path) -> None:
    spare = Path(entry.new)
    waits = os.path.lexists(spare) and spare.lstat().st_ino == entry.inode
    if os.path.lexists(live) and (waits or os.path.samestat(live.lstat(), kept.lstat())):
        kept.unlink()  # it was not replaced yet, perhaps because it cannot be: chattr +i
        return
    try:
        kept.rename(live)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _duplicate(kept, spare)
        spare.rename(live)
        fsync_directory(live.parent)
        kept.unlink()


def _share(tree: Path, new: Path) -> None:
    """Give a file a second name: its holes and its hard links stay; a copy where the file system has no such thing."""
    try:
        os.link(tree, new)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        _copy(tree, new)
        return
    with new.open("rb") as file:
        os.fsync(file.fileno())


def _duplicate(path: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    if path.is_symlink():
        target.symlink_to(os.readlink(path))  # noqa: PTH115 - names of any bytes
    else:
        _copy(path, target)


def _copy(path: Path, target: Path) -> None:
    descriptor = create_private(target)  # whoever owns the directory may have put a link there
    try:
        with path.open("rb") as source, os.fdopen(os.dup(descriptor), "wb") as copy:
            shutil.copyfileobj(source, copy, CHUNK_BYTES)
        put_on(target, dress_of(path))
        status = path.stat()
        os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
