"""The configuration as the program uses it: frozen, complete, checked."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from tracker_backup.system.space import MinFree

MANUAL_JOB = "manual"
"""The job of runs that take chosen sources only; they never count for a job of the configuration."""

HOST, SERVICE, SIDECAR, ORCHESTRATOR = "host", "service", "sidecar", "orchestrator"
"""Where the program runs: on the host, or in containers of the stack; docs/architectures.md."""
ABSENT_VARIABLE = "TRACKER_BACKUP_ABSENT"
"""By which a helper is told, a line each, what its stack names and the host does not have."""
WITHOUT_DOCKER = frozenset({SERVICE, SIDECAR})
"""Placements in which nobody can ask Docker for anything."""

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

    def takes(self, source: str) -> bool:
        """Whether the source of that name is in its backups."""
        return self.sources is None or source in self.sources


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
    """Where the crontab entries go: `cron.d`, `crontab`, or the path of a plain file.

    `mailto` is whom cron mails what they say, None where that is the host's matter.
    """

    target: str
    user: str
    command: Path
    mailto: str | None = None


@dataclass(frozen=True)
class NotificationSettings:
    """Who is told of scheduled runs: a file with their addresses, which are secrets, and of which runs."""

    urls_file: Path
    when: str


@dataclass(frozen=True)
class CopySettings:
    """A restic or borg repository to which backups are copied; times in seconds, rates in KiB/s, 0 for no limit.

    `jobs` None is every job. `delete`: what `keep` does not keep is deleted from here.
    `every` is `run`, `day`, `week` or `month`, `check` one of the last three or `never`.
    """

    name: str
    program: str
    repository: str = field(repr=False)
    password_file: Path
    environment_file: Path | None = None
    ssh_key: Path | None = None
    ssh_known_hosts: Path | None = None
    jobs: tuple[str, ...] | None = None
    keep: Keep = field(default_factory=Keep)
    every: str = "run"
    check: str = "week"
    upload_limit_kib_per_second: int = 0
    tolerate_seconds: float = 0
    delete: bool = True

    def takes(self, job: str) -> bool:
        """Whether backups of that job go there."""
        return job != MANUAL_JOB and (self.jobs is None or job in self.jobs)


@dataclass(frozen=True)
class Config:
    """One instance's configuration; paths are absolute, defaults filled in.

    In a sidecar `only` is its source, `sidecars` are the sources that have one, and `others` the jobs of the others.
    """

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
    copies: tuple[CopySettings, ...] = ()
    min_free: MinFree = field(default_factory=MinFree)
    files: FilesSettings = FilesSettings()
    named_by: tuple[str, ...] = ()
    alone: bool = True
    ping_url: str | None = field(default=None, repr=False)
    metrics_file: Path | None = None
    notifications: NotificationSettings | None = None
    log_format: str = "text"
    placement: str = HOST
    only: str | None = None
    sidecars: tuple[str, ...] = ()
    others: tuple[Job, ...] = ()

    @property
    def called(self) -> str:
        """The instance's name for monitoring; each sidecar is one of its own there."""
        return self.instance if self.only is None else f"{self.instance}-{self.only}"

    @property
    def home(self) -> Path:
        """Our directory in the stack's, where the program runs in containers: docs/architectures.md."""
        return self.stack / "tracker-backup"

    @property
    def restored(self) -> Path:
        """The place in it for what is restored; no backup takes it along."""
        return self.home / "restored"

    def job(self, name: str) -> Job | None:
        """Return the job of that name, or None; in a sidecar also by the name that it has for all sources."""
        names = (name,) if self.only is None else (name, f"{name}-{self.only}")
        return next((job for job in self.jobs if job.name in names), None)

    def arguments(self) -> tuple[str, ...]:
        """Return the command-line arguments that name this instance in messages and crontab lines."""
        return self.named_by or ("--instance", self.instance)

    def command_line(self, *words: str, sudo: bool) -> str:
        """Return a command that a person can copy; it names the instance where that could be another one."""
        launcher = self.schedule.command
        program = launcher.name if launcher.parent == _ON_EVERYBODYS_PATH else str(launcher)
        chosen = () if self.alone and self.instance == "default" and not self.named_by else self.arguments()
        return shlex.join([*(("sudo",) if sudo else ()), program, *chosen, *words])
