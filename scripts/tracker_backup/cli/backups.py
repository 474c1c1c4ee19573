"""list and show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracker_backup.cli.context import command_line, load, repository_of, say, warn
from tracker_backup.errors import RepositoryError
from tracker_backup.report.tables import artifact_table, backup_table, marks
from tracker_backup.run.sizes import drop_words
from tracker_backup.system.space import format_bytes
from tracker_backup.system.text import on_one_line

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.repository.manifest import Manifest


def list_backups(arguments: Namespace) -> int:
    """Print the backups, oldest first; with --all what is in quarantine, too."""
    if arguments.copies or arguments.origin:
        from tracker_backup.cli.copies import list_copies

        return list_copies(arguments)
    config = load(arguments)
    repository = repository_of(config)
    backups = repository.backups()
    quarantined = repository.quarantined()
    shown = [*backups, *quarantined] if arguments.all else backups
    if arguments.json:
        say(json.dumps([backup.manifest.to_json() for backup in shown if backup.manifest is not None], indent=2))
        for backup in shown:
            if problem := backup.problem or backup.damage:
                warn(f"{backup.id}: {problem}")
        return 0
    if not shown:
        say(f"There is no backup in {config.repository} yet. Make one: {command_line(config, '--now')}")
    else:
        say(backup_table(backups) if backups else "There is no backup yet.")
    if quarantined:
        ids = ", ".join(backup.id for backup in quarantined)
        say(f"\nIn quarantine, because its check failed: {ids} in {quarantined[0].path.parent}")
    return 0


def show(arguments: Namespace) -> int:
    """Print one backup."""
    config = load(arguments)
    backup = repository_of(config).find(arguments.id)
    if backup.manifest is None:
        raise RepositoryError(f"{backup.id}: {backup.problem}", hint="its artifacts may be sound: see docs/restore.md")
    say(json.dumps(backup.manifest.to_json(), indent=2) if arguments.json else describe(backup.manifest))
    if not arguments.json and backup.manifest.doubtful:
        accepting = config.command_line("accept", backup.id, sudo=True)
        say(f"           it counts for nothing; if that is right: {accepting}")
    if not arguments.json and backup.damage is not None:
        say(f"           it counts for nothing: {on_one_line(backup.damage)}")
    if not arguments.json:
        say(f"in         {backup.path}")
    return 0


def describe(manifest: Manifest) -> str:
    """Return a backup in words."""
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in manifest.seconds.items())
    artifacts = artifact_table(manifest)
    lines = [
        f"{manifest.id}: {', '.join((manifest.state, *marks(manifest)))}",
        f"stack      {manifest.stack} on {manifest.host}, instance {manifest.instance}, job {manifest.job}",
        f"time       {manifest.started_at} to {manifest.finished_at}",
        f"seconds    {phases}",
        f"size       {format_bytes(manifest.raw_bytes)} raw, {format_bytes(manifest.bytes)} stored",
        f"version    tracker-backup {manifest.version}, format {manifest.format}",
        "",
        artifacts,
        "",
    ]
    lines += [f"missing    {failure.source}: {failure.message}" for failure in manifest.errors]
    lines += [f"dropped    {drop_words(artifact)}" for artifact in manifest.artifacts if artifact.size_drop]
    return "\n".join(line if line in ("", artifacts) else on_one_line(line) for line in lines)
