"""Put Compose files together: overrides in their order, `extends` and `include`, each read where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracker_backup.compose import reading
from tracker_backup.compose.composefile import read_document
from tracker_backup.compose.context import Context
from tracker_backup.compose.drafts import Content, Include, ServiceDraft
from tracker_backup.compose.envfile import EnvFile, parse_env
from tracker_backup.compose.yamlfile import parse_yaml
from tracker_backup.errors import ConfigurationError

_NO_ENV_FILE = Path("/dev/null")
_SOURCES_HINT = "correct it, or name the databases under `sources:` in the configuration, which replaces discovery"


@dataclass
class Composition:
    """What has been read of a project's files: `documents` as parsed, `files` in the order of reading."""

    documents: dict[Path, Any] = field(default_factory=dict, repr=False)
    files: dict[Path, None] = field(default_factory=dict)  # an ordered set

    def document(self, file: Path, said: str) -> Any:
        """Return a file as parsed, read once; `said` names what asks for it.

        Raises ConfigurationError when it is missing, unreadable or malformed.
        """
        if file not in self.documents:
            text = reading.read_text_if_there(file)
            if text is None:
                raise ConfigurationError(f"{said}: {file} does not exist", hint=_SOURCES_HINT)
            self.documents[file] = parse_yaml(text, file=str(file))
        self.files[file] = None
        return self.documents[file]

    def compose(self, files: Sequence[Path], context: Context, said: str, including: tuple[Path, ...] = ()) -> Content:
        """Return what the files say, later ones over earlier ones.

        `said` names what asks for them, `including` are those that led here by `include`.
        Raises ConfigurationError for what cannot be read, for cycles and for conflicts.
        """
        content = Content()
        for file in files:
            content.merge(self._one(file, context, said, including))
        return content

    def _one(self, file: Path, context: Context, said: str, including: tuple[Path, ...]) -> Content:
        if file in including:
            raise _cycle("include", map(str, (*including[including.index(file) :], file)))
        content = read_document(self.document(file, said), file, context)
        read = content.services
        content.services = {name: self._extended(name, read, file, context, ()) for name in read}
        for include in content.includes:
            self._include(include, content, file, context, including)
        return content

    def _include(
        self, include: Include, content: Content, file: Path, context: Context, including: tuple[Path, ...]
    ) -> None:
        """Add what an include brings; it must not say other things than the file does that includes it."""
        said = f"{file}: include"
        directory = include.directory or include.paths[0].parent
        files = include.env_files or (directory / ".env",)
        env = read_env_files(files, context, required=include.env_files is not None, said=said)
        # What holds outside goes first, so that whoever includes can set it.
        inside = context.inside(directory, {**env.values, **context.variables})
        brought = self.compose(include.paths, inside, said, (*including, file)).without_replaced()
        conflicts = content.conflicts(brought)
        if conflicts:
            raise ConfigurationError(
                f"{file}: {', '.join(conflicts)} from the included {include.paths[0]} is there already, and differs",
                hint="Compose refuses that too: rename it, or put the difference into an override file",
            )
        content.merge(brought)

    def _extended(
        self, name: str, services: dict[str, ServiceDraft], file: Path, context: Context, seen: tuple[str, ...]
    ) -> ServiceDraft:
        """Return a service with what it extends below it; `seen` are the services that led here by `extends`."""
        draft = services[name]
        if draft.extends is None:
            return draft.copy()
        step = f"{name} in {file}"
        if step in seen:
            raise _cycle("extends", (*seen[seen.index(step) :], step))
        said = f"{file}: services.{name}.extends"
        base_file, base = draft.extends.file or file, draft.extends.service
        if base_file != file:
            context = context.inside(base_file.parent)
            services = read_document(self.document(base_file, said), base_file, context).services
        if base not in services:
            raise ConfigurationError(f"{said}: there is no service {base} in {base_file}", hint=_SOURCES_HINT)
        return self._extended(base, services, base_file, context, (*seen, step)).merge(draft)


def read_env_files(files: Sequence[Path], context: Context, *, required: bool, said: str) -> EnvFile:
    """Return what environment files set, later ones over earlier ones; `said` names what asks for them.

    Raises ConfigurationError when one cannot be read, or is `required` and missing.
    """
    values: dict[str, str] = {}
    missing: dict[str, None] = {}
    for file in files:
        text = "" if file == _NO_ENV_FILE else reading.read_text_if_there(file)
        if text is None and required:
            raise ConfigurationError(f"{said}: the env_file {file} does not exist", hint=_SOURCES_HINT)
        if text:
            context.env_files[file] = None
        parsed = parse_env(text or "", file=str(file), environment={**values, **context.variables})
        values.update(parsed.values)
        missing.update(dict.fromkeys(parsed.missing))
    context.missing.update(missing)
    return EnvFile(values, tuple(missing))


def _cycle(key: str, steps: Any) -> ConfigurationError:
    return ConfigurationError(f"`{key}` goes in a circle: {' → '.join(steps)}", hint=_SOURCES_HINT)
