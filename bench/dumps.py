"""Ways to dump a MySQL schema: what each does, and how it gives the schema back."""

from __future__ import annotations

import os
import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.ours import facts_of
from bench.tools import borgmatic, first_missing
from bench.world import Word, World
from support.database_servers import Server, client
from support.mysql_program import MysqlInstallation
from support.mysql_source import connection
from tracker_backup.sources.mysql.dump import dump_options

SCHEMA = "measured"


@dataclass(frozen=True)
class User:
    """Somebody with all rights, for the contenders that want a password in their arguments or configuration."""

    name: str
    password: str


USER = User("bench", "benchmark")  # of a server of the benchmark's own, on this machine only


class Site:
    """A server, and its clients in a directory; `apart`: the one that dumps runs on the first core."""

    def __init__(self, server: Server, directory: Path, *, apart: bool) -> None:
        """Link the clients into a directory."""
        self.server = server
        self.programs = directory / "programs"
        self.programs.mkdir(parents=True)
        found = client(server.flavour)
        for file in found.directory.iterdir():
            (self.programs / file.name).symlink_to(file)
        self._dump = self.programs / Path(found.dump[0]).name
        if apart:
            self._dump.unlink()
            self._dump.write_text(f'#!/bin/sh\nexec taskset --cpu-list 0 {shlex.quote(found.dump[0])} "$@"\n')
            self._dump.chmod(0o755)

    @property
    def dump(self) -> list[Word]:
        """Return the command that writes a dump to its stdout, with the program's own options."""
        options = dump_options(connection(self.server).way.clients.dump, SCHEMA, locking=False)
        return [self._dump, f"--defaults-file={self.server.option_file()}", *options]

    def load(self, schema: str) -> list[Word]:
        """Return the command that loads a dump from its stdin."""
        command = [*client(self.server.flavour).load, f"--defaults-file={self.server.option_file()}"]
        return [*command, "--max-allowed-packet=1G", "--binary-mode", schema]

    def login(self) -> list[Word]:
        """Return the arguments with which mydumper logs in."""
        return ["--socket", self.server.socket, "--user", USER.name, "--password", USER.password]


class DumpContender(ABC):
    """One way; one that does not restore keeps nothing that could be loaded."""

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    restores: ClassVar[bool] = True

    def missing(self, directory: Path) -> str | None:
        """Return what must be installed before it can be measured, None when nothing is."""
        return first_missing(self.needs, directory)

    def prepare(self, world: World, site: Site) -> None:  # noqa: B027 - most have nothing to prepare
        """Do what is done once and not in each backup."""

    @abstractmethod
    def take(self, world: World, site: Site) -> None:
        """Dump the schema."""

    @abstractmethod
    def load(self, world: World, site: Site, schema: str) -> None:
        """Load what was dumped into an empty schema."""


class Alone(DumpContender):
    """What no way of dumping with this client can be quicker than."""

    name = "client"
    title = "mysqldump, thrown away"
    restores = False

    def take(self, world: World, site: Site) -> None:
        """Dump into nothing."""
        world.pipe([site.dump], out=Path(os.devnull))

    def load(self, world: World, site: Site, schema: str) -> None:
        """There is nothing."""


class Piped(DumpContender):
    """The client into a compressor."""

    behind: ClassVar[tuple[str, ...]]
    back: ClassVar[tuple[str, ...]]

    def take(self, world: World, site: Site) -> None:
        """Dump."""
        world.pipe([site.dump, list(self.behind)], out=world.stored / "dump")

    def load(self, world: World, site: Site, schema: str) -> None:
        """Load."""
        world.pipe([list(self.back), site.load(schema)], source=world.stored / "dump")


class Cat(Piped):
    """No compressor."""

    name, title = "cat", "mysqldump | cat"
    behind, back = ("cat",), ("cat",)


class Zstd1(Piped):
    """The compressor that the program uses."""

    name, title, needs = "zstd-1", "mysqldump | zstd -1", ("zstd",)
    behind, back = ("zstd", "-q", "-1"), ("zstd", "-q", "-d", "-c")


class Zstd3(Piped):
    """Its default level."""

    name, title, needs = "zstd-3", "mysqldump | zstd -3", ("zstd",)
    behind, back = ("zstd", "-q", "-3"), ("zstd", "-q", "-d", "-c")


class Gzip(Piped):
    """What scripts do."""

    name, title, needs = "gzip", "mysqldump | gzip", ("gzip",)
    behind, back = ("gzip",), ("gzip", "-d", "-c")


