"""When a backup is to be copied, and when a copy is behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.instance import a_manifest
from tracker_backup.config.model import CopySettings
from tracker_backup.copies.interface import started
from tracker_backup.copies.judging import is_check_due, is_due, is_tolerated, newest_of
from tracker_backup.copies.notes import CheckNote, CopyNote, CopyNotes, place_of, read_notes, write_notes
from tracker_backup.repository.manifest import Manifest, format_time

MONDAY = "20261123T030000Z-daily"
TUESDAY = "20261124T030000Z-daily"
NEXT_MONDAY = "20261130T030000Z-daily"
DECEMBER = "20261201T030000Z-daily"


def settings(**given: object) -> CopySettings:
    return CopySettings("nas", "restic", "/nowhere", Path("/nowhere/password"), **given)  # type: ignore[arg-type]


def made_at(backup: str, **changes: str) -> Manifest:
    """Return the manifest of a backup with that id."""
    stamp, _, job = backup.partition("-")
    return a_manifest(format_time(started(stamp)), job, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("every", "before", "newest", "due"),
    [
        ("run", None, MONDAY, True),
        ("run", MONDAY, MONDAY, False),
        ("run", MONDAY, "20261123T040000Z-daily", True),
        ("day", MONDAY, "20261123T230000Z-daily", False),
        ("day", MONDAY, TUESDAY, True),
        ("week", MONDAY, "20261129T030000Z-daily", False),
        ("week", MONDAY, NEXT_MONDAY, True),
        ("month", MONDAY, NEXT_MONDAY, False),
        ("month", MONDAY, DECEMBER, True),
        ("month", None, MONDAY, True),
        ("day", TUESDAY, MONDAY, True),  # the clock was ahead when that was made
        ("day", MONDAY, None, False),
    ],
)
def test_a_backup_is_copied_once_in_each_period(every: str, before: str | None, newest: str | None, due: bool) -> None:
    backup = None if newest is None else made_at(newest)
    assert is_due(settings(every=every), CopyNote("nas", "daily", "there", before), backup) is due


def test_the_newest_is_one_worth_a_copy() -> None:
    """Neither what was made of chosen sources by hand, nor what is partial, nor what is still to come."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    good = made_at(MONDAY)
    worse = [
        made_at(TUESDAY, state="partial"),
        made_at("20261124T040000Z-manual"),
        made_at("20261124T050000Z-hourly"),
        made_at("20261125T030000Z-daily"),
    ]
    assert newest_of("daily", [good, *worse], now) == good
    assert newest_of("daily", worse, now) is None


@pytest.mark.parametrize(("hours", "tolerated"), [(0, False), (47, False), (49, True)])
def test_a_failure_is_tolerated_while_a_young_enough_copy_is_there(hours: float, tolerated: bool) -> None:
    now = started(MONDAY) + timedelta(hours=48)
    assert (
        is_tolerated(settings(tolerate_seconds=hours * 3600), CopyNote("nas", "daily", "there", MONDAY), now)
        is tolerated
    )
    assert not is_tolerated(settings(tolerate_seconds=hours * 3600), CopyNote("nas", "daily", "there"), now)
    ahead = CopyNote("nas", "daily", "there", "20301123T030000Z-daily")
    assert not is_tolerated(settings(tolerate_seconds=hours * 3600), ahead, now)


@pytest.mark.parametrize(
    ("check", "checked_at", "problem", "due"),
    [
        ("week", None, None, True),
        ("week", "2026-11-23T03:10:00Z", None, False),
        ("week", "2026-11-22T23:10:00Z", None, True),
        ("week", "2026-11-23T03:10:00Z", "a pack is missing", True),
        ("day", "2026-11-23T03:10:00Z", None, True),
        ("month", "2026-11-01T03:10:00Z", None, False),
        ("never", None, None, False),
    ],
)
def test_when_a_copy_is_checked(check: str, checked_at: str | None, problem: str | None, due: bool) -> None:
    now = datetime(2026, 11, 24, 3, 10, tzinfo=UTC)
    assert is_check_due(settings(check=check), CheckNote("nas", "there", checked_at, problem), now) is due


def test_notes_are_read_as_they_were_written(tmp_path: Path) -> None:
    notes = CopyNotes().with_note(CopyNote("nas", "daily", "there", MONDAY, "2026-11-23T03:10:00Z"))
    notes = notes.with_note(CopyNote("s3", "daily", "there", problem="away")).with_check(
        CheckNote("nas", "there", not_deleted="locked")
    )
    write_notes(tmp_path / "state", notes)
    assert read_notes(tmp_path / "state") == notes
    assert (tmp_path / "state" / "copies.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [b"", b"[]", b'{"jobs": [{"copy": 1}], "checks": []}', b"\xff", b"{" * 9999])
def test_damaged_notes_are_none(tmp_path: Path, data: bytes) -> None:
    """Then the other end is asked again."""
    (tmp_path / "copies.json").write_bytes(data)
    assert read_notes(tmp_path) == CopyNotes()


def test_of_another_repository_under_the_same_name_nothing_is_known() -> None:
    before, after = settings(), CopySettings("nas", "restic", "/elsewhere", Path("/nowhere/password"))
    notes = CopyNotes().with_note(CopyNote("nas", "daily", place_of(before), MONDAY))
    assert notes.of(before, "daily").backup == MONDAY
    assert notes.of(after, "daily").backup is None
    assert "nowhere" not in place_of(before)
