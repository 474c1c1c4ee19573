"""A disk that fails at the n-th operation under the files of a stack and under a dump, for every n of a small run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.database_servers import running
from support.failing_disk import failing_disk
from support.failing_nights import FAULTS, FailingNights, tiny_database
from support.mysql_program import small_schema
from support.program import Installation
from support.small_disk import needs_root

pytestmark = [needs_root, pytest.mark.guarantee(1, 5, 10)]
Tally = Callable[[str, int], None]


@pytest.mark.parametrize("kind", ["full", "bad-block", "not-flushed"])
def test_files(tmp_path: Path, kind: str, tally: Tally) -> None:
    """The files of a stack go through tar, which says in its own way what a disk has refused."""
    with failing_disk(tmp_path / "disk") as disk:
        installation = Installation(tmp_path / "host")
        (installation.data / "compose.yaml").write_text("services: {}\n", encoding="utf-8")
        (installation.data / "tracker.toml").write_text("# nothing\n", encoding="utf-8")
        tiny_database(installation.data / "grafana.db")
        installation.configure(sources=[{"name": "files", "type": "files"}])
        tally("faults survived", survive(FailingNights(installation, disk), kind))


@pytest.mark.parametrize("kind", ["full", "bad-block", "not-flushed"])
def test_a_dump(tmp_path: Path, kind: str, tally: Tally) -> None:
    """What the server's client writes goes through a pipe: it is the program that meets the disk."""
    with running("mariadb-11.8", tmp_path / "server") as server, failing_disk(tmp_path / "disk") as disk:
        installation = small_schema(server, tmp_path / "host", "tracker")
        tally("faults survived", survive(FailingNights(installation, disk), kind))


def survive(nights: FailingNights, kind: str) -> int:
    """Let the disk fail in one way, at two of the operations in the short form; return at how many it did."""
    operations, error, lasting, _ = FAULTS[kind]
    faults = nights.every(operations, error, lasting=lasting, short=2)
    survived = sum(nights.strike(fault).struck > 0 for fault in faults)
    assert survived
    return survived
