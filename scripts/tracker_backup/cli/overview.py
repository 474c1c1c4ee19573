"""status, discover, doctor, and what the program says without a command."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracker_backup.cli.context import load, repository_of, say
from tracker_backup.errors import PrivilegeError, TrackerBackupError
from tracker_backup.health.status import NAMES, UNKNOWN
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.config.model import Config
    from tracker_backup.health.doctor import Finding
    from tracker_backup.health.status import JobStatus, Status


def default(arguments: Namespace) -> int:
    """Say in short how things are, and where to find help."""
    try:
        found = _status(arguments)
    except TrackerBackupError as error:
        say(str(error))
    else:
        now = datetime.now(UTC)
        say(f"{found.instance}: {NAMES[found.level(now)]}")
        for job in found.jobs:
            say(f"  {_job_line(job)}")
        for reason in found.reasons(now):
            say(f"  {NAMES[reason.level]}: {reason.text}")
    say("\nA backup now: sudo tracker-backup --now    All commands: tracker-backup --help")
    return 0


def status(arguments: Namespace) -> int:
    """Print the status; the exit code is Nagios's."""
    try:
        found = _status(arguments)
    except TrackerBackupError as error:
        if arguments.json:
            reason = {"level": NAMES[UNKNOWN], "text": str(error)}
            say(json.dumps({"state": NAMES[UNKNOWN], "reasons": [reason], "jobs": []}, indent=2))
        else:
            say(f"UNKNOWN: {error}")
        return UNKNOWN
    now = datetime.now(UTC)
    if arguments.json:
        say(json.dumps(found.to_json(now), indent=2))
        return found.level(now)
    reasons = found.reasons(now)
    summary = "; ".join(reason.text for reason in reasons) or "every job has its verified backup"
    say(f"{NAMES[found.level(now)]}: {summary}")
    for job in found.jobs:
        say(_job_line(job))
    if found.room is not None and not arguments.quiet:
        say(f"room: {found.room}")
    if found.last_run is not None and not arguments.quiet:
        say(f"last run: {found.last_run.job}, {found.last_run.finished_at}, {found.last_run.message}")
    return found.level(now)


def discover(arguments: Namespace) -> int:
    """Print the sources and why they are ones; exit 2 when one of them cannot be backed up."""
    from tracker_backup.run.resolve import describe_sources

    described = describe_sources(load(arguments))
    if arguments.json:
        say(json.dumps(described.sources, indent=2))
    else:
        for source in described.sources:
            say(f"{source['name']}  {source['type']}  {source.get('path') or source.get('schema')}")
            say(f"    {source['why']}")
            for line in _files_lines(source):
                say(f"    {line}")
        for note in described.notes:
            say(f"note: {note}")
    sys.stdout.flush()
    if described.problem is not None:
        raise described.problem
    return 0


def doctor(arguments: Namespace) -> int:
    """Print what would go wrong tonight; exit 1 when something would."""
    from tracker_backup.health.doctor import FAIL, examine

    findings = examine(load(arguments))
    if arguments.json:
        say(json.dumps([finding.to_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            if not (arguments.quiet and finding.level == "ok"):
                _print_finding(finding)
    return 1 if any(finding.level == FAIL for finding in findings) else 0


def _files_lines(source: dict[str, Any]) -> list[str]:
    """Return what of a stack's files is in and what is out, a line each; nothing for another source."""
    if "in" not in source:
        return []
    lines = [f"in: {source['count']} files and directories, {format_bytes(source['bytes'])}"]
    lines += [f"  {root['path']}: {root['why']}" for root in source["in"]]
    lines += [
        f"  {database['path']}: {format_bytes(database['bytes'])}, a SQLite database, copied as one"
        for database in source["databases"]
    ]
    lines += ["out:"] if source["out"] else []
    lines += [f"  {left['path']}: {left['reason']}" for left in source["out"]]
    more = source["out_count"] - len(source["out"])
    lines += [f"  and {more} more"] if more else []
    return [*lines, *(f"cannot be read: {problem}" for problem in source["unreadable"])]


def _print_finding(finding: Finding) -> None:
    say(f"{finding.level.upper():<5} {finding.what}")
    if finding.remedy:
        say(f"      {finding.remedy}")


def _status(arguments: Namespace) -> Status:
    """Return the status as it is, or, for who may not look, as it was last written.

    Raises PrivilegeError for who may not look where nothing was written.
    """
    from tracker_backup.health.statefile import find_status, read_status

    config = None
    try:
        config = load(arguments)
        return _fresh_status(config)
    except (PrivilegeError, PermissionError) as error:
        written = find_status(arguments.instance) if config is None else read_status(config.state_directory)
        if written is None:
            text = error.message if isinstance(error, PrivilegeError) else f"permission denied: {error.filename}"
            raise PrivilegeError(text, hint="run the same command with sudo") from error
        return written


def _fresh_status(config: Config) -> Status:
    from tracker_backup.health.gather import gather_status
    from tracker_backup.health.statefile import read_status

    written = read_status(config.state_directory)
    return gather_status(config, repository_of(config), None if written is None else written.last_run)


def _job_line(job: JobStatus) -> str:
    last = f"last verified backup {job.last_verified}" if job.last_verified else "no verified backup yet"
    following = f"next run {job.next_run}" if job.next_run else "by hand only"
    return f"job {job.name}: {last}; {following}"
