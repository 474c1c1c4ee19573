"""Names, paths and values that would be orders if anybody took them for more than text: none is run, none is obeyed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.faults import FULL
from support.manifests import rewrite
from support.program import Installation
from support.tracker_standin import build_database
from tracker_backup.system.text import on_one_line, visible

pytestmark = pytest.mark.guarantee(14)

NAMES = [
    "a b", "-rf", "--config=x", "%", "%s%n", "100%", "a\nb", "a\r\nb", "\x1b[2J\x1b[31mred", "\x1b]0;title\x07",
    "\x9b31m", "$(touch canary)", "`touch canary`", ";touch canary", "|touch canary", "&& touch canary", "'", '"',
    "\\", "\\n", "~", "*", "?", "[a]", "{a,b}", "#", "=", "@", "?mode=rwc", "%41", "file:x", "caf\u00e9",
    "\u202egpj", "\u2028", "\U0001f4a9", "\udcff", "a'; DROP TABLE torrents; --", "${HOME}", "x" * 120,
]  # fmt: skip
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9\xae]")
UNNAMEABLE = re.compile("[\x00-\x1f\x7f-\x9f\udcff]")
"""No configuration has a path with these in it: what has them lies among the files of a stack."""


def plain(*texts: str) -> None:
    """Check that nothing in what was written is an order to a terminal, or the beginning of a line of its own."""
    for text in texts:
        data = text.encode(errors="surrogateescape")
        assert CONTROL.search(data) is None, CONTROL.search(data)
        assert "internal error" not in text
        assert "Traceback" not in text


@pytest.mark.parametrize("name", NAMES if FULL else ["-rf", "\\n", "a\nb", "\x1b[2J\x1b[31mred", "\udcff"])
def test_directories_and_databases(tmp_path: Path, name: str, tally: Callable[[str, int], None]) -> None:
    """A whole life below such a name: backed up, listed, verified, restored, put in place, told of when it fails."""
    nameable = UNNAMEABLE.search(name) is None
    host = Installation(tmp_path / f"host {name if nameable else ''}")
    database = host.data / name / name
    database.parent.mkdir()
    build_database(database, mib=0.05)
    named = [{"name": "tracker", "type": "sqlite", "path": str(database)}, {"name": "files", "type": "files"}]
    host.configure(sources=named if nameable else named[1:])
    said = [host.run(*words) for words in (["init"], ["schedule", "apply"], ["discover"], ["--now"], ["list"])]
    said += [host.run(*words) for words in (["show", "latest"], ["verify", "--full"], ["status"], ["doctor"])]
    assert [done.returncode for done in said[:8]] == [0] * 8, [(done.stdout, done.stderr) for done in said]
    to = host.directory / "restored" / name
    said += [host.run("restore", "latest", "--to", str(to)), host.run("restore", "latest", "--in-place", "--yes")]
    assert [done.returncode for done in said[-2:]] == [0, 0], said[-2:]
    restored = to / "tracker.sqlite3" if nameable else to / "files" / str(database).lstrip("/")
    assert restored.read_bytes()[100:] == database.read_bytes()[100:]
    if nameable:
        database.unlink()
        database.mkdir()
        said += [host.run("--now"), host.run("status"), host.run("list")]
        assert [done.returncode for done in said[-3:]] == [3, 1, 0]
    tally("inputs tried", 1)

    plain(*(text for done in said for text in (done.stdout, done.stderr)))
    log = host.log.read_text(encoding="utf-8")
    plain(log)
    assert all(re.match(r"20\d\d-\d\d-\d\dT|[ \t]|$", entry) for entry in log.splitlines()), log
    assert list(tmp_path.rglob("canary")) == []
    assert not Path("canary").exists()


@pytest.mark.parametrize("key", ["host", "stack", "version", "job", "errors"])
def test_what_a_manifest_says_of_itself(host: Installation, key: str) -> None:
    order = "x\x1b[2J\ntracker-backup: all is well\x9b"
    newer = max(host.repository.glob("[0-9]*"))
    value = [{"source": "a\nb", "message": order, "state": "failed"}] if key == "errors" else order
    rewrite(newer, lambda manifest: manifest.update({key: value, "state": "partial"}))

    said = [host.run(*words) for words in (["list"], ["show", newer.name], ["status"], ["verify", "--all"], ["prune"])]

    plain(*(text for done in said for text in (done.stdout, done.stderr)))
    assert not any(line.startswith("tracker-backup: all") for done in said for line in done.stdout.splitlines())


@pytest.mark.parametrize("option", ["--job", "--source", "--instance", "--config"])
def test_what_stands_on_the_command_line(host: Installation, option: str, tally: Callable[[str, int], None]) -> None:
    names = NAMES if FULL else NAMES[::12]
    for name in names:
        words = (f"{option}={name}", *(("--now",) if option in ("--job", "--source") else ("status",)))
        done = subprocess.run(
            host.command(*words),
            env=host.environment(),
            cwd=host.directory,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (2, 3), (name, done)
        plain(*(os.fsdecode(text) for text in (done.stdout, done.stderr)))
    tally("inputs tried", len(names))
    assert list(host.directory.rglob("canary")) == []


@pytest.mark.parametrize("key", ["name", "service"])
def test_names_that_a_configuration_may_not_have(
    host: Installation, key: str, tally: Callable[[str, int], None]
) -> None:
    """Jobs, sources and services have names that need no quoting anywhere; others are refused with the place."""
    tried = [name for name in NAMES if UNNAMEABLE.search(name) is None and name != "@"][:: 1 if FULL else 9]
    for name in tried:
        source = {"name": "tracker", "type": "sqlite", "path": str(host.database), key: name}
        host.configure(sources=[source])
        done = host.run("config", "check")
        plain(done.stdout, done.stderr)
        assert done.returncode in (0, 2)
        if key == "name":
            assert done.returncode == 2, name
    tally("inputs tried", len(tried))


def test_commands_that_are_shown_can_be_copied(host: Installation) -> None:
    """A shell that is given such a line runs the program with the words that were meant."""
    odd = host.directory / "a b;$(touch canary)'\"" / "x.yml"
    odd.parent.mkdir()
    (host.config_directory / "default.yml").rename(odd)

    done = host.run("--config", str(odd), "--now")

    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("restore it with: ")]
    assert str(odd) in shlex.split(line.removeprefix("restore it with: "))


@given(st.text(st.characters(), max_size=30))
def test_any_text_is_shown_on_one_line(text: str) -> None:
    shown = on_one_line(text)
    assert shown.isprintable()
    assert len(visible(text, indented="  ").split("\n")) == text.count("\n") + 1
    json.dumps(shown)
    shown.encode()


@given(st.text(max_size=30))
def test_no_line_of_a_text_begins_at_the_margin_but_the_first(text: str) -> None:
    assert all(not line or line[0] in " \t" for line in visible(text, indented="  ").split("\n")[1:])
