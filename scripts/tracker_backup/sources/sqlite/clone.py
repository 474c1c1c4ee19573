"""Copies that share their blocks with the original: an instant on file systems that can (XFS, btrfs).

The lock or pin is held for the clone alone, milliseconds that grow with the file's fragments; whatever is left to do,
folding a cloned -wal into its database, is done in staging, where nobody waits
(https://man7.org/linux/man-pages/man2/ioctl_ficlone.2.html).
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError
from tracker_backup.sources.sqlite.copy import PinnedCopy, pin, pinned_in_wal_mode
from tracker_backup.sources.sqlite.foreign import ForeignWrites, refuse_another, refuse_replaced
from tracker_backup.sources.sqlite.opening import open_source
from tracker_backup.sources.sqlite.originals import open_original
from tracker_backup.sources.sqlite.staged import fold, no_room, sidecar
from tracker_backup.sources.sqlite.walindex import open_index
from tracker_backup.system.files import create_private
from tracker_backup.system.filesystem import mount_of

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.sources.sqlite.opening import DatabaseFile

_FICLONE = 0x40049409
_CLONING = ("xfs", "btrfs", "bcachefs", "ocfs2")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_CANNOT = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY)

_DISK_HINT = "look at `dmesg` and the disk"


class CloneUnavailableError(Exception):
    """These two places cannot share blocks; the database has to be copied."""


def can_clone(database: Path, directory: Path) -> bool:
    """Return whether a database and the directory of its copy lie on one file system of a kind that clones.

    Some file systems of these kinds were made without the ability; the attempt will tell.
    """
    mount = mount_of(database)
    return mount.type in _CLONING and mount.device == mount_of(directory).device


def clone_pinned(database: DatabaseFile, target: Path) -> PinnedCopy:
    """Clone a live database into the new private file `target`, its -wal with it, and fold that into it.

    Raises CloneUnavailableError where the two places cannot share blocks, with nothing left behind; SourceError when
    the database cannot be locked, or is replaced or written to past SQLite meanwhile.
    """
    # Closing any descriptor of the source drops SQLite's locks on it, so ours are closed when it has let go.
    with ExitStack() as after_release, closing(open_source(database)) as source:
        snapshot_at = pin(source, database)
        began = time.monotonic()
        refuse_another(database)
        # The mode may have changed since it was looked at; in WAL mode the file alone is not the database.
        wal_mode = pinned_in_wal_mode(database, open_original(database, after_release))
        index = open_index(database, after_release) if wal_mode else None
        foreign = ForeignWrites(database, wal_mode=wal_mode, index=index)
        for suffix in ("-wal", "") if wal_mode else ("",):
            _clone(database.path, target, suffix, after_release)
        foreign.require_none()
        source.execute("ROLLBACK")
        locked_seconds = time.monotonic() - began
    refuse_replaced(database)
    if sidecar(target, "-wal").exists():
        fold(target)
    return PinnedCopy(snapshot_at, locked_seconds)


def _clone(path: Path, target: Path, suffix: str, after_release: ExitStack) -> None:
    try:
        source = os.open(sidecar(path, suffix), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        if suffix:
            return  # a database in WAL mode that nobody has open needs no -wal
        raise SourceError(f"{path} vanished during the copy", hint="run the backup again") from None
    except OSError as error:
        raise SourceError(f"cannot read {sidecar(path, suffix)}: {error.strerror}", hint=_DISK_HINT) from error
    after_release.callback(os.close, source)
    copy = create_private(sidecar(target, suffix))
    after_release.callback(os.close, copy)
    try:
        fcntl.ioctl(copy, _FICLONE, source)
    except OSError as error:
        for name in ("", "-wal"):
            sidecar(target, name).unlink(missing_ok=True)
        if error.errno in _CANNOT:
            raise CloneUnavailableError(error.strerror) from error
        if error.errno in _NO_ROOM:
            raise no_room(target) from error
        raise SourceError(f"cannot clone {sidecar(path, suffix)}: {error.strerror}", hint=_DISK_HINT) from error
