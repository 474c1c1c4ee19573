"""Every exit code, from the program as it is run; and the one message that comes with it."""

from __future__ import annotations

import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.instance import Instance, a_manifest


def corrupt(database: Path) -> None:
    """Overwrite the pages of a table, such that only the engine's check can tell."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'torrents'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x05" * 64)


def told_once(text: str, *parts: str) -> None:
    """Check that a message is there once, whole, and without a traceback."""
    assert "Traceback" not in text
    assert text.count("tracker-backup: ") == 1
    for part in parts:
        assert part in text


def test_0_a_quiet_success_says_nothing_at_all(instance: Instance) -> None:
    done = instance.run("--now", "--quiet")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(instance.ids()) == 1


def test_0_a_success_says_everything(instance: Instance) -> None:
    done = instance.run("--now")

    identifier = instance.ids()[0]
    assert done.returncode == 0
    assert done.stdout.startswith("job daily, the first of ")
    for part in (f"\n{identifier}: verified", "_check ok", "WRITE STALL", "PAUSE"):
        assert part in done.stdout
    assert done.stdout.endswith(f"restore {identifier} --to ./restored\n")
    assert "copy tracker: " in done.stderr


def test_1_nothing_could_be_copied(instance: Instance) -> None:
    instance.database.unlink()

    done = instance.run("--now", "--quiet")

    assert (done.returncode, done.stdout) == (1, "")
    told_once(
        done.stderr,
        "instance default",
        socket.gethostname(),
        "tracker: ",
        str(instance.database),
        f"log: {instance.log}",
    )
    assert instance.ids() == []
    assert not instance.database.exists()


def test_5_the_copy_is_damaged(instance: Instance) -> None:
    corrupt(instance.database)

    done = instance.run("--now", "--quiet")

    assert (done.returncode, done.stdout) == (5, "")
    told_once(done.stderr, "instance default", "is damaged", "quarantine", f"log: {instance.log}")
    assert instance.ids() == []
    assert len(instance.repository.quarantined()) == 1


def test_3_a_source_is_missing(instance: Instance) -> None:
    sources = [
        *instance.document()["sources"],
        {"name": "index", "type": "sqlite", "path": str(instance.base / "no.db")},
    ]
    instance.configure(sources=sources)

    done = instance.run("--now", "--quiet")

    assert (done.returncode, done.stdout) == (3, "")
    told_once(done.stderr, "partial", "missing: index: ", f"{instance.base}/no.db")
    assert [backup.manifest.state for backup in instance.repository.backups() if backup.manifest] == ["partial"]


def test_4_another_run_is_at_work(instance: Instance) -> None:
    with instance.repository.lock.acquire(job="weekly"):
        quiet, plain = instance.run("--now", "--quiet"), instance.run("--now")
        prune = instance.run("prune")

    assert [done.returncode for done in (quiet, plain, prune)] == [4, 4, 4]
    told_once(
        quiet.stderr, "instance default on", "another run is at work: process ", "job weekly, phase start, since 20"
    )
    told_once(plain.stderr, "another run is at work: process ")
    assert instance.ids() == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_128_and_the_signal(instance: Instance, number: signal.Signals) -> None:
    """Whoever ends a run gets its code; nothing is left of the run, and it is said what became of it."""
    instance.configure(rate_limit_mib_per_second=0.02)
    process = instance.start("--now", "--quiet")
    while not list(instance.path.glob(".staging/*/tracker/*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)

    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out) == (128 + number, "")
    told_once(err, "instance default", f"stopped by {number.name}")
    assert instance.ids() == []
    assert list(instance.path.glob(".incoming/*")) == list(instance.path.glob(".staging/*")) == []
    assert instance.status()["last_run"]["exit_code"] == 128 + number


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--now", "--job", "weekly"], "there is no job 'weekly'"),
        (["--now", "--source", "index"], "there is no source index"),
        (["--now", "--if-due", "--job", "daily"], "--if-due takes every job"),
        (["show", "20260101T000000Z-daily"], "there is no backup"),
        (["restore", "latest", "--to", "x"], "there is no backup"),
        (["restore", "./nowhere", "--to", "x"], "nowhere is not a directory"),
        (["--instance", "other", "list"], "there is no configuration file"),
        (["--instance", "../x", "list"], "is not an instance's name"),
        (["--config", "/nonexistent.yml", "list"], "there is no configuration file /nonexistent.yml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_2_for_what_cannot_be(instance: Instance, words: list[str], said: str) -> None:
    done = instance.run(*words)

    assert done.returncode == 2
    told_once(done.stderr, said)


def test_what_a_person_mistyped_is_no_bad_night(instance: Instance) -> None:
    assert instance.run("--now").returncode == 0
    before = instance.status()["last_run"]

    assert instance.run("--now", "--source", "index").returncode == 2

    assert instance.status()["last_run"] == before
    assert "there is no source" not in instance.run("status").stdout


def test_2_for_a_configuration_that_is_wrong(instance: Instance) -> None:
    text = instance.file.read_text(encoding="utf-8")
    instance.file.write_text(text + "jobs: [{name: Daily, keep: {daily: 0}}]\nstage: /x\n", encoding="utf-8")

    for words in (["--now", "--quiet"], ["config", "check"], ["schedule", "apply"]):
        done = instance.run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        told_once(
            done.stderr, "3 errors", "jobs[0].keep.daily: 0 is less than 1", "jobs[0].name: ", "unknown key 'stage'"
        )
    assert not instance.crontab.exists()


def test_2_for_several_instances(instance: Instance) -> None:
    (instance.etc / "second.yml").write_text("stack: /a\nrepository: /b\n", encoding="utf-8")

    done = instance.run("list")

    assert done.returncode == 2
    told_once(done.stderr, "several instances are configured: default, second", "--instance NAME")
    assert instance.run("--instance", "default", "list").returncode == 0


def test_2_for_a_volume_that_is_not_mounted(instance: Instance) -> None:
    (instance.path / ".tracker-backup").unlink()

    done = instance.run("--now", "--quiet")

    assert (done.returncode, done.stdout) == (2, "")
    told_once(
        done.stderr, "instance default on", "is not a repository", "is the volume mounted?", f"log: {instance.log}"
    )
    assert list(instance.path.iterdir()) == []
    assert "is not a repository" in instance.log.read_text(encoding="utf-8")
    assert instance.status()["state"] == "CRITICAL"


def test_2_and_the_journal_for_a_job_that_the_crontab_alone_knows(instance: Instance) -> None:
    done = instance.run("--now", "--job", "yesterday", "--quiet")

    assert done.returncode == 2
    told_once(done.stderr, "there is no job 'yesterday'", "there are: daily")
    assert "ERROR" in instance.log.read_text(encoding="utf-8")


@pytest.mark.guarantee(12)
def test_the_status_has_nagios_codes(instance: Instance) -> None:
    assert instance.run("schedule", "apply").returncode == 0
    codes = [instance.run("status").returncode]
    (instance.path / "20260101T030000Z-daily").mkdir()
    codes.append(instance.run("status").returncode)
    (instance.path / ".tracker-backup").unlink()
    codes.append(instance.run("status").returncode)
    instance.file.write_text("nonsense", encoding="utf-8")
    codes.append(instance.run("status").returncode)

    assert codes == [0, 1, 2, 3]


@pytest.mark.guarantee(11)
def test_a_damaged_manifest_stops_nothing(instance: Instance) -> None:
    damaged = instance.path / "20260101T030000Z-daily"
    damaged.mkdir()
    (damaged / "manifest.json").write_text("{", encoding="utf-8")
    (damaged / "tracker.sqlite3.zst").write_bytes(b"perhaps all that is left")
    instance.configure(jobs=[{"name": "daily", "keep": {"last": 1}}])

    assert [instance.run("--now", "--quiet").returncode for _ in range(2)] == [0, 0]
    listed, as_json, pruned = instance.run("list"), instance.run("list", "--json"), instance.run("prune")

    assert (listed.returncode, as_json.returncode, pruned.returncode) == (0, 0, 0)
    assert [damaged.name, "unreadable"] in [line.split() for line in listed.stdout.splitlines()]
    assert f"{damaged.name} is unreadable: " in listed.stdout
    assert damaged.name not in as_json.stdout
    assert damaged.name in as_json.stderr
    assert (damaged / "tracker.sqlite3.zst").exists()
    assert len(instance.ids()) == 2
    assert instance.run("show", damaged.name).returncode == 1
    assert instance.run("verify", damaged.name).returncode == 5


def test_verbose_shows_where_an_error_comes_from(instance: Instance) -> None:
    plain, verbose = instance.run("show", "x"), instance.run("-v", "show", "x")

    assert "Traceback" not in plain.stderr
    assert "Traceback" in verbose.stderr
    assert verbose.stderr.endswith(plain.stderr)
    assert (plain.returncode, verbose.returncode) == (2, 2)


def test_a_quarantined_set_is_listed_apart(instance: Instance) -> None:
    (instance.path / ".quarantine").mkdir()
    instance.add(a_manifest()).rename(instance.path / ".quarantine" / "20261122T030000Z-daily")

    some, everything = instance.run("list"), instance.run("list", "--all", "--json")

    assert "There is no backup" in some.stdout
    assert "In quarantine" in some.stdout
    assert "20261122T030000Z-daily" in everything.stdout


@pytest.mark.guarantee(12)
def test_where_a_log_is_named_it_says_so_too(instance: Instance) -> None:
    done = instance.run("--now", "--quiet", "--job", "nope")

    assert (done.returncode, f"log: {instance.log}" in done.stderr) == (2, True)
    logged = instance.log.read_text(encoding="utf-8")
    assert " ERROR " in logged
    assert f"there is no job 'nope' in {instance.file}" in logged


@pytest.mark.guarantee(12)
def test_what_begins_in_the_log_ends_there(instance: Instance) -> None:
    """Also what a person has mistyped, of which no status warns."""
    done = instance.run("--now", "--source", "nope")

    assert done.returncode == 2
    lines = [line.split(" ", 4)[4] for line in instance.log.read_text(encoding="utf-8").splitlines() if line[0] == "2"]
    assert lines[0] == "job=manual trigger=command begins"
    assert lines[-1] == "job=manual exit=2 there is no source nope"
    assert not (instance.state / "status.json").exists()
