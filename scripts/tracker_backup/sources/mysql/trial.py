"""A throw-away server: a dump is loaded into it, looked at, and everything of it is gone afterwards.

It runs as a container of the image that the stack's own server runs, by id, so that nothing is fetched and nothing can
be another version; where the server is no container, as a process of a server program that is on this host. Either way
it has no network, takes a small share of the machine, keeps its data below the run's own staging directory, and dies
with us: it ends when its stdin does, and when the kernel ends us, it ends that too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tracker_backup.containers.docker import docker_program
from tracker_backup.errors import CommandError
from tracker_backup.sources.mysql.clients import MARIADB, MYSQL
from tracker_backup.sources.mysql.ways import parse_rows
from tracker_backup.system.process import run
from tracker_backup.system.stream import Child

LABEL = "org.tracker-backup.trial"
MEMORY_BYTES = 2 * 1024**3
"""What must be free in memory: the server gets three quarters of it."""
_SERVER_BYTES = MEMORY_BYTES * 3 // 4
_UP_SECONDS = 180
_ASK_SECONDS = 60
_STOP_SECONDS = 30
_MARK = "tracker-backup-answer"
_INSIDE = "/trial"
# Nothing in the schema may run: an event that deletes old rows would make a liar of the comparison.
_OPTIONS = (
    "--no-defaults",
    "--skip-networking",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--event-scheduler=OFF",
    # Small, but so that the unique index of some million rows fits: rows come in no order of it.
    "--innodb-buffer-pool-size=512M",
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-innodb-doublewrite",
    "--loose-innodb-redo-log-capacity=256M",
    "--loose-innodb-log-file-size=256M",
    "--max-allowed-packet=1G",
    "--loose-mysqlx=OFF",
    "--loose-performance-schema=OFF",
    # Tables from before it was strict are as good as they are on the source's server.
    "--innodb-strict-mode=OFF",
)
# The directory, the flavour, the socket, then options. Ends with stdin, so that nothing outlives who started it.
_SERVE = f"""
directory=$1 flavour=$2 socket=$3
shift 3
PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec
user=
[ "$(id -u)" -ne 0 ] || user=--user=root
mkdir -m 0700 "$directory/data" "$directory/tmp" || exit 1
if [ "$flavour" = {MARIADB} ]; then
    server=$(command -v mariadbd || command -v mysqld) || exit 127
    install=$(command -v mariadb-install-db || command -v mysql_install_db) || exit 127
    "$install" --no-defaults $user --datadir="$directory/data" --auth-root-authentication-method=normal \\
        --skip-test-db "$@" >"$directory/log" 2>&1 || exit 1
else
    server=$(command -v mysqld) || exit 127
    # Its own place for files to load is not there in every image, and then it does not start.
    set -- "$@" --secure-file-priv=NULL
    "$server" --no-defaults $user --datadir="$directory/data" --initialize-insecure "$@" >"$directory/log" 2>&1 ||
        exit 1
fi
exec 3<&0
"$server" {" ".join(_OPTIONS)} $user --datadir="$directory/data" --tmpdir="$directory/tmp" "$@" \\
    --socket="$socket" --pid-file="$directory/pid" >>"$directory/log" 2>&1 </dev/null 3<&- &
