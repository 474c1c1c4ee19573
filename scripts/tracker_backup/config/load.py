"""Find, read and check a configuration; all that is wrong with it is told at once."""

from __future__ import annotations

import errno
import math
import os
import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from tracker_backup.config.copykeys import DEFAULT_KEEP, copy_errors, copy_settings
from tracker_backup.config.document import MOST_BYTES, parse_document
from tracker_backup.config.guard import require_safe_file
from tracker_backup.config.model import HOST, Config, FilesSettings, Job, Keep, SourceSettings
from tracker_backup.config.schema import schema_errors
from tracker_backup.config.sourcekeys import mysql_settings, source_errors
from tracker_backup.config.telling import mail_errors, notification_settings, schedule_settings
from tracker_backup.errors import ConfigurationError, PrivilegeError, UsageError
from tracker_backup.system.files import opened_for_reading
from tracker_backup.system.libraries import missing_library
from tracker_backup.system.space import parse_min_free

DIRECTORY_VARIABLE = "TRACKER_BACKUP_CONFIG_DIRECTORY"
_INSTANCE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_DEFAULT_MIN_FREE = "64 MiB"
_DEFAULT_JOBS = [{"name": "daily", "schedule": "0 3 * * *"}]


def config_directory() -> Path:
    """Return the directory of the instances' configuration files."""
    return Path(os.environ.get(DIRECTORY_VARIABLE) or "/etc/tracker-backup")


def instance_files(directory: Path | None = None) -> list[Path]:
    """Return the configuration files of all instances, by name; none where the directory cannot be looked into."""
    return sorted((directory or config_directory()).glob("*.yml"))


def find_config(instance: str | None, path: str | None) -> Path:
    """Return the configuration file that the command line means; without `instance` and `path`, the only one there is.

    Raises ConfigurationError when there is none, or more than one to choose from, UsageError for both arguments.
    """
    if path is not None and instance is not None:
        raise UsageError("--instance and --config both choose a configuration: leave one of them out")
    if path is not None:
        return Path(path).absolute()
    directory = config_directory()
    if instance is not None:
        if not _INSTANCE_NAME.fullmatch(instance):
            raise ConfigurationError(f"{instance!r} is not an instance's name: small letters, digits and hyphens")
        return directory / f"{instance}.yml"
    try:
        found = instance_files(directory)
    except OSError as error:
        raise ConfigurationError(f"cannot look into {directory}: {error.strerror}") from error
    if len(found) == 1:
        return found[0]
    if not found:
        if directory.exists() and not directory.is_dir():
            hint = f"let {DIRECTORY_VARIABLE} name the directory of the configurations, or name one with --config PATH"
            raise ConfigurationError(f"{directory} is not a directory", hint=hint)
        if directory.exists() and not os.access(directory, os.R_OK | os.X_OK):
            raise PrivilegeError(f"{directory} can be read by root only")
        raise ConfigurationError(
            f"there is no configuration in {directory}",
            hint="provision the host with `ansible-playbook site.yml`, or name a file with --config PATH",
        )
    names = ", ".join(file.stem for file in found)
    raise ConfigurationError(f"several instances are configured: {names}", hint="choose one with --instance NAME")


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises ConfigurationError with every error in it, each with its path; PrivilegeError when it may not be read;
    CommandError where a library is missing that this takes.
    """
    try:
        return _checked(path)
    except ModuleNotFoundError as error:
        raise missing_library(error) or error from error


def _checked(path: Path) -> Config:
    document = _read(path)
    errors = schema_errors(document)
    if not isinstance(document, dict):
        raise _refused(path, errors)
    errors += semantic_errors(document)
    if not _INSTANCE_NAME.fullmatch(path.stem):
        errors.append(f"{path.name}: the file's name is the instance's: small letters, digits and hyphens, then .yml")
    if errors:
        raise _refused(path, errors)
    return build_config(document, path)


def semantic_errors(document: dict[str, Any]) -> list[str]:
    """Return what no schema can say: names used twice, unknown sources, schedules that cannot be, one place for two."""
    errors = []
    jobs, sources = _dictionaries(document.get("jobs")), _dictionaries(document.get("sources"))
    copies = _dictionaries(document.get("copies"))
    for key, items in (("jobs", jobs), ("sources", sources), ("copies", copies)):
        counted = Counter(_strings([item.get("name") for item in items]))
        errors += [f"{key}: the name {name!r} is used {times} times" for name, times in counted.items() if times > 1]
    if sources:
        known = [source.get("name") for source in sources]
        for index, job in enumerate(jobs):
            unknown = [name for name in _strings(job.get("sources")) if name not in known]
            errors += [f"jobs[{index}].sources: there is no source {name!r}" for name in unknown]
    errors += source_errors(sources)
    errors += copy_errors(copies, _strings([job.get("name") for job in jobs or _DEFAULT_JOBS]))
    files = document.get("files")
    if (
        isinstance(files, dict)
        and files.get("enabled") is False
        and "files" in [source.get("type") for source in sources]
    ):
        errors.append("files.enabled: it is false, and the source files is named under sources")
    errors += [*_schedule_errors(jobs), *mail_errors(document.get("schedule"))]
    errors += [
        f"{key}: not a number that can be reckoned with"
        for key, value in document.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]
    return errors + _place_errors(document)


def _place_errors(document: dict[str, Any]) -> list[str]:
    stack, repository, staging = (document.get(key) for key in ("stack", "repository", "staging"))
    if not isinstance(repository, str):
        return []
    errors = []
    if isinstance(stack, str) and _inside(stack, repository):
        errors.append("repository: the stack's directory lies inside it; choose a directory of its own")
    # Each run clears its staging directory.
    if isinstance(staging, str) and _inside(staging, repository) and not _inside(staging, f"{repository}/.staging"):
        errors.append("staging: it lies among the backups; leave it out, or choose a directory elsewhere")
    return errors


def build_config(document: dict[str, Any], path: Path) -> Config:
    """Return the configuration of a document that was found free of errors, with defaults filled in."""
    instance = path.stem
    repository = Path(document["repository"])
    sources = document.get("sources")
    return Config(
        instance=instance,
        file=path,
        stack=Path(document["stack"]),
        repository=repository,
        # A directory of the instance's own: two that share one would clear away each other's snapshots.
        staging=Path(document["staging"], f".staging-{instance}") if "staging" in document else repository / ".staging",
        state_directory=Path(document.get("state_directory", f"/var/lib/tracker-backup/{instance}")),
        log_file=Path(document.get("log_file", f"/var/log/tracker-backup/{instance}.log")),
        jobs=tuple(_job(job) for job in document.get("jobs", _DEFAULT_JOBS)),
        sources=None if sources is None else tuple(_source(source, document["stack"]) for source in sources),
        check=document.get("check", "auto"),
        # JSON Schema takes 3.0 for a whole number; zstd and slices do not.
        compression_level=int(document.get("compression_level", 1)),
        rate_limit_mib_per_second=document.get("rate_limit_mib_per_second", 0),
        max_run_seconds=int(document.get("max_run_seconds", 21600)),
        max_write_stall_seconds=document.get("max_write_stall_seconds", 2),
        max_pause_seconds=document.get("max_pause_seconds", 120),
        sqlite_when_busy=document.get("sqlite_when_busy", "pause"),
        sqlite_journal_mode=document.get("sqlite_journal_mode", "keep"),
        mysql_reach=document.get("mysql_reach", "auto"),
        mysql_non_transactional=document.get("mysql_non_transactional", "lock"),
        mysql_max_wait_seconds=document.get("mysql_max_wait_seconds", 120),
        copies=tuple(copy_settings(copy, path) for copy in document.get("copies", ())),
        schedule=schedule_settings(document.get("schedule", {})),
        min_free=parse_min_free(document.get("min_free", _DEFAULT_MIN_FREE)),
        files=_files(document.get("files", {})),
        alone=not set(instance_files(path.parent)) - {path},
        named_by=() if path.parent == config_directory() else ("--config", str(path)),
        ping_url=document.get("ping_url"),
        metrics_file=Path(document["metrics_file"]) if "metrics_file" in document else None,
        notifications=notification_settings(document.get("notifications")),
        log_format=document.get("log_format", "text"),
        placement=document.get("placement", HOST),
    )


def _read(path: Path) -> Any:
    try:
        require_safe_file(path)
        data = _contents(Path(os.path.realpath(path)))  # a link is followed: whoever made it wants that
    except FileNotFoundError:
        there = ", ".join(file.stem for file in instance_files()) if path.parent == config_directory() else ""
        hint = f"there are: {there}" if there else "choose another with --instance NAME or --config PATH"
        raise ConfigurationError(f"there is no configuration file {path}", hint=hint) from None
    except PermissionError:
        raise PrivilegeError(f"{path} may be read by root only") from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    return parse_document(data, str(path))


def _contents(path: Path) -> bytes:
    """Return what a plain file holds, as far as it is looked at: whoever writes into a FIFO may never come."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with opened_for_reading(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read(MOST_BYTES + 1)


