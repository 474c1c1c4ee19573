"""Which of the stack's containers we are in, if any: the entry point notes it, as cron passes no environment on."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.config.model import HOST, SIDECAR, Job, ScheduleSettings
from tracker_backup.containers.pause import FREEZER_VARIABLE
from tracker_backup.errors import ConfigurationError
from tracker_backup.system.container import NOTE, PLACEMENT_VARIABLE, container_id
from tracker_backup.system.records import made
from tracker_backup.system.trust import TRUSTED_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker_backup.config.model import Config

LAUNCHER = Path("/usr/local/bin/tracker-backup")
SOURCE_VARIABLE = "TRACKER_BACKUP_SOURCE"
"""By which Compose tells a sidecar its source."""
PLACES_VARIABLE = "TRACKER_BACKUP_PLACES"
"""By which it tells what :class:`Here` has as `places`."""

_LONGEST_NAME = 32


@dataclass(frozen=True)
class Here:
    """A container with an entry point of ours: its placement, Docker's id, the source of a sidecar.

    `trusted` are the users whom Compose's file says to trust like root, as :mod:`tracker_backup.system.trust` has them;
    `places`, a line each, are those of the host beside the stack's directory that helpers of the orchestrator see, or
    the sources that have a sidecar.
    """

    placement: str
    container: str
    source: str | None = None
    trusted: str = ""
    places: str = ""


def note_here(here: Here) -> None:
    """Let all that is started in this container know where it is; raises OSError."""
    NOTE.parent.mkdir(mode=0o755, exist_ok=True)
    NOTE.write_text(json.dumps(asdict(here)), encoding="utf-8")


def find_here() -> Here | None:
    """Return the container we are in, None on a host, and where nobody has made a container for a placement.

    Raises ConfigurationError where the note cannot be understood.
    """
    try:
        return made(Here, json.loads(NOTE.read_bytes()), strict=True)
    except FileNotFoundError:
        return here_of(os.environ)  # of `docker compose run`
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{NOTE} cannot be read: {error}", hint="restart this container") from error


def here_of(environment: Mapping[str, str]) -> Here | None:
    """Return the container that Compose has told us of, None where it has not; a helper is no such container."""
    placement = environment.get(PLACEMENT_VARIABLE)
    if not placement or FREEZER_VARIABLE in environment:
        return None
    return Here(
        placement,
        container_id() or "",
        environment.get(SOURCE_VARIABLE),
        environment.get(TRUSTED_VARIABLE, ""),
        environment.get(PLACES_VARIABLE, ""),
    )


def placed(config: Config, here: Here | None) -> Config:
    """Return the configuration as it holds in a container: cron's directory is the container's own.

    In a sidecar it is that of its source alone, see :func:`of_sidecar`.

    Raises ConfigurationError where configuration and container are not of the same placement.
    """
    if here is not None and here.placement != config.placement:
        raise ConfigurationError(
            f"this container was made for the placement {here.placement}, and {config.file} says {config.placement}",
            hint="run the role again: it makes containers and configuration agree",
        )
    if config.placement == HOST:
        return config
    config = replace(config, schedule=ScheduleSettings("cron.d", "root", LAUNCHER))
    if here is None or here.source is None or config.placement != SIDECAR:
        return config
    return of_sidecar(config, here.source, here.places.splitlines())


def of_sidecar(config: Config, source: str, sidecars: Sequence[str] = ()) -> Config:
    """Return the configuration of the sidecar that backs up one source; `sidecars` are the sources that have one.

    Of the jobs that take it there remain what concerns it, under the name `JOB-SOURCE` unless they take nothing else:
    backups of several sidecars lie in one repository, and each job's are kept by its own policy. Log and notes are the
    sidecar's own.

    Raises ConfigurationError where a job's name becomes too long.
    """
    renamed = {job.name: _of_source(job, source) for job in config.jobs if job.takes(source)}
    if too_long := [job.name for job in renamed.values() if len(job.name) > _LONGEST_NAME]:
        raise ConfigurationError(
            f"{config.file}: in the sidecar of {source} the jobs' names are {', '.join(too_long)}, "
            f"and {_LONGEST_NAME} characters are the most",
            hint="give the jobs shorter names",
        )
    copies = tuple(
        replace(
            copy, jobs=None if copy.jobs is None else tuple(renamed[name].name for name in copy.jobs if name in renamed)
        )
        for copy in config.copies
    )
    others = [name for name in sidecars if name != source]
    return replace(
        config,
        jobs=tuple(renamed.values()),
        only=source,
        sidecars=tuple(sidecars),
        others=tuple(_of_source(job, name) for name in others for job in config.jobs if job.takes(name)),
        copies=tuple(copy for copy in copies if copy.jobs is None or copy.jobs),
        state_directory=config.state_directory / source,
        staging=config.staging.with_name(f"{config.staging.name}-{source}"),
        log_file=_with_source(config.log_file, source),
        metrics_file=None if config.metrics_file is None else _with_source(config.metrics_file, source),
    )


def _of_source(job: Job, source: str) -> Job:
    """Return what of a job is about one source."""
    return replace(job, name=job.name if job.sources == (source,) else f"{job.name}-{source}", sources=(source,))


def _with_source(file: Path, source: str) -> Path:
    return file.with_name(f"{file.stem}-{source}{file.suffix}")
