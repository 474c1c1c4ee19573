"""What the demo shows on the terminal: headings, commands as one would type them, and what they print."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
PLAYBOOK = ("ansible-playbook", "-i", "demo/inventory.yml", "site.yml")


class DemoError(Exception):
    """A step did not do what it should; the message says which and what to look at."""


def environment() -> dict[str, str]:
    """Return this process's environment with the homes of all programs below .demo."""
    home = DEMO / "home"
    home.mkdir(parents=True)
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "ANSIBLE_HOME": str(DEMO / "ansible"),
        # The default's ~ would be the home in /etc/passwd.
        "ANSIBLE_REMOTE_TMP": str(home / "ansible-remote"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        # What is as it should be already goes without saying here.
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_FORCE_COLOR": str(sys.stdout.isatty()),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }


def prepare() -> None:
    """Remove what an earlier demo left; raise DemoError where the demo cannot work."""
    if re.search(r"[\s\"']", str(ROOT)):
        raise DemoError(f"Ansible's script module needs a path without blanks and quotes, and this is {ROOT}")
    try:
        if DEMO.exists():
            shutil.rmtree(DEMO)
    except PermissionError as error:
        raise DemoError(f"{error.filename} belongs to somebody else. Remove {shown(DEMO)} and start again.") from error


def heading(text: str) -> None:
    """Print what the next step is."""
    line = f"== {text} "
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{line}{'=' * max(3, 100 - len(line))}{plain}", flush=True)


def shown(word: str | Path) -> str:
    """Return a word of a command as a user in the checkout would type it."""
    return shlex.quote(str(word).removeprefix(f"{ROOT}/"))


def announce(command: tuple[str | Path, ...]) -> None:
    """Print a command as a user would type it."""
    print("$", *(shown(word) for word in command), flush=True)


def call(*command: str | Path, env: dict[str, str]) -> None:
    """Show a command and run it; raise DemoError when it fails."""
    announce(command)
    code = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        raise DemoError(f"{shown(command[0])} ended with exit code {code}")


def ask(*command: str | Path, env: dict[str, str]) -> Any:
    """Run a command without showing it and return the JSON that it prints; raise DemoError when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise DemoError(f"{shown(command[0])} ended with exit code {done.returncode}: {done.stdout}")
    return json.loads(done.stdout)


def show(path: Path) -> None:
    """Show a file as `cat` would."""
    announce(("cat", path))
    print(path.read_text(encoding="utf-8"), end="", flush=True)


def play(env: dict[str, str]) -> int:
    """Show and run the playbook and return how many tasks changed something."""
    announce(PLAYBOOK)
    changes = 0
    with subprocess.Popen(
        PLAYBOOK, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            changes += changed_tasks(line)
    if running.returncode != 0:
        raise DemoError(f"ansible-playbook ended with exit code {running.returncode}")
    return changes


def changed_tasks(line: str) -> int:
    """Return how many changes a line of the playbook's output tells of: the recap has a line for each host."""
    return sum(int(count) for count in re.findall(r"changed=(\d+)", line))
