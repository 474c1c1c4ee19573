"""What a power cut leaves, told from the order in which data, names and directories are flushed to the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.inplace_world import two_backups
from support.program import Installation
from support.tracing import Event, traced
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(1)

FLUSHES, WRITES = ("fsync", "fdatasync"), ("write", "pwrite64", "ftruncate")
RENAMES, LINKS, REMOVALS = ("rename", "renameat", "renameat2"), ("link", "linkat"), ("unlink", "unlinkat", "rmdir")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return an installation with an empty repository, whose policy keeps one backup."""
    made = Installation(tmp_path / "host", jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 1}}])
    tracker_database(made.database, 0.1)
    Repository(made.repository).init()
    return made


def last(events: Sequence[Event], wanted: Callable[[Event], bool]) -> int:
    """Return the number of the last event of a kind, or -1."""
    return max((number for number, event in enumerate(events) if wanted(event)), default=-1)


def is_change_in(directory: str) -> Callable[[Event], bool]:
    """Return what tells whether an event changes the names in a directory."""
    return lambda event: (
        (event.call in (*RENAMES, *LINKS, *REMOVALS, "mkdir", "mkdirat") or event.made)
        and any(str(Path(path).parent) == directory for path in event.paths)
    )


def is_flush(path: str) -> Callable[[Event], bool]:
    """Return what tells whether an event flushes a file or a directory."""
    return lambda event: event.call in FLUSHES and event.path == path


def expect_flushed(before: Sequence[Event], path: str) -> None:
    """Check that all that was written to a file until now was flushed, or that nothing was."""
    written = last(before, lambda event: event.call in WRITES and event.path == path)
    assert written < 0 or last(before, is_flush(path)) > written, f"{path} was not flushed"


def expect_names_flushed(before: Sequence[Event], directory: str) -> None:
    """Check that all changes of names in a directory until now were flushed."""
    changed = last(before, is_change_in(directory))
    assert changed < 0 or last(before, is_flush(directory)) > changed, f"{directory} was not flushed"


def renames_to_stay(events: Sequence[Event], repository: Path) -> list[tuple[int, Event]]:
    """Return the renames whose result is to outlive the run."""
    passing = tuple(f"{repository / name}/" for name in (".incoming", ".staging", ".condemned"))
    return [
        (number, event)
        for number, event in enumerate(events)
        if event.call in RENAMES and not event.paths[1].startswith(passing)
    ]


def expect_lasting(events: Sequence[Event], repository: Path) -> int:
    """Check each rename: what gets its name was flushed before, and the directory with the name was flushed after."""
    found = renames_to_stay(events, repository)
    for number, event in found:
        old, new = event.paths
        for path in {path for each in events[:number] for path in each.paths}:
            if path == old or path.startswith(f"{old}/"):
                expect_flushed(events[:number], path)
        expect_names_flushed(events[:number], old)
        assert any(map(is_flush(str(Path(new).parent)), events[number:])), f"the name of {new} was not flushed"
    return len(found)


def test_a_backup_and_the_deletion_of_an_old_one(installation: Installation) -> None:
    old = installation.back_up()["id"]
    repository = installation.repository

    events = traced(installation, "--now")

    [manifest] = installation.manifests()
    assert manifest["id"] != old
    final, incoming = str(repository / manifest["id"]), str(repository / ".incoming" / manifest["id"])
    assert expect_lasting(events, repository) >= 3
    published = last(events, lambda event: event.call in RENAMES and event.paths == (incoming, final))
    assert published > 0
    for name in ("tracker.sqlite3.zst", "manifest.json"):
        assert (repository / manifest["id"] / name).exists()
    assert any(event.call in WRITES and event.path == f"{incoming}/tracker.sqlite3.zst" for event in events[:published])
    condemned = last(events, lambda event: event.call in RENAMES and event.path == str(repository / old))
    assert any(map(is_flush(str(repository)), events[published:condemned])), "the new one may be lost with the old one"
    removed = [number for number, event in enumerate(events)
               if event.call in REMOVALS and f".condemned-{old}/" in f"{event.path}/"]  # fmt: skip
    assert any(map(is_flush(str(repository)), events[condemned : removed[0]])), "half an old one may be seen again"
    assert condemned < removed[0]


