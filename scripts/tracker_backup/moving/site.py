"""What of a stack matters on its way: its containers, which of them serve databases, what starts it by itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.containers.standing import standing_of
from tracker_backup.errors import RestoreError
from tracker_backup.run.deployed import deployed_in
from tracker_backup.run.resolve import resolve_sources
from tracker_backup.run.servers import is_there
from tracker_backup.run.stackfiles import FILES

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracker_backup.config.model import Config
    from tracker_backup.containers.standing import Standing
    from tracker_backup.run.deployed import Deployed
    from tracker_backup.sources.interface import Source

_POLL_SECONDS = 1.0
_STARTERS = (Path("/etc/systemd/system"), Path("/etc/cron.d"), Path("/var/spool/cron/crontabs"), Path("/etc/rc.local"))
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Outfit:
    """A stack on this host: its sources, containers and how they were deployed; `servers` serve its databases.

    `problems` are what keeps it from being moved, a sentence each.
    """

    directory: Path
    sources: tuple[Source, ...]
    standing: tuple[Standing, ...]
    deployed: Deployed | None
    servers: frozenset[str]
    problems: tuple[str, ...] = ()

    def of(self, services: Collection[str]) -> list[Standing]:
        """Return the containers of those services."""
        return [each for each in self.standing if each.service in services]

    def wait_for_servers(self, services: Collection[str], seconds: float) -> None:
        """Wait until the servers among those services answer for every schema of theirs.

        Raises RestoreError for those that do not.
        """
        wait_for_schemas([source for source in self.sources if _server(source) in services], seconds)


def wait_for_schemas(sources: Collection[Source], seconds: float) -> None:
    """Wait until the servers of those schemas answer; raises RestoreError for those that do not."""
    give_up = time.monotonic() + seconds
    waiting = [source for source in sources if source.target is not None]
    while waiting := [source for source in waiting if not is_there(source)]:
        if time.monotonic() > give_up:
            names = ", ".join(str(source.target) for source in waiting)
            raise RestoreError(f"no answer within {seconds:.0f} s: {names}")
        time.sleep(_POLL_SECONDS)


def outfit_of(config: Config) -> Outfit:
    """Look at the stack of an instance.

    Raises ConfigurationError when its files cannot be read, CommandError when Docker cannot be asked.
    """
    resolved = resolve_sources(config)
    sources = resolved.sources
    directory = resolved.directory or config.stack
    standing = standing_of(directory)
    servers = frozenset(service for source in sources if (service := _server(source)) is not None)
    return Outfit(
        directory,
        sources,
        standing,
        deployed_in(directory),
        servers,
        tuple(_problems(config, sources, standing)),
    )


def starters(stack: Path) -> list[str]:
    """Return the files of this host that name the stack's directory, and may start something of it by themselves."""
    files = (path for place in _STARTERS for path in sorted(place.rglob("*") if place.is_dir() else [place]))
    foreign = (path for path in files if path.is_file() and "tracker-backup" not in path.name)
    return [str(path) for path in foreign if str(stack) in _text(path)]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _server(source: Source) -> str | None:
    return None if source.target is None else source.target.service


def _problems(config: Config, sources: tuple[Source, ...], standing: tuple[Standing, ...]) -> list[str]:
    problems = []
    if not any(source.type == FILES for source in sources):
        problems.append(f"its files are not in its backups: `files` is switched off in {config.file}")
    if not standing:
        problems.append(f"there is no container of a stack in {config.stack}")
    outside = [source for source in sources if source.target is not None and source.target.service is None]
    problems += [f"{source.name} is {source.target}, which is no service of the stack" for source in outside]
    frozen = [each.name for each in standing if each.state == "paused"]
    if frozen:
        problems.append(f"paused: {', '.join(frozen)}: `docker unpause` them, or stop them")
    projects = sorted({each.project for each in standing})
    if len(projects) > 1:
        problems.append(f"its containers are of several Compose projects: {', '.join(projects)}")
    return problems
