"""A configuration as it holds in a container of ours, above all in a sidecar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracker_backup.config.load import build_config
from tracker_backup.config.model import Config
from tracker_backup.errors import ConfigurationError
from tracker_backup.placement import here as module
from tracker_backup.placement.here import Here, find_here, note_here, placed
from tracker_backup.system.container import container_in

JOBS: list[dict[str, Any]] = [
    {"name": "daily", "schedule": "0 3 * * *"},
    {"name": "often", "schedule": "0 * * * *", "sources": ["tracker"]},
    {"name": "both", "schedule": "0 4 * * *", "sources": ["tracker", "index"]},
]


def config_of(placement: str, **changes: Any) -> Config:
    document = {"stack": "/opt/torrust", "repository": "/var/backups/default", "jobs": JOBS, "placement": placement}
    return build_config({**document, **changes}, Path("/etc/tracker-backup/default.yml"))


def test_on_a_host_nothing_is_changed() -> None:
    config = config_of("host", schedule={"target": "crontab", "user": "me"})

    assert placed(config, None) == config


@pytest.mark.parametrize("placement", ["service", "orchestrator", "sidecar"])
def test_in_a_container_the_schedule_is_in_its_own_cron_directory(placement: str) -> None:
    schedule = {"target": "/somewhere/else", "user": "me", "command": "/opt/bin/tracker-backup"}
    config = placed(config_of(placement, schedule=schedule), Here(placement, "0" * 64))

    assert (config.schedule.target, config.schedule.user) == ("cron.d", "root")
    assert config.schedule.command == Path("/usr/local/bin/tracker-backup")


def test_a_sidecar_has_what_the_jobs_say_of_its_source() -> None:
    config = placed(config_of("sidecar"), Here("sidecar", "0" * 64, "tracker"))

    assert [(job.name, job.sources) for job in config.jobs] == [
        ("daily-tracker", ("tracker",)), ("often", ("tracker",)), ("both-tracker", ("tracker",)),
    ]  # fmt: skip
    assert config.only == "tracker"
    assert config.repository == Path("/var/backups/default")


def test_two_sidecars_share_the_repository_and_nothing_else() -> None:
    one, other = (
        placed(config_of("sidecar", metrics_file="/m/x.prom"), Here("sidecar", "0" * 64, name))
        for name in ("tracker", "index")
    )

    assert one.repository == other.repository
    for key in ("state_directory", "log_file", "staging", "metrics_file"):
        assert getattr(one, key) != getattr(other, key), key
    assert not {job.name for job in one.jobs} & {job.name for job in other.jobs}


def test_copies_follow_the_jobs_by_their_new_names() -> None:
    copy: dict[str, Any] = {"program": "restic", "repository": "/r", "keep": {"last": 1}}
    copies = [
        {**copy, "name": "all"},
        {**copy, "name": "some", "jobs": ["both", "daily"]},
        {**copy, "name": "none", "jobs": ["often"]},
    ]
    config = placed(config_of("sidecar", copies=copies), Here("sidecar", "0" * 64, "index"))

    assert [(each.name, each.jobs) for each in config.copies] == [
        ("all", None),
        ("some", ("both-index", "daily-index")),
    ]


def test_a_job_s_name_that_becomes_too_long_is_refused() -> None:
    jobs = [{"name": "a-name-of-28-characters-long", "schedule": "0 3 * * *"}]

    with pytest.raises(ConfigurationError, match="32 characters are the most"):
        placed(config_of("sidecar", jobs=jobs), Here("sidecar", "0" * 64, "tracker"))


def test_a_container_of_another_placement_does_not_go_on() -> None:
    with pytest.raises(ConfigurationError, match="made for the placement sidecar"):
        placed(config_of("service"), Here("sidecar", "0" * 64, "tracker"))


def test_what_the_entry_point_notes_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOTE", tmp_path / "run" / "here.json")
    assert find_here() is None

    note_here(Here("sidecar", "0" * 64, "tracker", "1000"))

    assert find_here() == Here("sidecar", "0" * 64, "tracker", "1000")


@pytest.mark.parametrize("content", ["", "[]", '{"placement": 1}', "{"])
def test_a_note_that_says_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(module, "NOTE", tmp_path / "here.json")
    (tmp_path / "here.json").write_text(content)

    with pytest.raises(ConfigurationError, match="restart this container"):
        find_here()


def test_a_container_is_known_by_the_files_that_docker_mounts_into_it() -> None:
    identifier = "0123456789abcdef" * 4
    mounts = f"""\
513 506 0:48 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/X
541 513 254:0 /var/lib/docker/containers/{identifier}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw
"""
    assert container_in(mounts) == identifier
    assert container_in("22 1 254:0 / / rw,relatime - ext4 /dev/vda rw") is None
