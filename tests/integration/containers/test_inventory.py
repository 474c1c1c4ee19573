"""What a real Docker Engine says of a stack: how it was started, and where its volumes lie on this host."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engine import IMAGE, docker
from support.tracker_standin import build_database
from tracker_backup.compose import reading
from tracker_backup.containers import inventory
from tracker_backup.containers.inventory import DockerInventory
from tracker_backup.errors import CommandError, ConfigurationError
from tracker_backup.stack.discovery import discover

DATA = "/var/lib/torrust/tracker"
_number = itertools.count()


@pytest.fixture
def project(engine: None) -> Iterator[str]:
    """Return the name of a project that no other test has; its containers, volumes and images go in the end."""
    name = f"tracker-backup-test-{os.getpid()}-{next(_number)}"
    yield name
    mine = ("--quiet", "--filter", f"label=com.docker.compose.project={name}")
    for container in docker("ps", "--all", *mine).split():
        docker("rm", "--force", "--volumes", container)
    for volume in docker("volume", "ls", *mine).split():
        docker("volume", "rm", volume)
    docker("rmi", "--force", name, check=False)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Return a stack's directory with a tracker's Compose file."""
    directory = tmp_path / "stack"
    directory.mkdir()
    text = f"services: {{tracker: {{image: torrust/tracker, volumes: ['data:{DATA}']}}}}\n"
    (directory / "compose.yaml").write_text(text)
    return directory


def make_volume(project: str, name: str, *options: str) -> Path:
    """Make a volume as Compose does, and return where it is."""
    docker("volume", "create", "--label", f"com.docker.compose.project={project}", *options, name)
    return Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", name))


def make_container(project: str, stack: Path, files: str, *options: str, image: str = IMAGE) -> None:
    """Make a container of the service `tracker` with the labels that Compose gives it; it is never started."""
    labels = {
        "project": project,
        "service": "tracker",
        "oneoff": "False",
        "project.working_dir": str(stack),
        "project.config_files": files,
        "project.environment_file": f"{stack}/live.env",
    }
    given = [part for key, value in labels.items() for part in ("--label", f"com.docker.compose.{key}={value}")]
    docker("create", "--network", "none", "--env", "SECRET=canary", *given, *options, image, "/usr/bin/true")


def test_a_database_on_a_named_volume_is_found_while_docker_runs_and_while_it_does_not(
    project: str, stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stack / "compose.yaml").write_text(f"name: {project}\n{(stack / 'compose.yaml').read_text()}")
    place = make_volume(project, f"{project}_data")
    (place / "database").mkdir()
    build_database(place / "database/sqlite3.db", mib=1)
    (source,) = discover(stack).sources
    assert source.path is not None
    assert source.path.samefile(place / "database/sqlite3.db")
    assert f"on the volume {project}_data" in source.why

    root = docker("info", "--format", "{{.DockerRootDir}}")
    monkeypatch.setattr(reading, "DOCKER_CONFIGURATION", tmp_path / "daemon.json")
    reading.DOCKER_CONFIGURATION.write_text(json.dumps({"data-root": root}))

    def missing() -> str:
        raise CommandError("there is no Docker")

    monkeypatch.setattr(inventory, "docker_program", missing)
    assert discover(stack).sources[0].path == source.path


def test_a_volume_of_a_directory_is_that_directory(project: str, stack: Path, tmp_path: Path) -> None:
    (stack / "compose.yaml").write_text(f"name: {project}\n{(stack / 'compose.yaml').read_text()}")
    options = [part for option in ("type=none", "o=bind", f"device={tmp_path}/kept") for part in ("--opt", option)]
    make_volume(project, f"{project}_data", *options)
    assert discover(stack).sources[0].path == tmp_path / "kept/database/sqlite3.db"


def test_a_volume_that_the_image_declares_is_the_container_s(project: str, stack: Path) -> None:
    (stack / "compose.yaml").write_text("services: {tracker: {image: torrust/tracker}}\n")
    with pytest.raises(ConfigurationError, match="is on no mount"):
        discover(stack)
    declare = ["docker", "build", "--quiet", "--tag", project, "-"]
    subprocess.run(declare, input=f"FROM {IMAGE}\nVOLUME {DATA}\n", text=True, capture_output=True, check=True)
    make_container(project, stack, f"{stack}/compose.yaml", image=project)
    (source,) = discover(stack).sources
    assert source.path is not None
    assert source.path.parents[1].is_dir()
    assert source.path.is_relative_to(DockerInventory().volumes_directory())


def test_the_files_and_the_name_that_the_stack_was_started_with_are_in_its_labels(project: str, stack: Path) -> None:
    (stack / "sub").mkdir()
    (stack / "sub/live.yaml").write_text(f"services: {{tracker: {{volumes: ['$DATA:{DATA}', 'more:/more']}}}}\n")
    (stack / "live.env").write_text("DATA=./live\n")
    place = make_volume(project, f"{project}_more")
    make_container(project, stack, f"{stack}/compose.yaml,{stack}/sub/live.yaml")
    found = discover(stack)
    assert found.project == project
    assert found.files == (stack / "compose.yaml", stack / "sub/live.yaml")
    assert found.sources[0].path == stack / "live/database/sqlite3.db"
    assert {mount.path for mount in found.mounts} == {stack / "live", place}
    assert "canary" not in repr(DockerInventory().containers())


def test_volumes_that_are_not_there_are_left_out(project: str) -> None:
    make_volume(project, f"{project}_data")
    assert set(DockerInventory().volumes([f"{project}_data", f"{project}_gone"])) == {f"{project}_data"}
    assert DockerInventory().volumes([]) == {}
