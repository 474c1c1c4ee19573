"""Copies in a restic repository.

https://restic.readthedocs.io/en/stable/075_scripting.html
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from tracker_backup.copies.interface import Copied, Origin, is_backup_id, started
from tracker_backup.copies.program import Program, complaints, read_environment, require_private, rules
from tracker_backup.copies.ssh import sftp_command
from tracker_backup.errors import CopyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tracker_backup.config.model import CopySettings, Keep

_TAG = "tracker-backup"
_BACKUP, _INSTANCE, _JOB = "backup:", "instance:", "job:"


class Restic:
    """A restic repository."""

    def __init__(self, settings: CopySettings, cache: Path, making: str) -> None:
        """Name the repository; `making` is the command that a person makes it with."""
        require_private(settings.password_file)
        self.settings = settings
        environment = {
            **read_environment(settings.environment_file),
            # Not an argument: those stand in /proc for all, with the password that an address may hold.
            "RESTIC_REPOSITORY": settings.repository,
            "RESTIC_PASSWORD_FILE": str(settings.password_file),
            "RESTIC_CACHE_DIR": str(cache),
            "RESTIC_PROGRESS_FPS": "1",
            "TZ": "UTC",  # so that days begin where ours do
        }
        known = complaints(
            settings,
            making,
            refused="wrong password|no key found",
            missing="(?i)is there a repository at|repository does not exist|unable to open config",
            locked="already locked",
        )
        self._program = Program("restic", settings, environment, known)
        sftp = sftp_command(settings)
        self._options = () if sftp is None else ("-o", f"sftp.command={shlex.join(sftp)}")
        limit = settings.upload_limit_kib_per_second
        self._sending = (*self._options, *(("--limit-upload", str(limit)) if limit else ()))

    def exists(self) -> bool:
        """Return whether the repository is there, and the password is its own."""
        return self._program.works("cat", "config", "--no-lock", *self._options)

    def init(self) -> None:
        """Make the repository."""
        self._program.answer("init", *self._options)

    def copied(self) -> list[Copied]:
        """Return the backups that are there, oldest first."""
        said = self._program.answer("snapshots", "--json", "--no-lock", "--tag", _TAG, *self._options)
        with self._program.understanding():
            return sorted(_copied(json.loads(said) or []), key=lambda each: each.backup)

    def store(self, directory: Path, backup: str, origin: Origin, progress: Callable[[int, int], None]) -> None:
        """Copy the files in a directory as the backup of that id.

        restic keeps a snapshot of what it could read also where it could not read all, and ends with 3 then.
        """
        self._unlock()
        tags = (_TAG, f"{_INSTANCE}{origin.instance}", f"{_JOB}{origin.job}", f"{_BACKUP}{backup}")
        words = ["backup", "--json", "--host", origin.host, *(word for tag in tags for word in ("--tag", tag))]
        watch = _Watch(progress)
        try:
            self._program.read(
                [*words, "--time", f"{started(backup):%Y-%m-%d %H:%M:%S}", *self._sending, "--", str(directory)],
                watch.hear,
            )
        except CopyError:
            if watch.snapshot is not None:
                with self._program.clearing_up():
                    self._program.answer("forget", *self._options, watch.snapshot)
            raise

    def forget(self, origin: Origin, keep: Keep) -> None:
        """Delete what `keep` does not keep of the snapshots with the tags of that origin."""
        self._unlock()
        chosen = f"{_TAG},{_INSTANCE}{origin.instance},{_JOB}{origin.job}"
        chosen_from = ["--host", origin.host, "--tag", chosen, "--group-by", "host"]
        self._program.answer("forget", "--prune", *chosen_from, *rules(keep), *self._sending)

    def sizes(self, copied: Copied) -> dict[str, int]:
        """Return the files of a snapshot, and their sizes."""
        said = self._program.answer("ls", "--json", "--no-lock", *self._options, "--", copied.key)
        with self._program.understanding():
            entries = [json.loads(line) for line in said.splitlines()]
            # An empty file has no size in there.
            return {each["name"]: each.get("size", 0) for each in entries if each.get("type") == "file"}

    def remove(self, copied: Copied) -> None:
        """Delete a snapshot; what it alone holds goes with the next pruning."""
        self._unlock()
        self._program.answer("forget", *self._options, "--", copied.key)

    def check(self) -> None:
        """Let restic check structure and index."""
        self._unlock()
        self._program.answer("check", *self._options)

    def read(self, copied: Copied, name: str, sink: Callable[[bytes], None]) -> None:
        """Give a file of a snapshot to `sink`."""
        self._program.read(["dump", "--no-lock", *self._options, "--", copied.key, f"{copied.directory}/{name}"], sink)

    def _unlock(self) -> None:
        """Remove locks whose owners are dead, as a killed run leaves them; those of the living stay."""
        self._program.answer("unlock", *self._options)


class _Watch:
    """Hears what `restic backup --json` says, line by line: how far it is, and what the snapshot is called."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.snapshot: str | None = None
        self._progress = progress
        self._rest = b""

    def hear(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            return  # a line of text among the others, which older versions print
        if not isinstance(told, dict):
            return
        if told.get("message_type") == "status" and told.get("total_bytes"):
            self._progress(int(told.get("bytes_done", 0)), int(told["total_bytes"]))
        if told.get("message_type") == "summary":
            self.snapshot = told.get("snapshot_id")


def _copied(snapshots: list[dict[str, Any]]) -> Iterator[Copied]:
    for snapshot in snapshots:
        tags = snapshot.get("tags") or []
        named = {prefix: _tagged(tags, prefix) for prefix in (_BACKUP, _INSTANCE, _JOB)}
        host, paths = snapshot.get("hostname"), snapshot.get("paths") or []
        if host and all(named.values()) and len(paths) == 1 and is_backup_id(named[_BACKUP]):
            origin = Origin(host, named[_INSTANCE], named[_JOB])
            yield Copied(snapshot["id"], named[_BACKUP], origin, paths[0])


def _tagged(tags: list[str], prefix: str) -> str:
    return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), "")
