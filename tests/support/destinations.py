"""Real places for copies: directories, an SFTP and SSH server, restic's REST server, an S3 server."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.databases import tracker_database
from support.ports import free_port
from support.program import Installation, wait_until
from support.s3_server import s3_server
from tracker_backup.repository.store import Repository

KINDS = ("restic-directory", "restic-sftp", "restic-rest", "restic-s3", "borg-directory", "borg-ssh")
USUAL = ("restic-sftp", "borg-ssh")
"""Whoever reaches these two reaches nearly all of it."""

PASSWORD = "correct horse: 'battery' \"staple\" $é"
"""With what a shell, an environment and an option parser could stumble over."""

REST_PASSWORD = "restpassword"
_KEYGEN = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "")


@dataclass
class Place:
    """A destination: what the configuration says of it, and how it goes away and comes back."""

    settings: dict[str, Any]
    leave: Callable[[], None] = lambda: None
    come_back: Callable[[], None] = lambda: None
    secrets: list[str] = field(default_factory=lambda: [PASSWORD])


class Server:
    """A server that can be stopped and started again at the same port."""

    def __init__(self, command: Sequence[str], port: int, environment: dict[str, str] | None = None) -> None:
        """Start it, and wait until it listens."""
        self._command, self._port = command, port
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = process = subprocess.Popen(
            self._command, env=self._environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_until(lambda: listens(self._port), lambda: f"{self._command[0]} ended: {process.poll()}")

    def stop(self) -> None:
        """Kill it, with the sessions that it has begun."""
        if self._process is not None:
            subprocess.run(["pkill", "-KILL", "-s", str(self._process.pid)], check=False)
            self._process.kill()
            self._process.wait()
            self._process = None


class Gate:
    """A port that leads to a server, and can be shut: whoever knocks then is refused, and the server goes on."""

    def __init__(self, target: int) -> None:
        """Lead there."""
        self.port, self._target = free_port(), target
        self._socket: socket.socket | None = None
        self.open()

    def open(self) -> None:
        """Let them in."""
        self._socket = listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._admit, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse whoever comes from now on."""
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _admit(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return  # it was shut
            threading.Thread(target=self._lead, args=(near,), daemon=True).start()

    def _lead(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._target)) as far:
            back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
            back.start()
            _pass_on(near, far)
            back.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes from one end, until it ends or breaks off; then nothing comes from there any more."""
    with contextlib.suppress(OSError):
        while part := one.recv(65536):
            other.sendall(part)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def listens(port: int) -> bool:
    """Return whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def place(kind: str, directory: Path) -> Iterator[Place]:
    """Give a destination of that kind, whose server, if it has one, ends with the block."""
    directory.mkdir(parents=True)
    program, _, way = kind.partition("-")
    password = directory / "password"
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    password.chmod(0o600)
    settings = {"name": "nas", "program": program, "password_file": str(password)}
    with ExitStack() as stack:
        made = _WAYS[way](directory, program, stack)
        yield Place({**settings, **made.settings}, made.leave, made.come_back, [PASSWORD, *made.secrets])


def _directory(directory: Path, _program: str, _stack: ExitStack) -> Place:
    mount = directory / "disk"
    mount.mkdir()
    away = directory / "unplugged"
    return Place(
        {"repository": str(mount / "repository")},
        lambda: (mount / "repository").rename(away) and None,
        lambda: away.rename(mount / "repository") and None,
        [],
    )


def ssh_server(directory: Path, port: int, address: str = "127.0.0.1") -> tuple[list[str], dict[str, str]]:
    """Return the command of an SSH server with keys of its own, and what a copy's settings say of the keys."""
    for name in ("host_key", "user_key"):
        subprocess.run([*_KEYGEN, "-f", directory / name], check=True)
    shutil.copy(directory / "user_key.pub", directory / "authorized_keys")
    host_key = (directory / "host_key.pub").read_text(encoding="ascii")
    (directory / "known_hosts").write_text(f"[{address}]:{port} {host_key}", encoding="ascii")
    config = directory / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress {address}\nHostKey {directory}/host_key\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nSubsystem sftp internal-sftp\n",
        encoding="ascii",
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    keys = {"ssh_key": str(directory / "user_key"), "ssh_known_hosts": str(directory / "known_hosts")}
    return ["/usr/sbin/sshd", "-D", "-f", str(config)], keys


def _ssh(directory: Path, program: str, stack: ExitStack) -> Place:
    port = free_port()
    command, keys = ssh_server(directory, port)
    server = Server(command, port)
    stack.callback(server.stop)
    user = os.environ.get("USER") or "root"
    scheme = {"restic": f"sftp://{user}@127.0.0.1:{port}/", "borg": f"ssh://{user}@127.0.0.1:{port}"}[program]
    return Place({"repository": f"{scheme}{directory}/remote", **keys}, server.stop, server.start, [])


def _rest(directory: Path, _program: str, stack: ExitStack) -> Place:
    port = free_port()
    serve = ["rclone", "serve", "restic", "--addr", f"127.0.0.1:{port}", str(directory / "remote")]
    server = Server(serve, port, {"HOME": str(directory), "RCLONE_USER": "me", "RCLONE_PASS": REST_PASSWORD})
    stack.callback(server.stop)
    gate = Gate(port)
    stack.callback(gate.shut)
    address = f"rest:http://me:{REST_PASSWORD}@127.0.0.1:{gate.port}/"
    return Place({"repository": address}, gate.shut, gate.open, [REST_PASSWORD])


def _s3(directory: Path, _program: str, stack: ExitStack) -> Place:
    """An S3 server, which keeps all in memory."""
    port = free_port()
    server = Server([str(s3_server()), "-H", "127.0.0.1", "-p", str(port)], port)
    stack.callback(server.stop)
    keys = directory / "environment"
    keys.write_text("# for S3\nAWS_ACCESS_KEY_ID=me\nAWS_SECRET_ACCESS_KEY=s3-secret-key\n", encoding="ascii")
    keys.chmod(0o600)
    gate = Gate(port)
    stack.callback(gate.shut)
    address = f"s3:http://127.0.0.1:{gate.port}/bucket/torrust"
    return Place({"repository": address, "environment_file": str(keys)}, gate.shut, gate.open, ["s3-secret-key"])


_WAYS: dict[str, Callable[[Path, str, ExitStack], Place]] = {
    "directory": _directory, "sftp": _ssh, "ssh": _ssh, "rest": _rest, "s3": _s3,
}  # fmt: skip


def installation_with(destination: Place, directory: Path) -> Installation:
    """Return an installation with a database and an empty repository that is to copy to a destination."""
    made = Installation(directory)
    tracker_database(made.database, 2)
    # Far away, so that nothing is due for another reason than the copy.
    made.configure(copies=[destination.settings], jobs=[{"name": "daily", "schedule": "0 3 29 2 *"}])
    Repository(made.repository).init()
    return made
