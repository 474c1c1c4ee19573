"""Files that are written, shrunk, replaced or removed while they are read."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.stack_world import make_users, users_in
from support.taking import check_of, context_in, files_of, unpacked
from tracker_backup.errors import DeadlineError, SourceError
from tracker_backup.sources.files import archive
from tracker_backup.sources.files.driver import FilesDriver

DRIVER = FilesDriver()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    made = tmp_path / "stack"
    made.mkdir()
    for name in ("a", "b", "c"):
        (made / name).write_text(f"first {name}")
    return made


class Once:
    """Does something the first time that progress is told."""

    def __init__(self, what: Callable[[], object]) -> None:
        self._what = what
        self.done = False

    def __call__(self, _done: int, _total: int) -> None:
        if not self.done:
            self.done = True
            self._what()


@pytest.fixture
def restless(stack: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that changes in each attempt to archive it."""
    path, length = stack / "c", itertools.count(100)

    def meanwhile(attempt: Callable[..., object]) -> Callable[..., object]:
        def change_first(*words: Any, **named: Any) -> object:
            path.write_text("x" * next(length))
            return attempt(*words, **named)

        return change_first

    for name in ("create", "append"):
        monkeypatch.setattr(archive, name, meanwhile(getattr(archive, name)))
    return path


def test_a_file_that_changed_once_is_taken_again(stack: Path, tmp_path: Path) -> None:
    change = Once(lambda: (stack / "b").write_text("second"))

    taken = DRIVER.take(files_of(stack), context_in(tmp_path / "staging", change))

    assert change.done
    assert (unpacked(taken, tmp_path / "out") / "b").read_text() == "second"
    assert (unpacked(taken, tmp_path / "again") / "a").read_text() == "first a"
    assert taken.engine["changed"] == []
    assert check_of(taken) == (True, ("ok",))


def test_the_names_of_one_file_stay_one_file(stack: Path, tmp_path: Path) -> None:
    (stack / "d").hardlink_to(stack / "b")
    change = Once(lambda: (stack / "b").write_text("second"))

    taken = DRIVER.take(files_of(stack), context_in(tmp_path / "staging", change))

    out = unpacked(taken, tmp_path / "out")
    assert (out / "b").read_text() == "second"
    assert (out / "b").samefile(out / "d")


def test_a_file_that_was_replaced_or_cut_off_is_taken_again(stack: Path, tmp_path: Path) -> None:
    def change() -> None:
        (stack / "new").write_text("replaced")
        (stack / "new").rename(stack / "a")
        (stack / "b").write_text("")

    taken = DRIVER.take(files_of(stack), context_in(tmp_path / "staging", Once(change)))

    out = unpacked(taken, tmp_path / "out")
    assert [(out / name).read_text() for name in ("a", "b", "c")] == ["replaced", "", "first c"]


def test_a_file_that_never_holds_still_is_told(stack: Path, tmp_path: Path, restless: Path) -> None:
    warnings: list[str] = []

    taken = DRIVER.take(files_of(stack), context_in(tmp_path / "staging", warn=warnings.append))

    assert taken.engine["changed"] == [str(restless)]
    assert [str(restless) in text for text in warnings] == [True]
    assert (unpacked(taken, tmp_path / "out") / "a").read_text() == "first a"
    assert check_of(taken) == (True, ("ok",))


def test_a_file_that_goes_away_before_its_turn_is_told(stack: Path, tmp_path: Path) -> None:
    """The copy of a database comes first, so there is time for it."""
    make_users(stack / "users.db")
    warnings: list[str] = []

    taken = DRIVER.take(
        files_of(stack), context_in(tmp_path / "staging", Once((stack / "b").unlink), warn=warnings.append)
    )

    assert taken.engine["gone"] == [str(stack / "b")]
    assert "went away" in warnings[0]
    out = unpacked(taken, tmp_path / "out")
    assert sorted(os.listdir(out)) == ["a", "c", "users.db"]  # noqa: PTH208 - names
    assert users_in(out / "users.db")[1] == "ok"
    assert check_of(taken) == (True, ("ok",))


def test_a_run_that_is_over_ends_the_copy(stack: Path, tmp_path: Path) -> None:
    with pytest.raises(DeadlineError, match="max_run_seconds"):
        DRIVER.take(files_of(stack), context_in(tmp_path / "staging", deadline=0.0))


def test_a_path_that_was_named_and_is_missing_is_an_error(stack: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere does not exist"):
        DRIVER.take(files_of(stack, extra=("/nowhere",)), context_in(tmp_path / "staging"))


def test_an_archive_that_lost_a_member_fails_its_check(stack: Path, tmp_path: Path) -> None:
    taken = DRIVER.take(files_of(stack), context_in(tmp_path / "staging"))
    data = taken.path.read_bytes()

    taken.path.write_bytes(data[: data.index(b"first b") - 512] + bytes(10240))

    ok, messages = check_of(taken)
    assert ok is False
    assert "were put in" in messages[0]


def test_an_archive_that_is_cut_off_fails_its_check(stack: Path, tmp_path: Path) -> None:
    (stack / "large").write_bytes(os.urandom(100_000))
    taken = DRIVER.take(files_of(stack), context_in(tmp_path / "staging"))
    data = taken.path.read_bytes()

    taken.path.write_bytes(data[: len(data) - 60_000])

    assert check_of(taken)[0] is False
