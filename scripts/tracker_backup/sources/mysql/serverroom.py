"""How much room a server's disk has, as far as that can be known from here."""

from __future__ import annotations

from pathlib import Path

from tracker_backup.containers.docker import TIMEOUT_SECONDS, docker_program
from tracker_backup.errors import CommandError
from tracker_backup.sources.mysql.target import THIS_HOST
from tracker_backup.sources.mysql.ways import Connection
from tracker_backup.system.files import free_bytes
from tracker_backup.system.process import run

RESERVE_BYTES = 64 * 1024**2
_MARGIN = 1.1
_AVAILABLE_COLUMN = 3


def room_needed(connection: Connection, schema_bytes: int, dump_bytes: int) -> int:
    """Return the bytes that a load takes on the server's disk: tables and indexes, and the binary log if it has one.

    Raises ServerRefusalError when the server cannot be asked.
    """
    logged = connection.query("SELECT @@log_bin")[0][0][0] == "1"
    return int(max(schema_bytes, dump_bytes) * _MARGIN) + RESERVE_BYTES + (dump_bytes if logged else 0)


def free_on_server(connection: Connection) -> int | None:
    """Return the bytes that are free where a server keeps its data, None where that cannot be known from here.

    Raises ServerRefusalError when the server cannot be asked.
    """
    directory = connection.query("SELECT @@datadir")[0][0][0]
    way = connection.way
    try:
        if way.container is not None:
            command = [docker_program(), "exec", "--user", "0", way.container.id, "df", "-P", "-k", directory]
            lines = run(command, timeout_seconds=TIMEOUT_SECONDS).stdout.splitlines()
            return int(lines[-1].split()[_AVAILABLE_COLUMN]) * 1024
        if way.address.get("protocol") == "socket" or way.address.get("host") in THIS_HOST:
            return free_bytes(Path(directory))
    except (CommandError, OSError, ValueError, IndexError):
        return None  # an image without df, a forwarded port: the server itself will say when it is full
    return None
