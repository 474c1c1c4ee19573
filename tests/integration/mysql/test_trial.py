"""Throw-away servers: as a container of the stack's own image, and as a process of this host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.database_containers import imported
from support.database_images import image
from support.database_servers import ALL
from support.engine import docker, processes_with
from support.program import ROOT, wait_until
from tracker_backup.sources.mysql.trial import LABEL, Kind, TrialError, sweep, trial_server
from tracker_backup.system import process

# Instances of this test process alone: others use the same engine beside it.
TESTS, KILLED = f"tests-{os.getpid()}", f"killed-{os.getpid()}"
VENDOR = {flavour: "MySQL" if flavour.startswith("mysql") else "MariaDB" for flavour in ALL}
TABLE = b"""CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2);
DELIMITER //
CREATE FUNCTION f() RETURNS INT RETURN 1//
"""


def try_it(kind: Kind, directory: Path) -> None:
    with trial_server(kind, directory, TESTS) as server:
        server.query("CREATE DATABASE here")
        with server.loading("here") as child:
            child.stdin.write(TABLE)
            child.require_success()
        assert server.query("SELECT COUNT(*) FROM here.t", "SELECT here.f(), @@skip_networking") == [
            [("2",)],
            [("1", "1")],
        ]
        with server.loading("here") as child:
            child.stdin.write(b"INSERT INTO nothing VALUES (1);\n")
            assert child.finish() == 1
            assert "1146" in child.last_words()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("flavour", ALL)
def test_a_container_of_the_same_image_takes_a_dump_and_is_gone(flavour: str, tmp_path: Path):
    identifier = docker("image", "inspect", "--format", "{{.Id}}", imported(flavour))
    try_it(Kind(VENDOR[flavour], identifier), tmp_path / "trial")
    assert docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={TESTS}") == ""
    assert processes_with(str(tmp_path / "trial")) == set()


@pytest.mark.parametrize("flavour", ALL)
def test_a_process_of_this_host_takes_a_dump_and_is_gone(flavour: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "SYSTEM_PATH", f"{image(flavour).bin}:{process.SYSTEM_PATH}")
    try_it(Kind(VENDOR[flavour], None), tmp_path / "trial")
    assert processes_with(str(tmp_path / "trial")) == set()


def test_without_a_server_program_it_is_said(tmp_path: Path):
    with pytest.raises(TrialError, match="ended"), trial_server(Kind("MySQL", None), tmp_path / "trial", TESTS):
        pass


@pytest.mark.usefixtures("engine")
def test_an_image_that_is_gone_is_not_fetched(tmp_path: Path):
    kind = Kind("MySQL", f"sha256:{'0' * 64}")
    with (
        pytest.raises(TrialError, match=r"[Uu]nable to find image|[Nn]o such image"),
        trial_server(kind, tmp_path / "trial", TESTS),
    ):
        pass


HOLD = """
import sys, time
from pathlib import Path
from tracker_backup.sources.mysql.trial import Kind, trial_server
from tracker_backup.system import process
process.SYSTEM_PATH = sys.argv[4] + ":" + process.SYSTEM_PATH
with trial_server(Kind(sys.argv[1], sys.argv[2] or None), Path(sys.argv[3]), sys.argv[5]):
    print("up", flush=True)
    time.sleep(3600)
"""


def hold_and_kill(identifier: str, directory: Path) -> None:
    """Start a throw-away server from a process of its own, and kill that."""
    command = [sys.executable, "-c", HOLD, "MariaDB", identifier, str(directory), str(image("mariadb-10.11").bin)]
    command += [KILLED]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        holder.kill()


@pytest.mark.guarantee(16)
def test_a_process_dies_with_us_even_when_we_are_killed(tmp_path: Path):
    hold_and_kill("", tmp_path / "trial")
    wait_until(lambda: not processes_with(str(tmp_path / "trial")), lambda: "the server lives on")


@pytest.mark.guarantee(16)
@pytest.mark.usefixtures("engine")
def test_a_container_dies_with_us_even_when_we_are_killed(tmp_path: Path):
    identifier = docker("image", "inspect", "--format", "{{.Id}}", imported("mariadb-10.11"))
    hold_and_kill(identifier, tmp_path / "trial")
    wait_until(lambda: not docker("ps", "--quiet", "--filter", f"label={LABEL}={KILLED}"), lambda: docker("ps"))


@pytest.mark.guarantee(16)
@pytest.mark.usefixtures("engine")
def test_what_a_dead_engine_has_left_is_swept_at_the_next_start(tmp_path: Path):
    identifier = docker("image", "inspect", "--format", "{{.Id}}", imported("mariadb-10.11"))
    mine, theirs = f"mine-{os.getpid()}", f"theirs-{os.getpid()}"
    docker("create", "--name", mine, "--label", f"{LABEL}={mine}", identifier)
    docker("create", "--name", theirs, "--label", f"{LABEL}={theirs}", identifier)
    sweep(mine)
    assert set(docker("ps", "--all", "--format", "{{.Names}}").split()) & {mine, theirs} == {theirs}
    docker("rm", theirs)
