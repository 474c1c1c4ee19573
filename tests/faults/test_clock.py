"""Clocks that jump, repeat themselves, or were years ahead: nothing is lost, pruned or called well for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.clocked import ClockedInstallation
from support.failing_nights import expect_sound, tiny_database
from support.manifests import rewrite
from support.years import DAY, HOUR

pytestmark = pytest.mark.guarantee(15)
Tally = Callable[[str, int], None]
NIGHT = ("--now", "--if-due", "--wait", "--quiet")
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
def host(tmp_path: Path) -> ClockedInstallation:
    """Return an installation with a job at 03:00, made a year before."""
    made = ClockedInstallation(tmp_path / "host")
    tiny_database(made.database)
    made.configure(jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 2}}])
    made.set_clock(NOW - 365 * DAY)
    assert made.run("init").returncode == 0
    made.made(NOW - 365 * DAY)
    made.set_clock(NOW)
    return made


def sequences(host: ClockedInstallation) -> list[int]:
    """Return the numbers of the runs whose backups are there, by their ids."""
    return [manifest["sequence"] for manifest in host.manifests()]


def status(host: ClockedInstallation) -> dict[str, Any]:
    """Return what `status --json` prints."""
    found: dict[str, Any] = json.loads(host.run("status", "--json").stdout)
    return found


def said(host: ClockedInstallation) -> str:
    """Return the reasons of the status."""
    return " ".join(reason["text"] for reason in status(host)["reasons"])


def expect_durations(manifest: dict[str, Any], most: float = 600) -> None:
    """Check that nothing has taken less than no time, nor longer than a test does."""
    durations = [
        *manifest["seconds"].values(),
        *(
            artifact[f"{name}_seconds"]
            for artifact in manifest["artifacts"]
            for name in ("copy", "write_stall", "pause")
        ),
        *(check["seconds"] for artifact in manifest["artifacts"] for check in artifact["checks"]),
    ]
    assert all(0 <= seconds < most for seconds in durations), durations


def test_jumps_both_ways_between_runs(host: ClockedInstallation, tally: Tally) -> None:
    """What was made last is there whatever its time, and so is what was made last under a right clock."""
    jumps = [timedelta(0), DAY, 400 * DAY, 2 * DAY, -30 * DAY, 3 * DAY, -20000 * DAY, 4 * DAY]
    right = 0
    for number, jump in enumerate(jumps, 1):
        host.set_clock(NOW + jump)
        manifest = host.back_up()

        assert manifest in host.manifests()
        made = next(each for each in host.manifests() if each["sequence"] == number)
        expect_sound(host.repository / made["id"])
        expect_durations(made)
        right = number if jump in (timedelta(0), DAY, 2 * DAY, 3 * DAY, 4 * DAY) else right
        assert right in sequences(host)
        latest = host.run("show", "latest", "--json")
        assert json.loads(latest.stdout)["started_at"] <= f"{NOW + jump:%Y-%m-%dT23:59:59Z}"
    assert "from the future" in said(host)
    tally("faults survived", len(jumps))


def test_a_clock_that_was_years_ahead_when_backups_were_made(host: ClockedInstallation) -> None:
    """They count for nothing, displace nothing, and are not deleted; by what is due it is told that time is up."""
    good = [host.back_up()["sequence"] for _ in range(2)]
    host.set_clock(NOW + 4 * 365 * DAY)
    for _ in range(3):
        host.back_up()
    ahead = [number for number in sequences(host) if number not in good]
    host.set_clock(NOW + HOUR)

    assert host.run("prune").returncode == 0
    assert set(ahead) <= set(sequences(host)), "nobody knows what they are good for"
    assert "from the future" in said(host)
    assert host.run(*NIGHT).returncode == 0
    before = len(sequences(host))
    host.set_clock(NOW + DAY)
    assert [host.run(*NIGHT).returncode for _ in range(2)] == [0, 0]
    assert len(sequences(host)) == before + 1, "once, not never, and not at every hour"
    newest = host.run("show", "latest", "--json")
    assert json.loads(newest.stdout)["started_at"].startswith("2026-10-02")
    host.set_clock(NOW + 4 * DAY)
    assert status(host)["state"] == "CRITICAL"


def test_good_backups_are_not_pruned_by_a_clock_that_is_ahead(host: ClockedInstallation) -> None:
    good = host.back_up()
    host.set_clock(NOW + 4 * 365 * DAY)
    host.database.unlink()
    assert host.run("--now").returncode == 1

    assert host.run("prune").returncode == 0
    assert [manifest["id"] for manifest in host.manifests()] == [good["id"]]


def test_a_host_that_was_set_up_while_its_clock_was_ahead(tmp_path: Path) -> None:
    """Neither is no job late until that time has come, nor is none due."""
    host = ClockedInstallation(tmp_path / "host")
    tiny_database(host.database)
    host.configure(jobs=[{"name": "daily", "schedule": "0 3 * * *"}])
    host.set_clock(NOW + 4 * 365 * DAY)
    assert host.run("init").returncode == 0
    host.made(NOW + 4 * 365 * DAY)
    assert host.run(*NIGHT).returncode == 0
    host.set_clock(NOW)
    assert host.run(*NIGHT).returncode == 0
    assert host.manifests() == []

    host.set_clock(NOW + 4 * DAY)
    assert status(host)["state"] == "CRITICAL"
    assert [host.run(*NIGHT).returncode for _ in range(2)] == [0, 0]
    assert len(host.manifests()) == 1
    assert status(host)["state"] != "CRITICAL"


@pytest.mark.parametrize("jump", [-400 * DAY, -HOUR, HOUR, 400 * DAY], ids=["year-back", "back", "ahead", "year-ahead"])
def test_a_jump_in_mid_run(host: ClockedInstallation, jump: timedelta) -> None:
    """No limit is measured by that clock, no duration; and nobody says that the run hangs."""
    host.configure(max_run_seconds=600)
    host.back_up()
    with host.start_halting("compress", "--now") as running:
        host.set_clock(NOW + jump)
        assert "hangs" not in said(host)
        subprocess.run(["kill", "-CONT", str(running.halted_pid)], check=True)
        assert running.wait() == 0, running.said()

    manifest = max(host.manifests(), key=lambda each: each["sequence"])
    assert manifest["sequence"] == 2
    assert manifest["state"] == "verified"
    expect_durations(manifest)
    host.set_clock(NOW + HOUR + HOUR)
    host.back_up()
    assert {2, 3} <= {*sequences(host)}


def test_a_second_that_repeats(host: ClockedInstallation) -> None:
    """As a leap second does, or a clock that is set back: both backups are there, and sort as they were made."""
    host.configure(jobs=[{"name": "daily", "keep": {"last": 20}}])
    host.stop_clock(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    for _ in range(10):
        host.back_up()  # -10 sorts before -2 as text

    listed = [manifest["sequence"] for manifest in host.listed()]
    assert sorted(listed) == list(range(1, 11))
    assert json.loads(host.run("show", "latest", "--json").stdout)["sequence"] == 10
    host.configure(jobs=[{"name": "daily", "keep": {"last": 1}}])
    assert host.run("prune").returncode == 0
    assert sequences(host) == [10]


def test_a_manifest_from_a_leap_second(host: ClockedInstallation) -> None:
    identifier = host.back_up()["id"]
    rewrite(host.repository / identifier, lambda manifest: manifest.update(started_at="2026-06-30T23:59:60Z"))

    assert host.run("verify", "--all").returncode == 0
    assert "cannot be read" not in said(host)
    host.back_up()
    assert len(host.listed()) == 2


@pytest.mark.parametrize(
    ("schedule", "evening", "start"),
    [
        ("30 2 * * *", datetime(2027, 3, 27, 22, 17, tzinfo=UTC), "01:17"),
        ("30 2 * * *", datetime(2026, 10, 24, 22, 17, tzinfo=UTC), "01:17"),
        ("0 3 * * *", datetime(2027, 3, 27, 22, 17, tzinfo=UTC), "01:17"),
        ("0 3 * * *", datetime(2026, 10, 24, 22, 17, tzinfo=UTC), "02:17"),
    ],
    ids=["skipped", "twice", "after-spring", "after-autumn"],
)
def test_the_hours_in_which_the_clock_is_changed(
    host: ClockedInstallation, schedule: str, evening: datetime, start: str
) -> None:
    """In Berlin 02:00 to 03:00 is skipped in spring and comes twice in autumn; each night is taken once."""
    host.zone = "Europe/Berlin"
    host.set_clock(evening - HOUR)
    host.configure(jobs=[{"name": "daily", "schedule": schedule, "keep": {"last": 1, "daily": 9, "hourly": 9}}])
    host.back_up()
    for hour in range(2, 6):
        host.set_clock(evening + hour * HOUR)
        assert host.run(*NIGHT).returncode == 0
    assert "no complete verified backup in time" not in said(host)

    made = [manifest["started_at"] for manifest in host.manifests()]
    assert made == sorted(made)
    assert [moment[11:16] for moment in made[1:]] == [start]
    assert [manifest["id"] for manifest in host.manifests()] == sorted(manifest["id"] for manifest in host.manifests())


def test_the_end_of_32_bits(host: ClockedInstallation) -> None:
    """2038-01-19T03:14:08Z, the end of the unsigned ones in 2106, and years beyond."""
    moments = [
        datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 9, tzinfo=UTC),
        datetime(2106, 2, 7, 6, 28, 17, tzinfo=UTC),
        datetime(2199, 12, 31, 23, 59, 50, tzinfo=UTC),
    ]
    for moment in moments:
        host.set_clock(moment)
        manifest = host.back_up()
        assert manifest["started_at"] >= f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        expect_durations(manifest)
        assert "future" not in said(host)
        assert host.run(*NIGHT).returncode == 0
    assert [manifest["started_at"][:4] for manifest in host.manifests()] == ["2106", "2199"]
