"""verify and restore."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.cli.context import count, load, reporting, repository_of, say, warn
from tracker_backup.errors import CheckFailedError, UsageError
from tracker_backup.repository.store import Backup, is_backup_directory, load_backup
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.config.model import Config


def verify(arguments: Namespace) -> int:
    """Read backups back and say of each artifact whether it is what was stored."""
    from tracker_backup.run.verify import verify_backup

    repository = repository_of(load(arguments))
    backups = repository.backups() if arguments.all else [repository.find(arguments.id or "latest")]
    findings = []
    with reporting(arguments) as reporter:
        for backup in backups:
            findings += verify_backup(backup, repository, reporter, full=arguments.full)
    for finding in findings:
        verdict = {True: "ok", False: "DAMAGED", None: "unverified"}[finding.ok]
        line = f"{verdict:<10} {finding.backup}{f' {finding.source}' if finding.source else ''}: {finding.what}"
        if finding.ok is False:
            warn(line)
        elif not arguments.quiet:
            say(line)
    if any(finding.ok is False for finding in findings):
        return CheckFailedError.exit_code
    if not arguments.quiet:
        say(f"{count(len(backups), 'backup')} verified" if findings else "There is no backup to verify.")
    return 0


def restore(arguments: Namespace) -> int:
    """Restore into a directory, into a schema, or in the place of what is live."""
    if arguments.in_place:
        from tracker_backup.cli.replace import configuration_of, restore_in_place

        config = configuration_of(arguments)
        return restore_in_place(arguments, named_backup(arguments, config), config)
    if arguments.into is not None:
        from tracker_backup.cli.intoschema import restore_schema

        return restore_schema(arguments, named_backup(arguments))
    return _restore_to(arguments)


def _restore_to(arguments: Namespace) -> int:
    from tracker_backup.run.restore import restore_to

    backup = named_backup(arguments)
    if arguments.table:
        from tracker_backup.cli.intoschema import restore_tables

        return restore_tables(arguments, backup)
    with reporting(arguments) as reporter:
        done = restore_to(backup, Path(arguments.to), arguments.source, reporter, paths_of(arguments))
    if arguments.quiet:
        return 0
    paths = max(len(str(item.path)) for item in done)
    sizes = max(len(format_bytes(item.artifact.raw_bytes)) for item in done)
    for item in done:
        verdict = f"{item.check.check} {'ok' if item.check.ok else 'cannot tell: ' + '; '.join(item.check.messages)}"
        size = format_bytes(item.artifact.raw_bytes)
        say(f"{item.path!s:<{paths}}  {size:<{sizes}}  checksums agree, {verdict}")
    say(f"Restored {count(len(done), 'source')} of {backup.id} into {arguments.to}; the running stack was not touched.")
    if any(item.artifact.type == "files" for item in done) and os.geteuid() != 0:
        say("Owners, and what else only root may set, were not restored: for that, restore as root, with sudo.")
    say("To put it in the place of what is live: the same command with --in-place instead of --to.")
    return 0


def paths_of(arguments: Namespace) -> tuple[Path, ...]:
    """Return the absolute paths that --path names, without following links: they may be in the backup only."""
    return tuple(Path(os.path.abspath(path)) for path in arguments.path or ())  # noqa: PTH100 - resolve() follows


def named_backup(arguments: Namespace, config: Config | None = None) -> Backup:
    """Return the backup of an id, or of a directory, which needs no configuration: a bare host must be enough."""
    path = Path(arguments.id)
    if "/" in arguments.id or is_backup_directory(path):
        if not path.is_dir():
            raise UsageError(f"{path} is not a directory", hint="name a backup's directory, its id, or latest")
        return load_backup(path.resolve())
    return repository_of(config or load(arguments)).find(arguments.id)
