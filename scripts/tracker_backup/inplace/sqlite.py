"""A SQLite database that takes the place of the live one (https://www.sqlite.org/howtocorrupt.html, 1.2 to 1.4)."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.containers import services
from tracker_backup.errors import CheckFailedError, PrivilegeError, RestoreError, UsageError
from tracker_backup.inplace.dress import dress_for_new, dress_of, put_on
from tracker_backup.inplace.exchange import beside, exchange, is_displaced, put_away, put_new, set_aside, take_back
from tracker_backup.inplace.fold import fold
from tracker_backup.inplace.interface import Change, Opener, Replacement, State
from tracker_backup.inplace.livefile import look_at, refuse_hidden_journal
from tracker_backup.inplace.openers import identities, openers
from tracker_backup.inplace.places import clear_away, existing_parent, kept_directory, make_parents, temporary_name
from tracker_backup.inplace.unpacked import FromArtifact, FromFile, Provider
from tracker_backup.sources.interface import refuse_astray
from tracker_backup.system.files import free_bytes, fsync_directory, opened_for_reading, remove_tree
from tracker_backup.system.space import MinFree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker_backup.containers.services import ServiceContainer
    from tracker_backup.inplace.site import Site
    from tracker_backup.repository.manifest import Artifact


@dataclass
class _Places:
    """What has to be known after a death: paths as text, whether there was a database, and what it had besides.

    `alone` says that it is a source of its own, and not one of many things that are put back together.
    """

    live: str
    new: str
    kept: str
    was_there: bool
    service: str | None
    projects: list[str]
    discard: bool = False
    irreversible: bool = False
    inode: int | None = None
    mtime: int | None = None
    dress: dict[str, Any] = field(default_factory=dict)
    file_mount: bool = False
    alone: bool = True


def make(site: Site, source: str, artifact: Artifact | None, state: State | None) -> Replacement:
    """Return the replacement of a source's database; see :class:`tracker_backup.inplace.interface.Making`."""
    provider = None if artifact is None else FromArtifact(artifact, site.backup.path / artifact.file, site.reporter)
    if state is not None:
        return SqliteReplacement(site, source, provider, _Places(**state), dead=True)
    if artifact is None or provider is None:
        raise RestoreError(f"{site.backup.id} has no artifact of {source}")
    known = site.sources.get(source)
    if known is not None and known.type != "sqlite":
        raise UsageError(f"{source} is of type {known.type} now, and was a SQLite database in {site.backup.id}")
    if known is None and site.sources:
        raise UsageError(
            f"the stack has no source {source} any more",
            hint=f"it has: {', '.join(site.sources)}; restore it with --to",
        )
    live = Path(os.path.realpath(site.place(artifact.path) if known is None else known.path))
    refuse_astray(known, live)
    service = artifact.service if known is None else known.service
    places = _places(site, live, service, file_mount=known is not None and known.mount == "file")
    owner = artifact.engine.get("owner")
    return SqliteReplacement(site, source, provider, places, owner if isinstance(owner, dict) else None)


def within(site: Site, live: Path, raw: Path, checked: str, state: State | None = None) -> SqliteReplacement:
    """Return the replacement of a database among files by the copy `raw`, which was checked; both are real paths."""
    places = replace(_places(site, live, None), alone=False) if state is None else _Places(**state)
    owner = dress_of(raw) if raw.exists() else None
    return SqliteReplacement(site, "files", FromFile(raw, checked), places, owner, dead=state is not None)


def _places(site: Site, live: Path, service: str | None, *, file_mount: bool = False) -> _Places:
    return _Places(
        live=str(live),
        new=str(existing_parent(live) / temporary_name(site.backup.id)),
        kept=str(kept_directory(live.parent, site.backup.id)),
        was_there=live.exists(),
        service=service,
        projects=[str(project) for project in site.projects()],
        discard=site.discard_current,
        file_mount=file_mount,
    )