class Mydumper(DumpContender):
    """A client that dumps with several threads."""

    name, title, needs = "mydumper", "mydumper, two threads", ("mydumper",)

    def take(self, world: World, site: Site) -> None:
        """Dump into compressed files."""
        what: list[Word] = ["--database", SCHEMA, "--outputdir", world.stored / "dump", "--compress", "--threads", "2"]
        world.call("mydumper", *site.login(), "--rows", "500000", "--trx-consistency-only", *what)

    def load(self, world: World, site: Site, schema: str) -> None:
        """Load them."""
        what: list[Word] = [
            "--database",
            schema,
            "--directory",
            world.stored / "dump",
            "--threads",
            "2",
            "--overwrite-tables",
        ]
        world.call("myloader", *site.login(), *what)


class Borgmatic(DumpContender):
    """A dump into a Borg repository."""

    name, title, needs = "borgmatic", "borgmatic create", ("borg", "borgmatic")

    def prepare(self, world: World, site: Site) -> None:
        """Configure it and make its repository."""
        (world.directory / "borgmatic.yaml").write_text(
            f"repositories:\n    - path: {self._repository(world)}\n"
            f"mysql_databases:\n    - name: {SCHEMA}\n      hostname: {site.server.host}\n"
            f"      port: {site.server.port}\n      username: {USER.name}\n      password: {USER.password}\n"
            f"      mysql_dump_command: {site.programs}/mysqldump\n      mysql_command: {site.programs}/mysql\n"
            f"      tablespaces: false\n"
            f"borg_base_directory: {world.directory}/borg\n"
            f"user_state_directory: {world.directory}/state\nuser_runtime_directory: {world.directory}/run\n"
            "unknown_unencrypted_repo_access_is_ok: true\nrelocated_repo_access_is_ok: true\n",
            encoding="utf-8",
        )
        self._run(world, "repo-create", "--encryption", "none")

    def take(self, world: World, site: Site) -> None:
        """Make an archive."""
        self._run(world, "create")

    def load(self, world: World, site: Site, schema: str) -> None:
        """Load the dump that is in the archive; borgmatic itself would load it over the original."""
        repository, env = self._repository(world), {"BORG_BASE_DIR": str(world.directory / "borg")}
        env["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
        archive = world.call("borg", "list", "--short", repository, env=env).split()[-1]
        listed = world.call("borg", "list", "--format", "{path}{NL}", f"{repository}::{archive}", env=env)
        (path,) = (line for line in listed.splitlines() if line.endswith(f"/{SCHEMA}"))
        extract: list[Word] = ["borg", "extract", "--stdout", f"{repository}::{archive}", path]
        # The dump names its schema.
        rename: list[Word] = ["sed", "-E", f"s/^(USE|CREATE DATABASE)( .*)?`{SCHEMA}`/\\1\\2`{schema}`/"]
        world.pipe([extract, rename, site.load(schema)], env=env)

    def _run(self, world: World, *arguments: str) -> None:
        command = borgmatic(world.settings.directory)
        world.call(*command, "--config", world.directory / "borgmatic.yaml", *arguments)

    def _repository(self, world: World) -> Path:
        return world.stored / "repository"


class Ours(DumpContender):
    """A whole run; `copy_seconds` among its figures are dump and compression."""

    name, title, needs = "ours", "tracker-backup --now", ("zstd",)
    arguments: ClassVar[tuple[str, ...]] = ("--now",)

    def prepare(self, world: World, site: Site) -> None:
        """Configure it and make its repository."""
        repository = str(world.stored / "repository")
        program = MysqlInstallation(world.directory / "host", site.programs, check="quick", repository=repository)
        program.dump(site.server, SCHEMA, SCHEMA, socket=str(site.server.socket))
        self._program = program

    def take(self, world: World, site: Site) -> None:
        """Make a backup."""
        world.call(*self._program.command(*self.arguments), env=self._program.environment())
        (manifest,) = self._program.manifests()
        world.facts.update(facts_of(manifest))

    def load(self, world: World, site: Site, schema: str) -> None:
        """Restore it with the program, which compares afterwards."""
        how = ["--into", schema, "--mysql-user", USER.name, "--mysql-password-file", str(world.directory / "password")]
        (world.directory / "password").write_text(USER.password, encoding="utf-8")
        (world.directory / "password").chmod(0o600)
        command = self._program.command("restore", "latest", *how)
        world.call(*command, env=self._program.environment())


class OursScheduled(Ours):
    """The same as cron starts it."""

    name, title = "ours-scheduled", "tracker-backup, as scheduled"
    arguments = ("--now", "--job", "daily", "--wait", "--quiet")


CONTENDERS: tuple[DumpContender, ...] = (
    Alone(),
    Ours(),
    OursScheduled(),
    Gzip(),
    Zstd1(),
    Zstd3(),
    Cat(),
    Mydumper(),
    Borgmatic(),
)
