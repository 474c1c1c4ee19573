"""Bring a stored dump into a schema of a server: read and checked to its end first, then loaded, then compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import CheckFailedError, RestoreError, SourceError
from tracker_backup.run.artifact import read_back
from tracker_backup.sources.mysql.afterload import Compared, compare
from tracker_backup.sources.mysql.check import DumpCheck
from tracker_backup.sources.mysql.dumpparts import DumpSplitter, Part
from tracker_backup.sources.mysql.load import LoadError, loading
from tracker_backup.sources.mysql.scan import DumpScan, Scanned
from tracker_backup.sources.mysql.serverroom import RESERVE_BYTES, free_on_server, room_needed
from tracker_backup.sources.mysql.ways import ServerRefusalError
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.run.artifact import Stored
    from tracker_backup.sources.mysql.entering import Entered

DEFAULT_SILENCE_SECONDS = 120.0
_OTHER_BACKUP = "restore another backup: tracker-backup list"


@dataclass(frozen=True)
class StoredDump:
    """An artifact that holds a dump, at `packed`."""

    artifact: Artifact
    packed: Path
    reporter: Reporter
    max_silence_seconds: float = DEFAULT_SILENCE_SECONDS

    @property
    def origin(self) -> str:
        """The server that it came from, for people."""
        engine = self.artifact.engine
        return f"{engine.get('name', 'a server')} {engine.get('server', 'of unknown version')}"

    def scan(self) -> Scanned:
        """Read it to its end, and return what is in it.

        Raises CheckFailedError unless it is what was stored, whole.
        """
        self.reporter.phase("check", self.artifact.source)
        engine = self.artifact.engine
        scan, check = DumpScan(), DumpCheck(engine.get("rows"), engine.get("objects"))

        def take(block: bytes) -> None:
            scan.feed(block)
            check.feed(block)

        self._read(take)
        result = check.result()
        if not result.ok:
            raise CheckFailedError(f"{self.packed}: {'; '.join(result.messages)}", hint=_OTHER_BACKUP)
        return scan.result()

    def load(self, entered: Entered, schema: str, wanted: Callable[[Part], bool] = lambda _: True) -> None:
        """Load it, or the parts that are wanted, into a schema; its events are made such that they do not run.

        Raises LoadError when the server does not take it, CheckFailedError when it is not what was stored.
        """
        self.reporter.phase("load", f"{self.artifact.source} into {schema}")
        splitter = DumpSplitter(wanted, events_run=False)
        try:
            with loading(entered.connection, schema, max_silence_seconds=self.max_silence_seconds) as load:
                self._read(lambda block: load.write(splitter.feed(block)))
                load.write(splitter.finish())
                load.finish()
        except LoadError as error:
            raise self._explained(entered, error) from error

    def write(self, sink: Callable[[bytes], None], wanted: Callable[[Part], bool]) -> None:
        """Hand over the text of the parts that are wanted.

        Raises CheckFailedError when it is not what was stored.
        """
        splitter = DumpSplitter(wanted)
        self._read(lambda block: sink(splitter.feed(block)))
        sink(splitter.finish())

    def compare(self, entered: Entered, schema: str, scanned: Scanned) -> Compared:
        """Compare a schema with what is in the dump.

        Raises RestoreError when they differ.
        """
        self.reporter.phase("compare", schema)
        same_kind = self.artifact.engine.get("name") == entered.identity.flavour
        sums = self.artifact.engine.get("sums", {}) if same_kind else {}
        compared = compare(entered.connection, schema, scanned.contents, sums)
        for note in compared.notes:
            self.reporter.warn(f"{self.artifact.source}: {note}")
        if compared.problems:
            raise RestoreError(
                f"{schema} was loaded and differs from the backup: {'; '.join(compared.problems[:5])}",
                hint=f"the backup came from {self.origin}, this server is {describe(entered)}",
            )
        return compared

    def require_known(self, entered: Entered, scanned: Scanned) -> None:
        """Raise RestoreError when the server does not know a collation of the dump's tables, or of its schema."""
        own = self.artifact.engine.get("collation")
        unknown = []
        for collation in sorted(scanned.collations | ({str(own)} if own else set())):
            charset = collation.partition("_")[0]
            try:
                entered.connection.query(f"DO CONVERT('' USING {charset}) COLLATE {collation}")
            except ServerRefusalError as refusal:
                if not any(number in refusal.said for number in ("1273", "1115", "1253")):
                    raise
                unknown.append(collation)
        if unknown:
            raise RestoreError(
                f"the backup came from {self.origin}, and this server, {describe(entered)}, does not know "
                f"{', '.join(unknown)}: it cannot be loaded there",
                hint="load it into a server of the kind that it came from, and not an older one",
            )

    def require_room(self, entered: Entered) -> None:
        """Raise RestoreError when the server's disk has no room for it, as far as that can be known."""
        needed = room_needed(entered.connection, self.artifact.engine.get("bytes", 0), self.artifact.raw_bytes)
        free = free_on_server(entered.connection)
        if free is not None and free < needed:
            raise RestoreError(
                f"not enough room on the disk of the server: {format_bytes(needed)} are needed, {format_bytes(free)} "
                "are free",
                hint=f"make room for {format_bytes(needed - free)} there",
            )

    def _explained(self, entered: Entered, error: LoadError) -> LoadError:
        """Return the error with what explains it, where that can be seen: servers do not always say it clearly."""
        try:
            free = free_on_server(entered.connection)
        except SourceError:
            return error  # the server is gone, which the error says
        if free is not None and free < RESERVE_BYTES:
            hint = f"the server's disk is full, {format_bytes(free)} are free: make room there"
        elif self.artifact.engine.get("name") != entered.identity.flavour:
            hint = f"the backup came from {self.origin}, and this server is {describe(entered)}"
        else:
            return error
        return LoadError(error.message, hint=hint)

    def _read(self, sink: Callable[[bytes], None]) -> None:
        read = 0

        def bounded(block: bytes) -> None:
            nonlocal read
            read += len(block)
            if read > self.artifact.raw_bytes:
                raise self._not_what_was_stored()  # a few bytes can unpack to more than any server holds
            sink(block)

        try:
            found: Stored = read_back(self.packed, low_priority=False, progress=self.reporter.progress, sink=bounded)
        except OSError as error:
            raise RestoreError(f"{self.packed} cannot be read: {error.strerror}") from error
        if (found.sha256, found.raw_sha256) != (self.artifact.sha256, self.artifact.raw_sha256):
            raise self._not_what_was_stored()

    def _not_what_was_stored(self) -> CheckFailedError:
        return CheckFailedError(
            f"{self.packed} is not what was stored: it differs from what the manifest says of it", hint=_OTHER_BACKUP
        )


def describe(entered: Entered) -> str:
    """Return which server that is, for people."""
    return f"{entered.identity.flavour} {entered.identity.version}"


def as_restore_error(error: SourceError) -> RestoreError:
    """Return what a server has refused as what has become of the restore."""
    return RestoreError(error.message, hint=error.hint)
