"""The file with the addresses: read only where nobody else can read it, and never shown but for their schemes."""

from __future__ import annotations

import os
import re
import shlex
import stat
from dataclasses import dataclass, field
from pathlib import Path

from tracker_backup.errors import ConfigurationError
from tracker_backup.system.files import opened_for_reading
from tracker_backup.system.trust import weakness

_MOST_BYTES = 64 * 1024
_MOST_ADDRESSES = 50
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Address:
    """One Apprise address, and the line that it stands on."""

    line: int
    url: str = field(repr=False)

    def __str__(self) -> str:
        """Return what may be shown of it: everything behind the scheme may be a secret."""
        scheme = _SCHEME.match(self.url)
        return f"{scheme[1].lower() if scheme else '?'}://… (line {self.line})"


def read_addresses(path: Path) -> tuple[Address, ...]:
    """Return the addresses in a file: one on each line; empty lines and remarks are passed over.

    Raises ConfigurationError where there are none, or others could read or change them.
    """
    try:
        found = weakness(path)
        if found is not None:
            raise _refused(str(found), found.remedy)
        with opened_for_reading(Path(os.path.realpath(path))) as descriptor:
            if os.fstat(descriptor).st_mode & _OTHERS:
                raise _refused(f"{path} can be read by others", f"sudo chmod 0600 {shlex.quote(str(path))}")
            data = os.read(descriptor, _MOST_BYTES + 1)
    except OSError as error:
        hint = "put one Apprise address on each line of it, and chmod it 0600"
        raise ConfigurationError(f"notifications.urls_file: {path}: {error.strerror}", hint=hint) from error
    return _parsed(data, path)


def _parsed(data: bytes, path: Path) -> tuple[Address, ...]:
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise ConfigurationError(f"notifications.urls_file: {path} is not UTF-8") from None
    numbered = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    found = tuple(Address(number, line) for number, line in numbered if line and not line.startswith("#"))
    if not found:
        raise ConfigurationError(
            f"notifications.urls_file: there is no address in {path}", hint="put one Apprise address on each line"
        )
    if len(data) > _MOST_BYTES or len(found) > _MOST_ADDRESSES:
        raise ConfigurationError(
            f"notifications.urls_file: {path} is too long: it may have {_MOST_ADDRESSES} addresses"
        )
    return found


def _refused(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"notifications.urls_file holds secrets: {what}", hint=remedy)
