"""A host that has had an earlier version for long: the play brings the new one, and everything it has stays of use."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from role.playing import CURRENT, ROOT, Controller, Result, snapshot

pytestmark = pytest.mark.slow

FIXTURE = ROOT / "tests/fixtures/repository-format-1/repository"
REPOSITORY = "var/backups/tracker-backup/default"
NEW_KEYS = {"judged_at", "newest", "next_run", "last_runs"}
"""What version 0.1.0 did not write into status.json."""


@dataclass
class Upgrade:
    """The host, the plays, and what was there in between."""

    host: Path
    old: Result
    new: Result
    before: str
    backups: dict[str, str]
    status: dict[str, Any]


def earlier_checkout(clone: Path, directory: Path) -> Path:
    """Return a checkout whose program is another one: a module that is gone since, one that came since."""
    shutil.copytree(clone, directory, symlinks=True)
    package = directory / "scripts/tracker_backup"
    (package / "gone_since.py").write_text('"""Nobody needs this any more."""\n', encoding="utf-8")
    text = (package / "__init__.py").read_text(encoding="utf-8")
    (package / "__init__.py").write_text(f"{text}# an earlier one\n", encoding="utf-8")
    return directory


def grow_old(host: Path) -> dict[str, str]:
    """Give the host the backups and the status of version 0.1.0; return the backups as they are."""
    repository = host / REPOSITORY
    for backup in FIXTURE.glob("2*"):
        shutil.copytree(backup, repository / backup.name)
        (repository / backup.name).chmod(0o700)
    file = host / "var/lib/tracker-backup/default/status.json"
    status = json.loads(file.read_text(encoding="utf-8"))
    last_run = {"job": "daily", "id": None, "finished_at": "2025-01-07T03:00:00Z", "exit_code": 1, "message": "no room"}
    jobs = [{key: value for key, value in job.items() if key != "last_run"} for job in status["jobs"]]
    old = {key: value for key, value in status.items() if key not in NEW_KEYS}
    file.write_text(json.dumps({**old, "jobs": jobs, "last_run": last_run}), encoding="utf-8")
    return snapshot(repository)


@pytest.fixture(scope="module")
def upgrade(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Upgrade:
    """Return a host after its upgrade."""
    directory = tmp_path_factory.mktemp("upgrade")
    jobs = [{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 9}}]
    controller = Controller(earlier_checkout(clone, directory / "earlier"), directory)
    host = controller.host("one", tracker_backup_first_backup="never", tracker_backup_jobs=jobs)
    old = controller.play()
    assert old.code == 0, old.output
    backups = grow_old(host)
    before = str((host / CURRENT).parent.readlink())
    controller.checkout = clone
    new = controller.play()
    status = json.loads((host / "var/lib/tracker-backup/default/status.json").read_text(encoding="utf-8"))
    return Upgrade(host, old, new, before, backups, status)


def command(upgrade: Upgrade, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher that is on the host."""
    launcher = upgrade.host / "usr/local/bin/tracker-backup"
    return subprocess.run([launcher, *words], capture_output=True, text=True, check=False)


def test_the_new_program_is_in_place_and_the_one_before_is_kept(upgrade: Upgrade) -> None:
    now = str((upgrade.host / CURRENT).parent.readlink())
    versions = [path.name for path in (upgrade.host / CURRENT).parent.parent.iterdir() if not path.is_symlink()]

    assert upgrade.new.code == 0, upgrade.new.output
    assert sorted(versions) == sorted([now, upgrade.before])
    assert not (upgrade.host / CURRENT / "gone_since.py").exists()


def test_every_backup_is_what_it_was_and_of_use(upgrade: Upgrade, tmp_path: Path) -> None:
    now = snapshot(upgrade.host / REPOSITORY)

    assert {name: text for name, text in now.items() if name.startswith("2")} == {
        name: text for name, text in upgrade.backups.items() if name.startswith("2")
    }
    assert command(upgrade, "verify", "--all").returncode == 0
    assert command(upgrade, "restore", "20250105T030000Z-daily", "--to", str(tmp_path / "restored")).returncode == 0


def test_its_status_is_read_and_has_what_is_new(upgrade: Upgrade) -> None:
    assert upgrade.status.keys() >= NEW_KEYS
    assert [run["message"] for run in upgrade.status["last_runs"]] == ["no room"]
    assert upgrade.status["newest"]["id"] == "20250105T030000Z-daily"


def test_the_next_run_goes_on_with_it(upgrade: Upgrade) -> None:
    done = command(upgrade, "--now")

    assert done.returncode in (0, 3), done.stderr  # the fixture's databases were of another size
    listed = json.loads(command(upgrade, "list", "--json").stdout)
    assert [item["sequence"] for item in listed if item["job"] == "daily"][-1] == 9
