"""A stack arrives step by step; a later try goes on where an earlier one ended, and nothing is started too early."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.program import Installation
from tracker_backup.config.load import load_config
from tracker_backup.config.model import Config
from tracker_backup.containers.command import ComposeProject
from tracker_backup.containers.standing import Standing
from tracker_backup.errors import CheckFailedError, CommandError, RestoreError, UsageError
from tracker_backup.moving import arriving
from tracker_backup.moving.arriving import Arriver, withdraw
from tracker_backup.moving.images import CARRY, OTHER, Verdict
from tracker_backup.moving.note import LOADED, PLACED, STARTED, WITHDRAWN, Arriving, Notebook
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.manifest import Artifact, Manifest
from tracker_backup.repository.store import Backup
from tracker_backup.run.deployed import Deployed, ServiceImage
from tracker_backup.run.resolve import Resolved
from tracker_backup.sources.interface import Source
from tracker_backup.sources.mysql.target import Target

ID = "20261123T030000Z-manual"
ROWS = {"tracker": {"torrents": 3}, "index": {"users": 2}}


@dataclass
class World:
    """What the steps have done, and what they find."""

    config: Config
    done: list[str] = field(default_factory=list)
    standing: tuple[Standing, ...] = ()
    images: list[Verdict] = field(default_factory=list)
    rows: dict[str, dict[str, int]] = field(default_factory=lambda: dict(ROWS))
    ill: bool = False

    @property
    def notebook(self) -> Notebook:
        return Notebook(self.config.state_directory)

    def step(self) -> str:
        note = self.notebook.arriving()
        assert note is not None
        return note.step

    def arrive(self) -> Any:
        manifest = manifest_of(self.config)
        return Arriver(self.config, Backup(ID, self.config.repository / ID, manifest), SilentReporter()).arrive(ROWS)


def manifest_of(config: Config) -> Manifest:
    def artifact(source: str, kind: str, **engine: Any) -> Artifact:
        return Artifact(
            *(source, kind, f"{source}.zst", "verified", "", 1, 1, "", "", "", 0.0, 0.0, 0.0, "/x"), engine=engine
        )

    services = (
        ServiceImage("tracker", running=True, image="tracker:1", image_id="sha256:a"),
        ServiceImage("mysql", running=True, image="mysql:8", image_id="sha256:b"),
        ServiceImage("backup", running=False, image="backup:1", image_id="sha256:c"),
    )
    deployed = Deployed(ComposeProject("torrust", config.stack), services)
    return Manifest(
        *(ID, "default", "old", str(config.stack), "manual", True, "0", "", "", "verified", "command"),
        deployment=deployed.to_json(),
        artifacts=(
            artifact("tracker", "sqlite"),
            artifact("index", "mysql", rows={"users": 2}),
            artifact("files", "files"),
        ),
    )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a bare host whose Docker and whose restores are played."""
    made = Installation(tmp_path / "host", stack=str(tmp_path / "opt/torrust"))
    world = World(load_config(made.config_directory / "default.yml"))
    sources = (
        Source("tracker", "sqlite", world.config.stack / "tracker.db"),
        Source("index", "mysql", world.config.stack, target=Target("index", "user", service="mysql")),
    )

    def require_well(_: Path, wanted: Any, __: object) -> None:
        if world.ill and "tracker" in wanted:
            raise CommandError("not well")

    played = {
        "standing_of": lambda _: world.standing,
        "look": lambda _: world.images,
        "put_in_place": lambda _, __, names, ___: world.done.append(f"put {' '.join(names)}"),
        "compose_up": lambda _, wanted: world.done.append(f"up {' '.join(wanted)}"),
        "require_well": require_well,
        "wait_for_schemas": lambda *_: world.done.append("wait"),
        "resolve_sources": lambda _: Resolved(sources, discovered=True),
        "count_rows": lambda _: world.rows,
    }
    for name, play in played.items():
        monkeypatch.setattr(arriving, name, play)
    return world


ALL = ["put files", "put tracker", "up mysql", "wait", "put index", "up mysql tracker"]


def test_files_databases_servers_and_then_the_services_that_ran(world: World) -> None:
    arrived = world.arrive()

    assert world.done == ALL
    assert (arrived.services, arrived.rows, world.step()) == (("mysql", "tracker"), ROWS, STARTED)


@pytest.mark.guarantee(17)
@pytest.mark.parametrize(("step", "left"), [("", ALL), (PLACED, ALL[2:]), (LOADED, ALL[5:]), (STARTED, ALL[5:])])
def test_a_later_try_goes_on_where_an_earlier_one_ended(world: World, step: str, left: list[str]) -> None:
    world.config.stack.mkdir(parents=True)
    (world.config.stack / "compose.yaml").touch()
    world.notebook.write(Arriving(ID, step, ("mysql", "tracker")))

    world.arrive()

    assert world.done == left


@pytest.mark.guarantee(17)
def test_other_rows_end_it_before_a_tracker_is_started(world: World) -> None:
    world.rows["tracker"] = {"torrents": 2}

    with pytest.raises(CheckFailedError, match="torrents has 2 rows, and it had 3 rows"):
        world.arrive()

    assert world.done == ALL[:5]
    assert world.step() == LOADED


def test_a_tracker_that_is_not_well_may_have_written_already(world: World) -> None:
    world.ill = True

    with pytest.raises(CommandError):
        world.arrive()

    assert world.step() == STARTED
    with pytest.raises(UsageError, match="lose-what-is-new"):
        withdraw(world.config, lose_what_is_new=False)


@pytest.mark.guarantee(17)
def test_a_stack_that_is_there_is_not_touched(world: World) -> None:
    world.config.stack.mkdir(parents=True)
    (world.config.stack / "compose.yaml").touch()

    with pytest.raises(UsageError, match="there is a stack in"):
        world.arrive()

    assert (world.done, world.notebook.arriving()) == ([], None)


@pytest.mark.guarantee(17)
def test_what_runs_there_is_not_touched_either(world: World) -> None:
    world.notebook.write(Arriving(ID, WITHDRAWN))
    world.standing = (Standing("tracker", "id", "torrust-tracker-1", "running", "torrust"),)

    with pytest.raises(UsageError, match="runs on this host: torrust-tracker-1"):
        world.arrive()

    assert world.done == []


def test_images_that_are_missing_end_it_before_anything_is_put_in_place(world: World) -> None:
    world.images = [Verdict("tracker:1", "sha256:a", ("tracker",), CARRY, reason="no registry is known to have it")]

    with pytest.raises(RestoreError, match=r"images are not on this host: tracker:1 \(tracker\)"):
        world.arrive()

    assert world.done == []


def test_another_image_of_the_same_name_is_used_and_said(world: World) -> None:
    world.images = [Verdict("tracker:1", "sha256:a", ("tracker",), OTHER, reason="another one")]

    assert world.arrive().notes == ("image tracker:1: another one",)


def test_nothing_can_be_withdrawn_where_nothing_has_arrived(world: World) -> None:
    with pytest.raises(UsageError, match="no stack has arrived"):
        withdraw(world.config, lose_what_is_new=True)
