"""What Compose files say so far: parts that later files, `extends` and `include` add to before a project is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tracker_backup.compose.model import Mount, Variable

EnvFileFormat = Literal["compose", "raw"]


@dataclass(frozen=True)
class EnvFileReference:
    """One entry of a service's `env_file:`."""

    path: Path
    required: bool = True
    format: EnvFileFormat = "compose"


@dataclass(frozen=True)
class ExtendsReference:
    """The service that another one is an extension of; `file` is None for one of the same file."""

    service: str
    file: Path | None = None


@dataclass(frozen=True)
class FileReference:
    """A service's use of an entry of the top level's `configs:` or `secrets:`."""

    name: str
    target: str


@dataclass
class ServiceDraft:
    """What Compose files say about a service so far; a variable that is None is passed through and not set.

    `replaced` are the keys, and `replaced_variables` the variables, that stand behind !override or !reset.
    """

    image: str | None = None
    container_name: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    network_mode: str | None = None
    extends: ExtendsReference | None = None
    environment: dict[str, Variable | None] = field(default_factory=dict, repr=False)
    env_file: dict[Path, EnvFileReference] = field(default_factory=dict)
    volumes: dict[str, Mount] = field(default_factory=dict)
    tmpfs: dict[str, Mount] = field(default_factory=dict)
    volumes_from: dict[str, None] = field(default_factory=dict)  # an ordered set, as those below
    networks: dict[str, None] = field(default_factory=dict)
    joined: dict[str, None] = field(default_factory=dict)
    profiles: dict[str, None] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    configs: dict[str, FileReference] = field(default_factory=dict)
    secrets: dict[str, FileReference] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    replaced_variables: frozenset[str] = frozenset()

    def copy(self) -> ServiceDraft:
        """Return another draft that says the same."""
        return ServiceDraft().merge(self)

    def merge(self, later: ServiceDraft) -> ServiceDraft:
        """Take over what a later file says, and return this draft.

        Single values replace, variables go by name, mounts by target, and lists grow.
        """
        for key in later.replaced & COLLECTIONS:
            getattr(self, key).clear()
        if "networks" in later.replaced:
            self.joined.clear()
        for key in SINGLES:
            value = getattr(later, key)
            if value is not None or key in later.replaced:
                setattr(self, key, value)
        for name in later.replaced_variables:
            self.environment.pop(name, None)
        for key in COLLECTIONS:
            getattr(self, key).update(getattr(later, key))
        self.replaced, self.replaced_variables = later.replaced, later.replaced_variables
        return self


SINGLES = frozenset({"image", "container_name", "working_dir", "hostname", "network_mode"})
"""The keys of a service that hold one value each."""
COLLECTIONS = frozenset(
    {
        *("environment", "env_file", "volumes", "tmpfs", "volumes_from", "networks", "profiles", "links"),
        *("configs", "secrets", "joined"),
    }
)
"""The keys of a service that grow from file to file."""


@dataclass(frozen=True)
class VolumeDraft:
    """An entry of the top level's `volumes:`; `options` may hold the password of a network share."""

    name: str | None = None
    external: bool = False
    driver: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def merged(self, later: VolumeDraft) -> VolumeDraft:
        """Return what both say, the later one first."""
        return VolumeDraft(
            later.name or self.name,
            later.external or self.external,
            later.driver or self.driver,
            {**self.options, **later.options},
        )


@dataclass(frozen=True)
class FileDraft:
    """An entry of the top level's `configs:` or `secrets:`: a file of the host, a text, or what we do not know."""

    file: Path | None = None
    content: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Include:
    """One entry of `include:`; without `directory` that of the first path, without `env_files` its .env."""

    paths: tuple[Path, ...]
    directory: Path | None = None
    env_files: tuple[Path, ...] | None = None


@dataclass
class Content:
    """What one Compose file, or several together, say; `replaced` as in a service, as pairs of section and name."""

    services: dict[str, ServiceDraft] = field(default_factory=dict)
    volumes: dict[str, VolumeDraft] = field(default_factory=dict)
    configs: dict[str, FileDraft] = field(default_factory=dict)
    secrets: dict[str, FileDraft] = field(default_factory=dict)
    includes: tuple[Include, ...] = ()
    replaced: frozenset[tuple[str, str | None]] = frozenset()

    def merge(self, later: Content) -> None:
        """Take over what a later file says."""
        for section, name in later.replaced:
            entries: dict[str, object] = getattr(self, section)
            if name is None:
                entries.clear()
            else:
                entries.pop(name, None)
        for service, draft in later.services.items():
            self.services[service] = self.services.get(service, ServiceDraft()).merge(draft)
        for volume, entry in later.volumes.items():
            self.volumes[volume] = self.volumes.get(volume, VolumeDraft()).merged(entry)
        self.configs.update(later.configs)
        self.secrets.update(later.secrets)

    def conflicts(self, other: Content) -> list[str]:
        """Return the names, such as `services.web`, of which the two say different things."""
        return [
            f"{section}.{name}"
            for section in SECTIONS
            for name, entry in getattr(other, section).items()
            if getattr(self, section).get(name, entry) != entry
        ]

    def without_replaced(self) -> Content:
        """Return the same as something that replaces nothing: what an include brings is all there is of it."""
        return replace(self, replaced=frozenset(), includes=())


SECTIONS = ("services", "volumes", "configs", "secrets")
"""The parts of a Compose file that are read."""
