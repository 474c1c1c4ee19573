"""Look whether a host can take a stack in; playbooks/move.yml and recover.yml run this there before anything changes.

The argument is a JSON object: what arrives (`stack`, `project`, `names` of containers, `ports`, `architecture`, whether
there are `local_images`), where our own things are (`state_directory`, `configuration`), and `room`, a list of objects
with `path`, `bytes` and `what`. It prints one with `problems`, each with what to do, and `arrived`, the note of an
earlier try. Nothing but Python's own library is needed, and nothing is changed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TIMEOUT_SECONDS = 60
MIB = 1024 * 1024
WITHDRAWN = "withdrawn"


def run(*command: str) -> tuple[int, str]:
    """Run a command and return its exit code and what it printed; 127 where there is no such program."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False, env={"PATH": PATH}
        )
    except FileNotFoundError:
        return 127, ""
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {TIMEOUT_SECONDS} s"
    return done.returncode, (done.stdout or done.stderr).strip()


def docker_problems() -> list[str]:
    """Return what keeps Docker from being used; it is the admin's to install."""
    advice = "Neither the role nor this playbook installs Docker: see https://docs.docker.com/engine/install/"
    code, said = run("docker", "info", "--format", "{{.ServerVersion}}")
    if code == 127:  # noqa: PLR2004 - as a shell has it
        return [f"there is no Docker on this host. {advice}"]
    if code != 0:
        return [f"Docker does not answer: {said[:300]}"]
    code, _ = run("docker", "compose", "version", "--short")
    return [f"there is no Compose v2 (`docker compose version` fails). {advice}"] if code else []


def noted(path: Path) -> dict[str, Any] | None:
    """Return the note of an earlier try, None where there is none that can be read."""
    try:
        note = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def stack_problems(needs: dict[str, Any]) -> list[str]:
    """Return what of the stack is there already, in its directory, in containers, in our configuration."""
    problems = []
    stack = Path(needs["stack"])
    if stack.exists() and (not stack.is_dir() or any(stack.iterdir())):
        problems.append(f"there is something in {stack} already: move it out of the way")
    _, listed = run("docker", "ps", "--all", "--format", '{{.Names}}\t{{.Label "com.docker.compose.project"}}')
    rows = [line.partition("\t")[::2] for line in listed.splitlines()]
    same = sorted(name for name, project in rows if name in needs["names"] or (project and project == needs["project"]))
    if same:
        problems.append(f"there are containers of that name, or of that project: {', '.join(same)}: remove them")
    configuration = Path(needs["configuration"])
    if configuration.is_file() and f"stack: {stack}" not in configuration.read_text(errors="replace").splitlines():
        problems.append(f"{configuration} is about another stack: give this one an instance of its own")
    return problems


def port_problems(ports: list[str]) -> list[str]:
    """Return the ports that somebody on this host has taken."""
    taken = [port for port in ports if not is_free(port)]
    return [f"ports are in use: {', '.join(taken)}: `ss -tulpn` says by whom"] if taken else []


def is_free(port: str) -> bool:
    """Tell whether address:port/protocol can be listened on; an address that is another host's cannot be tried."""
    place, _, protocol = port.partition("/")
    address, _, number = place.rpartition(":")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    try:
        with socket.socket(family, kind) as listener:
            if kind == socket.SOCK_STREAM:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, int(number)))
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True


def room_problems(needs: list[dict[str, Any]]) -> list[str]:
    """Return the disks that have too little room for what is to be put on them."""
    disks: dict[int, list[tuple[Path, int, str]]] = {}
    for need in needs:
        place = nearest(Path(need["path"]))
        disks.setdefault(place.stat().st_dev, []).append((place, int(need["bytes"]), need["what"]))
    problems = []
    for parts in disks.values():
        wanted = sum(size for _, size, _ in parts)
        free = shutil.disk_usage(parts[0][0]).free
        if free < wanted:
            what = ", ".join(f"{name} {size // MIB} MiB" for _, size, name in parts)
            problems.append(f"{wanted // MIB} MiB are needed at {parts[0][0]} ({what}), {free // MIB} MiB are free")
    return problems


def nearest(path: Path) -> Path:
    """Return the directory that there is by now."""
    while not path.is_dir():
        path = path.parent
    return path


def look(needs: dict[str, Any]) -> dict[str, Any]:
    """Return what stands in the way, and how far an earlier try has come."""
    arrived = noted(Path(needs["state_directory"]) / "arriving.json")
    problems = docker_problems()
    if not problems and arrived is None:
        problems += stack_problems(needs)
    if not problems and (arrived is None or arrived.get("step") == WITHDRAWN):
        problems += port_problems(needs["ports"])
    if arrived is None or not arrived.get("step"):
        problems += room_problems(needs["room"])
    architecture = os.uname().machine
    if needs["local_images"] and architecture != needs["architecture"]:
        problems.append(
            f"this host is {architecture}, the old one {needs['architecture']}: images that were built there do not "
            "run here; push them to a registry, or build them here"
        )
    return {"problems": problems, "arrived": arrived, "host": socket.gethostname(), "architecture": architecture}


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
