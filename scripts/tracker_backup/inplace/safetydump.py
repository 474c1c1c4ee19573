"""A dump of the live schema in a file, made and checked before it is overwritten, and the way back from it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import CheckFailedError, RestoreError
from tracker_backup.inplace.mysqlswap import load_objects, only_events
from tracker_backup.repository.manifest import VERIFIED, Artifact
from tracker_backup.run.artifact import Packer, read_back
from tracker_backup.run.dumps import StoredDump
from tracker_backup.sources.interface import CopyContext
from tracker_backup.sources.mysql.check import DumpCheck, count_objects
from tracker_backup.sources.mysql.dump import run_dump
from tracker_backup.sources.mysql.prepare import prepare
from tracker_backup.sources.mysql.scan import Scanned
from tracker_backup.sources.mysql.schemas import drop_things, look
from tracker_backup.system.files import create_private, fsync_directory

if TYPE_CHECKING:
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.sources.interface import Source
    from tracker_backup.sources.mysql.afterload import Compared
    from tracker_backup.sources.mysql.entering import Entered

_RATIO = 0.6
"""What a dump is assumed to shrink to."""


def room_for_safety_dump(schema_bytes: int) -> int:
    """Return the bytes that a safety dump may take."""
    return int(schema_bytes * _RATIO)


def make_safety_dump(source: Source, file: Path, reporter: Reporter, max_silence_seconds: float) -> None:
    """Dump a live schema into a new private file; under its name it is whole, checked, and on the disk.

    Raises SourceError when the schema cannot be dumped whole, CheckFailedError when the file does not hold it, OSError
    when the disk does not take it.
    """
    reporter.phase("keep", f"{source.name} in {file}")
    partial = partial_of(file)
    partial.unlink(missing_ok=True)
    prepared = prepare(source)
    schema, facts = prepared.target.schema, prepared.reached.facts
    context = CopyContext(
        directory=file.parent,
        deadline=time.monotonic() + 365 * 86400,  # the user waits, and can end it
        progress=reporter.progress,
        note=reporter.note,
        warn=reporter.warn,
        stack=source.path,
        state_directory=file.parent,
        max_silence_seconds=max_silence_seconds,
    )
    with (
        open(create_private(partial), "rb+", buffering=0) as target,  # noqa: PTH123 - a descriptor
        Packer(target.fileno(), level=3, threads=2, low_priority=False) as packer,
    ):
        packer.begin()
        connection = prepared.reached.connection
        dumped = run_dump(connection, schema, context, packer, expected_bytes=facts.bytes, locking=prepared.locking)
        stored = packer.finish()
    check = DumpCheck(dumped.contents.rows, count_objects(dumped.contents))
    found = read_back(partial, low_priority=False, progress=reporter.progress, sink=check.feed)
    if found != stored or check.result().ok is False:
        raise CheckFailedError(f"{partial} does not hold what was written into it", hint="look at that disk")
    partial.rename(file)
    fsync_directory(file.parent)


def partial_of(file: Path) -> Path:
    """Return the name of a safety dump that is not finished."""
    return file.with_name(f".{file.name}.partial")


def stored_at(file: Path, source: str, entered: Entered, reporter: Reporter, silence: float) -> StoredDump:
    """Return a safety dump as what a backup's is, so that it can be loaded.

    Raises CheckFailedError when it is no whole dump, RestoreError when it cannot be read.
    """
    try:
        found = read_back(file, low_priority=False, progress=reporter.progress)
    except OSError as error:
        raise RestoreError(f"{file} cannot be read: {error.strerror}") from error
    artifact = Artifact(
        source=source,
        type="mysql",
        file=file.name,
        state=VERIFIED,
        snapshot_at="",
        bytes=found.bytes,
        raw_bytes=found.raw_bytes,
        sha256=found.sha256,
        raw_sha256=found.raw_sha256,
        method="dump",
        copy_seconds=0,
        write_stall_seconds=0,
        pause_seconds=0,
        path="",
        engine={"name": entered.identity.flavour, "server": entered.identity.version},
    )
    return StoredDump(artifact, file, reporter, silence)


def load_over(dump: StoredDump, entered: Entered, schema: str, scanned: Scanned) -> Compared:
    """Make a schema, which is there, what is in a dump and nothing else; its events go to work when all is compared.

    Raises RestoreError when it cannot be done.
    """
    there = look(entered.connection, schema)
    if there is not None:
        drop_things(entered.connection, there, tables=True)
    dump.load(entered, schema)
    compared = dump.compare(entered, schema, scanned)
    if scanned.contents.stored.get("event"):
        load_objects(entered.connection, schema, only_events(scanned.objects), events_run=True)
    return compared
