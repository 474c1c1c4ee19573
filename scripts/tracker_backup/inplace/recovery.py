"""Undo a restore in place that failed, or finish or undo the one that a dead process has left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.containers import services
from tracker_backup.errors import RestoreError
from tracker_backup.inplace import marker as steps
from tracker_backup.inplace.marker import Marker, claimed, read_marker, remove_marker
from tracker_backup.inplace.registry import make_replacement
from tracker_backup.inplace.site import Site
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.store import load_backup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.inplace.interface import Replacement


def recover(state_directory: Path, config: Config | None = None, *, wait: bool = False) -> str | None:
    """Finish or undo what a dead process has left; return in a sentence what was done, None where nothing was left.

    A restore that is under way is left alone, or with `wait` waited for.

    Raises TrackerBackupError where that cannot be done; what is noted stays noted then.
    """
    if not (state_directory / steps.MARKER_NAME).exists():
        return None
    with claimed(state_directory, wait=wait) as ours:
        return recover_here(state_directory, config) if ours else None


def recover_here(state_directory: Path, config: Config | None) -> str | None:
    """Do what :func:`recover` does, with the right to it in the caller's hands."""
    noted = read_marker(state_directory)
    if noted is None:
        return None
    said = _recover(noted, config)
    remove_marker(state_directory)
    return said


def back_out(noted: Marker, replacements: Sequence[Replacement]) -> None:
    """Put everything back to where it was before a restore, and start again what was stopped for it.

    Raises TrackerBackupError where something cannot be put back: what was stopped stays so then, as it would go on
    with data that are neither the old nor the new ones.
    """
    if noted.step == steps.FORWARD:
        raise RestoreError("the old data are deleted, and the new ones are not in their place")
    stopped = [container.id for container in noted.stopped]
    if noted.step in (steps.SWAP, steps.UNDO):
        # Somebody may have started them, or made others in their place, since.
        now = [each.id for replacement in replacements for each in replacement.users() if each.at_work]
        services.stop(list(dict.fromkeys([*stopped, *now])))
        for replacement in reversed(replacements):
            if replacement.irreversible:
                replacement.discard()
            else:
                replacement.undo()
    else:
        services.stop(stopped)  # the stop that was asked for may still be under way, and would follow on our start
        for replacement in reversed(replacements):
            replacement.discard()
    services.start(stopped)


def _recover(noted: Marker, config: Config | None) -> str:
    replacements = _replacements(noted, config)
    stopped = [container.id for container in noted.stopped]
    sources = ", ".join(part.source for part in noted.parts)
    if noted.step in (steps.PREPARE, steps.STOP, steps.SWAP, steps.UNDO):
        back_out(noted, replacements)
        return _said(f"undid the restore of {sources} from {noted.id} in place", noted)
    if noted.step == steps.FORWARD:
        for each in replacements:
            if each.irreversible:
                each.swap()
    if noted.step != steps.FINISH and not noted.leave_stopped:
        services.start(stopped)
    for each in replacements:
        each.finish()
    return _said(f"finished the restore of {sources} from {noted.id} in place", noted)


def _said(what: str, noted: Marker) -> str:
    names = ", ".join(container.name for container in noted.stopped)
    return f"{what}, which had died{f'; look at whether {names} is well' if names else ''}"


def _replacements(noted: Marker, config: Config | None) -> list[Replacement]:
    backup = load_backup(Path(noted.backup))
    site = Site(backup, SilentReporter(), config, discard_current=noted.discard_current)
    artifacts = {} if backup.manifest is None else {each.source: each for each in backup.manifest.artifacts}
    return [
        make_replacement(part.type, site, part.source, artifacts.get(part.source), part.state) for part in noted.parts
    ]


def refuse_openers(replacements: Sequence[Replacement]) -> None:
    """Raise RestoreError when a process has open what is to be replaced: what it writes would be lost in silence."""
    found = [opener for each in replacements for opener in each.openers()]
    if found:
        by_process = {each.pid: each for each in reversed(found)}
        listed = [f"process {each.pid} ({each.command}) has {each.path} open" for each in by_process.values()]
        more = f"; and {len(listed) - 3} more" if len(listed) > 3 else ""  # noqa: PLR2004 - shown
        raise RestoreError(
            f"{'; '.join(listed[:3])}{more}: it is in no container of the stack, which is what can be stopped here",
            hint="end it, then try again: what it goes on writing into the old file would be lost without any error",
        )
