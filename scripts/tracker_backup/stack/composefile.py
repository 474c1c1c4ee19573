"""Read one Compose file: its text in, drafts of its services out, interpolated but not yet merged with other files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracker_backup.errors import ConfigurationError
from tracker_backup.stack.interpolation import interpolate
from tracker_backup.stack.model import Mount, Variable
from tracker_backup.stack.mounts import host_path, parse_mount, parse_tmpfs

_LATER_HINT = "name the databases under `sources:` in the configuration instead"
_LATER_IN_SERVICES = ("extends", "volumes_from")


@dataclass(frozen=True)
class EnvFileReference:
    """One entry of a service's `env_file:`."""

    path: Path
    required: bool = True


@dataclass
class ServiceDraft:
    """What Compose files say about a service so far; a variable that is None is passed through from .env."""

    image: str | None = None
    container_name: str | None = None
    working_dir: str | None = None
    variables: dict[str, Variable | None] = field(default_factory=dict, repr=False)
    env_files: list[EnvFileReference] = field(default_factory=list)
    mounts: dict[str, Mount] = field(default_factory=dict)
    hostname: str | None = None
    aliases: dict[str, None] = field(default_factory=dict)  # an ordered set
    links: dict[str, str] = field(default_factory=dict)

    def merge(self, later: ServiceDraft) -> None:
        """Take over what a later file says: single values replace, variables go by name, mounts by target."""
        self.image = later.image or self.image
        self.container_name = later.container_name or self.container_name
        self.working_dir = later.working_dir or self.working_dir
        self.variables.update(later.variables)
        self.env_files.extend(later.env_files)
        self.mounts.update(later.mounts)
        self.hostname = later.hostname or self.hostname
        self.aliases.update(later.aliases)
        self.links.update(later.links)


@dataclass
class Context:
    """Where the files are read: the variables, and what was seen of them on the way."""

    directory: Path
    home: Path
    variables: Mapping[str, str] = field(repr=False)
    used: set[str] = field(default_factory=set)
    missing: dict[str, None] = field(default_factory=dict)  # an ordered set

    def fill(self, text: str, where: str) -> tuple[str, frozenset[str]]:
        """Interpolate, remember what was used and missing, and return the text and the variables used."""
        result = interpolate(text, self.variables, where=where)
        self.used |= result.used
        self.missing.update(dict.fromkeys(result.missing))
        return result.value, result.used


def parse_services(document: Any, file: Path, context: Context) -> dict[str, ServiceDraft]:
    """Return the services of a parsed Compose file by name.

    Raises ConfigurationError for what is no Compose file, and for `include` and `extends`, which come later.
    """
    if not isinstance(document, dict):
        raise ConfigurationError(f"{file}: not a Compose file: it holds no mapping with `services:`")
    if "include" in document:
        raise ConfigurationError(f"{file}: `include` is not supported yet", hint=_LATER_HINT)
    services = document.get("services") or {}
    if not isinstance(services, dict):
        raise ConfigurationError(f"{file}: `services` is not a mapping")
    return {str(name): _ServiceReader(file, str(name), context).read(body) for name, body in services.items()}


