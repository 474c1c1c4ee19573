"""The repository on disk: what it makes, shows, moves and removes, and what it leaves alone."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.instance import Instance, a_manifest
from tracker_backup.errors import ConfigurationError, RepositoryError, UsageError
from tracker_backup.repository import scratch, store
from tracker_backup.repository.manifest import Manifest, format_time
from tracker_backup.repository.store import Incoming, Repository

STARTED = datetime(2026, 11, 22, 3, tzinfo=UTC)
FIRST, SECOND = "20261122T030000Z-daily", "20261123T030000Z-daily"


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    instance = Instance(tmp_path)
    instance.repository.init()
    return instance


@pytest.fixture
def repository(instance: Instance) -> Repository:
    return instance.repository


def begun(repository: Repository, manifest: Manifest, content: bytes = b"artifact".ljust(400, b".")) -> Incoming:
    incoming = repository.begin(manifest.id)
    os.write(descriptor := incoming.create("tracker.sqlite3.zst"), content)
    os.close(descriptor)
    return incoming


def names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


class TestInit:
    """A repository is made once, private, and never by a run."""

    def test_it_is_private(self, repository: Repository) -> None:
        assert stat.S_IMODE(repository.path.stat().st_mode) == 0o700
        assert stat.S_IMODE(repository.marker.stat().st_mode) == 0o600

    def test_a_second_time_changes_nothing(self, repository: Repository) -> None:
        before = repository.marker.read_bytes()

        assert not repository.init()
        assert repository.marker.read_bytes() == before

    def test_what_lies_there_stays(self, tmp_path: Path) -> None:
        (tmp_path / "photo.jpg").write_bytes(b"x")

        assert Repository(tmp_path).init()
        assert names(tmp_path) == {"photo.jpg", ".tracker-backup"}

    def test_where_it_cannot_be_it_says_why(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(RepositoryError, match="cannot make the repository"):
            Repository(tmp_path / "file" / "repository").init()

    @pytest.mark.parametrize("call", ["require", "backups", "manifests"])
    def test_without_its_marker_nothing_works(self, repository: Repository, call: str) -> None:
        """An unmounted volume is an empty directory: nothing must be written beside it."""
        repository.marker.unlink()

        with pytest.raises(ConfigurationError, match=r"is not a repository(?s:.)*is the volume mounted\?"):
            getattr(repository, call)()
        assert names(repository.path) == set()


class TestIds:
    """An id is the run's start and its job, and never one that there is."""

    def test_it_is_the_time_in_utc_and_the_job(self, repository: Repository) -> None:
        assert repository.new_id(STARTED, "daily") == FIRST

    def test_it_counts_on_where_there_is_one(self, instance: Instance) -> None:
        instance.add(a_manifest())
        instance.add(a_manifest(id=f"{FIRST}-2"))

        assert instance.repository.new_id(STARTED, "daily") == f"{FIRST}-3"

    def test_what_is_in_quarantine_has_its_id_too(self, instance: Instance) -> None:
        (instance.path / ".quarantine" / FIRST).mkdir(parents=True)

        assert instance.repository.new_id(STARTED, "daily") == f"{FIRST}-2"

    def test_the_longest_job_name_fits(self, instance: Instance) -> None:
        job = "j" * 32
        for _ in range(3):
            instance.add(a_manifest(id=instance.repository.new_id(STARTED, job)))

        assert len(instance.repository.backups()) == 3

    def test_a_clock_that_stands_still_is_told(self, repository: Repository) -> None:
        for number in ["", *(f"-{number}" for number in range(2, 100))]:
            (repository.path / f"{FIRST}{number}").mkdir()

        with pytest.raises(RepositoryError, match="is the clock standing still"):
            repository.new_id(STARTED, "daily")


