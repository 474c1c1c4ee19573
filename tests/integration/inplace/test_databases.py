"""Which databases are put back in place, and what becomes of the old ones; nobody uses them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from support.inplace_world import OWNER, back_up_and_go_on, dress, expect_whole, kept, left_over, mark
from support.program import Installation, sqlite_source
from support.small_disk import fill, needs_root, small_disk
from support.stack_world import access_list
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository


def restore(installation: Installation, *options: str, backup: str = "latest") -> subprocess.CompletedProcess[str]:
    """Put a backup back in place."""
    return installation.run("restore", backup, "--in-place", "--yes", *options)


def test_without_a_terminal_and_without_yes_it_is_shown_and_nothing_happens(installation: Installation) -> None:
    back_up_and_go_on(installation)

    done = installation.run("restore", "latest", "--in-place")

    assert done.returncode == 2
    assert "last written" in done.stdout
    assert "pre-restore-" in done.stdout
    assert "--yes" in done.stderr
    assert expect_whole(installation.database) == "new"
    assert kept(installation) == []
    assert left_over(installation) == []


@pytest.mark.parametrize(("answer", "name", "code"), [("y\n", "old", 0), ("\n", "new", 1)])
def test_on_a_terminal_it_asks(installation: Installation, answer: str, name: str, code: int) -> None:
    back_up_and_go_on(installation)
    asked = ["script", "--quiet", "--return", "--command"]
    command = " ".join(installation.command("restore", "latest", "--in-place"))

    done = subprocess.run(
        [*asked, command, "/dev/null"],
        input=answer,
        env=installation.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Go on? [y/N]" in done.stdout
    assert done.returncode == code, done.stdout
    assert expect_whole(installation.database) == name
    assert left_over(installation) == []


@pytest.mark.guarantee(9)
def test_the_newest_rows_that_lie_beside_the_old_one_are_kept_with_it(installation: Installation) -> None:
    """A -wal that is left there would ruin the new one, and one that is cleared away would lose commits of the old."""
    back_up_and_go_on(installation)
    script = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_autocheckpoint=0');"
    script += "c.execute('CREATE TABLE late (x)'); c.execute('INSERT INTO late VALUES (7)'); c.commit(); os._exit(0)"
    subprocess.run(["python3", "-c", script, str(installation.database)], check=True)
    assert installation.database.with_name("tracker.db-wal").stat().st_size > 0

    assert restore(installation).returncode == 0

    assert expect_whole(installation.database) == "old"
    [old] = kept(installation)
    assert [path.name for path in old.parent.iterdir()] == ["tracker.db"]
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT x FROM late").fetchall() == [(7,)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",), "as it was"


@pytest.mark.guarantee(9)
def test_a_hot_journal_is_rolled_back_into_the_old_one(installation: Installation) -> None:
    installation.database.unlink()
    build_database(installation.database, mib=1, journal_mode="delete")
    back_up_and_go_on(installation)
    script = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA cache_size=2');"
    script += "c.execute('UPDATE torrents SET completed = completed + 5'); os._exit(0)"
    subprocess.run(["python3", "-c", script, str(installation.database)], check=True)
    assert installation.database.with_name("tracker.db-journal").exists()

    assert restore(installation).returncode == 0

    assert expect_whole(installation.database) == "old"
    assert [path.name for path in installation.data.glob("tracker.db*")] == ["tracker.db"]
    assert expect_whole(kept(installation)[0]) == "new"


@pytest.mark.guarantee(9)
def test_one_that_is_no_database_any_more_is_kept_with_all_of_its_files(installation: Installation) -> None:
    back_up_and_go_on(installation)
    broken = {"tracker.db": b"x" * 5000, "tracker.db-wal": b"y" * 5000, "tracker.db-shm": b"z"}
    for name, contents in broken.items():
        (installation.data / name).write_bytes(contents)

    done = restore(installation)

    assert done.returncode == 0, done.stderr
    assert [path.name for path in installation.data.glob("tracker.db*")] == ["tracker.db"]
    assert expect_whole(installation.database) == "old"
    assert {path.name: path.read_bytes() for path in kept(installation)[0].parent.iterdir()} == broken


def test_what_is_behind_a_link_is_replaced_and_the_link_stays(installation: Installation) -> None:
    place = installation.directory / "disk" / "real.db"
    place.parent.mkdir()
    installation.database.rename(place)
    installation.database.symlink_to(place)
    back_up_and_go_on(installation)

    assert restore(installation).returncode == 0

    assert installation.database.is_symlink()
    assert expect_whole(place) == "old"
    assert dress(place) == OWNER
    assert len(list(place.parent.glob("pre-restore-*/real.db"))) == 1


@needs_root
def test_owner_group_mode_and_attributes_are_those_of_the_old_one(installation: Installation) -> None:
    back_up_and_go_on(installation)
    os.chown(installation.database, 1234, 4321)
    installation.database.chmod(0o664)
    os.setxattr(installation.database, "system.posix_acl_access", access_list(4242))
    before = os.getxattr(installation.database, "system.posix_acl_access")
    os.setxattr(installation.database, "user.note", b"mine")

    assert restore(installation).returncode == 0

    status = installation.database.stat()
    assert (status.st_uid, status.st_gid) == (1234, 4321)
    assert os.getxattr(installation.database, "system.posix_acl_access") == before
    assert os.getxattr(installation.database, "user.note") == b"mine"


def test_what_is_not_there_is_put_there_as_it_was(installation: Installation) -> None:
    mark(installation.database, "old")
    manifest = installation.back_up()
    owner = manifest["artifacts"][0]["engine"]["owner"]
    assert (owner["uid"], owner["gid"], owner["mode"]) == OWNER
    shutil.rmtree(installation.data)

    done = restore(installation)

    assert done.returncode == 0, done.stderr
    assert expect_whole(installation.database) == "old"
    assert dress(installation.database) == OWNER
    assert kept(installation) == []


@needs_root
def test_on_a_bare_host_a_backup_s_directory_is_enough(installation: Installation) -> None:
    mark(installation.database, "old")
    copied = installation.directory / "carried" / installation.back_up()["id"]
    shutil.copytree(installation.repository / copied.name, copied)
    for gone in (installation.data, installation.repository, installation.config_directory):
        shutil.rmtree(gone)
    private = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /var/lib && exec "$@"', "sh")

    done = installation.run("restore", str(copied), "--in-place", "--yes", wrap=private)

    assert done.returncode == 0, done.stderr
    assert expect_whole(installation.database) == "old"
    assert dress(installation.database) == OWNER


def test_a_backup_of_another_place_goes_where_the_stack_is_now(installation: Installation) -> None:
    back_up_and_go_on(installation)
    moved = installation.directory / "elsewhere"
    installation.data.rename(moved)
    installation.configure(stack=str(moved), sources=[sqlite_source("tracker", moved / "tracker.db")])

    assert restore(installation).returncode == 0

    assert expect_whole(moved / "tracker.db") == "old"
    assert not installation.data.exists()


@pytest.mark.guarantee(4, 9)
def test_a_damaged_artifact_is_refused_before_anything_is_touched(installation: Installation) -> None:
    back_up_and_go_on(installation)
    [packed] = installation.repository.glob("2*/tracker.sqlite3.zst")
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 1
    packed.write_bytes(data)

    assert restore(installation).returncode == 5

    assert expect_whole(installation.database) == "new"
    assert left_over(installation) == []


@needs_root
def test_without_room_the_missing_bytes_are_told_and_there_is_a_way_out(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "host", min_free="1 MiB")
    build_database(installation.database, mib=1)
    Repository(installation.repository).init()
    with small_disk(tmp_path / "disk", mib=8) as disk:
        live = disk / "tracker.db"
        build_database(live, mib=4)
        mark(live, "old")
        installation.configure(sources=[sqlite_source("tracker", live)])
        backup = installation.back_up()["id"]
        mark(live, "new")
        filler = fill(disk, leave_bytes=2 * 1024**2)

        done = restore(installation)
        assert done.returncode == 1
        assert "missing" in done.stderr
        assert "--discard-current" in done.stderr
        assert expect_whole(live) == "new"

        done = restore(installation, "--discard-current")
        assert done.returncode == 0, done.stderr
        assert "there is no way back" in done.stdout
        assert sorted(path.name for path in disk.iterdir()) == [filler.name, "tracker.db"]
        assert expect_whole(live) == "old"
        assert backup in installation.log.read_text()


def test_with_room_discarding_means_after_all_is_well(installation: Installation) -> None:
    back_up_and_go_on(installation)

    done = restore(installation, "--discard-current")

    assert done.returncode == 0, done.stderr
    assert expect_whole(installation.database) == "old"
    assert list(installation.data.glob("pre-restore-*")) == []


@pytest.mark.guarantee(2, 9)
def test_a_backup_under_way_keeps_it_out(installation: Installation) -> None:
    back_up_and_go_on(installation)
    with installation.start_halting("compress", "--now"):
        done = restore(installation)

    assert done.returncode == 4
    assert expect_whole(installation.database) == "new"


def test_the_next_backup_and_the_status_take_it_as_it_is(installation: Installation) -> None:
    installation.run("schedule", "apply")
    back_up_and_go_on(installation)
    installation.back_up()

    assert restore(installation, backup=installation.manifests()[0]["id"]).returncode == 0

    assert installation.back_up()["state"] == "verified"
    assert installation.run("status").returncode == 0


def test_a_source_that_is_no_more_is_refused(installation: Installation) -> None:
    back_up_and_go_on(installation)
    installation.configure(sources=[sqlite_source("other", installation.database)])

    done = restore(installation)

    assert done.returncode == 2
    assert "no source tracker any more" in done.stderr
    assert left_over(installation) == []
