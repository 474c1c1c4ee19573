"""The images of a stack on the host that it arrives on: the very ones that ran on the old host, or said which not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracker_backup.containers.docker import docker_program
from tracker_backup.containers.standing import images_of
from tracker_backup.errors import CommandError
from tracker_backup.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker_backup.containers.standing import ImageFacts
    from tracker_backup.run.deployed import Deployed, ServiceImage

PULL_SECONDS = 3600
THERE, TAG, PULL, CARRY, DIFFERENT, OTHER = "there", "tag", "pull", "carry", "different", "other"
USABLE = (THERE, DIFFERENT, OTHER)


@dataclass(frozen=True)
class Verdict:
    """What is to be done for an image: nothing, name it, pull it by `digest`, or carry it from the old host.

    `different` is one that has another id than on the old host, although it was pulled by digest: engines that keep
    images in another way count ids in another way. `other` is one of the same name that is not known to be the same.
    """

    image: str
    image_id: str
    services: tuple[str, ...]
    action: str
    digest: str | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as `move images --json` prints it."""
        return {
            "image": self.image,
            "image_id": self.image_id,
            "services": list(self.services),
            "action": self.action,
            "digest": self.digest,
            "reason": self.reason,
        }


def judge(deployed: Deployed, there: Mapping[str, ImageFacts]) -> list[Verdict]:
    """Return what is to be done for the image of each service that ran; `there` are images by name, digest and id."""
    wanted: dict[tuple[str, str], list[ServiceImage]] = {}
    for each in deployed.services:
        if each.running:
            wanted.setdefault((each.image, each.image_id), []).append(each)
    return [_verdict(image, identifier, users, there) for (image, identifier), users in sorted(wanted.items())]


def look(deployed: Deployed) -> list[Verdict]:
    """Return what is to be done for the images on this host; nothing is done.

    Raises CommandError when Docker cannot be asked.
    """
    names = {name for each in deployed.services if each.running for name in (each.image, each.image_id, *each.digests)}
    return judge(deployed, images_of(names))


def provide(deployed: Deployed, note: Callable[[str], None]) -> list[Verdict]:
    """Name and pull what can be; return what there is to say of all images afterwards: `carry` is still missing.

    Raises CommandError when Docker cannot be asked.
    """
    failed: dict[str, str] = {}
    for verdict in look(deployed):
        if verdict.action == TAG:
            _docker("tag", verdict.digest or verdict.image_id, verdict.image)
        if verdict.action == PULL and verdict.digest is not None:
            note(f"pulling {verdict.digest}")
            try:
                _docker("pull", "--quiet", verdict.digest)
            except CommandError as error:
                failed[verdict.image] = error.message
            else:
                if "@" not in verdict.image and verdict.digest != verdict.image:
                    _docker("tag", verdict.digest, verdict.image)
    return [
        Verdict(each.image, each.image_id, each.services, CARRY, each.digest, failed[each.image])
        if each.action == PULL
        else each
        for each in look(deployed)
    ]


def _verdict(image: str, identifier: str, users: list[ServiceImage], there: Mapping[str, ImageFacts]) -> Verdict:
    services = tuple(sorted(each.service for each in users))
    digest = next((digest for each in users for digest in each.digests), None)
    named, pulled = there.get(image), None if digest is None else there.get(digest)
    action, reason = THERE, ""
    if named is not None and identifier in (named.id, ""):
        pass
    elif named is not None and pulled is not None and named.id == pulled.id:
        action, reason = DIFFERENT, f"its id is {named.id} here and was {identifier}; the digest is the same"
    elif identifier in there or pulled is not None:
        action, digest = TAG, None if identifier in there else digest
    elif digest is not None or not identifier:
        action, digest = PULL, digest or image
    elif named is not None:
        action, reason = OTHER, f"{named.id} has its name here, and it was {identifier}"
    else:
        action, reason = CARRY, "no registry is known to have it"
    return Verdict(image, identifier, services, action, digest, reason)


def _docker(*words: str) -> None:
    run([docker_program(), *words], timeout_seconds=PULL_SECONDS)
