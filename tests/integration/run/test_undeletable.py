"""A file that nobody can delete must not keep backups from being made, and must be heard of."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.program import Installation
from support.small_disk import needs_root

pytestmark = pytest.mark.guarantee(10, 12)


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Keep everybody, root as well, from deleting a file, for a while; the file may be moved meanwhile."""
    subprocess.run(["chattr", "+i", str(path)], check=True)
    try:
        yield
    finally:
        moved = path.parent.with_name(f".condemned-{path.parent.name}") / path.name
        subprocess.run(["chattr", "-i", str(moved if moved.exists() else path)], check=True)


@needs_root
def test_an_old_backup_that_cannot_be_deleted(in_use: Installation) -> None:
    in_use.configure(jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 1}}])
    [old] = in_use.repository.glob("2*")
    with immutable(next(old.glob("*.zst"))):
        first, second = in_use.run("--now"), in_use.run("--now")

        assert (first.returncode, second.returncode) == (3, 3)
        assert "old backups were not deleted" in first.stderr
        assert "cannot clear" in second.stderr
        listed = json.loads(in_use.run("list", "--json").stdout)
        assert [manifest["state"] for manifest in listed] == ["verified"]

    healed = in_use.run("--now")

    assert healed.returncode == 0, healed.stderr
    assert list(in_use.repository.glob(".condemned-*")) == []
