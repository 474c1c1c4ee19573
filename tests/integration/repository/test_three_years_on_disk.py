"""The same years as in the unit tests, with the real run and the real repository on a disk; only the copying is not."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.instance import Instance, an_artifact
from support.policy_oracle import staying
from support.small_disk import needs_root, small_disk
from support.years import BEGIN, DAY, HOUR, Host, Ledger, Person, Run, Taken
from tracker_backup.config.model import Config, Job, Keep
from tracker_backup.errors import SourceError, TrackerBackupError
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository import store
from tracker_backup.repository.manifest import Manifest
from tracker_backup.repository.retention import Verdict, decide
from tracker_backup.repository.store import Incoming, Repository
from tracker_backup.run import prune
from tracker_backup.run.backup import BackupRun
from tracker_backup.run.outcome import Outcome, Request
from tracker_backup.run.pipeline import Pipeline, Processed
from tracker_backup.sources.interface import Source
from tracker_backup.system.files import write_all

pytestmark = pytest.mark.guarantee(5, 10, 15)


class KilledError(BaseException):
    """The process is gone: nothing that it would have done afterwards is done."""


class Machine:
    """The parts of the program that do not belong to retention, and the misfortunes that befall those that do."""

    def __init__(self, instance: Instance, seed: int, patch: pytest.MonkeyPatch) -> None:
        self.repository: Repository = instance.repository
        self.config: Config = instance.configure(
            check="quick",
            sources=[{"name": name, "type": "sqlite", "path": f"/{name}"} for name in ("tracker", "index", "old")],
        )
        self.luck = random.Random(seed)
        self.ledger = Ledger()
        self.largest = 100
        self.asked = 0
        self.killed = self.failed = 0
        self._run: Run | None = None
        self._fails_at = ""
        self._dead = False
        self._patch(patch)

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(os, "fsync", lambda _: None)  # nobody pulls the plug in here
        patch.setattr(Pipeline, "process", lambda _, source, incoming, **__: self._process(source, incoming))
        patch.setattr(prune, "decide", self._decide)
        write, remove, sweep, flush = store.write_atomically, store.remove_tree, Repository.sweep, store.fsync_directory
        patch.setattr(store, "write_atomically", lambda *given: self._may_fail("manifest") or write(*given))
        patch.setattr(store, "fsync_directory", lambda path: self._may_fail("flush") or flush(path))
        patch.setattr(store, "remove_tree", lambda path: self._may_die(path) or remove(path))
        patch.setattr(Repository, "sweep", lambda repository: None if self._dead else sweep(repository))

    def run(self, run: Run, policies: Mapping[str, Keep]) -> Outcome | None:
        """Do what a run does, on that day."""
        self._run, self._dead = run, False
        self._fails_at = self.luck.choice(["artifact", "manifest", "flush"]) if run.disk_full else ""
        jobs = tuple(Job(name, None, keep) for name, keep in policies.items())
        config = replace(self.config, jobs=jobs)
        chosen = tuple(run.sources)
        job = Job(run.job, None, policies.get(run.job, Keep()), chosen)
        request = Request(job, chosen if run.job == "manual" else None, scheduled=True)
        before = {each.id: each.sequence for each in self.repository.manifests()}
        outcome = None
        try:
            with self.repository.lock.acquire(job=run.job):
                outcome = BackupRun(config, self.repository, SilentReporter(), lambda: run.clock).execute(request)
        except TrackerBackupError:
            self.failed += 1
        except KilledError:
            self.killed += 1
        self._fails_at = ""
        manifests = {each.id: each for each in self.repository.manifests()}
        for identifier in sorted(set(manifests) - set(before)):
            self.ledger.publish(manifests[identifier])
            assert manifests[identifier].sequence >= 1 + max(
                (before[each] for each in before if each in manifests), default=0
            )
        assert self.ledger.missing(manifests) == set()
        if outcome is not None and outcome.exit_code == 0:
            assert set(manifests) == staying(list(manifests.values()), policies, run.clock)
        return outcome

    def person(self, person: Person) -> None:
        """Let somebody look at the listing, and type what he thinks is right."""
        held = self.repository.manifests()
        pinned, doubtful = [each.id for each in held if each.kept], [each.id for each in held if each.doubtful]
        for command, identifier in person.acts([each.id for each in held], pinned, doubtful):
            with self.repository.lock.acquire(job=command):
                getattr(self.repository, command)(identifier)
            if command == "accept":
                self.ledger.accept(next(each for each in held if each.id == identifier))

    def ids(self) -> list[str]:
        """Return what is under a final name."""
        return [path.name for path in self.repository.path.iterdir() if not path.name.startswith(".")]

    def ids_by_age(self) -> list[str]:
        """Return what is under a final name, oldest first."""
        return sorted(self.ids())

    def _process(self, source: Source, incoming: Incoming) -> Processed:
        assert self._run is not None
        taken = self._run.sources[source.name]
        if taken.fate == "failed":
            raise SourceError(f"{source.path} cannot be copied")
        self._may_fail("artifact")
        artifact = an_artifact(source.name, "unverified" if taken.fate == "unverified" else "verified")
        content = incoming.id.encode().ljust(self.luck.randrange(100, self.largest + 1), b".")
        descriptor = incoming.create(artifact.file)
        try:
            write_all(descriptor, content)
        finally:
            os.close(descriptor)
        damage = "it is malformed" if taken.fate == "damaged" else None
        return Processed(replace(artifact, raw_bytes=taken.raw_bytes, bytes=len(content)), damage)

    def _may_fail(self, point: str) -> None:
        if self._fails_at == point:
            raise OSError(errno.ENOSPC, "No space left on device")

    def _may_die(self, path: Path) -> None:
        """Die while a backup is being deleted: before, in the middle, or when all but its directory is gone."""
        if self._run is None or not self._run.killed or not path.name.startswith(".condemned-") or not path.exists():
            return
        for entry in self.luck.sample(sorted(path.iterdir()), self.luck.randrange(3)):
            entry.unlink()
        self._dead = True
        raise KilledError

    def _decide(self, manifests: Sequence[Manifest], policies: Mapping[str, Keep], now: datetime) -> list[Verdict]:
        self.asked += 1
        verdicts = decide(manifests, policies, now)
        if self.asked % 10 == 0:
            assert {verdict.id for verdict in verdicts if verdict.keep} == staying(manifests, policies, now)
        return verdicts


def live(machine: Machine, host: Host, person: Person) -> None:
    for run in host.runs():
        machine.run(run, host.policies(run.real))
        machine.person(person)


def a_night(day: int, raw_bytes: int, clock: datetime | None = None) -> Run:
    real = BEGIN + day * DAY
    return Run(real, clock or real, "nightly", {"tracker": Taken("verified", raw_bytes)})


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    instance = Instance(tmp_path)
    instance.repository.init()
    return instance


@pytest.mark.parametrize(
    ("days", "every"),
    [pytest.param(90, 12, id="90-days"), pytest.param(3 * 365, 24, marks=pytest.mark.thorough, id="three-years")],
)
def test_years_on_a_disk(instance: Instance, monkeypatch: pytest.MonkeyPatch, days: int, every: int) -> None:
    machine = Machine(instance, days, monkeypatch)
    host = Host(days, every=every, days=days)

    live(machine, host, Person(days))
    monkeypatch.undo()

    assert len(machine.ledger) > days
    assert machine.killed > 0
    assert machine.failed > 0
    expect_order(machine)


def test_a_clock_that_fell_back_hides_no_drop_in_size(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in the future then is no good for a prediction, but it says how large the database is."""
    machine = Machine(instance, 1, monkeypatch)
    for day in range(3):
        machine.run(a_night(day, 1000), {"nightly": Keep(last=9)})

    machine.run(a_night(3, 100, datetime(1970, 1, 2, tzinfo=UTC)), {"nightly": Keep(last=9)})

    fallen, *earlier = machine.repository.manifests()
    assert [each.sequence for each in (*earlier, fallen)] == [1, 2, 3, 4]
    assert fallen.artifacts[0].size_drop


