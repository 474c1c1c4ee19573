"""Who reads decides how it looks: a person, a pipe, cron, somebody who leaves early."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from support.instance import Instance, a_manifest

ESCAPE = "\x1b"


def on_terminal(instance: Instance, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run the program on a terminal of its own and return its exit code and all that was drawn."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(  # noqa: S606 - no shell is wanted
            sys.executable,
            instance.command(*arguments),
            {"TERM": "xterm-256color", **instance.environment, **environment},
        )
    drawn = b""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:
            break  # the other end is closed
        if not block:
            break
        drawn += block
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), drawn.decode()


def test_a_terminal_gets_bars(instance: Instance) -> None:
    code, drawn = on_terminal(instance, "--now")

    assert code == 0
    assert ESCAPE in drawn
    assert "━" in drawn
    for phase in ("copy tracker", "compress tracker", "check tracker", "read back tracker", "publish"):
        assert phase in drawn


@pytest.mark.parametrize("columns", ["1", "x"])
def test_any_width_will_do(instance: Instance, columns: str) -> None:
    code, drawn = on_terminal(instance, "--now", COLUMNS=columns)

    assert code == 0, drawn
    assert instance.ids()[0] in drawn


def test_a_dumb_terminal_gets_no_cursor_movements(instance: Instance) -> None:
    code, drawn = on_terminal(instance, "--now", TERM="dumb")

    assert code == 0
    assert ESCAPE not in drawn


def test_no_color_is_heeded(instance: Instance) -> None:
    _, drawn = on_terminal(instance, "--now", NO_COLOR="1")

    assert not any(f"{ESCAPE}[{code}" in drawn for code in ("3", "9", "4", "1;3", "38"))


def test_quiet_is_quiet_on_a_terminal_too(instance: Instance) -> None:
    assert on_terminal(instance, "--now", "--quiet") == (0, "")


def test_a_pipe_gets_lines_without_escapes(instance: Instance) -> None:
    done = instance.run("--now", environment={"TERM": "xterm-256color", "FORCE_COLOR": "1"})

    assert ESCAPE not in done.stdout + done.stderr
    assert done.stderr.splitlines()[0].startswith("prepare: ")


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["--help"], []], ids=" ".join)
def test_a_reader_who_leaves_early_is_no_error(instance: Instance, words: list[str]) -> None:
    for day in range(1, 29):
        instance.add(a_manifest(f"2026-10-{day:02}T03:00:00Z"))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            instance.command(*words),
            env=instance.environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)

    assert done.stderr == ""


def test_the_exit_code_does_not_depend_on_the_reader(instance: Instance) -> None:
    """`status | head -1` under pipefail must not turn green because the reader has left."""
    (instance.path / ".tracker-backup").unlink()
    command = " ".join(instance.command("status"))

    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"], env=instance.environment, check=False
    )

    assert done.returncode == 2


def test_a_result_that_cannot_be_written_is_an_error(instance: Instance) -> None:
    """A list that was cut off by a full disk must not look like a whole one."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(instance.command("list"), env=instance.environment, stdout=full, check=False)

    assert done.returncode == 1


def test_a_backup_goes_on_when_its_reader_leaves(instance: Instance) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            instance.command("--now"), env=instance.environment, stdout=writing, stderr=writing, check=False
        )
    finally:
        os.close(writing)

    assert done.returncode == 0
    assert [backup.manifest.state for backup in instance.repository.backups() if backup.manifest] == ["verified"]


def test_a_failure_is_one_whoever_reads(instance: Instance) -> None:
    instance.database.unlink()
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            instance.command("--now"), env=instance.environment, stdout=subprocess.DEVNULL, stderr=writing, check=False
        )
    finally:
        os.close(writing)

    assert done.returncode == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_harm_no_backup(instance: Instance, closed: str) -> None:
    """The next file to be opened would take the closed stream's number, and get the messages written into it."""
    command = " ".join(instance.command("--now"))

    done = subprocess.run(
        ["bash", "-c", f"{command} {closed}"], env=instance.environment, capture_output=True, check=False
    )

    assert done.returncode == 0
    assert instance.run("verify", "--full").returncode == 0


def test_a_name_that_is_no_text_can_be_said(instance: Instance, tmp_path: Path) -> None:
    instance.run("--now", "--quiet")
    target = os.fsencode(tmp_path) + b"/\xff"

    done = subprocess.run(
        [*instance.command("restore", "latest", "--to"), target],
        env=instance.environment,
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0)
    assert os.listdir(target) == [b"tracker.sqlite3"]  # noqa: PTH208 - bytes


