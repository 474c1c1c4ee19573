from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tracker_backup.compose.deployment import Deployment
from tracker_backup.compose.model import Mount
from tracker_backup.compose.project import choose_files, load_project, project_name
from tracker_backup.errors import ConfigurationError

Write = Callable[[dict[str, str]], Path]
ANYWHERE = Path("/opt/stack")


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ({"compose.yaml"}, ("compose.yaml",)),
        ({"compose.yml"}, ("compose.yml",)),
        ({"docker-compose.yml"}, ("docker-compose.yml",)),
        ({"docker-compose.yaml"}, ("docker-compose.yaml",)),
        ({"docker-compose.yml", "docker-compose.override.yml"}, ("docker-compose.yml", "docker-compose.override.yml")),
        ({"compose.yaml", "compose.override.yaml", "x.yml"}, ("compose.yaml", "compose.override.yaml")),
    ],
)
def test_compose_s_own_file_names_are_found(present: set[str], expected: tuple[str, ...]) -> None:
    choice = choose_files(frozenset(present), {}, ANYWHERE)
    assert (choice.files, choice.directory, choice.notes) == (tuple(map(ANYWHERE.joinpath, expected)), ANYWHERE, ())


def test_of_several_compose_files_compose_s_choice_is_taken_and_said() -> None:
    choice = choose_files(frozenset({"docker-compose.yml", "compose.yml"}), {}, ANYWHERE)
    assert choice.files == (ANYWHERE / "compose.yml",)
    assert choice.notes == (
        "/opt/stack has several of them: compose.yml, docker-compose.yml; Compose takes compose.yml",
    )


def test_no_compose_file_is_an_error_that_names_what_was_looked_for() -> None:
    with pytest.raises(ConfigurationError, match=r"no Compose file in /opt/stack; looked for compose\.yaml, ") as error:
        choose_files(frozenset({"README.md"}), {}, ANYWHERE)
    assert error.value.hint
    assert "stack:" in error.value.hint


@pytest.mark.parametrize(
    ("env", "files", "directory"),
    [
        ({"COMPOSE_FILE": "base.yml:./live.yml"}, ["base.yml", "live.yml"], "/opt/stack"),
        ({"COMPOSE_FILE": "a;b", "COMPOSE_PATH_SEPARATOR": ";"}, ["a", "b"], "/opt/stack"),
        ({"COMPOSE_FILE": "../other/compose.yml:own.yml"}, ["/opt/other/compose.yml", "own.yml"], "/opt/other"),
        ({"COMPOSE_FILE": "/srv/compose.yml"}, ["/srv/compose.yml"], "/srv"),
        ({"COMPOSE_FILE": "a.yml:sub/b.yml"}, ["a.yml", "sub/b.yml"], "/opt/stack"),
    ],
)
def test_compose_file_in_env_is_followed_wherever_it_leads(
    env: dict[str, str], files: list[str], directory: str
) -> None:
    choice = choose_files(frozenset({"compose.yml"}), env, ANYWHERE)
    assert choice.files == tuple(map(ANYWHERE.joinpath, files))
    assert choice.directory == Path(directory)


def test_an_empty_compose_file_variable_names_no_file() -> None:
    with pytest.raises(ConfigurationError, match="COMPOSE_FILE names no file"):
        choose_files(frozenset({"compose.yml"}), {"COMPOSE_FILE": "::"}, ANYWHERE)


@pytest.mark.parametrize(
    ("documents", "env", "directory", "expected"),
    [
        ([{}], {}, "/opt/Torrust Live.2", "torrustlive2"),
        ([{}], {}, "/opt/_-x_-", "x_-"),
        ([{"name": "named"}], {}, "/opt/x", "named"),
        ([{"name": "named"}, {"name": "later"}], {}, "/opt/x", "later"),
        ([{"name": "${STAGE:-live}-tracker"}], {"STAGE": "test"}, "/opt/x", "test-tracker"),
        ([{"name": "named"}], {"COMPOSE_PROJECT_NAME": "from-env"}, "/opt/x", "from-env"),
        ([None], {}, "/opt/x", "x"),
    ],
)
def test_the_project_s_name(documents: list[object], env: dict[str, str], directory: str, expected: str) -> None:
    assert project_name(documents, env, Path(directory)) == expected


