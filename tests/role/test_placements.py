"""What the role refuses to put into containers, with what to do; the rest is Molecule's scenario `placements`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from role.playing import Controller, Story, ansible_environment

ANSWERS = """\
#!/bin/sh
case "$1" in
    version | compose) echo 26.1 ;;
    info) echo /var/lib/docker ;;
    ps) echo elsewhere ;;
    *) echo "nothing else is asked for: $*" >&2; exit 1 ;;
esac
"""
"""All that is asked of Docker before the role has refused."""


@dataclass
class WithDocker(Controller):
    """A controller of hosts on which `docker` says that it is there."""

    programs: Path = field(default_factory=Path)

    def environment(self) -> dict[str, str]:
        """Return the environment in which that comes first."""
        environment = ansible_environment(self.directory)
        return {**environment, "PATH": f"{self.programs}:{environment['PATH']}"}


def with_docker(clone: Path, directory: Path, answers: str = ANSWERS) -> WithDocker:
    """Return a controller of such hosts."""
    programs = directory / "programs"
    programs.mkdir()
    (programs / "docker").write_text(answers)
    (programs / "docker").chmod(0o755)
    return WithDocker(clone, directory, programs=programs)


def places(host: Path) -> dict[str, str]:
    """Return the variables that put everything below one directory, as `tracker_backup_base_dir` would."""
    return {
        "tracker_backup_base_dir": "",
        "tracker_backup_repository": f"{host}/var/backups/tracker-backup/default",
        "tracker_backup_config_dir": f"{host}/etc/tracker-backup",
        "tracker_backup_lib_dir": f"{host}/usr/local/lib/tracker-backup",
        "tracker_backup_bin_dir": f"{host}/usr/local/bin",
        "tracker_backup_log_dir": f"{host}/var/log/tracker-backup",
        "tracker_backup_state_dir": f"{host}/var/lib/tracker-backup",
        "tracker_backup_logrotate_dir": f"{host}/etc/logrotate.d",
        "tracker_backup_legacy_cron_file": f"{host}/etc/cron.d/older",
        "tracker_backup_legacy_crontab": f"{host}/crontab",
        "tracker_backup_owner": "",
        "tracker_backup_group": "",
    }


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], list[str]]] = {
    "crontab": ({"tracker_backup_schedule_target": "crontab"}, {}, ["goes without tracker_backup_schedule_target"]),
    "override": (
        {},
        {"docker-compose.override.yml": "services: {}\n"},
        ["override.yml is not from", "Nothing was changed"],
    ),
    "listed": (
        {},
        {".env": "A=1\nCOMPOSE_FILE=docker-compose.yml\n"},
        ["/.env does not list", "compose.override.yaml"],
    ),
    "named": (
        {"tracker_backup_compose_file": "ours.yaml"},
        {".env": "COMPOSE_FILE=docker-compose.yml:other.yaml\n"},
        ["/.env does not list", "ours.yaml"],
    ),
    "taken": (
        {"tracker_backup_compose_file": "ours.yaml"},
        {
            ".env": "COMPOSE_FILE=docker-compose.yml:./ours.yaml\n",
            "ours.yaml": "services: {}\n# made by tracker-backup\n",
        },
        ["ours.yaml is not from"],
    ),
    "strangers": (
        {},
        {"tracker-backup/movies": "somebody's"},
        ["tracker-backup/movies is in", "Move it elsewhere"],
    ),
    "names": (
        {"tracker_backup_trusted_users": ["deployer"]},
        {},
        ["tracker_backup_trusted_users names deployer", "getent passwd"],
    ),
    "twice": (
        {"tracker_backup_instances": [{"name": "main"}, {"name": "test", "repository": "/b"}]},
        {},
        ["Instances main and test both have the stack"],
    ),
}


@pytest.fixture(scope="module")
def refusals(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Return one play of hosts with one mistake each."""
    controller = with_docker(clone, tmp_path_factory.mktemp("refused"))
    told = Story(controller, controller.directory / "one/host")
    for name, (variables, written, _) in REFUSED.items():
        host = told.controller.directory / name / "host"
        told.controller.host(name, **{**places(host), "tracker_backup_placement": "service", **variables})
        for file, text in written.items():
            path = told.controller.directory / name / "stack" / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    told.play("refused", "--forks", "4")
    return told


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_what_to_do(refusals: Story, name: str) -> None:
    play = refusals.plays["refused"]
    failure = play.failure(name)

    assert [part for part in REFUSED[name][2] if part not in failure] == [], failure
    assert not (refusals.controller.directory / name / "host").exists()
    assert not (refusals.controller.directory / name / "stack/tracker-backup/build").exists()


