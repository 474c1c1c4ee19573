"""How a schema is replaced, decided before anything is done: by a swap of tables, or by loading into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import RestoreError
from tracker_backup.inplace.interface import Change
from tracker_backup.inplace.mysqlswap import moves_whole, referred_to
from tracker_backup.inplace.safetydump import room_for_safety_dump
from tracker_backup.run.dumps import StoredDump, describe
from tracker_backup.run.servers import schemas_of
from tracker_backup.sources.mysql.entering import Entered, Login, enter
from tracker_backup.sources.mysql.facts import sql_text
from tracker_backup.sources.mysql.loadrights import Needs
from tracker_backup.sources.mysql.schemas import Schema, look
from tracker_backup.sources.mysql.serverroom import free_on_server, room_needed
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from tracker_backup.inplace.site import Site
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.sources.interface import Source
    from tracker_backup.sources.mysql.scan import Scanned
    from tracker_backup.sources.mysql.target import Target

SWAP, OVER, FILL = "swap", "over", "fill"
"""Exchange tables with a schema beside it; load over what is there, after a safety dump; fill what is empty."""

_LONGEST_NAME = 64


@dataclass(frozen=True)
class Plan:
    """What is done to a schema, as it is noted on disk.

    `new` is the schema that is loaded beside the live one, `old` the one that keeps its tables, `tables` are their
    names; `there` says that the live schema was there. `safety` is the dump of it, `objects` the text of its views,
    triggers, routines and events. `user` and `password_file` are the login that the command line named.
    """

    schema: str
    new: str
    mode: str = ""
    old: str = ""
    there: bool = True
    tables: tuple[str, ...] = ()
    safety: str = ""
    objects: str = ""
    user: str | None = None
    password_file: str | None = None
    irreversible: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the marker."""
        return asdict(self)


def read_plan(state: Mapping[str, Any]) -> Plan:
    """Return a plan from the marker."""
    known = {each.name for each in fields(Plan)}
    values = {name: value for name, value in state.items() if name in known}
    return Plan(**{**values, "tables": tuple(values.get("tables", ()))})


@dataclass(frozen=True)
class Decided:
    """A mode, why it is not the swap, the server as whom we enter, and the live schema, None where there is none."""

    mode: str
    why: str
    entered: Entered
    live: Schema | None


def decide(dump: StoredDump, scanned: Scanned, source: Source, plan: Plan, login: Login | None) -> Decided:
    """Look at rights, room and the live schema, and say how it can be replaced.

    Raises RestoreError where it cannot be.
    """
    target = source.target
    if target is None:
        raise RestoreError(f"source {source.name} names no schema on a server")
    needs = Needs((plan.schema,), scanned.kinds, scanned.definers)
    entered = enter(target, source.path, needs, login)
    live = look(entered.connection, plan.schema)
    dump.require_known(entered, scanned)
    if live is None or live.empty:
        dump.require_room(entered)
        return Decided(FILL, "", entered, live)
    wider = _with_those_of(entered, live, Needs((plan.schema, plan.new, plan.old), needs.kinds, needs.definers))
    try:
        may = enter(target, source.path, wider, login)
    except RestoreError as error:
        why = f"the user may not do the swap beside it ({(error.hint or error.message).splitlines()[0]})"
        entered = enter(target, source.path, replace(wider, schemas=(plan.schema,)), login)
        return _over(dump, Decided(OVER, why, entered, live))
    no_swap = _why_no_swap(dump, may, plan.schema)
    if no_swap is None:
        return Decided(SWAP, "", may, live)
    return _over(dump, Decided(OVER, no_swap, may, live))


def kept_name(entered: Entered, schema: str, backup_id: str) -> str:
    """Return a name for the schema that keeps the old tables, which no schema has."""
    for number in range(1, 1000):
        suffix = f"_pre_restore_{backup_id.replace('-', '_')}{'' if number == 1 else f'_{number}'}"
        name = schema[: _LONGEST_NAME - len(suffix)] + suffix
        if look(entered.connection, name) is None:
            return name
    raise RestoreError(f"there are a thousand schemas {schema}_pre_restore_…", hint="drop those that nobody needs")


def name_beside(schema: str, suffix: str) -> str:
    """Return a schema's name with a suffix, no longer than a name may be."""
    return schema[: _LONGEST_NAME - len(suffix)] + suffix


def safety_path(directory: Path, backup_id: str, source: str) -> Path:
    """Return where the dump of the live schema goes: a name that is not taken."""
    for number in range(1, 1000):
        file = directory / f"pre-restore-{backup_id}-{source}{'' if number == 1 else f'-{number}'}.sql.zst"
        if not file.exists():
            return file
    raise RestoreError(f"there are a thousand dumps pre-restore-* in {directory}", hint="delete those nobody needs")


