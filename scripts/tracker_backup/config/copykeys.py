"""The entries of `copies`: what no schema can say of them, and what they come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracker_backup.config.model import CopySettings, Keep

_HOUR_SECONDS = 3600
DEFAULT_KEEP = {"last": 2, "daily": 7}
"""What is kept of a job, here as there, where nobody says anything else."""


def copy_errors(copies: list[dict[str, Any]], jobs: list[str]) -> list[str]:
    """Return what is wrong with the entries of `copies` among each other; `jobs` are the names of those there are."""
    errors = []
    places: dict[object, int] = {}
    for index, copy in enumerate(copies):
        where = f"copies[{index}]"
        chosen = copy.get("jobs")
        unknown = [name for name in chosen if name not in jobs] if isinstance(chosen, list) else []
        errors += [f"{where}.jobs: there is no job {name!r}" for name in unknown]
        address = copy.get("repository")
        if isinstance(address, str):
            if address in places:
                errors.append(f"{where}.repository: copies[{places[address]}] goes there already")
            places.setdefault(address, index)
            errors += _address_errors(where, copy.get("program"), address)
    return errors


def _address_errors(where: str, program: object, address: str) -> list[str]:
    """Refuse a path that begins where the program happens to be started: each command would mean another one."""
    if address.startswith("/") or ":" in address:
        return []
    example = "sftp:backup@nas:/srv/restic" if program == "restic" else "ssh://backup@nas/srv/borg"
    return [f"{where}.repository: neither an absolute path nor an address such as {example}"]


def copy_settings(copy: dict[str, Any], configuration: Path) -> CopySettings:
    """Return what an entry of `copies` says, once it was found free of errors; what it needs may lie beside that file.

    `default.nas.password` beside `default.yml` is the password of its copy `nas`.
    """

    def beside(suffix: str) -> Path:
        return configuration.with_name(f"{configuration.stem}.{copy['name']}.{suffix}")

    def file(key: str, suffix: str) -> Path | None:
        return Path(copy[key]) if key in copy else beside(suffix) if beside(suffix).exists() else None

    return CopySettings(
        name=copy["name"],
        program=copy["program"],
        repository=copy["repository"],
        password_file=file("password_file", "password") or beside("password"),
        environment_file=file("environment_file", "environment"),
        ssh_key=file("ssh_key", "key"),
        ssh_known_hosts=file("ssh_known_hosts", "known_hosts"),
        jobs=tuple(copy["jobs"]) if "jobs" in copy else None,
        keep=Keep(**{rule: int(number) for rule, number in copy.get("keep", DEFAULT_KEEP).items()}),
        every=copy.get("every", "run"),
        check=copy.get("check", "week"),
        upload_limit_kib_per_second=int(copy.get("upload_limit_kib_per_second", 0)),
        delete=copy.get("delete", True),
        tolerate_seconds=copy.get("tolerate_hours", 0) * _HOUR_SECONDS,
    )
