"""The containers that the tests of MySQL and MariaDB run with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.database_containers import container, internal_network
from support.database_servers import ALL, ROOT_PASSWORD, client
from support.engine import docker


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("flavour", ALL)
def test_a_container_of_each_flavour_is_as_compose_starts_it(flavour: str, tmp_path: Path):
    with container(flavour, tmp_path) as database:
        [[version, schema]] = database.sql("SELECT version(), 'x'")
        assert (version.split("-")[0].rsplit(".", 1)[0], schema) == (flavour.split("-")[1], "x")
        label = '{{index .Config.Labels "com.docker.compose.project.working_dir"}} {{json .NetworkSettings.Ports}}'
        assert docker("inspect", "--format", label, database.name).startswith(f"{tmp_path} ")
    assert database.name not in docker("ps", "--all", "--format", "{{.Names}}").split()


@pytest.mark.usefixtures("engine")
def test_a_container_in_an_internal_network_has_an_address_that_this_machine_reaches(tmp_path: Path):
    with internal_network(), container("mariadb-10.11", tmp_path, network=True) as database:
        options = tmp_path / "client.cnf"
        password = ROOT_PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
        options.write_text(f'[client]\nuser=root\npassword="{password}"\nhost={database.address}\n')
        command = [*client("mariadb-10.11").load, f"--defaults-file={options}", "--execute=SELECT 1", "--batch"]
        assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "1\n1\n"
