"""Each way in which not all is well, from the program itself: its exit code, its words, and the same in JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.instance import Instance, a_manifest, an_artifact
from support.tracker_standin import build_database
from tracker_backup.repository.lock import RepositoryLock
from tracker_backup.repository.manifest import Failure, Manifest, format_time

pytestmark = pytest.mark.guarantee(12)

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """Return an instance that has its schedule, and a database of which there has been no backup yet."""
    made = Instance(tmp_path)
    made.build()
    made.configure()
    made.repository.init()
    assert made.run("schedule", "apply").returncode == 0
    return made


def told(instance: Instance, level: int, *words: str) -> None:
    """Check that the program tells of it in text and in JSON, with the exit code, and of nothing worse."""
    text, as_json = instance.run("status"), instance.run("status", "--json")
    document = json.loads(as_json.stdout)
    assert (text.returncode, as_json.returncode) == (level, level), text.stdout + text.stderr
    assert text.stdout.startswith(f"{NAMES[level]}: "), text.stdout
    assert document["state"] == NAMES[level]
    assert {reason["level"] for reason in document["reasons"]} == ({NAMES[level]} if level else set())
    for word in words:
        assert word in text.stdout.splitlines()[0]
        assert any(word in reason["text"] for reason in document["reasons"])


def ago(hours: float) -> str:
    """Return the time of so many hours ago, as it stands in a manifest."""
    return format_time(datetime.now(UTC) - timedelta(hours=hours))


def taken(hours: float, **changes: object) -> Manifest:
    """Return the manifest of a backup from so many hours ago."""
    return a_manifest(ago(hours), **changes)


def grown_old(instance: Instance, days: int) -> None:
    """Let the instance have been there for so many days."""
    then = time.time() - days * 86400
    for path in (instance.path / ".tracker-backup", instance.file):
        os.utime(path, (then, then))
    noted = {"daily": {"schedule": "0 3 * * *", "since": ago(days * 24)}}
    (instance.state / "jobs.json").write_text(json.dumps(noted))


def test_it_never_ran_and_need_not_have_yet(instance: Instance) -> None:
    told(instance, OK)
    assert "no verified backup yet" in instance.run("status").stdout


def test_it_never_ran_and_should_have(instance: Instance) -> None:
    grown_old(instance, 5)

    told(instance, CRITICAL, "job daily has no complete verified backup in time; the last was: never")


@pytest.mark.parametrize(("hours", "level"), [(1, OK), (25, OK), (40, WARNING), (75, CRITICAL)])
def test_it_is_overdue(instance: Instance, hours: int, level: int) -> None:
    """A period and two hours, then two of them: in between it depends on the hour of the day at which one looks."""
    grown_old(instance, 9)
    newest = taken(hours)
    instance.add(newest)

    words = f"job daily has no complete verified backup in time; the last was: {newest.started_at}"
    told(instance, level, *([words] if level else []))


def test_it_ran_and_failed(instance: Instance) -> None:
    instance.database.rename(instance.base / "away")
    assert instance.run("--now", "--quiet").returncode == 1

    told(instance, WARNING, "the last run (daily, ", "nothing was published", "tracker")

    (instance.base / "away").rename(instance.database)
    assert instance.run("--now", "--quiet").returncode == 0
    told(instance, OK)


def test_it_is_partial(instance: Instance) -> None:
    instance.add(taken(30))
    partial = taken(3, state="partial", errors=(Failure("index", "it is gone"),))
    instance.add(partial)
    grown_old(instance, 0)

    told(instance, WARNING, f"the newest backup of daily, {partial.id}, is without index")


def test_it_is_unverified(instance: Instance) -> None:
    instance.add(taken(30))
    unverified = taken(3, state="unverified")
    instance.add(unverified)

    told(instance, WARNING, f"the newest backup of daily, {unverified.id}, is unverified")


def test_the_schedule_is_missing(instance: Instance) -> None:
    instance.crontab.unlink()

    told(instance, WARNING, "schedule: ", "schedule apply")


@pytest.mark.parametrize("edit", ["#0 3", "5 4", "0 3 * * 1"])
def test_the_schedule_was_edited(instance: Instance, edit: str) -> None:
    instance.crontab.write_text(instance.crontab.read_text().replace("0 3", edit, 1))

    told(instance, WARNING, "schedule: ", "schedule apply")


def test_the_hourly_entry_is_gone(instance: Instance) -> None:
    lines = instance.crontab.read_text().splitlines(keepends=True)
    instance.crontab.write_text("".join(line for line in lines if "--if-due" not in line))

    told(instance, WARNING, "schedule: ", "schedule apply")


@pytest.mark.parametrize("hours", [1, 10])
def test_a_run_hangs(instance: Instance, hours: int) -> None:
    with RepositoryLock(instance.path).acquire(job="daily") as lock:
        for clock in ("started", "started_boottime"):
            lock._holder[clock] -= hours * 3600
        lock.phase("copy tracker")

        words = [f"process {os.getpid()}", "phase copy tracker", "a run hangs, for longer than max_run_seconds"]
        told(instance, CRITICAL if hours > 6 else OK, *(words if hours > 6 else []))


def under_way(instance: Instance, *words: str) -> subprocess.Popen[str]:
    """Start a run that takes long, and return once it is copying."""
    instance.configure(rate_limit_mib_per_second=0.004, jobs=JOBS)
    process = instance.start("--now", "--quiet", *words)
    while not list(instance.path.glob(".staging/*/tracker/*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def ended_by(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    process.communicate(timeout=60)


JOBS = [{"name": "daily", "schedule": "0 3 * * *"}, {"name": "weekly", "schedule": "0 4 * * 0"}, {"name": "hand"}]
DIED = "died, without a word"


@pytest.fixture
def well(instance: Instance) -> Instance:
    """Return an instance that has a good backup of each job, and says so."""
    instance.configure(jobs=JOBS)
    assert instance.run("schedule", "apply").returncode == 0
    for job in ("daily", "weekly"):
        assert instance.run("--now", "--quiet", "--job", job).returncode == 0
    told(instance, OK)
    return instance


def test_a_run_was_killed(well: Instance) -> None:
    before = well.run("status", "--json")
    process = under_way(well, "--job", "daily")
    told(well, OK)  # it goes on
    ended_by(process, signal.SIGKILL)
    well.configure(jobs=JOBS)

    words = ["the run of daily that began at ", f"(process {process.pid})", DIED, "--now --job daily"]
    told(well, WARNING, *words)
    assert well.run("schedule", "apply").returncode == 0
    assert well.status()["state"] == "WARNING", "who may not look hears of it once somebody has looked"
    assert json.loads(before.stdout)["last_runs"] == well.status()["last_runs"]
    assert well.run("--now", "--quiet", "--job", "weekly").returncode == 0
    told(well, WARNING, *words)

    again = under_way(well, "--job", "daily")
    told(well, WARNING, *words)
    ended_by(again, signal.SIGKILL)
    well.configure(jobs=JOBS)
    told(well, WARNING, f"(process {again.pid})", DIED)

    assert well.run("--now", "--quiet", "--job", "daily").returncode == 0
    told(well, OK)
    assert well.status()["state"] == "OK"
    assert list(well.state.glob("begun-*")) == []


def test_a_run_died_with_its_host(well: Instance) -> None:
    """After the start another process has the number of the one that is gone, and the lock is as it was left."""
    ended_by(under_way(well, "--job", "daily"), signal.SIGKILL)
    well.configure(jobs=JOBS)
    note = next(well.state.glob("begun-*"))
    note.write_text(json.dumps(json.loads(note.read_bytes()) | {"pid": os.getpid()}), encoding="ascii")
    with RepositoryLock(well.path).acquire(job="weekly"):
        told(well, WARNING, "the run of daily that began at ", DIED)


def test_a_run_by_hand_was_killed(well: Instance) -> None:
    """No schedule runs it again, so that whichever run comes next is what counts."""
    ended_by(under_way(well, "--job", "hand"), signal.SIGKILL)
    well.configure(jobs=JOBS)
    told(well, WARNING, "the run of hand that began at ", DIED)

    assert well.run("--now", "--quiet", "--job", "weekly").returncode == 0
    told(well, OK)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGALRM])
def test_a_run_that_was_ended_has_told_so_itself(well: Instance, number: signal.Signals) -> None:
    ended_by(under_way(well, "--job", "daily"), number)
    well.configure(jobs=JOBS)

    told(well, WARNING, "the last run (daily, ")
    assert DIED not in well.run("status").stdout
    assert list(well.state.glob("begun-*")) == []


def test_runs_that_fail_or_never_begin_have_told_so_themselves(well: Instance) -> None:
    well.run("--now", "--source", "nope")
    with RepositoryLock(well.path).acquire(job="weekly"):
        assert well.run("--now", "--quiet").returncode == 4
    told(well, OK)
    well.database.rename(well.base / "away")
    assert well.run("--now", "--quiet").returncode == 1

    assert DIED not in well.run("status").stdout
    assert list(well.state.glob("begun-*")) == []


@pytest.mark.parametrize("damage", [b"", b"{}", b"[" * 5000, b'{"job": "daily", "began_at": "then", "pid": 1}'])
def test_a_note_that_says_nothing_costs_nothing(well: Instance, damage: bytes) -> None:
    (well.state / "begun-00000000").write_bytes(damage)

    told(well, OK)
    assert well.run("--now", "--quiet").returncode == 0
    assert list(well.state.glob("begun-*")) == []


@pytest.mark.parametrize("full", ["now", "one day"])
def test_the_repository_is_nearly_full(instance: Instance, full: str) -> None:
    size = 10**13
    large = an_artifact(bytes=size if full == "one day" else 400, raw_bytes=1000 if full == "one day" else size)
    instance.add(taken(3, artifacts=(large,)))

    words = "the next run will find too little room" if full == "now" else ""
    told(instance, WARNING, words or "room")


def test_a_copy_is_suddenly_far_smaller_and_displaces_nothing(instance: Instance) -> None:
    instance.configure(jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 1}}])
    instance.database.unlink()
    build_database(instance.database, mib=2)
    assert instance.run("--now", "--quiet").returncode == 0
    instance.database.unlink()
    build_database(instance.database, mib=0.1)
    assert instance.run("--now", "--quiet").returncode == 3
    before, small = instance.ids()

    told(instance, WARNING, "tracker has only", f"accept {small}")
    assert "it counts for nothing" in instance.run("status").stdout
    assert instance.run("prune").returncode == 0
    assert instance.ids() == [before, small]

    assert instance.run("accept", small).returncode == 0
    told(instance, OK)
    last = next(line for line in instance.run("status").stdout.splitlines() if line.startswith("last run: "))
    assert last.endswith(", accepted since"), last
    assert instance.status()["last_run"]["message"].endswith(", accepted since")
    assert instance.run("prune").returncode == 0
    assert instance.ids() == [small]


def test_a_copy_is_in_quarantine(instance: Instance) -> None:
    assert instance.run("--now", "--quiet").returncode == 0
    with instance.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x07" * 4096)
    assert instance.run("--now", "--quiet").returncode == 5

    document = json.loads(instance.run("status", "--json").stdout)

    texts = [reason["text"] for reason in document["reasons"]]
    assert document["state"] == "WARNING"
    assert any(text.startswith("a copy that failed its check is in quarantine: ") for text in texts)
    assert any(text.startswith("the last run (daily, ") for text in texts)


def test_a_backup_is_from_the_future(instance: Instance) -> None:
    instance.add(taken(3))
    ahead = taken(-500)
    instance.add(ahead)

    told(instance, WARNING, f"backup {ahead.id} is from the future: was the clock changed? It counts for nothing")


def test_a_backup_cannot_be_read(instance: Instance) -> None:
    instance.add(taken(3))
    damaged = instance.add(taken(30))
    (damaged / "manifest.json").write_bytes(b"\x00")

    told(instance, WARNING, f"backup {damaged.name} cannot be read")


def test_the_repository_is_gone(instance: Instance) -> None:
    instance.path.rename(instance.base / "elsewhere")

    told(instance, CRITICAL, "is not a repository", "is the volume mounted?")


def test_the_repository_is_another_kind_of_thing(instance: Instance) -> None:
    instance.path.rename(instance.base / "elsewhere")
    instance.path.write_text("a file")

    told(instance, CRITICAL, "is not a repository")


def test_the_configuration_cannot_be_understood(instance: Instance) -> None:
    instance.file.write_text("stack: [", encoding="utf-8")

    told(instance, UNKNOWN, str(instance.file))


def test_two_things_at_once_are_both_told_the_worst_first(instance: Instance) -> None:
    grown_old(instance, 9)
    instance.crontab.unlink()

    document = json.loads(instance.run("status", "--json").stdout)

    assert [reason["level"] for reason in document["reasons"]] == ["CRITICAL", "WARNING"]