def test_a_service_is_read_whole(write_stack: Write) -> None:
    directory = write_stack(
        {
            ".env": "TAG=v1\nTOKEN='canary'\n",
            "one.env": "A=one\nB=one\nC=$TAG\n",
            "two.env": "B=two\n",
            "compose.yaml": """
services:
  app:
    image: repository/app:${TAG}
    container_name: the-app
    working_dir: /srv
    env_file: [one.env, {path: ./two.env}, {path: gone.env, required: false}]
    environment:
      A: own
      NUMBER: 0123
      TRUE: true
      NOTHING: ''
      TOKEN:
      UNKNOWN:
    tmpfs: /run
    volumes:
      - ./lib:/var/lib/app
      - {type: volume, source: data, target: /data}
""",
        }
    )
    project = load_project(directory)
    service = project.services["app"]
    assert (service.image, service.container_name, service.working_dir) == ("repository/app:v1", "the-app", "/srv")
    assert service.environment == {
        "A": "own",
        "B": "two",
        "C": "v1",
        "NUMBER": "0123",
        "TRUE": "true",
        "NOTHING": "",
        "TOKEN": "canary",
    }
    assert service.mounts == (
        Mount("bind", f"{directory}/lib", "/var/lib/app"),
        Mount("volume", "data", "/data"),
        Mount("tmpfs", "", "/run"),
    )
    assert service.variables["A"].origin == "compose.yaml"
    assert service.variables["C"].origin == "one.env"
    assert service.variables["C"].from_env_file
    assert service.variables["TOKEN"].origin == ".env"
    assert project.name == "stack"
    assert "canary" not in repr(project)


def test_a_list_of_variables_is_read_like_a_mapping(write_stack: Write) -> None:
    text = "services: {app: {environment: ['A=1=2', B, C=, '$N=x', 'D=${M:-d}']}}\n"
    directory = write_stack({"compose.yaml": text, ".env": "B=b\nN=name\n"})
    assert load_project(directory).services["app"].environment == {"A": "1=2", "B": "b", "C": "", "name": "x", "D": "d"}


def test_an_override_file_replaces_values_and_adds_to_lists(write_stack: Write) -> None:
    directory = write_stack(
        {
            "one.env": "X=1\nY=1\n",
            "two.env": "Y=2\n",
            "compose.yml": """
services:
  app: {image: a, environment: [A=1, B=1], env_file: one.env, volumes: ["./a:/a", "./b:/b"]}
""",
            "compose.override.yml": """
services:
  app: {environment: {B: 2, C: 2}, env_file: [two.env], volumes: ["./c:/b/", "./d:/d"]}
  other: {image: o}
""",
        }
    )
    project = load_project(directory)
    app = project.services["app"]
    assert app.image == "a"
    assert app.environment == {"A": "1", "B": "2", "C": "2", "X": "1", "Y": "2"}
    assert {mount.target: mount.source for mount in app.mounts} == {
        "/a": f"{directory}/a",
        "/b": f"{directory}/c",
        "/d": f"{directory}/d",
    }
    assert list(project.services) == ["app", "other"]
    assert [file.name for file in project.files] == ["compose.yml", "compose.override.yml"]


def test_a_variable_that_is_passed_through_and_not_set_is_unset(write_stack: Write) -> None:
    """Also where an environment file sets it: for Compose the null goes before."""
    files = {"compose.yaml": "services: {a: {environment: [X], env_file: a.env}}\n", "a.env": "X=1\nY=2\n"}
    assert load_project(write_stack(files)).services["a"].environment == {"Y": "2"}


def test_a_deployment_s_files_and_environment_go_before_the_directory_s(write_stack: Write) -> None:
    directory = write_stack(
        {
            "compose.yaml": "services: {app: {image: wrong}}\n",
            "base.yaml": "services: {app: {image: 'app:$TAG'}}\n",
            "sub/live.yaml": "services: {app: {volumes: ['./a:/a']}}\n",
            ".env": "TAG=wrong\n",
            "live.env": "TAG=live\n",
        }
    )
    files = (directory / "base.yaml", directory / "sub/live.yaml")
    project = load_project(directory, Deployment("given", files, (directory / "live.env",), ()))
    assert (project.name, project.files, project.directory) == ("given", files, directory)
    assert project.services["app"].image == "app:live"
    assert project.services["app"].mounts[0].source == f"{directory}/a"
    assert project.notes == (
        "in place of .env, live.env is read: the stack was started with it",
        "the Compose files are base.yaml, sub/live.yaml: the stack was started with them",
    )


def test_a_deployment_s_usual_files_are_no_news(write_stack: Write) -> None:
    directory = write_stack({"compose.yaml": "services: {app: {image: a}}\n", ".env": ""})
    deployment = Deployment("stack", (directory / "compose.yaml",), (directory / ".env",), ())
    assert load_project(directory, deployment).notes == ()


def test_where_a_deployment_s_files_are_gone_those_in_the_directory_are_read(write_stack: Write) -> None:
    directory = write_stack({"compose.yaml": "services: {app: {image: 'a:$TAG'}}\n", ".env": "TAG=1\n"})
    deployment = Deployment("stack", (directory / "gone.yaml",), (directory / "gone.env",), ())
    project = load_project(directory, deployment)
    assert project.services["app"].image == "a:1"
    assert [note.partition(":")[0] for note in project.notes] == [
        f"the stack was started with {directory}/gone.env, which does not exist any more",
        f"the stack was started with {directory}/gone.yaml, which does not exist any more",
    ]


def test_a_file_that_compose_file_names_must_exist(write_stack: Write) -> None:
    directory = write_stack({".env": "COMPOSE_FILE=gone.yaml\n"})
    with pytest.raises(ConfigurationError, match=r"COMPOSE_FILE in .*/\.env: .*/gone\.yaml does not exist"):
        load_project(directory)