def test_quarantine(installation: Installation) -> None:
    """The earlier set goes only once the new one has its name for good, and it goes as a whole."""
    whole = installation.database.read_bytes()
    installation.database.write_bytes(whole[: 4096 * 8] + b"\xa5" * 8192 + whole[4096 * 10 :])
    assert installation.run("--now").returncode == 5
    [earlier] = installation.quarantined()

    events = traced(installation, "--now", code=5)

    [kept] = installation.quarantined()
    assert kept != earlier
    assert expect_lasting(events, installation.repository) >= 2
    named = last(events, lambda event: event.call in RENAMES and event.paths[1] == str(kept))
    gone = last(events, lambda event: event.call in RENAMES and event.path == str(earlier))
    assert 0 <= named < gone
    assert any(map(is_flush(str(kept.parent)), events[named:gone])), "both may be lost"


def test_a_restore_in_place(installation: Installation) -> None:
    """The old one's second name, and the note of what is being done, are on the disk before its first name goes."""
    installation.configure(jobs=[{"name": "daily", "keep": {"last": 9}}])
    first, _ = two_backups(installation)
    live, state = str(installation.database), str(installation.directory / "state")
    note = f"{state}/restoring.json"

    events = traced(installation, "restore", first, "--in-place", "--yes")

    assert expect_lasting(events, installation.repository) >= 3
    replaced = last(events, lambda event: event.call in RENAMES and event.paths[1] == live)
    linked = last(events, lambda event: event.call in LINKS and event.path == live)
    assert 0 <= linked < replaced
    kept = str(Path(events[linked].paths[1]).parent)
    assert any(map(is_flush(kept), events[linked:replaced])), "the old one's second name may be lost"
    expect_names_flushed(events[:linked], str(Path(kept).parent))
    noted = last(events[:linked], lambda event: event.call in RENAMES and event.paths[1] == note)
    assert any(map(is_flush(state), events[noted:linked])), "what is being done may be unknown"
    forgotten = last(events, lambda event: event.call in REMOVALS and event.path == note)
    assert any(map(is_flush(str(installation.data)), events[replaced:forgotten])), "it may be forgotten half done"
    assert forgotten > replaced


@pytest.mark.guarantee(13)
def test_a_restore_into_a_directory(installation: Installation) -> None:
    installation.back_up()
    target = installation.directory / "restored"

    events = traced(installation, "restore", "latest", "--to", str(target))

    name = str(target / "tracker.sqlite3")
    named = last(events, lambda event: event.call in (*LINKS, *RENAMES) and event.paths[1] == name)
    expect_flushed(events[:named], events[named].path)
    assert any(map(is_flush(str(target)), events[named:]))


@pytest.mark.guarantee(5)
def test_pruning(installation: Installation) -> None:
    installation.configure(jobs=[{"name": "daily", "keep": {"last": 9}}])
    ids = [installation.back_up()["id"] for _ in range(3)]
    installation.configure(jobs=[{"name": "daily", "keep": {"last": 1}}])

    events = traced(installation, "prune")

    for identifier in ids[:2]:
        gone = last(events, lambda event, name=identifier: event.call in RENAMES  # type: ignore[misc]
                    and event.path == str(installation.repository / name))  # fmt: skip
        removed = next(number for number, event in enumerate(events)
                       if event.call in REMOVALS and f".condemned-{identifier}/" in f"{event.path}/")  # fmt: skip
        assert any(map(is_flush(str(installation.repository)), events[gone:removed]))
        assert 0 <= gone < removed


@pytest.mark.parametrize("words", [("keep", "ID"), ("unkeep", "ID")])
def test_marks(installation: Installation, words: tuple[str, str]) -> None:
    backup = installation.back_up()["id"]
    if words[0] == "unkeep":
        assert installation.run("keep", backup).returncode == 0

    events = traced(installation, words[0], backup)

    expect_names_flushed(events, str(installation.repository / backup))
    assert last(events, is_change_in(str(installation.repository / backup))) >= 0


@pytest.mark.guarantee(8)
def test_the_crontab(installation: Installation) -> None:
    crontab = installation.directory / "crontab"
    crontab.write_text("# mine\n")

    events = traced(installation, "schedule", "apply")

    assert crontab.read_text().startswith("# mine\n")
    assert any(event.call in RENAMES and event.paths[1] == str(crontab) for event in events)
    assert expect_lasting(events, installation.repository) >= 1
