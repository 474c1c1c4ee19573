"""status, and what the program says without a command: of one instance, or of all that are on the host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.cli.context import load, load_file, repository_of, say
from tracker_backup.config.load import instance_files
from tracker_backup.errors import PrivilegeError, TrackerBackupError
from tracker_backup.health.status import NAMES, UNKNOWN, WORST_FIRST
from tracker_backup.system.text import on_one_line, visible

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from tracker_backup.config.model import Config
    from tracker_backup.health.status import JobStatus, Status
    from tracker_backup.repository.manifest import Manifest


@dataclass(frozen=True)
class _Seen:
    """An instance as it was found: with its status, which may be the written one, or with what keeps us from it."""

    instance: str
    status: Status | None
    problem: str = ""
    written: bool = False
    config: Config | None = None

    def level(self, now: datetime) -> int:
        """Return the Nagios state."""
        return UNKNOWN if self.status is None else self.status.level(now)

    def to_json(self, now: datetime) -> dict[str, Any]:
        """Return the object that stands for one instance."""
        if self.status is not None:
            return self.status.to_json(now)
        reason = {"level": NAMES[UNKNOWN], "text": self.problem}
        known = {"instance": self.instance} if self.instance else {}
        return {"state": NAMES[UNKNOWN], "reasons": [reason], **known, "jobs": []}

    def summary(self, now: datetime) -> str:
        """Return the reasons in a line."""
        if self.status is None:
            return self.problem
        reasons = "; ".join(reason.text for reason in self.status.reasons(now)) or "every job has its verified backup"
        return f"{reasons} (as written at {self.status.written_at})" if self.written else reasons


def default(arguments: Namespace) -> int:
    """Say in short how things are, and where to find help."""
    now = datetime.now(UTC)
    found = _look(arguments)
    for seen in found:
        if seen.status is None:
            say(f"{seen.instance}: {seen.problem}" if seen.instance else seen.problem)
            continue
        written = f", as written at {seen.status.written_at}" if seen.written else ""
        say(f"{seen.instance}: {NAMES[seen.level(now)]}{written}")
        for job in seen.status.jobs:
            say(f"  {_job_line(job)}")
        for reason in seen.status.reasons(now):
            say(f"  {NAMES[reason.level]}: {on_one_line(reason.text)}")
    command = "sudo tracker-backup --instance NAME --now" if len(found) > 1 else "sudo tracker-backup --now"
    say(f"\nA backup now: {command}    All commands: tracker-backup --help")
    return 0


def status(arguments: Namespace) -> int:
    """Print the status, and where asked for write a page; the exit code is Nagios's, of several instances the worst."""
    if arguments.html is not None:
        from tracker_backup.cli.page import require_place

        require_place(Path(arguments.html))
    now = datetime.now(UTC)
    found = _look(arguments)
    worst = min((seen.level(now) for seen in found), key=WORST_FIRST.index)
    if arguments.html is not None:
        _write_page(Path(arguments.html), found, worst, now)
    if arguments.json:
        say(json.dumps(found[0].to_json(now) if len(found) == 1 else _all_to_json(found, worst, now), indent=2))
        return worst
    if len(found) > 1:
        states = ", ".join(f"{seen.instance} {NAMES[seen.level(now)]}" for seen in found)
        say(f"{NAMES[worst]}: {states}")
    for seen in found:
        name = f"\n{seen.instance}: " if len(found) > 1 else ""
        summary = seen.summary(now) if seen.status is None else on_one_line(seen.summary(now))
        say(f"{name}{NAMES[seen.level(now)]}: {summary}")
        _tell_more(seen, quiet=arguments.quiet)
    return worst


def _write_page(path: Path, found: list[_Seen], worst: int, now: datetime) -> None:
    from tracker_backup.cli.page import view, write_page

    views = [
        view(seen.instance, seen.status, _manifests(seen), now, problem=seen.problem, written=seen.written)
        for seen in found
    ]
    write_page(path, views, worst, now)


