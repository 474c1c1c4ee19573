"""What surrounds a run: who is told of what, and in which order."""

from __future__ import annotations

import logging
import os
import re
import syslog
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.instance import Instance, a_manifest
from support.logs import records
from tracker_backup import session as module
from tracker_backup.config.load import build_config
from tracker_backup.config.model import Config
from tracker_backup.errors import (
    ConfigurationError,
    DeadlineError,
    LockHeldError,
    PrivilegeError,
    RepositoryError,
    TerminatedError,
    TrackerBackupError,
)
from tracker_backup.health.statefile import read_status
from tracker_backup.health.summary import summary
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.manifest import DAMAGED, Failure
from tracker_backup.run.backup import BackupRun
from tracker_backup.run.outcome import Outcome, Request
from tracker_backup.session import Session
from tracker_backup.system.logs import LOGGER, JournalHandler, open_logs

CANARY = "https://ping.invalid/canary"


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    instance = Instance(tmp_path)
    instance.build(mib=0)
    instance.configure(ping_url=CANARY)
    instance.repository.init()
    return instance


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The pings: event and text."""
    events: list[tuple[str, str]] = []

    def ping(url: str, event: str, text: str = "") -> str | None:
        assert url == CANARY
        events.append((event, text))
        return "the ping address answered 500"

    monkeypatch.setattr(module, "ping", ping)
    return events


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, str]]]:
    """What arrives at the journal: priority and text."""
    records: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *_: None)
    monkeypatch.setattr(syslog, "syslog", lambda priority, text: records.append((priority, text)))
    yield records
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    LOGGER.propagate = True


def session(instance: Instance, *, scheduled: bool = True, **changes: Any) -> tuple[Session, Request]:
    config: Config = instance.configure(ping_url=CANARY, **changes)
    request = Request(config.jobs[0], None, scheduled)
    return Session(config, instance.repository, SilentReporter(), scheduled=scheduled), request


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def execute(*_: object) -> Outcome:
        raise error

    monkeypatch.setattr(BackupRun, "execute", execute)


def test_a_scheduled_run_is_heard_of_from_start_to_end(instance: Instance, heard: list[tuple[str, str]]) -> None:
    running, request = session(instance)

    outcome = running.back_up(request, wait=False)

    assert outcome is not None
    assert [event for event, _ in heard] == ["/start", ""]
    assert outcome.id in heard[1][1]


def test_a_run_by_hand_is_nobody_elses_business(instance: Instance, heard: list[tuple[str, str]]) -> None:
    running, request = session(instance, scheduled=False)

    running.back_up(request, wait=False)

    assert heard == []


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (RepositoryError("the disk is gone"), 1, RepositoryError),
        (ConfigurationError("the disk is gone"), 2, ConfigurationError),
        (DeadlineError("the disk is gone"), 1, DeadlineError),
        (TerminatedError(15, "the disk is gone"), 143, TerminatedError),
        (OSError(5, "the disk is gone"), 1, RepositoryError),
        (PermissionError(13, "the disk is gone"), 2, PrivilegeError),
        (ZeroDivisionError("the disk is gone"), 1, TrackerBackupError),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_ends_a_run_is_logged_pinged_and_in_the_status(
    instance: Instance,
    heard: list[tuple[str, str]],
    journal: list[tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    kind: type[TrackerBackupError],
) -> None:
    running, request = session(instance)
    open_logs(instance.log, "default")
    failing(monkeypatch, error)

    with pytest.raises(kind) as caught:
        running.back_up(request, wait=False)

    assert caught.value.exit_code == code
    assert [event for event, _ in heard] == ["/start", "/fail"]
    status = read_status(instance.state)
    assert status is not None
    assert status.last_run is not None
    assert (status.last_run.exit_code, status.last_run.message) == (code, heard[1][1])
    [told] = [text for priority, text in journal if priority == syslog.LOG_ERR]
    assert re.sub(r"run=\S+Z-daily ", "", told) == f"default: job=daily exit={code} {heard[1][1]}".replace("\n", " / ")
    assert f"exit={code}" in instance.log.read_text(encoding="utf-8")


def test_an_error_of_ours_leaves_its_traceback_in_the_log(
    instance: Instance, heard: list[tuple[str, str]], journal: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happened at night, and may not happen again with -v."""
    running, request = session(instance)
    open_logs(instance.log, "default")
    failing(monkeypatch, ZeroDivisionError("by chance"))

    with pytest.raises(TrackerBackupError, match="internal error, ZeroDivisionError: by chance"):
        running.back_up(request, wait=False)

    assert "Traceback" in instance.log.read_text(encoding="utf-8")


