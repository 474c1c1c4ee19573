"""The host that a stack leaves: stop it, make its last backup, and stay stopped; or start it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracker_backup.config.model import MANUAL_JOB, Job, Keep
from tracker_backup.containers import services
from tracker_backup.containers.command import require_well, set_restart_policy
from tracker_backup.containers.standing import standing_of
from tracker_backup.errors import RestoreError, SourceError, TrackerBackupError, UsageError
from tracker_backup.moving.note import ARRIVING_NAME, LEFT, STOPPING, Leaving, Notebook
from tracker_backup.moving.rows import count_rows, rows_in
from tracker_backup.moving.site import Outfit, outfit_of
from tracker_backup.moving.strangers import refuse_strangers
from tracker_backup.run.deployed import LEAVING_NAME
from tracker_backup.run.outcome import Request
from tracker_backup.run.resolve import resolve_sources
from tracker_backup.run.servers import is_there
from tracker_backup.schedule import service as schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.containers.standing import Standing
    from tracker_backup.moving.note import Rows
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.repository.store import Repository
    from tracker_backup.session import Session

WELL_SECONDS = 180
"""How long a database server may take until it answers."""

COMES_BACK = ("always", "on-failure")
"""Restart policies that start a container at the next boot although somebody has stopped it."""


@dataclass(frozen=True)
class Departure:
    """What has left: the last backup, where it lies, and what its databases hold."""

    manifest: Manifest
    path: str
    rows: Rows

    def to_json(self) -> dict[str, Any]:
        """Return it as `move leave --json` prints it, and `move arrive --left` reads it."""
        files = [artifact.file for artifact in self.manifest.artifacts]
        return {
            "backup": self.manifest.id,
            "path": self.path,
            "files": ["manifest.json", *files],
            "bytes": self.manifest.bytes,
            "rows": self.rows,
        }


class Leaver:
    """Lets the stack of an instance leave this host."""

    def __init__(self, config: Config, repository: Repository, session: Session, reporter: Reporter) -> None:
        """Keep what the steps share; `session` makes the backup."""
        self._config = config
        self._repository = repository
        self._session = session
        self._reporter = reporter
        self._notebook = Notebook(config.state_directory)

    def leave(self) -> Departure:
        """Stop the stack, make its last backup, and stay stopped; what is done already is not done again.

        Raises TrackerBackupError with the state that the stack is in then, and what to do.
        """
        with self._notebook.claimed():
            return self._leave()

    def _leave(self) -> Departure:
        outfit = outfit_of(self._config)
        note = self._notebook.leaving()
        if note is not None and note.step == LEFT and (gone := self._gone(note, outfit)) is not None:
            return gone
        self._refuse(outfit, note)
        # Whatever cron has begun may end first: the stack is not away for its sake.
        with self._repository.lock.acquire(job="move", wait_seconds=self._config.max_run_seconds):
            schedule.remove(self._config)
            note = self._stop(outfit, note)
        try:
            return self._last_backup(outfit, note)
        except TrackerBackupError as error:
            going_back = self._config.command_line("move", "back", sudo=True)
            state = "the stack is stopped on this host; run the same again, or start it here again:"
            error.hint = "\n  ".join([*([error.hint] if error.hint else []), state, f"  {going_back}"])
            raise

    def back(self) -> tuple[str, ...]:
        """Start again what `leave` has stopped, as it was, with its schedule; return the services.

        Raises UsageError where nothing has left, CommandError when something does not start.
        """
        note = self._notebook.leaving()
        if note is None:
            raise UsageError(f"the stack in {self._config.stack} has not left this host")
        outfit = outfit_of(self._config)
        for container, policy in note.policies.items():
            if any(each.container == container for each in outfit.standing):
                set_restart_policy(container, policy)
        servers = [each for each in outfit.of(note.ran) if each.service in outfit.servers]
        self._start(servers, outfit)
        self._start([each for each in outfit.of(note.ran) if each.service not in outfit.servers], outfit)
        schedule.apply(self._config)
        self._notebook.forget(LEAVING_NAME)
        return note.ran

    def _gone(self, note: Leaving, outfit: Outfit) -> Departure | None:
        """Return what has left, None where somebody has started the stack again since, or deleted the backup."""
        if any(each.at_work for each in outfit.standing) or note.backup is None:
            return None
        try:
            backup = self._repository.find(note.backup)
        except UsageError:
            return None
        return None if backup.manifest is None else Departure(backup.manifest, str(backup.path), note.rows)

    def _refuse(self, outfit: Outfit, note: Leaving | None) -> None:
        if outfit.problems:
            raise RestoreError(f"this stack cannot be moved: {'; '.join(outfit.problems)}")
        if note is None and not any(each.at_work for each in outfit.standing):
            raise UsageError(
                f"nothing of the stack in {self._config.stack} runs, so there is nothing to move in one piece",
                hint="start it, or take its newest backup to the new host: docs/moving.md, recover",
            )

    def _stop(self, outfit: Outfit, note: Leaving | None) -> Leaving:
        """Stop all that writes; what ran is noted before anything of it is stopped."""
        working = [each for each in outfit.standing if each.at_work]
        ran = {each.service for each in working} | set(() if note is None else note.ran)
        returning = {each.container: each.restart for each in outfit.standing if each.restart in COMES_BACK}
        policies = {**returning, **({} if note is None else note.policies)}
        note = Leaving(STOPPING, tuple(sorted(ran)), policies)
        self._notebook.write(note)
        for container in returning:
            set_restart_policy(container, "no")
        self._reporter.phase("stop")
        services.stop([each.container for each in working if each.service not in outfit.servers])
        self._start([each for each in outfit.of(note.ran) if each.service in outfit.servers], outfit)
        return note

    def _start(self, containers: Sequence[Standing], outfit: Outfit) -> None:
        """Start containers, and wait until they are well; servers until they answer, too."""
        sleeping = [each.container for each in containers if not each.at_work]
        names = sorted({each.service for each in containers})
        if sleeping:
            services.start(sleeping)
            require_well(outfit.directory, names, self._reporter.note)
        outfit.wait_for_servers(set(names), WELL_SECONDS)

    def _last_backup(self, outfit: Outfit, note: Leaving) -> Departure:
        sources = resolve_sources(self._config).sources
        missing = [source.name for source in sources if not is_there(source)]
        if missing:
            raise SourceError(f"cannot be reached for the last backup: {', '.join(missing)}")
        refuse_strangers(sources)
        self._reporter.phase("count")
        rows = self._count(sources)
        request = Request(Job(MANUAL_JOB, None, Keep()), tuple(source.name for source in sources), scheduled=False)
        outcome = self._session.back_up(request, wait=True)
        manifest = None if outcome is None else outcome.published
        if outcome is None or manifest is None or outcome.failures or not all(item.good for item in manifest.artifacts):
            reasons = [] if outcome is None else [f"{item.source}: {item.message}" for item in outcome.failures]
            raise RestoreError(f"the last backup is not good: {'; '.join(reasons) or 'see the log'}")
        refuse_strangers(sources)  # who has come meanwhile may have written what is not in it
        with self._repository.lock.acquire(job="move", wait_seconds=self._config.max_run_seconds):
            self._repository.keep(manifest.id)
        self._reporter.phase("stop")
        services.stop([each.container for each in standing_of(outfit.directory) if each.at_work])
        left = replace(note, step=LEFT, backup=manifest.id, rows={**rows, **rows_in(manifest)})
        self._notebook.write(left)
        self._notebook.forget(ARRIVING_NAME)
        return Departure(manifest, str(self._repository.path / manifest.id), left.rows)

    def _count(self, sources: Sequence[Any]) -> Rows:
        """Count the rows of the files; dumps count their own. One that cannot be opened the backup may still mend."""
        rows: Rows = {}
        for source in sources:
            if source.type == "sqlite":
                try:
                    rows.update(count_rows([source]))
                except SourceError as error:
                    self._reporter.note(f"{source.name}: its rows cannot be counted: {error.message}")
        return rows
