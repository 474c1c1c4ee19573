"""What is to be done for each image: pulled by digest, named, carried, or told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker_backup.containers.command import ComposeProject
from tracker_backup.containers.standing import ImageFacts
from tracker_backup.moving.images import CARRY, DIFFERENT, OTHER, PULL, TAG, THERE, judge
from tracker_backup.run.deployed import Deployed, ServiceImage

NAME, ID, DIGEST = "torrust/tracker:v4", "sha256:aaa", "torrust/tracker@sha256:ddd"
PROJECT = ComposeProject("torrust", Path("/opt/torrust"))


def image(identifier: str, *digests: str) -> ImageFacts:
    return ImageFacts(identifier, digests, "amd64", 1)


@pytest.mark.parametrize(
    ("digests", "there", "action"),
    [
        ((DIGEST,), {}, PULL),
        ((), {}, CARRY),
        ((DIGEST,), {NAME: image(ID)}, THERE),
        ((), {ID: image(ID)}, TAG),
        ((DIGEST,), {DIGEST: image(ID), ID: image(ID)}, TAG),
        ((DIGEST,), {DIGEST: image("sha256:ddd")}, TAG),
        ((DIGEST,), {DIGEST: image("sha256:ddd"), NAME: image("sha256:ddd")}, DIFFERENT),
        ((DIGEST,), {NAME: image("sha256:other")}, PULL),
        ((), {NAME: image("sha256:other")}, OTHER),
    ],
)
def test_what_is_done_for_an_image(digests: tuple[str, ...], there: dict[str, ImageFacts], action: str) -> None:
    deployed = Deployed(PROJECT, (ServiceImage("tracker", running=True, image=NAME, image_id=ID, digests=digests),))

    (verdict,) = judge(deployed, there)

    assert verdict.action == action
    assert bool(verdict.reason) == (action in (CARRY, DIFFERENT, OTHER))


def test_services_that_did_not_run_need_no_image_and_an_image_is_judged_once() -> None:
    services = (
        ServiceImage("a", running=True, image=NAME, image_id=ID),
        ServiceImage("b", running=True, image=NAME, image_id=ID),
        ServiceImage("c", running=False, image="other", image_id="sha256:ccc"),
    )

    (verdict,) = judge(Deployed(PROJECT, services), {})

    assert verdict.services == ("a", "b")


def test_a_backup_of_an_earlier_version_knows_names_only() -> None:
    deployed = Deployed(PROJECT, (ServiceImage("tracker", running=True, image=NAME, image_id=""),))

    assert judge(deployed, {})[0].action == PULL
    assert judge(deployed, {})[0].digest == NAME
    assert judge(deployed, {NAME: image("sha256:any")})[0].action == THERE