server_pid=$!
( cat <&3 >/dev/null; kill -9 "$server_pid" ) >/dev/null 2>&1 &
exec 3<&-
wait "$server_pid"
"""


# The programs in its first word: the first that is there is run, with the other words.
_FIRST_OF = 'for name in $1; do path=$(command -v "$name") && shift && exec "$path" "$@"; done; exit 127'


@dataclass(frozen=True)
class Kind:
    """What server to run: its flavour, the id of its image, None for a program on this host, and settings to copy."""

    flavour: str
    image: str | None
    settings: tuple[str, ...] = ()


class TrialError(Exception):
    """There is no server to try a dump on: that says nothing about the dump."""


class TrialServer:
    """A running throw-away server."""

    def __init__(self, child: Child, client: Sequence[str], log: Path) -> None:
        """Talk to it through a client that is started by `client`."""
        self._child = child
        # Nothing in a name or a dump is a command to the client.
        self._client = [*client, "--binary-mode", "--max-allowed-packet=1G", "--default-character-set=utf8mb4"]
        self._log = log

    def query(self, *statements: str, seconds: float = _ASK_SECONDS) -> list[list[tuple[str, ...]]]:
        """Run SQL statements in one session and return the rows of each; NULL is "NULL".

        Raises CommandError when the server refuses one, or does not answer within `seconds`.
        """
        marked = "".join(f"SELECT '{_MARK}';\n{statement};\n" for statement in statements)
        argv = [*self._client, "--batch", "--skip-column-names"]
        told = run(argv, timeout_seconds=seconds, input_text=marked)
        return parse_rows(told.stdout)

    @contextmanager
    def loading(self, schema: str) -> Iterator[Child]:
        """Start a client that loads what its stdin is fed into a schema."""
        # To MySQL's client what begins with a hyphen is an option after `--` as well, so the schema is one's value.
        # MariaDB's client takes comments out of triggers and routines, if it is not told to leave them.
        with Child([*self._client, "--comments", f"--database={schema}"], low_priority=True) as child:
            yield child

    def alive(self) -> bool:
        """Return whether the server runs."""
        return self._child.ended() is None

    def said(self) -> str:
        """Return the end of its log, on one line."""
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        errors = [line for line in lines if "[ERROR]" in line] or lines
        return " / ".join(line[-200:] for line in errors[-3:]) or self._child.last_words()


@contextmanager
def trial_server(kind: Kind, directory: Path, owner: str) -> Iterator[TrialServer]:
    """Run a server with its files in `directory`, which is made, until the block ends.

    `owner` says whose it is, so that what a crash has left is found again by :func:`sweep`.

    Raises TrialError when it cannot be started.
    """
    directory.mkdir(mode=0o700)
    with contextlib.ExitStack() as stack:
        try:
            if kind.image is None:
                server = _process(kind, directory, stack)
            else:
                server = _container(kind, kind.image, directory, owner, stack)
            _wait(server)
        except CommandError as error:
            raise TrialError(error.message) from error
        yield server


def sweep(owner: str) -> None:
    """Remove the containers that an earlier run of `owner` has left.

    Raises CommandError when Docker cannot.
    """
    listed = run(
        [docker_program(), "ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}={owner}"],
        timeout_seconds=_STOP_SECONDS,
    )
    for identifier in listed.stdout.split():
        run([docker_program(), "rm", "--force", "--volumes", identifier], timeout_seconds=_STOP_SECONDS)


def has_image(identifier: str) -> bool:
    """Return whether an image is on this host.

    Raises CommandError where Docker cannot be asked.
    """
    told = run(
        [docker_program(), "image", "inspect", "--format", "{{.Id}}", identifier],
        timeout_seconds=_STOP_SECONDS,
        check=False,
    )
    return told.exit_code == 0


def _process(kind: Kind, directory: Path, stack: contextlib.ExitStack) -> TrialServer:
    # The path of a socket has at most 107 bytes, and that of a staging directory may have more.
    socket = Path(stack.enter_context(TemporaryDirectory(prefix="tracker-backup-")), "socket")
    argv = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", _SERVE, "sh"]
    argv += [str(directory), kind.flavour, str(socket), *kind.settings]
    child = stack.enter_context(Child(argv, low_priority=True))
    stack.callback(_end, child)
    program = "mysql" if kind.flavour == MYSQL else "mariadb"
    client = [program, "--no-defaults", f"--socket={socket}", "--user=root"]
    return TrialServer(child, client, directory / "log")


def _container(kind: Kind, image: str, directory: Path, owner: str, stack: contextlib.ExitStack) -> TrialServer:
    sweep(owner)
    name = f"tracker-backup-trial-{secrets.token_hex(6)}"
    half = max(1.0, (os.cpu_count() or 1) / 2)
    argv = [docker_program(), "run", "--rm", "--interactive", "--pull", "never", "--name", name]
    argv += ["--label", f"{LABEL}={owner}", "--network", "none", "--restart", "no"]
    argv += ["--memory", str(_SERVER_BYTES), "--memory-swap", str(_SERVER_BYTES), "--cpus", f"{half:.1f}"]
    argv += ["--cpu-shares", "128", "--pids-limit", "256", "--cap-drop", "ALL"]
    argv += ["--security-opt", "no-new-privileges", "--read-only", "--user", "0:0"]
    argv += ["--tmpfs", "/tmp"]  # noqa: S108 - the container's own
    argv += ["--mount", f"type=bind,source={directory},destination={_INSIDE}"]
    argv += ["--entrypoint", "sh", image, "-c", _SERVE, "sh", _INSIDE, kind.flavour, f"{_INSIDE}/socket"]
    argv += kind.settings
    stack.callback(_remove, name)
    child = stack.enter_context(Child(argv))
    stack.callback(_end, child)
    programs = "mysql mariadb" if kind.flavour == MYSQL else "mariadb mysql"
    client = [docker_program(), "exec", "--interactive", name, "sh", "-c", _FIRST_OF, "sh", programs]
    client += ["--no-defaults", f"--socket={_INSIDE}/socket", "--user=root"]
    return TrialServer(child, client, directory / "log")


def _end(child: Child) -> None:
    """End a server by closing its stdin, and wait until its files are nobody's; what does not end so is killed."""
    with contextlib.suppress(CommandError):
        child.finish(_STOP_SECONDS)


def _remove(name: str) -> None:
    """Remove a container, whatever it is doing; it may be gone."""
    with contextlib.suppress(CommandError):
        run([docker_program(), "rm", "--force", "--volumes", name], timeout_seconds=_STOP_SECONDS, check=False)


def _wait(server: TrialServer) -> None:
    """Wait until it answers. Raises TrialError when it ends instead, or takes too long."""
    give_up = time.monotonic() + _UP_SECONDS
    while True:
        try:
            server.query("SELECT 1")
        except CommandError:
            if not server.alive():
                raise TrialError(f"the throw-away server ended: {server.said()}") from None
            if time.monotonic() > give_up:
                raise TrialError(f"the throw-away server did not answer in {_UP_SECONDS} s: {server.said()}") from None
            time.sleep(0.5)
        else:
            return


def describe(kind: Kind) -> str:
    """Return what runs, for people."""
    if kind.image is None:
        return f"a {kind.flavour} server of this host"
    return f"a container of the image {shlex.quote(kind.image)}"
