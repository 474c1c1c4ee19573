"""move: a stack leaves this host, or arrives on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.cli.context import count, load, reporting, repository_of, say
from tracker_backup.config.instances import require_no_conflict
from tracker_backup.config.model import HOST
from tracker_backup.errors import RestoreError, UsageError
from tracker_backup.repository.backups import run_id
from tracker_backup.repository.store import load_backup
from tracker_backup.system.logs import name_run, open_logs
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.config.model import Config
    from tracker_backup.moving.note import Rows
    from tracker_backup.repository.store import Backup

_LOGGED = ("leave", "back", "arrive")
"""What goes into the log, as it changes what runs."""


def move(arguments: Namespace) -> int:
    """Do what the action says."""
    config = load(arguments)
    if config.placement != HOST:
        raise UsageError(
            f"the placement is {config.placement}, and a move is made by the program on the host",
            hint="copy the stack's directory, or let the backup run on the host first: docs/architectures.md",
        )
    require_no_conflict(config)
    actions = {
        "plan": _plan,
        "leave": _leave,
        "back": _back,
        "images": _images,
        "arrive": _arrive,
        "withdraw": _withdraw,
    }
    if arguments.action in _LOGGED:
        open_logs(config.log_file, config.instance, config.log_format)
        name_run(run_id(datetime.now(UTC), f"move-{arguments.action}"))
    return actions[arguments.action](arguments, config)


def _plan(arguments: Namespace, config: Config) -> int:
    from tracker_backup.moving.plan import in_words, plan_of

    plan = plan_of(config)
    _tell(arguments, plan, in_words(plan))
    return 1 if plan["problems"] else 0


def _leave(arguments: Namespace, config: Config) -> int:
    from tracker_backup.moving.leaving import Leaver
    from tracker_backup.moving.rows import total
    from tracker_backup.session import Session

    repository = repository_of(config)
    repository.require()
    with reporting(arguments) as reporter:
        session = Session(config, repository, reporter, scheduled=False)
        gone = Leaver(config, repository, session, reporter).leave()
    size = format_bytes(gone.manifest.bytes)
    lines = [
        f"the stack in {config.stack} is stopped; its last backup is {gone.manifest.id}, {size}, pinned",
        f"{count(total(gone.rows), 'row')} in {count(sum(map(len, gone.rows.values())), 'table')}",
        f"in {gone.path}",
        f"to start it here again: {config.command_line('move', 'back', sudo=True)}",
    ]
    _tell(arguments, gone.to_json(), lines)
    return 0


def _back(arguments: Namespace, config: Config) -> int:
    from tracker_backup.moving.leaving import Leaver
    from tracker_backup.session import Session

    repository = repository_of(config)
    with reporting(arguments) as reporter:
        services = Leaver(config, repository, Session(config, repository, reporter, scheduled=False), reporter).back()
    _tell(arguments, {"services": list(services)}, [f"started again: {', '.join(services)}; its schedule is back"])
    return 0


def _images(arguments: Namespace, config: Config) -> int:
    from tracker_backup.moving.arriving import deployment_in
    from tracker_backup.moving.images import USABLE, look, provide

    del config
    manifest = _backup(arguments).manifest
    if manifest is None:
        raise RestoreError(f"{arguments.backup} has no usable manifest")
    deployed = deployment_in(manifest)
    with reporting(arguments) as reporter:
        verdicts = provide(deployed, reporter.note) if arguments.pull else look(deployed)
    lines = [
        f"{each.action:<10} {each.image}  {each.digest or each.image_id}{f'  ({each.reason})' if each.reason else ''}"
        for each in verdicts
    ]
    _tell(arguments, {"images": [each.to_json() for each in verdicts]}, lines)
    return 1 if any(each.action not in USABLE for each in verdicts) else 0


def _arrive(arguments: Namespace, config: Config) -> int:
    from tracker_backup.moving.arriving import Arriver
    from tracker_backup.moving.rows import total

    with reporting(arguments) as reporter:
        arrival = Arriver(config, _backup(arguments), reporter).arrive(_rows(arguments.left))
    lines = [
        f"runs: {', '.join(arrival.services) or 'all services'}",
        f"{count(total(arrival.rows), 'row')} in {count(sum(map(len, arrival.rows.values())), 'table')}, as they were",
        *arrival.notes,
    ]
    _tell(arguments, arrival.to_json(), lines)
    return 0


def _withdraw(arguments: Namespace, config: Config) -> int:
    from tracker_backup.moving.arriving import withdraw

    names = withdraw(config, lose_what_is_new=arguments.lose_what_is_new)
    _tell(arguments, {"stopped": list(names)}, [f"stopped: {', '.join(names) or 'nothing ran'}"])
    return 0


def _backup(arguments: Namespace) -> Backup:
    if arguments.backup is None:
        raise UsageError(f"`move {arguments.action}` needs the directory of a backup")
    path = Path(arguments.backup)
    if not path.is_dir():
        raise UsageError(f"{path} is not a directory", hint="name a backup's directory, the one with manifest.json")
    return load_backup(path.resolve())


def _rows(path: str | None) -> Rows | None:
    if path is None:
        return None
    try:
        rows: Rows = json.loads(Path(path).read_bytes())["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not what `move leave --json` said: {error}") from error
    return rows


def _tell(arguments: Namespace, document: dict[str, Any], lines: list[str]) -> None:
    if arguments.json:
        say(json.dumps(document, indent=2))
    elif not arguments.quiet:
        for line in lines:
            say(line)
