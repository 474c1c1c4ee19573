"""A backup comes back whole, with or without the program; a damaged or a hostile one is refused and leaves nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.manifests import rewrite
from support.program import Installation, sqlite_source, tree
from support.tracker_standin import build_database, check_invariant
from tracker_backup.errors import TrackerBackupError
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.store import Repository, load_backup
from tracker_backup.run.restore import restore_to
from tracker_backup.run.verify import verify_backup


def the_backup(installation: Installation) -> Path:
    """Return the directory of the only backup."""
    [directory] = [entry for entry in installation.repository.iterdir() if not entry.name.startswith(".")]
    return directory


@pytest.fixture
def bare_host(in_use: Installation) -> Installation:
    """Return an installation without configuration, as on a host where nothing but a backup's directory is left."""
    (in_use.config_directory / "default.yml").unlink()
    return in_use


@pytest.fixture
def backup(bare_host: Installation) -> Path:
    """Return a backup's directory that was copied to a bare host."""
    copied = bare_host.directory / "from an old disk"
    shutil.copytree(the_backup(bare_host), copied)
    return copied


def restore(installation: Installation, backup: Path | str, target: Path) -> subprocess.CompletedProcess[str]:
    """Run `restore`."""
    return installation.run("restore", str(backup), "--to", str(target))


def test_what_comes_back_is_what_was_taken(in_use: Installation) -> None:
    target = in_use.directory / "restored"

    done = restore(in_use, "latest", target)

    assert done.returncode == 0
    assert [entry.name for entry in target.iterdir()] == ["tracker.sqlite3"]
    manifest = in_use.manifests()[0]["artifacts"][0]
    data = (target / "tracker.sqlite3").read_bytes()
    assert hashlib.sha256(data).hexdigest() == manifest["raw_sha256"]
    assert len(data) == manifest["raw_bytes"]
    assert data[18:20] == b"\x02\x02", "the journal mode comes back, too"
    assert check_invariant(target / "tracker.sqlite3", integrity=True)["ok"]


def test_a_directory_is_enough_on_a_bare_host(bare_host: Installation, backup: Path) -> None:
    before = tree(backup)

    done = restore(bare_host, backup, bare_host.directory / "restored")

    assert done.returncode == 0, done.stderr
    assert check_invariant(bare_host.directory / "restored" / "tracker.sqlite3", integrity=True)["ok"]
    assert tree(backup) == before


def test_zstd_and_sqlite3_are_enough(backup: Path) -> None:
    """No line of ours is needed to get a database back."""
    script = (
        "set -e; zstd -q -d tracker.sqlite3.zst -o tracker.db; "
        "sqlite3 tracker.db 'PRAGMA integrity_check' 'SELECT count(*) > 1000 FROM torrents' 'PRAGMA journal_mode'"
    )

    done = subprocess.run(["sh", "-c", script], cwd=backup, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("ok\n1\nwal\n", "", 0)


@pytest.mark.parametrize("existing", ["", "-wal", "-shm", "-journal", " (a dangling link)"])
def test_nothing_that_is_there_is_replaced(in_use: Installation, existing: str) -> None:
    """A -wal that is left of an older database would poison the new one."""
    target = in_use.directory / "restored"
    target.mkdir()
    if "link" in existing:
        (target / "tracker.sqlite3").symlink_to(in_use.directory / "nowhere")
    else:
        (target / f"tracker.sqlite3{existing}").write_text("precious")
    before = tree(target)

    done = restore(in_use, "latest", target)

    assert done.returncode == 2
    assert "there is already" in done.stderr
    assert tree(target) == before
    assert not (in_use.directory / "nowhere").exists()


def test_a_source_can_be_chosen(in_use: Installation) -> None:
    build_database(in_use.data / "index.db", mib=0.2)
    sources = [sqlite_source("tracker", in_use.database), sqlite_source("index", in_use.data / "index.db")]
    in_use.configure(sources=sources)
    in_use.back_up()
    target = in_use.directory / "restored"

    assert in_use.run("restore", "latest", "--source", "index", "--to", str(target)).returncode == 0
    assert [entry.name for entry in target.iterdir()] == ["index.sqlite3"]
    unknown = in_use.run("restore", "latest", "--source", "nope", "--to", str(target))
    assert unknown.returncode == 2
    assert "has no source nope" in unknown.stderr
    assert "it has: tracker, index" in unknown.stderr


def attempt(backup: Path, target: Path) -> tuple[int, str]:
    """Restore without a process of its own, and return the exit code that it would have had, and the message."""
    try:
        restore_to(load_backup(backup), target, None, SilentReporter())
    except TrackerBackupError as error:
        return error.exit_code, str(error)
    return 0, ""


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def swap(path: Path) -> None:
    """Put a sound artifact of another database in its place."""
    other = path.with_name("other")
    other.write_bytes(b"SQLite format 3\x00" + bytes(5000))
    subprocess.run(["zstd", "-q", "-f", str(other), "-o", str(path)], check=True)
    other.unlink()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped bit": flip,
    "cut off": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut off by a byte": lambda path: os.truncate(path, path.stat().st_size - 1),
    "empty": lambda path: path.write_bytes(b""),
    "swapped": swap,
    "more at its end": lambda path: path.write_bytes(path.read_bytes() + b"more"),
}


@pytest.mark.guarantee(11)
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_artifact_is_never_restored(backup: Path, tmp_path: Path, kind: str) -> None:
    DAMAGE[kind](backup / "tracker.sqlite3.zst")

    code, message = attempt(backup, tmp_path / "restored")

    assert code == 5, message
    assert str(backup / "tracker.sqlite3.zst") in message
    assert list((tmp_path / "restored").glob("*")) == []


