"""A stack leaves: writers stop first, servers last, and what has left stays so until it is brought back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from support.program import Installation
from tracker_backup.config.load import load_config
from tracker_backup.config.model import Config
from tracker_backup.containers.standing import Standing
from tracker_backup.errors import RestoreError, SourceError, UsageError
from tracker_backup.moving import leaving
from tracker_backup.moving.leaving import Leaver
from tracker_backup.moving.note import LEFT, STOPPING, Notebook
from tracker_backup.moving.site import Outfit
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.manifest import Artifact, Manifest
from tracker_backup.repository.store import Repository
from tracker_backup.run.outcome import Outcome
from tracker_backup.run.resolve import Resolved
from tracker_backup.sources.interface import Source
from tracker_backup.sources.mysql.target import Target


@dataclass
class World:
    """A stack of a tracker, a server and something that comes back at every boot, and what was done to it."""

    config: Config
    standing: dict[str, Standing]
    done: list[str] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    there: bool = True
    good: bool = True

    def outfit(self) -> Outfit:
        sources = (
            Source("tracker", "sqlite", self.config.stack / "tracker.db"),
            Source("index", "mysql", self.config.stack, target=Target("index", "user", service="mysql")),
        )
        standing = tuple(self.standing.values())
        return Outfit(self.config.stack, sources, standing, None, frozenset({"mysql"}), self.problems)

    def set_state(self, identifiers: Any, state: str) -> None:
        for identifier in identifiers:
            self.standing[identifier] = replace(self.standing[identifier], state=state)
        self.done.append(f"{state} {' '.join(identifiers)}")

    def leaver(self) -> Leaver:
        return Leaver(self.config, Repository(self.config.repository), self, SilentReporter())  # type: ignore[arg-type]

    def back_up(self, request: Any, *, wait: bool) -> Outcome:
        """Play the session: a backup that is there afterwards."""
        assert wait
        working = sorted(name for name, each in self.standing.items() if each.at_work)
        number = sum(entry.startswith("backup") for entry in self.done)
        self.done.append(f"backup of {' '.join(request.sources)} with {' '.join(working)}")
        if not self.good:
            raise SourceError("the disk is full")
        artifact = Artifact(*("index", "mysql", "i.zst", "verified", "", 1, 1, "", "", "", 0.0, 0.0, 0.0, "/x"))
        manifest = Manifest(
            *(f"20261123T03000{number}Z-manual", "default", "old", "/opt", "manual", True, "0"),
            *("2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z", "verified", "command"),
            artifacts=(replace(artifact, engine={"rows": {"users": 2}}),),
        )
        repository = Repository(self.config.repository)
        with repository.lock.acquire(job="test"):
            repository.publish(repository.begin(manifest.id), manifest)
        return Outcome(manifest.id, manifest)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a stack at work."""
    made = Installation(tmp_path / "host")
    config = load_config(made.config_directory / "default.yml")
    Repository(config.repository).init()
    standing = {
        name: Standing(name, name, name, "running", "torrust", restart)
        for name, restart in (("tracker", "unless-stopped"), ("mysql", "unless-stopped"), ("grafana", "always"))
    }
    standing["old"] = Standing("old", "old", "old", "exited", "torrust", "on-failure")
    world = World(config, standing)
    monkeypatch.setattr(leaving, "outfit_of", lambda _: world.outfit())
    monkeypatch.setattr(leaving, "standing_of", lambda _: world.outfit().standing)
    monkeypatch.setattr(leaving, "resolve_sources", lambda _: Resolved(world.outfit().sources, discovered=True))
    monkeypatch.setattr(leaving, "is_there", lambda _: world.there)
    monkeypatch.setattr("tracker_backup.moving.site.is_there", lambda _: True)
    monkeypatch.setattr(leaving, "count_rows", lambda _: {"tracker": {"torrents": 3}})
    monkeypatch.setattr(leaving, "require_well", lambda *_: None)
    monkeypatch.setattr(leaving, "set_restart_policy", lambda name, policy: world.done.append(f"{name} {policy}"))
    monkeypatch.setattr(leaving.services, "stop", lambda names: world.set_state(names, "exited"))
    monkeypatch.setattr(leaving.services, "start", lambda names: world.set_state(names, "running"))
    return world


LEAVING = [
    "grafana no",
    "old no",
    "exited tracker grafana",
    "backup of tracker index with mysql",
    "exited mysql",
]


@pytest.mark.guarantee(17)
def test_writers_stop_the_backup_is_made_and_then_the_server_stops(world: World) -> None:
    gone = world.leaver().leave()

    assert world.done == LEAVING
    assert gone.rows == {"tracker": {"torrents": 3}, "index": {"users": 2}}
    assert gone.to_json()["files"] == ["manifest.json", "i.zst"]
    assert Repository(world.config.repository).find(gone.manifest.id).manifest.kept  # type: ignore[union-attr]
    assert (note := Notebook(world.config.state_directory).leaving()) is not None
    assert (note.step, note.ran) == (LEFT, ("grafana", "mysql", "tracker"))


def test_what_has_left_is_told_again_and_nothing_is_done(world: World) -> None:
    first = world.leaver().leave()

    assert world.leaver().leave().to_json() == first.to_json()
    assert world.done == LEAVING


@pytest.mark.guarantee(17)
def test_a_stack_that_somebody_has_started_again_leaves_anew(world: World) -> None:
    first = world.leaver().leave()
    world.set_state(["tracker"], "running")

    again = world.leaver().leave()

    assert again.manifest.id != first.manifest.id
    assert world.done[len(LEAVING) + 1 :] == [
        "grafana no",
        "old no",
        "exited tracker",
        "running mysql",
        "backup of tracker index with mysql",
        "exited mysql",
    ]


@pytest.mark.guarantee(17)
def test_a_backup_that_fails_leaves_it_stopped_and_says_so(world: World) -> None:
    world.good = False

    with pytest.raises(SourceError, match="the disk is full") as error:
        world.leaver().leave()

    assert "the stack is stopped on this host" in str(error.value)
    assert "move back" in str(error.value)
    assert (note := Notebook(world.config.state_directory).leaving()) is not None
    assert (note.step, note.backup) == (STOPPING, None)


def test_a_source_that_is_missing_is_no_last_backup(world: World) -> None:
    world.there = False

    with pytest.raises(SourceError, match="cannot be reached for the last backup: tracker, index"):
        world.leaver().leave()


def test_it_comes_back_as_it_was(world: World) -> None:
    world.leaver().leave()
    world.done.clear()

    assert world.leaver().back() == ("grafana", "mysql", "tracker")

    assert world.done == ["grafana always", "old on-failure", "running mysql", "running tracker grafana"]
    assert Notebook(world.config.state_directory).leaving() is None
    assert "tracker-backup" in Path(world.config.schedule.target).read_text()
    with pytest.raises(UsageError, match="has not left"):
        world.leaver().back()


def test_what_keeps_it_from_moving_is_said_before_anything_is_stopped(world: World) -> None:
    world.problems = ("its files are not in its backups",)
    with pytest.raises(RestoreError, match="its files are not in its backups"):
        world.leaver().leave()

    world.problems = ()
    world.set_state(["tracker", "mysql", "grafana"], "exited")
    world.done.clear()
    with pytest.raises(UsageError, match="nothing of the stack"):
        world.leaver().leave()

    assert world.done == []
