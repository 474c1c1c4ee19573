"""A repository of two backups that a test damages, and what must hold whatever it does."""

from __future__ import annotations

from pathlib import Path

from support.program import Installation, tree
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.store import Repository, load_backup
from tracker_backup.run.verify import verify_backup


def older_and_newer(host: Installation) -> tuple[Path, Path]:
    """Return the directories of the two backups."""
    older, newer = sorted(host.repository.glob("[0-9]*"))
    return older, newer


def sound(host: Installation, backup: Path) -> bool:
    """Return what `verify` finds, without a process of its own."""
    findings = verify_backup(load_backup(backup), Repository(host.repository), SilentReporter(), full=False)
    return all(finding.ok for finding in findings)


def told(host: Installation, *words: str) -> None:
    """Check that `verify` tells of it by name with its exit code, and that `status` can be asked."""
    verified, status = host.run("verify", "--all"), host.run("status", "--json")
    assert verified.returncode == 5, verified.stdout + verified.stderr
    assert status.returncode in (0, 1, 2), status.stderr
    for word in words:
        assert word in verified.stderr
    assert "internal error" not in verified.stderr + status.stderr


def contained(host: Installation, damaged: Path, whole: Path) -> None:
    """Check that the whole backup is of use, the next run ends well, and the damaged one is still as it was."""
    before = shown(damaged)
    assert whole.name in host.run("list").stdout
    restored = host.run("restore", whole.name, "--to", str(host.directory / "restored"))
    assert restored.returncode == 0, restored.stderr
    assert sound(host, whole)
    done = host.run("--now")
    assert done.returncode == 0, done.stderr
    assert sound(host, max(host.repository.glob("[0-9]*")))
    assert shown(damaged) == before


def shown(path: Path) -> object:
    """Return what lies at a path, without opening anything that is no file."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_mode, path.lstat().st_ino
    return tree(path)
