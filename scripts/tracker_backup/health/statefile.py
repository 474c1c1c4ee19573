"""status.json: what monitoring may read without being root; nothing secret stands in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import RepositoryError
from tracker_backup.health.status import Status, status_from_json
from tracker_backup.system.files import make_public_directory, write_atomically

if TYPE_CHECKING:
    from datetime import datetime

STATE_DIRECTORY = Path("/var/lib/tracker-backup")
DIRECTORY_VARIABLE = "TRACKER_BACKUP_STATE_DIRECTORY"
STATUS_NAME = "status.json"


def write_status(directory: Path, status: Status, now: datetime) -> None:
    """Write the status for others to read (mode 0644).

    Raises RepositoryError when it cannot be written.
    """
    path = directory / STATUS_NAME
    try:
        make_public_directory(directory)
        write_atomically(path, (json.dumps(status.to_json(now), indent=2) + "\n").encode(), 0o644)
    except OSError as error:
        raise RepositoryError(f"cannot write {path}: {error.strerror}") from error


def read_status(directory: Path) -> Status | None:
    """Return the status as it was last written, or None where there is none that can be read."""
    try:
        return status_from_json(json.loads((directory / STATUS_NAME).read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def state_root() -> Path:
    """Return the directory that holds a state directory for each instance, where the role put them."""
    return Path(os.environ.get(DIRECTORY_VARIABLE) or STATE_DIRECTORY)


def written_statuses(instance: str | None, root: Path | None = None) -> list[Status]:
    """Return what was written of an instance, or of all there are, without any configuration."""
    root = root or state_root()
    directories = [root / instance] if instance else sorted(path.parent for path in root.glob(f"*/{STATUS_NAME}"))
    return [status for status in map(read_status, directories) if status is not None]
