"""Unpack a checked archive into a new directory; whatever happens, nothing is left of half of it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import CheckFailedError, RestoreError, UsageError
from tracker_backup.sources.files.selection import inside
from tracker_backup.sources.sqlite.check import SqliteCheck
from tracker_backup.system.files import remove_tree
from tracker_backup.system.stream import Child, describe_exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ALWAYS = (
    # A member that was taken again comes after its directory's own times and modes have been set.
    "--delay-directory-restore",
    "--same-permissions",
    "--numeric-owner",
    "--acls",
    "--xattrs",
    "--sparse",
    "--no-unquote",  # else a backslash in the directory's name were the beginning of something
)
_AS_ROOT = ("--same-owner", "--xattrs-include=*")
_AS_ANYBODY = ("--no-same-owner",)


def unfold(raw: Path, directory: Path, facts: Mapping[str, Any]) -> list[str]:
    """Unpack an archive into the new directory `directory`, and have SQLite check the databases in it.

    Returns in a sentence what the file system there cannot keep, such as ACLs.

    tar keeps every member below it: it takes `/` and `..` off names and follows no link of the archive's making.

    Raises RestoreError when that does not end well, CheckFailedError for a database that SQLite finds damaged; the
    directory is gone then.
    """
    directory.mkdir(mode=0o700)
    try:
        lost = _extract(raw, directory)
        _check_databases(directory, facts)
    except BaseException:
        remove_restored(directory)
        raise
    return lost


def keep_only(directory: Path, wanted: Sequence[Path]) -> None:
    """Remove from a restored tree what is neither one of the paths, nor below one, nor on the way to one.

    Raises UsageError, and removes nothing, where one of them is not there.
    """
    base, chosen = str(directory), [str(path) for path in wanted]
    missing = [path for path in chosen if not _is_in(base, path)]
    if missing:
        raise UsageError(
            f"the backup's files do not hold {', '.join(missing)}",
            hint="give absolute paths, as they were on the backup's host; without --path everything is restored",
        )
    for place, directories, files in os.walk(base, topdown=False):
        for name in (*directories, *files):
            path = os.path.join(place, name)  # noqa: PTH118 - a name of any bytes
            shown = path[len(base) :]
            if any(inside(shown, each) or inside(each, shown) for each in chosen):
                continue
            if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - the same
                os.rmdir(path)  # noqa: PTH106 - the same; what was in it is gone
            else:
                os.unlink(path)  # noqa: PTH108 - the same


def _is_in(base: str, path: str) -> bool:
    """Tell whether a restored tree holds a path itself: what one of its links leads to is not in it."""
    above = os.path.dirname(path)  # noqa: PTH120 - a name of any bytes
    return os.path.lexists(base + path) and os.path.realpath(base + above) == os.path.realpath(base) + above.rstrip("/")


def remove_restored(directory: Path) -> None:
    """Remove a restored tree, also where its modes keep even its owner out."""
    if os.geteuid() != 0:
        for path, _, _ in os.walk(directory):
            with suppress(OSError):
                os.chmod(path, stat.S_IRWXU)  # noqa: PTH101 - a name of any bytes
    remove_tree(directory)


def _extract(raw: Path, directory: Path) -> list[str]:
    who = _AS_ROOT if os.geteuid() == 0 else _AS_ANYBODY
    with Child(["tar", "--extract", f"--file={raw}", *_ALWAYS, *who, f"--directory={directory}"]) as child:
        child.stdout.read()
        code = child.end()
        if code != 0:
            raise RestoreError(
                f"tar {describe_exit(code)} while it unpacked the files: {child.last_words()}",
                hint="look at the room and the kind of file system there; or unpack by hand: see docs/restore.md",
            )
        said = [line for line in child.complaints()[0] if "Cannot" in line]
    more = f", and {len(said) - 1} more like it" if len(said) > 1 else ""
    return [f"not everything could be set there: {said[0]}{more}"] if said else []


def _check_databases(directory: Path, facts: Mapping[str, Any]) -> None:
    for database in facts.get("databases", ()):
        path = directory / str(database["path"]).lstrip("/")
        # A manifest may name anything; and a name that cannot be printed is not written in it as it is.
        ours = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))
        if ours and path.is_file() and database["check"] != "damaged":
            result = SqliteCheck(path, full=False, low_priority=False).result()
            if result.ok is False:
                raise CheckFailedError(
                    f"{database['path']} fails {result.check}: {'; '.join(result.messages)}",
                    hint="restore another backup: tracker-backup list",
                )
