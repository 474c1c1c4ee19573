"""Find a stack's Compose files and read them, with .env and the services' environment files, as Compose does."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import reading
from tracker_backup.stack.composefile import Context, EnvFileReference, ServiceDraft, parse_services
from tracker_backup.stack.envfile import EnvFile, parse_env
from tracker_backup.stack.interpolation import interpolate
from tracker_backup.stack.model import Project, Service, Variable
from tracker_backup.stack.yamlfile import parse_yaml

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""The names that Compose looks for, the first that is there wins."""
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


def load_project(directory: Path) -> Project:
    """Read the Compose project in `directory`, an absolute path.

    The environment of this process takes no part: cron's is not that of whoever started the stack.
    Raises ConfigurationError when the directory or a Compose file is missing, unreadable, malformed, or uses what is
    not supported yet.
    """
    present = reading.list_names(directory)
    env = _read_env(directory)
    names, notes = choose_files(present, env.values, directory)
    files = tuple(directory / name for name in names)
    documents = [parse_yaml(reading.read_text(file), file=str(file)) for file in files]
    name = project_name(documents, env.values, directory)
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    variables = {"PWD": str(directory), "HOME": str(home), "COMPOSE_PROJECT_NAME": name, **env.values}
    context = Context(directory, home, variables, missing=dict.fromkeys(env.missing))
    drafts: dict[str, ServiceDraft] = {}
    for file, document in zip(files, documents, strict=True):
        for service, draft in parse_services(document, file, context).items():
            drafts.setdefault(service, ServiceDraft()).merge(draft)
    if not drafts:
        raise ConfigurationError(f"{files[0]} has no services")
    services = {service: _finish(service, draft, context) for service, draft in drafts.items()}
    notes += _notes_on_variables(context, env.values)
    return Project(name, directory, files, services, tuple(notes))


def choose_files(present: frozenset[str], env: Mapping[str, str], directory: Path) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of the Compose files, in the order in which they are merged, and notes.

    `present` are the names in the stack's directory, `env` the values of .env, whose COMPOSE_FILE is followed.
    Raises ConfigurationError when there is none.
    """
    if env.get("COMPOSE_FILE"):
        return _files_of_variable(env, directory), []
    found = [name for name in FILE_NAMES if name in present]
    overrides = [name for name in OVERRIDE_NAMES if name in present]
    if not found:
        raise ConfigurationError(
            f"there is no Compose file in {directory}; looked for {', '.join(FILE_NAMES)}",
            hint="`stack:` in the configuration (tracker_backup_stack_dir for the role) must name the directory "
            "with the Compose file",
        )
    notes = [
        f"{directory} has several of them: {', '.join(names)}; Compose takes {names[0]}"
        for names in (found, overrides)
        if len(names) > 1
    ]
    return (found[0], *overrides[:1]), notes


def _files_of_variable(env: Mapping[str, str], directory: Path) -> tuple[str, ...]:
    names = tuple(
        os.path.normpath(name) for name in env["COMPOSE_FILE"].split(env.get("COMPOSE_PATH_SEPARATOR") or ":")
    )
    if any("/" in name for name in names):
        # The first file's directory would become the project's, and relative paths with it.
        raise ConfigurationError(
            f"{directory / '.env'}: COMPOSE_FILE names a file outside {directory}, which is not supported yet",
            hint="name the databases under `sources:` in the configuration instead",
        )
    return names


def project_name(documents: list[Any], env: Mapping[str, str], directory: Path) -> str:
    """Return the project's name: COMPOSE_PROJECT_NAME, else the last `name:` of the files, else the directory's."""
    given = [document.get("name") for document in documents if isinstance(document, dict)]
    named = [interpolate(name, env, where=f"{directory}: name").value for name in given if isinstance(name, str)]
    name = env.get("COMPOSE_PROJECT_NAME") or (named[-1] if named else directory.name)
    return re.sub(r"[^-_a-z0-9]", "", name.lower()).lstrip("-_")


def _read_env(directory: Path) -> EnvFile:
    file = directory / ".env"
    text = reading.read_text_if_there(file)
    return EnvFile({}, ()) if text is None else parse_env(text, file=str(file))


def _finish(name: str, draft: ServiceDraft, context: Context) -> Service:
    """Return the service with its environment files read; `environment:` wins over them, later files over earlier."""
    variables: dict[str, Variable] = {}
    for reference in draft.env_files:
        variables.update(_read_env_file(name, reference, context))
    for variable, value in draft.variables.items():
        if value is not None:
            variables[variable] = value
        elif variable in context.variables:
            variables[variable] = Variable(context.variables[variable], ".env")
    return Service(
        name=name,
        image=draft.image,
        container_name=draft.container_name,
        working_dir=draft.working_dir,
        variables=variables,
        mounts=tuple(draft.mounts.values()),
        hostname=draft.hostname,
        aliases=tuple(draft.aliases),
        links=draft.links,
    )


def _read_env_file(service: str, reference: EnvFileReference, context: Context) -> dict[str, Variable]:
    text = reading.read_text_if_there(reference.path)
    if text is None:
        if reference.required:
            raise ConfigurationError(f"service {service}: its env_file {reference.path} does not exist")
        return {}
    parsed = parse_env(text, file=str(reference.path), environment=context.variables)
    context.missing.update(dict.fromkeys(parsed.missing))
    origin = os.path.relpath(reference.path, context.directory)
    return {name: Variable(value, origin, from_env_file=True) for name, value in parsed.values.items()}


def _notes_on_variables(context: Context, env: Mapping[str, str]) -> list[str]:
    notes = [
        f"the variable {name} is used but not set in .env: it counts as empty, as for Compose"
        for name in context.missing
    ]
    if "HOME" in context.used and "HOME" not in env:
        notes.append(f"the home directory in the Compose files (~ or $HOME) is taken to be {context.home}")
    return notes