class TestListing:
    """Everything with a backup's name is shown, what cannot be read with its problem; nothing else is."""

    def test_oldest_first(self, instance: Instance) -> None:
        for day in (24, 22, 23):
            instance.add(a_manifest(f"2026-11-{day}T03:00:00Z"))

        assert [backup.id[:8] for backup in instance.repository.backups()] == ["20261122", "20261123", "20261124"]

    def test_other_things_are_not_shown(self, instance: Instance) -> None:
        for name in ("lost+found", "2026-11-22", ".incoming", f"{FIRST}.tmp", f".condemned-{FIRST}", f"{FIRST}_x"):
            (instance.path / name).mkdir()

        assert instance.repository.backups() == []

    def test_a_link_is_shown_with_its_problem_and_not_followed(self, instance: Instance, tmp_path: Path) -> None:
        instance.add(a_manifest()).rename(tmp_path / FIRST)
        (instance.path / FIRST).symlink_to(tmp_path / FIRST)
        (instance.path / SECOND).touch()

        assert [(each.id, each.manifest) for each in instance.repository.backups()] == [(FIRST, None), (SECOND, None)]
        assert "no link is followed" in str(instance.repository.backups()[0].problem)

    def test_a_damaged_one_is_shown_with_its_problem(self, instance: Instance) -> None:
        instance.add(a_manifest())
        (instance.path / SECOND).mkdir()

        good, damaged = instance.repository.backups()

        assert (good.problem, damaged.manifest) == (None, None)
        assert "cannot read" in str(damaged.problem)
        assert instance.repository.manifests() == [good.manifest]

    def test_a_copied_directory_is_told_and_never_mistaken(self, instance: Instance) -> None:
        """By its manifest's id `prune` would delete the original in its place, and then fail."""
        original = instance.add(a_manifest())
        copied = instance.path / f"{FIRST}-copy"
        copied.mkdir()
        (copied / "manifest.json").write_bytes((original / "manifest.json").read_bytes())

        assert [backup.manifest is None for backup in instance.repository.backups()] == [False, True]
        assert "is it a copy?" in str(instance.repository.backups()[1].problem)


class TestFinding:
    """`latest` is what one wants to restore."""

    def test_by_id(self, instance: Instance) -> None:
        instance.add(a_manifest())

        assert instance.repository.find(FIRST).path == instance.path / FIRST

    @pytest.mark.parametrize("identifier", ["20261122T030000Z", "../x", "", ".lock"])
    def test_an_unknown_one_says_where_to_look(self, repository: Repository, identifier: str) -> None:
        with pytest.raises(UsageError, match="there is no backup"):
            repository.find(identifier)

    def test_without_any_it_says_how_to_make_one(self, repository: Repository) -> None:
        with pytest.raises(UsageError, match="tracker-backup --now"):
            repository.find("latest")

    def test_the_latest_is_the_newest_good_one(self, instance: Instance) -> None:
        instance.add(a_manifest())
        instance.add(a_manifest("2026-11-23T03:00:00Z", state="partial"))

        assert instance.repository.find("latest").id == FIRST

    def test_without_a_good_one_it_is_the_newest(self, instance: Instance) -> None:
        instance.add(a_manifest(state="partial"))
        instance.add(a_manifest("2026-11-23T03:00:00Z", state="partial"))
        (instance.path / "20261124T030000Z-daily").mkdir()

        assert instance.repository.find("latest").id == SECOND

    def test_one_from_the_future_is_not_the_latest(self, instance: Instance) -> None:
        instance.add(a_manifest())
        instance.add(a_manifest(format_time(datetime.now(UTC) + timedelta(days=1500))))

        assert instance.repository.find("latest").id == FIRST

    def test_of_one_second_it_is_the_last(self, instance: Instance) -> None:
        for number in ("", "-2", "-10"):
            instance.add(a_manifest(id=f"{FIRST}{number}"))

        assert instance.repository.find("latest").id == f"{FIRST}-10"


