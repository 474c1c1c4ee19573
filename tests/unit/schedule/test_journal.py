"""Cron's complaints about our file, picked out of what it logs."""

from __future__ import annotations

from pathlib import Path

from tracker_backup.schedule.journal import last_words, refusals

FILE = Path("/etc/cron.d/tracker-backup-default")
RELOAD = f"(*system*{FILE.name}) RELOAD ({FILE})"
SYNTAX = f"(*system*{FILE.name}) ERROR (Syntax error, this crontab file will be ignored)"
MINUTE = f"Error: bad minute; while reading {FILE}"
OWNER = f"(*system*{FILE.name}) WRONG FILE OWNER ({FILE})"


def test_complaints_about_this_file() -> None:
    journal = ["(CRON) INFO (Running @reboot jobs)", RELOAD, MINUTE, SYNTAX, OWNER, OWNER]
    assert last_words("\n".join(journal), FILE) == (MINUTE, SYNTAX, OWNER)


def test_other_files_complaints_are_not_ours() -> None:
    other = [line.replace("default", "default-2") for line in (RELOAD, MINUTE, SYNTAX)]
    assert last_words("\n".join([SYNTAX, *other]), FILE) == (SYNTAX,)


def test_what_was_mended_is_forgotten() -> None:
    assert last_words(f"{RELOAD}\n{MINUTE}\n{SYNTAX}\n{RELOAD}\n", FILE) == ()


def test_no_file_no_complaints(tmp_path: Path) -> None:
    assert refusals(tmp_path / "none") == ()


def test_the_journal_of_this_machine_can_be_asked(tmp_path: Path) -> None:
    """Whatever it holds, nothing in it is about a file that was just made."""
    (tmp_path / "tracker-backup-default").touch()
    assert refusals(tmp_path / "tracker-backup-default") == ()
