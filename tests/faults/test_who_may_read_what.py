"""What the program makes is for its owner alone, whatever umask it was started with; status.json is for all."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from support.program import Installation, wait_until
from support.tracker_standin import build_database
from tracker_backup.moving.note import Leaving, Notebook
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(7)

OPEN_HANDED = (sys.executable, "-I", "-c", "import os, sys; os.umask(0); os.execvp(sys.argv[1], sys.argv[1:])")
CANARY = "canary-9f2c"
FOR_ALL = {"state": 0o755, "state/status.json": 0o644, "default.prom": 0o644}


@pytest.fixture
def host(tmp_path: Path) -> Installation:
    """Return an installation with nothing made yet but its configuration and the tracker's files."""
    made = Installation(tmp_path / "host")
    sources = [*made.settings["sources"], {"name": "files", "type": "files"}]
    made.configure(sources=sources, ping_url=f"http://127.0.0.1:9/{CANARY}", rate_limit_mib_per_second=1000)
    made.configure(metrics_file=str(made.directory / "default.prom"))
    (made.data / "compose.yaml").write_text("services: {}\n")
    (made.data / ".env").write_text(f"PASSWORD={CANARY}\n")
    (made.data / ".env").chmod(0o600)
    build_database(made.database, mib=2, journal_mode="wal")
    return made


def too_open(host: Installation) -> list[str]:
    """Return what others than its owner can get at below the installation, but for what is meant to be read by all."""
    own = {str(path) for place in (host.data, host.config_directory) for path in (place, *place.rglob("*"))}
    found = []
    for path in sorted(host.directory.rglob("*")):
        name, mode = str(path.relative_to(host.directory)), stat.S_IMODE(path.lstat().st_mode)
        wanted = FOR_ALL.get(name, 0o700 if path.is_dir() else 0o600)
        if str(path) not in own and not path.is_symlink() and mode != wanted:
            found.append(f"{name}: {mode:o}")
    return found


def with_secret(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_a_backup_is_private_from_its_first_byte_on(host: Installation) -> None:
    assert host.run("init", wrap=OPEN_HANDED).returncode == 0
    assert too_open(host) == []
    for phase in ("compress", "read back"):
        with host.start_halting(phase, "--now"):
            assert too_open(host) == []
            assert list((host.repository / ".incoming").rglob("*.zst"))

    done = host.run("--now", "--job", "daily", wrap=OPEN_HANDED)

    assert done.returncode == 0, done.stderr
    assert too_open(host) == []
    assert (host.directory / "state" / "status.json").exists()
    assert host.log.exists()
    told = [host.directory / "state" / "status.json", host.directory / "default.prom", host.log]
    assert with_secret([*told, host.repository / ".lock"]) == []
    assert CANARY not in done.stdout + done.stderr


def test_what_is_damaged_is_private_too(host: Installation) -> None:
    host.configure(sources=[host.settings["sources"][0]])
    Repository(host.repository).init()
    with host.database.open("r+b") as file:
        file.seek(4096 * 20)
        file.write(os.urandom(4096 * 3))

    assert host.run("--now", wrap=OPEN_HANDED).returncode == 5

    assert host.quarantined()
    assert too_open(host) == []


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_what_is_restored_is_for_its_owner(host: Installation, tmp_path: Path, umask: int) -> None:
    Repository(host.repository).init()
    host.back_up()
    target = tmp_path / "restored"

    done = host.run("restore", "latest", "--to", str(target), wrap=OPEN_HANDED if umask == 0 else ())

    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "tracker.sqlite3").stat().st_mode) == 0o600
    env = target / "files" / str(host.data / ".env").lstrip("/")
    assert stat.S_IMODE(env.stat().st_mode) == 0o600


def test_what_a_restore_in_place_keeps_is_private(host: Installation) -> None:
    Repository(host.repository).init()
    host.back_up()
    mode = stat.S_IMODE(host.database.stat().st_mode)

    done = host.run("restore", "latest", "--in-place", "--yes", wrap=OPEN_HANDED)

    assert done.returncode == 0, done.stderr
    kept = [path for path in host.directory.rglob("pre-restore-*") if path.is_dir()]
    assert kept
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o700}
    assert stat.S_IMODE(host.database.stat().st_mode) == mode
    assert stat.S_IMODE((host.data / ".env").stat().st_mode) == 0o600
    assert too_open(host) == []


def test_the_note_of_a_move_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        notebook = Notebook(tmp_path / "state")
        with notebook.claimed():
            notebook.write(Leaving("stopping", ("tracker",)))
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert modes == {"leaving.json": 0o600, ".moving.lock": 0o600}
    assert json.loads((tmp_path / "state" / "leaving.json").read_text())["ran"] == ["tracker"]


def test_a_log_that_was_rotated_away_is_made_anew_for_its_owner(host: Installation) -> None:
    """As logrotate does it, which makes none itself."""
    Repository(host.repository).init()
    host.back_up()
    host.log.rename(host.log.with_suffix(".log.1"))

    assert host.run("--now", wrap=OPEN_HANDED).returncode == 0

    wait_until(host.log.exists, lambda: "there is no new log")
    assert stat.S_IMODE(host.log.stat().st_mode) == 0o600
