"""Killed at any instant: the database is the old one or the new one, whole, and no service stays stopped."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import TrackerContainer
from support.inplace_world import OWNER, dress, expect_whole, kept, left_over, mark, two_backups
from support.killing import die
from support.program import Installation, sqlite_source
from support.small_disk import fill, needs_root, small_disk
from support.tracker_standin import build_database

Start = Callable[..., TrackerContainer]
Tally = Callable[[str, int], None]
RESTORE = ("restore", "--in-place", "--yes")


def die_at(installation: Installation, instant: int, *arguments: str) -> bool:
    """Restore in place, to be killed at that instant; return whether there was one."""
    done = die(installation, instant, *RESTORE, *arguments, begin="restore")
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def instants(share: float, generator: random.Random) -> Iterator[int]:
    """Yield one instant after another, or only so many of them."""
    instant = 0
    while True:
        instant += max(1, round(generator.uniform(0.5, 1.5) / share))
        yield instant


def spoil(installation: Installation, kind: str) -> None:
    """Give the live database what a crash may have left it with."""
    live = installation.database
    if kind == "broken":
        live.write_bytes(b"no database at all" * 1000)
        live.with_name("tracker.db-wal").write_bytes(b"nor a wal" * 100)
    elif kind == "missing":
        for path in live.parent.glob("tracker.db*"):
            path.unlink()


def tree_of(directory: Path) -> dict[str, tuple[bytes, int, int, int]]:
    """Return contents, owner, group and mode of all files below a directory, without what restores keep."""
    found = {}
    for path in directory.rglob("*"):
        if "pre-restore-" not in str(path):
            contents = (
                path.readlink().name.encode() if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
            )
            status = path.lstat()
            found[str(path.relative_to(directory))] = (contents, status.st_uid, status.st_gid, status.st_mode)
    return found


def seen(database: Path) -> dict[str, bytes]:
    """Return all files of a database."""
    return {path.name: path.read_bytes() for path in database.parent.glob(f"{database.name}*")}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("whole", marks=pytest.mark.guarantee(9)),
        *(pytest.param(kind, marks=[pytest.mark.thorough, pytest.mark.guarantee(9)]) for kind in ("broken", "missing")),
    ],
)
@pytest.mark.parametrize(
    "share", [pytest.param(0.12, id="some"), pytest.param(1.0, marks=pytest.mark.thorough, id="every-instant")]
)
def test_killed_before_each_change_that_it_makes(
    installation: Installation, kind: str, share: float, tally: Tally
) -> None:
    first, _ = two_backups(installation)
    killed = 0
    for instant in instants(share, random.Random(seed := random.randrange(10**6))):
        for replaced in kept(installation):
            replaced.parent.rename(installation.directory / f"kept-{instant}")
        installation.database.unlink(missing_ok=True)
        build_database(installation.database, mib=0.1)
        mark(installation.database, "two")
        spoil(installation, kind)
        before = seen(installation.database)
        if not die_at(installation, instant, first):
            break
        killed += 1
        noted = left_over(installation) != []  # else it was all done, but for letting go of the lock

        done = installation.run("list")

        assert done.returncode == 0
        assert left_over(installation) == [], f"{instant=} {seed=}"
        after = seen(installation.database)
        if kind == "whole" and expect_whole(installation.database) == "two":
            assert kept(installation) == [], f"{instant=} {seed=}"
        elif kind == "whole" or after != before:
            assert expect_whole(installation.database) == "one", f"{instant=} {seed=}"
            assert "finished the restore" in done.stderr or not noted
        assert "which had died" in done.stderr or after == before or not noted
    tally("instants killed", killed)
    assert killed > 2
    assert expect_whole(installation.database) == "one"


@pytest.mark.guarantee(9)
@pytest.mark.parametrize(
    "share", [pytest.param(0.08, id="some"), pytest.param(1.0, marks=pytest.mark.thorough, id="every-instant")]
)
def test_files_are_all_old_or_all_new_after_a_kill(installation: Installation, share: float, tally: Tally) -> None:
    installation.configure(sources=[{"name": "files", "type": "files"}])
    installation.database.unlink()
    write_files(installation, "old")
    backup = installation.back_up()["id"]
    old = tree_of(installation.data)
    killed = 0
    for instant in instants(share, random.Random(seed := random.randrange(10**6))):
        for path in installation.data.rglob("*"):
            if path.is_file() or path.is_symlink():
                path.unlink()
        write_files(installation, "new")
        shutil.rmtree(installation.data / "only-old", ignore_errors=True)
        new = tree_of(installation.data)
        if not die_at(installation, instant, backup):
            break
        killed += 1

        assert installation.run("list").returncode == 0

        assert left_over(installation) == [], f"{instant=} {seed=}"
        assert list(installation.repository.glob(".staging/*")) == [], f"{instant=} {seed=}"
        found = tree_of(installation.data)
        assert found in (new, {**new, **old}), f"{instant=} {seed=}"
    tally("instants killed", killed)
    assert killed > 2
    assert tree_of(installation.data) == {**new, **old}


def write_files(installation: Installation, name: str) -> None:
    """Write a stack's files, some of which only the old one has."""
    for path in (".env", "etc/tracker.toml", f"only-{name}/here"):
        file = installation.data / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
        file.chmod(0o640 if name == "old" else 0o600)
    (installation.data / "link").symlink_to(name)


