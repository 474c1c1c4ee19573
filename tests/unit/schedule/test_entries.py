"""Which entries an instance gets, and what is refused before cron could choke on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.errors import ConfigurationError
from tracker_backup.schedule.entries import Entry, ScheduledJob, build_entries, catch_up_minute
from tracker_backup.schedule.expression import minutes, schedule_problem

COMMAND = "/usr/local/bin/tracker-backup"
DAILY = ScheduledJob("daily", "0 3 * * *")


def test_a_line_for_each_job_an_hourly_one_and_one_after_boot() -> None:
    entries = build_entries("default", [DAILY, ScheduledJob("weekly", "30  4 * *\t0")], command=COMMAND)
    start = f"{COMMAND} --instance default --now"
    minute = catch_up_minute("default", [DAILY])
    assert entries == (
        Entry("job daily", "0 3 * * *", f"{start} --job daily --wait --quiet"),
        Entry("job weekly", "30 4 * * 0", f"{start} --job weekly --wait --quiet"),
        Entry("what was missed or failed", f"{minute} * * * *", f"{start} --if-due --wait --quiet"),
        Entry("after a boot", "@reboot", f"{start} --if-due --wait --quiet --after-boot"),
    )


def test_no_jobs_no_entries() -> None:
    assert build_entries("default", [], command=COMMAND) == ()


def test_another_configuration_and_a_path_with_blanks() -> None:
    entries = build_entries(
        "demo", [DAILY], command="/tmp/my demo/run", arguments=["--config", "/tmp/my demo/demo.yml"]
    )
    assert entries[0].command.startswith("'/tmp/my demo/run' --config '/tmp/my demo/demo.yml' --now")


@given(
    instance=st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True),
    taken=st.sets(st.integers(0, 59), min_size=1, max_size=59),
)
def test_the_catch_up_never_starts_with_a_job(instance: str, taken: set[int]) -> None:
    jobs = [ScheduledJob("daily", f"{','.join(map(str, taken))} * * * *")]
    assert catch_up_minute(instance, jobs) not in taken
    assert catch_up_minute(instance, jobs) == catch_up_minute(instance, list(jobs))


def test_a_job_at_every_minute_leaves_no_choice() -> None:
    assert 0 <= catch_up_minute("default", [ScheduledJob("often", "* * * * *")]) <= 59


def test_minutes_of_an_expression() -> None:
    assert minutes("*/20 3 * * *") == {0, 20, 40}
    assert minutes("* 3 * * *") == set(range(60))


@pytest.mark.parametrize(
    "schedule",
    [
        "0 3 * * *",
        "5 3 * * 7",
        "*/5 * * * *",
        "0 3 1,15 * mon",
        "1-10/3 0-6 * JAN-mar 1-5",
        "@daily",
        "0 3 */2 * 1",
        "0 3 1-31 * *",
        "0 3 15 * 5-7",
        "0-59 3 * * *",
        "0 0 1 1 *",
    ],
)
def test_schedules_that_are_taken(schedule: str) -> None:
    assert schedule_problem(schedule) is None


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("99 3 * * *", "out of range"),
        ("0 24 * * *", "out of range"),
        ("*/0 3 * * *", "out of range"),
        ("0 3 * * mon-sun", "out of range"),
        ("0 3 * foo *", "out of range"),
        ("0 3 * dec-01 *", "not understood"),
        ("0 3 * *", "4 fields"),
        ("0 0 3 * * *", "6 fields"),
        ("", "0 fields"),
        ("0~30 3 * * *", "not understood"),
        ("-0 3 * * *", "not understood"),
        ("5/15 3 * * *", "not understood"),
        ("0 3 L * *", "not understood"),
        ("0 3 ? * *", "not understood"),
        ("H 3 * * *", "not understood"),
        ("0 3 *,5 * 1", "not understood"),
        ("@reboot", "unknown word"),
        ("@Daily", "unknown word"),
        ("0 3 * * *\n* * * * * root id", "line break"),
        ("0 3 31 2 *", "never run"),
        ("0 3 15 * 1-7", "every day"),
        ("0 3 1-31 * 1", "every day"),
        ("0 3 15 * 0,1,2-6", "every day"),
        ("0 3 * * 7-7", "value alone"),
        ("0 3 * 02-2/3 *", "value alone"),
        ("0 3 * DEC-dec *", "value alone"),
        ("0 00-0 * * *", "value alone"),
        ("0 3 * * sun,1", "no names among numbers"),
        ("0 3 * * 1-7/2", "something else"),
        ("0 3 * * 6-7/2", "something else"),
    ],
)
def test_schedules_that_are_refused(schedule: str, says: str) -> None:
    problem = schedule_problem(schedule)
    assert problem is not None
    assert says in problem


def test_everything_wrong_is_told_at_once() -> None:
    jobs = [ScheduledJob("Bad Name", "0 3 * * *"), ScheduledJob("daily", "99 3 * * *"), DAILY]
    with pytest.raises(ConfigurationError) as caught:
        build_entries("default\n", jobs, command="bin/tracker-backup")
    for part in ("'Bad Name'", "99 3 * * *", "'default\\n'", "absolute path", "'daily': the name is there more"):
        assert part in str(caught.value)


@pytest.mark.parametrize("command", ["/x\n* * * * * id", "/x%y", "/x #y", "/x\x7f", "/x\u2028y"])
def test_no_command_that_cron_reads_as_something_else(command: str) -> None:
    with pytest.raises(ConfigurationError):
        build_entries("default", [DAILY], command=command)


def test_no_command_longer_than_cron_takes() -> None:
    with pytest.raises(ConfigurationError, match="shorter path"):
        build_entries("default", [DAILY], command="/" + "x" * 900)


def test_an_ordinary_schedule_is_judged_without_the_libraries() -> None:
    """Every start of the program reads the configuration, and start-up is felt."""
    scripts = Path(__file__).parents[3] / "scripts"
    code = (
        f"import sys; sys.path.insert(0, {str(scripts)!r})\n"
        "from tracker_backup.schedule import service, due, entries, expression\n"
        "assert expression.schedule_problem('0 3 * * *') is None\n"
        "print(sorted({'crontab', 'croniter', 'sh', 'subprocess'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
