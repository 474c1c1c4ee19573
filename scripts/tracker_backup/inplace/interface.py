"""The seam between the engine of restores in place and the types of source.

The engine (:mod:`tracker_backup.inplace.engine`) calls a replacement in this order, and notes on disk, flushed, what it
is about to do before it does it:

    describe    what there is, what replaces it
    users       which containers use it; everything is shown, and the user asked
    prepare     while the stack runs: the new one is made ready beside the live one, and checked
    users       once more; those that run are stopped
    openers     who else has it open: refused then
    swap        the new one takes its place; then `openers` once more, start, health
    finish      all is well: what nobody needs is removed

A failure or a signal before `swap` ends in `discard`, one in or after `swap` in `undo` for all replacements, in the
opposite order, whatever each of them has done by then. After a death at any instant the next start of anything of ours
makes the replacements anew from their `state` and calls `discard`, `undo` or `finish`, so each of these must do the
right thing from what it finds on the disk, also where it was called before and cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from tracker_backup.containers.services import ServiceContainer
    from tracker_backup.inplace.site import Site
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.system.space import Need

State = Mapping[str, Any]
"""What a replacement has to know after a death: a JSON object, without secrets; the marker is readable by root only."""


@dataclass(frozen=True)
class Change:
    """What a replacement is about to do, for the user to decide.

    `place` is what is replaced, `now` what is there (None: nothing), `then` what takes its place, `keeps` where the old
    one will be (None: it is deleted, or there is none). `details` are further lines, such as the single files. `needs`
    are the bytes that have to be free: directories, sizes, what for. `nothing_to_do` says that both are the same.
    """

    place: str
    now: str | None
    then: str
    keeps: str | None
    details: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    nothing_to_do: bool = False


@dataclass(frozen=True)
class Opener:
    """A process outside of what was stopped that has something open which is about to be replaced."""

    pid: int
    command: str
    path: str


class Replacement(Protocol):
    """One source that is put in the place of the live one.

    `irreversible` says that once `swap` has begun there is no old one any more (`--discard-current` where there is no
    room): after a death, or a failure, `swap` is called again instead of `undo`.
    """

    source: str
    type: str

    @property
    def irreversible(self) -> bool:
        """Whether swapping leaves no old one."""

    def describe(self) -> Change:
        """Look, and say what is to happen; what is made for that goes with `discard`.

        Raises RestoreError, UsageError or PrivilegeError where it cannot be done at all.
        """

    def prepare(self) -> None:
        """Make the new one ready beside the live one and check it, while the stack is at work; nothing live changes.

        Raises CheckFailedError for an artifact that is damaged, RestoreError where it cannot be done.
        """

    def users(self) -> Sequence[ServiceContainer]:
        """Return the containers that use what is replaced, whatever their state, after `describe`.

        The engine stops those that run, and starts these again. Raises CommandError where Docker cannot be asked.
        """

    def openers(self) -> Sequence[Opener]:
        """Return who has what is replaced open, now that its containers are stopped; after `swap`: the old one."""

    def swap(self) -> None:
        """Put the new one in its place, the old one where it is kept, and flush both.

        Raises RestoreError where it cannot; `undo` follows then.
        """

    def undo(self) -> None:
        """Put the old one back, from wherever `swap` was, and remove the new one; safe to be called again.

        Raises RestoreError where it cannot, with what to do by hand.
        """

    def discard(self) -> None:
        """Remove what `describe` and `prepare` have made; the live one was not touched."""

    def finish(self) -> None:
        """Remove what nobody needs any more: never what is kept of the old one, except with `--discard-current`."""

    def kept(self) -> tuple[str, ...]:
        """Return where what was replaced lies now, for the last lines on the terminal."""

    def state(self) -> State:
        """Return what is needed after a death; it is asked for before each step."""


@runtime_checkable
class OnDisk(Protocol):
    """A replacement of files, of which more has to be known before it is undone after a death."""

    def grounds(self) -> Sequence[Path]:
        """Return the directories, all of which are there, in which everything lies: a volume may not be mounted."""

    def reopened(self) -> Sequence[Opener]:
        """Return who has opened what is new since, and would lose by `undo` what he goes on writing."""


class Making(Protocol):
    """Makes the replacement of a source; each type has one such function, named in :mod:`registry`."""

    def __call__(self, site: Site, source: str, artifact: Artifact | None, state: State | None) -> Replacement:
        """Return a new replacement, or with `state` the one that a dead process has left.

        `artifact` is None where the backup cannot be read any more, which only happens together with `state`.
        """


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for.

    `confirm` is called with the changes and the names of the containers that will stand still, and says whether to go
    on; `paths` chooses single files of the source `files`. `mysql_user` logs in to servers instead of the source's own.
    """

    sources: tuple[str, ...] | None
    confirm: Callable[[Sequence[tuple[str, Change]], Sequence[str]], bool] = field(repr=False)
    paths: tuple[Path, ...] = ()
    discard_current: bool = False
    leave_stopped: bool = False
    mysql_user: str | None = None
    mysql_password_file: Path | None = None
