"""Read what a database URL says without ever letting its password out."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from tracker_backup.errors import ConfigurationError

_DRIVERS = {"sqlite": "sqlite", "sqlite3": "sqlite", "mysql": "mysql", "mariadb": "mysql"} | dict.fromkeys(
    ("postgres", "postgresql"), "postgresql"
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


def schema_of(url: str, *, where: str) -> str:
    """Return the schema that a URL such as `mysql://user:password@host:port/schema?options` names, percent-decoded.

    Raises ConfigurationError, without the URL or any part of it, when it names none or cannot be read.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    schema = parts.path.removeprefix("/")
    # A bare / ? or # in the password ends the host too early, and a piece of the password would pass for the schema;
    # the @ that follows the password then stands behind it.
    behind_host = parts.path + parts.query + parts.fragment
    if "://" not in url or not schema or "/" in schema or "@" in behind_host:
        raise ConfigurationError(
            f"{where}: the URL of the database cannot be read (it is not shown: it may hold a password)",
            hint="it must be like mysql://user:password@host:3306/schema, with the password percent-encoded",
        )
    return unquote(schema)
