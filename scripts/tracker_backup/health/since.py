"""Since when each job's schedule has stood: a job is not late because the repository is older than the job is.

It is noted in the state directory by whatever looks first as root: `schedule apply`, a run, or the hourly entry. A
schedule that nobody has noted yet is as old as the configuration file at most.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.repository.manifest import format_time, parse_time
from tracker_backup.system.files import make_public_directory, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.config.model import Config

_NAME = "jobs.json"
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
"""Before that there was no such schedule: the note is damaged, or was made under a clock that had no battery."""


def first_seen(config: Config, now: datetime) -> dict[str, datetime]:
    """Return for each job since when it has had its schedule (UTC).

    A note from the future counts for nothing, nor does one from before there was this program.
    """
    noted = _read(config.state_directory)
    written = datetime.fromtimestamp(config.file.stat().st_mtime, UTC)
    found = {}
    for job in config.jobs:
        schedule, since = noted.get(job.name, (None, now))
        found[job.name] = since if schedule == job.schedule and _EARLIEST <= since <= now else min(written, now)
    return found


def waiting_since(config: Config, made_at: datetime, now: datetime) -> dict[str, datetime]:
    """Return for each job from when its backups are waited for: it has had its schedule, and there was a repository.

    `made_at` is when the repository was made; where that is still to come, it was made under another clock and counts
    for nothing: else no job would be late, or due, until then.
    """
    return {name: since if made_at > now else max(made_at, since) for name, since in first_seen(config, now).items()}


def note_jobs(config: Config, now: datetime) -> None:
    """Note the jobs as they are, if they are not noted so already; raises OSError when that cannot be written."""
    seen = first_seen(config, now)
    noted = {
        job.name: {"schedule": job.schedule, "since": format_time(seen[job.name])}
        for job in config.jobs
        if job.schedule is not None
    }
    path = config.state_directory / _NAME
    text = json.dumps(noted, indent=2) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        make_public_directory(config.state_directory)  # status.json is read there by others
        write_atomically(path, text.encode(), 0o600)


def _read(directory: Path) -> dict[str, tuple[str, datetime]]:
    try:
        noted = json.loads((directory / _NAME).read_bytes())
        return {name: (str(entry["schedule"]), parse_time(entry["since"])) for name, entry in noted.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}  # it will be noted anew
