"""A restore in place on a disk that fills up or breaks at any operation: the database is the old or the new one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support.failing_disk import CHANGES, TAKES_ROOM, FailingDisk, Fault
from support.faults import FULL
from support.inplace_world import expect_whole, kept, left_over, mark
from support.program import Installation
from support.small_disk import needs_root
from support.tracker_standin import build_database

pytestmark = [needs_root, pytest.mark.guarantee(9, 10)]
Tally = Callable[[str, int], None]
RESTORE = ("restore", "--in-place", "--yes")

FAULTS = {
    "full": (TAKES_ROOM, "ENOSPC", True, 3),
    "bad-block": (("write", "create", "rename", "link", "fsync", "fsyncdir", "unlink"), "EIO", False, 4),
    "read-only": (CHANGES, "EROFS", True, 4),
    "not-read": (("read",), "EIO", False, 2),
}
"""Which operations fail, and how; whether all later ones do; how many of them the short form tries."""


@pytest.fixture
def host(tmp_path: Path, disk: FailingDisk) -> Installation:
    """Return an installation whose database, the state of restores and their staging lie on that disk."""
    made = Installation(tmp_path / "host")
    made.data = disk.path / "data"
    made.data.mkdir()
    made.configure(
        stack=str(made.data),
        sources=[{"name": "tracker", "type": "sqlite", "path": str(made.database), "service": "tracker"}],
    )
    assert made.run("init").returncode == 0
    return made


def live(host: Installation, name: str) -> None:
    """Put a database of that name in place, and nothing beside it."""
    for path in host.data.glob("tracker.db*"):
        path.unlink()
    for replaced in kept(host):
        for path in replaced.parent.iterdir():
            path.unlink()
        replaced.parent.rmdir()
    build_database(host.database, mib=0.05)
    mark(host.database, name)


@pytest.mark.parametrize("kind", FAULTS)
def test_the_database_is_the_old_one_or_the_new_one(
    host: Installation, disk: FailingDisk, kind: str, tally: Tally
) -> None:
    operations, error, lasting, short = FAULTS[kind]
    live(host, "one")
    backup = host.back_up()["id"]
    live(host, "two")
    disk.order(Fault(operations))
    assert host.run(*RESTORE, backup).returncode == 0
    number = disk.order().met
    assert number >= short
    instants = range(1, number + 1)
    struck = 0
    for at in instants if FULL else sorted(random.sample(instants, short)):
        live(host, "two")
        disk.order(Fault(operations, error, at=at, lasting=lasting))
        done = host.run(*RESTORE, backup)
        met = disk.order()
        struck += met.struck > 0
        told = f"{kind} at {at}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"

        assert "Traceback" not in done.stderr, told
        assert "internal error" not in done.stderr, told
        assert done.returncode == 0 or done.stderr, told
        at_once = expect_whole(host.database)
        assert host.run("list").returncode == 0
        name = expect_whole(host.database)
        assert at_once in (name, "two"), told
        assert left_over(host) == [], told
        if name == "one":
            assert [expect_whole(replaced) for replaced in kept(host)] == ["two"], told
        else:
            assert done.returncode != 0, told
            assert kept(host) == [], told
    assert struck >= short - 1
    live(host, "two")
    assert host.run(*RESTORE, backup).returncode == 0
    assert expect_whole(host.database) == "one"
    tally("faults survived", struck)
