"""SQLite as a type of source: look, decide, copy, check."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tracker_backup.sources.interface import Snapshot
from tracker_backup.sources.sqlite.check import SqliteCheck
from tracker_backup.sources.sqlite.copy import copy_pinned
from tracker_backup.sources.sqlite.opening import look_at, read_header
from tracker_backup.sources.sqlite.strategy import Plan, plan_copy

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.sources.interface import CopyContext, Source
    from tracker_backup.sources.sqlite.opening import DatabaseFile


class SqliteDriver:
    """Takes and checks copies of SQLite databases."""

    artifact_suffix = ".sqlite3.zst"
    restored_suffix = ".sqlite3"

    def take(self, source: Source, context: CopyContext) -> Snapshot:
        """Copy the database while it is used.

        Raises SourcePendingError where there is none, SourceError where it cannot be copied at a bearable cost.
        """
        database = look_at(source.path)
        plan = plan_for(source, database, context.last_rate, context.max_write_stall_seconds)
        target = context.directory / f"{source.name}{self.restored_suffix}"
        copy = copy_pinned(database, target, context, plan.stall_limit_seconds)
        header = read_header(target)
        return Snapshot(
            source=source,
            path=target,
            snapshot_at=copy.snapshot_at,
            raw_bytes=target.stat().st_size,
            method=plan.method,
            seconds=copy.locked_seconds,  # not what was spent waiting for the lock: the next prediction rests on this
            write_stall_seconds=copy.locked_seconds if plan.stall_limit_seconds is not None else 0.0,
            engine={
                "name": "sqlite",
                "library": sqlite3.sqlite_version,
                "journal_mode": "wal" if header["wal_mode"] else "rollback",
                "page_size": header["page_size"],
                "page_count": header["page_count"],
                "restarts": copy.restarts,
            },
        )

    def start_check(self, path: Path, *, full: bool, low_priority: bool) -> SqliteCheck:
        """Start quick_check, or with `full` integrity_check, of a raw copy."""
        return SqliteCheck(path, full=full, low_priority=low_priority)

    def estimate_bytes(self, source: Source) -> int:
        """Return the size of the file and its WAL: the copy cannot be larger."""
        database = look_at(source.path)
        return database.file_bytes + database.wal_bytes


def plan_for(source: Source, database: DatabaseFile, last_rate: float | None, max_write_stall_seconds: float) -> Plan:
    """Choose how a database is copied; raises SourceError where no bearable way is open."""
    return plan_copy(
        path=str(source.path),
        wal_mode=database.wal_mode,
        mount=source.mount,
        raw_bytes=database.file_bytes,
        rate=last_rate,
        max_write_stall_seconds=max_write_stall_seconds,
    )
