"""The record at the end of a rollback journal, byte for byte as pager.c writes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracker_backup.errors import SourceError
from tracker_backup.sources.sqlite.superjournal import refuse_undecidable, settle, super_journal_of

MAGIC = bytes.fromhex("d9d505f920a163d7")
PAGES = MAGIC + bytes(504) + b"page" * 1033
NAME = "/data/tracker.db-mj96A7EA93B"


def record(name: bytes, *, length: int | None = None, total: int | None = None, magic: bytes = MAGIC) -> bytes:
    """Return what writeSuperJournal appends."""
    signed = sum(byte - 256 if byte > 127 else byte for byte in name) & 0xFFFFFFFF
    numbers = (len(name) if length is None else length, signed if total is None else total)
    return b"\x00\x10\x00\x01" + name + b"".join(number.to_bytes(4, "big") for number in numbers) + magic


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return the place of a journal."""
    return tmp_path / "tracker.db-journal"


@pytest.mark.parametrize("name", [NAME, "/srv/tracker für alle/ä.db-mj000001912"])
def test_the_name_is_read_and_where_its_record_begins(journal: Path, name: str) -> None:
    journal.write_bytes(PAGES + record(name.encode()))

    found = super_journal_of(journal)

    assert found is not None
    assert (found.path, found.record_at) == (Path(name), len(PAGES))
    assert found.beside(journal.with_name("tracker.db")) == journal.with_name(Path(name).name)


def test_a_sum_of_unsigned_characters_is_taken_too(journal: Path) -> None:
    """A journal that was written on ARM, where char is unsigned."""
    name = "/srv/ä.db-mj000001912".encode()
    journal.write_bytes(PAGES + record(name, total=sum(name)))

    assert super_journal_of(journal) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        PAGES,
        bytes(512) + record(NAME.encode()),
        PAGES + record(NAME.encode(), total=1),
        PAGES + record(NAME.encode(), length=0),
        PAGES + record(NAME.encode(), length=10**6),
        PAGES + record(NAME.encode(), magic=bytes(8)),
        PAGES + record(b"/" * 20),
        PAGES + record(b"/a" * 300),
        record(b"x", length=400)[5:],
    ],
    ids=["empty", "short", "none", "not hot", "sum", "no length", "too long", "magic", "no name", "path", "cut off"],
)
def test_what_sqlite_takes_for_none_is_none(journal: Path, data: bytes) -> None:
    journal.write_bytes(data)

    assert super_journal_of(journal) is None
    settle(journal.with_name("tracker.db"), journal)
    assert journal.read_bytes() == data


def test_no_journal_names_none(journal: Path) -> None:
    assert super_journal_of(journal) is None


def test_the_record_is_cut_off_where_the_file_lies_beside_the_database(tmp_path: Path, journal: Path) -> None:
    database = tmp_path / "data" / "tracker.db"
    database.parent.mkdir()
    database.with_name(Path(NAME).name).write_bytes(b"/data/tracker.db-journal\0")
    journal.write_bytes(PAGES + record(NAME.encode()))

    settle(database, journal)

    assert journal.read_bytes() == PAGES


@pytest.mark.parametrize("beside", [None, b""])
def test_an_empty_file_is_none_as_it_is_for_sqlite(tmp_path: Path, journal: Path, beside: bytes | None) -> None:
    data = PAGES + record(os.fsencode(tmp_path / "tracker.db-mj96A7EA93B"))
    journal.write_bytes(data)
    if beside is not None:
        (tmp_path / "tracker.db-mj96A7EA93B").write_bytes(beside)

    settle(tmp_path / "tracker.db", journal)

    assert journal.read_bytes() == data, "committed: SQLite drops it"


@pytest.mark.parametrize("name", ["/no such directory/tracker.db-mj96A7EA93B", "tracker.db-mj96A7EA93B"])
def test_another_directory_tells_nothing(tmp_path: Path, journal: Path, name: str) -> None:
    journal.write_bytes(PAGES + record(name.encode()))

    with pytest.raises(SourceError, match=f"depends on {name}"):
        refuse_undecidable(tmp_path / "tracker.db", journal)


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path, journal: Path) -> None:
    os.mkfifo(journal)

    with pytest.raises(SourceError, match=r"cannot read .*tracker\.db-journal"):
        refuse_undecidable(tmp_path / "tracker.db", journal)
