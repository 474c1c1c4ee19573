"""Read one Compose file: its document in, drafts of its parts out, interpolated but not yet merged with other files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tracker_backup.compose.context import Context, listed, several, unwrapped
from tracker_backup.compose.drafts import Content, FileDraft, Include, VolumeDraft
from tracker_backup.compose.servicebody import read_service
from tracker_backup.compose.yamlfile import Replacing
from tracker_backup.errors import ConfigurationError

_REMOTE = re.compile(r"^(?:oci|https?|ssh|git)://|^git@|^github\.com/|\.git(?:#|$)")
_REMOTE_HINT = (
    "put the file into the stack and include it from there, or name the databases under `sources:` in the configuration"
)


def read_document(document: Any, file: Path, context: Context) -> Content:
    """Return what a parsed Compose file says; `extends` and `include` are references still.

    Raises ConfigurationError for what is no Compose file, and for what cannot be read.
    """
    if not isinstance(document, dict):
        raise ConfigurationError(f"{file}: not a Compose file: it holds no mapping with `services:`")
    return _DocumentReader(document, file, context).read()


class _DocumentReader:
    def __init__(self, document: dict[Any, Any], file: Path, context: Context) -> None:
        self._document = document
        self._file = file
        self._context = context
        self._replaced: set[tuple[str, str | None]] = set()

    def read(self) -> Content:
        services = {
            name: read_service(name, body, self._file, self._context) for name, body in self._section("services")
        }
        return Content(
            services=services,
            volumes={name: self._volume(name, body) for name, body in self._section("volumes")},
            configs={name: self._host_file("configs", name, body) for name, body in self._section("configs")},
            secrets={name: self._host_file("secrets", name, body) for name, body in self._section("secrets")},
            includes=tuple(self._includes()),
            replaced=frozenset(self._replaced),
        )

    def _section(self, section: str) -> list[tuple[str, Any]]:
        value = self._document.get(section)
        if isinstance(value, Replacing):
            self._replaced.add((section, None))
            value = value.value
        if value is None:
            return []
        if not isinstance(value, dict):
            raise ConfigurationError(f"{self._file}: `{section}` is not a mapping")
        plain, replaced = unwrapped(value, section)
        self._replaced |= {(section, name) for name in replaced}
        return list(plain.items())

    def _volume(self, name: str, body: Any) -> VolumeDraft:
        place = f"{self._file}: volumes.{name}"
        plain, _ = unwrapped({} if body is None else body, place)
        external = plain.get("external")
        old_name = external.get("name") if isinstance(external, dict) else None  # as it was before `name:`
        options, _ = unwrapped(plain.get("driver_opts") or {}, f"{place}.driver_opts")
        filled = {key: self._fill(value, f"{place}.driver_opts.{key}") or "" for key, value in options.items()}
        driver = self._fill(plain.get("driver"), f"{place}.driver")
        if driver == "local" and filled.get("o") == "bind" and filled.get("device"):
            # Only written out like this does Compose take a relative device from the project's directory.
            filled["device"] = str(self._context.resolved(filled["device"]))
        return VolumeDraft(
            name=self._fill(plain.get("name", old_name), f"{place}.name"),
            external=isinstance(external, dict) or external in (True, "true"),
            driver=driver,
            options=filled,
        )

    def _host_file(self, section: str, name: str, body: Any) -> FileDraft:
        place = f"{self._file}: {section}.{name}"
        plain, _ = unwrapped({} if body is None else body, place)
        file, content = plain.get("file"), plain.get("content")
        return FileDraft(
            file=self._context.path(file, f"{place}.file") if isinstance(file, str) else None,
            content=self._fill(content, f"{place}.content"),
        )

    def _includes(self) -> list[Include]:
        place = f"{self._file}: include"
        value = self._document.get("include")
        entries = listed(value.value if isinstance(value, Replacing) else value, place)
        return [self._include(entry, place) for entry in entries]

    def _include(self, entry: Any, place: str) -> Include:
        options = entry if isinstance(entry, dict) else {"path": entry}
        paths = several(options.get("path"))
        directory, env_files = options.get("project_directory"), options.get("env_file")
        given = [*paths, *several(env_files), *several(directory)]
        if not paths or not all(isinstance(path, str) for path in given) or isinstance(directory, list):
            raise ConfigurationError(f"{place}: neither a path nor a mapping with `path`")
        filled = [self._context.fill(path, place)[0] for path in paths]
        if any(map(_REMOTE.search, filled)):
            # It is not shown: the URL of a repository may hold a token.
            raise ConfigurationError(
                f"{place}: an entry is no file of this host but to be fetched, and nothing is", hint=_REMOTE_HINT
            )
        return Include(
            paths=tuple(map(self._context.resolved, filled)),
            directory=None if directory is None else self._context.path(directory, place),
            env_files=None if not env_files else tuple(self._context.path(file, place) for file in several(env_files)),
        )

    def _fill(self, value: Any, place: str) -> str | None:
        if value is None:
            return None
        if isinstance(value, dict | list):
            raise ConfigurationError(f"{place}: not a single value")
        return self._context.fill(str(value), place)[0]