def test_what_ends_a_run_before_it_begins_is_told_too(
    instance: Instance, heard: list[tuple[str, str]], journal: list[tuple[int, str]]
) -> None:
    """Nobody reads cron's mail: an unmounted volume must not be silent."""
    running, request = session(instance)
    open_logs(instance.log, "default")
    instance.repository.marker.unlink()

    with pytest.raises(ConfigurationError):
        running.back_up(request, wait=False)

    assert [event for event, _ in heard] == ["/fail"]
    assert "is the volume mounted?" in heard[0][1]
    assert any(priority == syslog.LOG_ERR and "is the volume mounted?" in text for priority, text in journal)
    assert instance.status()["state"] == "CRITICAL"


def test_a_person_is_told_by_the_message_alone(instance: Instance, heard: list[tuple[str, str]]) -> None:
    running, request = session(instance, scheduled=False)
    instance.repository.marker.unlink()

    with pytest.raises(ConfigurationError):
        running.back_up(request, wait=False)

    assert heard == []
    assert not instance.state.exists()


def test_a_lock_that_is_held_too_long_is_heard_of(
    instance: Instance, heard: list[tuple[str, str]], journal: list[tuple[int, str]]
) -> None:
    running, request = session(instance, max_run_seconds=1)
    open_logs(instance.log, "default")

    with instance.repository.lock.acquire(job="weekly"), pytest.raises(LockHeldError):
        running.back_up(request, wait=True)

    assert [event for event, _ in heard] == ["/fail"]
    assert "job weekly" in heard[0][1]
    assert [priority for priority, _ in journal] == [syslog.LOG_ERR, syslog.LOG_WARNING]


def test_a_bad_ping_fails_no_run_and_is_in_the_log_without_its_address(
    instance: Instance, heard: list[tuple[str, str]], journal: list[tuple[int, str]]
) -> None:
    running, request = session(instance)
    open_logs(instance.log, "default")

    outcome = running.back_up(request, wait=False)

    assert outcome is not None
    assert outcome.exit_code == 0
    log = instance.log.read_text(encoding="utf-8")
    assert log.count("WARNING") == 2
    assert "the ping address answered 500" in log
    assert "canary" not in log + str(journal)


@pytest.mark.parametrize("form", ["text", "logfmt", "json"])
def test_the_journal_gets_what_the_log_file_gets(
    instance: Instance, heard: list[tuple[str, str]], journal: list[tuple[int, str]], form: str
) -> None:
    running, request = session(instance)
    open_logs(instance.log, "default", form)

    outcome = running.back_up(request, wait=False)

    assert outcome is not None
    lines = instance.log.read_text(encoding="utf-8").splitlines()
    texts = [text for _, text in journal]
    assert all(f"{outcome.id}" in text for text in texts)
    if form == "text":
        assert texts == [f"default: {line.partition('] ')[2]}" for line in lines]
    else:
        assert texts == lines
        assert {item["run"] for item in records(instance.log, form)} == {outcome.id}


def test_a_status_that_cannot_be_written_fails_no_run(instance: Instance, heard: list[tuple[str, str]]) -> None:
    running, request = session(instance)
    instance.state.touch()

    outcome = running.back_up(request, wait=False)

    assert outcome is not None
    assert outcome.exit_code == 0


def test_what_is_not_due_is_not_run_and_not_pinged(instance: Instance, heard: list[tuple[str, str]]) -> None:
    """And yet the status is written anew: a copy that was deleted meanwhile, say, is no more a reason."""
    running, request = session(instance, jobs=[{"name": "daily", "schedule": "0 0 1 1 *"}])

    assert running.back_up(request, wait=False, only_if_due=True) is None

    assert heard == []
    assert instance.ids() == []
    assert instance.status()["jobs"][0]["name"] == "daily"


