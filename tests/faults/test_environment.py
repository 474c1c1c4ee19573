"""What the caller's environment, home and directory say changes nothing about what is run, loaded, read or copied."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jinja2
import pytest

from support.documents import ROOT
from support.program import PROGRAM, Installation, tree
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository
from tracker_backup.system.environment import scrubbed
from tracker_backup.system.process import SYSTEM_PATH

pytestmark = pytest.mark.guarantee(14, 18)

LAUNCHER = ROOT / "roles" / "tracker_backup" / "templates" / "tracker-backup.j2"
DECOYS = (
    "zstd", "tar", "nice", "docker", "crontab", "readlink", "python3", "setpriv", "sh", "mysql", "mysqldump",
    "mariadb", "mariadb-dump", "fusermount3", "ionice", "sqlite3",
)  # fmt: skip
MODULES = ("json", "sqlite3", "yaml", "subprocess", "crontab", "sh", "rich", "tracker_backup", "sitecustomize", "ssl")


class Trap:
    """A directory full of what must not be run, loaded or read; what is leaves a trace in `sprung`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sprung = directory / "sprung"
        directory.mkdir()
        for name in DECOYS:
            self._script(directory / name)
        for name in MODULES:
            (directory / f"{name}.py").write_text(f"open({str(self.sprung)!r}, 'a').write('module {name}\\n')\n")
        for name in ("compose", "buildx"):
            self._script(directory / ".docker" / "cli-plugins" / f"docker-{name}")
        (directory / ".docker" / "config.json").write_text('{"currentContext": "trap", "credsStore": "trap"}')
        (directory / ".my.cnf").write_text("[client]\nno-such-option\n")
        (directory / ".mylogin.cnf").write_text("damaged")
        (directory / ".sqliterc").write_text(f".shell touch {self.sprung}\n")
        (directory / ".profile").write_text(f"touch {self.sprung}\n")
        (directory / "openssl.cnf").write_text("openssl_conf = trap\n[trap]\nengines = no_such_section\n")

    def _script(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho {path.name} >>'{self.sprung}'\nexit 3\n")
        path.chmod(0o755)

    def environment(self) -> dict[str, str]:
        here = str(self.directory)
        return {
            "PATH": here,
            "HOME": here,
            "TMPDIR": here,
            "SQLITE_TMPDIR": here,
            "PYTHONPATH": here,
            "PYTHONHOME": "/nonexistent",
            "PYTHONSTARTUP": f"{here}/json.py",
            "PYTHONPYCACHEPREFIX": here,
            "PYTHONINSPECT": "1",
            "ENV": f"{here}/.profile",
            "BASH_ENV": f"{here}/.profile",
            "IFS": "/",
            "CDPATH": here,
            "TAR_OPTIONS": f"--checkpoint=1 --checkpoint-action=exec={here}/tar",
            "TAPE": f"{here}/tape",
            "ZSTD_CLEVEL": "19",
            "DOCKER_CONFIG": f"{here}/.docker",
            "DOCKER_HOST": f"unix://{here}/docker.sock",
            "MYSQL_HOME": here,
            "OPENSSL_CONF": f"{here}/openssl.cnf",
            "SSL_CERT_FILE": "/nonexistent",
            "POSIXLY_CORRECT": "1",
            "LC_ALL": "tr_TR.ISO-8859-9",
            "LANGUAGE": "tr",
        }


def launcher(host: Installation) -> Path:
    """Put the role's launcher in place, for a program that lies as the role lays it."""
    deployed = host.directory / "lib" / "0123456789abcdef"
    deployed.mkdir(parents=True)
    (deployed / "tracker_backup").symlink_to(PROGRAM)
    (host.directory / "lib" / "current").symlink_to(deployed.name)
    loader = jinja2.Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701 - a shell script
    loader.filters["comment"] = lambda text: f"# {text}"
    text = loader.from_string(LAUNCHER.read_text(encoding="utf-8")).render(
        ansible_managed="managed",
        tracker_backup_lib_dir=host.directory / "lib",
        tracker_backup_python=sys.executable,
        tracker_backup_config_dir=host.config_directory,
        __tracker_backup_default_config_dir="/etc/tracker-backup",
        tracker_backup_state_dir="/var/lib/tracker-backup",
        __tracker_backup_default_state_dir="/var/lib/tracker-backup",
        tracker_backup_trusted_users=[],
    )
    place = host.directory / "tracker-backup"
    place.write_text(text, encoding="utf-8")
    place.chmod(0o755)
    return place


def run(command: Path, environment: Mapping[str, str], where: Path, *arguments: str) -> bytes:
    done = subprocess.run(
        [command, *arguments], env=environment, cwd=where, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_a_hostile_environment_changes_nothing(tmp_path: Path) -> None:
    host = Installation(tmp_path / "host")
    host.configure(sources=[*host.settings["sources"], {"name": "files", "type": "files"}])
    build_database(host.database, mib=0.05)
    (host.data / "compose.yaml").write_text("services: {tracker: {image: tracker, volumes: ['~/x:/x']}}\n")
    Repository(host.repository).init()
    command = launcher(host)
    run(command, {}, Path("/"), "--now")
    discovered = run(command, {}, Path("/"), "discover", "--json")
    trap = Trap(tmp_path / "trap")
    before = tree(trap.directory)

    for arguments in (("--now",), ("verify", "--full"), ("restore", "latest", "--to", str(tmp_path / "restored"))):
        run(command, trap.environment(), trap.directory, *arguments)
    run(command, trap.environment(), trap.directory, "schedule", "apply")
    assert run(command, trap.environment(), trap.directory, "discover", "--json") == discovered

    assert not trap.sprung.exists()
    assert tree(trap.directory) == before
    plain, hostile = host.manifests()
    what = [
        [(each["source"], each["method"], each["raw_bytes"], each["state"]) for each in one["artifacts"]]
        for one in (plain, hostile)
    ]
    assert what[0] == what[1]
    assert "/nonexistent" not in (host.directory / "crontab").read_text()


def test_little_of_the_environment_is_left(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "trap")
    ours = {"TRACKER_BACKUP_CONFIG_DIRECTORY": "/x", "TZ": "UTC", "TERM": "vt100", "https_proxy": "http://proxy"}

    left = scrubbed({**trap.environment(), **ours})

    assert left.pop("HOME") == pwd.getpwuid(os.geteuid()).pw_dir
    assert left == ours


@pytest.mark.parametrize("zone", ["UTC+99", "UTC-24"])
def test_a_time_zone_a_day_away_is_refused(tmp_path: Path, zone: str) -> None:
    """The C library takes it for one, Python cannot tell a date in it."""
    host = Installation(tmp_path / "host")
    for arguments in (("status",), ("--now",)):
        done = subprocess.run(
            host.command(*arguments),
            env={**host.environment(), "TZ": zone},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done
        assert f"TZ={zone}" in done.stderr


def test_a_child_is_told_nothing_of_it(tmp_path: Path) -> None:
    """Seen in the child itself, which stands still while it compresses."""
    host = Installation(tmp_path / "host")
    build_database(host.database, mib=0.05)
    Repository(host.repository).init()

    with host.start_halting("compress", "--now") as running:
        given = Path("/proc", str(running.halted_pid), "environ").read_bytes().decode().split("\0")

    found = dict(each.split("=", 1) for each in given if each)
    assert found.pop("PATH") == SYSTEM_PATH
    assert set(found) <= {"HOME", "TZ", "LC_ALL"}