def _manifests(seen: _Seen) -> list[Manifest]:
    """Return an instance's backups; none where nobody can look at them, which its status tells."""
    if seen.config is None:
        return []
    try:
        return repository_of(seen.config).manifests()
    except TrackerBackupError:
        return []


def _tell_more(seen: _Seen, *, quiet: bool) -> None:
    if seen.status is None:
        return
    for job in seen.status.jobs:
        say(_job_line(job))
    if seen.status.room is not None and not quiet:
        say(f"room, {'enough' if seen.status.room.fits else 'too little'}: {seen.status.room}")
    if seen.status.last_run is not None and not quiet:
        last = seen.status.last_run
        say(visible(f"last run: {last.job}, {last.finished_at}, {last.message}", indented="  "))


def _all_to_json(found: list[_Seen], worst: int, now: datetime) -> dict[str, Any]:
    """Return one object with the keys that one instance has, each entry naming its own, and each instance's object."""
    objects = {seen.instance: seen.to_json(now) for seen in found}
    return {
        "state": NAMES[worst],
        "reasons": [{"instance": name, **entry} for name, item in objects.items() for entry in item["reasons"]],
        "jobs": [{"instance": name, **entry} for name, item in objects.items() for entry in item["jobs"]],
        "instances": list(objects.values()),
    }


def _look(arguments: Namespace) -> list[_Seen]:
    """Look at the instance that the command line means, or at all there are."""
    if arguments.instance is None and arguments.config is None:
        files = instance_files()
        if len(files) > 1:
            return [_seen(file.stem, _loader(file)) for file in files]
    return _one(arguments)


def _loader(file: Path) -> Callable[[], Config]:
    return lambda: load_file(file)


def _one(arguments: Namespace) -> list[_Seen]:
    from tracker_backup.health.statefile import written_statuses

    try:
        config = load(arguments)
    except (PrivilegeError, PermissionError) as error:
        # Who may not read the configuration can still read what was written, wherever that usually lies.
        found = written_statuses(arguments.instance) if arguments.config is None else []
        if found:
            return [_Seen(written.instance, written, written=True) for written in found]
        return [_Seen(_meant(arguments), None, str(_denied(error)))]
    except TrackerBackupError as error:
        return [_Seen(_meant(arguments), None, str(error))]
    return [_seen(config.instance, lambda: config)]


def _meant(arguments: Namespace) -> str:
    """Return the name of the instance that the command line means, nothing where there is none."""
    if arguments.config is not None:
        return Path(arguments.config).stem
    return arguments.instance or next((file.stem for file in instance_files()), "")


def _seen(instance: str, loader: Callable[[], Config]) -> _Seen:
    """Look at one instance as it is, or, for who may not look, as it was last written."""
    from tracker_backup.health.statefile import read_status, written_statuses

    config = None
    try:
        config = loader()
        return _Seen(instance, _fresh_status(config), config=config)
    except (PrivilegeError, PermissionError) as error:
        if config is None:
            written = next(iter(written_statuses(instance)), None)
        else:
            written = read_status(config.state_directory)
        if written is None:
            return _Seen(instance, None, str(_denied(error)))
        return _Seen(instance, written, written=True)
    except TrackerBackupError as error:
        return _Seen(instance, None, str(error))


def _denied(error: PrivilegeError | PermissionError) -> PrivilegeError:
    text = error.message if isinstance(error, PrivilegeError) else f"permission denied: {error.filename}"
    return PrivilegeError(text, hint="run the same command with sudo")


def _fresh_status(config: Config) -> Status:
    from tracker_backup.health.gather import gather_status
    from tracker_backup.health.statefile import read_status

    written = read_status(config.state_directory)
    return gather_status(config, repository_of(config), () if written is None else written.runs)


def _job_line(job: JobStatus) -> str:
    last = f"last verified backup {job.last_verified}" if job.last_verified else "no verified backup yet"
    following = f"next run {job.next_run}" if job.next_run else "by hand only"
    return f"job {job.name}: {last}; {following}"
