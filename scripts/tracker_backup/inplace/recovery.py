"""Undo a restore in place that failed, or finish or undo the one that a dead process has left."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.containers import services
from tracker_backup.errors import DeadlineError, RestoreError, TerminatedError, TrackerBackupError
from tracker_backup.inplace import marker as steps
from tracker_backup.inplace.interface import OnDisk
from tracker_backup.inplace.marker import Marker, Stopped, claimed, read_marker, remove_marker, write_marker
from tracker_backup.inplace.places import KEPT_PREFIX
from tracker_backup.inplace.registry import make_replacement
from tracker_backup.inplace.site import Site
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.store import load_backup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.containers.services import ServiceContainer
    from tracker_backup.inplace.interface import Opener, Replacement


def recover(state_directory: Path, config: Config | None = None) -> str | None:
    """Finish or undo what a dead process has left; return in a sentence what was done, None where nothing was left.

    A restore that is under way is left alone.

    Raises TrackerBackupError where that cannot be done; what is noted stays noted then.
    """
    if not (state_directory / steps.MARKER_NAME).exists():
        return None
    with claimed(state_directory, wait=False) as ours:
        return recover_here(state_directory, config) if ours else None


def recover_before_backup(state_directory: Path, config: Config) -> str | None:
    """Do what :func:`recover` does, after a restore that is under way; return also what does not matter to a backup.

    That is what could not be cleared up of a restore which had touched nothing live: it must not be the end of backups.

    Raises TrackerBackupError where there may be no database where one should be.
    """
    if not (state_directory / steps.MARKER_NAME).exists():
        return None
    with claimed(state_directory, wait=True):
        try:
            return recover_here(state_directory, config)
        except (DeadlineError, TerminatedError):
            raise
        except (TrackerBackupError, OSError) as error:
            noted = read_marker(state_directory)
            if noted is None or noted.stopped or noted.step not in (steps.PREPARE, steps.STOP):
                raise
            return (
                f"the restore of {noted.id} in place, which had died before it touched anything live, cannot be "
                f"cleared up after: {error}\n  the backup goes on; nothing is restored in place until that is put "
                f"right, or {state_directory / steps.MARKER_NAME}, which names what is left, is deleted"
            )


def recover_here(state_directory: Path, config: Config | None) -> str | None:
    """Do what :func:`recover` does, with the right to it in the caller's hands."""
    noted = read_marker(state_directory)
    if noted is None:
        return None
    said = _recover(noted, state_directory, config)
    remove_marker(state_directory)
    return said


def back_out(noted: Marker, replacements: Sequence[Replacement], state_directory: Path) -> None:
    """Put everything back to where it was before a restore, and start again what was stopped for it.

    That all is back is noted before the start: what cannot be started is not to stop the others time and again.

    Raises TrackerBackupError where something cannot be put back: what was stopped stays so then, as it would go on
    with data that are neither the old nor the new ones. Where nothing live was touched it does go on.
    """
    if noted.step == steps.FORWARD:
        raise RestoreError("the old data are deleted, and the new ones are not in their place")
    stopped = [container.id for container in noted.stopped]
    if noted.step in (steps.SWAP, steps.UNDO):
        # Somebody may have started them, or made others in their place, since.
        stopped = list(dict.fromkeys([*stopped, *(each.id for each in _at_work(replacements))]))
        services.stop(stopped)
        for replacement in reversed(replacements):
            if replacement.irreversible:
                replacement.discard()
            else:
                replacement.undo()
    else:
        services.stop(stopped)  # the stop that was asked for may still be under way, and would follow on our start
        try:
            for replacement in reversed(replacements):
                replacement.discard()
        except (TrackerBackupError, OSError):
            services.start(stopped)
            with suppress(RestoreError):  # a full disk
                write_marker(state_directory, replace(noted, step=steps.PREPARE, stopped=()))
            raise
    with suppress(RestoreError):  # a full disk
        write_marker(state_directory, replace(noted, step=steps.UNDONE))
    services.start(stopped)