def test_the_last_run_is_remembered_where_nothing_was_due(instance: Instance, heard: list[tuple[str, str]]) -> None:
    running, request = session(instance, jobs=[{"name": "daily", "schedule": "0 0 1 1 *"}])
    running.back_up(request, wait=False)
    running.back_up(request, wait=False, only_if_due=True)

    assert instance.status()["last_run"]["id"] == instance.ids()[0]


def test_after_a_boot_the_repository_is_waited_for(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    running, _ = session(instance)
    hidden = instance.path.rename(instance.base / "not-yet-mounted")
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            hidden.rename(instance.path)

    monkeypatch.setattr(module.time, "sleep", sleep)
    running.wait_for_stack()

    assert len(waits) == 3


def test_after_a_boot_the_database_is_waited_for_but_not_for_ever(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, _ = session(instance)
    instance.database.unlink()
    clock = iter(range(0, 10**6, 100))
    waits: list[float] = []
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(module.time, "sleep", waits.append)

    running.wait_for_stack()

    assert 1 <= len(waits) <= 7


def test_what_is_there_is_not_waited_for(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    running, _ = session(instance)
    monkeypatch.setattr(module.time, "sleep", lambda _: pytest.fail("waited"))

    running.wait_for_stack()


def test_an_error_of_many_lines_is_one_record_of_the_journal(journal: list[tuple[int, str]]) -> None:
    handler = JournalHandler("tracker-backup")
    handler.emit(logging.LogRecord("x", logging.ERROR, "", 0, "what\n  what to do", None, None))

    assert journal == [(syslog.LOG_ERR, "what /   what to do")]


@pytest.mark.parametrize("text", ["/srv/\udcff.db", "a\0b"])
def test_what_is_no_text_can_be_logged(instance: Instance, journal: list[tuple[int, str]], text: str) -> None:
    open_logs(instance.log, "default")
    LOGGER.error("cannot read %s", text)

    (_, told), *_ = journal
    assert told.encode().startswith(b"default: cannot read ")
    assert "\0" not in told
    assert "cannot read" in instance.log.read_text(encoding="utf-8")


def test_a_full_disk_of_the_log_is_said_once(
    instance: Instance, journal: list[tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    open_logs(Path("/dev/full"), "default")
    for _ in range(3):
        LOGGER.error("something")

    said = capsys.readouterr().err
    assert said == "tracker-backup: cannot write the log /dev/full: [Errno 28] No space left on device\n"
    assert len(journal) == 3


def test_the_log_is_nobody_elses(instance: Instance, journal: list[tuple[int, str]]) -> None:
    before = os.umask(0o022)
    try:
        open_logs(instance.base / "log" / "default.log", "default")
    finally:
        os.umask(before)

    assert (instance.base / "log" / "default.log").stat().st_mode & 0o007 == 0


CONFIG = build_config({"stack": "/opt/torrust", "repository": "/var/backups/x"}, Path("/nonexistent/default.yml"))


class TestSummary:
    """A sentence for the log, the ping and the status."""

    def test_of_success(self) -> None:
        assert (
            summary(Outcome("x", a_manifest()), CONFIG)
            == "20261122T030000Z-daily verified, 1000 B raw, 400 B stored, 0.0 s"
        )

    def test_of_a_part(self) -> None:
        manifest = replace(a_manifest(state="partial"), seconds={"copy": 1.25})
        said = summary(Outcome("x", manifest, failures=(Failure("index", "gone"),)), CONFIG)

        assert said.endswith("partial, 1000 B raw, 400 B stored, 1.2 s; missing: index: gone")

    def test_of_nothing(self) -> None:
        damaged = Outcome("x", None, a_manifest(), failures=(Failure("tracker", "is damaged", DAMAGED),))

        assert summary(damaged, CONFIG) == (
            "nothing was published: tracker: is damaged; the damaged copy is in quarantine as x"
        )