def _over(dump: StoredDump, decided: Decided) -> Decided:
    """Raise RestoreError when there is no room even without the tables that are there."""
    needed, free = _room(dump, decided.entered)
    size = 0 if decided.live is None else decided.live.bytes
    if free is not None and free + size < needed:
        raise RestoreError(
            f"not enough room on the disk of the server: {format_bytes(needed)} are needed, {format_bytes(free)} are "
            f"free, and the present tables are {format_bytes(size)}",
            hint=f"make room for {format_bytes(needed - free - size)} there",
        )
    return decided


def _why_no_swap(dump: StoredDump, entered: Entered, schema: str) -> str | None:
    if not moves_whole(entered.identity.flavour, entered.identity.numbers):
        return f"{describe(entered)} does not rename several tables as a whole"
    others = referred_to(entered.connection, schema)
    if others:
        return f"{', '.join(others)} of another schema refers to it, and would go with the old tables"
    needed, free = _room(dump, entered)
    if free is not None and free < needed:
        return f"beside it {format_bytes(needed)} are needed on the server's disk, and {format_bytes(free)} are free"
    return None


def _room(dump: StoredDump, entered: Entered) -> tuple[int, int | None]:
    size = dump.artifact.engine.get("bytes", 0)
    return room_needed(entered.connection, size, dump.artifact.raw_bytes), free_on_server(entered.connection)


def _with_those_of(entered: Entered, live: Schema, needs: Needs) -> Needs:
    """Return what it takes besides to put the live schema's own objects back."""
    name = sql_text(live.name)
    listed = entered.connection.query(
        *(
            f"SELECT DISTINCT DEFINER FROM information_schema.{table} WHERE {column}_SCHEMA = {name}"  # noqa: S608 - hex
            for table, column in (("VIEWS", "TABLE"), ("TRIGGERS", "TRIGGER"), ("EVENTS", "EVENT"))
        ),
        f"SELECT DISTINCT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name}",  # noqa: S608 - hex
    )
    accounts = {(user, host) for rows in listed for (account,) in rows for user, _, host in [account.rpartition("@")]}
    kinds = {thing.kind.lower().partition(" ")[0] for thing in live.things} - {"table", "sequence"}
    return Needs(needs.schemas, needs.kinds | kinds, needs.definers | accounts)


def change_of(site: Site, source: Source, plan: Plan, decided: Decided, scanned: Scanned, artifact: Artifact) -> Change:
    """Return what is shown to the user."""
    live, rows = decided.live, scanned.contents.rows
    ways = {
        SWAP: "loaded beside it and compared while the stack runs, then exchanged by one RENAME TABLE",
        OVER: f"loaded over it while its services stand still, since {decided.why}",
        FILL: "loaded into it while its services stand still: it is empty",
    }
    state = site.state_directory
    directory = next(each for each in (state, *state.parents) if each.exists())
    room = room_for_safety_dump(0 if live is None else live.bytes)
    kept = {SWAP: f"schema {plan.old}", OVER: plan.safety or None, FILL: None}[decided.mode]
    return Change(
        place=f"schema {plan.schema} on {target_of(source).server} ({describe(decided.entered)})",
        now=None if live is None or live.empty else f"{live}, about {format_bytes(live.bytes)}",
        then=f"{len(rows)} tables with {sum(rows.values())} rows, as of {artifact.snapshot_at}",
        keeps=None if site.discard_current else kept,
        details=(ways[decided.mode], f"as {decided.entered.who}"),
        needs=((directory, room, f"a dump of {source.name} as it is"),) if plan.safety else (),
    )


def source_of(site: Site, name: str) -> Source:
    """Return the source as the stack has it now, also where there is no configuration of ours yet.

    Raises RestoreError where the stack has no such schema.
    """
    source = site.sources.get(name)
    if source is not None and source.target is not None:
        return source
    if site.config is None:
        found = {each.name: each for each in schemas_of(site.stack)}
        if name in found:
            return found[name]
    raise RestoreError(
        f"the stack in {site.stack} has no source {name} of type mysql now, so its server is not known",
        hint="restore the stack's files first, or correct them: tracker-backup discover shows what it has",
    )


def target_of(source: Source) -> Target:
    """Return where a source's schema is; raises RestoreError for what is no schema."""
    if source.target is None:
        raise RestoreError(f"source {source.name} names no schema on a server")
    return source.target
