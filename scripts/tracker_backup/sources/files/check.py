"""The check of an archive: tar reads it to its end, and what is in it is compared with what was put in.

In full, the databases in it are taken out once more, one after the other, for SQLite's integrity_check.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import CommandError
from tracker_backup.sources.files import archive
from tracker_backup.sources.files.walking import shown
from tracker_backup.sources.interface import CheckResult
from tracker_backup.sources.sqlite.check import SqliteCheck

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

QUICK, FULL = "tar", "tar, integrity_check"
_PLAIN = frozenset("-dlh")
"""What an archive of ours holds: files, directories, links of both kinds; no devices, which root would make."""


class TarCheck:
    """A check that is made when its result is asked for: it reads headers, which takes no time worth sharing."""

    def __init__(self, path: Path, facts: Mapping[str, Any], *, full: bool, low_priority: bool) -> None:
        """Name the archive, and what stands in the manifest of it; what is taken out in full lies beside it."""
        self._path = path
        self._facts = facts
        self._full = full
        self._low_priority = low_priority

    def abandon(self) -> None:
        """There is nothing to end."""

    def result(self) -> CheckResult:
        """Read the archive and say whether it is what it should be."""
        began = time.monotonic()
        try:
            problems = self._problems()
            if self._full and not problems:
                problems = self._damaged()
        except CommandError as error:
            problems = [error.message]
        messages = tuple(problems) or ("ok",)
        check = FULL if self._full else QUICK
        return CheckResult(check, ok=not problems, seconds=time.monotonic() - began, messages=messages)

    def _problems(self) -> list[str]:
        names = list(archive.names(self._path))
        kinds = set(archive.kinds(self._path))
        problems = [f"it would restore {shown_name(name)}, outside of its place" for name in names if _escapes(name)][
            :3
        ]
        if kinds - _PLAIN:
            problems.append("it holds devices or other things that no backup of ours holds")
        expected = self._facts.get("members")
        if expected is not None and expected != len(names):
            problems.append(f"it has {len(names)} members, and {expected} were put in")
        elif self._facts.get("names_sha256") not in (None, digest(names)):
            problems.append("its members have other names than those that were put in")
        for database in self._facts.get("databases", ()):
            if database["check"] == "damaged":
                problems.append(f"{database['path']}: {'; '.join(database['messages'])}")
        return problems

    def _damaged(self) -> list[str]:
        """Return what integrity_check has against the databases, of those that the manifest names."""
        named = {str(database["path"]) for database in self._facts.get("databases", ())}
        members = [name for name in archive.names(self._path) if f"/{shown_name(name)}" in named] if named else []
        return [problem for name in members if (problem := self._damage(name)) is not None]

    def _damage(self, name: bytes) -> str | None:
        copy = self._path.with_name(f"{self._path.name}.database")
        try:
            archive.extract_one(self._path, name, copy)
            result = SqliteCheck(copy, full=True, low_priority=self._low_priority).result()
        finally:
            copy.unlink(missing_ok=True)
        return f"/{shown_name(name)}: {'; '.join(result.messages)}" if result.ok is False else None


def digest(names: Iterable[bytes]) -> str:
    """Return the SHA-256 of members' names in their order, each with a zero byte after it."""
    return hashlib.sha256(b"".join(name + b"\0" for name in names)).hexdigest()


def shown_name(name: bytes) -> str:
    """Return a member's name as it can be printed."""
    return shown(name.decode("utf-8", "surrogateescape"))


def _escapes(name: bytes) -> bool:
    parts: Sequence[bytes] = name.split(b"/")
    return name.startswith(b"/") or b".." in parts
