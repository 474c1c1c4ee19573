"""How the containers of a stack stand: what runs, from which image, and whether it comes back by itself."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracker_backup.containers.docker import OWN_LABEL, RESTARTING, RUNNING, docker_program
from tracker_backup.errors import CommandError
from tracker_backup.system.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

TIMEOUT_SECONDS = 60
AT_WORK = (RUNNING, RESTARTING, "paused")

_COMPOSE = "com.docker.compose"
_LABELS = ("project", "service", "project.working_dir", "oneoff")
# Single labels and settings: a container's variables would bring passwords along.
_CONTAINER_FORMAT = ",".join(
    [
        "{{json .Id}}",
        "{{json .Name}}",
        "{{json .State}}",
        "{{json .HostConfig.RestartPolicy.Name}}",
        "{{json .Config.Image}}",
        "{{json .Image}}",
        "{{json .HostConfig.PortBindings}}",
        *(f'{{{{json (index .Config.Labels "{_COMPOSE}.{label}")}}}}' for label in _LABELS),
        f'{{{{json (index .Config.Labels "{OWN_LABEL}")}}}}',
    ]
)
_IMAGE_FORMAT = "[{{json .Id}},{{json .RepoDigests}},{{json .Architecture}},{{json .Size}}]"


@dataclass(frozen=True)
class Standing:
    """One container of a service; `restart` is its policy, `health` empty where it has no health check.

    `image` is what the Compose file calls its image, `image_id` and `digests` what that was when the container was
    made: a digest is `name@sha256:…`, by which a registry gives the same image again; there is none of what was built
    here. `ports` are those of the host, as `address:port/protocol`, `image_bytes` is the image's size.
    """

    service: str
    container: str
    name: str
    state: str
    project: str
    restart: str = "no"
    health: str = ""
    image: str = ""
    image_id: str = ""
    digests: tuple[str, ...] = ()
    image_bytes: int = 0
    ports: tuple[str, ...] = ()

    @property
    def at_work(self) -> bool:
        """Whether it runs, is frozen, or will run again in a moment."""
        return self.state in AT_WORK


@dataclass(frozen=True)
class ImageFacts:
    """An image on this host: its id, what registries know it by, its architecture and size in bytes."""

    id: str
    digests: tuple[str, ...]
    architecture: str
    bytes: int


def standing_of(stack: Path) -> tuple[Standing, ...]:
    """Return the containers of the stack in that directory, by service, without ours and what one-off commands left.

    Raises CommandError when there is no docker program, or it cannot reach its engine.
    """
    docker = docker_program()
    label = f"label={_COMPOSE}.project.working_dir"
    listed = run([docker, "ps", "--all", "--quiet", "--no-trunc", "--filter", label], timeout_seconds=TIMEOUT_SECONDS)
    ids = listed.stdout.split()
    if not ids:
        return ()
    command = [docker, "inspect", "--type", "container", "--format", f"[{_CONTAINER_FORMAT}]", *ids]
    # Without check: one that has been removed in between is none.
    found = parse_standing(run(command, timeout_seconds=TIMEOUT_SECONDS, check=False).stdout, stack)
    images = images_of({each.image_id for each in found})
    return tuple(_with_image(each, images.get(each.image_id)) for each in found)


def images_of(names: Iterable[str]) -> dict[str, ImageFacts]:
    """Return those of the images that are on this host, by the name or id that was asked for.

    Raises CommandError when Docker cannot be asked.
    """
    return {name: facts for name in sorted(set(names)) if (facts := _image(name)) is not None}


def _image(name: str) -> ImageFacts | None:
    command = [docker_program(), "image", "inspect", "--format", _IMAGE_FORMAT, name]
    asked = run(command, timeout_seconds=TIMEOUT_SECONDS, check=False)
    if asked.exit_code == 0:
        return parse_image(asked.stdout)
    if "no such image" in asked.stderr.lower():
        return None
    raise CommandError(f"docker cannot say what image {name} is: {asked.stderr.strip()[:300]}")


def parse_image(listed: str) -> ImageFacts:
    """Read what `docker image inspect` printed; raises CommandError when it is not what was asked for."""
    try:
        identifier, digests, architecture, size = json.loads(listed)
        return ImageFacts(identifier, tuple(digests or ()), architecture, int(size))
    except (ValueError, TypeError):
        raise CommandError("docker image inspect printed what cannot be understood") from None


def parse_standing(listed: str, stack: Path) -> tuple[Standing, ...]:
    """Read what `docker inspect` printed, a line for each container; another directory's stack is not ours.

    Raises CommandError when it is not what was asked for.
    """
    place = os.path.realpath(stack)
    try:
        rows = [json.loads(line) for line in listed.splitlines()]
        theirs = [row for row in rows if row[9] and os.path.realpath(row[9]) == place and row[10] != "True"]
        found = (_standing(row) for row in theirs if not any(row[11:]))
        return tuple(sorted(found, key=lambda each: (each.service, each.name)))
    except (ValueError, TypeError, LookupError, AttributeError):
        raise CommandError("docker inspect printed what cannot be understood") from None


def _standing(row: Sequence[Any]) -> Standing:
    identifier, name, state, restart, image, image_id, ports, project, service = row[:9]
    bound = tuple(
        f"{binding.get('HostIp') or '0.0.0.0'}:{binding['HostPort']}/{inner.partition('/')[2] or 'tcp'}"  # noqa: S104
        for inner, bindings in (ports or {}).items()
        for binding in bindings or ()
        if binding.get("HostPort")
    )
    return Standing(
        service=service or "",
        container=identifier,
        name=name.removeprefix("/"),
        state=state["Status"],
        project=project or "",
        restart=restart or "no",
        health=(state.get("Health") or {}).get("Status") or "",
        image=image,
        image_id=image_id,
        ports=bound,
    )


def _with_image(standing: Standing, image: ImageFacts | None) -> Standing:
    return standing if image is None else replace(standing, digests=image.digests, image_bytes=image.bytes)
