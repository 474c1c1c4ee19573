"""What discovery finds becomes sources; whole runs are in tests/integration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from tracker_backup.config.load import load_config
from tracker_backup.config.model import Config
from tracker_backup.run.resolve import describe_sources, resolve_sources
from tracker_backup.sources.files.walking import survey

COMPOSE = "services: {tracker: {image: torrust/tracker, volumes: ['./lib:/var/lib/torrust/tracker']}}\n"


def test_containers_are_looked_for_where_the_project_is(tmp_path: Path) -> None:
    """A COMPOSE_FILE that leads elsewhere makes that directory the project's, and the containers' labels name it."""
    stack, project = tmp_path / "stack", tmp_path / "project"
    stack.mkdir()
    project.mkdir()
    (stack / ".env").write_text("COMPOSE_FILE=../project/compose.yaml\n")
    (project / "compose.yaml").write_text(COMPOSE)
    configuration = tmp_path / "live.yml"
    configuration.write_text(f"stack: {stack}\nrepository: {tmp_path}/backups\nfiles: {{enabled: false}}\n")
    configuration.chmod(0o600)
    (source,) = resolve_sources(load_config(configuration)).sources
    assert source.path == project / "lib/database/sqlite3.db"
    assert source.project == project


def configured(tmp_path: Path, **changes: object) -> Config:
    stack = tmp_path / "stack"
    stack.mkdir()
    (stack / "compose.yaml").write_text(COMPOSE)
    configuration = tmp_path / "live.yml"
    configuration.write_text(f"stack: {stack}\nrepository: {tmp_path}/backups\nplacement: sidecar\n")
    configuration.chmod(0o600)
    return replace(load_config(configuration), **changes)


def test_a_sidecar_takes_its_own_source(tmp_path: Path) -> None:
    config = configured(tmp_path, only="files", sidecars=("files", "tracker"))

    resolved = resolve_sources(config)

    assert [source.name for source in resolved.sources] == ["files"]
    assert resolved.unserved == ()
    assert [source["name"] for source in describe_sources(config).sources] == ["files"]


def test_of_sidecars_the_first_tells_of_a_source_that_has_none(tmp_path: Path) -> None:
    config = configured(tmp_path, only="files", sidecars=("files", "index"))

    assert resolve_sources(config).unserved == ("tracker",)
    assert resolve_sources(replace(config, only="index")).unserved == ()


def test_our_own_services_and_their_file_are_no_part_of_the_stack(tmp_path: Path) -> None:
    config = configured(tmp_path)
    ours = {"image": "x", "environment": {"TRACKER_BACKUP_PLACEMENT": "service"}, "volumes": ["/srv/repository:/r"]}
    override = config.stack / "compose.override.yaml"
    override.write_text("# made by tracker-backup\n" + yaml.safe_dump({"services": {"backup": ours}}))
    (config.home / "etc").mkdir(parents=True)

    resolved = resolve_sources(config)

    assert [str(mount.path) for mount in resolved.belongings.mounts] == [str(config.stack / "lib")]
    (files,) = [source for source in resolved.sources if source.name == "files"]
    assert files.scope is not None
    taken = {member.path for member in survey(files.scope).members}
    assert str(config.stack / "compose.yaml") in taken
    assert str(override) not in taken
    assert str(config.home / "etc") not in taken
