"""What becomes of a database that died in the commit of a transaction over two, when a backup takes its place."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from support.cut_off_commit import die_once_committed, die_while_writing, recover, seen_by_sqlite, super_journals
from support.inplace_world import expect_whole, kept, left_over, mark
from support.program import Installation
from support.tracker_standin import build_database, check_invariant
from tracker_backup.inplace import exchange

Files = dict[str, bytes]


def files(directory: Path) -> Files:
    """Return the bytes of all files in a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return a database at the place where its container sees it."""
    (tmp_path / "container").mkdir()
    build_database(tmp_path / "container" / "tracker.db", mib=1, journal_mode="delete")
    return tmp_path / "container" / "tracker.db"


def bring(inside: Path, installation: Installation) -> None:
    """Back up "old", and put "new" in its place, from where its container sees it, with all that it has left."""
    mark(installation.database, "old")
    installation.back_up()
    for path in installation.data.iterdir():
        path.unlink()
    for path in inside.parent.iterdir():
        path.rename(installation.data / path.name)


@pytest.mark.guarantee(4, 9)
def test_one_that_waits_to_be_rolled_back_is_kept_with_all_that_it_takes(
    inside: Path, installation: Installation
) -> None:
    """SQLite on the host would not find the super-journal, and throw the journal of the only original away."""
    mark(inside, "new")
    named = die_while_writing(inside, which="other.db")
    bring(inside, installation)
    before = files(installation.data)

    done = installation.run("restore", "latest", "--in-place", "--yes")

    assert done.returncode == 0, done.stderr
    assert "all of its files are kept" in done.stdout + done.stderr
    assert expect_whole(installation.database) == "old"
    [old] = kept(installation)
    of_it = {"tracker.db", "tracker.db-journal", named.name}
    assert files(old.parent) == {name: data for name, data in before.items() if name in of_it}
    after = files(installation.data)
    assert "tracker.db-journal" not in after
    assert {name: after[name] for name in before.keys() - of_it | {named.name}} == {
        name: before[name] for name in before.keys() - of_it | {named.name}
    }, "the other database needs the super-journal as well"
    assert left_over(installation) == []

    for path in installation.data.glob("other.db*"):
        shutil.copy2(path, inside.parent)
    shutil.copy2(installation.data / named.name, inside.parent)
    recover(inside.with_name("other.db"))
    assert super_journals(inside.parent) == [], "the other one was rolled back, and nobody needed it any more"
    for path in old.parent.iterdir():
        shutil.copy2(path, inside.parent)
    assert seen_by_sqlite(inside) == 0
    assert expect_whole(inside) == "new"


@pytest.mark.guarantee(4, 9)
def test_one_of_which_nothing_can_be_told_is_kept_with_its_journal(inside: Path, installation: Installation) -> None:
    mark(inside, "new")
    die_once_committed(inside)
    bring(inside, installation)
    before = files(installation.data)

    done = installation.run("restore", "latest", "--in-place", "--yes")

    assert done.returncode == 0, done.stderr
    assert expect_whole(installation.database) == "old"
    [old] = kept(installation)
    assert files(old.parent) == {name: before[name] for name in ("tracker.db", "tracker.db-journal")}


@pytest.mark.guarantee(9)
def test_what_a_database_has_left_that_is_gone_comes_back_as_well(tmp_path: Path, inside: Path) -> None:
    named, aside = die_while_writing(inside, which="other.db"), tmp_path / "container" / "aside"
    gone = inside.rename(tmp_path / "elsewhere")
    before = files(inside.parent)

    exchange.set_aside(inside, aside)

    assert set(files(aside)) == {"tracker.db-journal", named.name}
    exchange.take_back(inside, aside)
    assert files(inside.parent) == before
    gone.rename(inside)
    assert seen_by_sqlite(inside) == 0


@pytest.mark.guarantee(9)
def test_a_journal_by_hand_does_not_have_other_files_moved(tmp_path: Path, inside: Path) -> None:
    """It might name one that is kept already, in the directory that the databases of one restore share."""
    new, aside = inside.with_name("new"), tmp_path / "container" / "aside"
    new.write_bytes(b"the new one")
    aside.mkdir()
    (aside / "other.db").write_bytes(b"the only original")
    inside.with_name("other.db").write_bytes(b"the one that took its place")
    name, magic = b"/data/other.db", bytes.fromhex("d9d505f920a163d7")
    numbers = len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big")
    inside.with_name("tracker.db-journal").write_bytes(magic + bytes(504) + bytes(4) + name + numbers + magic)

    exchange.exchange(inside, new, aside)
    exchange.take_back(inside, aside)

    assert files(aside) == {"other.db": b"the only original"}
    assert files(inside.parent)["other.db"] == b"the one that took its place"


def no_second_names(_path: Path, _to: Path) -> None:
    """Be a file system without hard links."""
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.mark.guarantee(9)
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("rolled_back", [False, True])
def test_what_was_exchanged_comes_back_with_its_super_journal(
    tmp_path: Path, inside: Path, monkeypatch: pytest.MonkeyPatch, links: bool, rolled_back: bool
) -> None:
    """Even if the other database was recovered meanwhile, and the super-journal tidied away with that."""
    if not links:
        monkeypatch.setattr(os, "link", no_second_names)
    named, new, aside = (
        die_while_writing(inside, which="other.db"),
        inside.with_name("new"),
        tmp_path / "container" / "aside",
    )
    build_database(new, mib=0.1, journal_mode="delete")
    before = files(inside.parent)

    exchange.exchange(inside, new, aside)

    assert set(files(aside)) == {"tracker.db", "tracker.db-journal", named.name}
    assert check_invariant(inside)["ok"]
    if rolled_back:
        recover(inside.with_name("other.db"))
        assert not named.exists()

    for _ in range(2):
        exchange.take_back(inside, aside)

        after = files(inside.parent)
        assert {name: after[name] for name in (inside.name, "tracker.db-journal", named.name)} == {
            name: before[name] for name in (inside.name, "tracker.db-journal", named.name)
        }
        assert not aside.exists()
    assert seen_by_sqlite(inside) == 0
