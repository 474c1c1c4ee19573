"""A service that stands still while its database is copied under a lock, until somebody starts it.

Nobody waits for the lock then, so it may be held for as long as a pause may last; but whoever comes back would wait for
all of that, and his writes would fail.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tracker_backup.containers.docker import RESTARTING, RUNNING, service_containers
from tracker_backup.errors import CommandError

if TYPE_CHECKING:
    from pathlib import Path

LOOK_SECONDS = 0.5
"""Applications wait for a lock for some seconds, five as a rule."""


class Absence:
    """Tells when a service of the stack in that directory has come back."""

    def __init__(self, stack: Path, service: str) -> None:
        """Name the service; nobody is asked yet."""
        self._stack = stack
        self._service = service
        self._next = 0.0

    def over(self) -> bool:
        """Return whether one of its containers is at work; Docker is asked now and then only."""
        if time.monotonic() < self._next:
            return False
        try:
            states = {container.state for container in service_containers(self._stack, self._service)}
        except CommandError:
            states = set()  # an engine that does not answer starts nothing either
        self._next = time.monotonic() + LOOK_SECONDS
        return not states.isdisjoint((RUNNING, RESTARTING))