def _refused(path: Path, errors: list[str]) -> ConfigurationError:
    listed = "\n".join(f"  {error}" for error in errors)
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    checking = f"put that right, then see: tracker-backup --config {shlex.quote(str(path))} config check"
    return ConfigurationError(f"{path}: {count}\n{listed}", hint=checking)


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _dictionaries(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _schedule_errors(jobs: list[dict[str, Any]]) -> list[str]:
    from tracker_backup.schedule.expression import schedule_problem

    errors = []
    for index, job in enumerate(jobs):
        schedule = job.get("schedule")
        problem = schedule_problem(schedule) if isinstance(schedule, str) and schedule else None
        if problem is not None:
            errors.append(f"jobs[{index}].schedule: {problem}")
    return errors


def _inside(path: str, directory: str) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(directory))


def _job(job: dict[str, Any]) -> Job:
    keep = job.get("keep", DEFAULT_KEEP)
    sources = job.get("sources")
    return Job(
        name=job["name"],
        schedule=job.get("schedule"),
        keep=Keep(**{rule: int(number) for rule, number in keep.items()}),
        sources=None if sources is None else tuple(sources),
    )


def _source(source: dict[str, Any], stack: str) -> SourceSettings:
    return SourceSettings(
        name=source["name"],
        type=source["type"],
        path=Path(source.get("path", stack)),
        service=source.get("service"),
        mysql=mysql_settings(source) if source["type"] == "mysql" else None,
    )


def _files(files: dict[str, Any]) -> FilesSettings:
    return FilesSettings(
        enabled=files.get("enabled", True),
        extra_paths=tuple(map(Path, files.get("extra_paths", ()))),
        exclude=tuple(files.get("exclude", ())),
    )
