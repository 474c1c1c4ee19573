from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracker_backup.compose import reading
from tracker_backup.errors import ConfigurationError


def test_reads_text_without_its_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe\n")
    assert reading.read_text(file) == "grüße\n"


def test_a_missing_file_is_an_error_or_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a does not exist"):
        reading.read_text(tmp_path / "a")
    assert reading.read_text_if_there(tmp_path / "a") is None
    (tmp_path / "file").touch()
    assert reading.read_text_if_there(tmp_path / "file" / "a") is None


def test_permission_denied_says_what_to_do(tmp_path: Path) -> None:
    """No mode keeps root out, so root becomes nobody for a moment."""
    file = tmp_path / "tracker.toml"
    file.write_text("x")
    file.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(ConfigurationError, match=r"tracker\.toml cannot be read: permission denied") as error:
            reading.read_text_if_there(file)
    finally:
        os.seteuid(user)
    assert error.value.hint
    assert "sudo" in error.value.hint


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(ConfigurationError, match="fifo is not a regular file"):
        reading.read_text(fifo)
    with pytest.raises(ConfigurationError, match="is a directory"):
        reading.read_text(tmp_path)


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        reading.read_text(tmp_path / "a")


def test_other_encodings_are_refused_with_the_line_and_without_the_content(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"A=1\nB=canary\xff\n")
    with pytest.raises(ConfigurationError, match="a, line 2: not UTF-8") as error:
        reading.read_text(file)
    assert error.value.__cause__ is None


def test_files_have_a_largest_size(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"#" * reading.MAX_BYTES)
    assert len(reading.read_text(file)) == reading.MAX_BYTES
    file.write_bytes(b"#" * (reading.MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="larger than 4 MiB"):
        reading.read_text(file)


def test_a_path_that_cannot_be_one_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="cannot be the path"):
        reading.read_text(Path("/a\0b"))


def test_a_directory_that_cannot_be_listed_says_what_to_correct(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, message in ((tmp_path / "gone", "does not exist"), (tmp_path / "file", "is not a directory")):
        with pytest.raises(ConfigurationError, match=message) as error:
            reading.list_names(path)
        assert error.value.hint
        assert "stack:" in error.value.hint
    assert reading.list_names(tmp_path) == {"file"}
