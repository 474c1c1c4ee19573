"""Nights on a disk that fails, and what must hold after each of them, whatever has failed when."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from support.failing_disk import CHANGES, NEW_NAMES, TAKES_ROOM, FailingDisk, Fault
from support.faults import FULL
from support.program import Installation
from tracker_backup.repository.store import Repository

KEPT = 2
"""Backups that the policy keeps: each night makes one and deletes one."""
FAULTS = {
    "full": (TAKES_ROOM, "ENOSPC", True, 5),
    "over-quota": (TAKES_ROOM, "EDQUOT", True, 3),
    "no-room-for-a-name": (NEW_NAMES, "ENOSPC", False, 3),
    "read-only": (CHANGES, "EROFS", True, 5),
    "bad-block": (("write", "create", "mkdir"), "EIO", False, 3),
    "not-flushed": (("fsync", "fsyncdir"), "EIO", False, 4),
    "not-deleted": (("unlink", "rmdir"), "EIO", False, 3),
    "not-read": (("read", "readdir"), "EIO", False, 5),
}
"""Which operations fail, and how; whether all later ones do; how many of them the short form tries."""
_OWN_NAMES = {".condemned", ".incoming", ".lock", ".quarantine", ".staging", ".tracker-backup"}


@dataclass(frozen=True)
class Night:
    """How a run on a failing disk has ended; `struck` is how many operations have failed."""

    code: int
    said: str
    struck: int
    published: bool


class FailingNights:
    """An installation with its repository on a disk that can be told to fail."""

    def __init__(self, installation: Installation, disk: FailingDisk) -> None:
        """Put the repository there, and make the backups that must survive everything."""
        self.installation = installation
        self.disk = disk
        installation.repository = disk.path / "repository"
        installation.configure(
            repository=str(installation.repository), jobs=[{"name": "daily", "keep": {"last": KEPT}}]
        )
        Repository(installation.repository).init()
        for _ in range(KEPT):
            installation.back_up()

    def strike(self, fault: Fault) -> Night:
        """Run once while the disk fails, and check what must hold; then once while it does not, which must heal."""
        night = self.run(fault)
        if night.code:
            assert str(self.disk.path) in night.said, f"it does not say where: {night}"
            assert "\n  " in night.said.partition("\n  log: ")[0], f"it does not say what to do: {night}"
        if night.struck:
            self.heal()
        return night

    def run(self, *faults: Fault) -> Night:
        """Run once while the disk fails, and check what must hold."""
        before = self.installation.published()
        self.disk.order(*faults)
        done = self.installation.run("--now")
        struck = self.disk.order().struck
        after = self.installation.published()
        told = f"{faults}\nexit {done.returncode}\n{done.stderr}"

        assert "Traceback" not in done.stderr, told
        assert "internal error" not in done.stderr, told
        made = _ids(after) - _ids(before)
        assert len(made) == (1 if done.returncode in (0, 3) else 0), told
        for identifier in made:
            expect_sound(self.installation.repository / identifier)
        # With the new one an old one may go; without it, none.
        assert len(_ids(before) - _ids(after)) <= len(made), told
        assert {path: data for path, data in before.items() if path in after} == {
            path: data for path, data in after.items() if path in before
        }, told
        kept = sorted(_ids(before) & _ids(after))
        assert kept[-1:] == sorted(_ids(before))[-1:], told
        assert all(after.keys() >= {path for path in before if path.startswith(f"{name}/")} for name in kept), told
        assert self.installation.lock_is_free(), told
        return Night(done.returncode, done.stderr, struck, bool(made))

    def heal(self) -> None:
        """Run once on the sound disk: nothing that has failed leaves a trace."""
        done = self.installation.run("--now")
        assert done.returncode == 0, done.stderr
        assert self.installation.left_over() == []
        assert len(self.installation.manifests()) == KEPT
        found = {path.name for path in self.installation.repository.iterdir() if path.name.startswith(".")}
        assert found <= _OWN_NAMES, "something has been left behind"

    def every(self, operations: tuple[str, ...], error: str, *, lasting: bool, short: int) -> Iterator[Fault]:
        """Yield the fault at each of these operations of a run, or at `short` of them."""
        self.disk.order(Fault(operations))
        self.heal()
        number = self.disk.order().met
        assert number >= short, f"there are {number} only"
        instants = range(1, number + 1)
        for at in instants if FULL else sorted(random.sample(instants, short)):
            yield Fault(operations, error, at=at, lasting=lasting)


def expect_sound(directory: Path) -> None:
    """Check that a backup is what its manifest says."""
    manifest = json.loads((directory / "manifest.json").read_bytes())
    assert manifest["artifacts"]
    for artifact in manifest["artifacts"]:
        data = (directory / artifact["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == artifact["sha256"]
        assert artifact["state"] == "verified"


def tiny_database(path: Path) -> None:
    """Make a database of a few pages: a run has few writes then, and each can be tried."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE torrents (hash BLOB, completed INTEGER)")
        connection.executemany("INSERT INTO torrents VALUES (randomblob(20), ?)", [(number,) for number in range(300)])


def _ids(published: dict[str, bytes]) -> set[str]:
    return {path.partition("/")[0] for path in published}
