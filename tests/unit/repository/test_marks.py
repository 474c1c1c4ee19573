"""Pinned, accepted: a file in the backup's own directory, made and removed by the repository alone."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.instance import Instance, a_manifest, an_artifact
from support.manifests import unsealed
from tracker_backup.errors import RepositoryError, UsageError
from tracker_backup.repository import marks as marking
from tracker_backup.repository.manifest import Manifest, decode_manifest
from tracker_backup.repository.retention import decide
from tracker_backup.repository.store import Repository, load_backup

FIRST, SECOND = "20261122T030000Z-daily", "20261123T030000Z-daily"
DROPPED = a_manifest("2026-11-23T03:00:00Z", artifacts=(an_artifact(size_drop=True, usual_raw_bytes=5000),))


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    instance = Instance(tmp_path)
    instance.repository.init()
    instance.add(a_manifest())
    instance.add(DROPPED)
    return instance


@pytest.fixture
def repository(instance: Instance) -> Repository:
    return instance.repository


def marks(repository: Repository) -> list[tuple[bool, bool]]:
    return [(each.kept, each.accepted) for each in repository.manifests()]


def test_nothing_is_marked_by_itself(repository: Repository) -> None:
    assert marks(repository) == [(False, False), (False, False)]


def test_a_pin_is_a_private_file_in_the_backup(repository: Repository) -> None:
    assert repository.keep(FIRST)

    mark = repository.path / FIRST / ".keep"
    assert (mark.read_bytes(), stat.S_IMODE(mark.stat().st_mode)) == (b"", 0o600)
    assert marks(repository) == [(True, False), (False, False)]


def test_a_second_time_changes_nothing(repository: Repository) -> None:
    assert [repository.keep(FIRST), repository.keep(FIRST)] == [True, False]
    assert [repository.unkeep(FIRST), repository.unkeep(FIRST)] == [True, False]
    assert [repository.accept(SECOND), repository.accept(SECOND)] == [True, False]
    assert marks(repository) == [(False, False), (False, True)]


def test_an_accepted_drop_counts_again(repository: Repository) -> None:
    assert [each.good for each in repository.manifests()] == [True, False]
    assert repository.find("latest").id == FIRST

    repository.accept(SECOND)

    assert [each.good for each in repository.manifests()] == [True, True]
    assert repository.find("latest").id == SECOND


def test_where_nothing_dropped_there_is_nothing_to_accept(repository: Repository) -> None:
    with pytest.raises(UsageError, match=f"nothing to accept in {FIRST}"):
        repository.accept(FIRST)
    assert not (repository.path / FIRST / ".accepted").exists()


@pytest.mark.parametrize("call", ["keep", "unkeep", "accept"])
@pytest.mark.parametrize("identifier", ["20990101T030000Z-daily", "../x", "", ".lock", f"{FIRST}/"])
def test_an_unknown_id_says_where_to_look(repository: Repository, call: str, identifier: str) -> None:
    with pytest.raises(UsageError, match="there is no backup") as caught:
        getattr(repository, call)(identifier)
    assert caught.value.hint == "see: tracker-backup list"


@pytest.mark.parametrize("call", ["keep", "unkeep", "accept"])
def test_latest_is_no_name_for_something_that_lasts(repository: Repository, call: str) -> None:
    with pytest.raises(UsageError, match="needs a backup's id") as caught:
        getattr(repository, call)("latest")
    assert caught.value.hint == f"today it is {FIRST}"


@pytest.mark.parametrize("call", ["keep", "unkeep", "accept"])
def test_one_that_cannot_be_read_says_so(repository: Repository, call: str) -> None:
    (repository.path / FIRST / "manifest.json").write_bytes(b"{")

    with pytest.raises(RepositoryError, match="is not a manifest") as caught:
        getattr(repository, call)(FIRST)
    assert caught.value.hint == "what cannot be read is never deleted anyway"


@pytest.mark.parametrize("call", ["keep", "accept"])
def test_a_disk_that_takes_nothing_says_so(repository: Repository, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(path: Path) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(marking, "create_private", full)

    with pytest.raises(RepositoryError, match=r"cannot write .*/\.(keep|accepted): No space left on device"):
        getattr(repository, call)(SECOND)


def test_a_mark_that_cannot_be_looked_at_makes_a_backup_unreadable_and_so_undeletable(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To take a pinned one for one that is not would delete it."""
    repository.keep(FIRST)
    look = Path.lstat

    def broken(path: Path) -> os.stat_result:
        if path.name == ".keep":
            raise OSError(errno.EIO, "Input/output error")
        return look(path)

    monkeypatch.setattr(Path, "lstat", broken)

    assert [each.manifest for each in repository.backups()] == [None, None]
    assert "Input/output error" in str(repository.backups()[0].problem)


def test_marks_are_not_in_the_manifest_and_not_believed_there(tmp_path: Path) -> None:
    marked = a_manifest(kept=True, accepted=True)
    written = unsealed(marked)
    assert {"kept", "accepted"} & set(written) == set()
    assert (marked.to_json()["kept"], marked.to_json()["accepted"]) == (True, True)

    (tmp_path / "manifest.json").write_text(json.dumps({**written, "kept": True, "accepted": True}))
    for artifact in marked.artifacts:
        (tmp_path / artifact.file).write_bytes(bytes(artifact.bytes))

    loaded = load_backup(tmp_path).manifest
    assert loaded is not None
    assert (loaded.kept, loaded.accepted) == (False, False)
    assert decode_manifest((tmp_path / "manifest.json").read_bytes(), tmp_path) == loaded


def test_marks_travel_with_a_copy_of_the_directory(repository: Repository, tmp_path: Path) -> None:
    repository.keep(SECOND)
    repository.accept(SECOND)

    shutil.copytree(repository.path / SECOND, tmp_path / "elsewhere" / SECOND)

    copied = load_backup(tmp_path / "elsewhere" / SECOND).manifest
    assert copied is not None
    assert (copied.kept, copied.accepted, copied.good) == (True, True, True)


def test_a_directory_of_that_name_is_no_mark(repository: Repository) -> None:
    (repository.path / FIRST / ".keep").mkdir()

    assert marks(repository)[0] == (False, False)


def test_pinned_ones_are_deleted_by_nothing_but_their_own_removal(instance: Instance) -> None:
    repository = instance.repository
    history: list[Manifest] = []
    for day in range(1, 15):
        manifest = a_manifest(f"2026-10-{day:02}T03:00:00Z")
        instance.add(manifest)
        history.append(manifest)
    repository.keep(history[0].id)

    verdicts = decide(repository.manifests(), {}, datetime(2026, 12, 1, tzinfo=UTC))
    assert next(each for each in verdicts if each.id == history[0].id).reason.startswith("pinned")
    repository.remove([history[0].id])  # by an order of its own, such as a person's
    assert not (repository.path / history[0].id).exists()
