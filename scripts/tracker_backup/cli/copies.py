"""Copies in restic and borg repositories: make one, copy now, list, fetch."""

from __future__ import annotations

import json
import shlex
import socket
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.cli.context import command_line, load, reporting, repository_of, say, warn
from tracker_backup.config.instances import require_no_conflict
from tracker_backup.config.model import CopySettings
from tracker_backup.copies.fetching import Fetching, Whose, choose
from tracker_backup.copies.making import Copying
from tracker_backup.copies.notes import read_notes
from tracker_backup.copies.program import read_environment
from tracker_backup.copies.registry import destination, destination_for
from tracker_backup.errors import ConfigurationError, PartialError, TerminatedError, TrackerBackupError, UsageError
from tracker_backup.health.statefile import read_status
from tracker_backup.report.logged import LoggedReporter
from tracker_backup.report.tables import table
from tracker_backup.repository.scratch import scratch
from tracker_backup.system.logs import open_logs
from tracker_backup.system.signals import time_limit

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from tracker_backup.config.model import Config
    from tracker_backup.copies.interface import Copied, Destination

_ADDRESSES = {"restic": "RESTIC_REPOSITORY", "borg": "BORG_REPO"}
"""The variable by which each program is told where its repository is."""

_ASK_SECONDS = 120
_CACHE = Path(".cache/tracker-backup/copies")


def init_copy(arguments: Namespace) -> int:
    """Make the repositories of copies; the first word says of each whether it was made."""
    config = load(arguments)
    for settings in _named(config, arguments.names, everyone=arguments.all):
        with time_limit(_ASK_SECONDS, "making it"):
            made = _made(destination_for(settings, config), config, again=arguments.again)
        if not arguments.quiet:
            say(f"{'created' if made else 'unchanged'}: copy {settings.name}, a {settings.program} repository")
    return 0


def _made(found: Destination, config: Config, *, again: bool) -> bool:
    """Make a repository; return False where it is there already.

    Raises ConfigurationError where one was there that is gone: its disk may not be mounted.
    """
    if found.exists():
        return False
    settings, notes = found.settings, read_notes(config.state_directory)
    if not again and any(notes.of(settings, job.name).backup is not None for job in config.jobs):
        raise ConfigurationError(
            f"copy {settings.name}: a repository was there, with copies in it, and is not there now, or not readable",
            hint="is it mounted, is its password the same? To make a new, empty one: "
            + config.command_line("init-copy", settings.name, "--again", sudo=True),
        )
    found.init()
    return True


def copy(arguments: Namespace) -> int:
    """Copy the newest backup of each job to where it is missing."""
    config = load(arguments)
    require_no_conflict(config)
    repository = repository_of(config)
    repository.require()
    chosen = [each.name for each in _named(config, arguments.names, everyone=not arguments.names)]
    open_logs(config.log_file, config.instance)
    with reporting(arguments) as reporter, repository.lock.acquire(job="copy", wait_seconds=0):
        repository.sweep()
        copying = Copying(config, repository, LoggedReporter(reporter, on_phase=repository.lock.phase), ask=True)
        copying.run([job.name for job in config.jobs], chosen, seconds=config.max_run_seconds)
    _note(config, copying)
    for backup, name in copying.done:
        if not arguments.quiet:
            say(f"copied {backup} to {name}")
    if not copying.done and not copying.troubles and not arguments.quiet:
        say("Nothing is to be copied: the newest backup of each job is where it should be.")
    for trouble in copying.troubles if arguments.quiet else ():
        warn(f"copy {trouble.copy}: {trouble.message}")
    return PartialError.exit_code if copying.troubles else 0


def _note(config: Config, copying: Copying) -> None:
    """Let `status` know; a run that was bad for its copies alone is well once they are there."""
    from tracker_backup.health.gather import refresh_status
    from tracker_backup.health.runs import healed

    before = read_status(config.state_directory)
    runs = () if before is None else before.runs
    cured = [healed(run, datetime.now(UTC)) for run in runs if run.copies_only and not copying.troubles]
    try:
        for run in cured or (None,):
            refresh_status(config, repository_of(config), run)
    except (TrackerBackupError, OSError) as error:
        warn(f"what became of it could not be noted, so that `status` knows nothing of it: {error}")


def list_copies(arguments: Namespace) -> int:
    """Print what is in the copies, oldest first; what cannot be asked is told, and costs the others nothing."""
    found: list[tuple[str, Copied]] = []
    problems: list[Exception] = []
    destinations = [_from(arguments)[0]] if arguments.origin else list(_destinations(load(arguments), problems))
    for each in destinations:
        try:
            found += [(each.settings.name, copied) for copied in _asked(each)]
        except TerminatedError:
            raise
        except (TrackerBackupError, OSError) as error:
            problems.append(error)
    if arguments.json:
        say(json.dumps([{"copy": name, "id": each.backup, **asdict(each.origin)} for name, each in found], indent=2))
    elif found:
        rows = [(name, each.backup, each.origin.host, each.origin.instance, each.origin.job) for name, each in found]
        say(table(("COPY", "ID", "HOST", "INSTANCE", "JOB"), rows))
    elif not problems:
        say("There is nothing in the copies yet.")
    for problem in problems:
        warn(str(problem))
    return 1 if problems else 0


