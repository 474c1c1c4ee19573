"""Configurations of earlier versions: whoever upgrades need not look at theirs."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import yaml

from tracker_backup.config.load import load_config
from tracker_backup.config.model import Config, Keep
from tracker_backup.config.schema import load_schema

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures/repository-format-1/configuration.yml"
FIXTURE_SHA256 = "a7a56f87e69a41f2f4dd6602de04333cee1837306f85721c4fc3e9b408354eaf"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return the configuration with every key of version 0.1.0, loaded."""
    path = tmp_path / "default.yml"
    shutil.copyfile(FIXTURE, path)
    path.chmod(0o600)
    return load_config(path)


def test_it_is_what_it_was() -> None:
    assert hashlib.sha256(FIXTURE.read_bytes()).hexdigest() == FIXTURE_SHA256


def test_it_loads_and_means_what_it_meant(config: Config) -> None:
    jobs = {job.name: job for job in config.jobs}

    assert jobs["daily"].keep == Keep(last=2, hourly=24, daily=7, weekly=4, monthly=12, yearly=3)
    assert (jobs["index-only"].sources, jobs["index-only"].keep) == (("index",), Keep(last=2, daily=7))
    assert jobs["by-hand"].schedule is None
    assert [source.name for source in config.sources or ()] == ["tracker", "index", "elsewhere", "by-socket", "files"]
    assert (config.staging, config.compression_level) == (Path("/mnt/scratch/.staging-default"), 3)
    assert config.files.exclude == ("*.log", "storage/cache")


def test_each_of_its_keys_is_known_still() -> None:
    known = load_schema()["properties"]
    document = yaml.safe_load(FIXTURE.read_text(encoding="utf-8"))

    assert document.keys() <= known.keys()
    for key in ("files", "schedule"):
        assert document[key].keys() <= known[key]["properties"].keys()


def test_what_0_1_0_wrote_for_a_host_without_any_wish_loads(tmp_path: Path) -> None:
    path = tmp_path / "default.yml"
    path.write_text("stack: /opt/torrust\nrepository: /var/backups/tracker-backup/default\n", encoding="utf-8")
    path.chmod(0o600)

    assert [job.keep for job in load_config(path).jobs] == [Keep(last=2, daily=7)]
