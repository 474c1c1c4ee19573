"""Who controls the tracker's container, or is its user on the host, cannot make root read, change or give away more.

The files of the data directory are theirs, so anything may lie there under any name, and be exchanged at any moment.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from support.faults import FULL, rounds
from support.program import Installation
from support.small_disk import needs_root
from support.tracker_standin import build_database
from tracker_backup.errors import SourceError
from tracker_backup.repository.store import Repository
from tracker_backup.sources.sqlite import opening
from tracker_backup.sources.sqlite.trial import trial_rate

pytestmark = [needs_root, pytest.mark.guarantee(18)]

TRACKER = 1000

_SWAPPER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
one, other = (os.fsencode(path) for path in sys.argv[1:])
while True:
    libc.renameat2(-100, one, -100, other, 2)
"""


@pytest.fixture
def host(tmp_path: Path) -> Installation:
    """Return an installation with a stack that is found, and whose data directory is the tracker's user's."""
    made = Installation(tmp_path / "host")
    made.configure(sources=None, stack=str(made.directory / "stack"), files={"enabled": False})
    stack = made.directory / "stack"
    (stack / "etc").mkdir(parents=True)
    (stack / "compose.yaml").write_text(
        "services:\n  tracker:\n    image: torrust/tracker:v4.0.0\n"
        "    volumes: ['./lib:/var/lib/torrust/tracker', './etc:/etc/torrust/tracker']\n"
    )
    (stack / "etc" / "tracker.toml").write_text(
        '[core.database]\ndriver = "sqlite3"\npath = "/var/lib/torrust/tracker/tracker.db"\n'
    )
    made.data = stack / "lib"
    made.data.mkdir()
    build_database(made.database, mib=0.05, journal_mode="wal")
    for path in (made.data, made.database):
        os.chown(path, TRACKER, TRACKER)
    Repository(made.repository).init()
    return made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file of root's that is nobody else's business."""
    made = tmp_path / "shadow"
    made.write_text("root:$y$canary:\n")
    made.chmod(0o600)
    return made


def untouched(secret: Path) -> bool:
    status = secret.stat()
    return secret.read_text().startswith("root:$y$canary:") and (status.st_uid, stat.S_IMODE(status.st_mode)) == (
        0,
        0o600,
    )


def as_link(place: Path, secret: Path) -> None:
    place.symlink_to(secret)


def as_another_name(place: Path, secret: Path) -> None:
    place.hardlink_to(secret)


def as_link_to_nothing(place: Path, secret: Path) -> None:
    place.symlink_to(secret.with_name("made-by-root"))


def as_fifo(place: Path, secret: Path) -> None:
    os.mkfifo(place)


def as_directory(place: Path, secret: Path) -> None:
    place.mkdir()


def as_device(place: Path, secret: Path) -> None:
    os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero: it has no end


DISGUISES = (as_link, as_another_name, as_link_to_nothing, as_fifo, as_directory, as_device)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_nothing_in_a_sidecar_s_place_is_opened_or_given_away(
    host: Installation, secret: Path, suffix: str, tally: Callable[[str, int], None]
) -> None:
    place = host.database.with_name(host.database.name + suffix)
    tried = DISGUISES if FULL or suffix == "-wal" else DISGUISES[:2]
    for disguise in tried:
        disguise(place, secret)

        done = host.run("--now")

        assert done.returncode == 1, f"{disguise.__name__}: {done.stderr}"
        assert f"{place} is a link, or another name" in done.stderr
        assert untouched(secret)
        assert not secret.with_name("made-by-root").exists()
        assert host.manifests() == []
        place.rmdir() if disguise is as_directory else place.unlink()
    tally("inputs tried", len(tried))
    host.back_up()


@pytest.mark.parametrize("disguise", [as_link, as_link_to_nothing, as_fifo, as_device])
def test_what_lies_in_the_database_s_place_and_is_none_is_refused(
    host: Installation, secret: Path, disguise: Callable[[Path, Path], None]
) -> None:
    host.database.unlink()
    disguise(host.database, secret)

    done = host.run("--now")

    assert done.returncode in (1, 3), done.stderr
    assert "canary" not in done.stderr + host.log.read_text()
    assert untouched(secret)
    assert host.manifests() == []


@pytest.mark.guarantee(6, 7)
def test_a_link_to_another_s_database_is_not_followed(host: Installation, tmp_path: Path) -> None:
    other = tmp_path / "of-another-stack.db"
    build_database(other, mib=0.05)
    host.database.unlink()
    host.database.symlink_to(other)

    done = host.run("--now")

    assert done.returncode == 1
    assert f"leads to {other}, which service tracker does not see" in done.stderr
    assert host.manifests() == []


def test_a_link_within_what_the_service_sees_is_followed(host: Installation) -> None:
    host.database.rename(host.data / "real.db")
    host.database.symlink_to("real.db")

    assert host.back_up()["state"] == "verified"


@pytest.mark.guarantee(13)
@pytest.mark.parametrize("there", [True, False])
def test_a_restore_in_place_does_not_follow_a_link_out_of_it(
    host: Installation, tmp_path: Path, *, there: bool
) -> None:
    host.back_up()
    target = tmp_path / "cron.d" / "evil"
    target.parent.mkdir()
    if there:
        build_database(target, mib=0.05)
    before = target.read_bytes() if there else b""
    host.database.unlink()
    host.database.symlink_to(target)

    done = host.run("restore", "latest", "--in-place", "--yes")

    assert done.returncode == 1, done.stderr
    assert "does not see" in done.stderr
    assert sorted(path.name for path in target.parent.iterdir()) == (["evil"] if there else [])
    assert (target.read_bytes() if there else b"") == before


@contextmanager
def exchanged_all_the_time(one: Path, other: Path) -> Iterator[None]:
    """Let two names be exchanged as fast as the machine can, by somebody else."""
    process = subprocess.Popen([sys.executable, "-I", "-c", _SWAPPER, str(one), str(other)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("what", ["another database behind a link", "a FIFO", "another database"])
def test_a_database_that_is_exchanged_at_any_moment_is_taken_whole_or_not_at_all(
    host: Installation, tmp_path: Path, what: str, tally: Callable[[str, int], None]
) -> None:
    """The other one is an honest database with a row that must not be in any backup of a link, or be mixed in."""
    elsewhere = tmp_path / "elsewhere.db" if "link" in what else host.data / "elsewhere.db"
    build_database(elsewhere, mib=0.05)
    with closing(sqlite3.connect(elsewhere)) as database, database:
        database.execute("CREATE TABLE canary (id)")
    decoy = host.data / "decoy"
    if what == "a FIFO":
        os.mkfifo(decoy)
    elif "link" in what:
        decoy.symlink_to(elsewhere)
    else:
        elsewhere.rename(decoy)
    times = rounds(60, short=2)
    codes = []

    with exchanged_all_the_time(host.database, decoy):
        for _ in range(times):
            codes.append(host.run("--now").returncode)  # noqa: PERF401 - one after the other

    assert set(codes) <= {0, 1, 3}
    for manifest in host.manifests():
        target = tmp_path / manifest["id"]
        assert host.run("restore", manifest["id"], "--to", str(target)).returncode == 0
        with closing(sqlite3.connect(target / "tracker.sqlite3")) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert "torrents" in tables
        assert "link" not in what or "canary" not in tables
    tally("inputs tried", times)


@pytest.mark.guarantee(6, 16)
def test_a_fifo_that_takes_the_place_of_what_was_looked_at_is_not_waited_for(
    host: Installation,
) -> None:
    """SQLite would wait in it for ever, and hear no signal, so that nothing but SIGKILL could end the run."""
    found = opening.look_at(host.database)
    host.database.unlink()
    os.mkfifo(host.database)

    with pytest.raises(SourceError, match="a FIFO in its place"):
        opening.open_source(found)
    with pytest.raises(SourceError, match="not a plain file"):
        trial_rate(host.database)


HOSTILE_NAMES = (
    b"line\nbreak", b"\x1b]0;title\x07", b"\x1b[2Jcleared", b"\xff\xfe no text",
    b"--checkpoint-action=exec=touch sprung",
    b"-T", b"`touch sprung`", b"$(touch sprung)", b"; touch sprung", b"\xe2\x80\xae right to left", b"tab\there", b" ",
)  # fmt: skip


@pytest.mark.guarantee(13, 14)
def test_names_of_any_bytes_come_back_and_never_reach_a_terminal_or_a_log_as_they_are(
    host: Installation, tmp_path: Path, tally: Callable[[str, int], None]
) -> None:
    host.configure(files={"enabled": True})
    for name in HOSTILE_NAMES:
        Path(os.fsdecode(os.fsencode(host.data) + b"/" + name)).write_text("content")
    os.mkfifo(host.data / "fifo\x1b[31m")
    os.mknod(host.data / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(host.data / "socket"))
    with (host.data / "sparse").open("wb") as sparse:
        sparse.truncate(8 * 1024**4)

    said = [host.run(*arguments) for arguments in (("--now",), ("discover",), ("show", "latest"), ("list",))]
    said.append(host.run("restore", "latest", "--source", "files", "--to", str(tmp_path / "restored")))

    assert [done.returncode for done in said] == [0] * len(said), [done.stderr for done in said]
    for text in (*(done.stdout + done.stderr for done in said), host.log.read_text()):
        assert all(char.isprintable() or char == "\n" for char in text)
    restored = tmp_path / "restored" / "files" / str(host.data).lstrip("/")
    assert set(HOSTILE_NAMES) <= {os.fsencode(path.name) for path in restored.iterdir()}
    assert (restored / "sparse").stat().st_size == 8 * 1024**4
    assert not list(tmp_path.rglob("sprung"))
    tally("inputs tried", len(HOSTILE_NAMES))


def test_a_link_where_deleted_backups_go_leads_nowhere(host: Installation, tmp_path: Path) -> None:
    """It is deleted with all that is in it at the beginning of each run."""
    precious = tmp_path / "precious"
    (precious / "directory").mkdir(parents=True)
    (precious / "directory" / "file").write_text("precious")
    for name in (".condemned", ".incoming", ".condemned-20260101T000000Z-daily"):
        (host.repository / name).symlink_to(precious)

    host.back_up()

    assert (precious / "directory" / "file").read_text() == "precious"
    assert not (host.repository / ".condemned").is_symlink()
