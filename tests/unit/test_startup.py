"""Start-up is felt: a short command must not load what it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent.parent / "scripts" / "tracker_backup"
SLOW = {"apprise", "asyncio", "croniter", "crontab", "jsonschema", "prometheus_client", "rich", "sh"}


def loaded(configuration: Path, *command: str) -> set[str]:
    """Run the program and return the names of all top-level modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", PACKAGE, *command],
        env={"PATH": "/usr/bin:/bin", "TRACKER_BACKUP_CONFIG_DIRECTORY": str(configuration)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in lines}
    assert "tracker_backup" in names, done.stderr
    return names


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Return a directory of configurations with one instance whose repository was made by `init`."""
    directory = tmp_path / "etc"
    directory.mkdir()
    (tmp_path / "stack").mkdir()
    paths = {key: tmp_path / key for key in ("stack", "repository", "state_directory", "log_file")}
    lines = [
        *(f"{key}: {path}" for key, path in paths.items()),
        f"schedule: {{target: {tmp_path / 'crontab'}}}",
    ]
    (directory / "default.yml").write_text("\n".join(lines), encoding="utf-8")
    loaded(directory, "init")
    return directory


def test_the_version_is_told_at_once(configuration: Path) -> None:
    """What every command loads before it is known which one: each of these takes as long as all of ours."""
    assert loaded(configuration, "--version") & {"dataclasses", "inspect", "json", "secrets", "subprocess"} == set()


def test_a_look_at_backups_needs_no_secrets(configuration: Path) -> None:
    assert "secrets" not in loaded(configuration, "list")


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        (["--version"], set()),
        (["--help"], set()),
        (["list"], {"jsonschema"}),
        (["list", "--json"], {"jsonschema"}),
        # When the next run is due, and whether the crontab still holds our entries.
        (["status"], {"jsonschema", "croniter", "crontab"}),
        (["status", "--json"], {"jsonschema", "croniter", "crontab"}),
    ],
    ids=lambda words: " ".join(sorted(words) if isinstance(words, set) else words),
)
def test_slow_libraries_are_loaded_where_they_are_needed(
    configuration: Path, command: list[str], allowed: set[str]
) -> None:
    assert loaded(configuration, *command) & SLOW <= allowed
