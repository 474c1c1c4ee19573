"""Which client suits a server: its own flavour's, and not an older one, goes first; some cannot serve at all."""

from __future__ import annotations

from tracker_backup.sources.mysql.clients import MARIADB, MYSQL, Client, version_numbers
from tracker_backup.sources.mysql.facts import Facts, Identity


def rank(client: Client, identity: Identity) -> tuple[bool, bool]:
    """Return what to sort clients by: another flavour than the server's last, an older release after a newer one."""
    mine, servers = version_numbers(client.version)[:2], identity.numbers[:2]
    return client.flavour != identity.flavour, mine < servers


def why_not_first(client: Client, identity: Identity) -> str | None:
    """Say why another client would be better, None where none would."""
    other_flavour, older = rank(client, identity)
    if other_flavour:
        return f"the server is {identity.flavour}, and this is {client.flavour}'s client"
    if older:
        return f"the server is {identity.version}, and this client is older"
    return None


def misfit(client: Client, facts: Facts) -> str | None:
    """Say why a client's dump of this schema could not be loaded, None where it can."""
    if client.flavour == MARIADB and facts.identity.flavour == MYSQL:
        # It writes values for them, which MySQL refuses: errors 3105 and 6136 at the restore.
        return _columns("generated columns", facts.generated) or _columns("vector columns", facts.vector)
    if client.flavour == MYSQL and facts.identity.flavour == MARIADB:
        other = [f"{table.kind.lower()} {table.name}" for table in facts.tables if table.kind not in _KNOWN_TO_MYSQL]
        packages = sum(count for kind, count in facts.stored.items() if kind.startswith("package"))
        if other or packages:
            what = ", ".join(other) or f"{packages} packages"
            return f"MySQL's client does not know what MariaDB has here: {what}"
        if facts.identity.numbers >= _UNKNOWN_TO_MYSQL:
            return "MySQL's client does not understand the version of a MariaDB as new as this one, and warns"
    return None


_UNKNOWN_TO_MYSQL = (11,)
"""Since then MariaDB does not say that it is 5.5.5 first."""
_KNOWN_TO_MYSQL = ("BASE TABLE", "VIEW")


def _columns(what: str, tables: tuple[str, ...]) -> str | None:
    if not tables:
        return None
    return f"MariaDB's client writes {what} of MySQL such that they cannot be loaded: {', '.join(tables)}"
