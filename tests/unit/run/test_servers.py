"""Where a schema is, from what the stack or the configuration says; what a person must not see stays out of sight."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracker_backup.config.load import load_config
from tracker_backup.config.model import Config
from tracker_backup.run.resolve import describe_sources, resolve_sources
from tracker_backup.run.servers import describe_server, is_there

COMPOSE = """
services:
  tracker:
    image: torrust/tracker
    environment:
      TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER: mysql
      TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PATH: mysql://tracker:canary%40x@db:3307/live
  db: {image: mysql}
"""


def configured(directory: Path, **changes: Any) -> Config:
    (directory / "stack").mkdir()
    (directory / "stack/compose.yaml").write_text(COMPOSE)
    document = {"stack": str(directory / "stack"), "repository": str(directory / "repository"), **changes}
    file = directory / "default.yml"
    file.write_text(yaml.safe_dump(document))
    file.chmod(0o600)
    return load_config(file)


def named(directory: Path, **keys: Any) -> Config:
    return configured(directory, sources=[{"name": "index", "type": "mysql", "schema": "s", "user": "u", **keys}])


def test_a_discovered_schema_brings_its_server_and_login(tmp_path: Path) -> None:
    config = configured(tmp_path, mysql_reach="exec", mysql_non_transactional="refuse", files={"enabled": False})
    (source,) = resolve_sources(config).sources

    target = source.target
    assert target is not None
    assert (source.name, source.type, source.service, source.path) == ("tracker", "mysql", "tracker", config.stack)
    assert (target.schema, target.service, target.host, target.port) == ("live", "db", "db", 3307)
    assert (target.user, target.password) == ("tracker", "canary@x")
    assert (target.reach, target.non_transactional) == ("exec", "refuse")
    assert source.place == "schema live on service db"
    assert "canary" not in repr(source)


def test_a_named_schema_says_where_it_is(tmp_path: Path) -> None:
    config = named(tmp_path, host="db.example", port=3310, password_file="/p", reach="host")
    (source,) = resolve_sources(config).sources

    target = source.target
    assert target is not None
    assert (target.host, target.port, target.socket, target.password_file) == ("db.example", 3310, None, Path("/p"))
    assert target.reach == "host"
    assert source.place == "schema s on db.example:3310"


def test_defaults_of_a_named_schema(tmp_path: Path) -> None:
    (source,) = resolve_sources(named(tmp_path)).sources

    assert source.target is not None
    assert (source.target.port, source.target.reach, source.target.non_transactional) == (3306, "auto", "lock")
    assert source.place == "schema s on localhost:3306"
    assert replace(source.target, socket=Path("/s")).server == "/s"


@pytest.mark.parametrize("explicit", [True, False])
def test_a_server_out_of_reach_is_described_with_the_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, explicit: bool
) -> None:
    monkeypatch.setattr("tracker_backup.system.process.SYSTEM_PATH", "/nonexistent")
    config = named(tmp_path) if explicit else configured(tmp_path, files={"enabled": False})
    (described,) = describe_sources(config).sources

    assert described["schema"] == ("s" if explicit else "live")
    assert "no way to schema" in described["problem"]
    assert "canary" not in str(described)
    (source,) = resolve_sources(config).sources
    assert not is_there(source)


def test_a_file_is_no_server(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    config = configured(tmp_path, sources=[{"name": "a", "type": "sqlite", "path": str(database)}])
    (source,) = resolve_sources(config).sources

    assert describe_server(source) == {}
    assert not is_there(source)
    database.touch()
    assert is_there(source)


@pytest.mark.parametrize("placement", ["service", "sidecar"])
def test_without_docker_a_server_has_the_name_that_its_network_gives_it(tmp_path: Path, placement: str) -> None:
    config = configured(tmp_path, placement=placement, files={"enabled": False})
    (source,) = resolve_sources(config).sources

    assert source.target is not None
    assert (source.target.host, source.target.port, source.target.service) == ("db", 3307, None)


def test_the_orchestrator_asks_docker_as_the_host_does(tmp_path: Path) -> None:
    (source,) = resolve_sources(configured(tmp_path, placement="orchestrator", files={"enabled": False})).sources

    assert source.target is not None
    assert source.target.service == "db"
