"""What a Compose project says, as far as a backup needs it: frozen, interpolated, secrets kept out of reprs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MountKind = Literal["bind", "volume", "tmpfs", "inline", "other"]


@dataclass(frozen=True)
class Mount:
    """Something mounted into a container at the absolute path `target`.

    `source` is the absolute host path of a bind mount, the name of a volume, or empty (tmpfs, anonymous volume).
    Of a volume `subpath` is the part that is mounted, and `host` is the directory of the host that holds that, once it
    is known, else `problem` says why it is not; where it is `unasked`, Docker would know, which did not answer.
    What is `inline` is a config whose text, `content`, stands in the Compose file.
    """

    kind: MountKind
    source: str
    target: str
    read_only: bool = False
    subpath: str = ""
    host: str | None = None
    problem: str | None = None
    unasked: bool = False
    content: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Variable:
    """A variable of a container's environment and the files that set it, for explanations."""

    value: str = field(repr=False)
    origin: str
    from_env_file: bool = False


@dataclass(frozen=True)
class Volume:
    """A volume of the project: its name in the Compose files, and the one that Docker knows it by.

    `options` are those of its driver; there may be the password of a network share among them.
    """

    key: str
    name: str
    external: bool = False
    driver: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Service:
    """One service of a Compose project.

    `aliases` are its further names in networks, `links` the names by which it knows other services. `networks` are
    those that the Compose files name; without any, and without a `network_mode`, it is in the default one.
    """

    name: str
    image: str | None = None
    container_name: str | None = None
    working_dir: str | None = None
    variables: Mapping[str, Variable] = field(default_factory=dict, repr=False)
    mounts: tuple[Mount, ...] = ()
    hostname: str | None = None
    aliases: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    network_mode: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The container's environment as the Compose files make it."""
        return {name: variable.value for name, variable in self.variables.items()}


@dataclass(frozen=True)
class Project:
    """A Compose project: its directory, the files that were read, and its services by name.

    `name` is the value of the label com.docker.compose.project on its containers. `files` are all that were read, also
    by `include` and `extends`, but for `env_files`, which set variables. `profiles` are the ones that .env enables,
    None where it does not say.
    `started` are the services that have containers, None where that is not known or no service has one.
    """

    name: str
    directory: Path
    files: tuple[Path, ...]
    services: Mapping[str, Service]
    notes: tuple[str, ...] = ()
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    profiles: tuple[str, ...] | None = None
    started: frozenset[str] | None = None
    env_files: tuple[Path, ...] = ()
