"""Put a backup's sources into a directory: checked by checksum while they are unpacked, then by the engine."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tracker_backup.errors import CheckFailedError, RestoreError, SourceError, UsageError
from tracker_backup.repository.backups import misshapen
from tracker_backup.repository.lock import MARKER_NAME
from tracker_backup.run.artifact import read_back
from tracker_backup.sources.files.restoring import keep_only
from tracker_backup.sources.registry import driver_for, unfolder_for
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.files import (
    create_private,
    fsync_directory,
    make_private_directory,
    remove_tree,
    write_all,
)
from tracker_backup.system.flushing import Flusher
from tracker_backup.system.space import fits_in_memory, require_room

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.repository.store import Backup
    from tracker_backup.sources.interface import CheckResult

_ANOTHER = "restore another backup: tracker-backup list"
_SIDECARS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Restored:
    """A source that was put at `path`, and what the engine's check said of it there."""

    artifact: Artifact
    path: Path
    check: CheckResult


def restore_to(
    backup: Backup, directory: Path, sources: Sequence[str] | None, reporter: Reporter, paths: Sequence[Path] = ()
) -> list[Restored]:
    """Restore all sources of a backup, or those of the given names, into `directory`; nothing there is replaced.

    With `paths` it is the files of those paths alone.

    Raises UsageError for unknown sources, for a place in a repository, and for targets that exist, RestoreError when
    the backup or the disk cannot be used, CheckFailedError when the artifact is damaged; no half restored file is left
    behind.
    """
    require_outside_of_repositories(directory)
    artifacts = chosen_artifacts(backup, sources, paths)
    targets = {artifact.source: _target(artifact, directory) for artifact in artifacts}
    refuse_existing(list(targets.values()))
    try:
        make_private_directory(directory)
        require_room([(directory, room_for(artifact), artifact.source) for artifact in artifacts])
        return [_restore_one(backup, artifact, targets[artifact.source], reporter, paths) for artifact in artifacts]
    except SourceError as error:
        raise RestoreError(
            error.message, hint=f"free some room, or restore to another disk than {directory}"
        ) from error
    except OSError as error:
        raise RestoreError(f"{error.strerror}: {error.filename or directory}", hint=remedy(error)) from error


def require_outside_of_repositories(directory: Path) -> None:
    """Raise UsageError for a place in a repository, where nothing but backups may lie."""
    for place in (directory.absolute(), *directory.resolve().parents, directory.resolve()):
        if (place / MARKER_NAME).is_file():
            raise UsageError(
                f"{directory} is in the repository {place}", hint="restore to another place, such as /root/restored"
            )


def chosen_artifacts(backup: Backup, sources: Sequence[str] | None, paths: Sequence[Path] = ()) -> list[Artifact]:
    """Return a backup's artifacts of those sources, or all; with `paths` those of them that hold files.

    Raises RestoreError for a backup without a readable manifest, UsageError for a source that is not in it,
    CheckFailedError for one whose artifact is gone, or of another length.
    """
    if backup.manifest is None:
        raise RestoreError(
            f"{backup.id} has no usable manifest: {backup.problem}",
            hint="its artifacts can be unpacked by hand: see docs/restore.md",
        )
    by_name = {artifact.source: artifact for artifact in backup.manifest.artifacts}
    unknown = [name for name in sources or () if name not in by_name]
    if unknown:
        raise UsageError(f"{backup.id} has no source {', '.join(unknown)}", hint=f"it has: {', '.join(by_name)}")
    chosen = [artifact for name, artifact in by_name.items() if not sources or name in sources]
    if paths:
        chosen = [artifact for artifact in chosen if artifact.type == "files"]
        if not chosen:
            raise UsageError("--path chooses among the files of a stack, which are not among these sources")
    for artifact in chosen:
        if (found := misshapen(backup.path, artifact)) is not None:
            raise CheckFailedError(f"{backup.path}/{found}", hint=_ANOTHER)
    return chosen


