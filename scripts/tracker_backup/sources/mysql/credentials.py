"""Hand user and password to a client such that nobody else sees them: as an option file that is a pipe.

Arguments stand in /proc for all, environments for the same user. And --defaults-file is what must be used, not
--defaults-extra-file: after the latter ~/.my.cnf is read, and wins.
https://dev.mysql.com/doc/refman/8.4/en/option-files.html, https://mariadb.com/kb/en/configuring-mariadb-with-option-files/
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tracker_backup.errors import SourceError

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MOST_BYTES = 32 * 1024
"""What a pipe takes without a reader, with room to spare."""


@dataclass(frozen=True)
class Credentials:
    """A user and a password."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def option_file(self, place: Mapping[str, str]) -> bytes:
        """Return an option file with them and with `place`: host, port, socket, protocol.

        Raises SourceError for what no option file can hold.
        """
        values = {"user": self.user, "password": self.password, **place}
        if any("\0" in value for value in values.values()):
            raise SourceError("a zero byte in user, password or address: no client can be given that")
        lines = ["[client]", *(f"{name}={_quoted(value)}" for name, value in values.items())]
        data = ("\n".join(lines) + "\n").encode()
        if len(data) > _MOST_BYTES:
            raise SourceError("user and password are longer than an option file may be")
        return data


@contextmanager
def as_descriptor(option_file: bytes) -> Iterator[int]:
    """Give the descriptor of a pipe from which the option file can be read, once."""
    reading, writing = os.pipe()
    try:
        try:
            os.write(writing, option_file)  # it fits: _MOST_BYTES is less than a pipe holds
        finally:
            os.close(writing)
        yield reading
    finally:
        os.close(reading)


def _quoted(value: str) -> str:
    return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'
