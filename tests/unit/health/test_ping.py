"""The dead man's switch: who listens hears everything, and nobody who listens badly fails a run."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tracker_backup.health import ping as module
from tracker_backup.health.ping import FAILURE, START, SUCCESS, ping

SECRET = "5ec2e7-canary"


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Give the address of an HTTP server and the list of what it has heard: method, path, body."""
    heard: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            heard.append((self.command, self.path, body))
            answer(self)

        do_GET = do_POST  # noqa: N815 - the base class's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/{SECRET}", heard
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def status(code: int, location: str | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        if location is not None:
            handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@contextmanager
def raw_server(reply: bytes, *, hold: threading.Event | None = None) -> Iterator[str]:
    """A server that answers with those bytes, whatever it is asked, and with `hold` waits before it hangs up."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(reply)
            if hold is not None:
                hold.wait(30)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{SECRET}"
    finally:
        if hold is not None:
            hold.set()
        thread.join()
        listening.close()


def test_events_are_paths_and_the_words_are_the_body() -> None:
    with server(status(200)) as (url, heard):
        said = [ping(url, START), ping(f"{url}/", SUCCESS, "all well"), ping(url, FAILURE, "no room für nichts")]

    assert said == [None, None, None]
    assert heard == [
        ("POST", f"/{SECRET}/start", ""),
        ("POST", f"/{SECRET}", "all well"),
        ("POST", f"/{SECRET}/fail", "no room für nichts"),
    ]


def test_a_long_text_is_cut_to_its_end() -> None:
    with server(status(200)) as (url, heard):
        ping(url, FAILURE, "x" * 50_000 + "the cause")

    assert len(heard[0][2]) <= 10_000
    assert heard[0][2].endswith("the cause")


def test_bytes_that_are_no_text_are_sent_somehow() -> None:
    with server(status(200)) as (url, heard):
        assert ping(url, FAILURE, "/srv/\udcff") is None

    assert len(heard) == 1


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_an_error_of_the_server_is_told_by_its_number(code: int) -> None:
    with server(status(code)) as (url, _):
        assert ping(url, START) == f"the ping address answered {code}"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1:1/x", "gopher://x/", "http://127.0.0.1:1/"])
def test_a_redirect_leads_nowhere_it_should_not(target: str) -> None:
    with server(status(302, target)) as (url, heard):
        problem = ping(url, START)

    assert problem is not None
    assert len(heard) == 1
    assert "root:" not in problem


def test_endless_redirects_end() -> None:
    with server(status(302, f"/{SECRET}")) as (url, _):
        assert ping(url, START) is not None


@pytest.mark.parametrize("reply", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a" * 100_000, b"\0" * 50])
def test_a_server_that_speaks_something_else_is_told(reply: bytes) -> None:
    with raw_server(reply) as url:
        problem = ping(url, START)

    assert problem is not None
    assert "the ping address could not be reached" in problem
    assert SECRET not in problem


def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends a byte now and then, which no timeout of a single read notices."""
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.05)
    with raw_server(b"HTTP/1.1 200", hold=threading.Event()) as url:
        assert ping(url, START) == "the ping address did not answer within 0.05 s"


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:1/{SECRET}", f"http://127.0.0.1:{SECRET}/", f"http://user:{SECRET}@127.0.0.1:1/",
        f"http://[::1/{SECRET}", f"http://{SECRET}.invalid/", f"http:///{SECRET}", f"http://127.0.0.1:1/{SECRET} x",
        f"http://127.0.0.1:1/{SECRET}ä", f"http://{'a' * 70}.{SECRET}/", f"file:///{SECRET}", SECRET,
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_reached_is_told_without_the_address(url: str) -> None:
    problem = ping(url, START)

    assert problem is not None
    assert problem.startswith("the ping address could not be reached: ")
    assert SECRET not in problem


def test_a_file_is_never_read(tmp_path: Path) -> None:
    """The schema admits no such address; neither does the ping, should one come this far."""
    (tmp_path / "file").write_text("x")

    assert ping(f"file://{tmp_path}/file", SUCCESS) is not None
