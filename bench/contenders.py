"""Ways to back up a live SQLite database: what each does, and how it gives the database back."""

from __future__ import annotations

import shutil
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from bench.tools import borgmatic, first_missing
from bench.world import TooLongError, Word, World


class Contender(ABC):
    """One way. `quick` ones are measured in every case, the others where all are."""

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    quick: ClassVar[bool] = False

    def missing(self, directory: Path) -> str | None:
        """Return what must be installed before it can be measured, None when nothing is."""
        return first_missing(self.needs, directory)

    def prepare(self, world: World) -> None:  # noqa: B027 - most have nothing to prepare
        """Do what is done once and not in each backup."""

    @abstractmethod
    def take(self, world: World) -> None:
        """Make a backup, as it would be done on a host."""

    @abstractmethod
    def restore(self, world: World) -> None:
        """Make `world.restored` of the backup."""


class Nothing(Contender):
    """No copy at all, for the same load without one."""

    name = "none"
    title = "nothing runs"
    quick = True

    def take(self, world: World) -> None:
        """Wait."""
        time.sleep(max(1.0, world.settings.after))

    def restore(self, world: World) -> None:
        """There is nothing."""


class _PlainCopy(Contender):
    """Leaves a database file."""

    def restore(self, world: World) -> None:
        """Copy it back."""
        world.call("cp", world.stored / "tracker.db", world.restored)


class Cp(_PlainCopy):
    """What a shell script does that knows nothing of databases."""

    name = "cp"
    title = "cp + sync"
    quick = True

    def take(self, world: World) -> None:
        """Copy the main file; the caller's sync is part of every contender."""
        world.call("cp", world.database, world.stored / "tracker.db")


class Backup(_PlainCopy):
    """The command of SQLite's own shell, which starts again with every write of others."""

    name = "backup"
    title = "sqlite3 .backup"
    needs = ("sqlite3",)
    quick = True

    def take(self, world: World) -> None:
        """Copy until the limit, since under writes it may never end."""
        target = world.stored / "tracker.db"
        try:
            world.call("sqlite3", world.database, f".backup '{target}'", seconds=world.patience_under_writes)
        except TooLongError as error:
            done = target.stat().st_size / world.database.stat().st_size if target.exists() else 0
            raise TooLongError(f"{error}; {done:.0%} of it was there") from None


class VacuumInto(_PlainCopy):
    """SQLite's other way to copy."""

    name = "vacuum"
    title = "VACUUM INTO"
    needs = ("sqlite3",)
    quick = True

    def take(self, world: World) -> None:
        """Copy as `sqlite3` does in a script that waits for locks."""
        statement = f"VACUUM INTO '{world.stored / 'tracker.db'}'"
        world.call("sqlite3", "-cmd", ".timeout 60000", world.database, statement)


class Incumbent(Contender):
    """The nightly script that trackers have: stop, .backup, gzip, start."""

    name = "incumbent"
    title = "stop, .backup, gzip, start"
    needs = ("sqlite3", "gzip")

    def take(self, world: World) -> None:
        """Do all of it while the tracker is stopped, as it does."""
        copy = world.stored / "tracker.db"
        with world.outage():
            world.call("sqlite3", world.database, f".backup '{copy}'")
            world.call("gzip", copy)

    def restore(self, world: World) -> None:
        """Unpack."""
        world.call("gzip", "--decompress", "--stdout", world.stored / "tracker.db.gz", out=world.restored)


class DumpZstd(Contender):
    """A logical dump into a compressor."""

    name = "dump"
    title = "sqlite3 .dump, zstd"
    needs = ("sqlite3", "zstd")

    def take(self, world: World) -> None:
        """Dump."""
        commands: list[list[Word]] = [
            ["sqlite3", "-cmd", ".timeout 60000", world.database, ".dump"],
            ["zstd", "-q", "-T0"],
        ]
        world.pipe(commands, out=world.stored / "tracker.sql.zst")

    def restore(self, world: World) -> None:
        """Load."""
        commands: list[list[Word]] = [
            ["zstd", "-q", "-d", "-c", world.stored / "tracker.sql.zst"],
            ["sqlite3", world.restored],
        ]
        world.pipe(commands)


class Borgmatic(Contender):
    """A well-known tool with a hook for SQLite: .dump into a Borg repository."""

    name = "borgmatic"
    title = "borgmatic create"
    needs = ("sqlite3", "borg", "borgmatic")

    def prepare(self, world: World) -> None:
        """Configure it and make its repository."""
        self._file(world).write_text(
            f"repositories:\n    - path: {world.stored}/repository\n"
            f"sqlite_databases:\n    - name: tracker\n      path: {world.database}\n"
            f"      restore_path: {world.restored}\n"
            f"borg_base_directory: {world.directory}/borg\n"
            f"user_state_directory: {world.directory}/state\nuser_runtime_directory: {world.directory}/run\n"
            "unknown_unencrypted_repo_access_is_ok: true\nrelocated_repo_access_is_ok: true\n",
            encoding="utf-8",
        )
        self._run(world, "repo-create", "--encryption", "none")

    def take(self, world: World) -> None:
        """Make an archive."""
        self._run(world, "create")

    def restore(self, world: World) -> None:
        """Load the dump that is in the archive."""
        self._run(world, "restore", "--archive", "latest")

    def _run(self, world: World, *arguments: str) -> None:
        command = borgmatic(world.settings.directory)
        world.call(*command, "--config", self._file(world), *arguments)

    def _file(self, world: World) -> Path:
        return world.directory / "borgmatic.yaml"


class Restic(Contender):
    """A file backup of the stopped tracker's database."""

    name = "restic"
    title = "stop, restic, start"
    needs = ("restic",)

    def prepare(self, world: World) -> None:
        """Make its repository."""
        self._run(world, "init")

    def take(self, world: World) -> None:
        """Back up the file while nobody writes."""
        with world.outage():
            self._run(world, "backup", world.database)

    def restore(self, world: World) -> None:
        """Restore the file."""
        target = world.directory / "tree"
        self._run(world, "restore", "latest", "--target", target)
        shutil.move(next(target.rglob(world.database.name)), world.restored)

    def _run(self, world: World, *arguments: Word) -> None:
        env = {"RESTIC_PASSWORD": "benchmark", "RESTIC_CACHE_DIR": str(world.directory / "cache")}
        world.call("restic", "--quiet", "--repo", world.stored / "repository", *arguments, env=env)
