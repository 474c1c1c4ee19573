"""Where a Compose file is read: the directory and the variables that hold in it, and what was seen of them."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tracker_backup.compose.interpolation import interpolate
from tracker_backup.compose.mounts import host_path
from tracker_backup.compose.yamlfile import Replacing
from tracker_backup.errors import ConfigurationError


@dataclass
class Context:
    """Where files are read; `root` is the stack's directory; `used`, `missing`, `env_files` all includes share."""

    directory: Path
    home: Path
    variables: Mapping[str, str] = field(repr=False)
    root: Path
    used: set[str] = field(default_factory=set)
    missing: dict[str, None] = field(default_factory=dict)  # an ordered set
    env_files: dict[Path, None] = field(default_factory=dict)  # those that were read

    def inside(self, directory: Path, variables: Mapping[str, str] | None = None) -> Context:
        """Return the context of files that have another directory, and perhaps variables of their own."""
        return replace(self, directory=directory, variables=self.variables if variables is None else variables)

    def fill(self, text: str, where: str) -> tuple[str, frozenset[str]]:
        """Interpolate, remember what was used and missing, and return the text and the variables used."""
        result = interpolate(text, self.variables, where=where)
        self.used |= result.used
        self.missing.update(dict.fromkeys(result.missing))
        return result.value, result.used

    def path(self, text: str, where: str) -> Path:
        """Return the path of the host that a text with variables means."""
        return self.resolved(self.fill(text, where)[0])

    def resolved(self, filled: str) -> Path:
        """Return the path of the host that a text means whose variables are filled in."""
        if filled.startswith("~"):
            self.used.add("HOME")
        return Path(host_path(filled, directory=self.directory, home=self.home))

    def called(self, file: Path) -> str:
        """Return how a file is called in explanations: as seen from the stack's directory."""
        return os.path.relpath(file, self.root)


def unwrapped(value: Any, place: str) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a mapping of a Compose file without what is reset, and the keys that replace what earlier files say.

    Raises ConfigurationError when it is no mapping.
    """
    if not isinstance(value, dict):
        raise ConfigurationError(f"{place} is not a mapping")
    replaced = frozenset(str(key) for key, entry in value.items() if isinstance(entry, Replacing))
    plain = {str(key): entry.value if isinstance(entry, Replacing) else entry for key, entry in value.items()}
    return {key: entry for key, entry in plain.items() if key not in replaced or entry is not None}, replaced


def listed(value: Any, place: str) -> list[Any]:
    """Return a list of a Compose file, an empty one for nothing.

    Raises ConfigurationError when it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConfigurationError(f"{place} is not a list")
    return value


def several(value: Any) -> list[Any]:
    """Return a list for what may be a list or one value."""
    return value if isinstance(value, list) else [] if value is None else [value]
