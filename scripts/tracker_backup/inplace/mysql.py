"""Put a dump in the place of a live schema: loaded beside it and compared, then exchanged by one RENAME TABLE.

Where that cannot be, for want of rights or room, the live schema is dumped into a file first, and loaded over. What is
empty is filled. Whatever happens at whatever instant, the schema is the old one or the new one: which tables are in
which schema tells how far a swap was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.containers.services import ServiceContainer, stack_containers
from tracker_backup.errors import RestoreError, SourceError, TrackerBackupError
from tracker_backup.inplace.connected import connected
from tracker_backup.inplace.interface import Change, Opener, Replacement, State
from tracker_backup.inplace.mysqlplan import (
    FILL,
    OVER,
    SWAP,
    Decided,
    Plan,
    change_of,
    decide,
    kept_name,
    name_beside,
    read_plan,
    safety_path,
    source_of,
    target_of,
)
from tracker_backup.inplace.mysqlswap import broken_file, exchange, load_objects, put_back, save_objects, settle
from tracker_backup.inplace.safetydump import (
    load_over,
    make_safety_dump,
    partial_of,
    stored_at,
)
from tracker_backup.run.dumps import DEFAULT_SILENCE_SECONDS, StoredDump
from tracker_backup.run.intoschema import warn_of_orphans
from tracker_backup.sources.mysql.afterload import compare_objects
from tracker_backup.sources.mysql.entering import Entered, Login, enter, given_login
from tracker_backup.sources.mysql.loadrights import Needs
from tracker_backup.sources.mysql.schemas import create, drop, drop_things, look, quoted, set_defaults

if TYPE_CHECKING:
    from tracker_backup.inplace.site import Site
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.sources.interface import Source
    from tracker_backup.sources.mysql.scan import Scanned


def make(site: Site, source: str, artifact: Artifact | None, state: State | None = None) -> Replacement:
    """Return the replacement of a schema; with `state`, the one that a dead process has left."""
    return MysqlReplacement(site, source, artifact, state)


class MysqlReplacement:
    """One schema and the dump that takes its place."""

    type = "mysql"

    def __init__(self, site: Site, source: str, artifact: Artifact | None, state: State | None) -> None:
        """Name everything that will be made; nothing is asked of the server yet."""
        self.source = source
        self._site = site
        self._artifact = artifact
        self._touched = state is not None
        self._decided: Decided | None = None
        self._scanned: Scanned | None = None
        self._silence = DEFAULT_SILENCE_SECONDS if site.config is None else site.config.mysql_max_wait_seconds
        self.irreversible = False
        if state is not None:
            self._plan = read_plan(state)
            self.irreversible = self._plan.irreversible
            return
        schema = target_of(self._now).schema
        stamp = datetime.now(UTC).strftime("_restore_%Y%m%dT%H%M%SZ")
        self._plan = Plan(
            schema,
            name_beside(schema, stamp),
            user=site.mysql_user,
            password_file=None if site.mysql_password_file is None else str(site.mysql_password_file),
            objects=str(site.state_directory / f"pre-restore-{site.backup.id}-{source}.objects.sql"),
        )

    def describe(self) -> Change:
        """Read the artifact to its end, look at the server, and choose the way."""
        self._scanned = self._dump.scan()
        login, discard = self._login, self._site.discard_current
        plan = replace(self._plan, old=name_beside(self._plan.schema, "_pre_restore_x"))
        self._decided = decided = decide(self._dump, self._scanned, self._now, plan, login)
        there = decided.live
        self._plan = replace(
            self._plan,
            mode=decided.mode,
            there=there is not None,
            tables=() if there is None else there.tables,
            old=kept_name(decided.entered, self._plan.schema, self._site.backup.id) if decided.mode == SWAP else "",
            safety=str(safety_path(self._site.state_directory, self._site.backup.id, self.source))
            if decided.mode == OVER and not discard
            else "",
            irreversible=decided.mode == OVER and discard,
        )
        self.irreversible = self._plan.irreversible
        return change_of(self._site, self._now, self._plan, decided, self._scanned, self._dump.artifact)

    def prepare(self) -> None:
        """Load it into a schema beside the live one, and compare; without a swap there is nothing to do yet."""
        if self._plan.mode != SWAP:
            return
        entered, engine = self._entered, self._dump.artifact.engine
        self._touched = True
        create(entered.connection, self._plan.new, engine.get("charset"), engine.get("collation"))
        self._dump.load(entered, self._plan.new)
        compared = self._dump.compare(entered, self._plan.new, self._contents)
        self._site.reporter.note(f"{self.source}: {compared.what} compared, they are those of the backup")

    def users(self) -> Sequence[ServiceContainer]:
        """Return the containers of the services that are configured for this schema."""
        target = target_of(self._now)
        using = {self._now.service} | {
            each.service
            for each in self._site.sources.values()
            if each.target is not None and (each.target.schema, each.target.server) == (target.schema, target.server)
        }
        found = stack_containers(self._site.projects())
        return [each for each in found if each.service in using and each.service != target.service]

    def openers(self) -> Sequence[Opener]:
        """Return who is connected to the schema; connections of containers that have ended go within moments."""
        return connected(self._sessions, self._plan.schema, target_of(self._now).server)

    def swap(self) -> None:
        """Put the new tables in their place."""
        try:
            if self._plan.mode == SWAP:
                self._exchange()
            else:
                self._load_over()
        except SourceError as error:
            raise RestoreError(error.message, hint=error.hint) from error
        warn_of_orphans(self._dump, self._entered, self._contents)

    def undo(self) -> None:
        """Put the old tables back, from wherever the swap was."""
        plan, connection = self._plan, self._entered.connection
        if plan.mode == SWAP:
            put_back(connection, plan.schema, plan.new, plan.old, plan.tables, Path(plan.objects))
        elif plan.mode == FILL:
            there = look(connection, plan.schema)
            if not plan.there:
                drop(connection, plan.schema)
            elif there is not None:
                drop_things(connection, there, tables=True)
        elif plan.mode == OVER:
            self._undo_over(Path(plan.safety))

    def discard(self) -> None:
        """Drop the schema beside the live one."""
        for file in (Path(self._plan.objects), *((partial_of(Path(self._plan.safety)),) if self._plan.safety else ())):
            file.unlink(missing_ok=True)
        if self._touched and self._plan.mode in {SWAP, ""}:
            drop(self._entered.connection, self._plan.new)

    def finish(self) -> None:
        """Drop what was empty after the swap, and complete the schema that keeps the old tables."""
        if self._plan.mode != SWAP:
            return
        connection = self._entered.connection
        drop(connection, self._plan.new)
        if self._site.discard_current:
            drop(connection, self._plan.old)
            Path(self._plan.objects).unlink(missing_ok=True)
            return
        self._complete_old(Path(self._plan.objects))

    def kept(self) -> tuple[str, ...]:
        """Return the schema, or the file, that holds the old data."""
        if self._plan.mode == SWAP and not self._site.discard_current:
            return (f"the schema {self._plan.old} (DROP DATABASE {quoted(self._plan.old)})",)
        return (self._plan.safety,) if self._plan.mode == OVER and self._plan.safety else ()

    def state(self) -> State:
        """Return the plan."""
        return self._plan.to_json()

    def _sessions(self) -> list[tuple[str, ...]]:
        try:
            return self._entered.connection.query("SHOW FULL PROCESSLIST")[0]
        except SourceError as error:
            raise RestoreError(
                error.message,
                hint="if the server stands still because its own files are restored with it: restore those first, and "
                "the schema after that (--source)",
            ) from error

    def _exchange(self) -> None:
        plan, entered = self._plan, self._entered
        broken = save_objects(entered.connection, plan.schema, Path(plan.objects))
        if broken:
            self._site.reporter.warn(
                f"{self.source}: {', '.join(broken)} of the live schema refer to what is not there and cannot be made "
                f"anew; their text is kept in {broken_file(Path(plan.objects))}"
            )
        exchange(entered.connection, plan.schema, plan.new, plan.old)
        load_objects(entered.connection, plan.schema, self._contents.objects, events_run=True)
        problems, _ = compare_objects(entered.connection, plan.schema, self._contents.contents)
        if problems:
            raise RestoreError(f"schema {plan.schema} differs from the backup: {'; '.join(problems[:5])}")

    def _load_over(self) -> None:
        plan, entered, engine = self._plan, self._entered, self._dump.artifact.engine
        charset, collation = engine.get("charset"), engine.get("collation")
        there = look(entered.connection, plan.schema)
        if there is None:
            create(entered.connection, plan.schema, charset, collation)
        elif plan.mode == FILL:
            set_defaults(entered.connection, there, charset, collation)
        if plan.safety:
            make_safety_dump(self._now, Path(plan.safety), self._site.reporter, self._silence)
        load_over(self._dump, entered, plan.schema, self._contents)

    def _undo_over(self, safety: Path) -> None:
        partial_of(safety).unlink(missing_ok=True)
        if not safety.exists():
            return  # it was not finished, so nothing was overwritten
        dump = stored_at(safety, self.source, self._entered, self._site.reporter, self._silence)
        load_over(dump, self._entered, self._plan.schema, dump.scan())
        safety.unlink()

    def _complete_old(self, objects: Path) -> None:
        """Make the old views, triggers and routines in the schema that keeps the old tables; its events do not run."""
        if not objects.exists():
            return
        connection = self._entered.connection
        try:
            old = look(connection, self._plan.old)
            if old is not None:
                drop_things(connection, old, tables=False)
                load_objects(connection, self._plan.old, objects.read_bytes(), events_run=False)
        except TrackerBackupError as error:
            self._site.reporter.warn(
                f"{self.source}: the old tables are in the schema {self._plan.old}, but not its old views, triggers, "
                f"routines and events: {error.message}; their text is kept in {objects}"
            )
            return
        objects.unlink()

    @cached_property
    def _now(self) -> Source:
        return source_of(self._site, self.source)

    @cached_property
    def _dump(self) -> StoredDump:
        if self._artifact is None:
            raise RestoreError(f"the backup of {self.source} cannot be read any more")
        packed = self._site.backup.path / self._artifact.file
        return StoredDump(self._artifact, packed, self._site.reporter, self._silence)

    @property
    def _contents(self) -> Scanned:
        if self._scanned is None:
            self._scanned = self._dump.scan()
        return self._scanned

    @property
    def _login(self) -> Login | None:
        if self._plan.user is None:
            return None
        return given_login(
            self._plan.user, None if self._plan.password_file is None else Path(self._plan.password_file)
        )

    @cached_property
    def _entered(self) -> Entered:
        if self._decided is not None:
            return self._decided.entered
        plan = self._plan
        schemas = tuple(name for name in (plan.schema, plan.new, plan.old) if name)
        needs = Needs(schemas if plan.mode in {SWAP, ""} else (plan.schema,))
        entered = enter(target_of(self._now), self._now.path, needs, self._login)
        settle(entered.connection, plan.schema, [name for name in (plan.new, plan.old) if name])
        return entered
