"""Two database files change places; cut off at any call, the old one can be put back as it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tracker_backup.inplace.exchange import exchange, put_new, take_back

OLD = {"tracker.db": b"old", "tracker.db-wal": b"old wal", "tracker.db-shm": b"old shm"}


class CutOffError(BaseException):
    """The process dies here."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with a database that needs its -wal, and a new one beside it."""
    for name, contents in OLD.items():
        (tmp_path / name).write_bytes(contents)
    (tmp_path / ".new").write_bytes(b"new")
    return tmp_path


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def cut_off_at(monkeypatch: pytest.MonkeyPatch, number: int) -> Callable[[], int]:
    """Let the process die before its n-th change; return what tells how many changes it came to."""
    met = 0

    def watched(name: str) -> None:
        change = getattr(os, name)

        def once(*arguments: object, **more: object) -> object:
            nonlocal met
            met += 1
            if met == number:
                raise CutOffError
            return change(*arguments, **more)

        monkeypatch.setattr(os, name, once)

    for name in ("link", "rename", "unlink", "mkdir", "rmdir", "fsync"):
        watched(name)
    return lambda: met


def exchange_here(place: Path) -> None:
    exchange(place / "tracker.db", place / ".new", place / "kept")


def test_the_new_one_is_alone_and_the_old_one_is_kept_with_all_that_belongs_to_it(place: Path) -> None:
    exchange_here(place)

    assert files(place) == {"tracker.db": b"new"}
    assert files(place / "kept") == OLD
    assert (place / "kept").stat().st_mode & 0o777 == 0o700


@pytest.mark.guarantee(9)
@pytest.mark.parametrize("links", [True, False])
def test_cut_off_before_any_change_it_can_be_taken_back(
    place: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    for number in range(1, 30):
        with monkeypatch.context() as patch:
            if not links:
                patch.setattr(os, "link", _no_links)
            reached = cut_off_at(patch, number)
            try:
                exchange_here(place)
            except CutOffError:
                assert (place / "tracker.db").exists() or not links, "there is one at any instant"
            else:
                assert reached() < number
        take_back(place / "tracker.db", place / "kept")
        (place / ".new").write_bytes(b"new")
        assert files(place) == {**OLD, ".new": b"new"}, number
        assert not (place / "kept").exists()


@pytest.mark.guarantee(9)
def test_taking_back_can_be_cut_off_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 30):
        exchange_here(place)
        (place / "tracker.db-wal").write_bytes(b"of the new one, which was at work")
        with monkeypatch.context() as patch:
            cut_off_at(patch, number)
            with contextlib.suppress(CutOffError):
                take_back(place / "tracker.db", place / "kept")
        take_back(place / "tracker.db", place / "kept")
        assert files(place) == OLD, number
        (place / ".new").write_bytes(b"new")


def test_where_nothing_was_exchanged_nothing_is_taken_back(place: Path) -> None:
    take_back(place / "tracker.db", place / "kept")

    assert files(place) == {**OLD, ".new": b"new"}


def test_a_file_that_has_come_up_meanwhile_is_not_replaced(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileExistsError):
        put_new(place / ".new", place / "tracker.db")
    monkeypatch.setattr(os, "link", _no_links)
    with pytest.raises(FileExistsError):
        put_new(place / ".new", place / "tracker.db")

    put_new(place / ".new", place / "other.db")

    assert (place / "other.db").read_bytes() == b"new"
    assert files(place).keys() == {*OLD, "other.db"}


def _no_links(*_: object, **__: object) -> None:
    raise PermissionError(1, "a file system without links")