def test_the_environment_of_this_process_takes_no_part(write_stack: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAG", "from-cron")
    monkeypatch.setenv("COMPOSE_FILE", "other.yml")
    project = load_project(write_stack({"compose.yaml": "services: {app: {image: 'app:${TAG}'}}\n"}))
    assert project.services["app"].image == "app:"
    assert project.notes == ("the variable TAG is used but not set in .env: it counts as empty, as for Compose",)


def test_pwd_is_the_stack_and_home_is_said(write_stack: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    text = "services: {app: {volumes: ['${PWD}/a:/a', '~/b:/b', '$HOME/c:/c']}}\n"
    directory = write_stack({"compose.yaml": text})
    project = load_project(directory)
    sources = [mount.source for mount in project.services["app"].mounts]
    assert sources == [f"{directory}/a", "/home/somebody/b", "/home/somebody/c"]
    assert project.notes == ("the home directory in the Compose files (~ or $HOME) is taken to be /home/somebody",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "compose.yaml: not a Compose file"),
        ("- a\n", "compose.yaml: not a Compose file"),
        ("services: {}\nx: 1\n", "compose.yaml has no services"),
        ("services: []\n", "compose.yaml: `services` is not a mapping"),
        ("services: [a]\n", "compose.yaml: `services` is not a mapping"),
        ("volumes: {}\n", "compose.yaml has no services"),
        ("services: {app: }\n", "compose.yaml: services.app is not a mapping"),
        ("services: {app: {image: [a]}}\n", "compose.yaml: services.app.image is not a string"),
        ("services: {app: {image: 'a:${'}}\n", "compose.yaml: services.app.image: malformed"),
        ("services: {app: {environment: x}}\n", "compose.yaml: services.app.environment: neither"),
        ("services: {app: {environment: [{A: 1}]}}\n", "compose.yaml: services.app.environment: neither"),
        ("services: {app: {environment: {A: [1]}}}\n", "compose.yaml: services.app.environment.A: not a single"),
        ("services: {app: {volumes: ./a:/a}}\n", "compose.yaml: services.app.volumes is not a list"),
        ("services: {app: {volumes: [[a]]}}\n", "compose.yaml: services.app.volumes[0]: neither"),
        ("services: {app: {volumes: ['${X}:/a']}}\n", "compose.yaml: services.app.volumes[0]: ':/a' has no source"),
        ("services: {app: {env_file: [[a]]}}\n", "compose.yaml: services.app.env_file: neither"),
        ("services: {app: {env_file: gone.env}}\n", "service app: its env_file /"),
        ("services: {app: {env_file: {path: a, format: x}}}\n", "compose.yaml: services.app.env_file: of the formats"),
        ("services: {app: {extends: [b]}}\n", "compose.yaml: services.app.extends: neither"),
        ("services: {app: {configs: [{target: /b}]}}\n", "compose.yaml: services.app.configs: neither"),
        ("services: {app: {volumes_from: b}}\n", "compose.yaml: services.app.volumes_from is not a list"),
        ("services: {app: {volumes_from: [b]}}\n", "service app: `volumes_from` names the service b, which is not"),
        ("services: {app: {networks: {n: [b]}}}\n", "compose.yaml: services.app.networks is not a mapping"),
        ("volumes: {v: [b]}\n", "compose.yaml: volumes.v is not a mapping"),
        ("volumes: {v: {name: [b]}}\n", "compose.yaml: volumes.v.name: not a single value"),
        ("include: other.yaml\n", "compose.yaml: include is not a list"),
        ("include: [{env_file: a}]\n", "compose.yaml: include: neither a path nor"),
    ],
)
def test_errors_name_the_file_and_the_place_in_it(write_stack: Write, text: str, message: str) -> None:
    directory = write_stack({"compose.yaml": text})
    with pytest.raises(ConfigurationError) as error:
        load_project(directory)
    assert error.value.message.replace(f"{directory}/", "", 1).startswith(message) or re.match(
        message, str(error.value)
    )


def test_errors_in_environment_files_name_file_and_line(write_stack: Write) -> None:
    compose = "services: {app: {env_file: sub/app.env}}\n"
    directory = write_stack({"compose.yaml": compose, "sub/app.env": "A=1\nB='open\n"})
    with pytest.raises(ConfigurationError, match=r"/sub/app\.env, line 2: the quote ' is not closed"):
        load_project(directory)
    (directory / ".env").write_text("A=1\nB='open\n")
    with pytest.raises(ConfigurationError, match=r"/\.env, line 2: the quote ' is not closed"):
        load_project(directory)


def test_a_missing_variable_in_env_files_is_noted(write_stack: Write) -> None:
    files = {"compose.yaml": "services: {app: {env_file: a.env}}\n", ".env": "A=$ONE\n", "a.env": "B=$TWO$A\n"}
    assert [note.split()[2] for note in load_project(write_stack(files)).notes] == ["ONE", "TWO"]