@pytest.mark.parametrize(
    "words", [["-q", "list"], ["list", "-q"], ["--instance", "default", "list"], ["list", "--instance", "default"]]
)
def test_options_stand_on_either_side(instance: Instance, words: list[str]) -> None:
    instance.add(a_manifest())

    done = instance.run(*words)

    assert (done.returncode, done.stderr) == (0, "")
    assert "20261122T030000Z-daily  verified  tracker" in done.stdout


def test_json_is_what_the_design_says(instance: Instance) -> None:
    instance.run("--now", "--quiet")
    listed, discovered, status, shown, doctor = (
        json.loads(instance.run(*words, "--json").stdout)
        for words in (["list"], ["discover"], ["status"], ["show", "latest"], ["doctor"])
    )

    assert [manifest["id"] for manifest in listed] == instance.ids()
    assert shown == listed[0]
    assert {"format", "id", "instance", "host", "stack", "job", "manual", "version", "started_at", "finished_at",
            "state", "seconds", "artifacts", "errors", "images"} <= set(shown)  # fmt: skip
    assert {"source", "type", "file", "state", "snapshot_at", "bytes", "raw_bytes", "sha256", "raw_sha256", "method",
            "write_stall_seconds", "pause_seconds", "engine", "checks"} <= set(shown["artifacts"][0])  # fmt: skip
    assert [(item["name"], item["type"], item["path"]) for item in discovered] == [
        ("tracker", "sqlite", str(instance.database))
    ]
    assert "why" in discovered[0]
    assert {"state", "reasons", "jobs"} <= set(status)
    assert status["jobs"][0]["last_verified"] == instance.ids()[0]
    assert {"level", "what", "remedy", "pause_seconds"} == set(doctor[0])


def test_status_of_nothing_is_json_too(tmp_path: Path) -> None:
    done = Instance(tmp_path).run("status", "--json")

    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["jobs"]) == (3, "UNKNOWN", [])
    assert "there is no configuration" in document["reasons"][0]["text"]


class TestWithoutArguments:
    """A short status, a hint, and never an error."""

    def test_of_an_instance(self, instance: Instance) -> None:
        done = instance.run()

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("default: WARNING")
        assert "sudo tracker-backup --now" in done.stdout
        assert "--help" in done.stdout

    def test_without_any_configuration(self, tmp_path: Path) -> None:
        done = Instance(tmp_path).run()

        assert (done.returncode, done.stderr) == (0, "")
        assert "there is no configuration" in done.stdout
        assert "ansible-playbook" in done.stdout

    def test_without_the_repository(self, instance: Instance) -> None:
        (instance.path / ".tracker-backup").unlink()

        done = instance.run()

        assert done.returncode == 0
        assert "CRITICAL" in done.stdout


def test_quiet_commands_say_only_what_was_asked_for(instance: Instance) -> None:
    for words in (["init"], ["schedule", "apply"], ["config", "check"], ["prune"], ["--now"], ["verify"]):
        done = instance.run("--quiet", *words)
        assert (words, done.returncode, done.stdout, done.stderr) == (words, 0, "", "")


def test_a_dry_run_is_of_the_sources_that_are_chosen(instance: Instance) -> None:
    chosen = instance.run("--now", "--dry-run", "--source", "tracker")
    mistyped = instance.run("--now", "--dry-run", "--source", "nope")

    assert chosen.returncode == 0, chosen.stderr
    assert "tracker: " in chosen.stdout
    assert mistyped.returncode == 2
    assert "there is no source nope" in mistyped.stderr


def test_a_dry_run_writes_nothing(instance: Instance) -> None:
    for day in range(1, 21):
        instance.add(a_manifest(f"2026-10-{day:02}T03:00:00Z"))
    before = sorted((path, path.lstat().st_mtime_ns) for path in instance.base.rglob("*"))

    backup, prune, schedule = (
        instance.run(*words, "--dry-run") for words in (["--now"], ["prune"], ["schedule", "apply"])
    )

    assert (backup.returncode, prune.returncode, schedule.returncode) == (0, 0, 0)
    assert "would delete 20261001T030000Z-daily" in backup.stdout
    assert prune.stdout.count(" delete ") == 13
    assert schedule.stdout.startswith("changed: ")
    after = sorted((path, path.lstat().st_mtime_ns) for path in instance.base.rglob("*"))
    assert after == before
