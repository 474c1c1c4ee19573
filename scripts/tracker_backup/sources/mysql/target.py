"""Which schema on which server, and with whose rights; what a person must not see is kept out of every repr."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from tracker_backup.errors import SourceError

DEFAULT_PORT = 3306
THIS_HOST = frozenset({"localhost", "127.0.0.1", "::1"})
AUTO, HOST, EXEC = "auto", "host", "exec"
LOCK, REFUSE = "lock", "refuse"


@dataclass(frozen=True)
class Target:
    """One schema on a server, as the stack or the configuration names it.

    `host` is as the stack's services call it; `service` is the Compose service that runs the server, None where it is
    no part of the stack. `reach` is `auto`, `host` or `exec`; `non_transactional` is `lock` or `refuse`.
    """

    schema: str
    user: str = field(repr=False)
    password: str = field(default="", repr=False)
    host: str | None = None
    port: int = DEFAULT_PORT
    socket: Path | None = None
    service: str | None = None
    password_file: Path | None = None
    reach: str = AUTO
    non_transactional: str = LOCK

    def __str__(self) -> str:
        """Return the place as people read it."""
        return f"schema {self.schema} on {self.server}"

    @property
    def server(self) -> str:
        """The server as people read it."""
        if self.service is not None:
            return f"service {self.service}"
        if self.socket is not None:
            return str(self.socket)
        return f"{self.host or 'localhost'}:{self.port}"


def password_of(target: Target) -> str:
    """Return the password, read from its file where it has one.

    Raises SourceError when the file cannot be read, or others can read it.
    """
    return target.password if target.password_file is None else read_password(target.password_file)


def read_password(path: Path) -> str:
    """Return the password in a file.

    Raises SourceError when the file cannot be read, or others can read it.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise SourceError(
                    f"the password_file {path} can be read or changed by others",
                    hint=f"sudo chmod 0600 {path}",
                )
            text = file.read(4096).decode()
    except OSError as error:
        raise SourceError(
            f"the password_file {path} cannot be read: {error.strerror}",
            hint="put the password into it, alone on its first line, and chmod it 0600",
        ) from error
    except UnicodeDecodeError:
        raise SourceError(f"the password_file {path} is not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
