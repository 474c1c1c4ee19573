"""What of the environment we go by: little, and nothing that says what is run, loaded or read.

Libraries look there too: OpenSSL for modules to load, SQLite and Python for directories to write to, docker and MySQL's
clients for files in a home directory, which `su` and older versions of `sudo` leave as that of whoever asked.
"""

from __future__ import annotations

import os
import pwd
import time
from typing import TYPE_CHECKING

from tracker_backup.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS = "TRACKER_BACKUP_"
_DAY_SECONDS = 24 * 60 * 60
_KEPT = frozenset({
    "TZ",  # when jobs are due, for whoever has set it for cron
    "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR",  # how it looks
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",  # the way to ping_url
})  # fmt: skip


def scrub() -> None:
    """Leave in our environment what :func:`scrubbed` does, before anything has looked at the rest."""
    kept = scrubbed(os.environ)
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    os.environ.update(kept)


def scrubbed(given: Mapping[str, str]) -> dict[str, str]:
    """Return our own variables and a few harmless ones; the home directory is the user's own, as cron has it."""
    kept = {name: value for name, value in given.items() if name in _KEPT or name.startswith(_OURS)}
    try:
        kept["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        kept["HOME"] = "/"  # a user without an entry, in a container for example
    return kept


def require_time_zone() -> None:
    """Raise UsageError when TZ is as far from UTC as no time zone is, and no date can be told."""
    if abs(time.localtime().tm_gmtoff) >= _DAY_SECONDS:
        raise UsageError(
            f"TZ={os.environ.get('TZ', '')} is a day or more away from UTC: no time zone is",
            hint="correct it, or unset it to go by the host's",
        )
