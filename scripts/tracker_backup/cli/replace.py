"""restore --in-place."""

from __future__ import annotations

import select
import shlex
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from tracker_backup.cli.context import count, load, reporting, say, undo_restore, warn
from tracker_backup.cli.intoschema import password_file_of
from tracker_backup.cli.recover import paths_of
from tracker_backup.config.load import instance_files
from tracker_backup.config.model import WITHOUT_DOCKER
from tracker_backup.errors import PartialError, TrackerBackupError, UsageError
from tracker_backup.repository.backups import run_id
from tracker_backup.system.logs import LOGGER, name_run, open_journal, open_logs

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.inplace.engine import Done
    from tracker_backup.inplace.interface import Change
    from tracker_backup.repository.store import Backup

ANSWER_SECONDS = 900
"""Meanwhile nothing else can write to the repository: a question that nobody answers must not keep tonight's backup."""

NOT_DONE = 1


def restore_in_place(arguments: Namespace, backup: Backup, config: Config | None) -> int:
    """Show what is to be replaced by what, ask, do it, and say what became of it."""
    from tracker_backup.health.statefile import STATE_DIRECTORY
    from tracker_backup.inplace.interface import Wishes
    from tracker_backup.inplace.session import restore_in_place as restore

    if config is not None and config.placement in WITHOUT_DOCKER:
        raise UsageError(
            f"in the placement {config.placement} we can neither stop the stack's services nor see who has a file open",
            hint=f"restore with --to {config.restored}/NAME, stop the service that uses it, move its file away, and "
            "any -wal, -shm or -journal beside it, put the new one in its place, with its owner and mode, and start "
            "the service: docs/architectures.md; the placements orchestrator and host do all that with --in-place",
        )
    wishes = Wishes(
        sources=None if arguments.source is None else tuple(arguments.source),
        confirm=partial(_confirm, arguments, backup),
        paths=paths_of(arguments),
        discard_current=arguments.discard_current,
        leave_stopped=arguments.leave_stopped,
        mysql_user=arguments.mysql_user,
        mysql_password_file=password_file_of(arguments),
    )
    if config is not None:
        open_logs(config.log_file, config.instance, config.log_format)
    elif backup.manifest is not None:
        open_journal(backup.manifest.instance)
        undo_restore(STATE_DIRECTORY / backup.manifest.instance, None)
    name_run(run_id(datetime.now(UTC), "restore"))
    try:
        with reporting(arguments) as reporter:
            done = restore(backup, config, wishes, reporter)
    except TrackerBackupError as error:
        LOGGER.error("restore of %s in place: exit=%d %s", backup.id, error.exit_code, error)
        raise
    code = NOT_DONE if done.declined else PartialError.exit_code if done.unwell else 0
    LOGGER.info("restore of %s in place: exit=%d %s", backup.id, code, _summary(done))
    _tell(arguments, backup, done)
    return code


def configuration_of(arguments: Namespace) -> Config | None:
    """Return the configuration, None on a bare host, where there is none and none is named."""
    if arguments.instance is None and arguments.config is None and not instance_files():
        return None
    return load(arguments)


def _confirm(
    arguments: Namespace, backup: Backup, changes: Sequence[tuple[str, Change]], stopped: Sequence[str]
) -> bool:
    """Show what is to happen and ask; raises UsageError where there is nobody to ask."""
    asked = not arguments.yes
    if asked or not arguments.quiet:
        _show(backup, changes, stopped)
    if not asked or all(change.nothing_to_do for _, change in changes):
        return True
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here, so nothing was changed", hint="to do it without asking: --yes")
    sys.stdout.write("Go on? [y/N] ")
    sys.stdout.flush()
    if not select.select([sys.stdin], [], [], ANSWER_SECONDS)[0]:
        say("")
        raise UsageError(f"nobody has answered within {ANSWER_SECONDS // 60} minutes; nothing was changed")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _show(backup: Backup, changes: Sequence[tuple[str, Change]], stopped: Sequence[str]) -> None:
    manifest = backup.manifest
    made = "" if manifest is None else f", made {manifest.started_at} on {manifest.host}, {manifest.state}"
    say(f"{backup.id}{made}\n")
    width = max([4, *(len(source) for source, _ in changes)])
    for source, change in changes:
        say(f"{source:<{width}}  {change.place}")
        if change.nothing_to_do:
            say(f"{'':<{width}}  holds what it holds in the backup: nothing to do")
        else:
            rows = [("now", change.now or "nothing"), ("then", change.then)]
            if change.now is not None:
                rows.append(("kept", change.keeps or "no: the old one is deleted"))
            for name, text in rows:
                say(f"{name:>{width}}  {text}")
        for detail in change.details:
            say(f"{'':<{width}}  {detail}")
    if stopped:
        say(f"\nstopped meanwhile: {', '.join(stopped)}")
    else:
        say("\nno container of the stack that runs uses it")


def _summary(done: Done) -> str:
    if done.declined:
        return "declined, nothing was changed"
    if all(change.nothing_to_do for _, change in done.changes):
        return "there was nothing to do"
    sources = ", ".join(source for source, change in done.changes if not change.nothing_to_do)
    stood = f"; {', '.join(done.stopped)} stood still for {done.outage_seconds:.1f} s" if done.stopped else ""
    kept = f"; what it replaced is kept in {', '.join(done.kept)}" if done.kept else ""
    return f"{sources} replaced{stood}{kept}{''.join(f'; {problem}' for problem in done.unwell)}"


def _tell(arguments: Namespace, backup: Backup, done: Done) -> None:
    for problem in done.unwell:
        warn(f"{problem}, as it was not well before; the restored data stay in place")
    if arguments.quiet:
        return
    say("")
    if done.declined or all(change.nothing_to_do for _, change in done.changes):
        say("Nothing was changed.")
        return
    for source, change in done.changes:
        if not change.nothing_to_do:
            say(f"{source} is now that of {backup.id}: {change.place}")
    if done.kept:
        say(f"What it replaced is kept, until you delete it: {' '.join(done.kept)}")
    if done.stopped and arguments.leave_stopped:
        say(f"{count(len(done.stopped), 'container')} left stopped: {shlex.join(['docker', 'start', *done.stopped])}")
    elif done.stopped:
        rest = done.outage_seconds - done.stop_seconds - done.start_seconds
        say(
            f"{', '.join(done.stopped)} stood still for {done.outage_seconds:.1f} s: docker stop "
            f"{done.stop_seconds:.1f} s, replacing {rest:.1f} s, docker start {done.start_seconds:.1f} s"
        )
