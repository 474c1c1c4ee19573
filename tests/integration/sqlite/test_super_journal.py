"""What a crash in the commit of a transaction over two databases leaves is recovered as its tracker would, or refused.

The tracker of these tests saw its databases in another directory, as one in a container does.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.copying import copy_of, verdict_on
from support.cut_off_commit import die_once_committed, die_while_writing, recover, seen_by_sqlite, super_journals
from support.program import Installation, tree
from support.tracker_standin import build_database, check_invariant
from tracker_backup.errors import SourceError
from tracker_backup.repository.store import Repository
from tracker_backup.sources.interface import Snapshot
from tracker_backup.sources.sqlite import recovery, superjournal


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return the tracker's database at the place where its container sees it."""
    (tmp_path / "container").mkdir()
    build_database(tmp_path / "container" / "tracker.db", mib=1, journal_mode="delete")
    return tmp_path / "container" / "tracker.db"


def on_the_host(inside: Path) -> Path:
    """Take the directory where the container sees it away, and return the database in the one that the host sees."""
    data = inside.parent.with_name("data")
    inside.parent.rename(data)
    return data / inside.name


def assert_as_it_was(snapshot: Snapshot, completed: int) -> None:
    """See to it that a copy is whole and has so many completed torrents."""
    assert snapshot.method == "recovered"
    assert verdict_on(snapshot.path).ok is True
    assert [entry.name for entry in snapshot.path.parent.iterdir()] == [snapshot.path.name]
    found = check_invariant(snapshot.path, integrity=True)
    assert (found["ok"], found["completed"]) == (True, completed)


@pytest.mark.guarantee(4, 6)
@pytest.mark.parametrize("mode", ["DELETE", "PERSIST", "TRUNCATE"])
@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
def test_half_a_transaction_over_two_databases_is_rolled_back_in_the_copy(
    tmp_path: Path, inside: Path, mode: str, synchronous: str
) -> None:
    """SQLite on the host does not find the super-journal, and would take the half for the whole."""
    more = [f"PRAGMA {schema}.{what}" for schema in ("main", "other") for what in
            (f"journal_mode={mode}", f"synchronous={synchronous}")]  # fmt: skip
    die_while_writing(inside, *more)
    path = on_the_host(inside)
    before = tree(path.parent)

    assert_as_it_was(copy_of(path, tmp_path), 0)
    assert tree(path.parent) == before

    spoilt = shutil.copytree(path.parent, tmp_path / "spoilt") / path.name
    seen_by_sqlite(spoilt)
    assert check_invariant(spoilt)["ok"] is False, "otherwise this test would prove nothing"


@pytest.mark.guarantee(4, 6)
def test_the_attached_one_is_rolled_back_as_well(tmp_path: Path, inside: Path) -> None:
    """The super-journal has the name of the other database."""
    named = die_while_writing(inside, which="other.db")
    path = on_the_host(inside).with_name("other.db")
    before = tree(path.parent)

    snapshot = copy_of(path, tmp_path)

    assert named.name.startswith("tracker.db-mj")
    assert snapshot.method == "recovered"
    assert verdict_on(snapshot.path).ok is True
    with closing(sqlite3.connect(snapshot.path)) as connection:
        assert connection.execute("SELECT DISTINCT seen FROM peers").fetchall() == [(0,)]
    assert tree(path.parent) == before


@pytest.mark.guarantee(4, 6)
def test_one_that_was_written_while_the_other_was_not_is_rolled_back(tmp_path: Path, inside: Path) -> None:
    """Both were promised together, and the other one can only be as it was."""
    die_while_writing(inside, which="other.db")
    path = on_the_host(inside)

    assert_as_it_was(copy_of(path, tmp_path), 0)


@pytest.mark.guarantee(4, 6)
def test_where_the_writer_saw_what_the_host_sees_it_is_rolled_back_and_nothing_is_touched(
    tmp_path: Path, inside: Path
) -> None:
    """SQLite would tidy the super-journal away after it."""
    die_while_writing(inside)
    before = tree(inside.parent)

    assert_as_it_was(copy_of(inside, tmp_path), 0)
    assert tree(inside.parent) == before
    assert seen_by_sqlite(inside) == 0


@pytest.mark.guarantee(4)
def test_without_its_super_journal_at_the_same_place_it_was_committed(tmp_path: Path, inside: Path) -> None:
    die_once_committed(inside)
    before = tree(inside.parent)

    snapshot = copy_of(inside, tmp_path)

    rows = check_invariant(snapshot.path)["rows"]
    assert_as_it_was(snapshot, rows)
    assert tree(inside.parent) == before
    assert seen_by_sqlite(inside) == rows


@pytest.mark.guarantee(4)
def test_without_its_super_journal_at_another_place_it_cannot_be_told(tmp_path: Path, inside: Path) -> None:
    """It may have been committed, or the super-journal may lie where the host does not see it."""
    die_once_committed(inside)
    path = on_the_host(inside)
    before = tree(path.parent)

    with pytest.raises(
        SourceError, match=r"Whether that was committed depends on .*/container/tracker\.db-mj"
    ) as raised:
        copy_of(path, tmp_path)

    assert "start the tracker once" in str(raised.value.hint)
    assert tree(path.parent) == before


@pytest.mark.guarantee(4)
def test_a_backup_and_the_doctor_refuse_what_cannot_be_told(tmp_path: Path, inside: Path) -> None:
    die_once_committed(inside)
    path = on_the_host(inside)
    installation = Installation(tmp_path)
    Repository(installation.repository).init()
    assert installation.database == path

    done = installation.run("--now")

    assert done.returncode != 0
    assert "start the tracker once" in done.stdout + done.stderr
    assert installation.manifests() == []
    assert "transaction over several databases" in installation.run("doctor").stdout


@pytest.mark.guarantee(4)
def test_a_super_journal_that_goes_while_the_copy_is_made_is_noticed(
    tmp_path: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracker starts, rolls everything back and tidies up: nothing may be decided by what it has left."""
    die_while_writing(inside, which="other.db")
    settle = recovery.settle

    def act(database: Path, copy: Path) -> None:
        recover(inside.with_name("other.db"))
        recover(inside)
        assert super_journals(inside.parent) == []
        settle(database, copy)

    monkeypatch.setattr(recovery, "settle", act)

    with pytest.raises(SourceError, match="it is in use after all"):
        copy_of(inside, tmp_path)


def test_a_disk_that_fails_is_not_taken_for_a_commit(
    tmp_path: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_while_writing(inside)
    found = superjournal.super_journal_of(inside.with_name("tracker.db-journal"))
    assert found is not None

    def failing(_path: Path) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "stat", failing)

    with pytest.raises(SourceError, match=r"cannot look at .*: Input/output error"):
        superjournal.has_to_be_rolled_back(inside, found)
