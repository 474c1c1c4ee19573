"""What discovery returns: databases that can be backed up, others that were found, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tracker_backup.compose.paths import MountScope
from tracker_backup.stack.endpoint import Endpoint

SourceType = Literal["sqlite", "mysql", "postgresql"]
HostMountKind = Literal["bind", "volume"]


@dataclass(frozen=True)
class DiscoveredSource:
    """A database of the stack: a file on the host (`path`) or a `schema`; `why` names files and keys that led there.

    `container_path` is the file as its service sees it. `mount` is `file` when the file itself is mounted, so that its
    -wal and -shm stay inside the container, else `directory`. `endpoint` is where the service reaches the server of a
    `schema`, None where no configuration says so yet; it is not part of the JSON.
    """

    name: str
    type: SourceType
    service: str
    why: str
    path: Path | None = None
    schema: str | None = None
    mount: MountScope | None = None
    container_path: str | None = None
    endpoint: Endpoint | None = None

    def to_json(self) -> dict[str, str]:
        """Return it as `discover --json` shows it, without what does not apply."""
        given = {
            "name": self.name,
            "type": self.type,
            "service": self.service,
            "path": None if self.path is None else str(self.path),
            "schema": self.schema,
            "why": self.why,
        }
        return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True)
class Unsupported:
    """A database that was found and cannot be backed up yet; `reason` says why and what can be done."""

    source: DiscoveredSource
    reason: str

    def __str__(self) -> str:
        """Return the line to show."""
        return f"{self.source.name}: {self.reason}"


@dataclass(frozen=True)
class HostMount:
    """A directory or file of the host at `path`, not looked at, that a service sees at `target`.

    `volume` is the name by which Docker knows a volume, None for bind mounts. `image` is the service's.
    """

    path: Path
    target: str
    service: str
    kind: HostMountKind
    volume: str | None = None
    read_only: bool = False
    image: str | None = None


@dataclass(frozen=True)
class UnreachedVolume:
    """A volume whose place on the host is not known; `volume` is Docker's name for it, None where it has none.

    It is `unasked` where Docker would know, which did not answer.
    """

    volume: str | None
    target: str
    service: str
    problem: str
    unasked: bool = False


@dataclass(frozen=True)
class Belongings:
    """What of the host belongs to a stack: the files that were read for it, and what its services see."""

    files: tuple[Path, ...] = ()
    env_files: tuple[Path, ...] = ()
    mounts: tuple[HostMount, ...] = ()
    unreached: tuple[UnreachedVolume, ...] = ()


@dataclass(frozen=True)
class Discovery:
    """What was found in a stack. `images` are the services' images by service name, `mounts` those of all services.

    `directory` is the Compose project's, which a COMPOSE_FILE that leads elsewhere makes another than the stack's.
    """

    sources: tuple[DiscoveredSource, ...]
    unsupported: tuple[Unsupported, ...]
    notes: tuple[str, ...]
    project: str
    files: tuple[Path, ...]
    images: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[HostMount, ...] = ()
    directory: Path | None = None
    belongings: Belongings = Belongings()