def _recover(noted: Marker, state_directory: Path, config: Config | None) -> str:
    if noted.step == steps.UNDONE:
        services.start([container.id for container in noted.stopped])
        return _said(f"started what the restore of {noted.id} in place had stopped", noted, _Told())
    _require_grounds(noted, state_directory)
    told = _Told()
    replacements = _replacements(noted, config, told)
    sources = ", ".join(part.source for part in noted.parts)
    if noted.step in (steps.PREPARE, steps.STOP, steps.SWAP, steps.UNDO):
        if noted.step in (steps.SWAP, steps.UNDO):
            noted = _with_others(noted, replacements, state_directory)
            _stop_or_leave(replacements)
        back_out(noted, replacements, state_directory)
        return _said(f"undid the restore of {sources} from {noted.id} in place", noted, told)
    if noted.step == steps.FORWARD:
        noted = _with_others(noted, replacements, state_directory)
        services.stop([container.id for container in noted.stopped])
        forward = [each for each in replacements if each.irreversible]
        refuse_openers(forward)
        for each in forward:
            each.swap()
    if noted.step != steps.FINISH and not noted.leave_stopped:
        services.start([container.id for container in noted.stopped])
    for each in replacements:
        each.finish()
    return _said(f"finished the restore of {sources} from {noted.id} in place", noted, told)


def _require_grounds(noted: Marker, state_directory: Path) -> None:
    """Raise RestoreError where a directory is not the one that it was: what is not there would pass for undone."""
    for ground, inode in noted.grounds.items():
        try:
            found = Path(ground).stat().st_ino
        except OSError:
            found = None
        if found != inode:
            raise RestoreError(
                f"{ground} is not the directory that it was: is its volume mounted?",
                hint=f"mount it; if it has been replaced for good, put back what {KEPT_PREFIX}{noted.id} holds, and "
                f"delete {state_directory / steps.MARKER_NAME}",
            )


def _at_work(replacements: Sequence[Replacement]) -> list[ServiceContainer]:
    using = {each.id: each for replacement in replacements for each in replacement.users()}
    return [each for each in using.values() if each.at_work]


def _with_others(noted: Marker, replacements: Sequence[Replacement], state_directory: Path) -> Marker:
    """Note who runs now without having been stopped by us, made in the place of another perhaps."""
    known = {container.id for container in noted.stopped}
    others = tuple(Stopped(each.id, each.name, each.well) for each in _at_work(replacements) if each.id not in known)
    if others:
        noted = replace(noted, stopped=(*noted.stopped, *others))
        with suppress(RestoreError):  # a full disk: then it is known for as long as we live
            write_marker(state_directory, noted)
    return noted


def _stop_or_leave(replacements: Sequence[Replacement]) -> None:
    """Stop who runs; where somebody else has opened what is new since, leave all as it was found."""
    running = [each.id for each in _at_work(replacements)]
    services.stop(running)
    try:
        refuse([opener for each in replacements if isinstance(each, OnDisk) for opener in each.reopened()])
    except RestoreError:
        services.start(running)
        raise


class _Told(SilentReporter):
    """Keeps what is to be told with what was done."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        """Keep it."""
        self.warnings.append(text)


def _said(what: str, noted: Marker, told: _Told) -> str:
    names = ", ".join(container.name for container in noted.stopped)
    look = [f"look at whether {names} is well"] if names else []
    return "; ".join([f"{what}, which had died", *told.warnings, *look])


def _replacements(noted: Marker, config: Config | None, told: _Told) -> list[Replacement]:
    backup = load_backup(Path(noted.backup))
    site = Site(backup, told, config, discard_current=noted.discard_current)
    artifacts = {} if backup.manifest is None else {each.source: each for each in backup.manifest.artifacts}
    return [
        make_replacement(part.type, site, part.source, artifacts.get(part.source), part.state) for part in noted.parts
    ]


def refuse_openers(replacements: Sequence[Replacement]) -> None:
    """Raise RestoreError when a process has open what is to be replaced: what it writes would be lost in silence."""
    refuse([opener for each in replacements for opener in each.openers()])


def refuse(found: Sequence[Opener]) -> None:
    """Raise RestoreError where anybody was found."""
    if found:
        by_process = {each.pid: each for each in reversed(found)}
        listed = [f"process {each.pid} ({each.command}) has {each.path} open" for each in by_process.values()]
        more = f"; and {len(listed) - 3} more" if len(listed) > 3 else ""  # noqa: PLR2004 - shown
        raise RestoreError(
            f"{'; '.join(listed[:3])}{more}: it is in no container of the stack, which is what can be stopped here",
            hint="end it, then try again: what it goes on writing into the old file would be lost without any error",
        )
