"""SQLite as a type of source: look, decide, copy, check."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracker_backup.containers.docker import MARKER_NAME, RUNNING, service_containers
from tracker_backup.containers.pause import Pause
from tracker_backup.errors import SourceError, TooSlowError
from tracker_backup.sources.interface import Forecast, Snapshot, refuse_astray
from tracker_backup.sources.sqlite.absence import Absence
from tracker_backup.sources.sqlite.check import SqliteCheck
from tracker_backup.sources.sqlite.clone import CloneUnavailableError, clone_pinned
from tracker_backup.sources.sqlite.copy import PinnedCopy, copy_pinned
from tracker_backup.sources.sqlite.facts import at_rate, gather_facts, limits_of, without_clones
from tracker_backup.sources.sqlite.opening import look_at, read_header
from tracker_backup.sources.sqlite.recovery import recover_copy
from tracker_backup.sources.sqlite.staged import sidecar
from tracker_backup.sources.sqlite.strategy import CLONE, PAUSED, RECOVERED, Plan, plan_copy, switch_command
from tracker_backup.sources.sqlite.switch import reason_against, switch_to_wal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tracker_backup.containers.docker import Container
    from tracker_backup.sources.interface import CopyContext, Source
    from tracker_backup.sources.sqlite.opening import DatabaseFile
    from tracker_backup.sources.sqlite.strategy import Facts


class SqliteDriver:
    """Takes and checks copies of SQLite databases."""

    artifact_suffix = ".sqlite3.zst"
    restored_suffix = ".sqlite3"

    def take(self, source: Source, context: CopyContext) -> Snapshot:
        """Copy the database while it is used.

        Raises SourcePendingError where there is none, SourceError where it cannot be copied at a bearable cost.
        """
        database = _in_wal_mode(source, context) if context.switch_to_wal else _look_at(source)
        target = context.directory / f"{source.name}{self.restored_suffix}"
        facts = gather_facts(source, database, context)
        try:
            taken = _copy(facts, source, database, target, context)
        except CloneUnavailableError:
            taken = _copy(without_clones(facts, source, context), source, database, target, context)
        return _snapshot(source, target, taken)

    def forecast(self, source: Source, context: CopyContext) -> Forecast:
        """Return what a copy would cost now, and change nothing."""
        database = _look_at(source)
        facts = gather_facts(source, database, context)
        switched = context.switch_to_wal and source.mount != "file" and reason_against(database) is None
        plan = plan_copy(replace(facts, wal_mode=True) if switched else facts, limits_of(context))
        return Forecast(
            method=plan.method,
            raw_bytes=database.file_bytes + database.wal_bytes,
            seconds=plan.predicted_seconds,
            stall_seconds=plan.stall_seconds,
            pause_seconds=plan.pause_seconds,
            advice=_advice(source, database, plan),
        )

    def start_check(
        self,
        path: Path,
        *,
        full: bool,
        low_priority: bool,
        facts: Mapping[str, Any] | None = None,  # noqa: ARG002 - for other drivers: SQLite knows what it wrote
    ) -> SqliteCheck:
        """Start quick_check, or with `full` integrity_check, of a raw copy."""
        return SqliteCheck(path, full=full, low_priority=low_priority)

    def estimate_bytes(self, source: Source) -> int:
        """Return what a copy takes at most: the file, its -wal beside it, and what the -wal makes the file grow by."""
        database = look_at(source.path)
        return database.file_bytes + 2 * database.wal_bytes


def _advice(source: Source, database: DatabaseFile, plan: Plan) -> str:
    cost = plan.stall_seconds + plan.pause_seconds
    if not cost or plan.method == CLONE or source.mount == "file":
        return ""
    return (
        f"in WAL mode it would cost the tracker 0 s instead of {cost:.1f}, every night: set sqlite_journal_mode: wal, "
        f"or once: {switch_command(str(database.path))}"
    )


def _in_wal_mode(source: Source, context: CopyContext) -> DatabaseFile:
    """Switch a database to WAL where that is possible; where it is not, say so and go on with what it is."""
    database = _look_at(source)
    if database.wal_mode:
        return database
    problem: str | None = "its container sees this single file only, and would keep the -wal to itself"
    if source.mount != "file":
        problem = switch_to_wal(database, context.max_write_stall_seconds)
    if problem is None:
        context.note(f"{source.path} was switched to WAL mode")
    else:
        context.note(f"{source.path} could not be switched to WAL mode tonight: {problem}")
    return _look_at(source)


def _look_at(source: Source) -> DatabaseFile:
    database = look_at(source.path)
    refuse_astray(source, database.path)
    return database


@dataclass(frozen=True)
class _Taken:
    """A copy, how it was made, and the seconds for which the tracker waited and was frozen."""

    plan: Plan
    copy: PinnedCopy
    stall_seconds: float
    pause_seconds: float = 0.0


def _copy(facts: Facts, source: Source, database: DatabaseFile, target: Path, context: CopyContext) -> _Taken:
    """Copy as the facts suggest; what turns out too slow for waiting writers is tried with a pause, the same night."""
    plan = plan_copy(facts, limits_of(context))
    try:
        return _carry_out(plan, source, database, target, context)
    except TooSlowError as error:
        if plan.method == PAUSED:
            raise
        try:
            again = plan_copy(at_rate(facts, error.rate, source, context), limits_of(context))
        except SourceError:
            raise error from None  # no way is open; what was tried says more, and its rate is remembered
        if again.method == PAUSED:
            context.note(f"{error.message}; it is copied in a pause instead")
        elif again.limit_seconds is not None and again.limit_seconds < (plan.limit_seconds or 0.0):
            context.note(f"{error.message}; it is tried again while the service runs")
        else:
            raise
    for suffix in ("", "-wal", "-shm", "-journal"):
        sidecar(target, suffix).unlink(missing_ok=True)
    return _carry_out(again, source, database, target, context)


def _carry_out(plan: Plan, source: Source, database: DatabaseFile, target: Path, context: CopyContext) -> _Taken:
    """Copy as planned."""
    if plan.method == CLONE:
        copy = clone_pinned(database, target)
        return _Taken(plan, copy, copy.locked_seconds)
    if plan.method == RECOVERED:
        return _Taken(plan, recover_copy(database, target, context), 0.0)
    if plan.method == PAUSED and source.service is not None:
        containers = service_containers(source.project or context.stack, source.service)
        if running := [container for container in containers if container.state == RUNNING]:
            return _copy_paused(running, plan, database, target, context)
    absence = None
    if source.service is not None and (plan.limit_seconds or 0.0) > context.max_write_stall_seconds:
        absence = Absence(source.project or context.stack, source.service)  # the plan rests on nobody being there
    copy = copy_pinned(database, target, context, plan.limit_seconds, absence=absence)
    return _Taken(plan, copy, 0.0 if plan.limit_seconds is None else copy.locked_seconds)


def _copy_paused(
    running: list[Container], plan: Plan, database: DatabaseFile, target: Path, context: CopyContext
) -> _Taken:
    with Pause(running, context.state_directory / MARKER_NAME, context.max_pause_seconds) as pause:
        copy = copy_pinned(database, target, context, plan.limit_seconds, pause)
    # While it is frozen the tracker does not wait: it waited from the lock until it was.
    return _Taken(plan, copy, pause.freezing_seconds, pause.seconds)


def _snapshot(source: Source, target: Path, taken: _Taken) -> Snapshot:
    header, copy, status = read_header(target), taken.copy, source.path.stat()
    return Snapshot(
        source=source,
        path=target,
        snapshot_at=copy.snapshot_at,
        raw_bytes=target.stat().st_size,
        method=taken.plan.method,
        seconds=copy.locked_seconds,  # not what was spent waiting for the lock: the next prediction rests on this
        write_stall_seconds=taken.stall_seconds,
        pause_seconds=taken.pause_seconds,
        engine={
            "name": "sqlite",
            "library": sqlite3.sqlite_version,
            "journal_mode": "wal" if header["wal_mode"] else "rollback",
            "page_size": header["page_size"],
            "page_count": header["page_count"],
            "restarts": 0,  # nothing can restart it; a key of the manifest's format
            "owner": {"uid": status.st_uid, "gid": status.st_gid, "mode": stat.S_IMODE(status.st_mode)},
        },
    )
