"""What there is to say of the database that a restore in place replaces, and when it is refused."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.containers.services import changed_files
from tracker_backup.errors import PrivilegeError, RestoreError
from tracker_backup.inplace.exchange import beside
from tracker_backup.repository.manifest import format_time
from tracker_backup.sources.sqlite.opening import header_facts
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tracker_backup.containers.services import ServiceContainer

_HEADER_BYTES = 100


def look_at(live: Path, *, file_mount: bool) -> str:
    """Return in words what a live database is; `file_mount` says that its container has mounted this single file.

    Raises RestoreError or PrivilegeError where it cannot be replaced.
    """
    if not live.is_file():
        raise RestoreError(f"{live} is not a file", hint="move it away, then try again")
    status = live.stat()
    with live.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    wal = len(header) == _HEADER_BYTES and header_facts(header)["wal_mode"]
    if wal and file_mount:
        raise RestoreError(
            f"{live} is in WAL mode, and its container sees this single file only: it keeps a -wal inside, "
            "which would be applied to the restored database and ruin it",
            hint="mount the database's directory instead of the file, and start the stack anew",
        )
    if os.geteuid() not in (0, status.st_uid):
        raise PrivilegeError(f"{live} belongs to another user")
    written = max(path.stat().st_mtime for path in (live, *beside(live)) if path.exists())
    mode = "WAL mode" if wal else "rollback journal"
    return f"{format_bytes(status.st_size)}, last written {format_time(datetime.fromtimestamp(written, UTC))}, {mode}"


def refuse_hidden_journal(live: Path, users: Iterable[ServiceContainer]) -> None:
    """Look for a journal that a container with a mount of the single file keeps where the host cannot see it.

    Raises RestoreError where there is one.
    """
    for container in users:
        mount = container.single_mount(str(live))
        left = [] if mount is None else changed_files(container, mount.target)
        if left:
            raise RestoreError(
                f"{container.name} has kept {', '.join(left)} beside the file that it has mounted; the restored "
                "database would be ruined by it",
                hint="mount the database's directory instead of the file, and make the container anew",
            )
