"""Who has a file open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tracker_backup.inplace.openers import identities, openers


def test_a_process_is_found_by_the_file_whatever_name_it_opened_it_by(tmp_path: Path) -> None:
    file, other = tmp_path / "tracker.db", tmp_path / "other"
    file.touch()
    os.link(file, other)
    command = [sys.executable, "-c", "import sys; f = open(sys.argv[1]); print(flush=True); input()", str(other)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = openers(identities([file, tmp_path / "missing"]))
        process.communicate(b"\n")

    assert [(each.pid, each.path) for each in found] == [(process.pid, str(file))]
    assert str(other)[:20] in found[0].command or sys.executable in found[0].command
    assert openers(identities([file])) == []
    assert openers({}) == []
