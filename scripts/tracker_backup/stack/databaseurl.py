"""Read what a database URL says without ever letting its password out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from tracker_backup.errors import ConfigurationError

_DRIVERS = {"sqlite": "sqlite", "sqlite3": "sqlite", "mysql": "mysql", "mariadb": "mysql"} | dict.fromkeys(
    ("postgres", "postgresql"), "postgresql"
)
DEFAULT_PORTS = {"mysql": 3306, "postgresql": 5432, "sqlite": 0}
"""Where a server listens when its URL names no port."""
_LAST_PORT = 65535
# urllib's own parsing refuses passwords with [ or with letters whose compatibility forms hold a slash, and drops tabs.
_SERVER_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<login>[^/?#]*)@)?"
    r"(?P<host>\[[^/?#@\]]*\]|[^/?#@:\[\]]*)(?::(?P<port>[0-9]{0,5}))?(?P<behind>(?:[/?#].*)?)",
    re.DOTALL,
)
MEMORY = ":memory:"
"""What SQLite takes for a database that is no file."""


def normal_driver(name: str) -> str | None:
    """Return `sqlite`, `mysql` or `postgresql` for a driver's name or a URL's scheme in any case; None for others."""
    return _DRIVERS.get(name.strip().lower())


def scheme_of(url: str) -> str:
    """Return what stands before the URL's first colon, in small letters."""
    return url.partition(":")[0].lower()


def sqlite_path(url: str) -> str:
    """Return the path of `sqlite://PATH?options` or `sqlite:PATH`, percent-decoded; MEMORY where there is no file."""
    rest = url.partition(":")[2].partition("?")[0]
    return unquote(rest.removeprefix("//"))


@dataclass(frozen=True)
class ServerAddress:
    """What the URL of a schema on a server says, percent-decoded; user and password stay out of the repr."""

    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    schema: str


def server_address(url: str, *, where: str) -> ServerAddress:
    """Read a URL such as `mysql://user:password@host:port/schema?options`; `where` names its place in messages.

    Raises ConfigurationError, without the URL or any part of it, when it names no host or schema or cannot be read.
    """
    match = _SERVER_URL.fullmatch(url)
    # A bare / ? or # in the password ends the host too early, and a piece of the password would pass for the schema;
    # the @ that follows the password then stands behind it.
    if match is None or "@" in match["behind"]:
        raise _unreadable(where)
    schema = match["behind"].partition("#")[0].partition("?")[0].removeprefix("/")
    user, _, password = (match["login"] or "").partition(":")
    host = match["host"].strip("[]")
    port = int(match["port"] or DEFAULT_PORTS[normal_driver(match["scheme"]) or "mysql"])
    if not host or not schema or "/" in schema or port > _LAST_PORT:
        raise _unreadable(where)
    return ServerAddress(unquote(host), port, unquote(user), unquote(password), unquote(schema))


def _unreadable(where: str) -> ConfigurationError:
    return ConfigurationError(
        f"{where}: the URL of the database cannot be read (it is not shown: it may hold a password)",
        hint="it must be like mysql://user:password@host:3306/schema, with the password percent-encoded",
    )