class _ServiceReader:
    def __init__(self, file: Path, service: str, context: Context) -> None:
        self._file = file
        self._place = f"{file}: services.{service}"
        self._context = context

    def read(self, body: Any) -> ServiceDraft:
        if not isinstance(body, dict):
            raise ConfigurationError(f"{self._place} is not a mapping")
        for key in _LATER_IN_SERVICES:
            if key in body:
                raise ConfigurationError(f"{self._place}: `{key}` is not supported yet", hint=_LATER_HINT)
        return ServiceDraft(
            image=self._string(body, "image"),
            container_name=self._string(body, "container_name"),
            working_dir=self._string(body, "working_dir"),
            variables=self._variables(body.get("environment")),
            env_files=self._env_files(body.get("env_file")),
            mounts=self._mounts(body),
            hostname=self._string(body, "hostname"),
            aliases=self._aliases(body.get("networks")),
            links=self._links(body),
        )

    def _string(self, body: dict[Any, Any], key: str) -> str | None:
        value = body.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise ConfigurationError(f"{self._place}.{key} is not a string")
        return self._fill(value, key)

    def _fill(self, text: str, key: str) -> str:
        return self._context.fill(text, f"{self._place}.{key}")[0]

    def _variables(self, given: Any) -> dict[str, Variable | None]:
        where = f"{self._place}.environment"
        if given is None:
            return {}
        if isinstance(given, dict):
            return {str(name): self._variable(value, f"{where}.{name}") for name, value in given.items()}
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            raise ConfigurationError(f"{where}: neither a mapping nor a list of NAME=value")
        return dict(self._listed(item, where) for item in given)

    def _listed(self, item: str, where: str) -> tuple[str, Variable | None]:
        name, equals, value = item.partition("=")
        if not equals:
            return self._context.fill(name, where)[0], None
        return self._context.fill(name, where)[0], self._variable(value, f"{where}.{name}")

    def _variable(self, value: Any, where: str) -> Variable | None:
        if value is None:
            return None
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, dict | list):
            raise ConfigurationError(f"{where}: not a single value")
        filled, used = self._context.fill(str(value), where)
        return Variable(filled, f"{self._file.name} with .env" if used else self._file.name)

    def _env_files(self, given: Any) -> list[EnvFileReference]:
        entries = given if isinstance(given, list) else [] if given is None else [given]
        return [self._env_file(entry) for entry in entries]

    def _env_file(self, entry: Any) -> EnvFileReference:
        where = f"{self._place}.env_file"
        options = entry if isinstance(entry, dict) else {"path": entry}
        path = options.get("path")
        if not isinstance(path, str):
            raise ConfigurationError(f"{where}: neither a path nor a mapping with `path`")
        if "format" in options:
            raise ConfigurationError(f"{where}: `format` is not supported yet", hint=_LATER_HINT)
        filled = host_path(self._fill(path, "env_file"), directory=self._context.directory, home=self._context.home)
        return EnvFileReference(Path(filled), required=options.get("required", True) not in (False, "false"))

    def _mounts(self, body: dict[Any, Any]) -> dict[str, Mount]:
        context = self._context
        mounts = []
        for number, entry in enumerate(self._list(body, "volumes")):
            key = f"volumes[{number}]"
            filled = self._filled_entry(entry, key)
            source = filled if isinstance(filled, str) else str(filled.get("source", ""))
            if source.startswith("~"):
                context.used.add("HOME")
            where = f"{self._place}.{key}"
            mounts.append(parse_mount(filled, directory=context.directory, home=context.home, where=where))
        given = body.get("tmpfs")
        entries = [given] if isinstance(given, str) else self._list(body, "tmpfs")
        where = f"{self._place}.tmpfs"
        mounts += [parse_tmpfs(self._fill(str(entry), "tmpfs"), where=where) for entry in entries]
        return {mount.target: mount for mount in mounts}

    def _aliases(self, networks: Any) -> dict[str, None]:
        """Return the service's further names in all its networks; what is no mapping has none."""
        if not isinstance(networks, dict):
            return {}
        options = [value for value in networks.values() if isinstance(value, dict)]
        return {self._fill(str(alias), "networks"): None for each in options for alias in self._list(each, "aliases")}

    def _links(self, body: dict[Any, Any]) -> dict[str, str]:
        """Return the names that `links:` gives to other services."""
        filled = [self._fill(str(link), "links") for link in self._list(body, "links")]
        pairs = [link.partition(":") for link in filled]
        return {alias or service: service for service, _, alias in pairs}

    def _list(self, body: dict[Any, Any], key: str) -> list[Any]:
        value = body.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise ConfigurationError(f"{self._place}.{key} is not a list")
        return value

    def _filled_entry(self, entry: Any, key: str) -> str | dict[Any, Any]:
        if isinstance(entry, str):
            return self._fill(entry, key)
        if isinstance(entry, dict):
            return {
                name: self._fill(value, f"{key}.{name}") if isinstance(value, str) else value
                for name, value in entry.items()
            }
        raise ConfigurationError(f"{self._place}.{key}: neither SOURCE:TARGET nor a mapping")