@needs_root
@pytest.mark.parametrize(
    "share",
    [
        pytest.param(0.12, marks=pytest.mark.guarantee(9), id="some"),
        pytest.param(1.0, marks=[pytest.mark.thorough, pytest.mark.guarantee(9)], id="every-instant"),
    ],
)
def test_what_leaves_no_old_one_is_carried_on_by_the_next_start(
    installation: Installation, share: float, tally: Tally
) -> None:
    """Before it is deleted the old one is there; from then on the next start brings the new one."""
    with small_disk(installation.directory / "disk", mib=6) as disk:
        live = disk / "tracker.db"
        installation.configure(sources=[sqlite_source("tracker", live)], min_free="1 MiB")
        build_database(live, mib=2)
        mark(live, "one")
        backup = installation.back_up()["id"]
        fill(disk, leave_bytes=2 * 1024**2)
        killed = 0
        for instant in instants(share, random.Random(seed := random.randrange(10**6))):
            mark(live, "two")
            if not die_at(installation, instant, backup, "--discard-current"):
                break
            killed += 1

            assert installation.run("list").returncode == 0

            assert expect_whole(live) in ("one", "two"), f"{instant=} {seed=}"
            assert left_over(installation) == [], f"{instant=} {seed=}"
        tally("instants killed", killed)
        assert killed > 2
        assert expect_whole(live) == "one"


@pytest.mark.guarantee(9)
@pytest.mark.parametrize(
    "times", [pytest.param(3, id="3-times"), pytest.param(15, marks=pytest.mark.thorough, id="15-times")]
)
def test_killed_at_any_time_while_a_tracker_writes(
    installation: Installation, start_container: Start, times: int, tally: Tally
) -> None:
    first, second = two_backups(installation)
    owner = dress(installation.database)
    tracker = start_container()
    names = {"one": second, "two": first}
    generator = random.Random(seed := random.randrange(10**6))
    began = time.monotonic()
    assert installation.run("restore", first, "--in-place", "--yes").returncode == 0
    seconds, live = time.monotonic() - began, "one"
    for _ in range(times):
        with installation.start("restore", names[live], "--in-place", "--yes") as running:
            time.sleep(generator.uniform(0, seconds))
            running.signal(signal.SIGKILL)
            running.wait()

        assert installation.run("list").returncode == 0

        assert tracker.state() == "running", f"seed {seed}"
        tracker.expect_writes()
        tracker.stop_quietly()
        live = expect_whole(installation.database)
        assert live in names, f"seed {seed}"
        assert left_over(installation) == [], f"seed {seed}"
        assert dress(installation.database) == owner
        for replaced in kept(installation):
            expect_whole(replaced)
            replaced.unlink()
        tracker.start_again()
    tally("instants killed", times)
    assert tracker.stop()["failed"] == 0


@pytest.mark.guarantee(9)
def test_the_crontab_s_entry_after_a_boot_finishes_it(installation: Installation) -> None:
    first, _ = two_backups(installation)
    assert die_at(installation, 20, first)
    assert left_over(installation) != []

    done = installation.run("--now", "--if-due", "--wait", "--quiet", "--after-boot")

    assert done.returncode == 0
    assert left_over(installation) == []
    assert expect_whole(installation.database) == "two"
    assert dress(installation.database) == OWNER
    assert "undid the restore of tracker" in installation.log.read_text()


@pytest.mark.guarantee(9)
@needs_root
def test_without_an_engine_what_was_left_is_told_and_stays_noted(installation: Installation) -> None:
    """Every command still does what it is for."""
    first, _ = two_backups(installation)
    assert die_at(installation, 20, first)
    note = installation.directory / "state" / "restoring.json"
    noted = json.loads(note.read_text())
    note.write_text(json.dumps({**noted, "stopped": [{"id": "0123456789ab", "name": "tracker-1", "well": True}]}))
    no_engine = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh")

    done = installation.run("list", wrap=no_engine)

    assert done.returncode == 0
    assert "cannot be cleared up after" in done.stderr
    assert note.exists()

    note.write_text(json.dumps(noted))
    assert "undid the restore of tracker" in installation.run("list").stderr
    assert left_over(installation) == []
    assert expect_whole(installation.database) == "two"
