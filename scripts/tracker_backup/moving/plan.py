"""What a move would do with the stack of this host, and what nobody but a person can do; nothing is changed."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import TrackerBackupError
from tracker_backup.moving.leaving import COMES_BACK
from tracker_backup.moving.note import Notebook
from tracker_backup.moving.site import outfit_of, starters
from tracker_backup.run.deployed import ServiceImage
from tracker_backup.run.resolve import describe_sources
from tracker_backup.run.stackfiles import FILES
from tracker_backup.sources.registry import driver_for
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from tracker_backup.config.model import Config
    from tracker_backup.containers.standing import Standing
    from tracker_backup.moving.site import Outfit
    from tracker_backup.sources.interface import Source

_ALWAYS = (
    "DNS records and addresses: trackers are in .torrent files by their names",
    "firewall rules, sysctl settings, limits, users and groups, time zone",
    "Docker itself: packages, daemon.json, registry logins, external networks and volumes",
    "what renews certificates from outside of the stack",
    "anonymous volumes, and what containers keep in themselves",
    "older backups, monitoring, copies elsewhere",
)


def plan_of(config: Config) -> dict[str, Any]:
    """Return what there is to move and what is not carried, as `move plan --json` prints it.

    Raises ConfigurationError when the stack cannot be read, CommandError when Docker cannot be asked.
    """
    outfit = outfit_of(config)
    note = Notebook(config.state_directory).leaving()
    ran = set() if note is None else set(note.ran)
    running = [each for each in outfit.standing if each.at_work or each.service in ran]
    sources = [_source(source) for source in outfit.sources]
    return {
        "instance": config.instance,
        "host": socket.gethostname(),
        "architecture": os.uname().machine,
        "stack": str(config.stack),
        "project": running[0].project if running else "",
        "at_work": sorted(each.name for each in outfit.standing if each.at_work),
        "names": sorted(each.name for each in running),
        "ports": sorted({port for each in running for port in each.ports}),
        "services": [_service(each, outfit) for each in running],
        "sources": sources,
        "bytes": sum(source["bytes"] for source in sources),
        "image_bytes": sum({each.image_id: each.image_bytes for each in running if not each.digests}.values()),
        "left": None if note is None else note.step,
        "problems": list(outfit.problems),
        "not_carried": _not_carried(config, outfit, running),
    }


def in_words(plan: dict[str, Any]) -> list[str]:
    """Return the plan as lines for people."""
    lines = [f"instance {plan['instance']} on {plan['host']} ({plan['architecture']}), stack {plan['stack']}", ""]
    lines += ["to be carried:"]
    lines += [
        f"  {item['name']}  {item['type']}  {item['place']}  {format_bytes(item['bytes'])}" for item in plan["sources"]
    ]
    lines += ["", "services that run, stopped in this order and started on the other host:"]
    for first in (False, True):
        lines += [f"  {_words(item)}" for item in plan["services"] if item["database_server"] is first]
    lines += ["", "not carried, see to it yourself:"]
    lines += [f"  [ ] {line}" for line in plan["not_carried"]]
    lines += ["", *(f"PROBLEM: {problem}" for problem in plan["problems"])] if plan["problems"] else []
    return lines


def _words(item: dict[str, Any]) -> str:
    image = item["digest"] or f"{item['image']}, which no registry is known to have: {item['image_id'][:19]}"
    notes = ["a database server, stopped last"] if item["database_server"] else []
    notes += [f"restart: {item['restart']}, set to no"] if item["restart"] in COMES_BACK else []
    return f"{item['service']}  {image}{''.join(f'  ({note})' for note in notes)}"


def _service(standing: Standing, outfit: Outfit) -> dict[str, Any]:
    image = ServiceImage(standing.service, True, standing.image, standing.image_id, standing.digests)  # noqa: FBT003
    return {
        "service": image.service,
        "container": standing.name,
        "image": image.image,
        "image_id": image.image_id,
        "digest": next(iter(image.digests), None),
        "restart": standing.restart,
        "database_server": standing.service in outfit.servers,
    }


def _source(source: Source) -> dict[str, Any]:
    try:
        size = driver_for(source.type).estimate_bytes(source)
    except TrackerBackupError:
        size = 0  # the last backup will say what is wrong with it
    return {"name": source.name, "type": source.type, "place": source.place, "bytes": size}


def _not_carried(config: Config, outfit: Outfit, running: list[Standing]) -> list[str]:
    lines = list(_ALWAYS)
    ports = sorted({port for each in running for port in each.ports})
    lines += [f"ports to open: {', '.join(ports)}"] if ports else []
    built = sorted({each.image for each in running if not each.digests})
    lines += [f"image {image} was built here: it is carried as it is, its sources are not" for image in built]
    stopped = sorted({each.service for each in outfit.standing} - {each.service for each in running})
    lines += [f"services that do not run stay stopped: {', '.join(stopped)}"] if stopped else []
    lines += [f"{path} names the stack: here it could start it again" for path in starters(config.stack)]
    described = next((item for item in describe_sources(config).sources if item["type"] == FILES), {})
    # What another source takes is carried, as that.
    lines += [f"{left['path']}: {left['reason']}" for left in described.get("out", ()) if not _is_taken(left)]
    return lines


def _is_taken(left: dict[str, Any]) -> bool:
    return str(left["reason"]).startswith("source ") and str(left["reason"]).endswith(" takes it")
