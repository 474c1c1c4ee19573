"""What root is needed for, as docs/threat-model.md has it: the program with these capabilities and no other."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from support.program import Installation
from support.small_disk import needs_root
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

pytestmark = [needs_root, pytest.mark.guarantee(18)]

TRACKER = 1000


def with_capabilities(*names: str) -> tuple[str, ...]:
    """Return words that start a program which can have those capabilities, and no other."""
    return ("setpriv", "--inh-caps=-all", f"--bounding-set=-all{''.join(f',+{name}' for name in names)}")


@pytest.fixture
def host(tmp_path: Path) -> Installation:
    """Return an installation whose stack belongs to the tracker's user, and is closed to others."""
    made = Installation(tmp_path / "host")
    made.configure(sources=[*made.settings["sources"], {"name": "files", "type": "files"}])
    build_database(made.database, mib=0.05, journal_mode="wal")
    (made.data / "compose.yaml").write_text("services: {}\n")
    (made.data / "key").write_text("a key\n")
    (made.data / "key").chmod(0o600)
    for path in (made.data, *made.data.iterdir()):
        os.chown(path, TRACKER, TRACKER)
    made.data.chmod(0o700)
    Repository(made.repository).init()
    return made


def test_a_backup_of_a_tracker_at_work_needs_to_read_and_nothing_else(host: Installation) -> None:
    with OtherProcess(host.database) as tracker:
        tracker.run("UPDATE torrents SET completed = 0 WHERE id = 1")
        for path in host.data.iterdir():
            os.chown(path, TRACKER, TRACKER)

        without = host.run("--now", wrap=with_capabilities())
        done = host.run("--now", wrap=with_capabilities("dac_read_search"))

    assert without.returncode == 1
    assert done.returncode == 0, done.stderr
    assert host.manifests()[-1]["state"] == "verified"


def test_a_restore_needs_to_write_to_own_and_to_give_away(host: Installation, tmp_path: Path) -> None:
    host.back_up()
    needed = with_capabilities("dac_override", "chown", "fowner", "fsetid")

    aside = host.run("restore", "latest", "--to", str(tmp_path / "restored"), wrap=needed)
    in_place = host.run("restore", "latest", "--in-place", "--yes", wrap=needed)

    assert (aside.returncode, in_place.returncode) == (0, 0), aside.stderr + in_place.stderr
    for key in (host.data / "key", tmp_path / "restored" / "files" / str(host.data / "key").lstrip("/")):
        assert (key.stat().st_uid, stat.S_IMODE(key.stat().st_mode)) == (TRACKER, 0o600)
