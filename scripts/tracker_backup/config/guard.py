"""Refuse to be steered: what decides what we run, read, delete or put in place must be nobody else's to change.

Root runs this every night. Whoever can write to the configuration, to the program, or to where the backups and notes
lie, decides what root does then; a backup that others can exchange is a program of theirs once it is restored.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import ConfigurationError
from tracker_backup.system.trust import TRUSTED_VARIABLE, Weakness, trusted_users, weakness, weakness_below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker_backup.config.model import Config, CopySettings

PACKAGE = Path(__file__).resolve().parents[1]
_DEPLOYED_AS = "current"
"""The link beside the version that runs, where the role has put it: a checkout has none, and is its developer's."""


def require_safe_file(path: Path) -> None:
    """Raise ConfigurationError where others than root, and us, can change a configuration file or exchange it."""
    found = weakness(path)
    if found is not None:
        raise _refused([("the configuration", found)])


def require_safe(config: Config) -> None:
    """Raise ConfigurationError, with all that there is, where others can change what steers us."""
    found = list(weaknesses(config))
    if found:
        raise _refused(found)


def weaknesses(config: Config) -> Iterator[tuple[str, Weakness]]:
    """Yield what of an instance others can change: the program, its launcher, and the places that it writes to."""
    trusted = trusted_users()
    if (PACKAGE.parent.parent / _DEPLOYED_AS).is_symlink() and (found := weakness_below(PACKAGE, trusted)):
        yield "the program", found
    places = {
        "the launcher": config.schedule.command,
        "repository": config.repository,
        "staging": config.staging,
        "state_directory": config.state_directory,
        **{f"{key} of copy {copy.name}": path for copy in config.copies for key, path in _files_of(copy).items()},
    }
    seen = set[Path]()
    for what, path in places.items():
        try:
            found = weakness(path, trusted)
        except PermissionError:
            continue  # what we may not even look at, we shall not follow
        if found is not None and found.path not in seen:
            seen.add(found.path)
            yield what, found


def _files_of(copy: CopySettings) -> dict[str, Path]:
    """Return the files that say where a copy goes, and as whom: its environment may name what else is run."""
    named = {
        "password_file": copy.password_file,
        "environment_file": copy.environment_file,
        "ssh_key": copy.ssh_key,
        "ssh_known_hosts": copy.ssh_known_hosts,
    }
    return {key: path for key, path in named.items() if path is not None}


def _refused(found: list[tuple[str, Weakness]]) -> ConfigurationError:
    listed = "\n".join(f"  {what}: {each}\n    {each.remedy}" for what, each in found)
    return ConfigurationError(
        f"others than root could decide what is run and read here, so nothing is done:\n{listed}",
        hint=f"type that, or say with {TRUSTED_VARIABLE} whom you trust like root: docs/threat-model.md",
    )
