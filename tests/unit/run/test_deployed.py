"""How a stack was deployed stands in its backups' manifests, and comes out of them as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker_backup.containers.command import ComposeProject
from tracker_backup.errors import RestoreError
from tracker_backup.run.deployed import Deployed, ServiceImage, deployment_facts, parse_deployed

PROJECT = ComposeProject(
    "torrust", Path("/opt/torrust"), (Path("/opt/torrust/live.yml"),), (Path("/opt/torrust/.env"),)
)


def test_it_comes_back_as_it_was() -> None:
    services = (
        ServiceImage("mysql", running=False, image="mysql:8", image_id="sha256:b"),
        ServiceImage("tracker", running=True, image="tracker:1", image_id="sha256:a", digests=("tracker@sha256:d",)),
    )
    deployed = Deployed(PROJECT, services)

    assert parse_deployed(deployed.to_json()) == deployed
    assert deployed.running == ("tracker",)


def test_compose_is_told_what_the_project_is() -> None:
    assert PROJECT.arguments() == [
        *("--project-name", "torrust", "--project-directory", "/opt/torrust"),
        *("--file", "/opt/torrust/live.yml", "--env-file", "/opt/torrust/.env"),
    ]
    assert ComposeProject("", Path("/srv")).arguments() == ["--project-directory", "/srv"]


@pytest.mark.parametrize("document", [{}, {"project": "x"}, {"project": "x", "directory": 1, "files": 2}])
def test_what_is_no_deployment_is_an_error(document: dict[str, object]) -> None:
    with pytest.raises(RestoreError, match="cannot be read"):
        parse_deployed(document)


def test_without_docker_a_backup_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_backup.system.process.SYSTEM_PATH", str(tmp_path))

    assert deployment_facts(tmp_path, tmp_path) == {}
