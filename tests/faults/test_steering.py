"""Nobody but root steers what root runs: what others can change is refused, by name, with what to type."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.faults import FULL
from support.program import PROGRAM, Installation
from support.small_disk import needs_root
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository
from tracker_backup.system.trust import TRUSTED_VARIABLE

pytestmark = [needs_root, pytest.mark.guarantee(18)]

NOBODY = 65534
A_PERSON = 54321
"""A user with a group of his own, as most have; neither needs an entry."""


@pytest.fixture
def host(tmp_path: Path) -> Installation:
    """Return an installation in a place where the files of one may lie that are safe."""
    return installed(tmp_path / "host")


def installed(directory: Path) -> Installation:
    """Make an installation whose every place is one that somebody could have chosen."""
    made = Installation(directory)
    made.settings["staging"] = str(made.directory / "scratch")
    made.settings["schedule"]["command"] = str(made.directory / "bin" / "tracker-backup")
    (made.directory / "scratch").mkdir(mode=0o700)
    (made.directory / "bin").mkdir()
    (made.directory / "bin" / "tracker-backup").write_text("#!/bin/sh\n")
    (made.directory / "state").mkdir()
    made.configure()
    build_database(made.database, mib=0.05)
    Repository(made.repository).init()
    return made


def refused(host: Installation, *what: Path) -> list[str]:
    """Run a backup that must be refused without having done anything; return the commands that it says to type."""
    done = host.run("--now")
    assert done.returncode == 2, done.stderr
    assert "others than root could decide" in done.stderr
    assert [str(path) for path in what if str(path) not in done.stderr] == []
    assert host.manifests() == []
    assert not host.log.exists()
    return [line.strip().removeprefix("sudo ") for line in done.stderr.splitlines() if re.match(r" +sudo ch", line)]


def heal(host: Installation, commands: list[str]) -> None:
    """Type what was said, as often as there is something left to type, and see that it helps."""
    for _ in range(4):
        for command in commands:
            subprocess.run(shlex.split(command), check=True)
        if host.run("list").returncode == 0:
            return
        commands = refused(host)
    pytest.fail("what the program said to type did not help")


def writable_by_all(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def writable_by_a_group(path: Path) -> None:
    """One with somebody in it: all that are nobody in particular."""
    os.chown(path, -1, NOBODY)
    path.chmod(path.stat().st_mode | 0o020)


def of_another(path: Path) -> None:
    os.chown(path, NOBODY, -1)


def with_an_acl(path: Path) -> None:
    """A named user may write; the group's bits say no more than that somebody may."""
    entries = ((1, 6, -1), (2, 6, NOBODY), (4, 4, -1), (16, 6, -1), (32, 4, -1))
    packed = b"\x02\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + (who & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, bits, who in entries
    )
    os.setxattr(path, "system.posix_acl_access", packed)


PLACES = ("etc/default.yml", "etc", ".", "repository", "scratch", "state", "bin/tracker-backup", "bin")
SPOILING = (writable_by_all, writable_by_a_group, of_another)
PAIRS = list(itertools.product(PLACES, SPOILING)) if FULL else list(zip(PLACES, itertools.cycle(SPOILING)))


@pytest.mark.parametrize(("place", "spoil"), PAIRS)
def test_what_others_can_change_is_refused_until_it_is_mended(
    host: Installation, place: str, spoil: Callable[[Path], None]
) -> None:
    path = host.directory / place
    spoil(path)

    heal(host, refused(host, path))


def test_an_acl_lets_others_in_as_well(host: Installation) -> None:
    path = host.config_directory / "default.yml"
    with_an_acl(path)

    assert "its ACL names" in host.run("--now").stderr
    refused(host, path)


def test_all_that_is_wrong_is_told_at_once(host: Installation) -> None:
    for place in (host.repository, host.directory / "scratch", host.directory / "state"):
        writable_by_all(place)

    commands = refused(host, host.repository, host.directory / "scratch", host.directory / "state")

    assert len(commands) == 3


