"""A run: which sources, in which order, and what becomes of them; the way of the data on one page."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup import __version__
from tracker_backup.errors import (
    CheckFailedError,
    CommandError,
    RepositoryError,
    SourceError,
    TooSlowError,
)
from tracker_backup.repository.manifest import (
    DAMAGED,
    PARTIAL,
    Artifact,
    Failure,
    Manifest,
    format_time,
    worst_state,
)
from tracker_backup.run.deployed import deployment_facts
from tracker_backup.run.history import COPYING, History
from tracker_backup.run.outcome import Outcome, Request, Start, failure_of
from tracker_backup.run.pipeline import Pipeline
from tracker_backup.run.prune import prune
from tracker_backup.run.rates import forget_rate, note_rate, read_rates
from tracker_backup.run.resolve import choose, resolve_sources
from tracker_backup.run.sizes import compare_size
from tracker_backup.run.stackfiles import lost_volumes
from tracker_backup.sources.interface import StreamingDriver
from tracker_backup.sources.registry import driver_for
from tracker_backup.system.space import fits_in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.store import Incoming, Repository
    from tracker_backup.run.resolve import Resolved
    from tracker_backup.sources.interface import Source


@dataclass
class _Harvest:
    """What the sources of a run have yielded so far."""

    good: list[Artifact] = field(default_factory=list)
    rejected: list[Artifact] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class BackupRun:
    """One run, under the repository's lock, which the caller holds."""

    def __init__(
        self,
        config: Config,
        repository: Repository,
        reporter: Reporter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Keep what the run works with; `now` is the clock, in UTC."""
        self._config = config
        self._repository = repository
        self._reporter = reporter
        self._now = now

    def execute(self, request: Request, start: Start | None = None) -> Outcome:
        """Back up; a source that fails costs the others nothing and is told in the outcome.

        `start` is what :meth:`begin` has said; without it the run begins now.

        Raises ConfigurationError, RepositoryError or DeadlineError when there is no point in going on.
        """
        self._reporter.phase("prepare")
        self._repository.require()
        try:
            return self._execute(request, start or self.begin(request))
        except BaseException:
            # A signal may have come while a directory was being made or removed. There will be no second one.
            with suppress(RepositoryError):
                self._repository.sweep()
            raise

    def begin(self, request: Request) -> Start:
        """Say that the run begins now, and which id it has, for its log; with the repository's lock held."""
        now = self._now()
        return Start(now, self._repository.new_id(now, request.job_name))

    def _execute(self, request: Request, start: Start) -> Outcome:
        started, deadline, unswept = start.at, time.monotonic() + self._config.max_run_seconds, self._sweep()
        resolved = resolve_sources(self._config)
        for note in resolved.notes:
            self._reporter.note(note)
        sources = choose(resolved.sources, request.sources or request.job.sources)
        early, undeleted = self._prune()  # first: a full disk must heal
        manifests = self._repository.manifests()
        # What the clock says is still to come was made under another clock, and predicts nothing.
        rates = read_rates(self._config.state_directory)
        history = History([item for item in manifests if item.started <= started], rates)
        pipeline = Pipeline(self._config, history, self._reporter, deadline=deadline, scheduled=request.scheduled)
        with self._incoming(start.id) as incoming:
            harvest = self._take(sources, incoming, pipeline, history, discovered=resolved.discovered)
            harvest.failures += lost_volumes(resolved.belongings, harvest.good, history)
            harvest.failures += [Failure(name, "it has no sidecar: run the role again") for name in resolved.unserved]
            harvest.good = [compare_size(artifact, manifests) for artifact in harvest.good]
            draft = self._draft(request, resolved, incoming.id, started, harvest, pipeline.seconds)
            draft = replace(draft, sequence=1 + max((item.sequence for item in manifests), default=0))
            published = self._publish(incoming, draft, harvest)
            quarantined = self._quarantine(incoming, draft, harvest)
        outcome = Outcome(
            incoming.id, published, quarantined, tuple(harvest.failures), unpruned=unswept or undeleted, pruned=early
        )
        if published is None or harvest.failures or not published.good:
            return outcome
        pruned, problem = self._prune()
        return replace(outcome, pruned=(*early, *pruned), unpruned=unswept or undeleted or problem)

    def _sweep(self) -> str | None:
        """Clear away what a killed run has left; return why it failed, which a backup can live with."""
        try:
            self._repository.sweep()
        except RepositoryError as error:
            self._reporter.warn(str(error))
            return str(error)
        return None

    def _prune(self) -> tuple[tuple[str, ...], str | None]:
        """Delete what is condemned; return the ids, and why it failed: that is no reason for not making a backup."""
        try:
            verdicts = prune(self._config, self._repository, self._now())
        except RepositoryError as error:
            self._reporter.warn(str(error))
            return (), str(error)
        return tuple(verdict.id for verdict in verdicts if not verdict.keep), None

    @contextmanager
    def _incoming(self, identifier: str) -> Iterator[Incoming]:
        incoming = self._repository.begin(identifier)
        try:
            yield incoming
        finally:
            incoming.discard()

    def _take(
        self, sources: Sequence[Source], incoming: Incoming, pipeline: Pipeline, history: History, *, discovered: bool
    ) -> _Harvest:
        harvest = _Harvest()
        for source in sources:
            try:
                done = pipeline.process(source, incoming, full_check=self._full_check(source, history))
            except (SourceError, CheckFailedError, CommandError, RepositoryError, OSError) as error:
                may_come = discovered and history.last(source.name) is None
                failure = failure_of(source, error, may_come=may_come)
                if isinstance(error, TooSlowError):
                    self._note_rate(source, error.rate)
                incoming.drop_unless({artifact.file for artifact in harvest.good})
            else:
                if done.artifact.method in COPYING:
                    self._note_rate(source, None)
                if done.damage is None:
                    self._tell_unchecked(done.artifact)
                    harvest.good.append(done.artifact)
                    continue
                incoming.reject(done.artifact.file)
                harvest.rejected.append(done.artifact)
                failure = Failure(source.name, f"{source.place} is damaged: {done.damage}", DAMAGED)
            harvest.failures.append(failure)
            self._reporter.warn(f"{failure.source}: {failure.message}")
        return harvest

    def _note_rate(self, source: Source, rate: float | None) -> None:
        """Note the rate of a copy that was given up; forget it, with None, once there is a copy that was not."""
        try:
            if rate is None:
                forget_rate(self._config.state_directory, source.name)
            else:
                note_rate(self._config.state_directory, source.name, rate)
        except OSError as error:
            self._reporter.warn(f"the rate of {source.name}'s copy cannot be noted: {error.strerror}: {error.filename}")

    def _tell_unchecked(self, artifact: Artifact) -> None:
        """Say which checks could not tell; where none could, it is worth a warning."""
        if not artifact.good:
            said = "; ".join(artifact.checks[0]["messages"])
            self._reporter.warn(f"{artifact.source}: this host cannot check it, so it is unverified: {said}")
            return
        for check in artifact.checks:
            if check["ok"] is None:
                self._reporter.note(f"{artifact.source}: {check['check']} {'; '.join(check['messages'])}")

    def _full_check(self, source: Source, history: History) -> bool:
        if self._config.check == "auto":
            # integrity_check looks every row up in every index, at random: hours, where that is not in memory.
            return history.full_check_due(source.name, self._now()) and _fits(source)
        return self._config.check == "full"

    def _draft(
        self,
        request: Request,
        resolved: Resolved,
        identifier: str,
        started: datetime,
        harvest: _Harvest,
        seconds: dict[str, float],
    ) -> Manifest:
        return Manifest(
            id=identifier,
            instance=self._config.instance,
            host=socket.gethostname(),
            stack=str(self._config.stack),
            job=request.job_name,
            manual=request.sources is not None,
            version=__version__,
            started_at=format_time(started),
            finished_at=format_time(self._now()),
            state=PARTIAL if harvest.failures else worst_state(harvest.good),
            trigger="schedule" if request.scheduled else "command",
            seconds=seconds,
            images=resolved.images,
            deployment=deployment_facts(resolved.directory or self._config.stack, self._config.state_directory),
            errors=tuple(harvest.failures),
        )

    def _publish(self, incoming: Incoming, draft: Manifest, harvest: _Harvest) -> Manifest | None:
        if not harvest.good:
            return None
        self._reporter.phase("publish")
        manifest = replace(draft, artifacts=tuple(harvest.good))
        self._repository.publish(incoming, manifest)
        return manifest

    def _quarantine(self, incoming: Incoming, draft: Manifest, harvest: _Harvest) -> Manifest | None:
        if not harvest.rejected:
            return None
        manifest = replace(draft, artifacts=tuple(harvest.rejected))
        self._repository.quarantine(incoming.rejected, manifest)
        return manifest


def _fits(source: Source) -> bool:
    driver = driver_for(source.type)
    if isinstance(driver, StreamingDriver):
        return True  # whether there is room to try it out it finds out by itself
    try:
        return fits_in_memory(driver.estimate_bytes(source))
    except SourceError:
        return False  # what is wrong with it the copy will say
