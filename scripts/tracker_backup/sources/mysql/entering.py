"""Get into a server to load something: as the source's own user where that is enough, else as its administrator."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracker_backup.containers.docker import TIMEOUT_SECONDS, Container, docker_program
from tracker_backup.errors import CommandError, RestoreError, SourceError
from tracker_backup.sources.mysql.credentials import Credentials
from tracker_backup.sources.mysql.facts import Identity, identify
from tracker_backup.sources.mysql.fitness import rank
from tracker_backup.sources.mysql.loadrights import Needs, missing_to_load
from tracker_backup.sources.mysql.reach import find_ways
from tracker_backup.sources.mysql.target import Target, password_of, read_password
from tracker_backup.sources.mysql.ways import Connection, ServerRefusalError, Way
from tracker_backup.system.process import run

_ROOT = "root"
_VARIABLES = ("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD")
_AS_ADMINISTRATOR = "name an administrator: --mysql-user root --mysql-password-file FILE"


@dataclass(frozen=True)
class Login:
    """A user to come as, and for people where his password is from."""

    credentials: Credentials = field(repr=False)
    who: str


@dataclass(frozen=True)
class Entered:
    """A server that lets us load: through which connection, who it is, and as whom we come, for people."""

    connection: Connection
    identity: Identity
    who: str


def given_login(user: str, password_file: Path | None) -> Login:
    """Return the login of a user who was named on the command line; without a file he has no password.

    Raises SourceError when the file cannot be read, or others can read it.
    """
    password = "" if password_file is None else read_password(password_file)
    return Login(Credentials(user, password), f"{user}, as --mysql-user says")


def enter(target: Target, stack: Path, needs: Needs, given: Login | None = None) -> Entered:
    """Find a user who may do what is needed, and the best way to the server for him.

    That is the one who was named, if one was; else the source's own user, and if his rights are not enough, root with
    the password that the server's container was made with.

    Raises RestoreError with what is missing, and what to do.
    """
    search = find_ways(target, stack)
    problems = list(search.problems)
    statements: list[str] = []
    for login in _logins(target, search.ways, given, problems):
        entered = _log_in(login, search.ways, problems)
        if entered is None:
            continue
        try:
            missing = missing_to_load(entered.connection, entered.identity, needs)
        except ServerRefusalError as refusal:
            problems.append(refusal.message)
            continue
        if not missing:
            return entered
        problems.append(f"{login.who}: may not do it: missing is {' '.join(missing)}")
        statements = statements or missing
    listed = "\n".join(f"    {problem}" for problem in dict.fromkeys(problems))
    raise RestoreError(f"cannot load into {target.server}:\n{listed}", hint=_hint(search.ways, statements, given))


def visible(target: Target, stack: Path) -> list[Connection]:
    """Return a connection as the source's own user, and one as the administrator: those of the two that get in."""
    search, problems = find_ways(target, stack), list[str]()
    entered = (_log_in(login, search.ways, problems) for login in _logins(target, search.ways, None, problems))
    return [each.connection for each in entered if each is not None]


def _logins(target: Target, ways: Sequence[Way], given: Login | None, problems: list[str]) -> list[Login]:
    if given is not None:
        return [given]
    found = []
    try:
        found.append(Login(Credentials(target.user, password_of(target)), "the source's own user"))
    except SourceError as error:
        problems.append(error.message)
    container = next((way.container for way in ways if way.container is not None), None)
    if container is not None:
        try:
            password = root_password(container)
        except CommandError as error:
            problems.append(f"container {container.name}: {error.message}")
        else:
            if password is not None:
                who = f"root, with the password that container {container.name} was made with"
                found.append(Login(Credentials(_ROOT, password), who))
    return found


def root_password(container: Container) -> str | None:
    """Return root's password as the container's environment has it, or the file that it names; None where neither is.

    Raises CommandError when Docker cannot be asked.
    """
    command = [docker_program(), "inspect", "--type", "container", "--format", "{{json .Config.Env}}", container.id]
    try:
        listed = json.loads(run(command, timeout_seconds=TIMEOUT_SECONDS).stdout) or []
    except ValueError:
        raise CommandError("docker inspect printed what cannot be understood") from None
    values = dict(line.split("=", 1) for line in listed if "=" in line)
    for name in _VARIABLES:
        if name in values:
            return str(values[name])
        if f"{name}_FILE" in values:
            command = [docker_program(), "exec", "--user", "0", container.id, "cat", values[f"{name}_FILE"]]
            # As the images read it: the shell takes the line's end away.
            return run(command, timeout_seconds=TIMEOUT_SECONDS).stdout.rstrip("\n")
    return None


def _log_in(login: Login, ways: Sequence[Way], problems: list[str]) -> Entered | None:
    """Return the way that gets this user in, its client of the server's own flavour where there is one."""
    identity: Identity | None = None
    reached: list[Connection] = []
    for way in ways:
        if identity is not None and way.clients.flavour != identity.flavour:
            continue
        connection = Connection(way, login.credentials)
        try:
            identity = identify(connection)
        except ServerRefusalError as refusal:
            problems.append(f"{login.who}: {refusal.message}")
            continue
        reached.append(connection)
        if rank(way.clients.query, identity) == (False, False):
            break
    if identity is None:
        return None
    best = min(reached, key=lambda connection: rank(connection.way.clients.query, identity))
    return Entered(best, identity, login.who)


def _hint(ways: Sequence[Way], statements: Sequence[str], given: Login | None) -> str:
    if not ways:
        return "start the server first: nothing was started and nothing was changed"
    if given is not None and not statements:
        return "correct --mysql-user and what is in --mysql-password-file"
    other = "name a user who may" if given is not None else _AS_ADMINISTRATOR
    if statements:
        return f"run as the server's administrator: {' '.join(statements)}\n  or {other}"
    return f"correct what the stack says of user and password, or {other}"
