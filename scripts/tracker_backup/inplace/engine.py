"""A restore in place, step by step, for all types of source; the order is in :mod:`tracker_backup.inplace.interface`.

What is about to be done is noted first, see :mod:`tracker_backup.inplace.marker`. The locks are the caller's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.containers import services
from tracker_backup.errors import RestoreError, SourceError, TrackerBackupError
from tracker_backup.inplace import marker as steps
from tracker_backup.inplace.interface import OnDisk
from tracker_backup.inplace.marker import Marker, Part, Stopped, remove_marker, write_marker
from tracker_backup.inplace.recovery import back_out, refuse_openers
from tracker_backup.system.logs import LOGGER
from tracker_backup.system.space import MinFree, require_room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.containers.services import ServiceContainer
    from tracker_backup.inplace.interface import Change, Replacement, Wishes
    from tracker_backup.inplace.site import Site


@dataclass
class Done:
    """What became of a restore in place.

    `changes` by source; `kept` are the places of what was replaced; `stopped` the names of the containers that stood
    still for `outage_seconds`, of which `stop_seconds` were Docker's stop and `start_seconds` its start; `unwell` says
    which were not well before and are not now.
    """

    changes: list[tuple[str, Change]]
    declined: bool = False
    kept: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    unwell: tuple[str, ...] = ()
    outage_seconds: float = 0.0
    stop_seconds: float = 0.0
    start_seconds: float = 0.0


class Engine:
    """One restore in place."""

    def __init__(self, site: Site, replacements: Sequence[Replacement], wishes: Wishes) -> None:
        """Keep what is to be done; nothing happens yet."""
        self._site = site
        self._replacements = list(replacements)
        self._wishes = wishes
        self._reporter = site.reporter
        self._stopped: tuple[Stopped, ...] = ()
        self._step = ""
        self._on_disk = ""
        self._grounds: dict[str, int] = {}

    def run(self) -> Done:
        """Do it, or leave everything as it was.

        Raises every error that ended it; by then it has been undone, or the message says what is left to do.
        """
        try:
            return self._run()
        except BaseException as error:
            if self._step:
                self._back_out(error)
            raise

    def _run(self) -> Done:
        self._note(steps.PREPARE)
        done = Done([(each.source, each.describe()) for each in self._replacements])
        self._replacements = self._worth_doing(done)
        self._require_room(done)
        self._reporter.hold()
        if not self._wishes.confirm(done.changes, [container.name for container in self._at_work()]):
            self._forget()
            done.declined = True
            return done
        if not self._replacements:
            self._forget()
            return done
        if not self._at_work():
            refuse_openers(self._replacements)  # there is nothing to stop, so this can be said at once
        self._note(steps.PREPARE)  # once more: by now each knows what it is about to make
        for each in self._replacements:
            each.prepare()
        self._replace(done)
        return done

    def _worth_doing(self, done: Done) -> list[Replacement]:
        same = {source for source, change in done.changes if change.nothing_to_do}
        for each in self._replacements:
            if each.source in same:
                each.discard()
        return [each for each in self._replacements if each.source not in same]

    def _require_room(self, done: Done) -> None:
        needs = [need for _, change in done.changes for need in change.needs]
        floor = MinFree() if self._site.config is None else self._site.config.min_free
        try:
            require_room(
                needs,
                floor,
                hint="make that room; or give --discard-current, with which the old one is deleted first: there is no "
                "way back then",
            )
        except SourceError as error:
            raise RestoreError(error.message, hint=error.hint) from error

    def _replace(self, done: Done) -> None:
        self._stopped = tuple(Stopped(each.id, each.name, each.well) for each in self._at_work())
        self._note(steps.STOP)
        began = time.monotonic()
        if self._stopped:
            self._reporter.phase("stop", ", ".join(container.name for container in self._stopped))
            services.stop(self._ids())
        done.stopped = tuple(container.name for container in self._stopped)
        done.stop_seconds = time.monotonic() - began
        self._reporter.phase("replace")
        refuse_openers(self._replacements)
        self._note(steps.SWAP)
        self._swap()
        self._start(done, began)
        kept = tuple(dict.fromkeys(place for each in self._replacements for place in each.kept()))
        self._note(steps.FINISH)
        self._finish()
        done.kept = kept

    def _at_work(self) -> list[ServiceContainer]:
        """Return the containers that use any of it and run.

        Raises RestoreError for one that could not be started again.
        """
        using = {container.id: container for each in self._replacements for container in each.users()}
        at_work = [container for container in using.values() if container.at_work]
        passing = [container.name for container in at_work if container.passing]
        if passing:
            raise RestoreError(
                f"{', '.join(passing)} would be gone once stopped: it was started with --rm",
                hint=f"end it yourself, then try again: docker stop {' '.join(passing)}",
            )
        return at_work

    def _swap(self) -> None:
        for each in self._replacements:
            if not each.irreversible:
                each.swap()
        refuse_openers([each for each in self._replacements if not each.irreversible])
        if irreversible := [each for each in self._replacements if each.irreversible]:
            self._note(steps.FORWARD)
            for each in irreversible:
                each.swap()

    def _start(self, done: Done, began: float) -> None:
        if self._wishes.leave_stopped or not self._stopped:
            done.outage_seconds = time.monotonic() - began
            return
        self._note(steps.START)
        names = ", ".join(done.stopped)
        self._reporter.phase("start", names)
        starting = time.monotonic()
        services.start(self._ids())
        done.start_seconds = time.monotonic() - starting
        done.outage_seconds = time.monotonic() - began
        LOGGER.info(
            "%s stood still for %.1f s, of which docker stop took %.1f s and docker start %.1f s",
            names, done.outage_seconds, done.stop_seconds, done.start_seconds,
        )  # fmt: skip
        self._reporter.phase("health", names)
        problems = services.wait_until_well(self._ids(), self._reporter.note)
        if not problems:
            return
        if all(container.well for container in self._stopped) and not self._irreversible():
            raise RestoreError(
                f"with the restored data {'; '.join(problems)}",
                hint="look at `docker logs`; choose another backup, or repair what the service complains of",
            )
        done.unwell = tuple(problems)  # it was not well before either: the old data would be no better

    def _irreversible(self) -> bool:
        return any(each.irreversible for each in self._replacements)

    def _back_out(self, error: BaseException) -> None:
        """Undo what was done, and start what was stopped; whatever keeps us from that is told with the error."""
        if self._step == steps.FINISH:
            return  # all is in place; what could not be removed the next start of anything removes
        if self._step == steps.START and self._irreversible():
            raise RestoreError(
                f"{error}; what was there before is deleted, so the restored data stay",
                hint="look at `docker ps` and `docker logs`",
            ) from error
        try:
            if self._step in (steps.SWAP, steps.START):
                self._step = steps.UNDO
                if self._on_disk == steps.START:  # from any earlier step a death is undone anyhow, on a full disk too
                    self._note(steps.UNDO)
            back_out(self._marker(self._step), self._replacements, self._site.state_directory)
            remove_marker(self._site.state_directory)
        except (TrackerBackupError, OSError) as problem:
            LOGGER.warning("a restore that failed (%s) could not be undone: %s", error, problem)
            untouched = self._step in (steps.PREPARE, steps.STOP)
            raise RestoreError(
                f"{error}\n  and that could not be undone: {problem}",
                hint=f"{'nothing live was touched; ' if untouched else ''}put that right; whatever is started of ours "
                "tries again then, `tracker-backup list` for one; what there is to do stands in "
                f"{self._site.state_directory / steps.MARKER_NAME}",
            ) from error

    def _forget(self) -> None:
        for each in self._replacements:
            each.discard()
        remove_marker(self._site.state_directory)
        self._step = ""

    def _finish(self) -> None:
        for each in self._replacements:
            each.finish()
        remove_marker(self._site.state_directory)
        self._step = ""

    def _ids(self) -> list[str]:
        return [container.id for container in self._stopped]

    def _marker(self, step: str) -> Marker:
        return Marker(
            id=self._site.backup.id,
            backup=str(self._site.backup.path),
            step=step,
            parts=tuple(Part(each.type, each.source, each.state()) for each in self._replacements),
            stopped=self._stopped,
            grounds=self._grounds,
            leave_stopped=self._wishes.leave_stopped,
            discard_current=self._wishes.discard_current,
        )

    def _note(self, step: str) -> None:
        self._step = step
        for ground in (place for each in self._replacements if isinstance(each, OnDisk) for place in each.grounds()):
            if str(ground) not in self._grounds:
                self._grounds[str(ground)] = ground.stat().st_ino
        write_marker(self._site.state_directory, self._marker(step))
        self._on_disk = step
