"""Which rights a complete dump needs, and which of them are missing.

Without them objects vanish from a dump: exit code 0, trailer and an empty stderr all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracker_backup.sources.mysql.clients import MARIADB
from tracker_backup.sources.mysql.facts import Facts

NEEDED = ("SELECT", "SHOW VIEW", "TRIGGER", "EVENT")
LOCKING = "LOCK TABLES"
_EVERYTHING = frozenset({"ALL PRIVILEGES", "ALL"})
_SHOWING_ROUTINES = {"EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE"}
"""Who has one of these in a schema is told of every routine in it, if not its text."""

_SHOW_CREATE_ROUTINE_SINCE = (11, 3)  # https://mariadb.com/kb/en/grant/
_SHOW_ROUTINE_SINCE = (8, 0, 20)  # https://dev.mysql.com/doc/refman/8.0/en/privileges-provided.html
_NAME = r"(\*|`(?:[^`]|``)*`)"
_GRANT = re.compile(rf"(GRANT|REVOKE) (.+?) ON (?:TABLE )?{_NAME}\.{_NAME} (?:TO|FROM) ", re.DOTALL)
_WILDCARD = re.compile(r"(?:\\.|[^%_\\])*[%_]", re.DOTALL)
_PARENTHESES = re.compile(r"\([^)]*\)")


@dataclass(frozen=True)
class _Grant:
    privileges: frozenset[str]
    schema: str  # a pattern, or * for all
    object: str  # a table, or * for all
    revoked: bool

    def has(self, privilege: str) -> bool:
        return privilege in self.privileges or bool(self.privileges & _EVERYTHING)


def missing(facts: Facts, schema: str, *, locking: bool = False) -> list[str]:
    """Return the GRANT statements without which a dump would not be complete; none when nothing is missing."""
    grants = [grant for line in facts.grants if (grant := _parse(line)) is not None]
    account = _account(facts.identity.account)
    wanted = (*NEEDED, LOCKING) if locking else NEEDED
    lacking = [privilege for privilege in wanted if not _covers(grants, privilege, schema)]
    places = _counting(grants, schema) or [schema]
    statements = [f"GRANT {', '.join(lacking)} ON {_quoted(name)}.* TO {account};" for name in places if lacking]
    if not _routines_readable(facts, grants, schema):
        statements += [f"GRANT {privilege} TO {account};" for privilege in _routine_privileges(facts, places)]
    return statements


def lacking(grants: Iterable[str], wanted: Iterable[str], schema: str) -> list[str]:
    """Return those of the wanted privileges that the lines of SHOW GRANTS do not give on a whole schema; * is all."""
    parsed = [grant for line in grants if (grant := _parse(line)) is not None]
    if schema != "*":
        return [privilege for privilege in wanted if not _covers(parsed, privilege, schema)]
    everywhere = [grant for grant in parsed if grant.schema == "*" and not grant.revoked]
    # MySQL's dynamic privileges stand in a line of their own.
    return [privilege for privilege in wanted if not any(grant.has(privilege) for grant in everywhere)]


def grant_statement(privileges: Iterable[str], schema: str, account: str) -> str:
    """Return the statement that gives privileges on a schema, * for all, to an account such as user@host."""
    place = "*.*" if schema == "*" else f"{_quoted(schema)}.*"
    return f"GRANT {', '.join(privileges)} ON {place} TO {_account(account)};"


def _routines_readable(facts: Facts, grants: Sequence[_Grant], schema: str) -> bool:
    if facts.identity.flavour == MARIADB:
        newer = facts.identity.numbers >= _SHOW_CREATE_ROUTINE_SINCE
        readable = _covers(grants, "SELECT", "mysql", "proc") or (
            newer and _covers(grants, "SHOW CREATE ROUTINE", schema)
        )
    else:
        readable = any(
            grant.schema == "*" and not grant.revoked and (grant.has("SHOW_ROUTINE") or grant.has("SELECT"))
            for grant in grants
        )
    if readable:
        return True
    # All are seen, and the text of each as well: they are the user's own, or there is none.
    seen = any(_covers(grants, privilege, schema) for privilege in _SHOWING_ROUTINES)
    return seen and not facts.unreadable


def _routine_privileges(facts: Facts, places: Sequence[str]) -> list[str]:
    numbers = facts.identity.numbers
    if facts.identity.flavour == MARIADB:
        newer = numbers >= _SHOW_CREATE_ROUTINE_SINCE
        return (
            [f"SHOW CREATE ROUTINE ON {_quoted(name)}.*" for name in places] if newer else ["SELECT ON `mysql`.`proc`"]
        )
    return ["SHOW_ROUTINE ON *.*" if numbers >= _SHOW_ROUTINE_SINCE else "SELECT ON *.*"]


def _covers(grants: Sequence[_Grant], privilege: str, schema: str, table: str | None = None) -> bool:
    """Return whether a privilege is had on the whole schema, or on the one table."""
    having = [
        grant for grant in grants if grant.has(privilege) and (grant.schema == "*" or _matches(grant.schema, schema))
    ]
    if table is not None and any(grant.object == table for grant in having):
        return True
    on_schema = [grant for grant in having if not grant.revoked and grant.object == "*"]
    counting = _counting(grants, schema)
    if counting and set(counting) <= {grant.schema for grant in on_schema}:
        return True
    if any(grant.revoked and grant.schema != "*" for grant in having):  # a partial revoke of a global grant
        return False
    return any(grant.schema == "*" and not grant.revoked for grant in having)


def _counting(grants: Iterable[_Grant], schema: str) -> list[str]:
    """Return the names whose grants count: of several that fit a schema a server takes one only, and adds nothing up.

    That is the one without wildcards. Which of several with wildcards it takes differs, so all of them count.
    https://dev.mysql.com/doc/refman/8.4/en/request-access.html
    """
    given = [grant.schema for grant in grants if grant.schema != "*" and grant.object == "*" and not grant.revoked]
    names = list(dict.fromkeys(name for name in given if _matches(name, schema)))
    return [name for name in names if _WILDCARD.match(name) is None] or names


def _parse(line: str) -> _Grant | None:
    found = _GRANT.match(line)
    if found is None:
        return None  # a role, a proxy, or a right in a routine
    # What is granted on some columns only is granted on no table; the name before the parentheses goes with them.
    parts = [part.strip() for part in _without_columns(found[2]).split(",")]
    privileges = frozenset(part.upper() for part in parts if part)
    return _Grant(privileges, _unquoted(found[3]), _unquoted(found[4]), revoked=found[1] == "REVOKE")


def _without_columns(privileges: str) -> str:
    return re.sub(r"[A-Za-z ]+\s*" + _PARENTHESES.pattern, "", privileges)


def _matches(pattern: str, schema: str) -> bool:
    r"""Return whether a schema's name fits a pattern with % and _, where \ takes their meaning away."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    translated = [{"%": ".*", "_": "."}.get(part) or re.escape(part.removeprefix("\\") or "\\") for part in parts]
    return re.fullmatch("".join(translated), schema, re.DOTALL) is not None


def _unquoted(name: str) -> str:
    return name if name == "*" else name[1:-1].replace("``", "`")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _account(account: str) -> str:
    user, _, host = account.rpartition("@")
    return f"{_quoted(user)}@{_quoted(host)}"
