"""Installed from its repository as a collection and as a role, it finds the program and brings it to a host."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from role.playing import Controller, snapshot

PROGRAM = "usr/local/lib/tracker-backup/current/tracker_backup/__main__.py"
STAGES = ("--tags", "tracker_backup_deploy")


@pytest.fixture
def empty_checkout(controller: Controller) -> Controller:
    """Return a controller that has nothing but what a test installs."""
    return Controller(controller.directory / "no-checkout", controller.directory)


def test_collection(clone: Path, empty_checkout: Controller) -> None:
    """Its playbooks run by their names; a dry run of all stages is clean, and it brings the whole program."""
    controller = empty_checkout
    installed = controller.run("ansible-galaxy", "collection", "install", f"git+file://{clone}")
    host = controller.host("one")

    play = controller.play(*STAGES, playbook="torrust.tracker_backup.deploy")
    shown = controller.play(playbook="torrust.tracker_backup.status")

    assert play.code == 0, installed.stdout + play.output
    assert program_of(host) == program_in(clone)
    assert "CRITICAL: 1 of 1 host: one" in shown.message()


def test_collection_tarball_has_what_is_needed_and_no_more(clone: Path, empty_checkout: Controller) -> None:
    controller = empty_checkout
    target = controller.directory / "built"

    built = controller.run("ansible-galaxy", "collection", "build", clone, "--output-path", target)
    installed = controller.run("ansible-galaxy", "collection", "install", *target.glob("*.tar.gz"), "-p", target)
    root = target / "ansible_collections/torrust/tracker_backup"
    listed = {path.name for path in root.iterdir()}

    assert built.returncode == 0, built.stdout
    assert installed.returncode == 0, installed.stdout
    assert {"roles", "playbooks", "scripts", "meta", "README.md", "LICENSE"} <= listed
    assert listed & {"tests", "molecule", "demo", "docs", "tools", "inventory", "Makefile", ".venv"} == set()
    assert (root / "playbooks/roles").readlink() == Path("../roles")


def test_role(clone: Path, empty_checkout: Controller) -> None:
    """ansible-galaxy cuts a role off from what stands beside roles/, and keeps that below the role."""
    controller = empty_checkout
    installed = controller.run("ansible-galaxy", "role", "install", f"git+file://{clone},main,tracker_backup")
    host = controller.host("one")
    playbook = controller.directory / "own.yml"
    play_of_own = {"hosts": "trackers", "gather_facts": False, "roles": [{"role": "tracker_backup"}]}
    playbook.write_text(yaml.safe_dump([play_of_own]))

    play = controller.play(*STAGES, playbook=playbook)

    assert play.code == 0, installed.stdout + play.output
    assert program_of(host) == program_in(clone)


def program_of(host: Path) -> dict[str, str]:
    """Return the program's files on a host."""
    return snapshot((host / PROGRAM).parent)


def program_in(clone: Path) -> dict[str, str]:
    """Return the program's files in a checkout."""
    return snapshot(clone / "scripts/tracker_backup")
