"""What is asked for, what cannot be read, and disks without room."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.program import Installation, sqlite_source
from support.small_disk import needs_root, small_disk
from support.stack_world import access_list
from support.taking import context_in, files_of
from support.tracker_standin import build_database
from tracker_backup.sources.files.driver import FilesDriver
from tracker_backup.sources.files.restoring import unfold

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@pytest.fixture
def tmp_path(open_path: Path) -> Path:
    """Return a directory that the other users of these tests may enter."""
    return open_path


def test_what_is_discovered_is_told_with_its_reason(host: Installation) -> None:
    shown = host.run("discover")
    [tracker, files] = json.loads(host.run("discover", "--json").stdout)

    assert shown.returncode == 0
    assert (tracker["name"], files["name"], files["type"], files["path"]) == (
        "tracker",
        "files",
        "files",
        str(host.data),
    )
    for line in (
        f"  {host.data}: the stack's directory",
        f"  {host.directory}/certificates: mounted at /certificates by service proxy",
        "a SQLite database, copied as one",
        "/var/run/docker.sock: part of the host's system",
        f"{host.data}/storage/tracker/log: logs that a service writes",
    ):
        assert line in shown.stdout
    assert files["count"] > 40
    assert files["bytes"] > 400_000
    assert files["out_count"] == len(files["out"])


def test_additions_and_exclusions(host: Installation, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "precious.log").write_text("kept")
    host.configure(files={"extra_paths": [str(tmp_path / "more")], "exclude": ["storage/odd", "*.crt"]})

    engine = host.back_up()["artifacts"][1]["engine"]
    host.run("restore", "latest", "--source", "files", "--to", str(tmp_path / "out"))

    below = tmp_path / "out/files"
    assert (below / str(tmp_path).lstrip("/") / "more/precious.log").read_text() == "kept"
    assert not (below / str(host.data).lstrip("/") / "storage/odd").exists()
    assert not list(below.rglob("example.org.crt"))
    assert {item["reason"] for item in engine["left_out"]} >= {"files.exclude names *.crt"}


def test_they_can_be_switched_off(host: Installation) -> None:
    host.configure(files={"enabled": False})

    assert [item["source"] for item in host.back_up()["artifacts"]] == ["tracker"]
    assert "files  files" not in host.run("discover").stdout


def test_named_sources_need_no_compose_file(tmp_path: Path) -> None:
    host = Installation(tmp_path / "host")
    build_database(host.database, mib=0.1)
    host.configure(sources=[sqlite_source("tracker", host.database), {"name": "files", "type": "files"}])
    assert host.run("init").returncode == 0
    (host.data / "notes").write_text("kept")

    done = host.run("--now")

    assert done.returncode == 0
    assert "what the services mount is not known" in done.stderr
    assert [item["source"] for item in host.manifests()[0]["artifacts"]] == ["tracker", "files"]


def test_what_was_read_from_beside_the_stack_is_in_and_a_volume_out_of_reach_is_told(
    host: Installation, tmp_path: Path
) -> None:
    common = tmp_path / "common"
    common.mkdir()
    (common / "shared.env").write_text("A=1\n")
    (common / "more.yml").write_text(
        "services: {loki: {image: loki, env_file: shared.env, volumes: ['kept:/loki']}}\n"
        "volumes: {kept: {driver: somewhere-else}}\n"
    )
    with (host.data / "docker-compose.yml").open("a", encoding="utf-8") as compose:
        compose.write(f"include: [{common}/more.yml]\n")

    done = host.run("discover")

    assert done.returncode == 0, done.stderr
    assert f"{common}/more.yml: a Compose file of the stack" in done.stdout
    assert f"{common}/shared.env: an environment file of the stack" in done.stdout
    assert "note: files: without volume" in done.stdout
    assert "kept by the driver somewhere-else" in done.stdout


@needs_root
def test_what_cannot_be_read_fails_the_files_and_nothing_else(host: Installation) -> None:
    host.python = "/usr/bin/python3"
    subprocess.run(["chown", "-R", str(NOBODY), str(host.directory)], check=True)
    secret = host.directory / "certificates/example.org.key"
    os.chown(secret, 0, 0)

    done = host.run("--now", wrap=AS_NOBODY)

    assert done.returncode == 3
    assert f"cannot be read: {secret}: Permission denied" in done.stderr
    assert "sudo" in done.stderr
    assert [item["source"] for item in host.manifests()[0]["artifacts"]] == ["tracker"]
    assert host.left_over() == []


@needs_root
def test_without_root_contents_and_modes_come_back_and_owners_do_not(host: Installation) -> None:
    host.python = "/usr/bin/python3"
    host.back_up()
    subprocess.run(["chown", "-R", str(NOBODY), str(host.directory)], check=True)
    target = host.directory / "restored"

    done = host.run("restore", "latest", "--to", str(target), wrap=AS_NOBODY)

    assert done.returncode == 0, done.stderr
    assert "Owners, and what else only root may set, were not restored" in done.stdout
    stack = target / "files" / str(host.data).lstrip("/")
    assert (stack / ".env").stat().st_mode & 0o777 == 0o600
    assert {path.lstat().st_uid for path in stack.rglob("*")} == {NOBODY}
    assert (stack / "storage/odd/locked").stat().st_mode & 0o777 == 0o500


@needs_root
def test_a_file_system_that_keeps_no_acls_is_told_of(tmp_path: Path) -> None:
    """A ramfs is one; it says that it has no room, so the command would not restore there."""
    stack, plain = tmp_path / "stack", tmp_path / "plain"
    stack.mkdir()
    (stack / "shared").write_text("kept")
    os.setxattr(stack / "shared", "system.posix_acl_access", access_list(1000))
    taken = FilesDriver().take(files_of(stack), context_in(tmp_path / "staging"))
    plain.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "ramfs", str(plain)], check=True)
    try:
        [lost] = unfold(taken.path, plain / "files", taken.engine)
        restored = (plain / "files" / str(stack).lstrip("/") / "shared").read_text()
    finally:
        subprocess.run(["umount", str(plain)], check=True)

    assert restored == "kept"
    assert lost.startswith("not everything could be set there: ")
    assert "Operation not supported" in lost


@needs_root
def test_a_restore_that_finds_no_room_leaves_nothing(host: Installation, tmp_path: Path) -> None:
    (host.data / "large").write_bytes(os.urandom(8 * 1024**2))
    host.back_up()
    with small_disk(tmp_path / "disk", 12) as disk:
        done = host.run("restore", "latest", "--source", "files", "--to", str(disk / "restored"))

        assert done.returncode == 1
        assert "not enough room" in done.stderr
        assert [path for path in disk.rglob("*") if path.name != "restored"] == []
