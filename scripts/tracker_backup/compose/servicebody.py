"""Read one service of a Compose file: its body in, a draft out, interpolated but not yet merged with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracker_backup.compose.context import Context, listed, several, unwrapped
from tracker_backup.compose.drafts import EnvFileReference, ExtendsReference, FileReference, ServiceDraft
from tracker_backup.compose.model import Mount, Variable
from tracker_backup.compose.mounts import parse_mount, parse_tmpfs
from tracker_backup.errors import ConfigurationError


def read_service(name: str, body: Any, file: Path, context: Context) -> ServiceDraft:
    """Return what one file says about a service.

    Raises ConfigurationError, naming file and key, for what cannot be read.
    """
    return _ServiceReader(file, name, context).read(body)


class _ServiceReader:
    def __init__(self, file: Path, service: str, context: Context) -> None:
        self._file = file
        self._place = f"{file}: services.{service}"
        self._context = context

    def read(self, body: Any) -> ServiceDraft:
        plain, replaced = unwrapped(body, self._place)
        variables, replaced_variables = self._environment(plain.get("environment"))
        return ServiceDraft(
            image=self._string(plain, "image"),
            container_name=self._string(plain, "container_name"),
            working_dir=self._string(plain, "working_dir"),
            hostname=self._string(plain, "hostname"),
            extends=self._extends(plain.get("extends")),
            environment=variables,
            env_file={entry.path: entry for entry in map(self._env_file, several(plain.get("env_file")))},
            volumes=self._volumes(plain),
            tmpfs=self._tmpfs(plain),
            volumes_from=dict.fromkeys(self._strings(plain, "volumes_from")),
            networks=self._aliases(plain.get("networks")),
            joined=self._joined(plain.get("networks")),
            network_mode=self._string(plain, "network_mode"),
            profiles=dict.fromkeys(self._strings(plain, "profiles")),
            links=self._links(plain),
            configs=self._files(plain, "configs", "/"),
            secrets=self._files(plain, "secrets", "/run/secrets/"),
            replaced=replaced,
            replaced_variables=replaced_variables,
        )

    def _string(self, body: dict[str, Any], key: str) -> str | None:
        value = body.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise ConfigurationError(f"{self._place}.{key} is not a string")
        return self._fill(value, key)

    def _strings(self, body: dict[str, Any], key: str) -> list[str]:
        return [self._fill(str(entry), key) for entry in listed(body.get(key), f"{self._place}.{key}")]

    def _fill(self, text: str, key: str) -> str:
        return self._context.fill(text, f"{self._place}.{key}")[0]

    def _extends(self, given: Any) -> ExtendsReference | None:
        if given is None:
            return None
        options = given if isinstance(given, dict) else {"service": given}
        service, file = options.get("service"), options.get("file")
        if not isinstance(service, str) or not isinstance(file, str | None):
            raise ConfigurationError(f"{self._place}.extends: neither a service nor a mapping with `service`")
        path = None if file is None else self._context.path(file, f"{self._place}.extends.file")
        return ExtendsReference(self._fill(service, "extends.service"), path)

    def _environment(self, given: Any) -> tuple[dict[str, Variable | None], frozenset[str]]:
        where = f"{self._place}.environment"
        if given is None:
            return {}, frozenset()
        if isinstance(given, dict):
            plain, replaced = unwrapped(given, where)
            return {name: self._variable(name, value, f"{where}.{name}") for name, value in plain.items()}, replaced
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            raise ConfigurationError(f"{where}: neither a mapping nor a list of NAME=value")
        return dict(self._listed(item, where) for item in given), frozenset()

    def _listed(self, item: str, where: str) -> tuple[str, Variable | None]:
        name, equals, value = item.partition("=")
        name = self._context.fill(name, where)[0]
        return name, self._variable(name, value if equals else None, f"{where}.{name}")

    def _variable(self, name: str, value: Any, where: str) -> Variable | None:
        """Return a variable; one without a value is passed through from where the file is read, if it is set there."""
        if value is None:
            passed = self._context.variables.get(name)
            return None if passed is None else Variable(passed, ".env")
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            raise ConfigurationError(f"{where}: not a single value")
        filled, used = self._context.fill(value, where)
        origin = self._context.called(self._file)
        return Variable(filled, f"{origin} with .env" if used else origin)

    def _env_file(self, entry: Any) -> EnvFileReference:
        where = f"{self._place}.env_file"
        options = entry if isinstance(entry, dict) else {"path": entry}
        path, form = options.get("path"), options.get("format")
        if not isinstance(path, str):
            raise ConfigurationError(f"{where}: neither a path nor a mapping with `path`")
        if form not in (None, "raw"):
            raise ConfigurationError(f"{where}: of the formats only `raw` is known")
        required = options.get("required", True) not in (False, "false")
        return EnvFileReference(self._context.path(path, where), required, "compose" if form is None else "raw")

    def _volumes(self, body: dict[str, Any]) -> dict[str, Mount]:
        context = self._context
        mounts = []
        for number, entry in enumerate(listed(body.get("volumes"), f"{self._place}.volumes")):
            key = f"volumes[{number}]"
            filled = self._filled_entry(entry, key)
            source = filled if isinstance(filled, str) else str(filled.get("source", ""))
            if source.startswith("~"):
                context.used.add("HOME")
            where = f"{self._place}.{key}"
            mounts.append(parse_mount(filled, directory=context.directory, home=context.home, where=where))
        return {mount.target: mount for mount in mounts}

    def _tmpfs(self, body: dict[str, Any]) -> dict[str, Mount]:
        given = body.get("tmpfs")
        where = f"{self._place}.tmpfs"
        entries = [given] if isinstance(given, str) else listed(given, where)
        mounts = [parse_tmpfs(self._fill(str(entry), "tmpfs"), where=where) for entry in entries]
        return {mount.target: mount for mount in mounts}

    def _aliases(self, networks: Any) -> dict[str, None]:
        """Return the service's further names in all its networks; a mere list of networks gives it none."""
        if not isinstance(networks, dict):
            return {}
        plain, _ = unwrapped(networks, f"{self._place}.networks")
        options = [unwrapped(value, f"{self._place}.networks")[0] for value in plain.values() if value is not None]
        return dict.fromkeys(alias for each in options for alias in self._strings(each, "aliases"))

    def _joined(self, networks: Any) -> dict[str, None]:
        """Return the networks that the service is in, by the names of the Compose files."""
        if isinstance(networks, dict):
            return dict.fromkeys(map(str, unwrapped(networks, f"{self._place}.networks")[0]))
        return dict.fromkeys(self._fill(str(name), "networks") for name in several(networks))

    def _links(self, body: dict[str, Any]) -> dict[str, str]:
        """Return the names that `links:` gives to other services."""
        pairs = [link.partition(":") for link in self._strings(body, "links")]
        return {alias or service: service for service, _, alias in pairs}

    def _files(self, body: dict[str, Any], key: str, base: str) -> dict[str, FileReference]:
        """Return what of the top level's configs or secrets the service sees, by the place where it sees it."""
        found = {}
        for entry in listed(body.get(key), f"{self._place}.{key}"):
            options = entry if isinstance(entry, dict) else {"source": entry}
            source, target = options.get("source"), options.get("target")
            if not isinstance(source, str) or not isinstance(target, str | None):
                raise ConfigurationError(f"{self._place}.{key}: neither a name nor a mapping with `source`")
            name = self._fill(source, key)
            place = self._fill(target, key) if target else name
            place = place if place.startswith("/") else base + place
            found[place] = FileReference(name, place)
        return found

    def _filled_entry(self, entry: Any, key: str) -> str | dict[Any, Any]:
        if isinstance(entry, str):
            return self._fill(entry, key)
        if isinstance(entry, dict):
            return {
                name: self._fill(value, f"{key}.{name}") if isinstance(value, str) else value
                for name, value in entry.items()
            }
        raise ConfigurationError(f"{self._place}.{key}: neither SOURCE:TARGET nor a mapping")
