"""What earlier backups tell a new one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracker_backup.repository.manifest import VERIFIED, Artifact, Manifest, format_time
from tracker_backup.run.history import History
from tracker_backup.system.space import ASSUMED_RATIO

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
ARTIFACT = Artifact(
    source="tracker", type="sqlite", file="tracker.sqlite3.zst", state=VERIFIED, snapshot_at="", bytes=50,
    raw_bytes=100, sha256="", raw_sha256="", method="pinned", copy_seconds=2, write_stall_seconds=0,
    pause_seconds=0, path="/db",
)  # fmt: skip


def manifest(days_ago: float, check: str = "quick_check", ok: bool | None = True, **artifact: Any) -> Manifest:
    """Return the manifest of a run some days ago, with one artifact."""
    started = format_time(NOW - timedelta(days=days_ago))
    checks = ({"check": check, "ok": ok},)
    return Manifest(
        id="x", instance="default", host="h", stack="/s", job="daily", manual=False, version="1", started_at=started,
        finished_at=started, state=VERIFIED, trigger="schedule",
        artifacts=(replace(ARTIFACT, checks=checks, **artifact),),
    )  # fmt: skip


def test_without_a_past_everything_is_assumed() -> None:
    history = History([])

    assert history.last("tracker") is None
    assert history.rate("tracker") is None
    assert history.ratio("tracker") == ASSUMED_RATIO
    assert history.full_check_due("tracker", NOW)


def test_the_newest_artifact_of_a_source_counts() -> None:
    history = History([manifest(2), manifest(1, copy_seconds=4), manifest(0, source="index")])

    assert history.rate("tracker") == 25
    assert history.rate("index") == 50


def test_a_copy_too_short_to_tell_has_no_rate() -> None:
    assert History([manifest(1, copy_seconds=0.049)]).rate("tracker") is None


@pytest.mark.parametrize(("stored", "ratio"), [(50, 0.6), (100, 1.05), (10, 0.12)])
def test_the_ratio_is_on_the_safe_side(stored: int, ratio: float) -> None:
    assert History([manifest(1, bytes=stored)]).ratio("tracker") == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("manifests", "due"),
    [
        ([manifest(6.9, "integrity_check")], False),
        ([manifest(7, "integrity_check")], True),
        ([manifest(1, "quick_check")], True),
        ([manifest(3, "integrity_check"), manifest(1, "quick_check")], False),
        ([manifest(1, "integrity_check", ok=None)], True),
        ([manifest(1, "integrity_check", source="index")], True),
    ],
)
def test_a_full_check_is_due_once_a_week(manifests: list[Manifest], due: bool) -> None:
    assert History(manifests).full_check_due("tracker", NOW) is due
