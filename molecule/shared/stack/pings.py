"""Takes pings on a loopback port as a dead man's switch does, and prints each one's method, path and size."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer


class Pings(BaseHTTPRequestHandler):
    """Answers everything with 200."""

    def answer(self) -> None:
        """Read the body, print a line, say OK."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        print(self.command, self.path, len(body), flush=True)
        self.send_response(200)
        self.end_headers()

    do_GET = do_HEAD = do_POST = answer  # noqa: N815 -- names that http.server asks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as in the base class
        """Say nothing more."""


HTTPServer(("127.0.0.1", 8081), Pings).serve_forever()
