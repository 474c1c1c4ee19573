"""When all is well, when it is not, to the second."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.instance import Instance, a_manifest, an_artifact
from tracker_backup.config.model import Config, Job, Keep
from tracker_backup.health.gather import gather_status, refresh_status
from tracker_backup.health.runs import LastRun, with_run
from tracker_backup.health.statefile import read_status, write_status, written_statuses
from tracker_backup.health.status import (
    CRITICAL,
    NAMES,
    OK,
    WARNING,
    Newest,
    Reason,
    Status,
    is_due,
    job_status,
    status_from_json,
)
from tracker_backup.repository import lock
from tracker_backup.repository.manifest import Failure, Manifest, format_time
from tracker_backup.run import capacity
from tracker_backup.schedule import service
from tracker_backup.system import space

pytestmark = pytest.mark.guarantee(12)

DAILY = Job("daily", "0 3 * * *", Keep(last=2))
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z" if "T" in text else f"{text}T00:00:00Z")


def level(manifests: list[Manifest], now: str, made: str = "2026-11-20T10:00:00", job: Job = DAILY) -> str:
    status = Status("default", format_time(at(now)), (job_status(job, manifests, at(made), at(now)),))
    return NAMES[status.level(at(now))]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-20T10:00:00", "OK"),
        ("2026-11-21T02:59:59", "OK"),
        ("2026-11-21T05:00:00", "OK"),
        ("2026-11-21T05:00:01", "WARNING"),
        ("2026-11-22T05:00:00", "WARNING"),
        ("2026-11-22T05:00:01", "CRITICAL"),
        ("2027-11-22T05:00:01", "CRITICAL"),
    ],
)
def test_a_fresh_installation_has_until_two_hours_after_its_first_time(now: str, expected: str) -> None:
    assert level([], now) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-22T03:00:01", "OK"),
        ("2026-11-23T05:00:00", "OK"),
        ("2026-11-23T05:00:01", "WARNING"),
        ("2026-11-24T05:00:00", "WARNING"),
        ("2026-11-24T05:00:01", "CRITICAL"),
    ],
)
def test_a_backup_is_good_for_a_period_and_two_hours(now: str, expected: str) -> None:
    assert level([a_manifest()], now) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-23T05:00:00", "OK"),  # Monday; the weekend has no times
        ("2026-11-23T05:00:01", "WARNING"),
    ],
)
def test_an_uneven_schedule_has_its_longer_pause(now: str, expected: str) -> None:
    job = Job("daily", "0 3 * * 1-5", Keep(last=2))

    assert level([a_manifest("2026-11-20T03:00:00Z")], now, job=job) == expected


@pytest.mark.parametrize(
    "manifest",
    [
        a_manifest("2026-11-23T03:00:00Z", state="partial"),
        a_manifest("2026-11-23T03:00:00Z", state="unverified"),
        a_manifest("2026-11-23T03:00:00Z", job="weekly"),
        a_manifest("2026-11-23T03:00:00Z", job="manual"),
        a_manifest("2031-01-01T03:00:00Z"),
    ],
    ids=["partial", "unverified", "another job's", "manual", "from the future"],
)
def test_what_does_not_count_for_a_job(manifest: Manifest) -> None:
    assert level([a_manifest("2026-11-20T03:00:00Z"), manifest], "2026-11-23T05:00:01") == "CRITICAL"


def test_unchecked_ones_count_where_no_check_was_asked_for() -> None:
    unchecked = a_manifest(state="unverified", artifacts=(an_artifact(state="unverified", checks=()),))

    assert level([unchecked], "2026-11-22T12:00:00") == "OK"


def test_a_job_without_a_schedule_is_never_late() -> None:
    job = Job("daily", None, Keep(last=1))

    assert level([], "2036-01-01", job=job) == "OK"


def test_of_one_second_the_last_is_the_newest() -> None:
    found = job_status(
        DAILY, [a_manifest(), a_manifest(id="20261122T030000Z-daily-2")], at("2026-11-01"), at("2026-11-23")
    )

    assert found.last_verified == "20261122T030000Z-daily-2"


class TestDue:
    """What the hourly entry runs."""

    def due(self, manifests: list[Manifest], now: str, job: Job = DAILY) -> bool:
        return is_due(job, manifests, at("2026-11-20T10:00:00"), at(now))

    @pytest.mark.parametrize(
        ("now", "expected"), [("2026-11-21T02:59:59", False), ("2026-11-21T03:00:00", True), ("2027-01-01", True)]
    )
    def test_the_first_time(self, now: str, expected: bool) -> None:
        assert self.due([], now) is expected

    @pytest.mark.parametrize(
        ("now", "expected"), [("2026-11-23T02:59:59", False), ("2026-11-23T03:00:00", True), ("2026-12-24", True)]
    )
    def test_the_time_after_a_backup(self, now: str, expected: bool) -> None:
        assert self.due([a_manifest()], now) is expected

    @pytest.mark.parametrize("state", ["partial", "unverified"])
    def test_an_incomplete_one_waits_for_the_next_time(self, state: str) -> None:
        assert not self.due([a_manifest(state=state)], "2026-11-22T04:00:00")
        assert self.due([a_manifest(state=state)], "2026-11-23T04:00:00")

    def test_another_job_counts_for_nothing(self) -> None:
        assert self.due([a_manifest(job="weekly"), a_manifest(job="manual")], "2026-11-22T04:00:00")

    def test_one_from_the_future_counts_for_nothing(self) -> None:
        assert self.due([a_manifest("2031-01-01T03:00:00Z")], "2026-11-22T04:00:00")

    def test_without_a_schedule_nothing_is_due(self) -> None:
        assert not self.due([], "2036-01-01", Job("daily", None, Keep(last=1)))


reasons = st.builds(Reason, st.sampled_from([WARNING, CRITICAL]), st.text(max_size=20))
last_runs = st.builds(
    LastRun,
    st.text(max_size=9),
    st.none() | st.text(max_size=9),
    st.just("2026-11-22T03:00:00Z"),
    st.integers(0, 143),
    st.text(),
)


@settings(max_examples=40)
@given(reasons=st.lists(reasons, max_size=4), runs=st.lists(last_runs, max_size=3), hours=st.integers(0, 100))
def test_what_is_written_is_read_back(reasons: list[Reason], runs: list[LastRun], hours: int) -> None:
    now = at("2026-11-22T03:00:00") + timedelta(hours=hours)
    newest = Newest("20261122T030000Z-daily", "daily", "2026-11-22T03:00:00Z", 1000, 400, 0.5)
    status = Status(
        "default",
        format_time(now),
        (job_status(DAILY, [a_manifest()], now, now),),
        tuple(reasons),
        tuple(runs),
        None,
        newest,
    )

    assert status_from_json(status.to_json(now)) == status
    assert [reason.level for reason in status.reasons(now)] == sorted(
        (r.level for r in status.reasons(now)), reverse=True
    )
    assert status.level(now) == max([OK, *(reason.level for reason in status.reasons(now))])


class TestOfEarlierVersions:
    """A status.json that was written before an upgrade, or after one that was taken back."""

    def document(self, *runs: LastRun) -> dict[str, Any]:
        now = at("2026-11-22T04:00:00")
        jobs = (job_status(DAILY, [a_manifest()], now, now),)
        return Status("default", format_time(now), jobs, (), runs).to_json(now)

    def test_without_what_was_added_since(self) -> None:
        document = self.document(LastRun("daily", None, "2026-11-22T03:10:00Z", 1, "no room"))
        for key in ("judged_at", "newest", "next_run", "last_runs"):
            del document[key]
        for job in document["jobs"]:
            del job["last_run"]

        status = status_from_json(document)

        assert [run.message for run in status.runs] == ["no room"]
        assert status.last_run == status.runs[0]

    def test_with_more_than_this_version_knows(self) -> None:
        document = self.document()
        document["colour"] = document["jobs"][0]["colour"] = "green"

        assert status_from_json(document).jobs[0].last_verified == "20261122T030000Z-daily"


class TestFile:
    """status.json: readable by others, judged anew whenever it is read."""

    def written(self, directory: Path) -> Status:
        now = at("2026-11-22T04:00:00")
        status = Status("default", format_time(now), (job_status(DAILY, [a_manifest()], now, now),))
        write_status(directory, status, now)
        return status

    def test_it_grows_old_by_itself(self, tmp_path: Path) -> None:
        self.written(tmp_path)
        read = read_status(tmp_path)

        assert read is not None
        levels = [read.level(at(now)) for now in ("2026-11-23T05:00:00", "2026-11-24T05:00:00", "2026-11-24T05:00:01")]
        assert levels == [OK, WARNING, CRITICAL]

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "null", "{}", '{"last_run": 1}', '{"jobs": [{"x": 1}]}', '"x"', "\x00"]
    )
    def test_what_cannot_be_read_is_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "status.json").write_text(text)

        assert read_status(tmp_path) is None

    def test_it_is_found_without_a_configuration(self, tmp_path: Path) -> None:
        status = self.written(tmp_path / "default")

        assert written_statuses(None, tmp_path) == [status]
        assert written_statuses("default", tmp_path) == [status]
        assert written_statuses("other", tmp_path) == []

    def test_of_several_one_must_be_named(self, tmp_path: Path) -> None:
        status = self.written(tmp_path / "one")
        self.written(tmp_path / "two")

        assert written_statuses(None, tmp_path) == [status, status]
        assert written_statuses("one", tmp_path) == [status]

    def test_others_may_read_it_whatever_the_umask(self, tmp_path: Path) -> None:
        import os

        before = os.umask(0o077)
        try:
            self.written(tmp_path / "deep" / "state")
        finally:
            os.umask(before)

        modes = [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "deep", tmp_path / "deep" / "state")]
        assert modes == ["0o755", "0o755"]
        assert oct((tmp_path / "deep" / "state" / "status.json").stat().st_mode & 0o777) == "0o644"


class TestGathered:
    """What is wrong beside the time: seen on a real repository."""

    NOW = at("2026-11-22T04:00:00")

    @pytest.fixture
    def instance(self, tmp_path: Path) -> Instance:
        instance = Instance(tmp_path)
        instance.configure()
        instance.repository.init()
        return instance

    @pytest.fixture
    def config(self, instance: Instance) -> Config:
        config = instance.configure()
        service.apply(config)
        instance.add(a_manifest())
        return config

    def found(self, instance: Instance, config: Config, last_run: LastRun | None = None) -> list[tuple[int, str]]:
        status = gather_status(config, instance.repository, () if last_run is None else (last_run,), self.NOW)
        return [(reason.level, reason.text) for reason in status.reasons(self.NOW)]

    def only(self, instance: Instance, config: Config, last_run: LastRun | None = None) -> tuple[int, str]:
        found = self.found(instance, config, last_run)
        assert len(found) == 1, found
        return found[0]

    def test_all_is_well(self, instance: Instance, config: Config) -> None:
        assert self.found(instance, config) == []

    def test_a_missing_source(self, instance: Instance, config: Config) -> None:
        errors = (Failure("index", "gone"),)
        instance.add(a_manifest("2026-11-22T03:30:00Z", state="partial", errors=errors))

        assert self.only(instance, config) == (
            WARNING, "the newest backup of daily, 20261122T033000Z-daily, is without index"
        )  # fmt: skip

    def test_an_unverified_backup(self, instance: Instance, config: Config) -> None:
        instance.add(a_manifest("2026-11-22T03:30:00Z", state="unverified"))

        assert "is unverified" in self.only(instance, config)[1]

    def test_what_a_complete_one_followed_is_forgotten(self, instance: Instance, config: Config) -> None:
        instance.add(a_manifest("2026-11-21T03:30:00Z", state="partial"))
        (instance.path / ".quarantine").mkdir()
        instance.add(a_manifest("2026-11-21T03:00:00Z")).rename(
            instance.path / ".quarantine" / "20261121T030000Z-daily"
        )

        assert self.found(instance, config) == []

    def test_a_damaged_copy_in_quarantine(self, instance: Instance, config: Config) -> None:
        (instance.path / ".quarantine").mkdir()
        instance.add(a_manifest("2026-11-22T03:30:00Z")).rename(
            instance.path / ".quarantine" / "20261122T033000Z-daily"
        )

        found, text = self.only(instance, config)
        assert (found, "is in quarantine" in text) == (WARNING, True)

    def test_another_source_in_a_good_backup_does_not_hide_it(self, instance: Instance, config: Config) -> None:
        (instance.path / ".quarantine").mkdir()
        damaged = instance.add(a_manifest("2026-11-22T03:30:00Z", artifacts=(an_artifact(source="tracker"),)))
        damaged.rename(instance.path / ".quarantine" / damaged.name)
        instance.add(a_manifest("2026-11-22T03:40:00Z", artifacts=(an_artifact(source="index"),)))

        assert "is in quarantine" in self.only(instance, config)[1]

    def test_a_damaged_manifest(self, instance: Instance, config: Config) -> None:
        (instance.path / "20261101T030000Z-daily").mkdir()

        level, text = self.only(instance, config)
        assert (level, text.startswith("backup 20261101T030000Z-daily cannot be read: ")) == (WARNING, True)

    def test_a_backup_from_the_future(self, instance: Instance, config: Config) -> None:
        instance.add(a_manifest("2031-01-01T03:00:00Z"))

        assert "is from the future: was the clock changed?" in self.only(instance, config)[1]

    def test_the_last_run_failed_until_one_succeeds(self, instance: Instance, config: Config) -> None:
        failed = LastRun("daily", None, "2026-11-22T03:10:00Z", 1, "no room")
        succeeded = LastRun("daily", "x", "2026-11-22T03:20:00Z", 0, "fine")

        assert self.only(instance, config, failed) == (
            WARNING, "the last run (daily, 2026-11-22T03:10:00Z): no room"
        )  # fmt: skip
        assert self.found(instance, config, succeeded) == []

    def failed(self, job: str, at: str = "2026-11-22T03:10:00Z") -> LastRun:
        return LastRun(job, None, at, 1, "no room")

    def succeeded(self, job: str, at: str = "2026-11-22T03:20:00Z") -> LastRun:
        return LastRun(job, "x", at, 0, "fine")

    def two_jobs(self, instance: Instance) -> Config:
        schedule = "0 3 * * *"
        config = instance.configure(jobs=[{"name": name, "schedule": schedule} for name in ("daily", "nightly")])
        service.apply(config)
        instance.add(a_manifest(job="nightly"))
        return config

    def test_another_job_s_success_does_not_hide_a_failure(self, instance: Instance, config: Config) -> None:
        config = self.two_jobs(instance)
        write_status(
            config.state_directory, gather_status(config, instance.repository, (self.failed("daily"),)), self.NOW
        )

        refresh_status(config, instance.repository, self.succeeded("nightly"))

        written = instance.status()
        assert [run["job"] for run in written["last_runs"]] == ["daily", "nightly"]
        assert [job["last_run"]["exit_code"] for job in written["jobs"]] == [1, 0]
        assert written["last_run"]["job"] == "nightly"
        told = [reason["text"] for reason in written["standing"] if "the last run" in reason["text"]]
        assert told == ["the last run (daily, 2026-11-22T03:10:00Z): no room"]

    def test_its_own_success_ends_it(self, instance: Instance, config: Config) -> None:
        config = self.two_jobs(instance)
        runs = with_run((self.failed("daily"), self.succeeded("nightly")), self.succeeded("daily"))

        assert [run.job for run in runs] == ["nightly", "daily"]
        assert gather_status(config, instance.repository, runs, self.NOW).reasons(self.NOW) == []

    @pytest.mark.parametrize("job", ["manual", "gone"])
    def test_what_no_schedule_repeats_is_told_until_anything_else_runs(
        self, instance: Instance, config: Config, job: str
    ) -> None:
        alone = gather_status(config, instance.repository, (self.failed(job),), self.NOW)
        followed = gather_status(config, instance.repository, (self.failed(job), self.succeeded("daily")), self.NOW)

        assert [len(status.reasons(self.NOW)) for status in (alone, followed)] == [1, 0]

    def test_the_runs_are_remembered_while_the_repository_is_gone(self, instance: Instance, config: Config) -> None:
        refresh_status(config, instance.repository, self.failed("daily"))
        (instance.path / ".tracker-backup").rename(instance.path / "marker")
        refresh_status(config, instance.repository)
        (instance.path / "marker").rename(instance.path / ".tracker-backup")
        refresh_status(config, instance.repository)

        assert instance.status()["jobs"][0]["last_run"]["message"] == "no room"

    def test_the_newest_backup_of_any_job_with_its_sizes(self, instance: Instance, config: Config) -> None:
        config = self.two_jobs(instance)
        paused = an_artifact(bytes=5, raw_bytes=7, pause_seconds=1.5)
        instance.add(a_manifest("2026-11-22T03:30:00Z", job="nightly", artifacts=(paused,)))
        instance.add(a_manifest("2026-11-22T03:40:00Z", job="manual"))

        document = gather_status(config, instance.repository, (), self.NOW).to_json(self.NOW)

        assert document["newest"] == {
            "id": "20261122T033000Z-nightly",
            "job": "nightly",
            "started_at": "2026-11-22T03:30:00Z",
            "raw_bytes": 7,
            "bytes": 5,
            "pause_seconds": 1.5,
        }
        assert (document["next_run"], document["judged_at"]) == ("2026-11-23T03:00:00Z", "2026-11-22T04:00:00Z")

    def test_a_run_that_hangs(self, instance: Instance, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        begun = lock._boottime()
        with instance.repository.lock.acquire(job="daily"):
            assert self.found(instance, config) == []
            monkeypatch.setattr(lock, "_boottime", lambda: begun + config.max_run_seconds + 62)
            found, text = self.only(instance, config)
        assert (found, "a run hangs" in text and "job daily" in text) == (CRITICAL, True)

    def test_no_schedule(self, instance: Instance, config: Config) -> None:
        instance.crontab.unlink()

        assert "put it right with: sudo tracker-backup --config" in self.only(instance, config)[1]

    def test_an_edited_schedule(self, instance: Instance, config: Config) -> None:
        text = instance.crontab.read_text(encoding="utf-8")
        instance.crontab.write_text(text.replace("0 3 * * *", "0 4 * * *"), encoding="utf-8")

        assert [level for level, _ in self.found(instance, config)] == [WARNING, WARNING]  # one missing, one strange

    def test_a_disk_that_is_nearly_full(
        self, instance: Instance, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(space, "free_bytes", lambda _: 64 * 1024**2 + 1600)

        found, text = self.only(instance, config)
        assert found == WARNING
        assert "the next run will find too little room" in text
        assert "1.2 KiB for the raw snapshot of the next run, 480 B for its backup and 64.0 MiB that stay free" in text
        assert "80 B are missing" in text

    def test_a_policy_that_will_not_fit(
        self, instance: Instance, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(capacity, "free_bytes", lambda _: 64 * 1024**2 + 4000)

        found, text = self.only(instance, config)
        assert found == WARNING
        assert "policy x size = 3.1 KiB, the 8 backups that `keep` allows at most" in text
        assert "there is room for 7 of 8: lower `keep`" in text

    def test_a_repository_that_is_gone(self, instance: Instance, config: Config) -> None:
        (instance.path / ".tracker-backup").unlink()

        found, text = self.only(instance, config)
        assert (found, "is the volume mounted?" in text) == (CRITICAL, True)

    def test_a_repository_that_cannot_be_listed(
        self, instance: Instance, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import os

        def broken(_: object) -> object:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "scandir", broken)

        found, text = self.only(instance, config)
        assert (found, "Input/output error" in text) == (CRITICAL, True)


def test_nothing_secret_is_written(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    config = instance.configure(ping_url="https://ping.invalid/canary")
    instance.repository.init()
    status = gather_status(config, instance.repository, (), datetime.now(UTC))

    assert "canary" not in str(status.to_json(datetime.now(UTC)))


@pytest.mark.guarantee(12, 15)
def test_a_status_from_the_future_is_not_well_until_then() -> None:
    """It was written under a clock that was years ahead, and all its limits are those years away."""
    ahead = at("2030-11-20T10:00:00")
    status = Status("default", format_time(ahead), (job_status(DAILY, [], ahead, ahead),))

    assert NAMES[status.level(at("2026-11-20T10:00:00"))] == "WARNING"
    assert NAMES[status.level(ahead)] == "OK"
