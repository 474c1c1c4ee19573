"""Files that are no database, or none that may be touched: refused with a reason, and nothing is made or changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.copying import copy_of
from support.databases import tracker_database
from support.program import ROOT, tree
from support.small_disk import needs_root
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database
from tracker_backup.errors import SourceError, SourcePendingError

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"  # the one of a virtual environment may lie in a home directory


@pytest.fixture
def tmp_path(open_path: Path) -> Path:
    """Return a directory that the other users of these tests may enter."""
    return open_path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a small tracker's database in WAL mode, in a directory of its own."""
    directory = tmp_path / "data"
    directory.mkdir()
    return tracker_database(directory / "tracker.db", 0.2)


def truncate(path: Path, size: int) -> None:
    """Cut a file off."""
    os.truncate(path, size)


REFUSED = {
    "empty": (lambda path: path.write_bytes(b""), "is empty \\(0 bytes\\)"),
    "cut off in its header": (lambda path: truncate(path, 50), "is cut off: it has 50 bytes only"),
    "cut off between pages": (lambda path: truncate(path, 4096 * 20), "is damaged"),
    "cut off inside a page": (lambda path: truncate(path, 4096 * 20 + 1000), "is damaged"),
    "text": (lambda path: path.write_text("hash,completed\n" * 1000), "not a SQLite database, or it is encrypted"),
    "encrypted": (lambda path: path.write_bytes(os.urandom(8192)), "not a SQLite database, or it is encrypted"),
    "a directory": (lambda path: (path.unlink(), path.mkdir()), "is not a file"),
    "a FIFO": (lambda path: (path.unlink(), os.mkfifo(path)), "is not a file"),
    "a device": (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "is not a file"),
    "links in a circle": (lambda path: (path.unlink(), path.symlink_to(path)), "cannot read .*: Too many levels"),
    "a name too long": (lambda path: (path.unlink(), path.symlink_to("x" * 300)), "cannot read .*: File name too long"),
}


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_database_is_refused(tmp_path: Path, database: Path, kind: str) -> None:
    make, message = REFUSED[kind]
    make(database)
    before = tree(database.parent)

    with pytest.raises(SourceError, match=message) as raised:
        copy_of(database, tmp_path)

    assert not isinstance(raised.value, SourcePendingError), "it is there, so it is not pending"
    assert raised.value.hint is not None
    after = {name: facts for name, facts in tree(database.parent).items() if not name.endswith(("-wal", "-shm", "."))}
    assert after == {name: before[name] for name in after}


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("missing", ["tracker.db", "no/such/directory/tracker.db", "file/tracker.db"])
def test_a_missing_database_is_pending_and_never_made(tmp_path: Path, missing: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("a file where a directory should be")
    before = tree(data)

    with pytest.raises(SourcePendingError, match="does not exist"):
        copy_of(data / missing, tmp_path)

    assert tree(data) == before


@pytest.mark.guarantee(6)
def test_a_link_to_nothing_is_pending_and_never_made(tmp_path: Path) -> None:
    link = tmp_path / "tracker.db"
    link.symlink_to(tmp_path / "unmounted" / "tracker.db")

    with pytest.raises(SourcePendingError):
        copy_of(link, tmp_path)

    assert not (tmp_path / "unmounted").exists()


@pytest.mark.guarantee(4, 6)
def test_wal_mode_behind_a_mount_of_the_single_file_is_refused(tmp_path: Path, database: Path) -> None:
    """Its newest rows lie in a -wal inside the container; the copy would be malformed."""
    before = tree(database.parent)

    with pytest.raises(SourceError, match="its container sees this single file only") as raised:
        copy_of(database, tmp_path, mount="file")

    assert raised.value.hint == "mount the directory that holds the database instead of the file"
    assert tree(database.parent) == before


def test_a_rollback_database_behind_a_mount_of_the_single_file_is_copied(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    build_database(path, mib=0.1, journal_mode="delete")

    assert copy_of(path, tmp_path, mount="file").raw_bytes == path.stat().st_size


COPY = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1] + "/scripts", sys.argv[1] + "/tests"]
from support.copying import copy_of
from tracker_backup.errors import SourceError
try:
    print(copy_of(Path(sys.argv[2]), Path(sys.argv[3])).raw_bytes)
except SourceError as error:
    print(f"refused: {error}")
"""


def copy_as_nobody(database: Path, tmp_path: Path) -> str:
    """Copy a database as a user who does not own it, and return what became of that."""
    into = tmp_path / "nobody"
    into.mkdir()
    os.chown(into, NOBODY, NOBODY)
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", SYSTEM_PYTHON, "-I", "-c", COPY]
    done = subprocess.run(
        [*words, str(ROOT), str(database), str(into)], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.guarantee(6)
@needs_root
def test_another_user_is_refused_where_reading_would_lock_the_tracker_out(tmp_path: Path, database: Path) -> None:
    """It would leave a -wal and a -shm of its own, which the owner cannot open."""
    database.parent.chmod(0o777)
    before = tree(database.parent)

    said = copy_as_nobody(database, tmp_path)

    assert said.startswith("refused:")
    assert "run the same command with sudo" in said
    assert tree(database.parent) == before


@needs_root
def test_another_user_may_copy_while_the_tracker_has_it_open(tmp_path: Path, database: Path) -> None:
    with OtherProcess(database) as tracker:
        tracker.run("UPDATE torrents SET completed = 0 WHERE id = 1")
        said = copy_as_nobody(database, tmp_path)

    assert said.strip() == str(database.stat().st_size)


@needs_root
def test_another_user_who_may_not_read_it_is_told_so(tmp_path: Path, database: Path) -> None:
    database.chmod(0o600)

    said = copy_as_nobody(database, tmp_path)

    assert said.startswith(f"refused: cannot read {database}: Permission denied")
    assert "sudo" in said


@pytest.mark.guarantee(6)
@needs_root
def test_root_leaves_another_user_s_database_usable(tmp_path: Path, database: Path) -> None:
    """What SQLite leaves beside it belongs to the database's owner."""
    for path in (database.parent, database):
        os.chown(path, NOBODY, NOBODY)
    database.parent.chmod(0o700)

    copy_of(database, tmp_path)

    assert {path.stat().st_uid for path in database.parent.iterdir()} == {NOBODY}