class TestPublishing:
    """Under its final name a backup is whole, or it is not there."""

    def test_what_is_under_way_is_not_shown(self, repository: Repository) -> None:
        begun(repository, a_manifest())

        assert repository.backups() == []

    def test_it_is_private_and_complete(self, repository: Repository) -> None:
        manifest = a_manifest()
        final = repository.publish(begun(repository, manifest), manifest)

        assert final == repository.path / FIRST
        assert names(final) == {"manifest.json", "tracker.sqlite3.zst"}
        assert stat.S_IMODE(final.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in final.iterdir()} == {0o600}
        assert [backup.manifest for backup in repository.backups()] == [manifest]

    def test_the_manifest_is_there_before_the_name(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manifest = a_manifest()
        incoming = begun(repository, manifest)
        seen: list[set[str]] = []
        rename = Path.rename
        monkeypatch.setattr(
            Path,
            "rename",
            lambda path, target: (seen.append(names(path)) if path.is_dir() else None, rename(path, target)),
        )

        repository.publish(incoming, manifest)

        assert seen == [{"manifest.json", "tracker.sqlite3.zst"}]

    @pytest.mark.parametrize("step", ["write_atomically", "fsync_directory"])
    def test_a_failure_on_the_way_publishes_nothing(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        manifest = a_manifest()
        incoming = begun(repository, manifest)
        monkeypatch.setattr(store, step, fail)

        with pytest.raises(RepositoryError, match=r"cannot publish .*: No space left on device"):
            repository.publish(incoming, manifest)
        assert repository.backups() == []

    def test_discarding_leaves_nothing(self, repository: Repository) -> None:
        incoming = begun(repository, a_manifest())
        incoming.reject("tracker.sqlite3.zst")

        incoming.discard()

        assert names(repository.path / ".incoming") == names(repository.path / ".staging") == set()

    def test_what_a_failed_source_left_goes(self, repository: Repository) -> None:
        incoming = begun(repository, a_manifest())
        os.close(incoming.create("index.sqlite3.zst"))

        incoming.drop_unless({"index.sqlite3.zst"})

        assert names(incoming.artifacts) == {"index.sqlite3.zst"}

    def test_an_artifact_is_never_replaced_nor_written_through_a_link(
        self, repository: Repository, tmp_path: Path
    ) -> None:
        incoming = begun(repository, a_manifest())
        (incoming.artifacts / "index.zst").symlink_to(tmp_path / "victim")

        for name in ("tracker.sqlite3.zst", "index.zst"):
            with pytest.raises(FileExistsError):
                incoming.create(name)
        assert not (tmp_path / "victim").exists()


class TestQuarantine:
    """One damaged set is kept, the newest, out of sight."""

    def damaged(self, repository: Repository, manifest: Manifest) -> Path:
        incoming = begun(repository, manifest)
        incoming.reject("tracker.sqlite3.zst")
        return repository.quarantine(incoming.rejected, manifest)

    def test_it_is_no_backup(self, repository: Repository) -> None:
        self.damaged(repository, a_manifest())

        assert repository.backups() == []
        assert [backup.id for backup in repository.quarantined()] == [FIRST]

    def test_the_newest_takes_the_place_of_the_one_before(self, repository: Repository) -> None:
        self.damaged(repository, a_manifest())
        kept = self.damaged(repository, a_manifest("2026-11-23T03:00:00Z"))

        assert names(kept.parent) == {SECOND}
        assert (kept / "tracker.sqlite3.zst").read_bytes().startswith(b"artifact")

    def test_what_is_not_ours_is_left_there(self, repository: Repository) -> None:
        self.damaged(repository, a_manifest())
        (repository.path / ".quarantine" / "notes.txt").touch()
        (repository.path / ".quarantine" / "evidence").mkdir()

        self.damaged(repository, a_manifest("2026-11-23T03:00:00Z"))

        assert names(repository.path / ".quarantine") == {SECOND, "notes.txt", "evidence"}

    def test_without_any_there_is_none(self, repository: Repository) -> None:
        assert repository.quarantined() == []

    def test_where_a_run_was_killed_between_two_the_newer_one_stays(self, repository: Repository) -> None:
        self.damaged(repository, a_manifest())
        earlier = repository.path / ".quarantine" / FIRST
        shutil.copytree(earlier, repository.path / "aside")
        kept = self.damaged(repository, a_manifest("2026-11-23T03:00:00Z"))
        (repository.path / "aside").rename(earlier)

        repository.sweep()

        assert names(kept.parent) == {SECOND}
        assert not list(repository.path.glob(".condemned-*"))


class TestSweep:
    """What a killed run left goes; nothing else does."""

    def test_a_run_that_was_killed_leaves_nothing(self, repository: Repository) -> None:
        begun(repository, a_manifest())
        (repository.path / f".condemned-{FIRST}").mkdir()

        repository.sweep()

        assert names(repository.path) - {".staging"} == {".tracker-backup", ".condemned"}
        assert names(repository.path / ".condemned") == set()
        assert names(repository.staging) == set()

    def test_backups_and_quarantine_stay(self, instance: Instance) -> None:
        instance.add(a_manifest())
        (instance.path / ".quarantine" / SECOND).mkdir(parents=True)

        instance.repository.sweep()

        assert {FIRST, ".quarantine"} <= names(instance.path)

    def test_what_is_not_ours_in_staging_stays(self, tmp_path: Path) -> None:
        repository = Repository(tmp_path / "repository", tmp_path / "scratch")
        repository.init()
        begun(repository, a_manifest())
        for name in ("lost+found", "movies", ".cache", "20261122", f"{FIRST}.old"):
            (tmp_path / "scratch" / name).mkdir()

        repository.sweep()

        assert names(tmp_path / "scratch") == {"lost+found", "movies", ".cache", "20261122", f"{FIRST}.old"}

    def test_a_file_with_such_a_name_stops_no_run(self, repository: Repository) -> None:
        repository.staging.mkdir()
        (repository.staging / FIRST).touch()

        repository.sweep()

        assert names(repository.staging) == {FIRST}

    def test_backups_are_not_swept_even_where_staging_is_their_repository(self, instance: Instance) -> None:
        """However it came about, by a link perhaps: what has a manifest is a backup."""
        instance.add(a_manifest())

        Repository(instance.path, instance.path).sweep()

        assert instance.ids() == [FIRST]

    def test_links_are_removed_and_not_followed(self, repository: Repository, tmp_path: Path) -> None:
        precious = tmp_path / "precious"
        precious.mkdir()
        (precious / "data").touch()
        repository.staging.mkdir()
        for link in (
            repository.staging / FIRST,
            repository.path / ".incoming",
            repository.path / f".condemned-{FIRST}",
        ):
            link.symlink_to(precious)

        repository.sweep()

        assert names(precious) == {"data"}
        assert names(repository.path) == {".tracker-backup", ".staging"}

    def test_the_scratch_of_a_living_process_stays(self, repository: Repository) -> None:
        with repository.scratch() as directory:
            repository.sweep()
            assert directory.is_dir()
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert names(repository.staging) == set()

    def test_the_scratch_of_a_dead_process_goes(self, repository: Repository) -> None:
        process = os.fork()
        if process == 0:
            os._exit(0)
        os.waitpid(process, 0)
        (repository.staging / f".scratch-{process}-abcd").mkdir(parents=True)

        repository.sweep()

        assert names(repository.staging) == set()

    @pytest.mark.parametrize("name", [f"{os.getpid()}-1-abcd", f"{os.getpid()}-abcd", "x"], ids=["later", "old", "odd"])
    def test_the_scratch_of_a_process_whose_number_is_another_one_s_by_now_goes(
        self, repository: Repository, name: str
    ) -> None:
        (repository.staging / f".scratch-{name}").mkdir(parents=True)

        repository.sweep()

        assert names(repository.staging) == set()

    @pytest.mark.parametrize(
        ("locked", "seconds_ago", "stays"), [(True, 3600, True), (False, 3600, False), (False, 0, True)]
    )
    def test_of_the_scratch_of_a_process_in_another_container_its_lock_tells(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch, locked: bool, seconds_ago: float, stays: bool
    ) -> None:
        """Process numbers mean nothing there; and who has just made one may not have locked it yet."""
        directory = repository.staging / f".scratch-1-{os.getpid()}-1-abcd"
        directory.mkdir(parents=True)
        now = time.time() + seconds_ago
        monkeypatch.setattr(scratch.time, "time", lambda: now)
        descriptor = os.open(directory, os.O_RDONLY)
        if locked:
            fcntl.flock(descriptor, fcntl.LOCK_EX)

        repository.sweep()

        assert directory.is_dir() == stays
        os.close(descriptor)

    def test_the_scratch_of_a_process_that_died_in_this_container_goes_at_once(self, repository: Repository) -> None:
        with repository.scratch() as ours:
            namespace = ours.name.removeprefix(".scratch-").split("-")[0]
            (repository.staging / f".scratch-{namespace}-{os.getpid()}-1-abcd").mkdir()
            repository.sweep()
            assert names(repository.staging) == {ours.name}


class TestRemoving:
    """A backup vanishes in one step, and only what is one."""

    def test_it_is_gone_before_its_files_are(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        instance.add(a_manifest())
        listed: list[list[str]] = []
        remove_tree = store.remove_tree

        def look_first(path: Path) -> None:
            listed.append(instance.ids())
            remove_tree(path)

        monkeypatch.setattr(store, "remove_tree", look_first)
        instance.repository.remove([FIRST])

        assert listed[-1] == []
        assert FIRST not in names(instance.path)

    def test_a_deletion_cut_off_is_finished_by_the_next_run(
        self, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        instance.add(a_manifest())

        def fail(path: Path) -> None:
            if path.exists():
                raise OSError(5, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(store, "remove_tree", fail)
            with pytest.raises(RepositoryError, match="cannot delete backup"):
                instance.repository.remove([FIRST])
        assert instance.ids() == []
        instance.repository.sweep()
        assert names(instance.path) == {".tracker-backup"}

    @pytest.mark.parametrize(
        "identifier", ["..", "../other", ".quarantine", ".tracker-backup", "lost+found", f"{FIRST}/x"]
    )
    def test_nothing_else_can_be_removed(self, instance: Instance, identifier: str) -> None:
        with pytest.raises(RepositoryError, match="is not a backup's id"):
            instance.repository.remove([identifier])

    def test_a_link_in_its_place_is_not_followed(self, instance: Instance, tmp_path: Path) -> None:
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "data").touch()
        (instance.path / FIRST).symlink_to(tmp_path / "precious")

        instance.repository.remove([FIRST])

        assert names(tmp_path / "precious") == {"data"}


def test_a_manifest_is_made_for_its_directory(repository: Repository) -> None:
    """What a run publishes is what a listing accepts."""
    manifest = replace(a_manifest(), id=repository.new_id(STARTED, "daily"))
    repository.publish(begun(repository, manifest), manifest)

    assert repository.backups()[0].problem is None
