"""The file with the addresses: who may read it, what is in it, and that nothing of it is ever shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracker_backup.errors import ConfigurationError
from tracker_backup.notify.addresses import Address, read_addresses

SECRET = "5ec2e7-canary"


def written(tmp_path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    file = tmp_path / "default.urls"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return file


def refused(file: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_addresses(file)
    assert SECRET not in str(caught.value)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_one_address_on_each_line(tmp_path: Path) -> None:
    file = written(tmp_path, f"# mine\n\n  mailto://me:{SECRET}@example.org  \nslack://{SECRET}/b/c\r\n")

    found = read_addresses(file)

    assert [address.url for address in found] == [f"mailto://me:{SECRET}@example.org", f"slack://{SECRET}/b/c"]
    assert [str(address) for address in found] == ["mailto://… (line 3)", "slack://… (line 4)"]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o602, 0o644, 0o610])
def test_what_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path, f"json://{SECRET}\n", mode)
    if os.geteuid() == 0:
        os.chown(file, -1, 65534)  # a group that has somebody in it

    assert "chmod" in refused(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, f"json://{SECRET}\n")
    os.chown(file, 65534, -1)

    assert "belongs to the user" in refused(file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "there is no address in"),
        ("# json://x\n\n", "there is no address in"),
        (f"json://{SECRET}\xff".encode("latin-1"), "is not UTF-8"),
        (f"json://{SECRET}\n" * 51, "is too long: it may have 50 addresses"),
        (f"json://{SECRET}{'x' * 70_000}", "is too long: it may have 50 addresses"),
    ],
    ids=["empty", "remarks", "no text", "many", "long"],
)
def test_a_file_without_addresses_that_can_be_told_is_refused(
    tmp_path: Path, content: str | bytes, expected: str
) -> None:
    assert expected in refused(written(tmp_path, content))


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)

    assert "No such file" in refused(tmp_path / "none")
    assert "not a plain file" in refused(fifo)
    assert "not a plain file" in refused(tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"mailtos://{SECRET}@example.org", "mailtos://… (line 1)"),
        (f"HTTPS://hooks.invalid/{SECRET}", "https://… (line 1)"),
        (SECRET, "?://… (line 1)"),
        (f"{SECRET}/x://y", "?://… (line 1)"),
        (f"{'a' * 33}://{SECRET}", "?://… (line 1)"),
    ],
)
def test_of_an_address_only_the_scheme_is_shown(url: str, shown: str) -> None:
    assert str(Address(1, url)) == shown
    assert SECRET not in repr(Address(1, url))
