"""Files that survive a crash, belong to their owner only, and are what they seem to be."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracker_backup.system import files


@pytest.fixture
def lax_umask() -> Iterator[None]:
    """Let a careless umask rule."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permission bits."""
    return path.stat().st_mode & 0o7777


@pytest.mark.usefixtures("lax_umask")
def test_what_is_private_is_so_under_any_umask(tmp_path: Path) -> None:
    os.close(files.create_private(tmp_path / "file"))
    files.make_private_directory(tmp_path / "directory")
    files.write_atomically(tmp_path / "atomic", b"x", 0o640)

    assert (mode(tmp_path / "file"), mode(tmp_path / "directory"), mode(tmp_path / "atomic")) == (0o600, 0o700, 0o640)


def test_a_private_file_is_always_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("older")
    (tmp_path / "link").symlink_to(tmp_path / "target")

    for name in ("there", "link"):
        with pytest.raises(FileExistsError):
            files.create_private(tmp_path / name)

    assert (tmp_path / "there").read_text() == "older"
    assert not (tmp_path / "target").exists()


def test_an_existing_directory_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory").chmod(0o755)

    files.make_private_directory(tmp_path / "directory")

    assert mode(tmp_path / "directory") == 0o755


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_atomically(path, b"old", 0o600)
    inode = path.stat().st_ino

    files.write_atomically(path, b"new", 0o600)

    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != inode
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_replaced_file_can_be_made_newer_than_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "file"

    files.write_atomically(path, b"x", 0o600, newer_than=4_000_000_000.25)

    assert path.stat().st_mtime == pytest.approx(4_000_000_001.25)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_atomically(path, b"old", 0o600)

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(path, b"new", 0o600)

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "device"])
def test_only_plain_files_are_read(tmp_path: Path, kind: str) -> None:
    """A FIFO would keep the reader waiting for ever, and a link could lead anywhere."""
    path = tmp_path / "artifact"
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path = Path("/dev/null")

    with pytest.raises(OSError, match=r"symbolic links|not a plain file"), files.opened_for_reading(path):
        pytest.fail("it was opened")


def test_a_tree_is_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    doomed = tmp_path / "doomed"
    doomed.mkdir()
    (doomed / "link").symlink_to(kept)
    (tmp_path / "link").symlink_to(kept)

    for name in ("doomed", "link", "missing"):
        files.remove_tree(tmp_path / name)

    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").exists()


def test_all_bytes_are_written_though_each_write_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))

    files.write_all(writer, b"0123456789" * 5)

    assert os.read(reader, 100) == b"0123456789" * 5
    os.close(reader)
    os.close(writer)


def test_what_a_killed_writer_has_left_goes_and_what_another_one_is_at_stays(tmp_path: Path) -> None:
    path, dead, alive = (tmp_path / name for name in ("file", ".file.0123abcd", ".file.4567ef01"))
    others = [tmp_path / name for name in (".file.txt", ".file.0123ABCD", ".fileA0123abcd", ".other.0123abcd")]
    for each in (dead, alive, *others):
        each.write_bytes(b"")
    link = tmp_path / ".file.00000000"
    link.symlink_to(others[0])
    with alive.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        files.write_atomically(path, b"new", 0o600)

    assert path.read_bytes() == b"new"
    assert set(tmp_path.iterdir()) == {path, alive, link, *others}


def test_writers_of_one_file_do_not_clear_each_other_away(tmp_path: Path) -> None:
    path, errors = tmp_path / "file", []

    def write() -> None:
        try:
            for _ in range(200):
                files.write_atomically(path, b"whole", 0o600)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
