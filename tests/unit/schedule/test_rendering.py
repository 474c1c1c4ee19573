"""What the entries look like as text."""

from __future__ import annotations

import pytest

from tracker_backup.errors import ScheduleError
from tracker_backup.schedule.entries import Entry, ScheduledJob, build_entries
from tracker_backup.schedule.rendering import render_cron_file, render_table

pytestmark = pytest.mark.guarantee(8, 14)

ENTRIES = build_entries("default", [ScheduledJob("daily", "0 3 * * *")], command="/usr/local/bin/tracker-backup")


def test_a_users_table_holds_remarks_and_entries_only() -> None:
    """No variables: they would count for other people's lines below."""
    start = "/usr/local/bin/tracker-backup --instance default --now"
    minute = ENTRIES[1].schedule.split()[0]
    assert render_table(ENTRIES) == (
        f"# job daily\n0 3 * * * {start} --job daily --wait --quiet\n"
        f"# what was missed or failed\n{minute} * * * * {start} --if-due --wait --quiet\n"
        f"# after a boot\n@reboot {start} --if-due --wait --quiet --after-boot\n"
    )


def test_a_file_for_cron_names_its_maker_and_a_user_in_each_line() -> None:
    lines = render_cron_file("default", ENTRIES, user="backup").splitlines()
    assert lines[0].startswith("# Written by tracker-backup")
    assert "schedule apply" in lines[0]
    assert [line.split()[5] for line in lines if line[:1].isdigit()] == ["backup", "backup"]
    assert [line.split()[1] for line in lines if line.startswith("@")] == ["backup"]


def test_a_file_for_cron_may_say_whom_it_mails() -> None:
    """It is wholly ours, and the variable stands before the entries that it is for."""
    without = render_cron_file("default", ENTRIES, user="root")
    lines = render_cron_file("default", ENTRIES, user="root", mailto="a@example.org,root").splitlines()

    assert lines[2] == "MAILTO=a@example.org,root"
    assert "MAILTO" not in without
    assert [line for line in lines if line not in without.splitlines()] == [lines[2]]


def test_quoted_paths_survive() -> None:
    entries = build_entries("a", [ScheduledJob("daily", "0 0 * * *")], command="/srv/my backups/it's")
    assert "'/srv/my backups/it'\"'\"'s' --instance a" in render_table(entries, user="root")


def test_what_does_not_read_back_is_not_written() -> None:
    with pytest.raises(ScheduleError, match="nothing was changed"):
        render_table([Entry("job daily", "0 3 * * *", "/x # y")])
