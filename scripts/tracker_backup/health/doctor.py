"""What would go wrong tonight, found by looking now; nothing is changed by it."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.config.instances import conflicts, doubles, sharing_metrics
from tracker_backup.config.model import HOST, SERVICE
from tracker_backup.containers.pause import in_helper
from tracker_backup.errors import SourceError, SourcePendingError, TrackerBackupError, UsageError
from tracker_backup.health.doctorcopies import examine_copies
from tracker_backup.health.finding import FAIL, OK, WARN, Finding
from tracker_backup.notify.addresses import read_addresses
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.store import Repository
from tracker_backup.run.capacity import advice, capacity, existing
from tracker_backup.run.context import copy_context
from tracker_backup.run.history import History
from tracker_backup.run.rates import read_rates
from tracker_backup.run.resolve import choose, resolve_sources
from tracker_backup.sources.interface import StreamingDriver
from tracker_backup.sources.registry import driver_for
from tracker_backup.system.diskfaults import refusal, remedy
from tracker_backup.system.libraries import ON_REQUEST, PACKAGES
from tracker_backup.system.process import find_program
from tracker_backup.system.space import format_bytes, shortages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.sources.interface import Source

_MAIL_AGENT = "sendmail"
_METRICS_LIBRARY = "prometheus_client"
_TELLING_LIBRARY = "apprise"
_DAY_SECONDS = 86400


def examine(config: Config) -> list[Finding]:
    """Look at everything that a run tonight depends on."""
    findings = [Finding(OK, f"configuration {config.file}")]
    parts: tuple[Callable[[Config], Iterator[Finding]], ...] = (
        _others, _programs, _repository, _sources, _schedule, _listeners, _notifications, examine_copies,
        _places, _metrics, _kept,
    )  # fmt: skip
    for part in parts:
        findings += _guarded(part, config)
    return findings


def examine_sources(config: Config, wanted: Sequence[str] | None = None) -> list[Finding]:
    """Look at the sources of those names, or all, and at the room for them only, as a dry run does.

    Raises UsageError for a name that no source has.
    """
    return _guarded(lambda config: _sources(config, wanted), config, passing=(UsageError,))


def _guarded(
    part: Callable[[Config], Iterator[Finding]], config: Config, passing: tuple[type[TrackerBackupError], ...] = ()
) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(part(config))
    except passing:
        raise
    except TrackerBackupError as error:
        findings.append(Finding(FAIL, error.message, error.hint or ""))
    except OSError as error:
        findings.append(Finding(FAIL, f"{error.strerror}: {error.filename}"))
    return findings


def _others(config: Config) -> Iterator[Finding]:
    for conflict in conflicts(config):
        yield Finding(FAIL, f"in conflict with another instance: {conflict}", "give each directories of its own")
    for double in doubles(config):
        yield Finding(
            WARN,
            f"backed up twice: {double}",
            "if that is not meant, take one of the two off: an item of tracker_backup_instances with `state: absent`",
        )


def _programs(config: Config) -> Iterator[Finding]:
    for name in ("zstd", "sqlite3") if config.placement in {HOST, SERVICE} else ("zstd",):
        path = find_program(name)
        remedy = f"sudo apt-get install {name}"
        # Backups need zstd; sqlite3 is for people, who restore with it when nothing else is left.
        missing = Finding(FAIL if name == "zstd" else WARN, f"the program {name} is not installed", remedy)
        yield missing if path is None else Finding(OK, f"{name} is {path}")
    for module, package in PACKAGES.items():
        try:
            importlib.import_module(module)
        except ImportError:
            yield Finding(FAIL, f"the Python library {module} is missing", f"sudo apt-get install {package}")


def _repository(config: Config) -> Iterator[Finding]:
    repository = Repository(config.repository, config.staging)
    repository.require()
    error = refusal(config.repository)
    if error is not None:
        yield Finding(FAIL, f"{config.repository} cannot be written to: {error.strerror}", _admission(error))
        return
    backups = repository.backups()
    verified = [item for item in backups if item.manifest is not None and item.manifest.verified]
    counted = f"{len(backups)} backup{'' if len(backups) == 1 else 's'}"
    yield Finding(OK, f"repository {config.repository}: {counted}, {len(verified)} complete and verified")
    for backup in backups:
        if backup.manifest is None:
            yield Finding(WARN, f"backup {backup.id}: {backup.problem}", "see docs/restore.md for using it by hand")
        if backup.damage is not None:
            yield Finding(WARN, f"backup {backup.id} is damaged: {backup.damage}", "look at it, then delete it by hand")
    for backup in repository.quarantined():
        yield Finding(WARN, f"in quarantine: {backup.path}", "its check failed; look at it, then delete it")


def _sources(config: Config, wanted: Sequence[str] | None = None) -> Iterator[Finding]:
    repository = Repository(config.repository, config.staging)
    history = History(repository.manifests(), read_rates(config.state_directory))
    resolved = resolve_sources(config)
    for note in resolved.notes:
        yield Finding(WARN, note)
    for name in resolved.unserved:
        yield Finding(FAIL, f"{name} has no sidecar, so nobody backs it up", "run the role again")
    packed: dict[str, int] = {}
    largest = 0
    for source in choose(resolved.sources, wanted):
        try:
            finding, size = _source(config, source, history)
            yield finding
            packed[source.name] = int(size * history.ratio(source.name))
            largest = max(largest, size)
            yield _room(config, source, size, history)
        except SourcePendingError as error:
            pending = resolved.discovered and history.last(source.name) is None
            what = f"{source.name} is pending: {error.message}" if pending else f"{source.name}: {error.message}"
            yield Finding(WARN if pending else FAIL, what, error.hint or "")
        except TrackerBackupError as error:
            yield Finding(FAIL, f"{source.name}: {error.message}", error.hint or "")
    yield _capacity(config, history, packed, largest)


def _source(config: Config, source: Source, history: History) -> tuple[Finding, int]:
    context = copy_context(
        config, history, source, config.staging, SilentReporter(), deadline=time.monotonic() + config.max_run_seconds
    )
    forecast = driver_for(source.type).forecast(source, context)
    whose = "the tracker's writes" if source.type == "sqlite" else "writes to them"
    cost = "the tracker goes on meanwhile"
    if forecast.pause_seconds:
        cost = f"its service is paused for about {forecast.pause_seconds:.1f} s"
    elif forecast.stall_seconds:
        cost = f"{whose} wait for about {forecast.stall_seconds:.1f} s"
    size = ", ".join([*filter(None, [forecast.detail]), f"{format_bytes(forecast.raw_bytes)} raw"])
    what = f"{source.name}: {source.place}, {size}, {forecast.method}, copied in about {forecast.seconds:.1f} s; {cost}"
    level = WARN if forecast.pause_seconds else OK
    return Finding(level, what, forecast.advice, forecast.pause_seconds), forecast.raw_bytes


def _room(config: Config, source: Source, size: int, history: History) -> Finding:
    packed = int(size * history.ratio(source.name))
    needs = [(config.repository, packed, f"the artifact of {source.name}")]
    if not isinstance(driver_for(source.type), StreamingDriver):
        needs.append((existing(config.staging), size, f"the raw snapshot of {source.name}"))
    for shortage in shortages(needs, config.min_free):
        raise SourceError(str(shortage), hint=advice(config, history.manifests, shortage))
    return Finding(OK, f"there is room for {source.name}: {format_bytes(size)} raw and {format_bytes(packed)} stored")


def _capacity(config: Config, history: History, packed: Mapping[str, int], raw: int) -> Finding:
    sizes = {job.name: sum(size for name, size in packed.items() if job.takes(name)) for job in config.jobs}
    found = capacity(config, history.manifests, sizes, raw)
    return Finding(OK if found.fits else FAIL, str(found), "" if found.fits else found.remedy(config))


def _schedule(config: Config) -> Iterator[Finding]:
    from tracker_backup.schedule import service

    state = service.inspect(config)
    if not state.entries:
        yield Finding(WARN, "no job has a schedule: nothing runs by itself", "give a job a `schedule`")
        return
    for problem in state.problems:
        yield Finding(FAIL, f"schedule: {problem}", config.command_line("schedule", "apply", sudo=True))
    if not state.problems:
        zone = time.strftime("%Z")
        yield Finding(OK, f"schedule, {state.where}: {len(state.entries)} entries, in the host's local time ({zone})")
    if config.schedule.target.startswith("/"):
        return  # a plain file is nobody's business but its owner's
    for line in service.refusals(config):
        yield Finding(FAIL, f"cron refuses the schedule: {line}", config.command_line("schedule", "apply", sudo=True))
    if not in_helper() and not _running("cron"):
        yield Finding(
            FAIL, "no cron daemon is running, so nothing starts by itself", "sudo systemctl enable --now cron"
        )


def _listeners(config: Config) -> Iterator[Finding]:
    if config.ping_url is not None:
        yield Finding(OK, "a dead man's switch is pinged")
    elif config.notifications is not None:
        return
    elif find_program(_MAIL_AGENT) is not None:
        yield Finding(OK, "cron can send mail: there is a mail agent")
    else:
        yield Finding(
            WARN,
            "nobody hears of a bad night: there is neither a mail agent nor a ping_url, and no notifications",
            "set ping_url to an address of healthchecks.io or the like, or notifications, or watch "
            "`tracker-backup status`",
        )


def _notifications(config: Config) -> Iterator[Finding]:
    if config.notifications is None:
        return
    if importlib.util.find_spec(_TELLING_LIBRARY) is None:  # not imported: that takes as long as all the rest
        remedy = f"sudo apt-get install {ON_REQUEST[_TELLING_LIBRARY]}"
        yield Finding(FAIL, f"the Python library {_TELLING_LIBRARY} is missing", remedy)
    addresses = read_addresses(config.notifications.urls_file)
    yield Finding(OK, f"notifications go to {', '.join(map(str, addresses))}")


def _places(config: Config) -> Iterator[Finding]:
    for name, path in (("log_file", config.log_file.parent), ("state_directory", config.state_directory)):
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        error = refusal(existing)
        if error is not None:
            yield Finding(WARN, f"{name}: {path} cannot be written to: {error.strerror}", _admission(error))


def _metrics(config: Config) -> Iterator[Finding]:
    """Look at what Prometheus is to read: without it a backup is made all the same."""
    path = config.metrics_file
    if path is None:
        return
    for name in sharing_metrics(config):
        yield Finding(WARN, f"metrics_file: {path} is that of instance {name}, too", "give each a file of its own")
    try:
        importlib.import_module(_METRICS_LIBRARY)
    except ImportError:
        remedy = f"sudo apt-get install {ON_REQUEST[_METRICS_LIBRARY]}"
        yield Finding(WARN, f"the Python library {_METRICS_LIBRARY} is missing: no metrics are written", remedy)
    if not path.parent.is_dir():
        remedy = "sudo apt-get install prometheus-node-exporter, or name the directory that it reads"
        yield Finding(WARN, f"metrics_file: there is no directory {path.parent}", remedy)
    elif (error := refusal(path.parent)) is not None:
        yield Finding(WARN, f"metrics_file: {path} cannot be written: {error.strerror}", _admission(error))
    else:
        yield Finding(OK, f"metrics for Prometheus are written to {path}")


def _admission(error: OSError) -> str:
    """Say what to do about a directory that cannot be written to."""
    if error.errno == errno.EACCES:
        return "run the same command with sudo"
    return remedy(error) or f"not even by root: look at its attributes with `lsattr -d {error.filename}`"


def _kept(config: Config) -> Iterator[Finding]:
    from tracker_backup.inplace.kept import kept

    try:
        sources = resolve_sources(config).sources
    except TrackerBackupError:
        sources = ()  # which has been told as what it is
    for each in kept(config, sources):
        days = int(each.age_seconds // _DAY_SECONDS)
        age = "less than a day" if days < 1 else f"{'at most ' * each.at_most}{days} day{'s' * (days > 1)}"
        what = f"replaced by a restore in place, and kept for {age} since: {each.place}, {format_bytes(each.bytes)}"
        yield Finding(WARN, what, f"if nobody needs it any more: {each.removal}")


def _running(name: str) -> bool:
    for comm in (process / "comm" for process in Path("/proc").glob("[0-9]*")):
        try:
            if comm.read_text().strip() in (name, f"{name}d", "crond"):
                return True
        except OSError:
            continue  # it has ended meanwhile
    return False
