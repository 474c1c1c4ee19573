"""What every destination is held to, whatever keeps it: one set of tests for all."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.destinations import KINDS, USUAL, Place
from support.killing import expect_nothing_goes_on, fenced
from support.program import Installation, Running, wait_until
from support.tracker_standin import check_invariant

pytestmark = pytest.mark.guarantee(19)

EVERY = [pytest.param(kind, marks=() if kind in USUAL else pytest.mark.slow) for kind in KINDS]
"""For what `make test-all` tries with every kind; the rest `make faults` does."""


def copied(installation: Installation) -> list[dict[str, Any]]:
    """Return what `list --copies --json` prints."""
    done = installation.run("list", "--copies", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def reasons(installation: Installation) -> list[str]:
    """Return what `status` complains of that has to do with copies."""
    done = installation.run("status", "--json")
    return [each["text"] for each in json.loads(done.stdout)["reasons"] if "cop" in each["text"]]


def touch(installation: Installation) -> None:
    """Let the tracker write something."""
    with sqlite3.connect(installation.database) as database:
        database.execute("INSERT INTO keys (key) VALUES (lower(hex(randomblob(16))))")
    database.close()


@pytest.mark.parametrize("destination", EVERY, indirect=True)
def test_a_copy_comes_back_as_it_was(installation: Installation, destination: Place, tmp_path: Path) -> None:
    """Where the host with all that it had is gone: from the address and the password alone."""
    manifest = installation.back_up()
    (there,) = copied(installation)
    assert (there["copy"], there["id"], there["instance"], there["job"]) == ("nas", manifest["id"], "default", "daily")
    assert there["host"] == manifest["host"]
    assert installation.left_over() == [], "nothing raw stays in staging"
    shutil.rmtree(installation.repository)
    shutil.rmtree(installation.directory / "state")
    shutil.rmtree(installation.config_directory)
    target = tmp_path / "restored"
    done = installation.run("restore", "latest", *bare(destination), "--to", str(target))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in target.iterdir()) == ["tracker.sqlite3"], "what was fetched is gone"
    assert check_invariant(target / "tracker.sqlite3", integrity=True)["ok"]


def bare(destination: Place) -> list[str]:
    """Return the arguments that name a destination where there is no configuration."""
    settings = destination.settings
    words = ["--from", f"{settings['program']}:{settings['repository']}"]
    for key in ("password_file", "environment_file", "ssh_key", "ssh_known_hosts"):
        if key in settings:
            words += [f"--{key.replace('_', '-')}", settings[key]]
    return words


def test_fetched_it_is_a_backup_like_any_other(installation: Installation, tmp_path: Path) -> None:
    made = installation.back_up()
    done = installation.run("fetch", made["id"], "--from", "nas", "--to", str(tmp_path / "fetched"))
    assert done.returncode == 0, done.stderr
    assert "every checksum agrees" in done.stdout
    path = tmp_path / "fetched" / made["id"]
    manifest = json.loads((path / "manifest.json").read_bytes())
    assert manifest["artifacts"][0]["raw_sha256"] == made["artifacts"][0]["raw_sha256"]
    assert [file.stat().st_mode & 0o777 for file in (path, *path.iterdir())] == [0o700, 0o600, 0o600]
    done = installation.run("restore", str(path), "--to", str(tmp_path / "restored"))
    assert done.returncode == 0, done.stderr
    again = installation.run("fetch", "latest", "--from", "nas", "--to", str(tmp_path / "fetched"))
    assert again.returncode == 2
    assert "there is already" in again.stderr


def test_a_destination_that_is_away_costs_the_backup_nothing(installation: Installation, destination: Place) -> None:
    installation.back_up()
    destination.leave()
    touch(installation)
    done = installation.run("--now", "--quiet")
    assert done.returncode == 3
    assert "copy nas" in done.stderr
    assert "Traceback" not in done.stderr
    assert [each["state"] for each in installation.manifests()] == ["verified", "verified"]
    assert any("copy nas is behind" in each for each in reasons(installation))
    again = installation.run("--now", "--if-due", "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", ""), "it has been told, and is tried every hour"
    assert any("copy nas is behind" in each for each in reasons(installation))
    destination.come_back()
    healed = installation.run("--now", "--if-due", "--quiet")
    assert (healed.returncode, healed.stdout, healed.stderr) == (0, "", "")
    assert [each["id"] for each in copied(installation)] == [each["id"] for each in installation.manifests()]
    assert reasons(installation) == []


def test_no_run_makes_a_repository(destination: Place, installation: Installation) -> None:
    """A mistyped address must not become a new, empty off-site."""
    elsewhere = f"{destination.settings['repository'].rstrip('/')}/typo"
    installation.configure(copies=[{**destination.settings, "repository": elsewhere}])
    done = installation.run("--now")
    assert done.returncode == 3
    assert "init-copy nas" in done.stderr, "the way out is named"
    done = installation.run("list", "--copies")
    assert done.returncode == 1, "there is none even now"


def test_made_once_it_is_left_as_it_is(installation: Installation) -> None:
    installation.back_up()
    again = installation.run("init-copy", "--all")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("unchanged: copy nas")
    assert len(copied(installation)) == 1


def test_the_policy_of_the_copy(installation: Installation, destination: Place) -> None:
    jobs = [{"name": "daily", "keep": {"last": 9}}]
    installation.configure(jobs=jobs, copies=[{**destination.settings, "keep": {"last": 2}}])
    for _ in range(3):
        touch(installation)
        installation.back_up()
    kept = [each["id"] for each in installation.manifests()]
    assert len(kept) == 3, "the local policy is another one"
    assert [each["id"] for each in copied(installation)] == kept[-2:]


def test_a_wrong_password(installation: Installation, destination: Place) -> None:
    password = Path(destination.settings["password_file"])
    right = password.read_bytes()
    password.write_bytes(b"wrong\n")
    done = installation.run("--now")
    assert done.returncode == 3
    assert str(password) in done.stderr
    assert "wrong\n" not in done.stderr
    refused = installation.run("init-copy", "nas")
    assert refused.returncode == 1, "what is there is not taken for nothing"
    password.write_bytes(right)
    assert installation.run("copy").returncode == 0
    assert len(copied(installation)) == 1


def test_killed_in_mid_copy(installation: Installation, destination: Place) -> None:
    """Nothing half is among the copies, the other program ends with ours, and the next run heals it."""
    installation.configure(copies=[{**destination.settings, "upload_limit_kib_per_second": 60}])
    with Running(installation.command("--now"), fenced(installation)) as running:
        wait_until(lambda: installation.phase() == "copy to nas", running.said, running)
        running.signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL, running.said()
        expect_nothing_goes_on(installation)
    assert copied(installation) == []
    assert len(installation.manifests()) == 1, "the backup was published before"
    installation.configure(copies=[destination.settings])
    healed = installation.run("--now", "--if-due", "--quiet")
    assert (healed.returncode, healed.stderr) == (0, "")
    assert [each["id"] for each in copied(installation)] == [installation.manifests()[-1]["id"]]
    assert installation.left_over() == []
    assert installation.run("doctor").stdout.count("copy nas, in") == 1


def test_secrets_are_seen_nowhere(installation: Installation, destination: Place, tmp_path: Path) -> None:
    """Neither in what is printed, nor in any file that we write, nor among the arguments of a process."""
    said: list[str] = []
    seen = set[str]()
    for words in (("--now", "-v"), ("list", "--copies"), ("status", "--json"), ("doctor",), ("config", "show")):
        with Running(installation.command(*words), installation.environment()) as running:
            while running.alive():
                seen |= set(arguments())
            running.wait()
            said.append(running.said())
    files = [file for place in ("state", "log", "repository") for file in (installation.directory / place).rglob("*")]
    texts = [file.read_bytes() for file in files if file.is_file() and "copies/nas" not in str(file)]
    for secret in destination.secrets:
        assert [each for each in said if secret in each] == []
        assert [each for each in texts if secret.encode() in each] == []
        assert [each for each in seen if secret in each] == []


def arguments() -> Iterator[str]:
    """Yield the command lines of all processes."""
    for file in (process / "cmdline" for process in Path("/proc").glob("[0-9]*")):
        try:
            yield file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
