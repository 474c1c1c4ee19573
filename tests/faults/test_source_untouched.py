"""Sources are read: nothing of a database or of the files beside it is another after a backup than it was before.

What SQLite itself needs to read a database in WAL mode are two files beside it, a -wal and a -shm. Where nobody has it
open they are made, empty but for SQLite's notes, and stay, because to remove them would be to write; they belong to the
owner of the database. Times of access are the mount's business (relatime, noatime) and are not promised.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.program import Installation, sqlite_source
from support.small_disk import needs_root
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(6)
Facts = tuple[object, ...]
JOURNALS = ("delete", "truncate", "persist", "wal")
SIDECARS = {"tracker.db-wal", "tracker.db-shm"}


def facts(directory: Path) -> dict[str, Facts]:
    """Return all that can be known of what is in a directory, but for times of access.

    Run as root, SQLite gives each -wal and -journal that it opens to the owner of the database, whose it is already.
    That is no change of anything but the time of the last change of that kind, which is left out for these.
    """
    found: dict[str, Facts] = {}
    for path in sorted([directory, *directory.rglob("*")]):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        changed = None if path.name.endswith(("-wal", "-journal")) else status.st_ctime_ns
        found[path.relative_to(directory).as_posix()] = (
            status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_size,
            status.st_mtime_ns, changed, content,
            tuple(sorted((name, os.getxattr(path, name)) for name in os.listxattr(path))),
        )  # fmt: skip
    return found


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return the program configured for a database, and for the files of its stack."""
    made = Installation(tmp_path / "host", max_write_stall_seconds=600)
    (made.data / "database").mkdir()
    (made.data / "etc").mkdir()
    (made.data / "etc" / "tracker.toml").write_text("[core]\n")
    (made.data / "etc" / "link").symlink_to("tracker.toml")
    os.link(made.data / "etc" / "tracker.toml", made.data / "etc" / "same.toml")
    (made.data / "docker-compose.yml").write_text("services: {tracker: {image: torrust/tracker}}\n")
    database = made.data / "database" / "tracker.db"
    made.configure(sources=[sqlite_source("tracker", database), {"name": "files", "type": "files"}])
    Repository(made.repository).init()
    return made


def make_database(installation: Installation, journal: str) -> Path:
    """Make the database such that its last user has left it in this journal mode, and closed it well."""
    path = installation.data / "database" / "tracker.db"
    build_database(path, mib=0.5, journal_mode="wal" if journal == "wal" else "delete")
    with OtherProcess(path) as tracker:
        tracker.run(f"PRAGMA journal_mode={journal}", "UPDATE torrents SET completed = 0 WHERE id < 50")
    if os.geteuid() == 0:
        for each in (path.parent, *path.parent.iterdir()):
            os.chown(each, 1000, 1000)
    path.chmod(0o640)
    return path


@pytest.mark.parametrize("journal", JOURNALS)
def test_nothing_is_another_after_a_backup(installation: Installation, journal: str) -> None:
    database = make_database(installation, journal)
    before = facts(installation.data)

    for _ in range(2):
        assert installation.back_up()["state"] == "verified"

    after = facts(installation.data)
    new = {Path(name).name for name in after.keys() - before.keys()}
    assert new == (SIDECARS if journal == "wal" else set())
    if new:
        # To make a file is to change its directory, and that alone.
        assert after["database"][:2] == before["database"][:2]
        owner = database.stat()
        for sidecar in (database.with_name(name) for name in new):
            status = sidecar.stat()
            assert (status.st_uid, status.st_gid, status.st_mode) == (owner.st_uid, owner.st_gid, owner.st_mode)
        assert database.with_name("tracker.db-wal").stat().st_size == 0
    same = before.keys() - ({"database"} if new else set())
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_a_wal_of_somebody_who_crashed_is_read_and_not_brought_over(installation: Installation) -> None:
    """The next user's SQLite may do that; a backup is no user."""
    database = make_database(installation, "wal")
    with OtherProcess(database) as tracker:
        tracker.run("PRAGMA wal_autocheckpoint=0", "UPDATE torrents SET completed = completed + 1")
        tracker.crash()
    before = facts(installation.data)
    assert before["database/tracker.db-wal"][5] != 0

    assert installation.back_up()["state"] == "verified"

    after = facts(installation.data)
    before.pop("database/tracker.db-shm")  # where SQLite notes who reads
    assert {name: after[name] for name in before} == before


def test_a_hot_journal_is_not_rolled_back_in_the_source(installation: Installation) -> None:
    database = make_database(installation, "delete")
    copy = database.with_name("copy.db")
    with OtherProcess(database) as tracker:
        tracker.run(
            "PRAGMA cache_size=1", "PRAGMA cache_spill=1", "BEGIN", "UPDATE torrents SET completed = completed + 1"
        )
        for suffix in ("", "-journal"):
            shutil.copyfile(f"{database}{suffix}", f"{copy}{suffix}")
        tracker.crash()
    for suffix in ("", "-journal"):
        copy.with_name(f"{copy.name}{suffix}").replace(f"{database}{suffix}")
    before = facts(installation.data)

    [artifact, _] = installation.back_up()["artifacts"]

    assert artifact["method"] == "recovered"
    assert facts(installation.data) == before


@contextmanager
def mounted_read_only(directory: Path) -> Iterator[None]:
    """Let a directory be read-only for as long as the block lasts."""
    subprocess.run(["mount", "--bind", str(directory), str(directory)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(directory)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@needs_root
@pytest.mark.parametrize("journal", JOURNALS)
def test_a_stack_that_is_mounted_read_only_is_backed_up(installation: Installation, journal: str) -> None:
    """The kernel sees to it that nothing is written; nothing needs to be."""
    make_database(installation, journal)
    before = facts(installation.data)
    with mounted_read_only(installation.data):
        manifest = installation.back_up()

    assert manifest["state"] == "verified"
    assert facts(installation.data) == before


def test_what_is_refused_or_fails_changes_nothing_either(
    installation: Installation, tally: Callable[[str, int], None]
) -> None:
    """Killed in mid-copy, ended by a signal, or not allowed at all."""
    make_database(installation, "delete")
    before = facts(installation.data)
    for number in (9, 15):
        with installation.start_halting("copy", "--now") as running:
            running.signal(number)
            running.wait()
        assert facts(installation.data) == before
    installation.configure(max_write_stall_seconds=0.0001)
    assert installation.run("--now", "--source", "tracker").returncode == 1
    assert facts(installation.data) == before
    tally("faults survived", 3)
