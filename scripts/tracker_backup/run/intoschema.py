"""Restore a dump into a schema of its server that is new, or empty: beside the live one, which is not touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import RestoreError, SourceError, TrackerBackupError, UsageError
from tracker_backup.run.dumps import StoredDump, as_restore_error, describe
from tracker_backup.run.resolve import resolve_sources
from tracker_backup.run.restore import chosen_artifacts
from tracker_backup.sources.mysql import schemas
from tracker_backup.sources.mysql.afterload import Compared, orphans
from tracker_backup.sources.mysql.entering import Entered, Login, enter
from tracker_backup.sources.mysql.loadrights import Needs
from tracker_backup.sources.mysql.tables import only_tables, parts_of
from tracker_backup.sources.mysql.ways import ServerRefusalError
from tracker_backup.sources.tables import require_tables

if TYPE_CHECKING:
    from tracker_backup.config.model import Config
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.repository.store import Backup
    from tracker_backup.sources.interface import Source
    from tracker_backup.sources.mysql.scan import Scanned
    from tracker_backup.sources.mysql.target import Target

MYSQL = "mysql"
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Loaded:
    """A schema that was restored: what was compared; which server it is on and as whom it was loaded, for people.

    `events` is how many there are in it, which do not run.
    """

    artifact: Artifact
    schema: str
    server: str
    who: str
    compared: Compared
    events: int


@dataclass(frozen=True)
class Destination:
    """Into which schema: the login that was named for it, if one was, and the tables that are wanted, all if none."""

    schema: str
    login: Login | None = None
    tables: tuple[str, ...] = ()


def restore_into(
    backup: Backup, config: Config, sources: Sequence[str] | None, destination: Destination, reporter: Reporter
) -> Loaded:
    """Restore one source of a backup into a schema of the server that the source has now; it is made, or is empty.

    Raises UsageError where that cannot be asked for, RestoreError where it cannot be done, CheckFailedError where the
    artifact is damaged; a schema that was made is dropped again then.
    """
    refuse_name(destination.schema)
    artifact = dumps_of(backup, sources)[0]
    source = source_now(config, artifact)
    dump = StoredDump(artifact, backup.path / artifact.file, reporter, config.mysql_max_wait_seconds)
    try:
        return _load(dump, source, destination)
    except SourceError as error:
        raise as_restore_error(error) from error


def dumps_of(backup: Backup, sources: Sequence[str] | None) -> list[Artifact]:
    """Return the dump that is meant; there must be one, and only one.

    Raises UsageError otherwise, RestoreError for a backup without a readable manifest.
    """
    artifacts = [each for each in chosen_artifacts(backup, sources) if sources or each.type == MYSQL]
    others = [each.source for each in artifacts if each.type != MYSQL]
    if others or len(artifacts) != 1:
        there = ", ".join(each.source for each in chosen_artifacts(backup, None) if each.type == MYSQL) or "none"
        raise UsageError(
            "into a schema goes one source of type mysql", hint=f"name it with --source; {backup.id} has: {there}"
        )
    return artifacts


def source_now(config: Config, artifact: Artifact) -> Source:
    """Return the source of an artifact as the stack has it now.

    Raises RestoreError when it has none, ConfigurationError when the stack cannot be read.
    """
    sources = {source.name: source for source in resolve_sources(config).sources if source.target is not None}
    if artifact.source not in sources:
        raise RestoreError(
            f"{config.stack} has no source {artifact.source} of type mysql now, so its server is not known",
            hint=f"it has: {', '.join(sources) or 'none'}; see tracker-backup discover",
        )
    return sources[artifact.source]


def refuse_name(schema: str) -> None:
    """Raise UsageError for what no schema can be called, and for the server's own schemas."""
    if schema.lower() in schemas.SYSTEM:
        raise UsageError(f"{schema} is a schema of the server's own", hint="name a new one")
    if not schema or len(schema) > _LONGEST_NAME or schema.endswith(" ") or not schema.isprintable():
        raise UsageError(f"{schema!r} cannot be a schema's name", hint="name a new one, of letters and digits")


def warn_of_orphans(dump: StoredDump, entered: Entered, scanned: Scanned) -> None:
    """Say whose views, triggers, routines and events cannot be used because the server has no such user."""
    try:
        lost = orphans(entered.connection, scanned.definers)
    except ServerRefusalError:
        return  # the source's own user may not see whom there is; then they are his own
    if lost:
        dump.reporter.warn(
            f"{dump.artifact.source}: views, triggers, routines or events belong to {', '.join(lost)}, whom this "
            "server does not have: they cannot be used until CREATE USER has made him"
        )


def _load(dump: StoredDump, source: Source, destination: Destination) -> Loaded:
    target, schema, tables = _target(source), destination.schema, destination.tables
    scanned = dump.scan()
    if tables:
        require_tables(scanned.contents.rows, tables, source.name)
        scanned = only_tables(scanned, tables)
    entered = enter(target, source.path, Needs((schema,), scanned.kinds, scanned.definers), destination.login)
    dump.reporter.note(f"{source.name}: loaded as {entered.who}, by {entered.connection.way}")
    before = schemas.look(entered.connection, schema)
    if before is not None and not before.empty:
        raise UsageError(
            f"the schema {before} is there on {target.server}, and not empty",
            hint=f"name another one; or, if nobody needs it any more: DROP DATABASE {schemas.quoted(schema)}",
        )
    dump.require_known(entered, scanned)
    dump.require_room(entered)
    charset, collation = (dump.artifact.engine.get(name) for name in ("charset", "collation"))
    if before is None:
        schemas.create(entered.connection, schema, charset, collation)
    else:
        schemas.set_defaults(entered.connection, before, charset, collation)
    try:
        dump.load(entered, schema, parts_of(tables) if tables else lambda _: True)
        compared = dump.compare(entered, schema, scanned)
    except BaseException as error:
        _take_back(dump, entered, schema, error, made=before is None)
        raise
    warn_of_orphans(dump, entered, scanned)
    events = scanned.contents.stored.get("event", 0)
    return Loaded(dump.artifact, schema, f"{target.server} ({describe(entered)})", entered.who, compared, events)


def _target(source: Source) -> Target:
    if source.target is None:
        raise RestoreError(f"source {source.name} names no schema on a server")
    return source.target


def _take_back(dump: StoredDump, entered: Entered, schema: str, error: BaseException, *, made: bool) -> None:
    """Leave nothing of a load that failed; where that fails too, say what is left."""
    try:
        if made:
            schemas.drop(entered.connection, schema)
        elif (there := schemas.look(entered.connection, schema)) is not None:
            schemas.drop_things(entered.connection, there, tables=True)
    except TrackerBackupError as problem:
        dump.reporter.warn(
            f"what was loaded before this failed is still there: {problem.message}; when the server runs: "
            f"DROP DATABASE {schemas.quoted(schema)} (what failed was: {error})"
        )
