"""The host that a stack arrives on: everything in place, compared, started; or withdrawn again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.containers import services
from tracker_backup.containers.command import ComposeProject, compose_up, require_well, set_restart_policy
from tracker_backup.containers.standing import standing_of
from tracker_backup.errors import CheckFailedError, RestoreError, UsageError
from tracker_backup.moving.images import CARRY, USABLE, look
from tracker_backup.moving.leaving import COMES_BACK
from tracker_backup.moving.note import LOADED, PLACED, STARTED, WITHDRAWN, Arriving, Notebook, advanced
from tracker_backup.moving.placing import put_in_place
from tracker_backup.moving.rows import count_rows, differences, rows_in
from tracker_backup.moving.site import outfit_of, wait_for_schemas
from tracker_backup.run.deployed import LEAVING_NAME, Deployed, ServiceImage, parse_deployed
from tracker_backup.run.resolve import resolve_sources
from tracker_backup.schedule import service as schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.moving.note import Rows
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.repository.store import Backup
    from tracker_backup.sources.interface import Source

SERVER_SECONDS = 600
"""A database server makes its files first."""


@dataclass(frozen=True)
class Arrival:
    """A stack that has arrived: the services that run, the rows that were compared, and what is not as it was."""

    backup: str
    services: tuple[str, ...]
    rows: Rows
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as `move arrive --json` prints it."""
        return {"backup": self.backup, "services": list(self.services), "rows": self.rows, "notes": list(self.notes)}


def deployment_in(manifest: Manifest) -> Deployed:
    """Return how the stack of a backup was deployed.

    A backup of an earlier version does not tell: all services then, with whatever images their names lead to.
    """
    if manifest.deployment:
        return parse_deployed(manifest.deployment)
    services = (ServiceImage(name, running=True, image=image, image_id="") for name, image in manifest.images.items())
    return Deployed(ComposeProject("", Path(manifest.stack)), tuple(services))


