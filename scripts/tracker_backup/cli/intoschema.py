"""restore --into, and restore --table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.cli.context import count, load, reporting, say
from tracker_backup.errors import RestoreError, SourceError, UsageError
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.repository.store import Backup
    from tracker_backup.sources.mysql.entering import Login


def restore_schema(arguments: Namespace, backup: Backup) -> int:
    """Restore a dump into a schema of its server."""
    from tracker_backup.run.intoschema import Destination, restore_into
    from tracker_backup.sources.mysql.schemas import quoted

    destination = Destination(arguments.into, named_login(arguments), _tables(arguments))
    config = load(arguments)
    with reporting(arguments) as reporter:
        done = restore_into(backup, config, arguments.source, destination, reporter)
    if arguments.quiet:
        return 0
    say(f"{done.artifact.source} of {backup.id} is in the schema {done.schema} of {done.server}, loaded as {done.who}.")
    say(f"Checksums agree, and so do {done.compared.what}.")
    if done.events:
        say(f"{count(done.events, 'event')} in it will not run before ALTER EVENT … ENABLE.")
    say("The live schema was not touched. When it is no longer needed:")
    say(f"  DROP DATABASE {quoted(done.schema)}")
    return 0


def restore_tables(arguments: Namespace, backup: Backup) -> int:
    """Restore single tables into a directory."""
    from tracker_backup.run.tablefiles import restore_tables_to

    with reporting(arguments) as reporter:
        done = restore_tables_to(backup, Path(arguments.to), arguments.source, _tables(arguments), reporter)
    if not arguments.quiet:
        tables = f"{count(len(done.rows), 'table')}, {count(sum(done.rows.values()), 'row')}"
        say(f"{done.path}  {format_bytes(done.path.stat().st_size)}  {tables}; checksums of the backup agree")
        say("The running stack was not touched.")
    return 0


def _tables(arguments: Namespace) -> tuple[str, ...]:
    """Return the tables that --table names, each once."""
    return tuple(dict.fromkeys(arguments.table or ()))


def password_file_of(arguments: Namespace) -> Path | None:
    """Return the file that --mysql-password-file names; raises UsageError for one without a user."""
    if arguments.mysql_password_file is None:
        return None
    if arguments.mysql_user is None:
        raise UsageError("--mysql-password-file goes with --mysql-user", hint="name the user as well")
    return Path(arguments.mysql_password_file).absolute()


def named_login(arguments: Namespace) -> Login | None:
    """Return the login that the command line names, None where it names none.

    Raises UsageError for a password's file without a user, RestoreError for one that cannot be read or is not private.
    """
    file = password_file_of(arguments)
    if arguments.mysql_user is None:
        return None
    from tracker_backup.sources.mysql.entering import given_login

    try:
        return given_login(arguments.mysql_user, file)
    except SourceError as error:
        raise RestoreError(error.message, hint=error.hint) from error