@pytest.mark.guarantee(11)
def test_a_damaged_artifact_ends_the_program_with_5(in_use: Installation) -> None:
    flip(the_backup(in_use) / "tracker.sqlite3.zst")

    restored = restore(in_use, "latest", in_use.directory / "restored")
    verified = in_use.run("verify")

    assert restored.returncode == 5
    assert "tracker.sqlite3.zst" in restored.stderr
    assert verified.returncode == 5
    assert f"tracker-backup: DAMAGED    {the_backup(in_use).name} tracker: " in verified.stderr


@pytest.mark.guarantee(11)
@pytest.mark.parametrize("kind", DAMAGE)
def test_verify_finds_every_damage(backup: Path, tmp_path: Path, kind: str) -> None:
    DAMAGE[kind](backup / "tracker.sqlite3.zst")

    [finding] = verify_backup(load_backup(backup), Repository(tmp_path), SilentReporter(), full=True)

    assert finding.source == "tracker"
    assert finding.ok is False


@pytest.mark.guarantee(11)
def test_verify_finds_a_missing_artifact_and_a_damaged_manifest(in_use: Installation) -> None:
    directory = the_backup(in_use)
    artifact = directory / "tracker.sqlite3.zst"
    artifact.rename(in_use.directory / "away")
    missing = in_use.run("verify", "--all")
    (in_use.directory / "away").rename(artifact)
    (directory / "manifest.json").write_text('{"format": 1}')
    unreadable = in_use.run("verify", "--all")

    assert missing.returncode == 5
    assert "cannot be read: No such file" in missing.stderr
    assert unreadable.returncode == 5
    assert "is not a manifest" in unreadable.stderr


@pytest.mark.parametrize("full", [(), ("--full",)])
def test_verify_of_a_sound_backup_says_so_and_leaves_nothing(in_use: Installation, full: tuple[str, ...]) -> None:
    before = in_use.published()

    done = in_use.run("verify", "--all", *full)

    assert done.returncode == 0
    assert ("integrity_check ok" in done.stdout) == bool(full)
    assert in_use.published() == before
    assert in_use.left_over() == []


def set_artifact(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Return a change of one field of the artifact."""
    return lambda document: document["artifacts"][0].update({key: value})


HOSTILE = {
    "a file above": (set_artifact("file", "../secret.zst"), {1}),
    "a file elsewhere": (set_artifact("file", "/etc/passwd"), {1}),
    "a source above": (set_artifact("source", "../tracker"), {1}),
    "a source elsewhere": (set_artifact("source", "/etc/cron.d/x"), {1}),
    "an unknown type": (set_artifact("type", "../../x"), {2}),
    "no artifacts": (lambda document: document.update(artifacts=[]), {0, 1, 2}),
    "artifacts of another kind": (lambda document: document.update(artifacts={"a": 1}), {1}),
    "a size that is none": (set_artifact("raw_bytes", "many"), {1}),
    "a size beyond all disks": (set_artifact("raw_bytes", 10**18), {1}),
    "another format": (lambda document: document.update(format=99), {1}),
    "a checksum that is none": (set_artifact("sha256", None), {1, 5}),
}


@pytest.mark.guarantee(11, 13)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_manifest_leads_nowhere(backup: Path, tmp_path: Path, kind: str) -> None:
    change, codes = HOSTILE[kind]
    rewrite(backup, change)
    shutil.copy(backup / "tracker.sqlite3.zst", backup.parent / "secret.zst")

    code, message = attempt(backup, tmp_path / "a" / "b" / "restored")

    assert code in codes, message
    assert [path for path in (tmp_path / "a").rglob("*") if path.is_file()] == []


def link_elsewhere(path: Path) -> None:
    """Let the artifact be a link to a file of somebody else, with the same content even."""
    path.rename(path.parent.parent / "elsewhere.zst")
    path.symlink_to(path.parent.parent / "elsewhere.zst")


@pytest.mark.guarantee(11)
@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (link_elsewhere, "is no plain file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "is no plain file"),
        (lambda path: (path.unlink(), path.mkdir()), "is no plain file"),
        (lambda path: path.unlink(), "is not there"),
    ],
)
def test_only_plain_files_are_artifacts(
    bare_host: Installation, backup: Path, replace: Callable[[Path], object], message: str
) -> None:
    replace(backup / "tracker.sqlite3.zst")
    target = bare_host.directory / "restored"

    done = restore(bare_host, backup, target)

    assert done.returncode == 5
    assert message in done.stderr
    assert not target.exists()


@pytest.mark.guarantee(11, 13)
def test_an_artifact_that_unpacks_to_more_than_it_should_is_given_up_early(
    bare_host: Installation, backup: Path
) -> None:
    """A few KiB can unpack to terabytes: what the manifest does not announce is not written."""
    artifact = backup / "tracker.sqlite3.zst"
    bomb = ["sh", "-c", 'head -c 256M /dev/zero | zstd -q -1 >"$1"', "sh", str(artifact)]
    subprocess.run(bomb, check=True)
    rewrite(backup, lambda manifest: manifest["artifacts"][0].update(bytes=artifact.stat().st_size))
    limited = ("prlimit", f"--fsize={16 * 1024**2}")
    target = bare_host.directory / "restored"

    done = bare_host.run("restore", str(backup), "--to", str(target), wrap=limited)

    assert done.returncode == 5
    assert list(target.iterdir()) == []


def test_what_is_no_backup_is_refused(bare_host: Installation, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    for path, code in ((empty, 1), (tmp_path / "missing", 2)):
        done = restore(bare_host, path, tmp_path / "restored")
        assert done.returncode == code
        assert str(path) in done.stderr
    assert not (tmp_path / "restored").exists()
