"""What the source `files` is told of an instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.instance import Instance, a_manifest, an_artifact
from tracker_backup.repository.manifest import Manifest
from tracker_backup.run.history import History
from tracker_backup.run.stackfiles import describe_files, files_source, lost_volumes, notes_on
from tracker_backup.sources.interface import Source
from tracker_backup.stack.result import Belongings, HostMount, UnreachedVolume


def test_everything_of_ours_is_known(tmp_path: Path) -> None:
    config = Instance(tmp_path).configure(staging=str(tmp_path / "scratch"))
    databases = [
        Source("tracker", "sqlite", tmp_path / "default-stack" / "tracker.db"),
        Source("index", "mysql", Path("torrust_index")),
    ]

    source = files_source(config, databases, Belongings())

    assert source.scope is not None
    facts = source.scope.facts
    assert facts.databases == {str(tmp_path / "default-stack" / "tracker.db"): "tracker"}
    # Not the state: it is small, and whatever directory of the stack it was put into would stay out with it.
    assert set(facts.own) == {
        str(tmp_path / "default-repository"),
        str(tmp_path / "scratch" / ".staging-default"),
    }
    assert facts.single == {str(config.file): "our own configuration"}


def test_links_are_followed_and_are_in(tmp_path: Path) -> None:
    """A stack that is reached through a link would not be found by its name after a restore."""
    instance = Instance(tmp_path)
    instance.build()
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("kept")
    (tmp_path / "link").symlink_to("real")
    config = instance.configure()
    seen = HostMount(tmp_path / "link", "/data", "tracker", "bind")

    source = files_source(config, [], Belongings(mounts=(seen,)))

    assert source.scope is not None
    assert str(tmp_path / "real") in [root.path for root in source.scope.roots]
    assert describe_files(source)["count"] == 5 + 1, "stack, its file, real, its file, our configuration; and the link"


def test_only_volumes_with_a_name_are_worth_a_note() -> None:
    named = UnreachedVolume("kept", "/data", "app", "it is a tmpfs")
    anonymous = UnreachedVolume(None, "/cache", "app", "the service has no container")

    notes = notes_on(Belongings(unreached=(named, anonymous)))

    assert notes == ("files: without volume kept that service app sees at /data: it is a tmpfs",)


CALLED = "volume kept that service app sees at /data"
DOWN = UnreachedVolume("kept", "/data", "app", "Docker was not asked", unasked=True)


def with_left_out(
    *paths: str, started: str = "2026-11-22T03:00:00Z", state: str = "verified", more: int = 0
) -> Manifest:
    left = [{"path": path, "reason": "why", "rule": "listed"} for path in paths]
    engine = {"left_out": left, "left_out_count": len(left) + more}
    return a_manifest(started, state=state, artifacts=(an_artifact("files", engine=engine),))


def lost(*manifests: Manifest, volume: UnreachedVolume = DOWN, taken: str = "files") -> list[str]:
    found = lost_volumes(Belongings(unreached=(volume,)), [an_artifact(taken)], History(list(manifests)))
    return [failure.source for failure in found]


def test_a_volume_that_the_last_backup_has_is_missed() -> None:
    assert lost(with_left_out("/opt/torrust/log")) == [CALLED]


def test_it_is_missed_night_after_night() -> None:
    """The partial backup of last night has it among what was left out, and is no measure."""
    partial = with_left_out(CALLED, started="2026-11-23T03:00:00Z", state="partial")

    assert lost(with_left_out(), partial) == [CALLED]


@pytest.mark.parametrize(
    "found",
    [
        lost(),
        lost(with_left_out(CALLED)),
        lost(with_left_out(more=1)),
        lost(with_left_out(), taken="tracker"),
        lost(with_left_out(), volume=UnreachedVolume("kept", "/data", "app", "it is a tmpfs")),
        lost(with_left_out(), volume=UnreachedVolume(None, "/data", "app", "Docker was not asked", unasked=True)),
    ],
    ids=["the first backup", "never reached", "nobody knows", "not this time", "for another reason", "without a name"],
)
def test_what_nobody_misses(found: list[str]) -> None:
    assert found == []