@pytest.mark.parametrize("place", ["elsewhere", "elsewhere/real.yml"])
def test_a_configuration_behind_a_link_is_judged_where_it_is(host: Installation, place: str) -> None:
    file = host.config_directory / "default.yml"
    (host.directory / "elsewhere").mkdir()
    file.rename(host.directory / "elsewhere" / "real.yml")
    file.symlink_to("../elsewhere/real.yml")
    host.back_up()
    shutil.rmtree(host.repository)
    Repository(host.repository).init()
    host.log.unlink()
    writable_by_all(host.directory / place)

    refused(host, host.directory / place)


def test_a_link_in_a_directory_like_tmp_is_its_owner_s_to_exchange(host: Installation) -> None:
    common = host.directory / "common"
    common.mkdir()
    common.chmod(0o1777)
    (common / "etc").symlink_to(host.config_directory)
    os.chown(common / "etc", NOBODY, NOBODY, follow_symlinks=False)
    configuration = common / "etc" / "default.yml"

    done = host.run("--config", str(configuration), "--now")

    assert done.returncode == 2
    assert f"{common / 'etc'} belongs to the user" in done.stderr
    os.chown(common / "etc", 0, 0, follow_symlinks=False)
    assert host.run("--config", str(configuration), "--now").returncode == 0


@pytest.mark.parametrize("place", [".", "0123456789abcdef", "0123456789abcdef/tracker_backup/config/load.py"])
@pytest.mark.parametrize("spoil", [writable_by_all, of_another])
def test_a_deployed_program_that_others_can_change_does_nothing(
    host: Installation, place: str, spoil: Callable[[Path], None]
) -> None:
    library = host.directory / "lib"
    deployed = library / "0123456789abcdef" / "tracker_backup"
    shutil.copytree(PROGRAM, deployed, ignore=shutil.ignore_patterns("__pycache__"))
    (library / "current").symlink_to("0123456789abcdef")
    command = [host.python, "-I", str(deployed), "list"]
    well = subprocess.run(command, env=host.environment(), capture_output=True, text=True, check=False)
    assert well.returncode == 0, well.stderr
    spoil(library / place)

    done = subprocess.run(command, env=host.environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "the program" in done.stderr
    assert str(library / place).removesuffix("/.") in done.stderr


@pytest.mark.parametrize("arguments", [("restore", "latest", "--to"), ("prune",), ("schedule", "apply"), ("verify",)])
def test_no_command_follows_what_others_can_change(host: Installation, arguments: tuple[str, ...]) -> None:
    host.back_up()
    before = host.published()
    writable_by_all(host.repository)
    target = host.directory / "restored"

    done = host.run(*arguments, *([str(target)] if "--to" in arguments else []))

    assert done.returncode == 2, done.stderr
    assert not target.exists()
    assert not (host.directory / "crontab").exists()
    assert host.published() == before


def test_whom_root_trusts_is_root_s_to_say(host: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    of_another(host.repository)
    refused(host, host.repository)
    monkeypatch.setenv(TRUSTED_VARIABLE, f"root, {NOBODY}")

    host.back_up()

    monkeypatch.setenv(TRUSTED_VARIABLE, "no-such-user-anywhere")
    assert "there is no user 'no-such-user-anywhere'" in host.run("list").stderr


@pytest.mark.parametrize("umask", [0o002, 0o022])
def test_an_ordinary_user_s_own_directories_are_well_whatever_his_umask(open_path: Path, umask: int) -> None:
    """As in `make demo`: all below one directory; the group that may write has nobody else in it."""
    host = installed(open_path / "host")
    for path in (host.directory, *host.directory.rglob("*")):
        os.chown(path, A_PERSON, A_PERSON)
        if path.is_dir():
            path.chmod(0o777 & ~umask)
    host.python = "/usr/bin/python3"
    as_the_person = ("setpriv", f"--reuid={A_PERSON}", f"--regid={A_PERSON}", "--clear-groups")

    done = host.run("--now", wrap=as_the_person)

    assert done.returncode == 0, done.stderr
    host.directory.chmod(0o777)
    later = host.run("--now", wrap=as_the_person)
    assert later.returncode == 2, later.stderr
    assert f"chmod go-w {host.directory}" in later.stderr
