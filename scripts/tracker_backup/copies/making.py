"""Copy the newest backup of a job to every destination that is to have it, and keep order there."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.copies.interface import LOOK_SECONDS, RAW_SUFFIX, Origin, started
from tracker_backup.copies.judging import is_check_due, is_due, is_tolerated, newest_of
from tracker_backup.copies.notes import CopyNotes, read_notes, write_notes
from tracker_backup.copies.registry import destination_for
from tracker_backup.errors import DeadlineError, TerminatedError, TrackerBackupError
from tracker_backup.repository.manifest import MANIFEST_NAME, format_time
from tracker_backup.run.restore import unpack
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.files import write_atomically
from tracker_backup.system.signals import time_limit
from tracker_backup.system.space import require_room

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from tracker_backup.config.model import Config, CopySettings
    from tracker_backup.copies.interface import Destination
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.repository.store import Repository


@dataclass(frozen=True)
class Trouble:
    """What went wrong with a copy; it is `tolerated` while a young enough one is there."""

    copy: str
    message: str
    tolerated: bool


@dataclass(frozen=True)
class _Newest:
    """The backup that is to be copied: where it lies, and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def origin(self) -> Origin:
        return Origin(self.manifest.host, self.manifest.instance, self.manifest.job)


@dataclass
class Copying:
    """Copies backups, under the repository's lock, which the caller holds; `done` is what was copied where.

    With `ask` every destination is asked what it has, also where nothing is known to be missing.
    """

    config: Config
    repository: Repository
    reporter: Reporter
    ask: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        """Look up what is known of the copies."""
        self.done: list[tuple[str, str]] = []
        self.troubles: list[Trouble] = []
        self._ahead = set[str]()
        self._notes = read_notes(self.config.state_directory)

    def run(self, jobs: Iterable[str], copies: Collection[str] | None = None, *, seconds: float) -> None:
        """Copy what is due of these jobs, to all copies or to those of the given names, in at most so many seconds.

        What fails is noted, and costs neither the backup nor the other copies anything.
        """
        until = time.monotonic() + seconds
        for job in jobs:
            newest = self._newest(job)
            if newest is None:
                continue
            chosen = [
                each for each in self.config.copies if each.takes(job) and (copies is None or each.name in copies)
            ]
            due = [each for each in chosen if self.ask or self._is_due(each, newest)]
            if due:
                self._copy(newest, due, until)
            for settings in chosen:
                if settings not in due and self._notes.check_of(settings).not_deleted is not None:
                    self._tidy_once_more(settings, newest, until)

    def _newest(self, job: str) -> _Newest | None:
        backups = {each.id: each for each in self.repository.backups()}
        manifests = [each.manifest for each in backups.values() if each.manifest is not None]
        newest = newest_of(job, manifests, self.now())
        return None if newest is None else _Newest(backups[newest.id].path, newest)

    def _is_due(self, settings: CopySettings, newest: _Newest) -> bool:
        return is_due(settings, self._notes.of(settings, newest.origin.job), newest.manifest)

    def _copy(self, newest: _Newest, due: list[CopySettings], until: float) -> None:
        wanting: list[Destination] = []
        there: list[Destination] = []
        for settings in due:
            self.reporter.phase(f"look into {settings.name}")
            with self._attempt([settings], newest, min(until, time.monotonic() + LOOK_SECONDS)):
                destination = destination_for(settings, self.config)
                if self._is_there(destination, newest):
                    self._note_copied(settings, newest)
                    there.append(destination)
                else:
                    wanting.append(destination)
        if wanting:
            with self._attempt([each.settings for each in wanting], newest, until), self._raw(newest) as directory:
                for destination in wanting:
                    with self._attempt([destination.settings], newest, until):
                        self.reporter.phase(f"copy to {destination.settings.name}")
                        destination.store(directory, newest.id, newest.origin, self.reporter.progress)
                        self._note_copied(destination.settings, newest)
                        self.done.append((newest.id, destination.settings.name))
                        there.append(destination)
        for destination in there:
            self._keep_order(destination, newest.origin, until)

    def _is_there(self, destination: Destination, newest: _Newest) -> bool:
        """Return whether a backup is in a copy already; what is not whole there is deleted."""
        own = [each for each in destination.copied() if each.origin == newest.origin]
        if any(started(each.backup) > self.now() for each in own):
            self._ahead.add(destination.settings.name)
        found = [each for each in own if each.backup == newest.id]
        wanted = {item.file.removesuffix(RAW_SUFFIX): item.raw_bytes for item in newest.manifest.artifacts}
        for each in found:
            sizes = destination.sizes(each)
            if MANIFEST_NAME in sizes and {name: sizes.get(name) for name in wanted} == wanted:
                return True
            destination.remove(each)
        return False

    @contextmanager
    def _raw(self, newest: _Newest) -> Iterator[Path]:
        """Give a directory with what a backup holds, unpacked and compared with its checksums, and its manifest."""
        with self.repository.raw(newest.origin.job) as directory:
            what = f"backup {newest.id}, unpacked for its copy"
            require_room([(directory, newest.manifest.raw_bytes, what)], self.config.min_free)
            for artifact in newest.manifest.artifacts:
                self.reporter.phase("unpack", artifact.source)
                target = directory / artifact.file.removesuffix(RAW_SUFFIX)
                unpack(artifact, newest.path / artifact.file, target, self.reporter.progress)
            written = (newest.path / MANIFEST_NAME).read_bytes()
            write_atomically(directory / MANIFEST_NAME, written, 0o600)
            yield directory

    def _keep_order(self, destination: Destination, origin: Origin, until: float) -> None:
        """Delete what the policy no longer keeps there, and check the repository where that is due."""
        settings = destination.settings
        note = self._notes.check_of(settings)
        self.reporter.phase(f"tidy {settings.name}")
        problem = self._forgotten(destination, origin, until)
        if problem is not None:
            self._trouble(settings.name, f"old copies are not deleted: {problem}")
        note = replace(note, not_deleted=problem)
        if is_check_due(settings, note, self.now()):
            self.reporter.phase(f"check {settings.name}")
            problem = self._tried(settings.name, destination.check, until)
            if problem is not None:
                self._trouble(settings.name, f"its check failed: {problem}")
            note = replace(note, checked_at=format_time(self.now()), problem=problem)
        self._write(self._notes.with_check(note))

    def _forgotten(self, destination: Destination, origin: Origin, until: float) -> str | None:
        """Delete what the policy no longer keeps; return why it could not be."""
        settings = destination.settings
        if not settings.delete:
            return None
        if settings.name in self._ahead:
            # They would take the place of the one that was just made, which would go at once.
            return "there are copies from the future, of a clock that was ahead: delete those by hand"
        return self._tried(settings.name, lambda: destination.forget(origin, settings.keep), until)

    def _tidy_once_more(self, settings: CopySettings, newest: _Newest, until: float) -> None:
        with self._attempt([settings], newest, until):
            self._keep_order(destination_for(settings, self.config), newest.origin, until)

    @contextmanager
    def _attempt(self, those: list[CopySettings], newest: _Newest, until: float) -> Iterator[None]:
        """Try something for copies; what goes wrong is noted of them, and not raised, signals excepted."""
        try:
            with time_limit(max(1.0, until - time.monotonic()), "it"):
                yield
        except TerminatedError:
            raise
        except (TrackerBackupError, OSError) as error:
            for settings in those:
                before = self._notes.of(settings, newest.origin.job)
                tolerated = is_tolerated(settings, before, self.now())
                problem = _told(error).removeprefix(f"copy {settings.name}: ")
                self._trouble(settings.name, problem, tolerated=tolerated)
                self._write(self._notes.with_note(replace(before, problem=problem)))

    def _tried(self, name: str, do: Callable[[], None], until: float) -> str | None:
        """Do something; return what went wrong, None where nothing did."""
        try:
            with time_limit(max(1.0, until - time.monotonic()), "it"):
                do()
        except TerminatedError:
            raise
        except (TrackerBackupError, OSError) as error:
            return _told(error).removeprefix(f"copy {name}: ")
        return None

    def _note_copied(self, settings: CopySettings, newest: _Newest) -> None:
        before = self._notes.of(settings, newest.origin.job)
        copied_at = before.copied_at if before.backup == newest.id else format_time(self.now())
        self._write(self._notes.with_note(replace(before, backup=newest.id, copied_at=copied_at, problem=None)))

    def _trouble(self, copy: str, message: str, *, tolerated: bool = False) -> None:
        self.troubles.append(Trouble(copy, message, tolerated))
        self.reporter.warn(f"copy {copy}: {message}")

    def _write(self, notes: CopyNotes) -> None:
        """Note it; where that cannot be, the other end is asked again next time."""
        self._notes = notes
        try:
            write_notes(self.config.state_directory, notes)
        except OSError as error:
            self.reporter.warn(f"what became of a copy cannot be noted: {error.strerror}: {error.filename}")


def _told(error: TrackerBackupError | OSError) -> str:
    if isinstance(error, DeadlineError):
        return error.message
    if isinstance(error, OSError):
        hint = remedy(error)
        return f"{error.strerror or error}: {error.filename}{f'{chr(10)}  {hint}' if hint else ''}"
    return str(error)
