"""Three years of hours and nights: what stays is what the policy says, the newest verified of every source among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from support.instance import a_manifest, an_artifact
from support.policy_oracle import staying
from support.years import POLICIES, Host, Ledger, Person, Run
from tracker_backup.config.model import Keep
from tracker_backup.repository.manifest import Failure, Manifest, format_time
from tracker_backup.repository.retention import decide
from tracker_backup.run.sizes import compare_size

pytestmark = pytest.mark.guarantee(5, 15)


class Shelf:
    """A repository in memory, and a memory of what was ever put there, in the order in which it really was."""

    def __init__(self) -> None:
        self.backups: dict[str, Manifest] = {}
        self.ledger = Ledger()

    def run(self, run: Run, policies: Mapping[str, Keep], asked: bool) -> None:
        """Do what a run does with a repository: prune, publish, prune."""
        self.prune(run.clock, policies, asked=asked)
        manifest = self.taken(run)
        if manifest is None or run.disk_full:
            return
        self.backups[manifest.id] = manifest
        self.ledger.publish(manifest)
        if manifest.good:
            self.prune(run.clock, policies, asked=asked)

    def taken(self, run: Run) -> Manifest | None:
        earlier = list(self.backups.values())
        artifacts = tuple(
            compare_size(an_artifact(name, each.fate, raw_bytes=each.raw_bytes), earlier)
            for name, each in run.sources.items()
            if each.fate in {"verified", "unverified"}
        )
        if not artifacts:
            return None
        missing = len(artifacts) < len(run.sources)
        state = (
            "partial"
            if missing
            else max((artifact.state for artifact in artifacts), key=("verified", "unverified").index)
        )
        manifest = a_manifest(
            format_time(run.clock),
            run.job,
            state=state,
            artifacts=artifacts,
            errors=(Failure("x", "why"),) if missing else (),
            sequence=1 + max((each.sequence for each in earlier), default=0),
        )
        number = 1
        while (identifier := manifest.id + (f"-{number}" if number > 1 else "")) in self.backups:
            number += 1
        return replace(manifest, id=identifier)

    def type(self, command: str, identifier: str) -> None:
        """Do what a person says."""
        manifest = self.backups[identifier]
        changes = {"keep": {"kept": True}, "unkeep": {"kept": False}, "accept": {"accepted": True}}[command]
        self.backups[identifier] = replace(manifest, **changes)
        if command == "accept":
            self.ledger.accept(manifest)

    def prune(self, clock: datetime, policies: Mapping[str, Keep], *, asked: bool) -> None:
        held = list(self.backups.values())
        kept = {verdict.id for verdict in decide(held, policies, clock) if verdict.keep}
        if asked:
            assert kept == staying(held, policies, clock)
        self.backups = {identifier: each for identifier, each in self.backups.items() if identifier in kept}
        assert self.ledger.missing(self.backups) == set()

    def person(self, person: Person) -> None:
        held = list(self.backups.values())
        pinned, doubtful = [each.id for each in held if each.kept], [each.id for each in held if each.doubtful]
        for command, identifier in person.acts(list(self.backups), pinned, doubtful):
            self.type(command, identifier)


def live(host: Host, person: Person | None, ask_every: int) -> Shelf:
    """Let the years pass; every so often the policy is asked for a second time, in another way."""
    shelf = Shelf()
    for number, run in enumerate(host.runs()):
        shelf.run(run, host.policies(run.real), asked=number % ask_every == 0)
        if person is not None:
            shelf.person(person)
    return shelf


@pytest.mark.guarantee(5)
@pytest.mark.slow
def test_three_years_of_misfortunes() -> None:
    shelf = live(Host(1, every=12), Person(1), ask_every=40)

    assert shelf.ledger.sources == {"tracker", "index", "old"}
    assert len(shelf.ledger) > 2000
    assert len(shelf.backups) < 250


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [10])
def test_three_years_of_misfortunes_hour_by_hour(seed: int) -> None:
    shelf = live(Host(seed), Person(seed), ask_every=20)

    assert len(shelf.ledger) > 15000
    assert len(shelf.backups) < 400


@pytest.mark.slow
def test_three_years_in_which_nothing_happens() -> None:
    """With a clock that is right and a large disk the policy alone decides; its dates can be counted by hand."""
    shelf = live(Host(0, every=12, clean=True), None, ask_every=200)

    days = [identifier[:8] for identifier, each in shelf.backups.items() if each.job == "nightly"]
    assert days[-3:] == ["20281228", "20281229", "20281230"]
    months = [f"{year}{month:02}" for year in (2027, 2028) for month in range(1, 13)][-12:]
    assert [day[:6] for day in days if day[:6] in months[:-1]] == months[:-1]
    assert len(days) == 12 + 2 + 1 + 1  # months; two more days; a week before; what held the last one of `old`
    assert sum(each.job == "hourly" for each in shelf.backups.values()) == POLICIES["hourly"].hourly
