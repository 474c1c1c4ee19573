"""An HTTP server on this host that notifications are sent to: it takes them, refuses them, or never answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "5ec2e7-canary"


@dataclass
class Receiver:
    """What has arrived, and how it answers: with `code`, or, with `hanging`, a byte now and then."""

    port: int
    code: int = 200
    hanging: bool = False
    arrived: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The address as Apprise has it, with a secret in it."""
        return f"json://user:{SECRET}@127.0.0.1:{self.port}/{SECRET}"

    @property
    def titles(self) -> list[str]:
        """The titles that have arrived, without what all begin with."""
        return [str(item["title"]).rpartition(", ")[2] for item in self.arrived]


@contextmanager
def receiving(**behaviour: Any) -> Iterator[Receiver]:
    """Give a receiver at work."""
    found: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver = found[0]
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.asked.set()
            if receiver.hanging:
                self.drip(receiver)
                return
            receiver.arrived.append(said)
            self.send_response(receiver.code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def drip(self, receiver: Receiver) -> None:
            """Send a byte of a header now and then: no timeout of a single read notices."""
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not receiver.released.wait(0.2):
                    self.wfile.write(b"x")
            except OSError:
                pass  # nobody listens any more

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.append(Receiver(server.server_port, **behaviour))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found[0]
    finally:
        found[0].released.set()
        server.shutdown()
        thread.join()
        server.server_close()
