"""What the source `files` is told of an instance."""

from __future__ import annotations

from pathlib import Path

from support.instance import Instance
from tracker_backup.run.stackfiles import describe_files, files_source, notes_on
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
