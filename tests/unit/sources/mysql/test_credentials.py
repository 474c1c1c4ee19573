"""How a password gets into an option file, and out of nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracker_backup.errors import SourceError
from tracker_backup.sources.mysql.credentials import Credentials, as_descriptor
from tracker_backup.sources.mysql.target import Target, password_of

pytestmark = pytest.mark.guarantee(7, 14)

CANARY = "canary-5ec2e7"


def test_the_option_file_has_all_in_quotes() -> None:
    text = Credentials("us er", 'a"b\\c#d\ne\tf\rg').option_file({"host": "h", "port": "3306"}).decode()

    assert text == ('[client]\nuser="us er"\npassword="a\\"b\\\\c#d\\ne\\tf\\rg"\nhost="h"\nport="3306"\n')


@pytest.mark.parametrize("password", ["a\0b", "x" * 40000])
def test_what_no_option_file_can_hold_is_refused_without_showing_it(password: str) -> None:
    with pytest.raises(SourceError) as caught:
        Credentials("u", password).option_file({})
    assert password not in str(caught.value)


def test_no_repr_shows_them() -> None:
    shown = (
        repr(Credentials(CANARY, CANARY)) + repr(Target("schema", CANARY, CANARY)) + str(Target("s", CANARY, CANARY))
    )

    assert CANARY not in shown


def test_it_is_read_from_a_pipe_and_then_gone() -> None:
    with as_descriptor(b"[client]\n") as descriptor:
        path = f"/dev/fd/{descriptor}"
        assert Path(path).read_bytes() == b"[client]\n"
        assert Path(path).read_bytes() == b""
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize(
    ("written", "expected"), [("se cret", "se cret"), ("x\n", "x"), ("x\r\n", "x"), (" x \n\n", " x \n")]
)
def test_a_password_file_holds_the_password_alone(tmp_path: Path, written: str, expected: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(written.encode())
    file.chmod(0o600)

    assert password_of(Target("s", "u", password_file=file)) == expected


def test_a_password_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(CANARY)
    file.chmod(0o644)

    with pytest.raises(SourceError, match="can be read or changed by others") as caught:
        password_of(Target("s", "u", password_file=file))
    assert f"sudo chmod 0600 {file}" in str(caught.value)


def test_a_password_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        password_of(Target("s", "u", password_file=tmp_path / "none"))
