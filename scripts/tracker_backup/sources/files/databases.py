"""SQLite databases that lie among the files: copied as databases, and put under their own names for the archive."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import SourceError, SourcePendingError
from tracker_backup.sources.files.selection import writer_of
from tracker_backup.sources.files.walking import shown
from tracker_backup.sources.interface import Source
from tracker_backup.sources.sqlite.check import SqliteCheck
from tracker_backup.sources.sqlite.driver import SqliteDriver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.sources.files.selection import Scope
    from tracker_backup.sources.files.walking import Member
    from tracker_backup.sources.interface import CheckResult, CopyContext, Forecast, Snapshot

_ASLEEP_SECONDS = 86400


@dataclass(frozen=True)
class Within:
    """A database among the files: what it is there, and its checked copy, below the directory of all copies."""

    member: Member
    snapshot: Snapshot
    check: CheckResult

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the manifest."""
        snapshot = self.snapshot
        return {
            "path": shown(self.member.path),
            "bytes": snapshot.raw_bytes,
            "method": snapshot.method,
            "write_stall_seconds": round(snapshot.write_stall_seconds, 3),
            "pause_seconds": round(snapshot.pause_seconds, 3),
            "check": "damaged" if self.check.ok is False else "ok" if self.check.ok else "cannot tell",
            "messages": list(self.check.messages),
        }


def copy_all(databases: Sequence[Member], scope: Scope, context: CopyContext, tree: Path) -> list[Within]:
    """Copy databases, each to its own path below `tree`, with its mode, times and attributes.

    Raises SourceError, with the database and what to do, when one cannot be copied at a bearable cost.
    """
    return [done for member in databases if (done := _copy(member, scope, context, tree)) is not None]


def forecast_all(databases: Sequence[Member], scope: Scope, context: CopyContext) -> list[Forecast]:
    """Return what copying each would cost now, and change nothing."""
    found = []
    for member in databases:
        try:
            found.append(SqliteDriver().forecast(_source(member, scope), _patient(member, context)))
        except SourceError as error:
            raise _explained(error) from error
    return found


def copied_to(tree: Path, path: str) -> Path:
    """Return where below a tree something with an absolute path lies."""
    return tree / path.lstrip("/")


def _copy(member: Member, scope: Scope, context: CopyContext, tree: Path) -> Within | None:
    working = context.directory / "database"
    working.mkdir(mode=0o700, exist_ok=True)
    patient = _patient(member, context)
    try:
        snapshot = SqliteDriver().take(_source(member, scope), replace(patient, directory=working))
    except SourcePendingError:
        return None  # it has gone meanwhile
    except SourceError as error:
        raise _explained(error) from error
    target = copied_to(tree, member.path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    snapshot.path.rename(target)
    check = SqliteCheck(target, full=False, low_priority=False).result()
    _dress(member, target)
    if patient.max_write_stall_seconds != context.max_write_stall_seconds:
        snapshot = replace(snapshot, write_stall_seconds=0.0)  # nobody was there who could wait
    return Within(member, replace(snapshot, path=target), check)


def _source(member: Member, scope: Scope) -> Source:
    mount = writer_of(scope, member.path)
    return Source(
        name="database",
        type="sqlite",
        path=Path(member.path),
        service=None if mount is None else mount.service,
        mount="file" if mount is not None and mount.path == member.path else "directory",
    )


def _patient(member: Member, context: CopyContext) -> CopyContext:
    """Return the context for one of many databases: none is switched to WAL, and one that is asleep may take longer.

    An old copy that somebody has put aside must not make a service pause.
    """
    context = replace(context, switch_to_wal=False)
    if not _asleep(member):
        return context
    return replace(context, max_write_stall_seconds=max(context.max_write_stall_seconds, context.max_pause_seconds))


def _asleep(member: Member) -> bool:
    """Return whether nobody has written to a database for a day, and nobody has it open; root alone can tell."""
    if os.geteuid() != 0 or time.time() - member.status.st_mtime < _ASLEEP_SECONDS:
        return False
    identity = (member.status.st_dev, member.status.st_ino)
    # Step by step: a glob over processes that end meanwhile raises what no loop around it can catch in time.
    for process in Path("/proc").glob("[0-9]*"):
        try:
            descriptors = list((process / "fd").iterdir())
        except OSError:
            continue  # it has ended
        for descriptor in descriptors:
            try:
                status = descriptor.stat()
            except OSError:
                continue  # closed meanwhile
            if (status.st_dev, status.st_ino) == identity:
                return False
    return True


def _dress(member: Member, target: Path) -> None:
    """Give a copy the mode, the times and the attributes (ACLs are among them) of the original; tar adds the owner."""
    try:
        shutil.copystat(member.path, target)
    except FileNotFoundError:
        target.chmod(member.status.st_mode & 0o7777)
        os.utime(target, ns=(member.status.st_atime_ns, member.status.st_mtime_ns))


def _explained(error: SourceError) -> SourceError:
    """Return an error with the way out that a database among the files has besides."""
    way = "or leave it out of the files with files.exclude"
    error.hint = f"{error.hint}; {way}" if error.hint else way.removeprefix("or ")
    return error
