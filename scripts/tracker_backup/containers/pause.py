"""Freeze a service for the length of a copy, and see to it that it is thawed again, whoever dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import stat
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tracker_backup.containers.docker import MARKER_NAME, container_state, docker_program, unpause
from tracker_backup.errors import CommandError, SourceError
from tracker_backup.system.files import make_public_directory
from tracker_backup.system.logs import LOGGER
from tracker_backup.system.stream import Child

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from tracker_backup.containers.docker import Container

START_SECONDS = 30
FREEZE_SECONDS = 3
"""Docker works while the tracker's writes wait for the copy's lock already; they give up after 5 s, as a rule."""

THAW_SECONDS = 30
"""How long a run waits to hear that the service goes on; whoever thaws it tries for longer."""

END_SECONDS = 1

_FREEZER = Path(__file__).with_name("freezer.py")
FREEZER_VARIABLE = "TRACKER_BACKUP_FREEZER_CONTAINER"
"""Another container to run it in, where ours may be killed with all that is in it: placement/delegation.py."""


def in_helper() -> bool:
    """Return whether this is a short-lived helper of the orchestrator, in whose container cron runs."""
    return FREEZER_VARIABLE in os.environ


class Pause:
    """The means to freeze containers, ready within the context, which ends with none of them frozen.

    They are frozen by :meth:`frozen`, at most for `limit_seconds`. Afterwards `seconds` is for how long they were, and
    `freezing_seconds` how long it took until they were.
    """

    def __init__(self, containers: Sequence[Container], marker: Path, limit_seconds: float) -> None:
        """Name what is to be frozen and where that is noted; nothing happens yet."""
        self.seconds = 0.0
        self.freezing_seconds = 0.0
        self._names = ", ".join(container.name for container in containers)
        self._marker = marker
        ids = [container.id for container in containers]
        docker = docker_program()
        container = os.environ.get(FREEZER_VARIABLE)
        elsewhere = [docker, "exec", "--interactive", container] if container else []
        self._argv = [*elsewhere, sys.executable, "-I", str(_FREEZER), docker, str(marker), str(limit_seconds), *ids]
        self._freezer: _Freezer | None = None
        self._frozen_at: float | None = None

    def __enter__(self) -> Self:
        """Start the process that will freeze, so that no time is lost with it when it is told to.

        Raises SourceError when it cannot note what it is about to do.
        """
        try:
            make_public_directory(self._marker.parent)
        except OSError as error:
            raise SourceError(f"a pause cannot be noted in {self._marker.parent}: {error.strerror}") from error
        self._freezer = _Freezer(self._argv)
        try:
            self._expect("ready", START_SECONDS)
        except BaseException:
            self._freezer.hang_up()
            self._freezer.leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See to it that nothing is frozen; the freezer does that by itself when we cannot."""
        if self._freezer is None:
            return
        try:
            self._thaw()
        finally:
            self._freezer.leave()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the containers while the block lasts.

        Raises SourceError when Docker cannot, or takes too long, or cannot thaw them again.
        """
        if self._freezer is None:
            raise SourceError("a pause was used outside of its context", hint="report this")
        began = time.monotonic()
        self._frozen_at = began
        self._freezer.tell("freeze")
        self._expect("paused", FREEZE_SECONDS)
        self.freezing_seconds = time.monotonic() - began
        try:
            yield
        finally:
            self._thaw()

    def lost(self) -> str | None:
        """Return why the containers may be at work again although nobody has thawed them; None where all is well."""
        heard = None if self._freezer is None else self._freezer.hear(0)
        return heard.removeprefix("lost ") if heard is not None and heard.startswith("lost ") else None

    def _expect(self, word: str, timeout_seconds: float) -> None:
        heard = "" if self._freezer is None else self._freezer.hear(timeout_seconds)
        if heard == word:
            return
        if heard:
            self._frozen_at = None  # it has thawed again what it had frozen, or has frozen nothing
            why = heard.removeprefix("failed ")
        elif heard is None and word == "paused":
            why = f"docker takes longer than {timeout_seconds:g} s, and the tracker's writers wait meanwhile"
        else:
            why = "the process that is to do it has died, or does not start"
        raise SourceError(f"{self._names} cannot be paused: {why}", hint="look at `docker ps`; nothing was copied")

    def _thaw(self) -> None:
        """Let the containers go on and wait until they do; do it ourselves where the freezer has died."""
        if self._freezer is None:
            return
        self._freezer.hang_up()
        if self._frozen_at is None:
            return
        since, give_up = self._frozen_at, time.monotonic() + THAW_SECONDS
        while heard := self._freezer.hear(give_up - time.monotonic()):
            if heard.startswith(("thawed ", "failed ")):
                word, _, rest = heard.partition(" ")
                self.seconds = float(rest) if word == "thawed" else 0.0
                self._frozen_at = None
                return
        if heard is None:
            raise SourceError(
                f"{self._names} may still be paused: Docker has not thawed it for {THAW_SECONDS} s",
                hint=f"it is tried for an hour; look at `docker ps`, and: docker unpause {self._names}",
            )
        LOGGER.warning("the process that kept %s paused has died", self._names)
        undo(self._marker)
        self.seconds = time.monotonic() - since
        self._frozen_at = None


class _Freezer:
    """The process that owns a pause, and what it says."""

    def __init__(self, argv: list[str]) -> None:
        self._child = Child(argv)
        self._heard = b""

    def tell(self, word: str) -> None:
        try:
            self._child.stdin.write(f"{word}\n".encode())
        except BrokenPipeError:
            return  # it is dead, which whoever listens for its answer will find out

    def hang_up(self) -> None:
        if not self._child.stdin.closed:
            self._child.stdin.close()

    def hear(self, timeout_seconds: float) -> str | None:
        """Return the next line that it says, the empty string when it says no more, None when the time is over."""
        give_up = time.monotonic() + timeout_seconds
        while b"\n" not in self._heard:
            left = max(0.0, give_up - time.monotonic())
            if not select.select([self._child.stdout], [], [], left)[0]:
                return None
            part = os.read(self._child.stdout.fileno(), 4096)
            if not part:
                return ""
            self._heard += part
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode(errors="replace")

    def leave(self) -> None:
        """Wait for its end for a little while; it is never ended by us, as it may still have something to thaw."""
        with self._child.stdout, contextlib.suppress(CommandError):
            self._child.finish(END_SECONDS)


def thaw_left_behind(state_directory: Path) -> list[str]:
    """Thaw what a program and its freezer, both dead, have left frozen; return the names of what was thawed.

    A pause that is under way is left alone: its freezer holds a lock on the marker.

    Raises CommandError when Docker cannot be reached; what is noted stays noted then.
    """
    return undo(state_directory / MARKER_NAME)


def undo(marker: Path) -> list[str]:
    """Thaw the containers that a marker names, and remove it; see :func:`thaw_left_behind`."""
    try:
        descriptor = os.open(marker, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return []  # it has just been removed, or is not for us to read
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return []  # none of ours; the next pause will say so
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        thawed = [container for container in _noted(descriptor) if _thaw_one(container)]
        marker.unlink(missing_ok=True)
    except BlockingIOError:
        return []  # a pause under way, or somebody who is doing the same
    except (CommandError, OSError) as error:
        raise CommandError(
            f"a backup that died may have left the tracker paused, as {marker} says: {error}",
            hint="look at `docker ps`; whatever is started of ours tries again to thaw it",
        ) from error
    finally:
        os.close(descriptor)
    return thawed


def _noted(descriptor: int) -> list[str]:
    try:
        return [str(container) for container in json.loads(os.pread(descriptor, 1024 * 1024, 0))["containers"]]
    except (ValueError, KeyError, TypeError):
        return []  # cut off: its writer died before it froze anything


def _thaw_one(container: str) -> bool:
    if container_state(container) != "paused":
        return False
    unpause(container)
    return True
