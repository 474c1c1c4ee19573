"""A way to a server: which clients, from where, over what; and how a client is started on it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tracker_backup.containers.docker import Container, container_state, docker_program
from tracker_backup.errors import CommandError, SourceError
from tracker_backup.sources.mysql.clients import MARIADB, Client, Clients
from tracker_backup.sources.mysql.credentials import Credentials, as_descriptor
from tracker_backup.system.process import run
from tracker_backup.system.signals import start_undisturbed
from tracker_backup.system.stream import Child, describe_exit

QUERY_SECONDS = 60
_CONNECT_SECONDS = 10
_LEAVE_SECONDS = 5
_PID = "tracker-backup-pid "
# Killing `docker exec` leaves the program in the container running, so it says how it can be found there.
_INSIDE = f'echo "{_PID}$$" >&2; exec "$@"'
# The first bytes of stdin are the option file, and what follows is the client's own.
_INSIDE_FED = f"""echo "{_PID}$$" >&2
length=$1 client=$2
shift 2
exec "$client" --defaults-file=/dev/fd/3 "$@" 3<<OPTIONS
$(head -c "$length")
OPTIONS
"""


@dataclass(frozen=True)
class Way:
    """One way to a server.

    `place` says it to people; `address` are the option file's host, port, socket or protocol; `container` is where the
    client runs for `exec`, and for `host` the container whose address or port it is, if it is one.
    """

    kind: str
    place: str
    clients: Clients
    address: Mapping[str, str]
    container: Container | None = None

    def __str__(self) -> str:
        """Return client and way for people."""
        where = "inside the container" if self.inside else "on the host"
        return f"{self.clients.dump} {where}, {self.place}"

    @property
    def inside(self) -> bool:
        """Whether the client runs inside the container."""
        return self.kind == "exec"

    def still_there(self) -> bool:
        """Return whether the container is the same and runs; what is no container is taken to be there.

        Raises CommandError when Docker cannot be asked.
        """
        return self.container is None or container_state(self.container.id) == "running"


@dataclass(frozen=True)
class Connection:
    """A way to a server, with the rights of a user."""

    way: Way
    credentials: Credentials = field(repr=False)

    @contextmanager
    def start(
        self, client: Client, arguments: Sequence[str], *, low_priority: bool = False, feeding: bool = False
    ) -> Iterator[Child]:
        """Start a client; it is ended with the block, inside a container too.

        It reads nothing but its options; with `feeding` its stdin is the caller's to fill and to close.

        Raises CommandError when it cannot be started.
        """
        option_file = self.credentials.option_file(self.way.address)
        options = [*_login_options(client), *_safe_options(client), *arguments]
        if self.way.inside:
            yield from self._inside(client, options, option_file, feeding=feeding)
            return
        with as_descriptor(option_file) as descriptor:
            argv = [client.path, f"--defaults-file=/dev/fd/{descriptor}", *options]
            child = Child(argv, low_priority=low_priority, inherit=[descriptor])
        with child:
            yield child

    def _inside(self, client: Client, options: Sequence[str], option_file: bytes, *, feeding: bool) -> Iterator[Child]:
        if self.way.container is None:
            raise CommandError("a client inside a container needs a container")
        argv = [docker_program(), "exec", "--interactive", "--user", "0", self.way.container.id, "sh", "-c"]
        if feeding:
            argv += [_INSIDE_FED, "sh", str(len(option_file)), client.path, *options]
        else:
            argv += [_INSIDE, "sh", client.path, "--defaults-file=/dev/stdin", *options]
        with Child(argv) as child:
            try:
                if feeding:
                    _write(child, option_file)  # a pipe takes it at once, whether it is read or not
                else:
                    child.feed(lambda: _write(child, option_file))
                yield child
            except BaseException:
                self._end_inside(child)
                raise
            if feeding:
                self._leave(child)

    def _leave(self, child: Child) -> None:
        """Let a client that was fed come to its end, so that its locks are gone; what is busy then is killed."""
        try:
            child.finish(_LEAVE_SECONDS)
        except CommandError:
            self._end_inside(child)

    def _end_inside(self, child: Child) -> None:
        """Kill the client in its container, where it would go on into the void and keep its locks."""
        child.kill()
        pid = next((line.removeprefix(_PID) for line in child.stderr_text().splitlines() if line.startswith(_PID)), "")
        if self.way.container is not None and pid.isdigit():
            kill = [docker_program(), "exec", "--user", "0", self.way.container.id, "sh", "-c", 'kill -9 "$1"', "sh"]
            with contextlib.suppress(CommandError):  # it, or its container, has ended by itself
                run([*kill, pid], timeout_seconds=QUERY_SECONDS, check=False)

    def query(self, *statements: str, seconds: float = QUERY_SECONDS) -> list[list[tuple[str, ...]]]:
        """Run SQL statements, one after the other in one session, and return the rows of each; NULL is "NULL".

        Raises ServerRefusalError with what the client said.
        """
        marked = _PLAIN_SQL + "".join(f"SELECT '{_MARK}'; {statement};\n" for statement in statements)
        arguments = ["--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        arguments += [f"--connect-timeout={_CONNECT_SECONDS}", f"--execute={marked}"]
        with self.start(self.way.clients.query, arguments) as child, _killed_after(seconds, child) as expired:
            told = child.stdout.read()
            code = child.finish()
            if expired.is_set():
                raise ServerRefusalError(f"no answer within {seconds:.0f} s", self.way)
            if code != 0:
                raise ServerRefusalError(
                    in_one_line(said_by(child)) or f"{self.way.clients.query.name} {describe_exit(code)}", self.way
                )
        return parse_rows(told.decode(errors="backslashreplace"))


class ServerRefusalError(SourceError):
    """A server could not be reached, or refused; `said` is what the client said of it."""

    def __init__(self, said: str, way: Way) -> None:
        """Keep what was said, and on which way."""
        super().__init__(f"{way}: {said}")
        self.said = said


_MARK = "tracker-backup-answer"
_PLAIN_SQL = "SET SESSION sql_mode = '';\n"
"""How a server was set up must not show in its answers: with ANSI_QUOTES, SHOW GRANTS quotes names differently."""
_DECODED = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


def parse_rows(text: str) -> list[list[tuple[str, ...]]]:
    """Read what a client prints with --batch: fields between tabs, with backslashes before what would break a line."""
    answers: list[list[tuple[str, ...]]] = []
    for line in text.split("\n")[:-1]:
        if line == _MARK:
            answers.append([])
        elif answers:
            answers[-1].append(parse_fields(line))
    return answers


def parse_fields(line: str) -> tuple[str, ...]:
    """Read a line of what a client prints with --batch."""
    return tuple(_decoded(field) for field in line.split("\t"))


def said_by(child: Child) -> list[str]:
    """Return the lines that a client has said on stderr, without our own."""
    lines = [line.strip() for line in child.stderr_text().splitlines() if not line.startswith(_PID)]
    return [line for line in lines if line]


def in_one_line(lines: Sequence[str]) -> str:
    """Return what was said on one line, not too long for a message."""
    return " / ".join(lines)[:600]


def _decoded(text: str) -> str:
    if "\\" not in text:
        return text
    parts, characters = [], iter(text)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            parts.append(_DECODED.get(escaped, escaped))
        else:
            parts.append(character)
    return "".join(parts)


def _login_options(client: Client) -> list[str]:
    # MySQL's clients read ~/.mylogin.cnf even with --defaults-file.
    return ["--no-login-paths"] if "no-login-paths" in client.options else []


def _safe_options(client: Client) -> list[str]:
    """Return what keeps a client to its task, and lets it reach a server that made its certificate itself."""
    options = []
    if client.flavour == MARIADB and "ssl-verify-server-cert" in client.options:
        options.append("--skip-ssl-verify-server-cert")
    if "local-infile" in client.options:
        options.append("--local-infile=0")  # a server may ask for any file of the host in answer to any question
    if "get-server-public-key" in client.options:
        options.append("--get-server-public-key")
    return options


def _write(child: Child, data: bytes) -> None:
    child.stdin.write(data)


@contextmanager
def _killed_after(seconds: float, child: Child) -> Iterator[threading.Event]:
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        child.kill()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    start_undisturbed(timer)
    try:
        yield expired
    finally:
        timer.cancel()
