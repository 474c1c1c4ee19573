"""The Compose file of a placement, which stands beside the stack's own. Pure: facts in, a document out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.config.model import HOST, ORCHESTRATOR, SIDECAR
from tracker_backup.containers.docker import OWN_LABEL
from tracker_backup.errors import ConfigurationError
from tracker_backup.placement.here import PLACES_VARIABLE, SOURCE_VARIABLE
from tracker_backup.placement.needs import Seen, extra_packages, named_places, own_mounts, places_of, stack_mounts
from tracker_backup.run.stackfiles import MARK
from tracker_backup.sources.mysql.target import THIS_HOST
from tracker_backup.system.container import PLACEMENT_VARIABLE
from tracker_backup.system.trust import TRUSTED_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.sources.interface import Source
    from tracker_backup.stack.result import HostMount

SERVICE_NAME = "backup"
INSTANCE_LABEL, SOURCE_LABEL = "org.tracker-backup.instance", "org.tracker-backup.source"
SOCKET = Path("/var/run/docker.sock")

_CONFIGURATION = "/etc/tracker-backup"
_CRON_DIRECTORY = "/etc/cron.d"
_GRACE = "2m"  # for a run to clear up, which a copy under way hears of at once
_TOOLS = {"sqlite": "sqlite", "mysql": "mysql"}
_CRON = ("SETGID", "SETUID")  # even root's jobs
_OF_OTHERS = "DAC_READ_SEARCH"  # files of the tracker's user
_INTO_OTHERS = "DAC_OVERRIDE"  # and the -shm that every reader of a WAL database writes into,
_OWNED = (
    "CHOWN"  # which must be the tracker's: SQLite gives it away where it may, and without that locks the tracker out
)
_RESTORING = ("CHOWN", "FOWNER", "DAC_OVERRIDE")


@dataclass(frozen=True)
class Image:
    """What is built and what it is told: the tag without its tools, the base image, the host's time zone, a file.

    `trusted` are the users whom it is to trust like root.
    """

    name: str
    base: str
    localtime: str | None = None
    trusted: str = ""


@dataclass(frozen=True)
class Stack:
    """What was found: sources, the mounts of the stack's services, names of all services, networks by service.

    A service with a `network_mode`, the host's network or another container's, has no networks.
    `writable` are the directories of databases in WAL mode, and of those whose mode is not known; `volumes` are the
    names that the stack's own files have for volumes, by Docker's. `linked` are the directories that the paths of
    databases lead to by a link, by the sources' names.
    """

    directory: Path
    sources: tuple[Source, ...]
    mounts: tuple[HostMount, ...]
    services: frozenset[str]
    networks: Mapping[str, tuple[str, ...]]
    writable: tuple[Path, ...]
    volumes: Mapping[str, str] = field(default_factory=dict)
    linked: Mapping[str, Path] = field(default_factory=dict)

    def places(self, sources: Iterable[Source]) -> set[Path]:
        """Return the directories that sources lie in, as their paths say and as links lead."""
        known = tuple(sources)
        return places_of(known, self.mounts) | {self.linked[each.name] for each in known if each.name in self.linked}


def compose_document(config: Config, stack: Stack, image: Image) -> dict[str, Any]:
    """Return the document: one service for all sources, one for each, or the orchestrator.

    Raises ConfigurationError where a service of the stack itself has the name of one of ours.
    """
    if config.placement == SIDECAR:
        taken = [source for source in stack.sources if any(job.takes(source.name) for job in config.jobs)]
        services = {f"{SERVICE_NAME}-{source.name}": _sidecar(config, stack, image, source) for source in taken}
    elif config.placement == ORCHESTRATOR:
        services = {SERVICE_NAME: _orchestrator(config, stack, image)}
    else:
        services = {SERVICE_NAME: _with_data(config, stack, image, stack.sources, "all")}
    if clashing := sorted(set(services) & stack.services):
        raise ConfigurationError(
            f"the stack {stack.directory} has a service {', '.join(clashing)} of its own, and ours would have its name",
            hint="give it another name, or let the backup run on the host: tracker_backup_placement: host",
        )
    return {"services": services}


def render(document: dict[str, Any], placement: str) -> str:
    """Return the text of the file."""
    import yaml

    head = f"# {MARK}: the placement {placement}. The role makes it anew; what is written in here by hand is lost.\n"
    return head + yaml.safe_dump(_literal(document), sort_keys=False, width=120)


def _literal(value: Any) -> Any:
    """Return a document in which nothing is a variable of Compose."""
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _sidecar(config: Config, stack: Stack, image: Image, source: Source) -> dict[str, Any]:
    service = _with_data(config, stack, image, (source,), _TOOLS.get(source.type, "none"))
    service["environment"][SOURCE_VARIABLE] = source.name
    service["environment"][PLACES_VARIABLE] = "\n".join(sorted(each.name for each in stack.sources))
    service["labels"][SOURCE_LABEL] = source.name
    return service


def _with_data(config: Config, stack: Stack, image: Image, sources: tuple[Source, ...], tools: str) -> dict[str, Any]:
    """Return a service that sees the stack's data itself, and has no way to Docker."""
    places = stack.places(sources)
    writable = [each for each in stack.writable if each in places]
    seen = [*stack_mounts(stack.directory, places, stack.mounts, writable), *own_mounts(config)]
    networks = _networks(config, stack, sources)
    service = _service(config, image, tools, [_OF_OTHERS, *_RESTORING])
    # By the stack's own name for it: a second definition could be taken for a change of the volume.
    known = [each if each.volume is None else replace(each, volume=stack.volumes[each.volume]) for each in seen]
    service["volumes"] += _entries(known)
    service["networks"] = networks
    return service