@dataclass
class Arrived:
    """What the steps have found out so far."""

    rows: Rows = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Arriver:
    """Lets the stack of a backup arrive on this host."""

    def __init__(self, config: Config, backup: Backup, reporter: Reporter) -> None:
        """Keep what the steps share; raises RestoreError for a backup whose manifest cannot be read."""
        if backup.manifest is None:
            raise RestoreError(f"{backup.id} has no usable manifest: {backup.problem}")
        self._config = config
        self._backup = backup
        self._manifest = backup.manifest
        self._deployed = deployment_in(backup.manifest)
        self._reporter = reporter
        self._notebook = Notebook(config.state_directory)

    def arrive(self, rows: Rows | None = None) -> Arrival:
        """Put everything in place and start it; what is done already is not done again.

        `rows` are those that the old host counted, without which the manifest's are compared.
        Raises TrackerBackupError with the state that the stack is in then, and what to do.
        """
        with self._notebook.claimed():
            return self._arrive(rows)

    def _arrive(self, rows: Rows | None) -> Arrival:
        note = self._note()
        if note.step == STARTED:
            self._up(note.services)
            return Arrival(self._backup.id, note.services, {}, ("it had been started before",))
        self._require_images()
        if note.step not in (PLACED, LOADED):
            note = self._place(note)
        if note.step != LOADED:
            note = self._load(note)
        return self._start(note, {**rows_in(self._manifest), **(rows or {})})

    def _note(self) -> Arriving:
        """Return where an earlier try was, a new note where there was none.

        Raises UsageError where something is in the way.
        """
        noted = self._notebook.arriving()
        resumed = noted is not None and noted.backup == self._backup.id and noted.step != WITHDRAWN
        if noted is not None and resumed:
            return noted
        working = [each.name for each in standing_of(self._deployed.project.directory) if each.at_work]
        if working:
            raise UsageError(f"something of the stack runs on this host: {', '.join(working)}", hint="stop it first")
        stack = self._config.stack
        if noted is None and stack.is_dir() and any(stack.iterdir()):
            raise UsageError(f"there is a stack in {stack} already", hint="move it out of the way first")
        note = Arriving(self._backup.id)
        self._notebook.write(note)
        return note

    def _require_images(self) -> None:
        missing = [verdict for verdict in look(self._deployed) if verdict.action not in USABLE]
        if missing:
            lines = [f"{each.image} ({', '.join(each.services)}): {each.reason or each.action}" for each in missing]
            raise RestoreError(
                f"images are not on this host: {'; '.join(lines)}",
                hint="`tracker-backup move images BACKUP --pull` pulls what a registry has; load or build the others: "
                + ", ".join(each.image for each in missing if each.action == CARRY),
            )

    def _place(self, note: Arriving) -> Arriving:
        # Files first: where a backup does not tell a database's owner, it gets that of its directory.
        for chosen in ("files", "sqlite"):
            names = [artifact.source for artifact in self._manifest.artifacts if artifact.type == chosen]
            if names:
                put_in_place(self._config, self._backup, names, self._reporter)
        return self._done(note, PLACED)

    def _load(self, note: Arriving) -> Arriving:
        names = [artifact.source for artifact in self._manifest.artifacts if artifact.type == "mysql"]
        schemas = [source for source in resolve_sources(self._config).sources if source.name in names]
        servers = sorted({source.target.service for source in schemas if source.target and source.target.service})
        if servers:
            self._reporter.phase("start")
            compose_up(self._deployed.project, servers)
            require_well(self._deployed.project.directory, servers, self._reporter.note)
            wait_for_schemas(schemas, SERVER_SECONDS)
        if names:
            put_in_place(self._config, self._backup, names, self._reporter)
        return self._done(note, LOADED)

    def _start(self, note: Arriving, expected: Rows) -> Arrival:
        self._reporter.phase("count")
        found = self._compare(resolve_sources(self._config).sources, expected)
        running = self._deployed.running
        self._reporter.phase("start")
        # Noted before: whoever comes after a death must not take for stopped what may have been started.
        self._notebook.write(Arriving(note.backup, STARTED, running))
        self._notebook.forget(LEAVING_NAME)
        self._up(running)
        return Arrival(self._backup.id, running, found, tuple(self._image_notes()))

    def _compare(self, sources: Sequence[Source], expected: Rows) -> Rows:
        found = count_rows(sources)
        wrong = differences(expected, found)
        if wrong:
            raise CheckFailedError(
                f"the databases are not what they were: {'; '.join(wrong[:10])}",
                hint="nothing but database servers was started on this host; the old host has everything still",
            )
        return found

    def _up(self, wanted: Sequence[str]) -> None:
        compose_up(self._deployed.project, wanted)
        require_well(self._deployed.project.directory, wanted, self._reporter.note)

    def _image_notes(self) -> list[str]:
        return [f"image {each.image}: {each.reason}" for each in look(self._deployed) if each.reason]

    def _done(self, note: Arriving, step: str) -> Arriving:
        done = advanced(note, step)
        self._notebook.write(done)
        return done


def withdraw(config: Config, *, lose_what_is_new: bool) -> tuple[str, ...]:
    """Stop on this host what arrived here, so that it can start on the old one again; return the containers' names.

    Raises UsageError where nothing has arrived, or where the tracker has been at work here and that is not to be lost.
    """
    notebook = Notebook(config.state_directory)
    note = notebook.arriving()
    if note is None:
        raise UsageError(f"no stack has arrived in {config.stack} on this host")
    if note.step == STARTED and not lose_what_is_new:
        raise UsageError(
            "the tracker has been at work on this host: what it has written since then stays here",
            hint="if that may be lost, say so: --lose-what-is-new (in the playbook: -e lose_what_is_new=true)",
        )
    schedule.remove(config)
    notebook.write(advanced(note, WITHDRAWN))
    standing = standing_of(outfit_of(config).directory)
    for each in standing:
        if each.restart in COMES_BACK:
            set_restart_policy(each.container, "no")
    working = [each for each in standing if each.at_work]
    services.stop([each.container for each in working])
    return tuple(each.name for each in working)
