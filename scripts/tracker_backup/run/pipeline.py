"""One source's way: snapshot; then compressed and read back from the disk, with its check going on beside that."""

from __future__ import annotations

import contextlib
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker_backup.errors import CheckFailedError, SourceError
from tracker_backup.repository.manifest import UNVERIFIED, VERIFIED, Artifact, format_time
from tracker_backup.run.artifact import Packer, Stored, compress, read_back
from tracker_backup.run.capacity import advice
from tracker_backup.run.context import copy_context
from tracker_backup.sources.interface import Snapshot, Source, StreamingDriver, Taken
from tracker_backup.sources.registry import driver_for
from tracker_backup.system.diskfaults import named
from tracker_backup.system.files import remove_tree
from tracker_backup.system.space import RoomWatch, fits_in_memory, shortages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tracker_backup.config.model import Config
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.store import Incoming
    from tracker_backup.run.history import History
    from tracker_backup.sources.interface import CheckResult, CopyContext, RunningCheck

_MOST_BETWEEN_LOOKS = 16 * 1024**2
"""How much a copy writes before it tells of its progress again, at most."""


@dataclass(frozen=True)
class Processed:
    """A stored source; `damage` says what its check found, None where it is sound or could not be told."""

    artifact: Artifact
    damage: str | None


