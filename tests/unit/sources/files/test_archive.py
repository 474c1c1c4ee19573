"""GNU tar: names of any bytes in, and out again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.errors import CommandError, SourceError
from tracker_backup.sources.files import archive

NAMES = [
    b"plain",
    b"with\nnewline",
    b"no\xfftext",
    b"-rf",
    b" blank ",
    b"back\\slash\\n",
    b"\\101",
    b"a -> b",
    b"\x01\x7f",
]


def make(directory: Path, *names: bytes) -> list[str]:
    """Make files of those names and return their paths."""
    paths = [os.fsdecode(os.fsencode(directory) + b"/" + name) for name in names]
    for path in paths:
        Path(path).write_bytes(b"x")
    return paths


def test_names_come_out_as_they_went_in(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    paths = [str(tmp_path / "in"), *make(tmp_path / "in", *NAMES)]

    archive.create(paths, tmp_path / "out.tar", lambda _done: None)

    assert list(archive.names(tmp_path / "out.tar")) == [archive.member_name(path) for path in paths]
    assert "".join(archive.kinds(tmp_path / "out.tar")) == "d" + "-" * len(NAMES)


@given(st.binary(max_size=30))
def test_unquoting_takes_back_what_tar_does(name: bytes) -> None:
    """As `quoting-style=escape` is described: letters for some, octal digits for the rest, a doubled backslash."""
    letters = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r"}
    quoted = b"".join(
        b"\\\\" if byte == 0x5C
        else b"\\" + letters[byte] if byte in letters
        else b"\\%03o" % byte if byte < 0x20 or byte > 0x7E
        else bytes([byte])
        for byte in name
    )  # fmt: skip

    assert archive.unquoted(quoted) == name


def test_what_is_gone_is_passed_over(tmp_path: Path) -> None:
    paths = make(tmp_path, b"a", b"b")

    archive.create([paths[0], str(tmp_path / "gone"), paths[1]], tmp_path / "out.tar", lambda _done: None)

    assert list(archive.names(tmp_path / "out.tar")) == [archive.member_name(path) for path in paths]


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out.tar").write_bytes(b"no archive" * 1000)

    with pytest.raises(SourceError, match="tar exited with 2"):
        archive.append(make(tmp_path, b"a"), tmp_path / "out.tar")
    with pytest.raises(CommandError, match="tar exited with 2"):
        list(archive.names(tmp_path / "out.tar"))


def test_a_directory_is_called_as_it_is(tmp_path: Path) -> None:
    """Of itself tar takes a backslash and what follows for one character."""
    directory = tmp_path / "back\\slash\\n"
    directory.mkdir()
    make(directory, b"a")
    archive.create([], tmp_path / "out.tar", lambda _done: None)

    archive.append(["a"], tmp_path / "out.tar", str(directory))

    assert list(archive.names(tmp_path / "out.tar")) == [b"a"]


def test_an_owner_is_given_by_number(tmp_path: Path) -> None:
    """The name of a user with that number, or none, would be looked up where it is restored."""
    path = Path(make(tmp_path, b"a")[0])
    archive.create([], tmp_path / "out.tar", lambda _done: None)
    os_status = path.lstat()
    changed = os.stat_result((*os_status[:4], 472, 473, *os_status[6:]))

    archive.append([str(path)], tmp_path / "out.tar", owned_as=type("M", (), {"status": changed})())

    said = subprocess.run(["tar", "-tvf", tmp_path / "out.tar"], capture_output=True, text=True, check=True).stdout
    assert " 472/473 " in said


def test_the_version_is_that_of_gnu_tar() -> None:
    assert archive.version()[0].isdigit()
