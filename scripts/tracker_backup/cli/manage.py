"""prune, schedule, config and init."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.cli.context import command_line, load, repository_of, say, warn
from tracker_backup.config.instances import require_no_conflict
from tracker_backup.errors import ConfigurationError, TrackerBackupError

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.config.model import Config
    from tracker_backup.repository.retention import Verdict


def prune(arguments: Namespace) -> int:
    """Delete what no policy keeps, under the lock; with --dry-run only say what that would be, and why."""
    from tracker_backup.run.prune import judge
    from tracker_backup.run.prune import prune as delete

    config = load(arguments)
    repository = repository_of(config)
    if arguments.dry_run:
        _say_verdicts(judge(config, repository), as_json=arguments.json)
        return 0
    repository.require()
    with repository.lock.acquire(job="prune"):
        verdicts = delete(config, repository)
    if arguments.json:
        _say_verdicts(verdicts, as_json=True)
    elif not arguments.quiet:
        condemned = [verdict for verdict in verdicts if not verdict.keep]
        for verdict in condemned:
            say(f"deleted {verdict.id}: {verdict.reason}")
        say(f"{len(condemned)} deleted, {len(verdicts) - len(condemned)} kept")
    return 0


def _say_verdicts(verdicts: list[Verdict], *, as_json: bool) -> None:
    from tracker_backup.report.tables import table

    if as_json:
        say(json.dumps([{"id": item.id, "keep": item.keep, "why": item.reason} for item in verdicts], indent=2))
        return
    rows = [(item.id, "keep" if item.keep else "delete", item.reason) for item in verdicts]
    say(table(("ID", "VERDICT", "WHY"), rows))


def schedule(arguments: Namespace) -> int:
    """Show, apply or remove the crontab entries; the first word says whether something changed."""
    from tracker_backup.schedule import service

    if arguments.action == "show":
        return _show_schedule(load(arguments))
    try:
        config = load(arguments)
    except ConfigurationError as error:
        error.hint = "\n  ".join([*filter(None, [error.hint]), "the running schedule was left as it is"])
        raise
    act = service.apply if arguments.action == "apply" else service.remove
    changed = act(config, dry_run=arguments.dry_run)
    where = service.target_of(config).where
    if arguments.action == "apply" and not arguments.dry_run:
        write_status(config)
    if not arguments.quiet:
        say(f"{'changed' if changed else 'unchanged'}: {where}{' (dry run, nothing was written)' * arguments.dry_run}")
    return 0


def write_status(config: Config) -> None:
    """Let monitoring see the instance from now on, and note since when its jobs have been there."""
    from tracker_backup.health.gather import refresh_status

    try:
        refresh_status(config, repository_of(config))
    except (TrackerBackupError, OSError) as error:
        warn(f"what monitoring reads was not written: {error}")


def _show_schedule(config: Config) -> int:
    from tracker_backup.schedule import service
    from tracker_backup.schedule.due import next_run

    state = service.inspect(config)
    say(f"{state.where}: {'as configured' if state.matches else 'NOT as configured'}")
    for entry in state.entries:
        say(f"  {entry.schedule:<14} {entry.command}")
    now = datetime.now(UTC)
    for job in config.jobs:
        if job.schedule is not None:
            say(f"next run of {job.name}: {next_run(job.schedule, now):%Y-%m-%d %H:%M %Z} (the host's local time)")
    for problem in state.problems:
        say(f"problem: {problem}")
    if state.problems:
        say(f"put it right with: {command_line(config, 'schedule', 'apply')}")
    return 1 if state.problems else 0


def config(arguments: Namespace) -> int:
    """Check or show the configuration, or print its schema."""
    if arguments.action == "schema":
        from tracker_backup.config.schema import load_schema

        say(json.dumps(load_schema(), indent=2))
        return 0
    loaded = load(arguments)
    from tracker_backup.notify.addresses import read_addresses
    from tracker_backup.schedule.service import entries_of

    entries_of(loaded)
    require_no_conflict(loaded)
    if arguments.action == "check":
        if loaded.notifications is not None:
            read_addresses(loaded.notifications.urls_file)
        if not arguments.quiet:
            say(f"{loaded.file}: ok")
        return 0
    say(json.dumps(_shown(loaded), indent=2, default=str))
    return 0


def _shown(loaded: Config) -> dict[str, object]:
    """Return the configuration with its defaults, the secret masked."""
    from dataclasses import asdict

    from tracker_backup.copies.interface import without_password

    shown = asdict(loaded)
    shown["ping_url"] = None if loaded.ping_url is None else "(set)"
    shown["copies"] = [{**copy, "repository": without_password(copy["repository"])} for copy in shown["copies"]]
    return {key: value for key, value in shown.items() if key != "named_by"}


def init(arguments: Namespace) -> int:
    """Make the repository; the first word says whether it was made."""
    loaded = load(arguments)
    require_no_conflict(loaded)
    made = repository_of(loaded).init()
    if not arguments.quiet:
        say(f"{'created' if made else 'unchanged'}: repository {loaded.repository}")
    return 0
