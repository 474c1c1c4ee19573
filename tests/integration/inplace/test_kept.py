"""What restores in place have replaced is told of until somebody deletes it, with what does that."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from typing import Any

from support.inplace_world import mark
from support.program import Installation, sqlite_source
from support.tracker_standin import build_database

DAY = 86400


def told(installation: Installation) -> list[dict[str, Any]]:
    """Return what the doctor says of what is kept."""
    return [finding for finding in installation.examined() if "replaced by a restore in place" in finding["what"]]


def remove(finding: dict[str, Any]) -> None:
    """Do what a finding says."""
    words = shlex.split(finding["remedy"].partition(": ")[2])
    assert words[0] == "sudo"
    subprocess.run(words[1:], check=True)


def test_databases_and_files_wherever_they_were(installation: Installation) -> None:
    grafana, setting = installation.data / "graf ana" / "grafana.db", installation.data / ".env"
    grafana.parent.mkdir()
    build_database(grafana, mib=0.1)
    setting.write_text("LEVEL=1\n")
    tracker = {**sqlite_source("tracker", installation.database), "service": "tracker"}
    installation.configure(sources=[tracker, {"name": "files", "type": "files"}])
    installation.back_up()
    assert told(installation) == []
    for database in (installation.database, grafana):
        mark(database, "new")
    setting.write_text("LEVEL=2\n")
    assert installation.run("restore", "latest", "--in-place", "--yes").returncode == 0
    kept = f"pre-restore-{installation.manifests()[0]['id']}"
    places = [grafana.parent / kept, installation.data / kept, installation.directory / kept]
    for place in places:
        os.utime(place, (time.time() - 3 * DAY - 60,) * 2)

    found = told(installation)

    assert {finding["level"] for finding in found} == {"warn"}
    assert sorted(finding["what"].partition(": ")[2].rpartition(",")[0] for finding in found) == sorted(
        map(str, places)
    )
    assert all("kept for 3 days" in finding["what"] for finding in found)
    assert f"{installation.data / kept}, 1." in str(found), "its size"
    for finding in found:
        remove(finding)
    assert not any(place.exists() for place in places)
    assert told(installation) == []


def test_a_restore_that_has_to_be_finished_may_need_it(installation: Installation) -> None:
    installation.back_up()
    mark(installation.database, "new")
    assert installation.run("restore", "latest", "--in-place", "--yes").returncode == 0
    assert len(told(installation)) == 1
    # A note that cannot be understood stays where it is, as that of a restore under way does.
    (installation.directory / "state" / "restoring.json").write_text("{")

    assert told(installation) == []
