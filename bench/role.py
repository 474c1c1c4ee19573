"""The role's second run on converged hosts, beside a play of an `apt` and a `copy` task alone."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bench.measure import children_seconds
from bench.settings import ROOT, Settings
from role.playing import Controller

ALONE, AGAIN = "apt and copy alone", "the role again"
FLEET_ALONE, FLEET = "apt and copy alone, ten hosts", "the role again, ten hosts"
HOSTS = 10
_TASKS = [
    {"name": "Packages are there", "ansible.builtin.apt": {"name": ["sqlite3", "zstd"], "state": "present"}},
    {
        "name": "File is there",
        "ansible.builtin.copy": {"content": "x\n", "dest": "{{ tracker_backup_base_dir }}/copied", "mode": "0600"},
    },
]


def missing() -> str | None:
    """Return why this cannot be measured, None where it can."""
    if os.geteuid() != 0:
        return "the role's second run, since `apt` needs root"
    return None if shutil.which("apt-get") else "the role's second run, since there is no apt"


def runs(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the runs of each play; hosts are directories of this machine, and all is converged before the first."""
    if not settings.role or missing() is not None:
        return
    directory = settings.directory / "role"
    shutil.rmtree(directory, ignore_errors=True)  # of a benchmark that was killed; what stays fails the next line
    directory.mkdir(parents=True)
    try:
        one, ten = Controller(ROOT, directory / "one"), Controller(ROOT, directory / "ten")
        for controller, number in ((one, 1), (ten, HOSTS)):
            controller.directory.mkdir()
            for each in range(number):
                controller.host(f"host{each}")
        alone = directory / "alone.yml"
        alone.write_text(yaml.safe_dump([{"hosts": "trackers", "tasks": _TASKS}]), encoding="utf-8")
        plays = ((ALONE, one, alone), (AGAIN, one, None), (FLEET_ALONE, ten, alone), (FLEET, ten, None))
        for converging in (None, alone):  # the role first: it makes the host's directories
            for name, controller, playbook in plays:
                if playbook == converging:
                    _play(name, controller, playbook)
        for number in range(1, settings.runs + 1):
            for name, controller, playbook in plays:
                yield {"kind": "role", "round": number, **_play(name, controller, playbook)}
    finally:
        shutil.rmtree(directory)


def _play(name: str, controller: Controller, playbook: Path | None) -> dict[str, Any]:
    used, began = children_seconds(), time.monotonic()
    done = controller.play(playbook=playbook)
    return {
        "contender": name,
        "outcome": "ok" if done.code == 0 else "failed",
        "said": "" if done.code == 0 else done.output[-300:],
        "seconds": round(time.monotonic() - began, 3),
        "cpu_seconds": round(children_seconds() - used, 3),
        "changed": sum(done.count(host, "changed") for host in controller.hosts) if done.code == 0 else 0,
    }
