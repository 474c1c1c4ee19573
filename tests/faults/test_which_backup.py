"""`latest` and an id are looked for in the repository, wherever one stands, and mean what holds what is asked for."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from support.program import Installation
from support.small_disk import needs_root

NOBODY = 65534


def planted(host: Installation, place: Path, name: str) -> Path:
    """Put a backup that is another's there under a name; it could hold anything."""
    directory = Path(shutil.copytree(next(host.repository.glob("2*")), place / name))
    for path in (directory, *directory.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    return directory


@needs_root
@pytest.mark.guarantee(13, 18)
def test_what_lies_where_one_stands_is_not_taken_for_it(host: Installation, open_path: Path) -> None:
    newest = max(path.name for path in host.repository.glob("2*"))
    planted(host, open_path, "latest")
    planted(host, open_path, newest)
    shutil.rmtree(host.repository / newest)
    older = max(path.name for path in host.repository.glob("2*"))

    command = [*host.command("restore", "latest", "--to", str(host.directory / "restored"))]
    done = subprocess.run(command, cwd=open_path, env=host.environment(), capture_output=True, text=True, check=False)
    named = [*host.command("restore", newest, "--in-place", "--yes")]
    other = subprocess.run(named, cwd=open_path, env=host.environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert f"of {older} into" in done.stdout
    assert other.returncode == 2, other.stdout
    assert f"there is no backup '{newest}'" in other.stderr


@needs_root
@pytest.mark.guarantee(9, 18)
def test_what_others_could_have_made_does_not_go_live(host: Installation, open_path: Path) -> None:
    directory = planted(host, open_path, "taken")
    before = host.database.stat()

    refused = host.run("restore", str(directory), "--in-place", "--yes")
    looked_at = host.run("restore", str(directory), "--to", str(host.directory / "restored"))

    assert refused.returncode == 2, refused.stdout
    assert "belongs to the user nobody" in refused.stderr
    assert host.database.stat() == before
    assert looked_at.returncode == 0, looked_at.stderr

    # What it says is done, into a directory of root's that is the test's own.
    [told] = re.findall(r"sudo (cp -r .*) /root/$", refused.stderr, re.MULTILINE)
    subprocess.run([*shlex.split(told), str(host.directory)], check=True)
    done = host.run("restore", str(host.directory / directory.name), "--in-place", "--yes")
    assert done.returncode == 0, done.stderr
    assert host.database.stat().st_ino != before.st_ino


def test_the_latest_is_a_whole_one_unless_a_part_is_asked_for(host: Installation) -> None:
    """A backup of one source, made by hand, has what was wanted then; restored as the latest it would be all."""
    host.settings["sources"].append({"name": "files", "type": "files"})
    (host.data / "compose.yaml").write_text("services: {}\n")
    host.configure()
    whole = host.back_up()["id"]
    made = host.run("--now", "--source", "tracker")
    assert made.returncode == 0, made.stderr
    [by_hand] = [path.name for path in host.repository.glob("2*-manual")]

    everything = host.run("restore", "latest", "--to", str(host.directory / "everything"))
    one_file = host.run(
        "restore", "latest", "--path", str(host.data / "compose.yaml"), "--to", str(host.directory / "f")
    )
    newest = host.run("restore", "latest", "--source", "tracker", "--to", str(host.directory / "newest"))

    assert f"of {whole} into" in everything.stdout, everything.stderr
    assert f"of {whole} into" in one_file.stdout, one_file.stderr
    assert f"of {by_hand} into" in newest.stdout, newest.stderr


def test_nothing_is_restored_into_a_repository_and_into_the_stack_not_without_a_word(host: Installation) -> None:
    (host.data / "compose.yaml").write_text("services: {}\n")
    before = host.published()

    for place in (host.repository, host.repository / "restored", host.repository / host.back_up()["id"]):
        refused = host.run("restore", "latest", "--to", str(place))
        assert refused.returncode == 2, refused.stderr
        assert "is in the repository" in refused.stderr
    told = host.run("restore", "latest", "--to", str(host.data / "restored"))

    assert host.published().keys() >= {path for path in before if path in host.published()}
    assert not (host.repository / "restored").exists()
    assert told.returncode == 0, told.stderr
    assert "the next backup of its files will take it along" in told.stderr
