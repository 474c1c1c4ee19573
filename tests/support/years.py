"""Years of nights: runs of several jobs on a host whose clock, disk, databases and power are not to be relied on."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tracker_backup.config.model import Keep
from tracker_backup.repository.manifest import Manifest

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
YEARS = 3
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

POLICIES = {
    "hourly": Keep(last=2, hourly=12),
    "nightly": Keep(daily=7, weekly=4, monthly=6, yearly=2),
    "weekly": Keep(last=1),
}
LATER_POLICIES = {**POLICIES, "nightly": Keep(last=3, daily=3, weekly=2, monthly=12)}
"""What the administrator changes his mind to after half of the time."""

_JUMPS = (HOUR, 3 * DAY, 40 * DAY, 400 * DAY, -HOUR, -3 * DAY, -40 * DAY, -20000 * DAY)


@dataclass(frozen=True)
class Taken:
    """What becomes of a source in a run: `verified`, `unverified` (cannot tell), `failed` or `damaged`; its size."""

    fate: str
    raw_bytes: int


@dataclass(frozen=True)
class Run:
    """A run as it goes; `real` is when it is, `clock` what the host takes that for.

    `disk_full` ends it when it would publish, `killed` in the middle of a deletion, if there is one.
    """

    real: datetime
    clock: datetime
    job: str
    sources: Mapping[str, Taken]
    disk_full: bool = False
    killed: bool = False


@dataclass
class _Database:
    """A source's size from day to day."""

    usual: int = 1_000_000
    emptied_until: datetime | None = None

    def size(self, luck: random.Random, now: datetime) -> int:
        self.usual += luck.randrange(-200, 400)
        if self.emptied_until is not None and now >= self.emptied_until:
            self.emptied_until = None
        if self.emptied_until is None and luck.random() < 0.002:
            self.emptied_until = now + timedelta(days=luck.randrange(1, 20))
        if luck.random() < 0.0005:
            self.usual = max(100_000, self.usual // 3)  # old torrents were removed
        return self.usual if self.emptied_until is None else self.usual // 20


@dataclass
class Host:
    """The world around the program; `every` is the hours between two runs of the job `hourly`."""

    seed: int
    every: int = 1
    days: int = YEARS * 365
    clean: bool = False
    luck: random.Random = field(init=False)
    _databases: dict[str, _Database] = field(init=False)
    _offset: timedelta = timedelta(0)
    _offset_until: datetime = BEGIN
    _off_until: datetime = BEGIN
    _failing: dict[str, datetime] = field(default_factory=dict)
    _full_until: datetime = BEGIN

    def __post_init__(self) -> None:
        """Draw everything from one seed."""
        self.luck = random.Random(self.seed)
        self._databases = {"tracker": _Database(), "index": _Database(), "old": _Database()}

    def runs(self) -> Iterator[Run]:
        """Yield the runs in the order in which they happen."""
        for hour in range(self.days * 24):
            real = BEGIN + hour * HOUR + timedelta(minutes=17, seconds=self.luck.randrange(60))
            if not self.clean:
                self._misfortune(real)
            if real < self._off_until:
                continue
            if hour % self.every == 0:
                yield self._run(real, "hourly", ("tracker",))
            if hour % 24 == 3:
                yield self._run(real + 20 * timedelta(minutes=1), "nightly", self._there(real))
            if hour % 168 == 100:
                yield self._run(real + 30 * timedelta(minutes=1), "weekly", ("tracker", "index"))
            if self.luck.random() < 0.004:
                yield self._run(real + 40 * timedelta(minutes=1), "manual", (self.luck.choice(self._there(real)),))

    def policies(self, now: datetime) -> Mapping[str, Keep]:
        """Return what is configured at a time."""
        return POLICIES if now < BEGIN + timedelta(days=self.days // 2) else LATER_POLICIES

    def _there(self, now: datetime) -> tuple[str, ...]:
        """Return the stack's databases: one comes later, one is gone for ever after a year."""
        day = (now - BEGIN) // DAY
        return ("tracker", *(["index"] if day >= 100 else []), *(["old"] if day < self.days // 3 else []))

    def _misfortune(self, now: datetime) -> None:
        chance = self.luck.random
        if now >= self._offset_until:
            self._offset = timedelta(0)
        if chance() < 0.0008:
            self._offset = self.luck.choice(_JUMPS)
            self._offset_until = now + timedelta(hours=self.luck.randrange(1, 100))
        if chance() < 0.0006:
            self._off_until = now + timedelta(hours=self.luck.randrange(1, 24 * 20))
        if chance() < 0.001:
            source = self.luck.choice(list(self._databases))
            self._failing[source] = now + timedelta(hours=self.luck.randrange(1, 24 * 15))
        if chance() < 0.001:
            self._full_until = now + timedelta(hours=self.luck.randrange(1, 72))

    def _run(self, real: datetime, job: str, sources: tuple[str, ...]) -> Run:
        clock = max(real + self._offset, datetime(1970, 1, 2, tzinfo=UTC))
        if self.clean:
            return Run(real, clock, job, {name: Taken("verified", 1_000_000) for name in sources})
        taken = {name: self._take(name, real) for name in sources}
        full = real < self._full_until or self.luck.random() < 0.01
        return Run(real, clock, job, taken, full, killed=self.luck.random() < 0.02)

    def _take(self, source: str, now: datetime) -> Taken:
        size = self._databases[source].size(self.luck, now)
        if now < self._failing.get(source, BEGIN):
            return Taken("failed", 0)
        fate = self.luck.choices(["verified", "unverified", "failed", "damaged"], [960, 15, 20, 5])[0]
        return Taken(fate, size)


@dataclass
class Person:
    """The administrator: pins now and then, and looks after a drop in size when he has the time."""

    seed: int
    luck: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Draw everything from one seed."""
        self.luck = random.Random(self.seed)

    def acts(self, ids: list[str], pinned: list[str], doubtful: list[str]) -> Iterator[tuple[str, str]]:
        """Yield what he types, a command and an id, after having looked at the listing."""
        if ids and self.luck.random() < 0.003:
            yield "keep", self.luck.choice(ids)
        if pinned and self.luck.random() < 0.003:
            yield "unkeep", self.luck.choice(pinned)
        if doubtful and self.luck.random() < 0.02:
            yield "accept", doubtful[-1]


class Ledger:
    """What was really published, in the order in which it really was, whatever its id says."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._order: dict[str, int] = {}
        self._verified: dict[str, str] = {}
        self._usual: dict[str, str] = {}

    def __len__(self) -> int:
        """Return how many backups there have ever been."""
        return len(self._order)

    @property
    def sources(self) -> set[str]:
        """The sources of which there has been a verified artifact."""
        return set(self._verified)

    def publish(self, manifest: Manifest) -> None:
        """Note a new backup."""
        self._order[manifest.id] = len(self._order)
        for artifact in manifest.artifacts:
            if artifact.verified:
                self._verified[artifact.source] = manifest.id
                if not artifact.size_drop:
                    self._usual[artifact.source] = manifest.id

    def accept(self, manifest: Manifest) -> None:
        """Note that the sizes in a backup are right."""
        for artifact in manifest.artifacts:
            before = self._usual.get(artifact.source)
            if artifact.verified and (before is None or self._order[before] < self._order[manifest.id]):
                self._usual[artifact.source] = manifest.id

    def missing(self, there: Iterable[str]) -> set[str]:
        """Return the backups that hold the newest verified artifact of a source and are not there."""
        return {*self._verified.values(), *self._usual.values()} - set(there)
