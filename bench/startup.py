"""What short commands cost, and the smallest whole run."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.measure import children_seconds
from bench.settings import Settings
from support.program import Installation
from support.tracker_standin import build_database

BACKUPS = 200
_TIMES = 5
_ANSWERS = (0, 1, 2)  # of `status`: OK, WARNING, CRITICAL


def runs(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the runs of `--version`, `status` on 200 backups and a whole run on a database of 1 MiB."""
    directory = settings.directory / "startup"
    shutil.rmtree(directory, ignore_errors=True)  # of a benchmark that was killed; what stays fails the next line
    directory.mkdir(parents=True)
    try:
        few, many = Installation(directory / "few"), Installation(directory / "many")
        for installation in (few, many):
            build_database(installation.database, mib=1)
            installation.run("init")
        few.back_up()
        multiply(many, BACKUPS)
        for number in range(1, _TIMES + 1):
            for installation, name, argument in (
                (few, "--version", "--version"),
                (many, f"status on {BACKUPS} backups", "status"),
                (few, "whole run on 1 MiB", "--now"),
            ):
                run = _run(installation.command(argument), installation.environment())
                # What `status` thinks of a crontab that holds nothing is no failure.
                good = _ANSWERS if argument == "status" else (0,)
                outcome = "ok" if run.pop("code") in good else "failed"
                yield {"kind": "startup", "contender": name, "round": number, "outcome": outcome, **run}
    finally:
        shutil.rmtree(directory)


def multiply(installation: Installation, number: int) -> None:
    """Make a backup, and of it so many with a day between them, the newest of now."""
    manifest = installation.back_up("--job", "daily")
    original = installation.repository / manifest["id"]
    newest = datetime.strptime(manifest["started_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    for days in range(1, number):
        began = newest - timedelta(days=days)
        identifier = f"{began:%Y%m%dT%H%M%SZ}-daily"
        at = f"{began:%Y-%m-%dT%H:%M:%SZ}"
        directory = installation.repository / identifier
        directory.mkdir(mode=0o700)
        for file in original.iterdir():
            if file.name != "manifest.json":
                (directory / file.name).hardlink_to(file)
        again = {**manifest, "id": identifier, "started_at": at, "finished_at": at}
        del again["seal"]  # of the original
        again["artifacts"] = [{**artifact, "snapshot_at": at} for artifact in manifest["artifacts"]]
        (directory / "manifest.json").write_text(json.dumps(again), encoding="utf-8")
        (directory / "manifest.json").chmod(0o600)


def _run(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    used, began = children_seconds(), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return {
        "code": done.returncode,
        "said": "" if done.returncode == 0 else (done.stderr + done.stdout)[-300:],
        "seconds": round(time.monotonic() - began, 3),
        "cpu_seconds": round(children_seconds() - used, 3),
    }
