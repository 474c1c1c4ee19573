"""What a container has to see and to hold for its sources. Pure: what was found in the stack in, mounts out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.run.stackfiles import FILES
from tracker_backup.sources.files.systemplaces import belongs_to_the_system

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.sources.interface import Source
    from tracker_backup.stack.result import HostMount

COPY_PACKAGES = {"restic": "restic", "borg": "borgbackup"}


@dataclass(frozen=True)
class Seen:
    """A place of the host, seen under the same path; of a volume the name by which Docker knows it."""

    path: Path
    read_only: bool = True
    volume: str | None = None


def stack_mounts(
    stack: Path, places: Iterable[Path], mounts: Iterable[HostMount], writable: Iterable[Path]
) -> tuple[Seen, ...]:
    """Return what a container sees of a stack: its directory, and the places that its sources lie in.

    `mounts` are those of the stack's services; `writable` are the directories of databases in WAL mode, whose -shm
    every reader writes into. All else is read-only.
    """
    known = tuple(mounts)
    seen = [Seen(stack), *(_seen(directory, known, read_only=False) for directory in sorted(set(writable)))]
    for directory in sorted(set(places)):
        if not any(directory.is_relative_to(each.path) for each in seen):
            seen.append(_seen(directory, known, read_only=True))
    return tuple(dict.fromkeys(seen))


def places_of(sources: Sequence[Source], mounts: Iterable[HostMount]) -> set[Path]:
    """Return the directories that sources lie in; for the stack's files all that its services have mounted."""
    places = {source.path.parent for source in sources if source.type == "sqlite"}
    if any(source.type == FILES for source in sources):
        places |= {each.path for each in mounts if belongs_to_the_system(str(each.path)) is None}
    return places


def _seen(directory: Path, known: Sequence[HostMount], *, read_only: bool) -> Seen:
    """Return the mount of a directory; of what lies in a volume it is the volume."""
    volume = next((each for each in known if each.volume and directory.is_relative_to(each.path)), None)
    if volume is None:
        return Seen(directory, read_only)
    return Seen(volume.path, read_only, volume.volume)


def own_mounts(config: Config) -> tuple[Seen, ...]:
    """Return the program's own places, which it writes to, and what else the configuration names."""
    places = [config.repository, config.state_directory, config.log_file.parent, config.restored]
    if not config.staging.is_relative_to(config.repository):
        places.append(config.staging.parent)
    if config.metrics_file is not None:
        places.append(config.metrics_file.parent)
    places += [Path(copy.repository) for copy in config.copies if copy.repository.startswith("/")]
    seen = [Seen(place, read_only=False) for place in places]
    seen += [Seen(path) for path in named_places(config) if not any(path.is_relative_to(each) for each in places)]
    return tuple(dict.fromkeys(seen))


def named_places(config: Config) -> tuple[Path, ...]:
    """Return what the configuration names beside its own directory and the stack's: to be read only."""
    named: list[Path | None] = [*config.files.extra_paths]
    for source in config.sources or ():
        if source.type == "sqlite":
            named.append(source.path.parent)
        if source.mysql is not None:
            named += [source.mysql.password_file, source.mysql.socket]
    for copy in config.copies:
        named += [copy.password_file, copy.environment_file, copy.ssh_key, copy.ssh_known_hosts]
    if config.notifications is not None:
        named.append(config.notifications.urls_file)
    known = (config.file.parent, config.stack)
    beside = [path for path in named if path is not None and not any(path.is_relative_to(each) for each in known)]
    return tuple(dict.fromkeys(beside))


def extra_packages(config: Config) -> tuple[str, ...]:
    """Return the distribution's packages that the configuration asks for beside the databases' tools."""
    wanted = [COPY_PACKAGES[copy.program] for copy in config.copies]
    if wanted:
        wanted += ["openssh-client", "ca-certificates"]
    if config.ping_url is not None:
        wanted.append("ca-certificates")
    if config.metrics_file is not None:
        wanted.append("python3-prometheus-client")
    if config.notifications is not None:
        wanted += ["apprise", "ca-certificates"]
    return tuple(dict.fromkeys(wanted))
