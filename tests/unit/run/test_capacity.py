"""Whether the policies fit on the disk, and what is said where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.instance import Instance, a_manifest, an_artifact
from tracker_backup.config.model import Config, Keep
from tracker_backup.repository.manifest import Manifest
from tracker_backup.run import capacity
from tracker_backup.run.capacity import advice, next_run_shortages, present_capacity, staged
from tracker_backup.system import space
from tracker_backup.system.space import MinFree, Shortage

JOBS = [{"name": "daily", "keep": {"last": 2, "daily": 7}}, {"name": "often", "keep": {"last": 3}}]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    instance = Instance(tmp_path)
    made = instance.configure(jobs=JOBS, min_free="1 KiB")
    instance.repository.init()
    return made


def of_size(stored: int, raw: int, started_at: str = "2026-11-22T03:00:00Z", job: str = "daily") -> Manifest:
    return a_manifest(started_at, job, artifacts=(an_artifact(bytes=stored, raw_bytes=raw),))


@pytest.mark.parametrize(
    ("keep", "most"), [(Keep(last=1), 1), (Keep(daily=7), 7), (Keep(last=2, daily=7), 8), (Keep(last=24, daily=1), 24)]
)
def test_the_newest_is_the_same_for_every_rule(keep: Keep, most: int) -> None:
    assert keep.most == most


def test_policies_are_added_up(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_bytes", lambda _: 5000)
    manifests = [of_size(400, 1000), of_size(100, 300, "2026-11-22T04:00:00Z", "often"), of_size(9999, 9, job="manual")]

    room = present_capacity(config, manifests)

    assert room is not None
    assert (room.backups, room.policy) == (8 + 3, 8 * 400 + 3 * 100)
    assert (room.run, room.floor) == (400 + 1000, 1024), "one more is there before an old one goes"
    assert room.available == 5500, "what the jobs' backups take is theirs, what a manual one takes is not"
    assert not room.fits
    assert room.affordable == 9


def test_a_job_without_a_backup_is_taken_to_be_like_the_largest(config: Config) -> None:
    room = present_capacity(config, [of_size(400, 1000)])

    assert room is not None
    assert room.policy == 11 * 400


def test_nothing_is_foretold_of_an_empty_repository(config: Config) -> None:
    assert present_capacity(config, []) is None
    assert next_run_shortages(config, []) == []


def test_staging_holds_one_source_after_the_other() -> None:
    manifest = a_manifest(artifacts=(an_artifact(raw_bytes=10), an_artifact("index", raw_bytes=30)))

    assert staged(manifest) == 30


def test_what_the_next_run_needs_has_a_margin(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda _: 1024 + 1679)

    [shortage] = next_run_shortages(config, [of_size(400, 1000)])

    assert shortage.missing == 1
    monkeypatch.setattr(space, "free_bytes", lambda _: 1024 + 1680)
    assert next_run_shortages(config, [of_size(400, 1000)]) == []


def short_of(config: Config, missing: int) -> Shortage:
    return Shortage(config.repository, ((config.repository, missing, "something"),), 0, 0)


def test_how_many_leave_room_is_told(config: Config) -> None:
    manifests = [of_size(400, 1000, f"2026-11-{day}T03:00:00Z") for day in range(11, 21)]

    told = advice(config, manifests, short_of(config, 401))

    assert "the policies keep 10 now, and 8 leave room" in told
    assert f"`keep` of the jobs in {config.file}" in told
    assert "make room for 401 B on that disk" in told
    assert "`staging`" in told


def test_the_last_one_is_never_offered(config: Config) -> None:
    manifests = [of_size(400, 1000, f"2026-11-{day}T03:00:00Z") for day in (11, 12)]

    assert "no smaller policy would help" in advice(config, manifests, short_of(config, 401))


def test_another_disk_has_its_own_advice(config: Config) -> None:
    elsewhere = Shortage(Path("/dev/shm"), ((Path("/dev/shm"), 1, "x"),), 0, 0)

    assert advice(config, [], elsewhere) == "make room for 1 B there, or name another disk with `staging`"


def test_a_share_of_the_disk_may_stay_free(tmp_path: Path) -> None:
    assert Instance(tmp_path).configure(min_free="5%").min_free == MinFree(0, 5.0)
    assert Instance(tmp_path).configure().min_free == MinFree(64 * 1024**2)
