"""What the program is for: a large database under a writing tracker, backed up, verified, restored, compared."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.memory import MemoryWatch
from support.program import Installation, is_running, wait_until
from support.tracker_standin import Writer, check_invariant
from tracker_backup.repository.store import Repository

MIB = 1024**2
MOST_MEMORY = 150 * MIB


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Installation]:
    """Return the program configured for a database that is still to come, and take the large files away afterwards."""
    made = Installation(tmp_path / "host")
    Repository(made.repository).init()
    yield made
    shutil.rmtree(made.directory)


@pytest.mark.guarantee(4, 6)
@pytest.mark.parametrize(
    "mib", [pytest.param(64, id="64-MiB"), pytest.param(1040, id="over-1-GiB", marks=pytest.mark.thorough)]
)
def test_a_large_database_under_a_hundred_writes_a_second(loaded: Installation, mib: int) -> None:
    """The larger one is beyond 1 GiB, where SQLite's lock page lies, which is in no copy and no check."""
    tracker_database(loaded.database, mib)
    loaded.configure(check="full")
    with Writer(loaded.database, rate=100) as writer:
        with loaded.start("--now", "--quiet") as running, MemoryWatch(running) as memory:
            assert running.wait() == 0, running.said()
        report = writer.stop()

    assert report["failed"] == 0, report
    [manifest] = loaded.manifests()
    [artifact] = manifest["artifacts"]
    assert manifest["state"] == "verified"
    assert artifact["engine"]["restarts"] == 0
    assert artifact["write_stall_seconds"] == 0
    assert artifact["raw_bytes"] >= mib * MIB
    assert [(check["check"], check["ok"]) for check in artifact["checks"]] == [("integrity_check", True)]
    assert loaded.left_over() == []
    print(f"{memory.most_bytes / MIB:.0f} MiB of memory, seconds {manifest['seconds']}, writer {report}")
    assert 0 < memory.most_bytes < MOST_MEMORY

    restored = loaded.directory / "restored"
    assert loaded.run("restore", "latest", "--to", str(restored)).returncode == 0
    found = check_invariant(restored / "tracker.sqlite3", integrity=True)
    assert found["ok"], found
    assert 0 < found["counter"] <= report["transactions"]


@pytest.mark.guarantee(4, 6)
@pytest.mark.parametrize(
    "mib", [pytest.param(24, id="24-MiB"), pytest.param(1040, id="over-1-GiB", marks=pytest.mark.thorough)]
)
def test_a_rollback_journal_under_a_hundred_writes_a_second(loaded: Installation, mib: int) -> None:
    """Writers wait as long as the manifest says, and none of them fails."""
    tracker_database(loaded.database, mib, journal_mode="delete")
    loaded.configure(max_write_stall_seconds=30)
    with Writer(loaded.database, rate=100, busy_timeout=60) as writer:
        manifest = loaded.back_up()
        report = writer.stop()

    assert report["failed"] == 0, report
    artifact = manifest["artifacts"][0]
    assert artifact["engine"]["journal_mode"] == "rollback"
    assert 0 < artifact["write_stall_seconds"] < 30
    restored = loaded.directory / "restored"
    assert loaded.run("restore", "latest", "--to", str(restored)).returncode == 0
    assert check_invariant(restored / "tracker.sqlite3", integrity=True)["ok"]


@pytest.mark.guarantee(16)
@pytest.mark.slow
def test_a_killed_run_on_a_large_database_leaves_no_check_and_no_compressor(loaded: Installation) -> None:
    """They would go on for minutes, on a disk that the tracker needs."""
    tracker_database(loaded.database, 1040)
    loaded.configure(check="full", compression_level=12)
    with loaded.start_until_phase("compress tracker", "--now") as running:
        wait_until(lambda: len(running.children()) == 2, running.said, running)
        children = running.children()
        running.signal(signal.SIGKILL)
        running.wait()

    wait_until(lambda: not any(is_running(pid) for pid in children), lambda: f"some of {children} go on")
