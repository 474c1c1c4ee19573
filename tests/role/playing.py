"""What the role's tests play with: a controller, and hosts that are directories of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support import tracker_standin

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/tracker_backup"
TOOLS = Path(sys.executable).parent
CURRENT = "usr/local/lib/tracker-backup/current/tracker_backup"
CANARY = "https://ping.example.org/canary-5f0c1c"
TOLD = "json://me:canary-5f0c1c@127.0.0.1:9/canary"

COMPOSE = """\
services:
  tracker:
    image: torrust/tracker:v4.0.0
    volumes:
      - ./storage/tracker/lib:/var/lib/torrust/tracker
      - ./storage/tracker/etc:/etc/torrust/tracker
"""
TRACKER = """\
[core.database]
driver = "sqlite3"
path = "/var/lib/torrust/tracker/database/tracker.db"
"""


@dataclass
class Result:
    """What a play printed, and its counts for each host."""

    code: int
    output: str

    def count(self, host: str, what: str) -> int:
        """Return a number of the recap, such as `changed` of `host`."""
        found = re.search(rf"^{re.escape(host)} .*\b{what}=(\d+)", self.output, re.MULTILINE)
        assert found, self.output
        return int(found[1])

    def failure(self, host: str) -> str:
        """Return what was printed of a host's failure, as one line."""
        _, found, rest = self.output.partition(f"fatal: [{host}]: FAILED!")
        assert found, self.output
        return " ".join(rest.partition("\nfatal: ")[0].partition("\nTASK ")[0].split())

    def message(self) -> str:
        """Return the output as one line, so that wrapped messages can be looked for."""
        return " ".join(self.output.split())


def ansible_environment(directory: Path) -> dict[str, str]:
    """Return an environment in which Ansible reads and writes below `directory` alone."""
    home = directory / "controller"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{TOOLS}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_REMOTE_TMP": str(home / "remote"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }


@dataclass
class Controller:
    """Runs Ansible from a checkout, or from what was installed from it, against hosts below `directory`."""

    checkout: Path
    directory: Path
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def host(self, name: str, **variables: Any) -> Path:
        """Add a host with a stack of its own, everything below one directory; return that directory."""
        base = self.directory / name
        stack = make_stack(base / "stack")
        self.hosts[name] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "tracker_backup_base_dir": str(base / "host"),
            "tracker_backup_stack_dir": str(stack),
            "tracker_backup_python": sys.executable,
            **variables,
        }
        return base / "host"

    def environment(self) -> dict[str, str]:
        """Return the environment of every command."""
        return ansible_environment(self.directory)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command away from the checkout, so that no ansible.cfg is found by chance."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.directory,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def play(self, *arguments: str, playbook: str | Path | None = None) -> Result:
        """Play site.yml, or another playbook, against all hosts."""
        inventory = self.directory / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"trackers": {"hosts": self.hosts}}))
        done = self.run("ansible-playbook", "-i", inventory, playbook or self.checkout / "site.yml", *arguments)
        return Result(done.returncode, done.stdout)


def make_stack(directory: Path) -> Path:
    """Make a stack as the deployer leaves it, with a small database in WAL mode; return its directory."""
    database = directory / "storage/tracker/lib/database/tracker.db"
    settings = directory / "storage/tracker/etc/tracker.toml"
    for parent in (database.parent, settings.parent):
        parent.mkdir(parents=True)
    (directory / "docker-compose.yml").write_text(COMPOSE)
    settings.write_text(TRACKER)
    tracker_standin.main(["build", str(database), "--journal-mode", "wal"])
    return directory


def snapshot(directory: Path) -> dict[str, str]:
    """Return what stands below a directory: the contents of files, the targets of links."""
    return {
        str(path.relative_to(directory)): str(path.readlink()) if path.is_symlink() else path.read_bytes().hex()
        for path in sorted(directory.rglob("*"))
        if (path.is_symlink() or path.is_file()) and "__pycache__" not in path.parts
    }


@dataclass
class Story:
    """The plays in their order, and what stood on the host after each."""

    controller: Controller
    host: Path
    plays: dict[str, Result] = field(default_factory=dict)
    after: dict[str, dict[str, str]] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)

    def play(self, name: str, *arguments: str) -> None:
        """Play, and remember."""
        self.plays[name] = self.controller.play(*arguments)
        self.look(name)

    def look(self, name: str) -> None:
        """Remember what stands on the host now."""
        self.after[name] = snapshot(self.host)

    @property
    def deployed(self) -> Path:
        """The program's directory on the host."""
        return self.host / CURRENT


def files(listing: dict[str, str], *without: str) -> dict[str, str]:
    """Return a snapshot without what runs of the program write, and without some directories."""
    passing = ("var/log/", "var/lib/", "var/backups/", *without)
    return {name: content for name, content in listing.items() if not name.startswith(passing)}
