"""Single tables of a backup in a file of their own: an .sql of a dump, an .sqlite3 of an SQLite database."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import RestoreError, SourceError, UsageError
from tracker_backup.run.restore import (
    chosen_artifacts,
    refuse_existing,
    require_outside_of_repositories,
    unpack,
)
from tracker_backup.sources.tables import require_tables
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.files import create_private, fsync_directory, make_private_directory, write_all
from tracker_backup.system.space import require_room

if TYPE_CHECKING:
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.repository.store import Backup

_WITH_TABLES = ("mysql", "sqlite")


@dataclass(frozen=True)
class TablesRestored:
    """The file with them, and the number of rows of each."""

    path: Path
    rows: Mapping[str, int]


def restore_tables_to(
    backup: Backup, directory: Path, sources: Sequence[str] | None, tables: Sequence[str], reporter: Reporter
) -> TablesRestored:
    """Put single tables of one source into a file below `directory`, named like the source; nothing is replaced.

    Raises UsageError for what is not there or cannot be asked for, RestoreError when the disk does not take it,
    CheckFailedError when the artifact is damaged; nothing is left behind then.
    """
    require_outside_of_repositories(directory)
    artifact = _only_artifact(backup, sources)
    dumped = artifact.type == "mysql"
    target = directory / f"{artifact.source}.tables{'.sql' if dumped else '.sqlite3'}"
    refuse_existing([target])
    temporary = target.with_name(f".{target.name}.restoring-{os.getpid()}")
    packed = backup.path / artifact.file
    make = _from_dump if dumped else _from_sqlite
    try:
        make_private_directory(directory)
        try:
            rows = make(artifact, packed, temporary, tables, reporter)
            refuse_existing([target])
            temporary.rename(target)
        finally:
            temporary.unlink(missing_ok=True)
        fsync_directory(directory)
    except SourceError as error:
        raise RestoreError(
            error.message, hint=f"free some room, or restore to another disk than {directory}"
        ) from error
    except OSError as error:
        raise RestoreError(f"{error.strerror}: {error.filename or directory}", hint=remedy(error)) from error
    return TablesRestored(target, rows)


def _only_artifact(backup: Backup, sources: Sequence[str] | None) -> Artifact:
    artifacts = [each for each in chosen_artifacts(backup, sources) if sources or each.type in _WITH_TABLES]
    if len(artifacts) != 1 or artifacts[0].type not in _WITH_TABLES:
        there = ", ".join(each.source for each in chosen_artifacts(backup, None) if each.type in _WITH_TABLES)
        raise UsageError("tables are taken out of one database", hint=f"name it with --source: {there or 'none'}")
    return artifacts[0]


def _from_dump(
    artifact: Artifact, packed: Path, temporary: Path, tables: Sequence[str], reporter: Reporter
) -> dict[str, int]:
    from tracker_backup.run.dumps import StoredDump
    from tracker_backup.sources.mysql.tables import parts_of

    dump = StoredDump(artifact, packed, reporter)
    rows = dump.scan().contents.rows
    require_tables(rows, tables, artifact.source)
    require_room([(temporary.parent, artifact.raw_bytes, artifact.source)])
    reporter.phase("unpack", artifact.source)
    _write(temporary, lambda sink: dump.write(sink, parts_of(tables)))
    return {name: rows[name] for name in tables}


def _write(path: Path, fill: Callable[[Callable[[bytes], None]], None]) -> None:
    descriptor = create_private(path)
    try:
        fill(lambda block: write_all(descriptor, block))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _from_sqlite(
    artifact: Artifact, packed: Path, temporary: Path, tables: Sequence[str], reporter: Reporter
) -> dict[str, int]:
    from tracker_backup.sources.sqlite.tables import copy_tables

    require_room([(temporary.parent, 2 * artifact.raw_bytes, artifact.source)])
    whole = temporary.with_name(f"{temporary.name}.whole")
    reporter.phase("unpack", artifact.source)
    unpack(artifact, packed, whole, reporter.progress)
    try:
        reporter.phase("copy", ", ".join(tables))
        return copy_tables(whole, temporary, tables, artifact.source)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            whole.with_name(whole.name + suffix).unlink(missing_ok=True)