def test_without_docker_it_says_so(clone: Path, tmp_path: Path) -> None:
    answers = "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n"
    told = Story(with_docker(clone, tmp_path, answers), tmp_path / "one/host")
    told.controller.host("one", **{**places(told.host), "tracker_backup_placement": "service"})

    told.play("service")

    assert "Cannot connect to the Docker daemon. Install them" in told.plays["service"].message()
    assert told.after["service"] == {}


def test_an_instance_on_the_host_itself_does_not_lose_its_command(clone: Path, tmp_path: Path) -> None:
    told = Story(with_docker(clone, tmp_path), tmp_path / "one/host")
    told.controller.host("one", **{**places(told.host), "tracker_backup_placement": "service"})
    other = told.host / "etc/tracker-backup/other.yml"
    other.parent.mkdir(parents=True)
    other.touch()

    told.play("service")

    assert "there is also other, of which this play says nothing" in told.plays["service"].message()
    assert not (tmp_path / "one/stack/tracker-backup").exists()


def test_an_instance_in_containers_does_not_lose_its_command_to_one_on_the_host(clone: Path, tmp_path: Path) -> None:
    told = Story(with_docker(clone, tmp_path), tmp_path / "one/host")
    told.controller.host("one", **{**places(told.host), "tracker_backup_placement": "host"})
    command = told.host / "usr/local/bin/tracker-backup"
    command.parent.mkdir(parents=True)
    shutil.copy(clone / "scripts/tracker_backup/placement/outside.py", command)
    before = command.read_bytes()

    told.play("host", "-e", '{"tracker_backup_install_packages": false}')

    assert "Instance elsewhere runs in containers on this host" in told.plays["host"].message()
    assert command.read_bytes() == before


NO_CONTAINERS = """\
#!/bin/sh
case "$1" in
    version) echo 26.1 ;;
    ps | image) ;;
    *) echo "nothing else is asked for: $*" >&2; exit 1 ;;
esac
"""


def left_over(stack: Path) -> Path:
    """Make what a play leaves whose containers Docker has refused; return the directory."""
    ours = stack / "tracker-backup"
    (ours / "build/program/1").mkdir(parents=True)
    (ours / "build/program/current").symlink_to("1")
    (ours / "restored").mkdir()
    (ours / "etc").mkdir()
    (ours / "etc/localtime").touch()
    (ours / "etc/default.nas.password").write_text("somebody's")
    return ours


def test_what_a_refused_try_has_left_goes_with_the_next_play_of_the_host(clone: Path, tmp_path: Path) -> None:
    """Docker had refused the containers, so that they have no configuration; and somebody has laid a secret there.

    What is called so on another host, and was not made by the role, stays.
    """
    told = Story(with_docker(clone, tmp_path, NO_CONTAINERS), tmp_path / "one/host")
    for name in ("one", "other"):
        told.controller.host(name, tracker_backup_first_backup="never")
    ours = left_over(tmp_path / "one/stack")
    somebodys = tmp_path / "other/stack/tracker-backup/build/program/file"
    somebodys.parent.mkdir(parents=True)
    somebodys.touch()

    told.play("host")
    told.play("again")

    assert (told.plays["host"].code, told.plays["again"].count("one", "changed")) == (0, 0), told.plays["host"].output
    assert sorted(path.name for path in ours.rglob("*")) == ["default.nas.password", "etc"]
    assert (told.host / "etc/tracker-backup/default.nas.password").read_text() == "somebody's"
    assert somebodys.exists()


def test_without_docker_what_is_left_stays_and_that_is_said(clone: Path, tmp_path: Path) -> None:
    told = Story(with_docker(clone, tmp_path, "#!/bin/sh\nexit 1\n"), tmp_path / "one/host")
    told.controller.host("one")
    told.controller.host("file")
    ours = left_over(tmp_path / "one/stack")
    a_file = tmp_path / "file/stack/tracker-backup/build"
    a_file.parent.mkdir()
    a_file.touch()

    told.play("absent", "-e", "tracker_backup_state=absent")

    assert told.plays["absent"].code == 0, told.plays["absent"].output
    assert "start Docker and run this again, or remove it by hand" in told.plays["absent"].message()
    assert (ours / "build/program/current").is_symlink()
    assert a_file.exists()
