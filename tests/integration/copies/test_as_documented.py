"""docs/offsite.md, typed as it stands there, with a real SFTP server in the place of the NAS."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.destinations import PASSWORD, Place, installation_with, place
from support.documents import ROOT
from support.program import Installation
from support.tracker_standin import check_invariant

PAGE = (ROOT / "docs/offsite.md").read_text(encoding="utf-8")
ADDRESS = "sftp:backup@nas.example.org:/srv/restic/torrust"
ID = "20261123T030000Z-daily"
SUFFIXES = {"password_file": "password", "ssh_key": "key", "ssh_known_hosts": "known_hosts"}


@pytest.fixture
def nas(tmp_path: Path) -> Iterator[Place]:
    with place("restic-sftp", tmp_path / "nas") as made:
        yield made


@pytest.fixture
def host(nas: Place, tmp_path: Path) -> Installation:
    """Return a host with the entry, and the files that the page names, beside the configuration."""
    made = installation_with(nas, tmp_path / "host")
    for key, suffix in SUFFIXES.items():
        assert f"    default.nas.{suffix}" in PAGE
        beside = made.config_directory / f"default.nas.{suffix}"
        shutil.copy(nas.settings[key], beside)
        beside.chmod(0o600)
    made.configure(copies=[{key: nas.settings[key] for key in ("name", "program", "repository")}])
    assert made.run("--now").returncode == 3, "its copy is still to be made"
    return made


def typed(start: str) -> tuple[list[str], list[str]]:
    """Return the words of the command of the page that begins so, and the lines that stand below it."""
    lines = PAGE.replace("\\\n", " ").split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith(f"    $ sudo tracker-backup {start}"))
    shown = []
    for line in lines[first + 1 :]:
        if not line.startswith("    ") or line.startswith("    $"):
            break
        shown.append(line.strip())
    return lines[first].removeprefix("    $ sudo tracker-backup ").split(), shown


def say(host: Installation, nas: Place, start: str, *, code: int = 0) -> tuple[str, list[str]]:
    """Type a command of the page, with this test's places in it; return what it said, and what the page shows."""
    words, shown = typed(start)
    here = {ADDRESS: nas.settings["repository"], "./password": nas.settings["password_file"]}
    here |= {"./restored": str(host.directory / "restored"), "/var/tmp/fetched": str(host.directory / "fetched")}
    words = [re.sub("|".join(map(re.escape, here)), lambda found: here[found[0]], word) for word in words]
    done = host.run(*words, *(keys(nas) if "restic:" in " ".join(words) else ()))
    assert done.returncode == code, done.stderr
    return done.stdout, shown


def keys(nas: Place) -> list[str]:
    """Return what the page leaves to ssh."""
    return ["--ssh-key", nas.settings["ssh_key"], "--ssh-known-hosts", nas.settings["ssh_known_hosts"]]


def alike(said: str, shown: list[str]) -> bool:
    """Return whether there are the same words, but for ids, places and the host."""
    known = re.compile(r"\d{8}T\d{6}Z-daily|/\S*|\bvm\S*|\bof \S+|sudo ")
    return [known.sub("", line).split() for line in said.strip().split("\n")] == [
        known.sub("", line).split() for line in shown
    ]


def test_set_up_and_get_it_back(host: Installation, nas: Place) -> None:
    for start in ("init-copy nas", "copy", "list --copies"):
        said, shown = say(host, nas, start)
        if start != "list --copies":
            assert alike(said, shown), said
        else:
            assert said.split("\n", maxsplit=1)[0].split() == shown[0].split()
    restored = host.directory / "restored"
    say(host, nas, "restore latest --from nas")
    assert check_invariant(restored / "tracker.sqlite3", integrity=True)["ok"]
    shutil.rmtree(restored)
    said, shown = say(host, nas, "fetch latest")
    assert alike(said.replace("tracker-backup --instance default", "tracker-backup"), shown), said
    say(host, nas, "restore latest --from restic:")
    assert check_invariant(restored / "tracker.sqlite3", integrity=True)["ok"]


def test_while_it_is_away(host: Installation, nas: Place) -> None:
    say(host, nas, "init-copy nas")
    say(host, nas, "copy")
    nas.leave()
    assert host.run("--now").returncode == 3
    said, shown = say(host, nas, "status", code=1)
    [told] = [line for line in said.split("\n") if "copy nas is behind" in line]
    words = re.compile(r"copy nas is behind: of daily it has \S+; restic snapshots")
    assert words.search(told)
    assert words.search(shown[0])


def test_without_this_program(host: Installation, nas: Place, tmp_path: Path) -> None:
    """What the page says that restic alone can do."""
    say(host, nas, "init-copy nas")
    say(host, nas, "copy")
    [command] = re.findall(r"`(restic restore latest [^`]*)`", PAGE)
    repository = tmp_path / "nas" / "remote"
    subprocess.run(
        [*command.split(), "--repo", repository, "--password-file", nas.settings["password_file"]],
        check=True, capture_output=True, cwd=tmp_path,
    )  # fmt: skip
    [found] = tmp_path.glob("**/.copy-daily/tracker.sqlite3")
    assert check_invariant(found, integrity=True)["ok"]
    assert (found.parent / "manifest.json").exists()
    assert PASSWORD not in found.parent.joinpath("manifest.json").read_text(encoding="utf-8")
