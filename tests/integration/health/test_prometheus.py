"""The metrics of real backups, in a real Prometheus: alerts fire and stop, every panel of the dashboard has data."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from support.clocked import ClockedInstallation
from support.program import Installation, wait_until
from support.prometheus import MONITORING, RULES, Prometheus, watching
from support.tracker_standin import build_database
from tracker_backup.system.files import write_atomically

DASHBOARD = RULES.with_name("tracker-backup-dashboard.json")
HOURLY = ("--now", "--if-due", "--wait", "--quiet")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> ClockedInstallation:
    """Return an installation with metrics and a daily schedule, whose only backup was made three days ago."""
    directory = tmp_path_factory.mktemp("watched")
    (directory / "metrics").mkdir()
    made = ClockedInstallation(directory / "host")
    build_database(made.database, mib=0.5)
    now = datetime.now(UTC)
    then = now + timedelta(hours=12)  # so that nothing is due while the tests run
    jobs = [{"name": "daily", "schedule": f"{then.minute} {then.hour} * * *"}]
    password = directory / "password"
    password.write_text("password\n", encoding="ascii")
    password.chmod(0o600)
    copy = {"name": "nas", "program": "restic", "repository": str(directory / "nas"), "password_file": str(password)}
    made.configure(jobs=jobs, metrics_file=str(metrics_of(made)), copies=[{**copy, "every": "month"}])
    made.set_clock(now - timedelta(days=3))
    assert made.run("init").returncode == 0
    assert made.run("init-copy", "nas").returncode == 0
    made.made(now - timedelta(days=3))
    assert made.run("schedule", "apply").returncode == 0
    made.back_up("--job", "daily")
    made.set_clock(now)
    assert made.run("schedule", "apply").returncode == 0
    return made


@pytest.fixture(scope="module")
def prometheus(host: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Return a Prometheus that watches it."""
    with watching(metrics_of(host).parent, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


def metrics_of(host: Installation) -> Path:
    """Return where its metrics are."""
    return host.directory.parent / "metrics" / "tracker-backup.prom"


def fires(prometheus: Prometheus, names: set[str]) -> None:
    """Wait until these alerts fire, and no others."""
    wait_until(lambda: prometheus.firing() == names, lambda: f"{prometheus.firing()} fire", every_seconds=0.05)


def test_promtool_finds_nothing_wrong(host: Installation) -> None:
    rules = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
    with metrics_of(host).open("rb") as file:
        metrics = subprocess.run(
            ["promtool", "check", "metrics"], stdin=file, capture_output=True, text=True, check=False
        )

    assert (rules.returncode, "8 rules found" in rules.stdout) == (0, True), rules.stdout + rules.stderr
    assert (metrics.returncode, metrics.stdout + metrics.stderr) == (0, "")


def test_every_panel_has_data(prometheus: Prometheus) -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) >= len(dashboard["panels"]) > 8

    for expression in expressions:
        assert prometheus.found(expression.replace("$backup_instance", ".*"))


def test_names_in_legends_are_labels_that_there_are(prometheus: Prometheus) -> None:
    """`job` and `instance` are Prometheus' own: a panel that has them shows the host that was asked."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for target in (target for panel in dashboard["panels"] for target in panel["targets"]):
        [sample, *_] = prometheus.found(target["expr"].replace("$backup_instance", ".*"))
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= set(sample["metric"]), target


def test_the_document_names_every_metric_its_labels_and_every_alert(prometheus: Prometheus) -> None:
    text = MONITORING.read_text(encoding="utf-8")
    told = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"\| `(tracker_\w+)` \|([^|]*)\|", text)
    }
    found = prometheus.found('{__name__=~"tracker_backup_.*"}')

    theirs = {"__name__", "job", "instance", "backup_instance"}
    assert told == {each["metric"]["__name__"]: set(each["metric"]) - theirs for each in found}
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    alerts = re.findall(r"\| `(Tracker\w+)` \| (\w+) \|", text)
    assert alerts == [(rule["alert"], rule["labels"]["severity"]) for rule in rules]


def test_alerts_fire_and_stop(host: ClockedInstallation, prometheus: Prometheus) -> None:
    """Overdue, failed, unverified: each by what happens to real backups, and each ended by the next good one."""
    fires(prometheus, {"TrackerBackupOverdue", "TrackerBackupCritical"})
    [overdue] = [each for each in prometheus.alerts() if each["labels"]["alertname"] == "TrackerBackupOverdue"]
    assert ": job daily of default has had no complete verified backup" in overdue["annotations"]["summary"]
    host.back_up("--job", "daily")
    fires(prometheus, set())

    away = host.database.rename(host.database.with_suffix(".away"))
    assert host.run("--now", "--job", "daily", "--quiet").returncode == 1
    fires(prometheus, {"TrackerBackupFailed", "TrackerBackupWarning"})
    away.rename(host.database)
    host.back_up("--job", "daily")
    fires(prometheus, set())

    newest = max(host.repository.glob("2*/tracker.sqlite3.zst"))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert host.run(*HOURLY).returncode == 0
    fires(prometheus, {"TrackerBackupUnverified", "TrackerBackupWarning"})
    host.back_up("--job", "daily")
    newest.parent.rename(host.directory / "looked-at")
    assert host.run(*HOURLY).returncode == 0
    fires(prometheus, set())


@pytest.mark.parametrize(
    ("name", "metric", "value"),
    [
        ("TrackerBackupLate", "tracker_backup_job_late_timestamp_seconds", "1.0"),
        ("TrackerBackupCopyBehind", "tracker_backup_copy_behind", "1.0"),
        ("TrackerBackupSilent", "tracker_backup_written_timestamp_seconds", "1.0"),
        ("TrackerBackupCritical", "tracker_backup_state", "2.0"),
        ("TrackerBackupWarning", "tracker_backup_state", "1.0"),
    ],
)
def test_what_time_brings(host: Installation, prometheus: Prometheus, name: str, metric: str, value: str) -> None:
    """Nobody waits for a day here: the file says that it has passed."""
    path = metrics_of(host)
    before = path.read_bytes()
    text, count = re.subn(rf"^({metric}\{{.*\}}) .*$", rf"\1 {value}", before.decode(), flags=re.MULTILINE)
    assert count == 1

    write_atomically(path, text.encode(), 0o644)
    fires(prometheus, {name})
    write_atomically(path, before, 0o644)
    fires(prometheus, set())


def test_metrics_that_cannot_be_written_cost_no_backup(host: ClockedInstallation) -> None:
    before = host.manifests()[-1]["id"]
    host.configure(metrics_file=str(host.directory / "none" / "x.prom"))

    done = host.run("--now", "--job", "daily", "--quiet")

    host.configure(metrics_file=str(metrics_of(host)))
    newest = host.manifests()[-1]
    assert (done.returncode, newest["state"], newest["id"] > before) == (0, "verified", True)
    assert "what monitoring reads was not written: cannot write the metrics" in host.log.read_text(encoding="utf-8")
