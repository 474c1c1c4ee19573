"""Where a restore in place happens: the stack that there is, or the one that a backup on a bare host came from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import ConfigurationError, RestoreError
from tracker_backup.health.statefile import STATE_DIRECTORY
from tracker_backup.run.resolve import resolve_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker_backup.config.model import Config
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.repository.store import Backup
    from tracker_backup.sources.interface import Source


@dataclass(frozen=True)
class Site:
    """A backup and the host that it is put back on; without a configuration, as the backup's manifest has it.

    `paths` chooses single files, `discard_current` that nothing is kept of what is replaced. `mysql_user` is
    who logs in to a server, with the password in that file, where the source's own user is not enough.
    """

    backup: Backup
    reporter: Reporter = field(repr=False)
    config: Config | None = None
    paths: tuple[Path, ...] = ()
    discard_current: bool = False
    mysql_user: str | None = None
    mysql_password_file: Path | None = None

    @property
    def manifest(self) -> Manifest:
        """The backup's manifest; raises RestoreError where it cannot be read."""
        if self.backup.manifest is None:
            raise RestoreError(f"{self.backup.id} has no usable manifest: {self.backup.problem}")
        return self.backup.manifest

    @property
    def stack(self) -> Path:
        """The stack's directory on this host."""
        return Path(self.manifest.stack) if self.config is None else self.config.stack

    @property
    def state_directory(self) -> Path:
        """Where it is noted what is under way."""
        return STATE_DIRECTORY / self.manifest.instance if self.config is None else self.config.state_directory

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """The sources that the stack has now, by name; none where there is no stack yet, or it cannot be read."""
        if self.config is None:
            return {}
        try:
            return {source.name: source for source in resolve_sources(self.config).sources}
        except ConfigurationError as error:
            self.reporter.note(f"the places are those of the backup, as the stack cannot tell: {error.message}")
            return {}

    def place(self, path: str) -> Path:
        """Return where something belongs here that had this path on the backup's host: the stack may have moved."""
        old, new = os.path.normpath(self.manifest.stack), os.path.realpath(self.stack)
        if path == old or path.startswith(old.rstrip("/") + "/"):
            return Path(new + path[len(old.rstrip("/")) :])
        return Path(path)

    def projects(self) -> tuple[Path, ...]:
        """Return the directories whose Compose projects' containers belong to the stack."""
        return tuple({self.stack, *(source.project for source in self.sources.values() if source.project is not None)})
