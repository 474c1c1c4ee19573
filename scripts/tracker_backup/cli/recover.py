"""verify and restore."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.cli.context import count, load, reporting, repository_of, say, warn
from tracker_backup.config.model import WITHOUT_DOCKER
from tracker_backup.errors import CheckFailedError, PartialError, TrackerBackupError, UsageError
from tracker_backup.repository.store import Backup, load_backup
from tracker_backup.system.space import format_bytes
from tracker_backup.system.trust import weakness_below

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.repository.store import Repository
    from tracker_backup.run.verify import Finding


def verify(arguments: Namespace) -> int:
    """Read backups back and say of each artifact whether it is what was stored."""
    from tracker_backup.run.verify import verify_backup

    config = load(arguments)
    repository = repository_of(config)
    backups = repository.backups() if arguments.all else [repository.find(arguments.id or "latest")]
    found: list[tuple[Backup, Sequence[Finding]]] = []
    with reporting(arguments) as reporter:
        found += [(each, verify_backup(each, repository, reporter, full=arguments.full)) for each in backups]
    _note(config, repository, found, full=arguments.full)
    findings = [finding for _, of_one in found for finding in of_one]
    for finding in findings:
        verdict = {True: "ok", False: "DAMAGED", None: "unverified"}[finding.ok]
        line = f"{verdict:<10} {finding.backup}{f' {finding.source}' if finding.source else ''}: {finding.what}"
        if finding.ok is False:
            warn(line)
        elif not arguments.quiet:
            say(line)
    if any(finding.ok is False for finding in findings):
        return CheckFailedError.exit_code
    untold = {finding.backup for finding in findings if finding.ok is None}
    if untold:
        warn(f"{count(len(untold), 'backup')} could not be checked: {', '.join(sorted(untold))}")
        return PartialError.exit_code
    if not arguments.quiet:
        sound = {finding.backup for finding in findings}
        say(f"{count(len(sound), 'backup')} verified" if sound else "There is no backup to verify.")
    return 0


def _note(
    config: Config, repository: Repository, found: Sequence[tuple[Backup, Sequence[Finding]]], *, full: bool
) -> None:
    """Let what was found count from now on, in `list`, `latest`, `status` and for the policy."""
    from tracker_backup.health.gather import refresh_status
    from tracker_backup.run.verify import note_findings

    try:
        news = [note_findings(backup, findings, full=full) for backup, findings in found]
        if any(news):
            refresh_status(config, repository)
    except (TrackerBackupError, OSError) as error:
        warn(f"what was found could not be noted, so that `status` knows nothing of it: {error}")


def restore(arguments: Namespace) -> int:
    """Restore into a directory, into a schema, or in the place of what is live; with --from from a copy."""
    if arguments.origin is None:
        return _restore(arguments)
    from tracker_backup.cli.copies import fetched

    with fetched(arguments):
        return _restore(arguments)


def _restore(arguments: Namespace) -> int:
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
    config = None if "/" in arguments.id else load(arguments)  # on a bare host there may be none
    _warn_of_the_stack(arguments, config)
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
    if config is not None and config.placement in WITHOUT_DOCKER:
        say("To put it in the place of what is live: docs/architectures.md has the steps, as --in-place cannot.")
    else:
        say("To put it in the place of what is live: the same command with --in-place instead of --to.")
    return 0


def _warn_of_the_stack(arguments: Namespace, config: Config | None) -> None:
    """Say that what was restored into the stack's directory is one of its files from now on."""
    if config is None:
        return
    place = Path(arguments.to).resolve()
    if place.is_relative_to(config.stack) and not place.is_relative_to(config.restored):
        warn(f"{place} is in the stack's directory: the next backup of its files will take it along, so move it away")


def paths_of(arguments: Namespace) -> tuple[Path, ...]:
    """Return the absolute paths that --path names, without following links: they may be in the backup only."""
    return tuple(Path(os.path.abspath(path)) for path in arguments.path or ())  # noqa: PTH100 - resolve() follows


def named_backup(arguments: Namespace, config: Config | None = None) -> Backup:
    """Return the backup of an id, or of a directory, which needs no configuration: a bare host must be enough.

    Only what has a slash in it is a directory: what somebody has put into /tmp, and called `latest`, is not meant.
    Raises UsageError where there is none, and where others could change what is to be put in the place of live data.
    """
    if "/" not in arguments.id:
        holding = tuple(arguments.source or (("files",) if arguments.path else ()))
        return repository_of(config or load(arguments)).find(arguments.id, holding)
    path = Path(arguments.id).resolve()
    if not path.is_dir():
        raise UsageError(f"{arguments.id} is not a directory", hint="name a backup's directory, its id, or latest")
    if (arguments.in_place or arguments.into is not None) and (found := weakness_below(path)) is not None:
        raise UsageError(
            f"{path} is not put in the place of what is live: {found}, who could have made it what they want",
            hint=f"look at it with --to DIR; if it is what you think, take it where nobody else can change it: "
            f"sudo cp -r {shlex.quote(str(path))} /root/\n  and name /root/{path.name} instead",
        )
    return load_backup(path)
