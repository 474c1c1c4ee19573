"""A disk that fails as it is told to: a FUSE file system of the tests' own, in front of a directory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from support.program import PATIENCE_SECONDS, wait_until

_SERVER = Path(__file__).with_name("failing_filesystem.py")

TAKES_ROOM = ("write", "create", "mkdir", "symlink", "link")
"""What a full disk refuses."""
NEW_NAMES = ("create", "mkdir", "rename", "link", "symlink")
"""What a directory without a free block refuses."""
CHANGES = (
    *TAKES_ROOM, "rename", "unlink", "rmdir", "truncate", "chmod", "chown", "utimens", "open for writing",
)  # fmt: skip
"""What a disk refuses that has become read-only."""


@dataclass(frozen=True)
class Fault:
    """What is to fail; see support/failing_filesystem.py."""

    operations: tuple[str, ...]
    error: str = ""
    at: int = 0
    lasting: bool = False
    name: str = "*"
    offset: int | None = None
    delay: float = 0.0


@dataclass(frozen=True)
class Met:
    """How many operations have matched, and how many have failed."""

    met: int
    struck: int


class FailingDisk:
    """A mounted one: what is below `path` lies in `backing`."""

    def __init__(self, path: Path, backing: Path) -> None:
        """Mount it; both directories must be there."""
        self.path = path
        self.backing = backing
        self._server = subprocess.Popen(
            [sys.executable, str(_SERVER), str(backing), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(
            lambda: os.path.ismount(path) or self._server.poll() is not None,
            lambda: f"{path} is not mounted",
        )
        assert self._server.poll() is None, "FUSE could not be used"

    def order(self, *faults: Fault) -> Met:
        """Let these fail from now on, and nothing else; return what those before have come to."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([asdict(fault) for fault in faults]) + "\n")
        self._server.stdin.flush()
        return Met(**json.loads(self._server.stdout.readline()))

    def close(self) -> None:
        """Unmount it, and end its server: containers that were started meanwhile have the mount as well."""
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.kill()
        self._server.wait(timeout=PATIENCE_SECONDS)
        self._server.stdin.close()
        self._server.stdout.close()


@contextlib.contextmanager
def failing_disk(path: Path) -> Iterator[FailingDisk]:
    """Mount a new directory such that it can be told to fail, for the time of the block."""
    backing = path.with_name(f"{path.name}.backing")
    for directory in (path, backing):
        directory.mkdir(mode=0o700)
    disk = FailingDisk(path, backing)
    try:
        yield disk
    finally:
        disk.close()
