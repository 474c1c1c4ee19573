"""What is refused before anything is changed, and what the messages tell to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from role.playing import Controller, Result, snapshot

# Host -> its variables, and what its message has to say.
REFUSED: dict[str, tuple[dict[str, object], list[str]]] = {
    "stack": (
        {"tracker_backup_stack_dir": "/nonexistent/stack"},
        ["no compose.yaml,", "in /nonexistent/stack", "Set tracker_backup_stack_dir", "tracker_backup_sources"],
    ),
    "unknown": (
        {"tracker_backup_ping_ulr": "https://example.org", "tracker_backup_stack": "/opt"},
        ["no variable tracker_backup_ping_ulr", "perhaps you mean tracker_backup_stack_dir"],
    ),
    "names": (
        {"tracker_backup_instance": "Big", "tracker_backup_jobs": [{"name": "a\nb", "schedule": "0 3 * * *"}]},
        ['"Big"', '"a\\nb"', "1 to 32 small letters"],
    ),
    "paths": (
        {"tracker_backup_repository": "backups", "tracker_backup_staging_dir": "/with'quote"},
        ['tracker_backup_repository is "backups"', "tracker_backup_staging_dir", "absolute path"],
    ),
    "target": ({"tracker_backup_schedule_target": "systemd"}, ['"systemd"', "cron.d, crontab, or"]),
    "trusted": ({"tracker_backup_trusted_users": ["deploy", "a b"]}, ["tracker_backup_trusted_users has a b:"]),
    "choice": ({"tracker_backup_check": "sometimes"}, ["must be one of: auto, quick, full, none"]),
    "python": (
        {"tracker_backup_python": "/nonexistent/python"},
        [
            "/nonexistent/python cannot run tracker-backup",
            "there is no such program",
            "tracker_backup_install_packages=true",
        ],
    ),
}


@pytest.fixture(scope="module")
def refusals(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Controller]:
    """Return one play of hosts with one mistake each, up to the install stage."""
    controller = Controller(clone, tmp_path_factory.mktemp("refused"))
    for name, (variables, _) in REFUSED.items():
        controller.host(name, **variables)
    legacy = controller.host("legacy")
    for name in ("etc/cron.d/tracker-backup", "var/spool/cron/crontabs/root"):
        (legacy / name).parent.mkdir(parents=True)
        (legacy / name).write_text("0 3 * * * /usr/local/bin/maintenance-backup.sh\n")
    controller.host("twice", tracker_backup_instances=[{"name": "one"}, {"name": "two"}])
    return controller.play("--forks", "4", "--tags", "tracker_backup_install"), controller


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_what_to_do(refusals: tuple[Result, Controller], name: str) -> None:
    play, controller = refusals
    _, expected = REFUSED[name]
    failure = play.failure(name)

    assert play.count(name, "failed") == 1
    assert [part for part in expected if part not in failure] == []
    assert snapshot(controller.directory / name / "host") == {}


def test_older_backup_that_is_still_scheduled_is_refused(refusals: tuple[Result, Controller]) -> None:
    play, _ = refusals
    failure = play.failure("legacy")

    assert "etc/cron.d/tracker-backup and " in failure, failure
    assert "(the table of root)" in failure
    assert "tracker_backup_legacy=disable" in failure
    assert "tracker_backup_legacy=keep" in failure


def test_empty_group_is_refused(controller: Controller) -> None:
    """Without it, Ansible says "no hosts matched" and ends well."""
    play = controller.play()

    assert play.code != 0
    assert "Copy inventory.example to inventory" in play.message()


def test_example_inventory_names_the_group(controller: Controller) -> None:
    listed = controller.run("ansible", "-i", controller.checkout / "inventory.example", "trackers", "--list-hosts")

    assert "tracker.example.org" in listed.stdout


def test_a_stack_that_two_instances_back_up_is_told_of_and_not_refused(refusals: tuple[Result, Controller]) -> None:
    play, controller = refusals

    assert play.count("twice", "failed") == 0
    said = f"Instances one and two both back up {controller.directory}/twice/stack: twice the load and the room."
    assert said in play.message()
