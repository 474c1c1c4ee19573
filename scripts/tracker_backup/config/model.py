"""The configuration as the program uses it: frozen, complete, checked."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from tracker_backup.system.space import MinFree

MANUAL_JOB = "manual"
"""The job of runs that take chosen sources only; they never count for a job of the configuration."""

_ON_EVERYBODYS_PATH = Path("/usr/local/bin")


@dataclass(frozen=True)
class Keep:
    """How many backups of a job are kept; 0 switches a rule off."""

    last: int = 0
    daily: int = 0
    hourly: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    @property
    def most(self) -> int:
        """How many backups this keeps at most: every rule finds the newest one, and others of its own beside it."""
        rules = (self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly)
        return 1 + sum(count - 1 for count in rules if count)


@dataclass(frozen=True)
class Job:
    """A schedule, the sources it takes (None: all), and how long its backups are kept."""

    name: str
    schedule: str | None
    keep: Keep
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True)
class MysqlSettings:
    """A schema on a server, and how it is reached; `reach` None is what `mysql_reach` says."""

    schema: str
    user: str
    password_file: Path | None
    host: str | None
    port: int
    socket: Path | None
    reach: str | None


@dataclass(frozen=True)
class SourceSettings:
    """A source that the configuration names itself; `path` is the stack's directory where it is no file."""

    name: str
    type: str
    path: Path
    service: str | None = None
    mysql: MysqlSettings | None = None


@dataclass(frozen=True)
class FilesSettings:
    """What of the stack's files is backed up, beside what is found: paths to add, patterns to leave out."""

    enabled: bool = True
    extra_paths: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScheduleSettings:
    """Where the crontab entries go: `cron.d`, `crontab`, or the path of a plain file."""

    target: str
    user: str
    command: Path


@dataclass(frozen=True)
class Config:
    """One instance's configuration; paths are absolute, defaults filled in."""

    instance: str
    file: Path
    stack: Path
    repository: Path
    staging: Path
    state_directory: Path
    log_file: Path
    jobs: tuple[Job, ...]
    sources: tuple[SourceSettings, ...] | None
    check: str
    compression_level: int
    rate_limit_mib_per_second: float
    max_run_seconds: int
    max_write_stall_seconds: float
    max_pause_seconds: float
    sqlite_when_busy: str
    sqlite_journal_mode: str
    mysql_reach: str
    mysql_non_transactional: str
    mysql_max_wait_seconds: float
    schedule: ScheduleSettings
    min_free: MinFree = field(default_factory=MinFree)
    files: FilesSettings = FilesSettings()
    named_by: tuple[str, ...] = ()
    alone: bool = True
    ping_url: str | None = field(default=None, repr=False)

    def job(self, name: str) -> Job | None:
        """Return the job of that name, or None."""
        return next((job for job in self.jobs if job.name == name), None)

    def arguments(self) -> tuple[str, ...]:
        """Return the command-line arguments that name this instance in messages and crontab lines."""
        return self.named_by or ("--instance", self.instance)

    def command_line(self, *words: str, sudo: bool) -> str:
        """Return a command that a person can copy; it names the instance where that could be another one."""
        launcher = self.schedule.command
        program = launcher.name if launcher.parent == _ON_EVERYBODYS_PATH else str(launcher)
        chosen = () if self.alone and self.instance == "default" and not self.named_by else self.arguments()
        return shlex.join([*(("sudo",) if sudo else ()), program, *chosen, *words])