def unpack(artifact: Artifact, packed: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Unpack an artifact into the new private file `target`.

    Raises CheckFailedError unless both checksums are those of the manifest; what was written is removed then.
    """
    descriptor = create_private(target)
    written = 0

    def write(block: bytes) -> None:
        nonlocal written
        written += len(block)
        if written > artifact.raw_bytes:
            raise _not_what_was_stored(packed)  # a few bytes can unpack to more than any disk holds
        write_all(descriptor, block)
        flusher.wrote(len(block))

    try:
        try:
            # It is read again at once, by its check.
            with Flusher(descriptor, keep_cached=fits_in_memory(artifact.raw_bytes)) as flusher:
                found = read_back(packed, low_priority=False, progress=progress, sink=write)
        except CheckFailedError as error:
            raise CheckFailedError(error.message, hint=_ANOTHER) from error
        if (found.sha256, found.raw_sha256) != (artifact.sha256, artifact.raw_sha256):
            raise _not_what_was_stored(packed)
    except BaseException:
        target.unlink()
        raise
    finally:
        os.close(descriptor)


def _not_what_was_stored(packed: Path) -> CheckFailedError:
    return CheckFailedError(
        f"{packed} is not what was stored: it differs from what the manifest says of it",
        hint=_ANOTHER,
    )


def _restore_one(
    backup: Backup, artifact: Artifact, target: Path, reporter: Reporter, paths: Sequence[Path]
) -> Restored:
    temporary = target.with_name(f".{target.name}.restoring-{os.getpid()}")
    reporter.phase("unpack", artifact.source)
    unpack(artifact, backup.path / artifact.file, temporary, reporter.progress)
    try:
        reporter.phase("check", artifact.source)
        check = driver_for(artifact.type).start_check(temporary, full=False, low_priority=False, facts=artifact.engine)
        result = check.result()
        if result.ok is False:
            raise CheckFailedError(
                f"{artifact.source} from {backup.id} fails {result.check}: {'; '.join(result.messages)}",
                hint="restore another backup: tracker-backup list",
            )
        unfold = unfolder_for(artifact.type)
        if unfold is None:
            _put_in_place(temporary, target)
        else:
            for loss in _unfold_in_place(temporary, target, partial(unfold, facts=artifact.engine), paths):
                reporter.warn(f"{artifact.source}: {loss}")
    finally:
        temporary.unlink(missing_ok=True)
    fsync_directory(target.parent)
    return Restored(artifact, target, result)


def _unfold_in_place(
    temporary: Path, target: Path, unfold: Callable[[Path, Path], list[str]], paths: Sequence[Path]
) -> list[str]:
    """Make a directory of a raw copy under another name first: under its own it is whole; return what was lost."""
    directory = temporary.with_name(f"{temporary.name}.d")
    lost = unfold(temporary, directory)
    try:
        if paths:
            keep_only(directory, paths)
        refuse_existing([target])
        directory.rename(target)
    except BaseException:
        remove_tree(directory)
        raise
    return lost


def room_for(artifact: Artifact) -> int:
    """Return the bytes that unpacking needs: what is taken out of an archive lies beside it for a while."""
    return artifact.raw_bytes * (1 if unfolder_for(artifact.type) is None else 2)


def _put_in_place(temporary: Path, target: Path) -> None:
    """Give a file its name; link() and not rename(): a target that has come up meanwhile must not be replaced."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        refuse_existing([target])  # a file system without links, such as a USB stick's
        temporary.rename(target)


def _target(artifact: Artifact, directory: Path) -> Path:
    return directory / f"{artifact.source}{driver_for(artifact.type).restored_suffix}"


def refuse_existing(targets: list[Path]) -> None:
    """Raise UsageError where something is at one of these paths, or beside it as a part of a database."""
    beside = [target.with_name(target.name + suffix) for target in targets for suffix in ("", *_SIDECARS)]
    existing = [str(path) for path in beside if path.exists() or path.is_symlink()]
    if existing:
        raise UsageError(
            f"there is already {', '.join(existing)}", hint="restore into another directory, or move it away first"
        )
