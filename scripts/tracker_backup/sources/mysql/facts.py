"""What a server says of itself, of the user, and of the schema; asked before a dump, and again after it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tracker_backup.errors import SourceError
from tracker_backup.sources.mysql.clients import MARIADB, MYSQL, version_numbers
from tracker_backup.sources.mysql.ways import Connection

_ROLES_SINCE = (8,)
# MySQL remembers times of change for a day unless told not to; MariaDB passes over a comment of these versions.
_FRESH = "/*!80000 SET SESSION information_schema_stats_expiry=0 */"


@dataclass(frozen=True)
class Identity:
    """A server and who we are to it: flavour, version, the account that it took us for."""

    flavour: str
    version: str
    account: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version for comparing."""
        return version_numbers(self.version)


@dataclass(frozen=True)
class Table:
    """A table or a view of the schema; `bytes` is the server's own estimate of its data."""

    name: str
    kind: str
    engine: str
    transactional: bool
    bytes: int

    @property
    def is_view(self) -> bool:
        """Whether it is a view."""
        return self.kind == "VIEW"


@dataclass(frozen=True)
class Facts:
    """What the dump must hold, and what speaks against making it.

    `stored` counts triggers, events, functions, procedures and packages; `unreadable` are routines whose text the user
    may not see; `generated` and `vector` are the tables with such columns; `fingerprint` changes with every change of
    the schema; `charset` and `collation` are its defaults for new tables; `index_bytes` the server's estimate.
    """

    identity: Identity
    grants: tuple[str, ...] = field(repr=False)  # MariaDB's hold a hash of the password
    tables: tuple[Table, ...]
    stored: Mapping[str, int]
    unreadable: tuple[str, ...]
    generated: tuple[str, ...]
    vector: tuple[str, ...]
    fingerprint: str
    charset: str = ""
    collation: str = ""
    index_bytes: int = 0

    @property
    def bytes(self) -> int:
        """The server's estimate of all data, in bytes."""
        return sum(table.bytes for table in self.tables)

    @property
    def non_transactional(self) -> tuple[Table, ...]:
        """The tables that a transaction does not hold still."""
        return tuple(table for table in self.tables if not table.is_view and not table.transactional)


def identify(connection: Connection) -> Identity:
    """Ask a server who it is, and whom it takes us for.

    Raises ServerRefusalError when it cannot be asked.
    """
    answers = connection.query("SELECT VERSION(), CURRENT_USER()")
    version, account = answers[0][0]
    return Identity(MARIADB if "mariadb" in version.lower() else MYSQL, version, account)


def gather(connection: Connection, identity: Identity, schema: str) -> Facts:
    """Ask for everything about a schema, in one session.

    Raises ServerRefusalError when it cannot be asked, SourceError when there is no such schema that the user can see.
    """
    name = sql_text(schema)
    _, seen, grants, tables, columns, indexes, triggers, routines, events, views = connection.query(
        _FRESH,
        *(statement.format(name=name) for statement in _STATEMENTS),
    )
    if not seen:
        raise SourceError(
            f"there is no schema {schema} that the user {identity.account} can see",
            hint="its name is wrong, or the user has no right in it",
        )
    stored: dict[str, int] = {}
    for kind in ["trigger" for _ in triggers] + ["event" for _ in events] + [row[1].lower() for row in routines]:
        stored[kind] = stored.get(kind, 0) + 1
    return Facts(
        identity=identity,
        grants=tuple(row[0] for row in (*grants, *role_grants(connection, identity))),
        tables=tuple(Table(row[0], row[1], row[2], row[1] == "VIEW" or row[3] == "YES", int(row[4])) for row in tables),
        stored=stored,
        unreadable=tuple(f"{row[1].lower()} {row[0]}" for row in routines if row[2] == "0"),
        generated=_tables_with(columns, 3),
        vector=_tables_with(columns, 4),
        fingerprint=_fingerprint(
            [[row[:4] + row[5:9] for row in tables], columns, indexes, triggers, routines, events, views]
        ),
        charset=seen[0][0],
        collation=seen[0][1],
        index_bytes=sum(int(row[9]) for row in tables),
    )


_STATEMENTS = (
    (
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
        " WHERE SCHEMA_NAME = {name}"
    ),
    "SHOW GRANTS",
    (
        "SELECT t.TABLE_NAME, t.TABLE_TYPE, COALESCE(t.ENGINE, ''), COALESCE(e.TRANSACTIONS, ''),"
        " COALESCE(t.DATA_LENGTH, 0), COALESCE(t.CREATE_TIME, ''), COALESCE(t.TABLE_COLLATION, ''),"
        " COALESCE(t.CREATE_OPTIONS, ''), COALESCE(t.TABLE_COMMENT, ''), COALESCE(t.INDEX_LENGTH, 0)"
        " FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE"
        " WHERE t.TABLE_SCHEMA = {name} ORDER BY t.TABLE_NAME"
    ),
    (
        "SELECT TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COALESCE(GENERATION_EXPRESSION, '') <> '',"
        " DATA_TYPE = 'vector', COLUMN_TYPE, IS_NULLABLE, COALESCE(COLUMN_DEFAULT, ''), EXTRA,"
        " COALESCE(COLLATION_NAME, ''), COALESCE(GENERATION_EXPRESSION, '')"
        " FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {name} ORDER BY TABLE_NAME, ORDINAL_POSITION"
    ),
    (
        "SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COALESCE(COLUMN_NAME, ''), NON_UNIQUE, INDEX_TYPE"
        " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {name} ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
    ),
    (
        "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, SHA2(ACTION_STATEMENT, 256)"
        " FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {name} ORDER BY TRIGGER_NAME"
    ),
    (
        "SELECT ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION IS NOT NULL, LAST_ALTERED"
        " FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name} ORDER BY ROUTINE_TYPE, ROUTINE_NAME"
    ),
    "SELECT EVENT_NAME, LAST_ALTERED FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {name} ORDER BY EVENT_NAME",
    (
        "SELECT TABLE_NAME, SHA2(VIEW_DEFINITION, 256) FROM information_schema.VIEWS"
        " WHERE TABLE_SCHEMA = {name} ORDER BY TABLE_NAME"
    ),
)


def sql_text(text: str) -> str:
    """Return a text as SQL that means the same in every SQL mode."""
    return f"_utf8mb4 0x{text.encode().hex()}"


def role_grants(connection: Connection, identity: Identity) -> Sequence[tuple[str, ...]]:
    """Return what active roles add: MySQL tells it only when the roles are named."""
    if identity.flavour != MYSQL or identity.numbers < _ROLES_SINCE:
        return ()
    roles = connection.query("SELECT CURRENT_ROLE()")[0][0][0]
    return () if roles == "NONE" else connection.query(f"SHOW GRANTS FOR CURRENT_USER() USING {roles}")[0]


def _tables_with(columns: Sequence[tuple[str, ...]], place: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row[0] for row in columns if row[place] == "1"))


def _fingerprint(answers: Sequence[Sequence[tuple[str, ...]]]) -> str:
    return hashlib.sha256(repr(answers).encode(errors="backslashreplace")).hexdigest()
