"""SQLite's own check of a copy, in a process of its own."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from support.copying import verdict_on
from support.databases import tracker_database
from support.program import is_running, tree
from tracker_backup.sources.sqlite.check import SqliteCheck


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a raw copy of a tracker's database in WAL mode: with no sidecars, as a copy is."""
    path = tmp_path / "copies" / "tracker.sqlite3"
    path.parent.mkdir()
    return tracker_database(path, 1)


@pytest.mark.parametrize(("full", "name"), [(True, "integrity_check"), (False, "quick_check")])
def test_a_sound_copy_is_ok_and_gets_no_sidecars(copy: Path, full: bool, name: str) -> None:
    before = tree(copy.parent)

    found = verdict_on(copy, full=full)

    assert (found.check, found.ok, found.messages) == (name, True, ("ok",))
    assert found.facts["tables"] == ["keys", "torrent_aggregate_metrics", "torrents", "whitelist"]
    assert tree(copy.parent) == before


@pytest.mark.guarantee(4)
def test_garbage_in_pages_is_damage(copy: Path) -> None:
    with copy.open("r+b") as file:
        file.seek(4096 * 50)
        file.write(os.urandom(4096 * 3))

    found = verdict_on(copy, full=False)

    assert found.ok is False
    assert 0 < len(found.messages) <= 20


@pytest.mark.guarantee(4)
def test_a_flipped_byte_in_an_index_is_seen_by_the_full_check(copy: Path) -> None:
    """The quick check passes over it: that is why `verified` says which check it was."""
    data = bytearray(copy.read_bytes())
    data[first_hash_in_an_index(bytes(data))] ^= 0x01
    copy.write_bytes(data)

    assert verdict_on(copy, full=False).ok is True
    found = verdict_on(copy, full=True)

    assert found.ok is False
    assert any("torrents" in message for message in found.messages)


def first_hash_in_an_index(data: bytes) -> int:
    """Return where, on a leaf page of an index, a hash begins (https://www.sqlite.org/fileformat2.html, 1.6)."""
    for start in range(4096, len(data), 4096):
        if data[start] == 10 and int.from_bytes(data[start + 3 : start + 5], "big") > 10:
            cell = start + int.from_bytes(data[start + 8 : start + 10], "big")
            return cell + 10
    raise AssertionError("there is no filled index in this file")


@pytest.mark.guarantee(4)
@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", os.urandom(5000), b"text\n" * 999])
def test_what_is_no_database_is_never_ok(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "copy"
    path.write_bytes(content)

    assert verdict_on(path).ok is not True


def test_a_missing_copy_is_damage_not_a_new_database(tmp_path: Path) -> None:
    assert verdict_on(tmp_path / "copy").ok is False
    assert not (tmp_path / "copy").exists()


@pytest.mark.guarantee(4)
@pytest.mark.parametrize("number", [signal.SIGBUS, signal.SIGKILL, signal.SIGSEGV])
def test_a_check_that_dies_is_a_check_that_failed(copy: Path, number: signal.Signals) -> None:
    check = SqliteCheck(copy, full=True, low_priority=False)
    pid = check._child._process.pid
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)

    found = check.result()

    assert found.ok is False
    assert found.messages[0].startswith(f"the check was killed by {number.name}")


@pytest.mark.guarantee(4)
def test_a_copy_that_shrinks_under_the_check_fails_it(copy: Path) -> None:
    """The file is mapped into memory, so this may be a SIGBUS: it must not reach the program itself."""
    os.truncate(copy, copy.stat().st_size // 2)

    assert verdict_on(copy).ok is False


def test_an_abandoned_check_is_gone(copy: Path) -> None:
    check = SqliteCheck(copy, full=True, low_priority=True)
    pid = check._child._process.pid

    check.abandon()

    assert not is_running(pid)


@pytest.mark.guarantee(16)
def test_a_check_whose_program_is_gone_ends_by_itself(copy: Path) -> None:
    """The pipe to the program is its lifeline: `kill -9` of the program must not leave it at work for an hour."""
    check = SqliteCheck(copy, full=True, low_priority=False)
    process = check._child._process
    os.kill(process.pid, signal.SIGSTOP)
    check._child.stdin.close()
    os.kill(process.pid, signal.SIGCONT)

    with suppress(BrokenPipeError):
        assert process.wait(timeout=60) in (0, 1)
    check.abandon()
