"""Links, pipes and devices in a repository, and ids that are paths: nothing is followed, nobody waits for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.damaged import contained, older_and_newer, told
from support.faults import FULL
from support.impostors import Impostor, dangling, device, directory, fifo, hard_link, link, loop, unix_socket
from support.manifests import rewrite
from support.program import Installation, tree

pytestmark = pytest.mark.guarantee(11)

LEADING_ELSEWHERE = (link, fifo, *((dangling, loop, device, unix_socket) if FULL else ()))
IMPOSTORS = (*LEADING_ELSEWHERE, hard_link, *((directory,) if FULL else ()))


@pytest.mark.parametrize("impostor", IMPOSTORS)
@pytest.mark.parametrize("name", ["manifest.json", "tracker.sqlite3.zst"])
def test_in_the_place_of_a_file(host: Installation, outside: Path, name: str, impostor: Impostor) -> None:
    older, newer = older_and_newer(host)
    (newer / name).unlink()
    impostor(newer / name, outside / "canary")

    told(host, newer.name)
    contained(host, newer, older)


@pytest.mark.parametrize("impostor", LEADING_ELSEWHERE)
def test_in_the_place_of_a_backup(host: Installation, outside: Path, impostor: Impostor) -> None:
    older, newer = older_and_newer(host)
    newer.rename(host.directory / newer.name)
    impostor(newer, host.directory / newer.name)
    before = tree(host.directory / newer.name)

    told(host, newer.name)
    for words in (["show"], ["keep"], ["restore", "--to", str(host.directory / "other")]):
        assert host.run(words[0], newer.name, *words[1:]).returncode == 1
    contained(host, newer, older)
    assert tree(host.directory / newer.name) == before


@pytest.mark.parametrize("impostor", LEADING_ELSEWHERE)
@pytest.mark.parametrize("name", [".incoming", ".staging", ".quarantine", ".condemned"])
def test_in_the_place_of_a_directory_of_ours(host: Installation, outside: Path, name: str, impostor: Impostor) -> None:
    """It makes way, and where it led nothing is touched."""
    older, newer = older_and_newer(host)
    shutil.rmtree(host.repository / name, ignore_errors=True)
    impostor(host.repository / name, outside)

    assert host.run("list", "--all").returncode == 0
    contained(host, newer, older)
    assert not (host.repository / name).is_symlink()


@pytest.mark.parametrize("name", [".incoming", ".staging", ".quarantine"])
def test_a_file_with_the_name_of_a_directory_of_ours_is_told_and_left(host: Installation, name: str) -> None:
    shutil.rmtree(host.repository / name, ignore_errors=True)
    (host.repository / name).write_text("somebody's")

    done, listed = host.run("--now"), host.run("list")

    # Nothing need go into quarantine: the backup is made, and what could not be cleared away is told.
    assert (done.returncode, listed.returncode) == (3 if name == ".quarantine" else 1, 0)
    assert f"{host.repository / name} is a file" in done.stderr
    assert (host.repository / name).read_text() == "somebody's"
    (host.repository / name).unlink()
    host.back_up()


def test_a_quarantine_that_leads_elsewhere_gets_nothing_and_loses_nothing(host: Installation, outside: Path) -> None:
    (host.repository / ".quarantine").symlink_to(outside)
    with host.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x07" * 4096)

    done = host.run("--now")

    assert done.returncode == 5, done.stderr
    assert len(host.quarantined()) == 1
    assert not (host.repository / ".quarantine").is_symlink()


@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_in_the_place_of_the_lock(host: Installation, outside: Path, impostor: Impostor) -> None:
    """Who holds it is written into it: not into somebody else's file, and nobody waits for a pipe's other end."""
    lock = host.repository / ".lock"
    lock.unlink()
    impostor(lock, outside / "canary")

    done, status, listed = host.run("--now"), host.run("status"), host.run("list")

    assert (done.returncode, listed.returncode) == (1, 0)
    assert status.returncode == 3
    assert str(lock) in done.stderr
    assert str(lock) in status.stdout
    if impostor is directory:
        shutil.rmtree(lock)
    else:
        lock.unlink()
    host.back_up()


@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_in_the_place_of_the_marker(host: Installation, outside: Path, impostor: Impostor) -> None:
    """It says that the volume is mounted, by being there; nothing is read from it or written to it."""
    marker = host.repository / ".tracker-backup"
    marker.unlink()
    impostor(marker, outside / "canary")

    done = host.run("--now")

    assert done.returncode == (2 if impostor in (dangling, loop) else 0), done.stderr
    assert len(list(host.repository.glob("[0-9]*"))) == 2
    if impostor is hard_link:
        marker.unlink()


@pytest.mark.parametrize("mark", [".keep", ".accepted"])
@pytest.mark.parametrize("impostor", [link, fifo, directory])
def test_a_mark_that_is_none_is_not_taken_for_one(
    host: Installation, outside: Path, mark: str, impostor: Impostor
) -> None:
    _, newer = older_and_newer(host)
    impostor(newer / mark, outside / "canary")
    rewrite(newer, lambda manifest: manifest["artifacts"][0].update(size_drop=True, usual_raw_bytes=10**9))

    done = host.run("keep" if mark == ".keep" else "accept", newer.name)

    assert done.returncode == 1, done.stdout
    assert str(newer / mark) in done.stderr
    assert host.run("list").returncode == 0


def test_foreign_things_are_nobodys_business(host: Installation, outside: Path) -> None:
    older, newer = older_and_newer(host)
    foreign = [host.repository / name for name in ("lost+found", "20260101T030000Z-daily.old", ".trash", "-rf", "a\nb")]
    for path in foreign:
        path.mkdir()
        (path / "mine").write_text("precious")
    for place in (host.repository, older, newer):
        (place / "notes.txt").write_text("precious")
        (place / "elsewhere").symlink_to(outside)
        os.mkfifo(place / "pipe")
    before = [tree(path) for path in foreign]

    assert host.run("verify", "--all").returncode == 0
    host.back_up()
    contained(host, host.repository / "notes.txt", newer)

    assert not older.exists()
    assert [tree(path) for path in foreign] == before


def test_what_lies_in_a_backup_goes_with_it_and_what_it_leads_to_stays(host: Installation, outside: Path) -> None:
    older, _ = older_and_newer(host)
    (older / "elsewhere").symlink_to(outside)
    os.link(host.database, older / "another-name-of-the-database")
    host.configure(jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 1}}])

    pruned = host.run("prune")

    assert pruned.returncode == 0
    assert not older.exists()
    assert host.database.stat().st_nlink == 1


ODD_IDS = [
    "..", ".", "../x", "/", "/etc", "a/../b", "20260101T030000Z-daily/..", "x\ny", "\x1b[31mred", "a b", "*", "%s",
    "$(touch canary)", ";touch canary", "`touch canary`", "\udcff", "-rf", "--help-me", "-", "latest\n", "LATEST",
    ".incoming", ".quarantine", ".lock", "x" * 5000,
]  # fmt: skip


@pytest.mark.guarantee(14)
def test_ids_that_are_none(host: Installation, tally: Callable[[str, int], None]) -> None:
    before = host.published()
    commands = (["show"], ["verify"], ["keep"], ["unkeep"], ["accept"], ["restore", "--to", str(host.directory / "to")])
    tried = 0
    for position, identifier in enumerate(ODD_IDS):
        for number, words in enumerate(commands):
            if not FULL and (position + number) % 12:
                continue
            tried += 1
            done = subprocess.run(
                host.command(*words, *(["--"] if number % 2 else []), identifier),
                env=host.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd=host.directory,
                timeout=120,
                check=False,
            )
            assert done.returncode in (1, 2), (words, identifier, done.stderr)
            assert not any(bad in done.stdout + done.stderr for bad in (b"Traceback", b"internal error", b"\x1b"))
    tally("inputs tried", tried)

    assert host.published() == before
    assert list(host.directory.rglob("canary")) == []
    assert not (host.directory / "to").exists()