def fetch(arguments: Namespace) -> int:
    """Bring a backup back from a copy, as a directory that `restore` takes."""
    found, config = _from(arguments)
    copied = _chosen(found, arguments, config)
    with reporting(arguments) as reporter:
        path = Fetching(found, reporter).fetch(copied, Path(arguments.to))
    if arguments.json:
        say(json.dumps({"id": copied.backup, "path": str(path.absolute()), **asdict(copied.origin)}))
    elif not arguments.quiet:
        say(f"fetched {copied.backup} of {copied.origin.host} into {path}; every checksum agrees")
        words = ("restore", str(path.absolute()), "--to", "./restored")
        restoring = shlex.join(("tracker-backup", *words)) if config is None else command_line(config, *words)
        say(f"restore it with: {restoring}")
    return 0


@contextmanager
def fetched(arguments: Namespace) -> Iterator[None]:
    """Let a restore with --from find what it asks for in a directory of its own, which is gone afterwards."""
    if arguments.origin is None:
        yield
        return
    found, config = _from(arguments)
    copied = _chosen(found, arguments, config)
    staging = Path(arguments.to) if arguments.to is not None else repository_of(load(arguments)).staging
    with scratch(staging) as directory:
        with reporting(arguments) as reporter:
            arguments.id = str(Fetching(found, reporter).fetch(copied, directory.absolute()))
        yield


def _chosen(found: Destination, arguments: Namespace, config: Config | None) -> Copied:
    """Return the backup that is meant; on a host with a configuration its own, rather than another host's."""
    instance = arguments.instance if config is None else config.instance
    whose = Whose(instance, arguments.host, None if config is None else socket.gethostname())
    return choose(_asked(found), arguments.id, whose, found.settings.name, datetime.now(UTC))


def _from(arguments: Namespace) -> tuple[Destination, Config | None]:
    """Return the copy that --from means, and the configuration, if it is one of that.

    Raises UsageError where it names none.
    """
    program, colon, address = arguments.origin.partition(":")
    if not colon:
        config = load(arguments)
        (settings,) = _named(config, [arguments.origin], everyone=False)
        return destination_for(settings, config), config
    if program in _ADDRESSES and not address:
        # As it may hold a password, which everybody could read among the arguments.
        address = read_environment(_path(arguments.environment_file)).get(_ADDRESSES[program], "")
    if program not in _ADDRESSES or not address:
        raise UsageError(
            f"--from {program}:… names neither restic nor borg",
            hint="say --from NAME, a copy of the configuration, or --from restic:ADDRESS --password-file FILE; or only "
            "--from restic: and put RESTIC_REPOSITORY=ADDRESS (for borg BORG_REPO) into --environment-file FILE",
        )
    if arguments.password_file is None:
        raise UsageError(f"--from {program}:… needs --password-file FILE, which holds the repository's password")
    settings = CopySettings(
        name=program,
        program=program,
        repository=address,
        password_file=Path(arguments.password_file).absolute(),
        environment_file=_path(arguments.environment_file),
        ssh_key=_path(arguments.ssh_key),
        ssh_known_hosts=_path(arguments.ssh_known_hosts),
    )
    making = f"see `{program} init`"
    return destination(settings, Path.home() / _CACHE, making), None


def _asked(found: Destination) -> list[Copied]:
    """Return what a copy has; raises as it does, and where it has not said so in time."""
    with time_limit(_ASK_SECONDS, "asking it"):
        return found.copied()


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).absolute()


def _destinations(config: Config, problems: list[Exception]) -> Iterator[Destination]:
    for settings in _named(config, [], everyone=True):
        try:
            yield destination_for(settings, config)
        except (TrackerBackupError, OSError) as error:
            problems.append(error)


def _named(config: Config, names: list[str], *, everyone: bool) -> list[CopySettings]:
    """Return the copies of those names, or all; raises ConfigurationError or UsageError where there is none."""
    if not config.copies:
        raise ConfigurationError(f"no copy is configured in {config.file}", hint="see docs/offsite.md")
    there = {each.name: each for each in config.copies}
    unknown = [name for name in names if name not in there]
    if unknown:
        raise UsageError(f"there is no copy {unknown[0]!r} in {config.file}", hint=f"there are: {', '.join(there)}")
    if not names and not everyone:
        raise UsageError(f"which copy: {', '.join(there)}, or --all?")
    return list(there.values()) if everyone else [there[name] for name in names]
