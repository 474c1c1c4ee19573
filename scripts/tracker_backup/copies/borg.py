"""Copies in a borg repository.

https://borgbackup.readthedocs.io/en/stable/usage/general.html
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from tracker_backup.copies.interface import Copied, Origin, is_backup_id, started
from tracker_backup.copies.program import Program, complaints, read_environment, require_private, rules
from tracker_backup.copies.ssh import ssh_command
from tracker_backup.errors import CopyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracker_backup.config.model import CopySettings, Keep

_CHUNKS = "buzhash,14,18,16,4095"
"""Pieces of 64 KiB instead of 2 MiB: a row that changes in a database costs its piece."""

_LOCK_WAIT = ("--lock-wait", "120")
_SEPARATOR = "."
_PARTS = 4


class Borg:
    """A borg repository."""

    def __init__(self, settings: CopySettings, cache: Path, making: str) -> None:
        """Name the repository; `making` is the command that a person makes it with."""
        require_private(settings.password_file)
        self.settings = settings
        environment = {
            **read_environment(settings.environment_file),
            "BORG_REPO": settings.repository,
            "BORG_PASSCOMMAND": shlex.join(["cat", str(settings.password_file)]),
            "BORG_RSH": shlex.join(ssh_command(settings)),
            "BORG_BASE_DIR": str(cache),
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",  # who changes the address in the configuration means it
            "TZ": "UTC",  # so that days begin where ours do
        }
        known = complaints(
            settings,
            making,
            refused="passphrase supplied .* is incorrect",
            missing="does not exist|is not a valid repository",
            locked="(?i)failed to create/acquire the lock",
        )
        self._program = Program("borg", settings, environment, known)
        limit = settings.upload_limit_kib_per_second
        self._sending = ("--upload-ratelimit", str(limit)) if limit else ()

    def exists(self) -> bool:
        """Return whether the repository is there, and the password is its own."""
        return self._program.works("info", *_LOCK_WAIT)

    def init(self) -> None:
        """Make the repository, encrypted with a key that lies in it."""
        self._program.answer("init", "--encryption", "repokey-blake2")

    def copied(self) -> list[Copied]:
        """Return the backups that are there, oldest first."""
        said = self._program.answer("list", "--json", *_LOCK_WAIT)
        with self._program.understanding():
            archives = json.loads(said)["archives"]
            found = [each for archive in archives if (each := _copied(archive["name"])) is not None]
        return sorted(found, key=lambda each: each.backup)

    def store(self, directory: Path, backup: str, origin: Origin, progress: Callable[[int, int], None]) -> None:
        """Copy the files in a directory as the backup of that id.

        borg keeps an archive of what it could read also where it could not read all, and ends with 1 then.
        """
        del progress  # it tells of files, of which there are a few
        name = _archive(origin, backup)
        words = ["create", "--compression", "zstd,1", "--files-cache", "disabled", "--chunker-params", _CHUNKS]
        words += ["--timestamp", f"{started(backup):%Y-%m-%dT%H:%M:%S}"]
        try:
            self._program.answer(*words, *_LOCK_WAIT, *self._sending, f"::{name}", str(directory))
        except CopyError:
            with self._program.clearing_up():
                if name in self._program.answer("list", "--short", *_LOCK_WAIT).splitlines():
                    self._program.answer("delete", *_LOCK_WAIT, f"::{name}")
            raise

    def forget(self, origin: Origin, keep: Keep) -> None:
        """Delete what `keep` does not keep of the archives of that origin, and free their room."""
        self._program.answer("prune", *_LOCK_WAIT, "--glob-archives", _archive(origin, "*"), *rules(keep))
        self._program.answer("compact", *_LOCK_WAIT)

    def sizes(self, copied: Copied) -> dict[str, int]:
        """Return the files of an archive, and their sizes."""
        said = self._program.answer("list", "--json-lines", *_LOCK_WAIT, f"::{copied.key}")
        with self._program.understanding():
            entries = [json.loads(line) for line in said.splitlines()]
            return {each["path"].rpartition("/")[2]: each["size"] for each in entries if each["type"] == "-"}

    def remove(self, copied: Copied) -> None:
        """Delete an archive; what it alone holds goes with the next compaction."""
        self._program.answer("delete", *_LOCK_WAIT, f"::{copied.key}")

    def check(self) -> None:
        """Let borg check the repository, and that its archives are complete."""
        self._program.answer("check", *_LOCK_WAIT)

    def read(self, copied: Copied, name: str, sink: Callable[[bytes], None]) -> None:
        """Give a file of an archive to `sink`."""
        listed = self._program.answer("list", "--format", "{path}{NL}", *_LOCK_WAIT, f"::{copied.key}").splitlines()
        path = next((each for each in listed if each.rpartition("/")[2] == name), None)
        if path is None:
            raise CopyError(f"copy {self.settings.name}: there is no {name} in {copied.key}")
        self._program.read(["extract", "--stdout", *_LOCK_WAIT, f"::{copied.key}", path], sink)


def _archive(origin: Origin, backup: str) -> str:
    """Return an archive's name; neither an instance nor a job has a dot in its name."""
    return _SEPARATOR.join((origin.host.replace("/", "_"), origin.instance, origin.job, backup))


def _copied(name: str) -> Copied | None:
    parts = name.rsplit(_SEPARATOR, _PARTS - 1)
    if len(parts) != _PARTS or not is_backup_id(parts[3]):
        return None
    return Copied(name, parts[3], Origin(*parts[:3]), "")
