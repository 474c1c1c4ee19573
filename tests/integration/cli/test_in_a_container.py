"""What the program refuses in a container of the stack, and on a host that has none, before anything is done."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from support.program import Installation
from support.small_disk import needs_root
from support.tracker_standin import build_database

WITHOUT_DOCKER = ("service", "sidecar")


def installed(directory: Path, monkeypatch: pytest.MonkeyPatch, placement: str) -> Installation:
    """Return an installation with one backup, and let what is run from now on be in such a container."""
    host = Installation(directory / "host")
    build_database(host.database, mib=0.2)
    assert host.run("init").returncode == 0
    host.back_up()
    host.configure(placement=placement)
    monkeypatch.setenv("TRACKER_BACKUP_PLACEMENT", placement)
    return host


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert [word for word in words if word not in done.stderr] == [], done.stderr


@pytest.mark.guarantee(9, 13, 20)
@pytest.mark.parametrize("where", ["elsewhere", "../out", "/tmp/tracker-backup-restored"])
def test_a_restore_that_would_be_gone_with_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    host = installed(tmp_path, monkeypatch, "service")
    monkeypatch.chdir(tmp_path)

    refused(host.run("restore", "latest", "--to", where), "gone with it", str(host.data / "tracker-backup/restored"))

    assert not (tmp_path / where).exists()


def test_a_restore_into_the_place_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = installed(tmp_path, monkeypatch, "service")
    place = host.data / "tracker-backup" / "restored"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)

    done = host.run("restore", "latest", "--to", "today")

    assert done.returncode == 0, done.stderr
    assert (place / "today" / "tracker.sqlite3").is_file()
    assert str(place / "today" / "tracker.sqlite3") in done.stdout


@needs_root
@pytest.mark.guarantee(9, 20)
@pytest.mark.parametrize("placement", WITHOUT_DOCKER)
def test_a_restore_in_place_by_who_sees_neither_docker_nor_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, placement: str
) -> None:
    host = installed(tmp_path, monkeypatch, placement)
    before = host.database.read_bytes()

    refused(host.run("restore", "latest", "--in-place", "--yes"), f"in the placement {placement}", "--to")

    assert host.database.read_bytes() == before


@pytest.mark.guarantee(17, 20)
@pytest.mark.parametrize("placement", [*WITHOUT_DOCKER, "orchestrator"])
def test_a_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, placement: str) -> None:
    host = installed(tmp_path, monkeypatch, placement)

    for action in ("plan", "leave"):
        refused(host.run("move", action), "a move is made by the program on the host")


def test_a_container_that_was_made_for_another_placement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = installed(tmp_path, monkeypatch, "service")
    host.configure(placement="orchestrator")

    refused(host.run("--now"), "made for the placement service", "run the role again")


def test_the_entry_point_and_a_compose_file_on_a_host(tmp_path: Path) -> None:
    host = Installation(tmp_path / "host")

    refused(host.run("serve"), "on a host cron runs the schedule")
    refused(host.run("compose", "--image-name", "x"), "there is nothing to tell Compose")


COMPOSE = """\
services:
  tracker:
    image: torrust/tracker:develop
    {network}
    environment:
      TORRUST_TRACKER_CONFIG_TOML: |
        [core.database]
        driver = "mysql"
        path = "mysql://tracker:canary@{server}:3306/torrust"
  mysql:
    image: mysql:8.4
    {network}
"""


@pytest.mark.parametrize("server", ["localhost", "mysql"])
def test_a_server_in_the_network_of_the_host(tmp_path: Path, server: str) -> None:
    """Said before anything is built, not by the first backup that finds no server."""
    host = Installation(tmp_path / "host", placement="service", sources=None)
    stack = host.data / "compose.yaml"

    stack.write_text(COMPOSE.format(network="network_mode: host", server=server))
    refused(host.run("compose", "--image-name", "x"), f"reached as {server}", "placement to host or orchestrator")

    stack.write_text(COMPOSE.format(network="networks: {behind: {aliases: [mysql]}}", server="mysql"))
    done = host.run("compose", "--image-name", "x")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"]["backup"]["networks"] == ["default", "behind"]