class Pipeline:
    """Takes the sources of one run, one after the other."""

    def __init__(
        self, config: Config, history: History, reporter: Reporter, *, deadline: float, scheduled: bool
    ) -> None:
        """Keep what all sources share; `deadline` is of the monotonic clock, `scheduled` runs hold themselves back."""
        self.seconds: dict[str, float] = {}
        self._config = config
        self._history = history
        self._reporter = reporter
        self._deadline = deadline
        self._scheduled = scheduled

    def process(self, source: Source, incoming: Incoming, *, full_check: bool) -> Processed:
        """Take, store, check and read back one source; its raw snapshot is gone afterwards.

        Raises SourceError when it cannot be taken, CheckFailedError when what was written reads back differently.
        """
        driver = driver_for(source.type)
        if isinstance(driver, StreamingDriver):
            return self._process_stream(driver, source, incoming, full_check=full_check)
        name = f"{source.name}{driver.artifact_suffix}"
        staging = incoming.staging / source.name
        staging.mkdir(mode=0o700)
        try:
            self._require_room(source, incoming)
            watch = RoomWatch((incoming.staging, incoming.artifacts), self._config.min_free)
            with self._phase("copy", source), named(staging):
                snapshot = driver.take(source, self._context(source, staging, watch, full_check=full_check))
            check = None
            if self._config.check != "none":
                check = driver.start_check(
                    snapshot.path, full=full_check, low_priority=self._scheduled, facts=snapshot.engine
                )
            stored, result = self._store(snapshot, incoming, name, check, watch)
        finally:
            self._clear(staging)
        return _processed(snapshot, stored, name, () if result is None else (result,))

    def _process_stream(
        self, driver: StreamingDriver, source: Source, incoming: Incoming, *, full_check: bool
    ) -> Processed:
        name = f"{source.name}{driver.artifact_suffix}"
        packed = int(driver.estimate_bytes(source) * self._history.ratio(source.name))
        self._require([(incoming.artifacts, packed, f"the artifact of {source.name}")])
        watch = RoomWatch((incoming.artifacts,), self._config.min_free)
        staging = incoming.staging / source.name
        staging.mkdir(mode=0o700)
        context = self._context(source, staging, watch, full_check=full_check)
        try:
            with named(incoming.artifacts / name):
                taken, stored = self._stream(driver, source, incoming.create(name), context, watch)
            with contextlib.ExitStack() as stack:
                check = None
                if self._config.check != "none":
                    check = driver.start_stream_check(taken, context)
                    stack.callback(check.abandon)
                with self._phase("read back", source):
                    self._read_back(incoming, name, stored, None if check is None else check.feed)
                with self._phase("check", source), named(staging):
                    results = () if check is None else check.results()
        finally:
            self._clear(staging)
        return _processed(taken, stored, name, results)

    def _stream(
        self, driver: StreamingDriver, source: Source, descriptor: int, context: CopyContext, watch: RoomWatch
    ) -> tuple[Taken, Stored]:
        try:
            with (
                self._phase("dump", source),
                Packer(
                    descriptor,
                    level=self._config.compression_level,
                    threads=self._threads(),
                    low_priority=self._scheduled,
                    before_write=watch.require,
                ) as packer,
            ):
                return driver.stream(source, context, packer), packer.finish()
        finally:
            os.close(descriptor)

    def _context(self, source: Source, staging: Path, watch: RoomWatch, *, full_check: bool) -> CopyContext:
        """Return what a driver needs; each word of its progress is an occasion to look at the disks."""

        def progress(done: int, total: int) -> None:
            watch.require(min(_MOST_BETWEEN_LOOKS, max(0, total - done)))
            self._reporter.progress(done, total)

        context = copy_context(
            self._config,
            self._history,
            source,
            staging,
            self._reporter,
            deadline=self._deadline,
            full_check=full_check,
        )
        return replace(context, progress=progress)

    def _store(
        self, snapshot: Snapshot, incoming: Incoming, name: str, check: RunningCheck | None, watch: RoomWatch
    ) -> tuple[Stored, CheckResult | None]:
        """Compress a snapshot and read it back, both beside its check: of a large database that takes longest."""
        try:
            with self._phase("compress", snapshot.source), named(incoming.artifacts / name):
                stored = self._compress(snapshot, incoming.create(name), watch)
            with self._phase("read back", snapshot.source):
                self._read_back(incoming, name, stored)
            if check is None:
                return stored, None
            with self._phase("check", snapshot.source), named(snapshot.path.parent):
                return stored, check.result()
        except BaseException:
            if check is not None:
                check.abandon()
            raise

    def _compress(self, snapshot: Snapshot, descriptor: int, watch: RoomWatch) -> Stored:
        try:
            return compress(
                snapshot.path,
                descriptor,
                level=self._config.compression_level,
                threads=self._threads(),
                low_priority=self._scheduled,
                keep_cached=fits_in_memory(snapshot.raw_bytes),
                progress=self._reporter.progress,
                before_write=watch.require,
            )
        finally:
            os.close(descriptor)

    def _clear(self, staging: Path) -> None:
        """Remove a raw snapshot; what cannot be removed the next run's sweep takes, and is no reason for failing.

        It would also hide what has happened before: a disk that does not delete has hardly written.
        """
        try:
            remove_tree(staging)
        except OSError as error:
            self._reporter.warn(f"a raw snapshot stays until the next run: {error.strerror}: {error.filename}")

    def _read_back(
        self, incoming: Incoming, name: str, stored: Stored, sink: Callable[[bytes], None] | None = None
    ) -> None:
        found = read_back(
            incoming.artifacts / name, low_priority=self._scheduled, progress=self._reporter.progress, sink=sink
        )
        if found != stored:
            raise CheckFailedError(
                f"{name} reads back differently from what was written: {found} instead of {stored}",
                hint="the disk or the memory of this host is not to be trusted: look at dmesg, smartctl, memtest",
            )

    def _require_room(self, source: Source, incoming: Incoming) -> None:
        raw = driver_for(source.type).estimate_bytes(source)
        packed = int(raw * self._history.ratio(source.name))
        needs = [
            (incoming.staging, raw, f"the raw snapshot of {source.name}"),
            (incoming.artifacts, packed, "its artifact"),
        ]
        self._require(needs)

    def _require(self, needs: list[tuple[Path, int, str]]) -> None:
        for shortage in shortages(needs, self._config.min_free):
            raise SourceError(str(shortage), hint=advice(self._config, self._history.manifests, shortage))

    def _threads(self) -> int:
        cores = len(os.sched_getaffinity(0))
        return max(1, cores - 1) if self._scheduled else cores

    @contextmanager
    def _phase(self, name: str, source: Source) -> Iterator[None]:
        self._reporter.phase(name, source.name)
        began = time.monotonic()
        try:
            yield
        finally:
            seconds = round(time.monotonic() - began, 3)
            self._reporter.ended(seconds)
            self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 3)


def _processed(snapshot: Taken, stored: Stored, name: str, results: tuple[CheckResult, ...]) -> Processed:
    """Return the artifact: verified if a check has found it sound, and none has found damage."""
    damage = [message for result in results if result.ok is False for message in result.messages]
    sound = not damage and any(result.ok for result in results)
    facts = {name: value for result in results for name, value in result.facts.items()}
    artifact = Artifact(
        source=snapshot.source.name,
        type=snapshot.source.type,
        file=name,
        state=VERIFIED if sound else UNVERIFIED,
        snapshot_at=format_time(snapshot.snapshot_at),
        bytes=stored.bytes,
        raw_bytes=stored.raw_bytes,
        sha256=stored.sha256,
        raw_sha256=stored.raw_sha256,
        method=snapshot.method,
        copy_seconds=round(snapshot.seconds, 3),
        write_stall_seconds=round(snapshot.write_stall_seconds, 3),
        pause_seconds=round(snapshot.pause_seconds, 3),
        path=snapshot.source.place,
        service=snapshot.source.service,
        engine={**snapshot.engine, **facts},
        checks=tuple(result.to_json() for result in results),
    )
    return Processed(artifact, "; ".join(damage) or None)
