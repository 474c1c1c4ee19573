"""The files of a stack that take the place of the live ones, one by one; databases among them as databases."""

from __future__ import annotations

import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.config.load import config_directory
from tracker_backup.containers import services
from tracker_backup.errors import RestoreError, UsageError
from tracker_backup.inplace import filetree, leftalone
from tracker_backup.inplace.filetree import NEW, NEW_DIRECTORY, REPLACED, Entry
from tracker_backup.inplace.interface import Change, Opener, Replacement, State
from tracker_backup.inplace.places import clear_away, existing_parent, kept_directory, temporary_name
from tracker_backup.inplace.sqlite import SqliteReplacement, within
from tracker_backup.inplace.wholetree import unpacked_tree
from tracker_backup.sources.files.restoring import remove_restored
from tracker_backup.sources.files.selection import inside
from tracker_backup.sources.files.walking import shown
from tracker_backup.system.files import fsync_directory, remove_tree
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker_backup.containers.services import ServiceContainer
    from tracker_backup.inplace.site import Site
    from tracker_backup.repository.manifest import Artifact

_MOST_NAMED = 20


@dataclass
class _Work:
    """What has to be known after a death: where the archive was unpacked, what is kept, and every single change."""

    tree: str
    kept: str
    projects: list[str]
    discard: bool = False
    entries: list[dict[str, Any]] = field(default_factory=list)
    databases: list[State] = field(default_factory=list)


def make(site: Site, source: str, artifact: Artifact | None, state: State | None) -> Replacement:
    """Return the replacement of a stack's files; see :class:`tracker_backup.inplace.interface.Making`."""
    if state is not None:
        return FilesReplacement(site, source, artifact, _Work(**state))
    if artifact is None:
        raise RestoreError(f"{site.backup.id} has no artifact of {source}")
    beside = Path(os.path.realpath(site.stack))
    working = site.state_directory if site.config is None else site.config.staging
    work = _Work(
        tree=str(working / f".{source}.restoring-{site.backup.id}"),
        kept=str(kept_directory(existing_parent(beside), site.backup.id)),
        projects=[str(project) for project in site.projects()],
        discard=site.discard_current,
    )
    return FilesReplacement(site, source, artifact, work)


