"""Who hears of scheduled runs, and that nobody ever hears the address that is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.instance import Instance

CANARY = "5ec2e7-canary"


@pytest.fixture
def heard() -> Iterator[list[tuple[str, str]]]:
    """Requests to a server on this host: path and body. The first item is its address."""
    requests: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    requests.append((f"http://127.0.0.1:{server.server_port}/{CANARY}", ""))
    yield requests
    server.shutdown()
    thread.join()
    server.server_close()


def test_start_and_success_with_the_runs_words(instance: Instance, heard: list[tuple[str, str]]) -> None:
    instance.configure(ping_url=heard.pop()[0])

    instance.run("--now")
    done = instance.run("--now", "--quiet")

    assert (done.returncode, done.stderr) == (0, "")
    assert [path for path, _ in heard] == [f"/{CANARY}/start", f"/{CANARY}"]
    assert f"{instance.ids()[1]} verified, " in heard[1][1]


def test_start_and_failure_with_the_runs_words(instance: Instance, heard: list[tuple[str, str]]) -> None:
    instance.configure(ping_url=heard.pop()[0])
    instance.database.unlink()

    done = instance.run("--now", "--quiet")

    assert done.returncode == 1
    assert [path for path, _ in heard] == [f"/{CANARY}/start", f"/{CANARY}/fail"]
    assert str(instance.database) in heard[1][1]


def test_an_unmounted_volume_is_a_failure(instance: Instance, heard: list[tuple[str, str]]) -> None:
    instance.configure(ping_url=heard.pop()[0])
    (instance.path / ".tracker-backup").unlink()

    instance.run("--now", "--quiet")

    assert [path for path, _ in heard] == [f"/{CANARY}/fail"]
    assert "is the volume mounted?" in heard[0][1]


@pytest.mark.guarantee(7)
def test_the_address_is_nowhere_to_be_read(instance: Instance) -> None:
    instance.configure(ping_url=f"http://127.0.0.1:9/{CANARY}")
    instance.run("schedule", "apply")
    said = [instance.run("--now", "--quiet"), instance.run("-v", "--now", "--source", "none", "--quiet")]
    instance.database.unlink()
    said.append(instance.run("-v", "--now", "--quiet"))
    as_json = (["show", "latest"], ["status"], ["doctor"])
    plain = ([], ["config", "show"], ["schedule", "show"])
    said += [instance.run("-v", *words, "--json") for words in as_json]
    said += [instance.run("-v", *words) for words in plain]
    instance.file.write_text(instance.file.read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")
    said.append(instance.run("-v", "config", "check"))
    instance.file.write_text(f"ping_url: [http://{CANARY}\n", encoding="utf-8")
    said.append(instance.run("-v", "config", "check"))

    assert [done.returncode for done in said[:3]] == [0, 2, 1]
    assert [done.returncode for done in said[-2:]] == [2, 2]
    assert CANARY not in "".join(done.stdout + done.stderr for done in said)
    assert "(set)" in "".join(done.stdout for done in said)
    files = [path for path in instance.base.rglob("*") if path.is_file() and path != instance.file]
    assert {instance.log, instance.crontab, instance.state / "status.json"} <= set(files)
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
    assert "the ping address could not be reached" in instance.log.read_text(encoding="utf-8")
