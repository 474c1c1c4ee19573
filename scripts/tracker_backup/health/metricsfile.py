"""The metrics as a file that node_exporter's textfile collector reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.errors import RepositoryError, TrackerBackupError
from tracker_backup.health.metrics import Metric, metrics
from tracker_backup.system.files import write_atomically
from tracker_backup.system.libraries import missing_library

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from tracker_backup.health.status import Status
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.repository.store import Repository

_MODE = 0o644
"""node_exporter is a user of its own, and nothing secret stands in there."""


def write_metrics(
    path: Path, status: Status, repository: Repository, now: datetime, *, name: str | None = None
) -> None:
    """Write the file anew, for all to read; `name` is what the instance is called there, if not as in the status.

    Raises RepositoryError where that is impossible, CommandError where prometheus_client is missing.
    """
    text = _rendered(name or status.instance, status, _manifests(repository), now)
    try:
        write_atomically(path, text, _MODE)
    except OSError as error:
        raise RepositoryError(
            f"cannot write the metrics {path}: {error.strerror}",
            hint="is node_exporter there, and is this the directory that --collector.textfile.directory names?",
        ) from error


def render(instance: str, found: Sequence[Metric]) -> bytes:
    """Return metrics in the text format, each with the instance's name.

    Raises CommandError where the host has no prometheus_client.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest
    except ModuleNotFoundError as error:
        raise missing_library(error) or error from error

    registry = CollectorRegistry()
    for metric in found:
        gauge = Gauge(metric.name, metric.text, ("backup_instance", *metric.labels), registry=registry)
        for labels, value in metric.samples:
            gauge.labels(instance, *labels).set(value)
    return bytes(generate_latest(registry))


def _manifests(repository: Repository) -> list[Manifest] | None:
    """Return the manifests of all backups; None where nobody can look at them, which the status tells."""
    try:
        return repository.manifests()
    except TrackerBackupError:
        return None


def _rendered(name: str, status: Status, manifests: Sequence[Manifest] | None, now: datetime) -> bytes:
    try:
        return render(name, metrics(status, manifests, now))
    except (TrackerBackupError, OSError):
        raise
    except Exception as error:
        # Whatever a library of the host's does, the backup that this tells of is made.
        raise RepositoryError(f"the metrics cannot be made, {type(error).__name__}: {error}") from error
