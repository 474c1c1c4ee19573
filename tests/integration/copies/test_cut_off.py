"""The network goes in mid-copy, and no end of the connection hears of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.destinations import PASSWORD, Place, installation_with, ssh_server
from support.program import wait_until

pytestmark = pytest.mark.guarantee(16, 19)
PORT = 2222


def ip(words: str) -> None:
    """Call ip(8)."""
    subprocess.run(["ip", *words.split()], check=True)


@contextmanager
def far_away(directory: Path, program: str) -> Iterator[tuple[Place, str]]:
    """Give a destination in a network namespace of its own, and the name of the link that leads there."""
    directory.mkdir()
    number = os.getpid() % 200
    space, link, there = f"far-{os.getpid()}", f"tb{os.getpid()}", f"10.213.{number}.2"
    command, keys = ssh_server(directory, PORT, there)
    password = directory / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    password.chmod(0o600)
    ip(f"netns add {space}")
    try:
        ip(f"link add {link} type veth peer name far0 netns {space}")
        ip(f"address add 10.213.{number}.1/24 dev {link}")
        ip(f"link set {link} up")
        ip(f"-n {space} address add {there}/24 dev far0")
        ip(f"-n {space} link set far0 up")
        server = subprocess.Popen(["ip", "netns", "exec", space, *command], start_new_session=True)
        try:
            asking = ["ssh-keyscan", "-T", "1", "-p", str(PORT), there]
            wait_until(
                lambda: b"ed25519" in subprocess.run(asking, capture_output=True, check=False).stdout,
                lambda: f"no SSH server: {server.poll()}",
            )
            scheme = {"restic": f"sftp://root@{there}:{PORT}/", "borg": f"ssh://root@{there}:{PORT}"}[program]
            settings = {"name": "nas", "program": program, "repository": f"{scheme}{directory}/remote"}
            yield Place({**settings, "password_file": str(password), **keys}), link
        finally:
            subprocess.run(["pkill", "-KILL", "-s", str(server.pid)], check=False)
            server.kill()
            server.wait()
    finally:
        subprocess.run(["ip", "link", "delete", link], check=False)
        ip(f"netns delete {space}")


@pytest.mark.parametrize("program", ["restic", pytest.param("borg", marks=pytest.mark.thorough)])
def test_the_run_ends_and_the_next_one_heals(program: str, tmp_path: Path) -> None:
    with far_away(tmp_path / "far", program) as (place, link):
        installation = installation_with(place, tmp_path / "host")
        made = installation.run("init-copy", "nas")
        assert made.returncode == 0, made.stderr
        installation.configure(copies=[{**place.settings, "upload_limit_kib_per_second": 200}])
        with installation.start("--now", "--quiet") as running:
            wait_until(lambda: installation.phase() == "copy to nas", running.said, running)
            subprocess.run(["ip", "link", "set", link, "down"], check=True)
            assert running.wait() == 3, running.said()
        assert "copy nas" in running.said()
        (manifest,) = installation.manifests()
        assert manifest["state"] == "verified"
        assert installation.left_over() == []
        subprocess.run(["ip", "link", "set", link, "up"], check=True)
        installation.configure(copies=[place.settings])
        healed = installation.run("--now", "--if-due", "--quiet")
        assert (healed.returncode, healed.stderr) == (0, "")
        there = installation.run("list", "--copies")
        assert manifest["id"] in there.stdout
