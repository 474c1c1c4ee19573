"""Commands behave alike under both versions of the library that runs them: the pinned one and the distribution's."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.program import is_running, wait_until
from tracker_backup.errors import CommandError
from tracker_backup.system import process

SCENARIOS = Path(__file__).resolve().parents[2] / "support" / "process_scenarios.py"


@pytest.fixture(params=[sys.executable, "/usr/bin/python3"], ids=["pinned", "distribution"])
def python(request: pytest.FixtureRequest) -> str:
    """Return an interpreter with a version of sh of its own."""
    return str(request.param)


def scenario(python: str, name: str, *arguments: Path, **environment: str) -> Any:
    """Return what a scenario found; nothing may be said on stderr by that."""
    done = subprocess.run(
        [python, "-I", str(SCENARIOS), name, *map(str, arguments)],
        env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("success", [0, "a\nb", ""]),
        ("failure", {"error": "sh exited with 3: one / two", "hint": None}),
        ("silent failure", {"error": "sh exited with 3: it said nothing", "hint": None}),
        ("unchecked failure", [3, "out\n", "err\n"]),
        ("signal", [-9, "", ""]),
        (
            "missing",
            {"error": "the program no-such-program is not installed", "hint": "sudo apt-get install no-such-program"},
        ),
        ("stdin", [0, "", ""]),
        ("input", [0, "ä\n$HOME\x00end", ""]),
        ("words", [0, "<a b><$HOME><*><'\"><><--x><ä>", ""]),
        ("bytes", [0, "\N{REPLACEMENT CHARACTER}\x00ok", ""]),
        ("session", [0, "0\n", ""]),
        ("large", [3000000, 2000000, True]),
    ],
)
def test_a_command_s_end_and_words_arrive(python: str, name: str, found: Any) -> None:
    assert scenario(python, name) == found


@pytest.mark.parametrize("name", ["missing path", "not a program"])
def test_what_can_not_be_run_is_an_error_of_ours(python: str, name: str) -> None:
    assert scenario(python, name)["error"].startswith("cannot run /")


def test_the_command_line_never_gets_into_an_error(python: str) -> None:
    """It may hold a password."""
    assert "the-password" not in scenario(python, "secret")["error"]


def test_the_environment_is_clean(python: str) -> None:
    hostile = {"LD_LIBRARY_PATH": "/tmp/x", "PYTHONPATH": "/tmp/x", "BASH_ENV": "/tmp/x", "IFS": "x", "LANG": "de_DE"}

    _, text, _ = scenario(python, "environment", **hostile, HOME="/root", TZ="UTC", PATH="/tmp:/usr/bin")

    found = dict(line.split("=", 1) for line in text.splitlines())
    found.pop("TMPDIR", None)
    assert found == {
        "HOME": "/root",
        "TZ": "UTC",
        "PATH": process.SYSTEM_PATH,
        "LC_ALL": "C.UTF-8",
        "EXTRA": "one two",
    }


def test_a_command_has_no_terminal(python: str) -> None:
    """Not even the one of the program: it could ask for a password there and wait for ever."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            ["setsid", "--ctty", "--wait", python, "-I", str(SCENARIOS), "terminal"],
            stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)

    assert json.loads(done.stdout) == [0, "1\n?\n", ""]


@pytest.mark.parametrize("name", ["timeout", "stubborn"])
def test_what_takes_too_long_is_killed_with_all_that_it_started(python: str, name: str, tmp_path: Path) -> None:
    told = tmp_path / "pid"

    found = scenario(python, name, told)

    assert found["error"] == "sh did not end within 3 s and was killed"
    wait_until(lambda: not is_running(int(told.read_text())), lambda: "what it started goes on")


def test_a_command_whose_leader_is_gone_is_killed_all_the_same(python: str, tmp_path: Path) -> None:
    """The time is over while something that it left behind still holds its output."""
    told = tmp_path / "pid"

    assert scenario(python, "left behind", told)["error"] == "sh did not end within 1 s and was killed"

    wait_until(lambda: not is_running(int(told.read_text())), lambda: "what it left behind goes on")


def test_a_signal_ends_the_command_too(python: str, tmp_path: Path) -> None:
    told = tmp_path / "pid"

    assert scenario(python, "interrupted", told) == {"stopped": 143}

    wait_until(lambda: not is_running(int(told.read_text())), lambda: "what it started goes on")


def test_programs_are_found_in_the_system_s_directories_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever PATH a user or cron has: root must not run what lies in somebody's directory."""
    planted = tmp_path / "zstd"
    planted.write_text("#!/bin/sh\n")
    planted.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert process.find_program("zstd") != str(planted)
    with pytest.raises(CommandError, match="not installed"):
        process.require_program("no-such-program")
