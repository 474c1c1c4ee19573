"""User and password are seen nowhere: not in a process, a file, a message."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.mysql_program import CANARY, CANARY_WORDS, held, wait_for_the_lock

pytestmark = pytest.mark.guarantee(7)

if TYPE_CHECKING:
    from conftest import World

PART = CANARY_WORDS.encode()


def processes() -> Iterator[tuple[str, bytes]]:
    """Yield what everybody with enough rights can see of each process: arguments and environment."""
    for kind in ("cmdline", "environ"):
        for file in (process / kind for process in Path("/proc").glob("[0-9]*")):
            try:
                yield str(file), file.read_bytes()
            except OSError:
                continue  # it has ended


def files(directory: Path) -> Iterator[tuple[str, bytes]]:
    for file in directory.rglob("*"):
        if file.is_file() and file.name != "password":
            yield str(file), file.read_bytes()


def test_the_password_is_seen_nowhere(world: World) -> None:
    with held(world.server, "LOCK TABLES zzz WRITE", world.schema), world.program.start("--now", "-v") as running:
        wait_for_the_lock(world.server, running.said)
        seen = dict(processes())
        clients = [
            line for name, line in seen.items() if name.endswith("cmdline") and b"--defaults-file=/dev/fd/" in line
        ]
        found = [name for name, text in seen.items() if PART in text or world.user.encode() in text]
        on_disk = [name for name, text in files(world.program.directory) if PART in text]
    assert clients, "the dump was not seen at work"
    assert found == []
    assert on_disk == []
    assert CANARY not in running.said()


def test_nothing_that_is_kept_or_said_holds_it(world: World) -> None:
    said = [world.program.run(*words) for words in (["--now"], ["doctor"], ["discover"], ["config", "show"], ["list"])]
    world.server.sql(f"ALTER USER '{world.user}'@'%' IDENTIFIED BY 'changed'")
    said.append(world.program.run("--now", "-v"))

    assert [done.returncode for done in said][::5] == [0, 1]
    assert [done.args for done in said if CANARY_WORDS in done.stdout + done.stderr] == []
    assert [name for name, text in files(world.program.directory) if PART in text] == []


@pytest.mark.parametrize(
    "hostile", ["[client]\npassword=wrong\n", "[mysqldump]\nskip-comments\n[mariadb-dump]\nskip-comments\n"]
)
def test_root_s_own_option_file_does_not_matter(
    world: World, hostile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".my.cnf").write_text(hostile)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert os.environ["HOME"] == str(tmp_path)

    assert world.program.back_up()["state"] == "verified"


def test_a_password_file_that_others_can_read_is_refused(mysql_world: World) -> None:
    (mysql_world.program.directory / "password").chmod(0o644)

    said = mysql_world.program.refusal()
    assert "can be read or changed by others" in said
    assert "sudo chmod 0600" in said
