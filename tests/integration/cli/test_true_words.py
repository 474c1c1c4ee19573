"""What a message names is the true cause, and what it says of other things is true."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.instance import PROGRAM, Instance, nobody
from support.small_disk import needs_root


@contextlib.contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Let a directory lie on a read-only disk for the time of the block."""
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def test_the_schedule_is_spoken_of_where_one_was_asked_for(instance: Instance) -> None:
    assert instance.run("schedule", "apply").returncode == 0
    before = instance.crontab.read_bytes()
    instance.configure()
    instance.file.write_text(instance.file.read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")
    left, next_step = "the running schedule was left as it is", f"tracker-backup --config {instance.file} config check"

    for words in (["status"], ["config", "check"], ["--now"], ["doctor"], ["schedule", "show"]):
        done = instance.run(*words)
        said = done.stdout + done.stderr
        assert (words, "unknown key 'nonsense'" in said, next_step in said) == (words, True, True), said
        assert left not in said, words
    for action in ("apply", "remove"):
        done = instance.run("schedule", action)
        assert (done.returncode, next_step in done.stderr, left in done.stderr) == (2, True, True), done
    assert instance.crontab.read_bytes() == before


@needs_root
def test_doctor_says_what_a_run_says_of_a_read_only_repository(instance: Instance) -> None:
    with read_only(instance.path):
        run, doctor = instance.run("--now"), instance.run("doctor")

    remedy = "that disk is read-only, which the kernel makes of one with errors: look at `dmesg`, then remount it"
    assert (run.returncode, doctor.returncode) == (1, 1)
    for part in ("Read-only file system", remedy):
        assert part in run.stderr
        assert part in doctor.stdout
    assert f"FAIL  {instance.path} cannot be written to: Read-only file system\n" in doctor.stdout
    assert "with sudo" not in doctor.stdout


@needs_root
def test_doctor_says_of_a_read_only_state_directory_what_is_true(instance: Instance) -> None:
    assert instance.run("--now", "--quiet").returncode == 0
    with read_only(instance.state):
        doctor = instance.run("doctor")

    assert f"state_directory: {instance.state} cannot be written to: Read-only file system" in doctor.stdout


def test_doctor_sends_whoever_is_not_root_to_sudo(open_path: Path) -> None:
    instance = Instance(open_path)
    instance.build()
    instance.configure()
    instance.repository.init()
    for path in (instance.file, instance.path, instance.path / ".tracker-backup"):
        path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else 0o644)
    if os.geteuid() != 0:
        instance.path.chmod(0o500)

    doctor = instance.run("doctor", user=nobody())

    assert (
        f"{instance.path} cannot be written to: Permission denied\n      run the same command with sudo"
        in doctor.stdout
    )


@pytest.mark.parametrize("words", [["status"], ["--now"], ["list"]])
def test_a_file_is_no_directory_of_configurations(instance: Instance, words: list[str]) -> None:
    done = instance.run(*words, environment={"TRACKER_BACKUP_CONFIG_DIRECTORY": str(instance.file)})

    assert done.returncode == (3 if words == ["status"] else 2)
    assert f"{instance.file} is not a directory" in done.stdout + done.stderr
    assert "TRACKER_BACKUP_CONFIG_DIRECTORY" in done.stdout + done.stderr
    assert "by root only" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(["list"], 1), (["status"], 3), (["-v", "list"], 1), (["--now", "--quiet"], 1), ([], 0)],
)
def test_a_library_that_is_missing_is_named(instance: Instance, words: list[str], code: int) -> None:
    done = without_libraries(instance, *words)

    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "the Python library yaml is missing: /usr/bin/python3" in said
    assert "\n  sudo apt-get install python3-yaml\n" in said
    assert "internal error" not in said


@pytest.mark.parametrize("library", ["jsonschema", "croniter", "sh", "crontab", "rich"])
def test_each_library_is_named(instance: Instance, library: str) -> None:
    """Whatever comes to need it first; what does without it works, and doctor says it all."""
    program = (
        "import runpy, sys; sys.modules[sys.argv[1]] = None; "
        "sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", program, library, str(PROGRAM), "doctor"]
    done = subprocess.run(command, env=instance.environment, capture_output=True, text=True, check=False)

    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert f"the Python library {library} is missing" in said
    assert f"sudo apt-get install python3-{library}" in said
    assert "internal error" not in said


def without_libraries(instance: Instance, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program with nothing but Python's own modules."""
    command = ["/usr/bin/python3", "-S", "-I", str(PROGRAM), *words]
    return subprocess.run(command, env=instance.environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [["status"], ["--now", "--quiet"], ["list"]])
def test_a_configuration_that_nobody_writes_into_keeps_nobody_waiting(instance: Instance, words: list[str]) -> None:
    fifo = instance.base / "fifo.yml"
    os.mkfifo(fifo, 0o600)

    done = instance.run("--config", str(fifo), *words)

    assert done.returncode == (3 if words == ["status"] else 2)
    assert f"cannot read {fifo}: not a plain file" in done.stdout + done.stderr


def test_a_link_to_a_configuration_is_followed(instance: Instance) -> None:
    link = instance.base / "default.yml"
    link.symlink_to(instance.file)

    assert instance.run("--config", str(link), "list").returncode == 0


@pytest.mark.parametrize("nowhere", ["", " "])
def test_a_restore_to_nowhere_is_refused(instance: Instance, nowhere: str) -> None:
    assert instance.run("--now", "--quiet").returncode == 0

    done = instance.run("restore", "latest", "--to", nowhere)

    assert (done.returncode, "--to names no directory" in done.stderr) == (2, True), done
    assert not Path("/tracker.db").exists(), "the directory that it was started in"


def test_a_table_that_is_named_twice_is_restored_once(instance: Instance) -> None:
    assert instance.run("--now", "--quiet").returncode == 0
    target = instance.base / "restored"

    done = instance.run("restore", "latest", "--to", str(target), "--table", "torrents", "--table", "torrents")

    assert (done.returncode, "  1 table, " in done.stdout) == (0, True), done
    assert [path.name for path in target.iterdir()] == ["tracker.tables.sqlite3"]
