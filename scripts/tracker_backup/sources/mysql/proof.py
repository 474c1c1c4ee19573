"""Whether a dump can be tried on a throw-away server here and now, and what must be known of the source for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tracker_backup.containers.reachable import reachable
from tracker_backup.errors import CommandError
from tracker_backup.sources.mysql.checksums import Sum
from tracker_backup.sources.mysql.clients import MARIADB, MYSQL, version_numbers
from tracker_backup.sources.mysql.facts import Facts, Identity, sql_text
from tracker_backup.sources.mysql.inventory import Inventory, inventory_statements, parse_inventory
from tracker_backup.sources.mysql.trial import MEMORY_BYTES, Kind
from tracker_backup.sources.mysql.ways import Connection
from tracker_backup.system.files import free_bytes
from tracker_backup.system.process import find_program, run
from tracker_backup.system.space import available_memory, format_bytes

DISK_FACTOR = 3
"""How many times the dump's size must be free on the disk."""
SERVER_BYTES = 512 * 1024**2
"""What a server without any data takes on the disk."""
NO_CONTAINER = "the server runs in no container here"
_VERSION_SECONDS = 30


@dataclass(frozen=True)
class Wanted:
    """What a server must be to take a dump, and the schema in it: name, and what stands behind CREATE DATABASE."""

    kind: Kind
    schema: str
    create: str

    def to_json(self) -> dict[str, Any]:
        """Return it for the manifest, where it helps whoever tries the dump again."""
        return {
            "image": self.kind.image,
            "settings": list(self.kind.settings),
            "schema": self.schema,
            "create": self.create,
        }

    @classmethod
    def from_json(cls, engine: Mapping[str, Any]) -> Self:
        """Read it from the facts of an artifact.

        Raises NoProofError when they do not have it.
        """
        trial = engine.get("trial", {})
        if "schema" not in trial:
            raise NoProofError(trial.get("why_not", "the backup does not say what server it needs"))
        kind = Kind(str(engine["name"]), trial["image"], tuple(trial["settings"]))
        return cls(kind, trial["schema"], trial["create"])


@dataclass(frozen=True)
class Evidence:
    """What a restored schema is compared with; `sums` is None where they could not be had, for the reason `why_not`.

    `rows` are those that were counted in the dump, of every table. Where the source was not asked for an inventory
    there are the numbers of `objects` of each kind.
    """

    kind: Kind
    schema: str
    create: str
    inventory: Inventory | None = field(repr=False)
    rows: Mapping[str, int] = field(repr=False)
    objects: Mapping[str, int] | None = None
    sums: Mapping[str, Sum] | None = field(default=None, repr=False)
    why_not: str | None = None


class NoProofError(Exception):
    """A dump cannot be tried here; `why` is a sentence for people."""

    def __init__(self, why: str) -> None:
        """Keep the reason."""
        super().__init__(why)
        self.why = why


def wanted_by(connection: Connection, facts: Facts, schema: str) -> Wanted:
    """Ask the source's server what another one must be to take a dump of it.

    Raises NoProofError for what no other server can be; ServerRefusalError when it cannot be asked.
    """
    settings, create = _settings(connection, schema)
    container = connection.way.container
    try:
        image = None if container is None else reachable(container.id).image
    except CommandError as error:
        raise NoProofError(error.message) from error
    return Wanted(Kind(facts.identity.flavour, image, settings), schema, create)


def require_here(
    kind: Kind, identity: Identity, directory: Path, dump_bytes: int, *, no_image: str = NO_CONTAINER
) -> None:
    """See whether this host has room for a server, its files in `directory`, and a program where there is no image.

    `no_image` says why there is none. Raises NoProofError when it has not.
    """
    free = free_bytes(next(place for place in (directory, *directory.parents) if place.exists()))
    if free < DISK_FACTOR * dump_bytes + SERVER_BYTES:
        raise NoProofError(
            f"{DISK_FACTOR} times the dump's {format_bytes(dump_bytes)} and {format_bytes(SERVER_BYTES)} for a new "
            f"server would have to be free on the disk of {directory}, and {format_bytes(free)} are"
        )
    memory = available_memory()
    if memory < MEMORY_BYTES:
        raise NoProofError(
            f"{format_bytes(MEMORY_BYTES)} of memory would have to be available, and {format_bytes(memory)} are"
        )
    if kind.image is None:
        _require_program(identity, no_image)


def gather_evidence(connection: Connection, wanted: Wanted, rows: Mapping[str, int]) -> Evidence:
    """Ask the source for what a restored schema must look like.

    Raises ServerRefusalError when it cannot be asked.
    """
    listed = connection.query(*inventory_statements(wanted.schema))
    return Evidence(
        kind=wanted.kind,
        schema=wanted.schema,
        create=wanted.create,
        inventory=parse_inventory(listed),
        rows=dict(rows),
    )


def _settings(connection: Connection, schema: str) -> tuple[tuple[str, ...], str]:
    """Return what the throw-away server must have in common with the source's, and how its schema is made.

    Raises NoProofError for what it cannot have.
    """
    [(lower_case, page_size)], [(charset, collation)], zones = connection.query(
        "SELECT @@lower_case_table_names, @@innodb_page_size",
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"  # noqa: S608 - hex
        f" WHERE SCHEMA_NAME = {sql_text(schema)}",
        "SELECT EVENT_NAME, TIME_ZONE FROM information_schema.EVENTS"  # noqa: S608 - as hexadecimal digits
        f" WHERE EVENT_SCHEMA = {sql_text(schema)} AND TIME_ZONE NOT REGEXP '^(SYSTEM|UTC|[-+].*)$'",
    )
    if zones:
        event, zone = zones[0]
        raise NoProofError(f"event {event} is planned in the time zone {zone}, whose name a new server does not know")
    settings = (f"--lower-case-table-names={lower_case}", f"--innodb-page-size={page_size}")
    return settings, f"CHARACTER SET {charset} COLLATE {collation}"


def _require_program(identity: Identity, no_image: str) -> None:
    """Raise NoProofError unless this host has a server program that is no older than the source's server."""
    names = ("mysqld",) if identity.flavour == MYSQL else ("mariadbd", "mysqld")
    path = next((path for name in names if (path := find_program(name)) is not None), None)
    if path is None:
        raise NoProofError(
            f"{no_image}, and this host has no {names[0]} to try the dump on"
            f" (sudo apt-get install {'mysql-server-core' if identity.flavour == MYSQL else 'mariadb-server-core'})"
        )
    said = run([path, "--version"], timeout_seconds=_VERSION_SECONDS, check=False).stdout
    flavour = MARIADB if "mariadb" in said.lower().replace(path.lower(), "") else MYSQL
    version = said.partition(" Ver ")[2].strip()
    if flavour != identity.flavour or version_numbers(version)[:2] < identity.numbers[:2]:
        number = version.split("-")[0].split()[0] if version else "of unknown version"
        raise NoProofError(
            f"{no_image}, and this host's {path} is {flavour} {number}, "
            f"and the server is {identity.flavour} {identity.version}"
        )
