"""What a status page shows of an instance, from what its status and its backups say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.instance import a_manifest, an_artifact
from tracker_backup.copies.judging import CopyStatus
from tracker_backup.health.pageview import instance_view
from tracker_backup.health.runs import LastRun
from tracker_backup.health.status import WARNING, JobStatus, Reason, Status
from tracker_backup.report.pagemodel import InstanceView, SourceRow
from tracker_backup.repository.manifest import Failure, Manifest, format_time

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def a_status(**changes: Any) -> Status:
    """Return the status of an instance whose daily job is in time."""
    job = JobStatus(
        name="daily",
        schedule="0 3 * * *",
        last_verified="20261123T030000Z-daily",
        last_verified_at="2026-11-23T03:00:00Z",
        next_run="2026-11-24T03:00:00Z",
        warning_after="2026-11-24T05:00:00Z",
        critical_after="2026-11-25T05:00:00Z",
    )
    return Status(**{"instance": "default", "written_at": format_time(NOW), "jobs": (job,), **changes})


def viewed(*manifests: Manifest, now: datetime = NOW, status: Status | None = None) -> InstanceView:
    return instance_view(status or a_status(), manifests, now)


def source(view: InstanceView, name: str) -> SourceRow:
    [found] = [each for each in view.sources if each.name == name]
    return found


@pytest.mark.parametrize(
    ("later", "verdict", "state"),
    [
        (timedelta(0), "in time", "OK"),
        (timedelta(hours=21), "late", "WARNING"),
        (timedelta(hours=45), "overdue", "CRITICAL"),
    ],
)
def test_a_job_and_its_sources_grow_old_together(later: timedelta, verdict: str, state: str) -> None:
    view = viewed(a_manifest("2026-11-23T03:00:00Z"), now=NOW + later)

    assert (view.state, view.jobs[0].verdict, source(view, "tracker").verdict) == (state, verdict, verdict)


def test_a_source_that_fails_night_after_night_is_late_though_the_rest_is_not() -> None:
    both = (an_artifact("tracker"), an_artifact("index"))
    failing = {"state": "partial", "errors": (Failure("index", "no such file"),)}
    view = viewed(
        a_manifest("2026-11-20T03:00:00Z", artifacts=both),
        a_manifest("2026-11-22T03:00:00Z", artifacts=both),
        a_manifest("2026-11-23T03:00:00Z", **failing),
    )
    assert source(view, "index").verdict == "late"
    assert source(view, "index").last_id == "20261122T030000Z-daily"

    view = viewed(a_manifest("2026-11-20T03:00:00Z", artifacts=both), a_manifest("2026-11-23T03:00:00Z", **failing))
    assert (source(view, "index").verdict, source(view, "tracker").verdict) == ("overdue", "in time")


def test_a_copy_that_is_not_good_is_shown_beside_the_last_that_is() -> None:
    bad = an_artifact(state="unverified", checks=({"check": "quick_check", "ok": None},), raw_bytes=7)
    view = viewed(
        a_manifest("2026-11-22T03:00:00Z"), a_manifest("2026-11-23T03:00:00Z", state="unverified", artifacts=(bad,))
    )

    row = source(view, "tracker")
    assert (row.last_id, row.newest_state, row.check) == (
        "20261122T030000Z-daily",
        "unverified",
        "quick_check cannot tell",
    )
    assert row.raw_bytes == 7


def test_a_source_that_was_never_taken_is_there() -> None:
    view = viewed(a_manifest("2026-11-23T03:00:00Z", state="partial", errors=(Failure("index", "none", "pending"),)))

    row = source(view, "index")
    assert (row.verdict, row.last_id, row.newest_state) == ("none yet", None, "never taken")


def test_a_job_without_a_schedule_has_no_age_to_keep() -> None:
    job = JobStatus("byhand", None, "x", "2026-01-01T03:00:00Z", None, None, None)
    view = viewed(a_manifest("2026-01-01T03:00:00Z", "byhand"), status=a_status(jobs=(job,)))

    assert view.state == "OK"
    assert view.jobs[0].verdict == source(view, "tracker").verdict == "no schedule"


def test_the_past_says_why_a_backup_does_not_count() -> None:
    dropped = an_artifact(usual_raw_bytes=5000, size_drop=True, raw_bytes=1000)
    failing = {"state": "partial", "errors": (Failure("index", "no such file"),)}
    view = viewed(
        a_manifest("2026-11-20T03:00:00Z", seconds={"copy": 1.5, "check": 2.0}),
        a_manifest("2026-11-21T03:00:00Z", **failing),
        a_manifest("2026-11-22T03:00:00Z", artifacts=(dropped,)),
        a_manifest("2026-11-23T03:00:00Z", state="damaged", artifacts=(an_artifact(state="damaged"),)),
    )

    assert [taken.good for taken in view.past] == [True, False, False, False]
    assert [taken.note for taken in view.past] == [
        "",
        "without index: no such file",
        "tracker has only 1000 B, less than half of the usual 4.9 KiB",
        "tracker is damaged",
    ]
    assert view.past[0].phases == (("copy", 1.5), ("check", 2.0))
    assert view.past[0].seconds == 3.5


def test_a_backup_of_tomorrow_is_not_shown_as_the_past() -> None:
    view = viewed(a_manifest("2026-11-23T03:00:00Z"), a_manifest("2027-11-23T03:00:00Z"))

    assert [taken.id for taken in view.past] == ["20261123T030000Z-daily"]


def test_problems_and_last_runs_are_there() -> None:
    run = LastRun("daily", None, "2026-11-23T03:00:09Z", 1, "nothing was published")
    view = viewed(status=a_status(standing=(Reason(WARNING, "the last run failed"),), runs=(run,)))

    assert [(problem.level, problem.text) for problem in view.problems] == [("WARNING", "the last run failed")]
    assert view.facts == (("Last run of daily", "2026-11-23T03:00:09Z, exit code 1: nothing was published"),)


def test_what_was_written_last_says_when() -> None:
    assert viewed().written_at is None
    assert instance_view(a_status(), (), NOW, written=True).written_at == "2026-11-23T09:00:00Z"


def test_copies_elsewhere_and_since_when_they_are_there() -> None:
    newest = "20261123T030000Z-daily"
    there = CopyStatus("nas", "daily", newest, "2026-11-23T03:05:00Z", behind=False, problem=None)
    behind = CopyStatus("usb", "daily", newest, "2026-11-23T03:05:00Z", behind=True, problem="away")
    missing = CopyStatus("s3", "daily", None, None, behind=False, problem=None)
    view = viewed(status=a_status(copies=(there, behind, missing)))

    assert [(copy.name, copy.verdict, copy.last_at) for copy in view.copies] == [
        ("nas", "up to date", "2026-11-23T03:00:00Z"),
        ("usb", "behind", "2026-11-23T03:00:00Z"),
        ("s3", "none yet", None),
    ]