class SqliteReplacement:
    """One database; see :class:`tracker_backup.inplace.interface.Replacement`."""

    type = "sqlite"

    def __init__(
        self,
        site: Site,
        source: str,
        provider: Provider | None,
        places: _Places,
        owner: Mapping[str, Any] | None = None,
        *,
        dead: bool = False,
    ) -> None:
        """Keep what is to be done; `owner` is for a database that is not there, `dead` what a dead process has left."""
        self.source = source
        self.live, self.new, self._kept = Path(places.live), Path(places.new), Path(places.kept)
        self._site, self._provider = site, provider
        self._places = places
        self._owner = owner
        self._dead = dead

    @property
    def irreversible(self) -> bool:
        """Whether the old one has to be deleted first."""
        return self._places.irreversible

    def describe(self) -> Change:
        """Look at the live file, and at the room beside it."""
        provider = self._require_provider()
        directory = self.new.parent
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PrivilegeError(f"{directory} cannot be written to")
        needed = provider.bytes
        if self._places.was_there:
            alone = self._places.file_mount or any(each.single_mount(str(self.live)) for each in self.users())
            now = look_at(self.live, file_mount=alone)
            if self._places.discard and self._places.alone and self._is_short_of(needed):
                self._places.irreversible = True
                needed = max(0, needed - self.live.stat().st_size)
        else:
            now = None
        self._places.dress = dress_of(self.live) if now is not None else dress_for_new(directory, self._owner)
        return Change(
            place=str(self.live),
            now=now,
            then=provider.words,
            keeps=f"{self._kept}/" if self._something_there() and not self._places.discard else None,
            needs=((directory, needed, f"the restored {self.source}"),) if needed else (),
            details=("it is deleted before the new one is unpacked: there is no way back",)
            if self.irreversible
            else (),
        )

    def _something_there(self) -> bool:
        return any(path.exists() for path in (self.live, *beside(self.live)))

    def _is_short_of(self, size: int) -> bool:
        floor = MinFree() if self._site.config is None else self._site.config.min_free
        return free_bytes(self.new.parent) < size + floor.on(self.new.parent)

    def prepare(self) -> None:
        """Unpack it beside the live one, checksums compared, and have SQLite check it."""
        provider = self._require_provider()
        if self.irreversible:
            provider.verify()
            return
        self._make_new(provider)

    def _make_new(self, provider: Provider) -> None:
        provider.unpack(self.new)
        result = provider.check(self.new)
        if result is not None and result.ok is False:
            raise CheckFailedError(
                f"{self.source} from {self._site.backup.id} fails {result.check}: {'; '.join(result.messages)}",
                hint="restore another backup: tracker-backup list",
            )
        if result is not None and result.ok is None:
            self._site.reporter.warn(f"{self.source}: this host cannot check it: {'; '.join(result.messages)}")
        problem = put_on(self.new, self._places.dress)
        if problem is not None:
            self._site.reporter.warn(f"{self.live}: {problem}")
        with opened_for_reading(self.new) as descriptor:
            os.fsync(descriptor)
            status = os.fstat(descriptor)
        self._places.inode, self._places.mtime = status.st_ino, status.st_mtime_ns

    def users(self) -> Sequence[ServiceContainer]:
        """Return the containers of its service, and all others of the stack that have it mounted."""
        found = services.stack_containers(Path(project) for project in self._places.projects)
        return [
            container
            for container in found
            if (self._places.service is not None and container.service == self._places.service)
            or container.sees(str(self.live))
        ]

    def openers(self) -> Sequence[Opener]:
        """Return who has the live file, or the one that is kept, or what SQLite has beside them, open."""
        kept = self._kept / self.live.name
        return openers(identities([path for file in (self.live, kept) for path in (file, *beside(file))]))

    def grounds(self) -> Sequence[Path]:
        """Return the directory that everything lies in."""
        return (self.new.parent,)

    def reopened(self) -> Sequence[Opener]:
        """Return who has the new one open, if `undo` would take its name away."""
        if not self._is_swapped():
            return ()
        return openers(identities([self.live, *beside(self.live)]))

    def _is_swapped(self) -> bool:
        if self._places.was_there:
            return is_displaced(self.live, self._kept)
        return self.live.exists() and self.live.stat().st_ino == self._places.inode

    def swap(self) -> None:
        """Fold the old one into one file, and exchange the two; where there was none, put the new one there."""
        try:
            if self.irreversible:
                self._replace_for_good()
            elif self._places.was_there:
                refuse_hidden_journal(self.live, self.users())
                self._fold()
                exchange(self.live, self.new, self._kept)
            else:
                make_parents(self.live.parent, self._places.dress)
                set_aside(self.live, self._kept)
                put_new(self.new, self.live)
        except OSError as error:
            raise RestoreError(f"{error.strerror}: {error.filename or self.live}") from error

    def _fold(self) -> None:
        problem = fold(self.live)
        if problem is not None:
            self._site.reporter.note(
                f"{self.live} cannot be brought into one file ({problem}): all of its files are kept"
            )

    def _replace_for_good(self) -> None:
        self.discard()
        for path in (self.live, *beside(self.live)):
            path.unlink(missing_ok=True)
        self._make_new(self._require_provider())
        self.new.rename(self.live)
        fsync_directory(self.live.parent)

    def undo(self) -> None:
        """Put the old one back, or take the new one away where there was none."""
        try:
            if self._dead and self._is_swapped() and self._is_written():
                aside = self._kept.with_name(f"{self._kept.name}.undone")
                put_away(self.live, aside)
                self._site.reporter.warn(f"{self.live} had been written to since, which is kept in {aside}")
            if not self._places.was_there and self._is_swapped():
                for path in (*beside(self.live), self.live):
                    path.unlink(missing_ok=True)
                fsync_directory(self.live.parent)
            if self._places.was_there or not self.live.exists():
                take_back(self.live, self._kept)
            self.discard()
        except OSError as error:
            raise RestoreError(
                f"{error.strerror}: {error.filename or self.live}", hint=f"the old database lies in {self._kept}"
            ) from error

    def _is_written(self) -> bool:
        """Tell whether somebody has written into the new one since it was made."""
        with_it = [path for path in beside(self.live) if not path.name.endswith("-shm")]
        return self.live.stat().st_mtime_ns != self._places.mtime or any(
            path.exists() and path.stat().st_size for path in with_it
        )

    def discard(self) -> None:
        """Remove what was unpacked."""
        clear_away(self.new, self._site.reporter.warn)

    def finish(self) -> None:
        """Delete the old one, with `--discard-current`."""
        self.discard()
        if self._places.discard:
            remove_tree(self._kept)

    def kept(self) -> tuple[str, ...]:
        """Return the directory of the old one."""
        return (str(self._kept),) if self._kept.is_dir() and not self._places.discard else ()

    def state(self) -> State:
        """Return where everything is."""
        return asdict(replace(self._places))

    def _require_provider(self) -> Provider:
        if self._provider is None:
            raise RestoreError(f"{self._site.backup.path}, which {self.source} is restored from, cannot be read")
        return self._provider
