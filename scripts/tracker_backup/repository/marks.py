"""What a person has said of a backup, or `verify`: an empty file in it, which stays once it is told of.

A mark is made and removed in one step, so that nobody has to wait for a long run's lock to make one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tracker_backup.errors import RepositoryError
from tracker_backup.repository.backups import damaged_mark, is_marked
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.files import create_private, fsync_directory

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.repository.backups import Backup
    from tracker_backup.repository.manifest import Artifact


def set_mark(path: Path) -> bool:
    """Make a mark; return False where it is there already. Raises RepositoryError where it cannot be made."""
    try:
        os.close(create_private(path))
        fsync_directory(path.parent)
    except FileExistsError:
        if not is_marked(path):
            raise RepositoryError(f"{path} is there, and is no plain file", hint="move it away") from None
        return False
    except OSError as error:
        raise RepositoryError(f"cannot write {path}: {error.strerror}", hint=remedy(error)) from error
    return True


def clear_mark(path: Path) -> bool:
    """Take a mark away; return False where there is none. Raises RepositoryError where it cannot be removed."""
    try:
        path.unlink()
        fsync_directory(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RepositoryError(f"cannot remove {path}: {error.strerror}", hint=remedy(error)) from error
    return True


def note_damage(backup: Backup, artifact: Artifact, *, damaged: bool) -> bool:
    """Note that an artifact is no longer what was stored, or that it is after all; return whether that is news.

    Raises RepositoryError where it cannot be noted.
    """
    mark = damaged_mark(backup.path, artifact)
    return set_mark(mark) if damaged else clear_mark(mark)