@pytest.mark.guarantee(5)
def test_a_run_that_did_not_end_well_deletes_nothing_at_its_end(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(instance, 1, monkeypatch)
    policies = {"nightly": Keep(last=1)}
    ids = []
    for day, size in enumerate([1000, 100, 100, 100]):
        outcome = machine.run(a_night(day, size), policies)
        assert outcome is not None
        ids.append(outcome.id)

    assert machine.ids_by_age() == [ids[0], ids[2], ids[3]], "the last but one went at the beginning of the last run"

    machine.run(a_night(4, 1000), policies)

    assert len(machine.ids_by_age()) == 1


@needs_root
def test_a_disk_that_is_full_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned backups fill a real disk; nothing half made is seen meanwhile, and it heals when they are given back."""
    with small_disk(tmp_path / "disk", 2) as disk:
        instance = Instance(disk)
        instance.repository.init()
        machine = Machine(instance, 7, monkeypatch)
        machine.largest = 200_000
        policies = {"nightly": Keep(last=2, daily=4)}
        full = 0
        for number, run in enumerate(Host(7, every=1000, days=100, clean=True).runs()):
            outcome = machine.run(replace(run, job="nightly"), policies)
            if outcome is not None and outcome.published is not None:
                machine.repository.keep(outcome.id)
                continue
            full += 1
            expect_order(machine)
            for manifest in machine.repository.manifests():
                machine.repository.unkeep(manifest.id)
            assert machine.run(replace(run, clock=run.clock + HOUR, job="nightly"), policies) is not None, number
            assert machine.ledger.missing(machine.ids()) == set()
        monkeypatch.undo()
        expect_order(machine)
    assert full > 5


def expect_order(machine: Machine) -> None:
    """Whatever happened, what is there is whole, and what a run left under way is swept by the next."""
    machine.repository.sweep()
    backups = machine.repository.backups()
    assert [backup.problem for backup in backups if backup.problem] == []
    for backup in backups:
        assert backup.manifest is not None
        for artifact in backup.manifest.artifacts:
            content = (backup.path / artifact.file).read_bytes()
            assert (content.rstrip(b"."), len(content)) == (backup.id.encode(), artifact.bytes)
    there = {path.name for path in machine.repository.path.iterdir()}
    assert there - set(machine.ids()) <= {".lock", ".tracker-backup", ".staging", ".quarantine", ".condemned"}
