"""Which class serves which program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.copies.borg import Borg
from tracker_backup.copies.restic import Restic
from tracker_backup.errors import CommandError
from tracker_backup.system.files import make_private_directory
from tracker_backup.system.process import require_program

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.config.model import Config, CopySettings
    from tracker_backup.copies.interface import Destination

_CLASSES: dict[str, type[Restic | Borg]] = {"restic": Restic, "borg": Borg}
_PACKAGES = {"restic": "restic", "borg": "borgbackup"}
_CACHES = "copies"


def destination_for(settings: CopySettings, config: Config) -> Destination:
    """Return a copy's destination, as an instance's configuration has it.

    Raises CommandError where its program is not installed, ConfigurationError where a secret is not safe.
    """
    making = config.command_line("init-copy", settings.name, sudo=True)
    return destination(settings, config.state_directory / _CACHES / settings.name, making)


def destination(settings: CopySettings, cache: Path, making: str) -> Destination:
    """Return a destination whose program keeps its notes in the directory `cache`; raises as above."""
    require_program(settings.program, hint=f"sudo apt-get install {_PACKAGES[settings.program]}")
    try:
        make_private_directory(cache)
    except OSError as error:
        raise CommandError(f"cannot make {cache}: {error.strerror}") from error
    return _CLASSES[settings.program](settings, cache, making)
