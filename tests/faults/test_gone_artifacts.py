"""Artifacts that go, shrink or rot after they were stored: nothing counts on them, nothing good is deleted for them.

Whether a file is there, and how long it is, every listing sees; what `verify` has found is not forgotten.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.program import Installation, tree
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.store import Repository
from tracker_backup.run.verify import verify_backup

pytestmark = pytest.mark.guarantee(5, 11, 12)

ARTIFACT = "tracker.sqlite3.zst"


def gone(file: Path) -> None:
    file.unlink()


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_link_to_the_same(file: Path) -> None:
    shutil.copy(file, file.parent.parent.parent / "elsewhere")
    file.unlink()
    file.symlink_to(file.parent.parent.parent / "elsewhere")


def rotten(file: Path) -> None:
    with file.open("r+b") as writing:
        writing.seek(30)
        [byte] = writing.read(1)
        writing.seek(30)
        writing.write(bytes([byte ^ 1]))


HARM = [gone, cut_off, a_directory, a_link_to_the_same]


def states(host: Installation) -> dict[str, str]:
    """Return the states of all backups as they are listed."""
    return {each["id"]: each["state"] for each in host.listed()}


def published_ids(host: Installation) -> list[str]:
    """Return the ids of all backups, oldest first, without asking the program."""
    return sorted({path.partition("/")[0] for path in host.published()})


def status_of(host: Installation) -> dict[str, Any]:
    """Return what `status` says."""
    found: dict[str, Any] = json.loads(host.run("status", "--json").stdout)
    return found


@pytest.mark.parametrize("harm", HARM)
def test_a_backup_without_its_artifact_displaces_no_other(host: Installation, harm: Callable[[Path], None]) -> None:
    older, newer = published_ids(host)
    harm(host.repository / newer / ARTIFACT)
    host.configure(jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 1}}])

    assert states(host) == {older: "verified", newer: "damaged"}
    assert newer in host.run("list").stderr + host.run("list").stdout
    assert f"{newer} is damaged" in json.dumps(status_of(host)["reasons"])
    assert f"{newer} is damaged" in host.run("doctor").stdout
    assert host.run("prune").returncode == 0

    assert set(states(host)) == {older, newer}, "the only good one, and what a person has to look at"
    restored = host.run("restore", "latest", "--to", str(host.directory / "restored"))
    assert restored.returncode == 0, restored.stderr
    assert older in restored.stdout


@pytest.mark.parametrize("harm", [gone, cut_off])
def test_restored_it_fails_as_a_check_does_and_leaves_the_live_one(
    host: Installation, harm: Callable[[Path], None]
) -> None:
    _, newer = published_ids(host)
    harm(host.repository / newer / ARTIFACT)
    before = tree(host.data / "tracker.db")

    for where in (("--to", str(host.directory / "restored")), ("--in-place", "--yes")):
        done = host.run("restore", newer, *where)
        assert done.returncode == 5, done.stderr
        assert "restore another backup" in done.stderr

    assert tree(host.data / "tracker.db") == before
    assert not (host.directory / "restored" / "tracker.sqlite3").exists()


def test_what_verify_finds_counts_until_a_full_one_finds_it_sound(host: Installation) -> None:
    older, newer = published_ids(host)
    artifact = host.repository / newer / ARTIFACT
    rotten(artifact)
    assert states(host)[newer] == "verified", "nobody has read it yet"

    assert host.run("verify", newer).returncode == 5

    assert states(host) == {older: "verified", newer: "damaged"}
    assert f"verify found {ARTIFACT} damaged" in json.dumps(status_of(host)["reasons"])
    assert f"verify found {ARTIFACT} damaged" in (host.directory / "state/status.json").read_text(), (
        "for who may not look"
    )
    assert host.run("restore", "latest", "--to", str(host.directory / "restored")).returncode == 0

    rotten(artifact)  # the other way round: as a disk whose cable was put right
    assert host.run("verify", newer).returncode == 0
    assert states(host)[newer] == "damaged", "a checksum alone does not say that the database is sound"
    assert host.run("verify", newer, "--full").returncode == 0
    assert states(host)[newer] == "verified"


def test_a_night_after_the_damage_makes_a_new_one_and_keeps_the_policy(host: Installation) -> None:
    older, newer = published_ids(host)
    gone(host.repository / newer / ARTIFACT)
    host.configure(jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 1}}])

    made = host.back_up()["id"]

    assert states(host) == {newer: "damaged", made: "verified"}, f"{older} has served"


def test_a_disk_that_does_not_tell_makes_no_backup_damaged(host: Installation) -> None:
    """It may be well again in a minute; until then the backup cannot be read, counts for nothing, and stays."""
    older, newer = published_ids(host)
    artifact = host.repository / newer / ARTIFACT
    failing = ("strace", "--quiet=all", "--output=/dev/null", f"--trace-path={artifact}")
    failing += ("--inject=newfstatat,lstat,statx:error=EIO",)

    listed = host.run("list", "--json", wrap=failing)
    pruned = host.run("prune", wrap=failing)

    assert [each["id"] for each in json.loads(listed.stdout)] == [older]
    assert f"cannot look at {artifact}" in listed.stderr
    assert pruned.returncode == 0, pruned.stderr
    assert states(host) == {older: "verified", newer: "verified"}


class Meanwhile(SilentReporter):
    """Has something happen as soon as a backup is being read."""

    def __init__(self, happens: Callable[[], None]) -> None:
        """Keep what is to happen, once."""
        self._happens = [happens]

    def phase(self, name: str, source: str | None = None) -> None:
        """Let it happen."""
        if self._happens:
            self._happens.pop()()


def test_what_is_deleted_while_verify_reads_is_not_called_damaged(host: Installation) -> None:
    """It takes hours to read a large repository, and every night may delete something of it."""
    first, second = published_ids(host)
    repository = Repository(host.repository)
    reporter = Meanwhile(lambda: repository.remove([second]))

    findings = {each.id: verify_backup(each, repository, reporter, full=False) for each in repository.backups()}

    assert [finding.ok for finding in findings[first]] == [True]
    assert findings[second] == []
