"""Find a stack's Compose files and read them, with .env and the services' environment files, as Compose does."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracker_backup.compose import reading
from tracker_backup.compose.composition import Composition, read_env_files
from tracker_backup.compose.context import Context
from tracker_backup.compose.deployment import Deployment
from tracker_backup.compose.finishing import finish_services, finish_volumes
from tracker_backup.compose.interpolation import interpolate
from tracker_backup.compose.model import Project
from tracker_backup.errors import ConfigurationError

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""The names that Compose looks for, the first that is there wins."""
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


def load_project(directory: Path, deployment: Deployment | None = None) -> Project:
    """Read the Compose project in `directory`, an absolute path, and with what its containers say it was started.

    The environment of this process takes no part: cron's is not that of whoever started the stack.
    Raises ConfigurationError when the directory or a Compose file is missing, unreadable, malformed, or uses what is
    not supported.
    """
    present = reading.list_names(directory)
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    context = Context(directory, home, {"PWD": str(directory), "HOME": str(home)}, directory)
    notes: list[str] = []
    env = _environment(directory, deployment, context, notes)
    choice = _choice(present, env, directory, deployment, notes)
    context.directory = choice.directory
    if choice.directory != directory:
        # Compose looks there as well; what the first .env says goes before.
        context.variables = {**context.variables, **env}
        env = {**read_env_files([choice.directory / ".env"], context, required=False, said=".env").values, **env}
    composition = Composition()
    documents = [composition.document(file, choice.said) for file in choice.files]
    name = deployment.project if deployment else project_name(documents, env, choice.directory)
    context.variables = {**context.variables, "COMPOSE_PROJECT_NAME": name, **env}
    content = composition.compose(choice.files, context, choice.said)
    if not content.services:
        raise ConfigurationError(f"{choice.files[0]} has no services")
    services = finish_services(content, context)
    notes += _notes_on_variables(context, env)
    return Project(
        name=name,
        directory=choice.directory,
        files=tuple(composition.files),
        env_files=tuple(context.env_files),
        services=services,
        notes=tuple(notes),
        volumes=finish_volumes(content, name),
        profiles=_profiles(env),
    )


@dataclass(frozen=True)
class Choice:
    """The Compose files in the order in which they are merged, the project's directory, and what said so."""

    files: tuple[Path, ...]
    directory: Path
    said: str
    notes: tuple[str, ...] = ()


def _environment(directory: Path, deployment: Deployment | None, context: Context, notes: list[str]) -> dict[str, str]:
    """Return the values of .env, or of the files that the stack was started with in its place."""
    files, usual = (deployment.env_files if deployment else ()), (directory / ".env",)
    gone = [str(file) for file in files if not reading.exists(file)]
    if gone and files != usual:
        notes.append(f"the stack was started with {', '.join(gone)}, which does not exist any more: .env is read")
    if not files or gone:
        files = usual
    if files != usual:
        notes.append(
            f"in place of .env, {', '.join(map(context.called, files))} is read: the stack was started with it"
        )
    return read_env_files(files, context, required=False, said="the stack").values


def _choice(
    present: frozenset[str], env: Mapping[str, str], directory: Path, deployment: Deployment | None, notes: list[str]
) -> Choice:
    """Return the files that the stack was started with, as its containers say, else those that Compose would take."""
    files = deployment.files if deployment else ()
    gone = [str(file) for file in files if not reading.exists(file)]
    if files and not gone:
        if any(file.parent != directory or file.name not in (*FILE_NAMES, *OVERRIDE_NAMES) for file in files):
            called = ", ".join(os.path.relpath(file, directory) for file in files)
            notes.append(f"the Compose files are {called}: the stack was started with them")
        return Choice(files, directory, "the labels of the stack's containers")
    choice = choose_files(present, env, directory)
    notes += choice.notes
    if gone:
        called = ", ".join(file.name for file in choice.files)
        notes.append(
            f"the stack was started with {', '.join(gone)}, which does not exist any more: {called} is read; "
            "`docker compose up -d` makes its containers anew"
        )
    return choice


def choose_files(present: frozenset[str], env: Mapping[str, str], directory: Path) -> Choice:
    """Return the Compose files that Compose takes in a directory where `present` are the names.

    `env` are the values of .env, whose COMPOSE_FILE is followed.
    Raises ConfigurationError when there is none.
    """
    if env.get("COMPOSE_FILE"):
        return _files_of_variable(env, directory)
    found = [name for name in FILE_NAMES if name in present]
    overrides = [name for name in OVERRIDE_NAMES if name in present]
    if not found:
        raise ConfigurationError(
            f"there is no Compose file in {directory}; looked for {', '.join(FILE_NAMES)}",
            hint="`stack:` in the configuration (tracker_backup_stack_dir for the role) must name the directory "
            "with the Compose file; a COMPOSE_FILE in its .env is followed",
        )
    notes = tuple(
        f"{directory} has several of them: {', '.join(names)}; Compose takes {names[0]}"
        for names in (found, overrides)
        if len(names) > 1
    )
    files = tuple(directory / name for name in (found[0], *overrides[:1]))
    return Choice(files, directory, "the stack", notes)


def _files_of_variable(env: Mapping[str, str], directory: Path) -> Choice:
    """Return the files of COMPOSE_FILE; the first one's directory is the project's, as for Compose."""
    names = env["COMPOSE_FILE"].split(env.get("COMPOSE_PATH_SEPARATOR") or ":")
    files = tuple(Path(os.path.normpath(directory / name)) for name in names if name)
    if not files:
        raise ConfigurationError(
            f"{directory / '.env'}: COMPOSE_FILE names no file", hint="correct it, or leave it out"
        )
    return Choice(files, files[0].parent, f"COMPOSE_FILE in {directory / '.env'}")


def project_name(documents: list[Any], env: Mapping[str, str], directory: Path) -> str:
    """Return the project's name: COMPOSE_PROJECT_NAME, else the last `name:` of the files, else the directory's."""
    given = [document.get("name") for document in documents if isinstance(document, dict)]
    named = [interpolate(name, env, where=f"{directory}: name").value for name in given if isinstance(name, str)]
    name = env.get("COMPOSE_PROJECT_NAME") or (named[-1] if named else directory.name)
    return re.sub(r"[^-_a-z0-9]", "", name.lower()).lstrip("-_")


def _profiles(env: Mapping[str, str]) -> tuple[str, ...] | None:
    given = env.get("COMPOSE_PROFILES")
    return None if given is None else tuple(name.strip() for name in given.split(",") if name.strip())


def _notes_on_variables(context: Context, env: Mapping[str, str]) -> list[str]:
    notes = [
        f"the variable {name} is used but not set in .env: it counts as empty, as for Compose"
        for name in context.missing
    ]
    if "HOME" in context.used and "HOME" not in env:
        notes.append(f"the home directory in the Compose files (~ or $HOME) is taken to be {context.home}")
    return notes
