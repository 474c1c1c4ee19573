"""How ssh is called for copies: it asks nobody anything, and notices that the other end is gone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker_backup.copies.interface import without_password
from tracker_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from tracker_backup.config.model import CopySettings

# After a minute without a sign of life the connection is given up: https://man.openbsd.org/ssh_config
_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    "StrictHostKeyChecking=yes",
)
_SHORT = re.compile(r"sftp:(?!//)(?P<host>[^:/-][^:/]*):")
_URL = re.compile(r"sftp://(?P<host>[^:/-][^:/]*|[^:/-][^/]*\[[0-9a-fA-F:.]+\])(?::(?P<port>[0-9]{1,5}))?/")


def ssh_command(settings: CopySettings) -> list[str]:
    """Return ssh with its options, without a host."""
    words = ["ssh", *(word for option in _OPTIONS for word in ("-o", option))]
    if settings.ssh_key is not None:
        words += ["-i", str(settings.ssh_key), "-o", "IdentitiesOnly=yes"]
    if settings.ssh_known_hosts is not None:
        words += ["-o", f"UserKnownHostsFile={settings.ssh_known_hosts}"]
    return words


def sftp_command(settings: CopySettings) -> list[str] | None:
    """Return the command that opens an SFTP session for an address of restic's, None for one of another kind.

    https://restic.readthedocs.io/en/stable/030_preparing_a_new_repo.html#sftp

    Raises ConfigurationError for an SFTP address that names no host.
    """
    if not settings.repository.startswith("sftp:"):
        return None
    found = _SHORT.match(settings.repository) or _URL.match(settings.repository)
    if found is None:
        raise ConfigurationError(
            f"copy {settings.name}: no host in {without_password(settings.repository)}",
            hint="write sftp:user@host:/path or sftp://user@host:port//path",
        )
    port = found.groupdict().get("port")
    host = (
        found["host"].replace("[", "").replace("]", "")
    )  # of an IPv6 address in a URL, which ssh would take for a name
    return [*ssh_command(settings), *(["-p", port] if port else []), host, "-s", "sftp"]
