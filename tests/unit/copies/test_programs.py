"""What is made of a copy's settings, and of what the programs say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tracker_backup.config.model import CopySettings
from tracker_backup.copies.borg import _archive, _copied
from tracker_backup.copies.fetching import Whose, choose
from tracker_backup.copies.interface import Copied, Origin, without_password
from tracker_backup.copies.program import read_environment, require_private
from tracker_backup.copies.restic import _copied as snapshots
from tracker_backup.copies.ssh import sftp_command
from tracker_backup.errors import ConfigurationError, UsageError

ID = "20261123T030000Z-daily"
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def settings(repository: str) -> CopySettings:
    return CopySettings("nas", "restic", repository, Path("/nowhere/password"))


@pytest.mark.parametrize(
    ("address", "ending"),
    [
        ("sftp:nas:/srv/r", ["nas", "-s", "sftp"]),
        ("sftp:me@nas.example.org:/srv/r", ["me@nas.example.org", "-s", "sftp"]),
        ("sftp://me@nas:2222//srv/r", ["-p", "2222", "me@nas", "-s", "sftp"]),
        ("sftp://me@[::1]:2222/r", ["-p", "2222", "me@::1", "-s", "sftp"]),
    ],
)
def test_how_ssh_is_called_for_an_address(address: str, ending: list[str]) -> None:
    command = sftp_command(settings(address))
    assert command is not None
    assert command[-len(ending) :] == ending
    assert "BatchMode=yes" in command


@pytest.mark.parametrize("address", ["/srv/r", "rest:https://h/", "s3:https://h/b"])
def test_other_addresses_need_no_ssh(address: str) -> None:
    assert sftp_command(settings(address)) is None


@pytest.mark.parametrize("address", ["sftp:", "sftp:/srv/r", "sftp:-oProxyCommand=touch%20x:/r", "sftp://-oX/r"])
def test_an_address_is_no_option(address: str) -> None:
    with pytest.raises(ConfigurationError, match="no host"):
        sftp_command(settings(address))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rest:https://me:secret@host/x failed", "rest:https://me:***@host/x failed"),
        ("ssh://me@host:22/x", "ssh://me@host:22/x"),
        ("a: http://u:p@h/ b: http://u:q@h/", "a: http://u:***@h/ b: http://u:***@h/"),
        ("rest:https://me:s@cr@t@host/x", "rest:https://me:***@host/x"),
    ],
)
def test_passwords_of_addresses_are_masked(text: str, shown: str) -> None:
    assert without_password(text) == shown


def test_an_environment_file(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    file.write_text("# keys\n\nA=1\nB_2 = x=y \n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="others can read"):
        read_environment(file)
    file.chmod(0o600)
    assert read_environment(file) == {"A": "1", "B_2": "x=y"}
    assert read_environment(None) == {}
    file.write_text("A=1\nsecret\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="line 2 is not NAME=VALUE") as caught:
        read_environment(file)
    assert "secret\n" not in str(caught.value)


def test_a_password_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not there"):
        require_private(tmp_path / "password")


@pytest.mark.parametrize("host", ["vm", "vm.example.org", "10.0.0.1"])
def test_an_archive_s_name_says_whose_it_is(host: str) -> None:
    origin = Origin(host, "default", "daily")
    copied = _copied(_archive(origin, ID))
    assert copied is not None
    assert (copied.backup, copied.origin) == (ID, origin)


@pytest.mark.parametrize("name", ["mine", "vm-2026-11-23", "a.b.c", "web.example.org.zzz", "a.b.c.20269999T999999Z-x"])
def test_other_archives_are_not_ours(name: str) -> None:
    assert _copied(name) is None


def test_other_snapshots_are_not_ours() -> None:
    tags = ["tracker-backup", "instance:default", "job:daily", f"backup:{ID}"]
    ours = {"id": "a", "hostname": "vm", "paths": ["/p"], "tags": tags}
    others = [{**ours, "tags": None}, {**ours, "tags": tags[:-1]}, {**ours, "paths": ["/p", "/q"]}]
    others += [{**ours, "tags": [*tags[:-1], f"backup:{name}"]} for name in ("/etc/cron.d/x", "../x", "20261123T")]
    others += [{key: value for key, value in ours.items() if key != "hostname"}]
    assert list(snapshots([*others, ours])) == [Copied("a", ID, Origin("vm", "default", "daily"), "/p")]


def copied(backup: str, host: str = "vm", instance: str = "default") -> Copied:
    return Copied("key", backup, Origin(host, instance, "daily"), "")


def test_which_backup_is_meant() -> None:
    older, newer, future = copied(ID), copied("20261124T030000Z-daily"), copied("20301124T030000Z-daily")
    other = copied("20261125T030000Z-daily", instance="test")
    everything = [older, newer, other, future]
    assert choose(everything, "latest", Whose("default"), "nas", NOW) == newer
    assert choose(everything, future.backup, Whose("default"), "nas", NOW) == future
    assert choose(everything, ID, Whose(), "nas", NOW) == older
    with pytest.raises(UsageError, match="several stacks: default of vm, test of vm"):
        choose(everything, "latest", Whose(), "nas", NOW)
    with pytest.raises(UsageError, match="no backup 'latest'"):
        choose([], "latest", Whose("default"), "nas", NOW)


def test_after_a_move_it_is_the_backup_of_this_host() -> None:
    """As long as it has one: before its first copy, it is the old host's."""
    old, new = copied("20261124T030000Z-daily", host="old"), copied(ID, host="new")
    assert choose([old, new], "latest", Whose("default", rather="new"), "nas", NOW) == new
    assert choose([old], "latest", Whose("default", rather="new"), "nas", NOW) == old
    assert choose([old, new], "latest", Whose("default", host="old", rather="new"), "nas", NOW) == old
    with pytest.raises(UsageError, match="--host NAME"):
        choose([old, new], "latest", Whose("default"), "nas", NOW)
