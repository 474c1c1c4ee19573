"""Which rights loading a dump takes: asked before anything is loaded, since an error in its midst says less."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracker_backup.sources.mysql.clients import MARIADB
from tracker_backup.sources.mysql.facts import Identity, role_grants
from tracker_backup.sources.mysql.grants import grant_statement, lacking
from tracker_backup.sources.mysql.ways import Connection

_ALWAYS = ("SELECT", "INSERT", "CREATE", "DROP", "ALTER", "REFERENCES", "LOCK TABLES")
_BY_KIND = {
    "view": ("CREATE VIEW", "SHOW VIEW"),
    "trigger": ("TRIGGER",),
    "event": ("EVENT",),
    "function": ("CREATE ROUTINE", "ALTER ROUTINE"),
    "procedure": ("CREATE ROUTINE", "ALTER ROUTINE"),
    "package": ("CREATE ROUTINE", "ALTER ROUTINE"),
}
_LOGGED = ("trigger", "function")
"""What nobody but an administrator may make where the binary log is on."""
_ANY_DEFINER_SINCE = (8, 2)
_SET_USER_SINCE = (10, 5)


@dataclass(frozen=True)
class Needs:
    """What a load does: into which schemas, with objects of which kinds, made in the names of which accounts."""

    schemas: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    definers: frozenset[tuple[str, str]] = frozenset()


def missing_to_load(connection: Connection, identity: Identity, needs: Needs) -> list[str]:
    """Return the statements for an administrator without which the load would fail; none when nothing is missing.

    Raises ServerRefusalError when the server cannot be asked.
    """
    granted, [(logged, trusted)] = connection.query(
        "SHOW GRANTS", "SELECT @@log_bin, @@log_bin_trust_function_creators"
    )
    lines = [row[0] for row in (*granted, *role_grants(connection, identity))]
    wanted = (*_ALWAYS, *_of(needs.kinds))
    statements = [
        grant_statement(found, schema, identity.account)
        for schema in needs.schemas
        if (found := lacking(lines, wanted, schema))
    ]
    if lacking(lines, ("SUPER",), "*"):
        definer = _definer_privilege(identity)
        others = needs.definers - {_names(identity.account)}
        if others and lacking(lines, (definer,), "*"):
            statements.append(grant_statement((definer,), "*", identity.account))
        if logged == "1" and trusted == "0" and needs.kinds & set(_LOGGED):
            statements.append("SET GLOBAL log_bin_trust_function_creators = 1;")
    return statements


def _of(kinds: Iterable[str]) -> list[str]:
    found = [privilege for kind in sorted(kinds) for privilege in _BY_KIND.get(kind, ())]
    return list(dict.fromkeys(found))


def _definer_privilege(identity: Identity) -> str:
    """Return what allows to make an object in another's name."""
    if identity.flavour == MARIADB:
        return "SET USER" if identity.numbers >= _SET_USER_SINCE else "SUPER"
    return "SET_ANY_DEFINER" if identity.numbers >= _ANY_DEFINER_SINCE else "SET_USER_ID"


def _names(account: str) -> tuple[str, str]:
    user, _, host = account.rpartition("@")
    return user, host