class FilesReplacement:
    """The files of a stack; see :class:`tracker_backup.inplace.interface.Replacement`."""

    type = "files"
    irreversible = False

    def __init__(self, site: Site, source: str, artifact: Artifact | None, work: _Work) -> None:
        """Keep what is to be done."""
        self.source = source
        self._site = site
        self._artifact = artifact
        self._work = work
        self._tree, self._kept = Path(work.tree), Path(work.kept)
        self._entries = [Entry(**entry) for entry in work.entries]
        self._databases = [self._database(Path(state["live"]), state) for state in work.databases]
        self._undressed: list[tuple[Path, Path]] = []

    def _database(self, live: Path, state: State | None = None) -> SqliteReplacement:
        return within(self._site, live, self._tree / str(live).lstrip("/"), "as it is in the backup", state)

    def describe(self) -> Change:
        """Unpack the archive, check it, and compare what is in it with what is there."""
        artifact = self._artifact
        if artifact is None:
            raise RestoreError(f"{self._site.backup.id} has no artifact of {self.source}")
        self.discard()
        self._tree.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unpacked_tree(artifact, self._site.backup.path / artifact.file, self._tree, self._site.reporter)
        self._compare(artifact)
        changes = [database.describe() for database in self._databases]
        counts = {kind: sum(entry.kind == kind for entry in self._entries) for kind in (REPLACED, NEW, NEW_DIRECTORY)}
        named = [f"{entry.kind:<13} {shown(entry.live)}" for entry in self._entries]
        named += [f"{'database':<13} {shown(str(database.live))}" for database in self._databases]
        more = [f"and {len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
        size = sum(Path(entry.tree).lstat().st_size for entry in self._entries if entry.kind != NEW_DIRECTORY)
        needs = [
            (existing_parent(Path(entry.live)), Path(entry.tree).lstat().st_size, "files") for entry in self._entries
        ]
        return Change(
            place=f"{self._site.stack}, and what its services have mounted",
            now=f"differs: {self._listed(counts[REPLACED])}; missing: {self._listed(counts[NEW], databases=False)}",
            then=f"as of {artifact.snapshot_at}, {format_bytes(size)} beside the databases",
            keeps=None if self._work.discard else f"{self._kept}/, databases in their own directories",
            details=(*named[:_MOST_NAMED], *more, *self._left_alone()),
            needs=(*needs, *(need for change in changes for need in change.needs)),
            nothing_to_do=not self._entries and not self._databases,
        )

    def _listed(self, files: int, *, databases: bool = True) -> str:
        there = len(self._databases) if databases else 0
        counted = [f"{files} file{'s'[: files != 1]}", f"{there} database{'s'[: there != 1]}"]
        return " and ".join(counted[: 1 + databases])

    def _compare(self, artifact: Artifact) -> None:
        databases = {str(database["path"]) for database in artifact.engine.get("databases", ())}
        problems = []
        chosen = [(tree, path) for tree, path in self._members() if self._is_chosen(path)]
        missing = [each for each in self._site.paths if not any(self._is_at(path, each) for _, path in chosen)]
        if missing:
            raise UsageError(
                f"the files of {self._site.backup.id} do not hold {', '.join(map(str, missing))}",
                hint="name what is in the stack by its absolute path; `restore --to` shows what there is",
            )
        for tree, path in chosen:
            live = self._site.place(path)
            if os.path.realpath(live.parent) != str(live.parent):
                problems.append(f"{shown(str(live))} lies behind a link now")
                continue
            entry = self._entry(tree, live)
            if entry is None:
                problems.append(
                    f"{shown(str(live))} is a directory, or no file, and the backup has something else there"
                )
            elif entry.link is None and (path in databases or filetree.is_database(tree, live)):
                self._undressed.append((tree, live))
                if not filetree.same_database(tree, live):
                    self._databases.append(self._database_at(tree, live))
            elif entry.kind:
                self._entries.append(entry)
            elif entry.link is None and tree.is_dir():
                self._undressed.append((tree, live))
        if problems:
            raise RestoreError("; ".join(problems[:3]), hint="move it away, or restore the rest with --path")

    def _database_at(self, tree: Path, live: Path) -> SqliteReplacement:
        return within(self._site, live, tree, f"{format_bytes(tree.stat().st_size)}, as it is in the backup")

    def _members(self) -> Iterator[tuple[Path, str]]:
        """Yield what was unpacked, directories before what is in them, with its path on the backup's host."""
        base = str(self._tree)
        for directory, directories, files in os.walk(base):
            directories.sort()
            for name in sorted([*directories, *files]):
                place = os.path.join(directory, name)  # noqa: PTH118 - a name of any bytes
                yield Path(place), place[len(base) :]

    def _is_chosen(self, path: str) -> bool:
        """Tell whether something is to be restored; our own configuration only if it is asked for."""
        live = str(self._site.place(path))
        if self._site.paths:
            return any(self._is_at(path, each) or inside(str(each), live) for each in self._site.paths)
        config = self._site.config
        ours = {str(config_directory()), *((os.path.realpath(config.file),) if config is not None else ())}
        return not any(inside(live, each) for each in ours)

    def _is_at(self, path: str, wanted: Path) -> bool:
        """Tell whether something is what was asked for, or in it, by its path here or on the backup's host."""
        return inside(str(self._site.place(path)), str(wanted)) or inside(path, str(wanted))

    def _entry(self, tree: Path, live: Path) -> Entry | None:
        """Return what is to be done about one member, with an empty kind for nothing; None for what cannot be."""
        status = tree.lstat()
        directory = stat.S_ISDIR(status.st_mode)
        link = os.readlink(tree) if stat.S_ISLNK(status.st_mode) else None  # noqa: PTH115 - any bytes
        new = existing_parent(live) / temporary_name(self._site.backup.id)
        kept = f"{self._kept}{live}"
        if not os.path.lexists(live):
            kind = NEW_DIRECTORY if directory else NEW
        elif directory:
            kind = ""
            if not live.is_dir() or live.is_symlink():
                return None
        else:
            differs = filetree.differs(tree, live)
            if differs is None:
                return None
            kind = REPLACED if differs else ""
        return Entry(kind, str(tree), str(live), str(new), kept, link)

    def _left_alone(self) -> tuple[str, ...]:
        """Say what there is that the backup has not, or has with another owner or mode, and that stays as it is."""
        ours = {str(self._site.place(path)) for _, path in self._members()}
        return (
            *leftalone.not_in_backup(self._site, self.source, ours),
            *leftalone.dressed_otherwise(self._site, self.source, self._undressed),
        )

    def prepare(self) -> None:
        """Copy each file beside its place."""
        self._site.reporter.phase("copy", self.source)
        for entry in self._entries:
            if entry.kind != NEW_DIRECTORY:
                filetree.make_ready(entry)
        for database in self._databases:
            database.prepare()

    def users(self) -> Sequence[ServiceContainer]:
        """Return the containers of the stack that have something mounted that is replaced."""
        places = [entry.live for entry in self._entries] + [str(database.live) for database in self._databases]
        found = services.stack_containers(Path(project) for project in self._work.projects)
        return [container for container in found if any(container.sees(place) for place in places)]

    def openers(self) -> Sequence[Opener]:
        """Return who has one of the databases open; whoever has read another file is none the worse for it."""
        return [opener for database in self._databases for opener in database.openers()]

    def grounds(self) -> Sequence[Path]:
        """Return the directories in which something is made ready, and the one beside which it is kept."""
        above = {os.path.dirname(entry.new) for entry in self._entries}  # noqa: PTH120 - names of any bytes
        grounds = {Path(place) for place in above} | {self._kept.parent}
        return [*sorted(grounds), *(ground for database in self._databases for ground in database.grounds())]

    def reopened(self) -> Sequence[Opener]:
        """Return who has opened one of the new databases."""
        return [opener for database in self._databases for opener in database.reopened()]

    def swap(self) -> None:
        """Put every file in its place, then the databases."""
        try:
            if any(entry.kind == REPLACED for entry in self._entries):
                self._kept.mkdir(mode=0o700)
                fsync_directory(self._kept.parent)
            for entry in self._entries:
                filetree.put(entry)
            filetree.flush(self._entries)
        except OSError as error:
            raise RestoreError(f"{error.strerror}: {error.filename or self._site.stack}") from error
        for database in self._databases:
            database.swap()

    def undo(self) -> None:
        """Put every file back."""
        for database in reversed(self._databases):
            database.undo()
        try:
            for entry in reversed(self._entries):
                filetree.take_back(entry)
                clear_away(Path(entry.new), self._site.reporter.warn)
            filetree.flush(self._entries)
            filetree.remove_empty(self._kept)
        except OSError as error:
            raise RestoreError(
                f"{error.strerror}: {error.filename or self._site.stack}", hint=f"what was there lies in {self._kept}"
            ) from error
        remove_restored(self._tree)

    def discard(self) -> None:
        """Remove what was unpacked and copied."""
        for database in self._databases:
            database.discard()
        for entry in self._entries:
            clear_away(Path(entry.new), self._site.reporter.warn)
        remove_restored(self._tree)
        self._tree.with_name(f"{self._tree.name}.tar").unlink(missing_ok=True)

    def finish(self) -> None:
        """Remove what was unpacked, and with `--discard-current` what was replaced."""
        for database in self._databases:
            database.finish()
        if self._work.discard:
            remove_tree(self._kept)
        remove_restored(self._tree)

    def kept(self) -> tuple[str, ...]:
        """Return where what was replaced lies."""
        files = (str(self._kept),) if self._kept.is_dir() and not self._work.discard else ()
        return (*files, *(place for database in self._databases for place in database.kept()))

    def state(self) -> State:
        """Return what is done, change by change."""
        self._work.entries = [asdict(entry) for entry in self._entries]
        self._work.databases = [database.state() for database in self._databases]
        return asdict(self._work)