def _networks(config: Config, stack: Stack, sources: Iterable[Source]) -> list[str]:
    """Return the networks in which the servers of sources are, and the stack's own, which leads outside.

    Raises ConfigurationError for a server in the host's network, or in none of its own: no name of it leads there.
    """
    networks = ["default"]
    for source in sources:
        target = source.target
        if target is None or target.host is None:
            continue  # no server, or one that is reached by its socket
        host, theirs = target.host, stack.networks.get(target.service or target.host)
        if (host in THIS_HOST or theirs == ()) and any(job.takes(source.name) for job in config.jobs):
            raise ConfigurationError(
                f"the server of {source.name} is reached as {host}, which leads a container of ours, in the"
                " networks of the stack, to no server",
                hint=f"set tracker_backup_placement to {HOST} or {ORCHESTRATOR}, or put the server into one of these",
            )
        networks += theirs or ()
    return list(dict.fromkeys(networks))


def _orchestrator(config: Config, stack: Stack, image: Image) -> dict[str, Any]:
    """Return the service that has the Docker socket, and of the stack's data nothing."""
    service = _service(config, image, "docker", _RESTORING)
    # What its helpers see is noted too: of a service without a container Docker could not tell it.
    beside = [*stack.places(stack.sources), *named_places(config)]
    outside = sorted({str(place) for place in beside if not place.is_relative_to(stack.directory)})
    service["environment"][PLACES_VARIABLE] = "\n".join(outside)
    seen = [*own_mounts(config), Seen(SOCKET, read_only=False)]
    service["volumes"] += _entries(seen)
    # Not in memory: its helpers, which see its volumes, tell of the schedule in status.json.
    service["volumes"].append({"type": "volume", "target": _CRON_DIRECTORY})
    service["tmpfs"].remove(_CRON_DIRECTORY)
    service["networks"] = ["default"]
    return service


def _service(config: Config, image: Image, tools: str, capabilities: Sequence[str]) -> dict[str, Any]:
    program = ["tracker-backup", "--instance", config.instance]
    extra = " ".join(extra_packages(config))
    arguments = {"BASE_IMAGE": image.base, "TOOLS": tools, **({"EXTRA_PACKAGES": extra} if extra else {})}
    configuration = Seen(config.home / "etc")
    volumes = [{**_entry(configuration), "target": _CONFIGURATION}]
    if image.localtime is not None:
        volumes.append({**_entry(Seen(Path(image.localtime))), "target": "/etc/localtime"})  # schedules are the host's
    return {
        "image": f"{image.name}-{tools}",
        "build": {"context": str(config.home / "build"), "dockerfile": "Containerfile", "args": arguments},
        "pull_policy": "never",  # no registry has it
        "command": [*program, "serve"],
        "init": True,
        "restart": "unless-stopped",
        "stop_grace_period": _GRACE,
        "uts": "host",  # manifests and messages name the host
        "working_dir": str(config.restored),  # where `restore --to NAME` writes
        "read_only": True,
        "tmpfs": ["/run", "/tmp", "/var/spool/cron", _CRON_DIRECTORY],  # noqa: S108 - file systems of the container's own, in memory
        "cap_drop": ["ALL"],
        "cap_add": sorted({*_CRON, *capabilities}),
        "security_opt": ["no-new-privileges:true"],
        "environment": {
            PLACEMENT_VARIABLE: config.placement,
            **({TRUSTED_VARIABLE: image.trusted} if image.trusted else {}),
        },
        "healthcheck": {
            "test": ["CMD", *program, "status"],
            "interval": "1m",
            "timeout": "1m",
            "retries": 1,
            "start_period": "1m",
        },
        "labels": {INSTANCE_LABEL: config.instance, OWN_LABEL: config.placement},
        "volumes": volumes,
    }


def _entries(seen: list[Seen]) -> list[dict[str, Any]]:
    return [_entry(each) for each in seen]


def _entry(seen: Seen) -> dict[str, Any]:
    """Return a mount; a directory of the host that is not there is made, as Compose does it for the stack's own."""
    made = {"type": "bind", "source": str(seen.path), "bind": {"create_host_path": seen.path != SOCKET}}
    kind = made if seen.volume is None else {"type": "volume", "source": seen.volume}
    return {**kind, "target": str(seen.path), **({"read_only": True} if seen.read_only else {})}
