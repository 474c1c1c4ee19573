"""Other versions of the two libraries than the ones installed here, each in a directory of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("TRACKER_BACKUP_CACHE") or Path.home() / ".cache" / "tracker-backup")
PROBE = Path(__file__).with_name("probe.py")


def installed(name: str, version: str) -> Path:
    """Return a directory with that version of a library and what it needs; pip fills it once per machine."""
    directory = CACHE / name / version
    if not directory.exists():
        partial = directory.with_name(f"{version}.{os.getpid()}")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--target", partial, f"{name}=={version}"], check=True, capture_output=True)
        try:
            partial.rename(directory)
        except OSError:  # another run was faster
            shutil.rmtree(partial)
    return directory


def probed(checkout: Path, crontab_version: str, croniter_version: str) -> dict[str, list[str]]:
    """Return what the package says about many schedules with these versions and no other library in reach."""
    paths = [
        checkout / "scripts",
        installed("python-crontab", crontab_version),
        installed("croniter", croniter_version),
    ]
    # Without -S the environment's own libraries would be found as well.
    done = subprocess.run([sys.executable, "-I", "-S", PROBE, *paths], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["crontab"], answer["croniter"]) == (crontab_version, croniter_version)
    schedules = answer["schedules"]
    assert isinstance(schedules, dict)
    return schedules
