"""What several files make together; whole stacks are in test_discovery.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tracker_backup.compose.model import Mount, Project
from tracker_backup.compose.project import load_project
from tracker_backup.errors import ConfigurationError

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def load(write_stack: Write) -> Callable[..., Project]:
    """Write files into a stack's directory and load it."""

    def write_and_load(**files: str) -> Project:
        names = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
        return load_project(write_stack(names))

    return write_and_load


Load = Callable[..., Project]


def test_what_holds_outside_goes_before_an_include_s_own_environment(load: Load) -> None:
    project = load(
        compose_yaml="include: [sub/compose.yaml]\nservices: {main: {image: 'm:${INSIDE-none}'}}\n",
        _env="BOTH=outside\n",
        sub__compose_yaml="""
services:
  inner: {image: 'i:$BOTH-$INSIDE', environment: [INSIDE], env_file: inner.env, volumes: ['./a:/a', '${PWD}/b:/b']}
""",
        sub___env="BOTH=inside\nINSIDE=inside\n",
        sub__inner_env="X=${INSIDE-not there}\n",
    )
    assert project.services["main"].image == "m:none"
    inner = project.services["inner"]
    assert inner.image == "i:outside-inside"
    assert inner.environment == {"INSIDE": "inside", "X": "not there"}
    assert [mount.source for mount in inner.mounts] == [f"{project.directory}/sub/a", f"{project.directory}/b"]


def test_an_include_s_project_directory_and_environment_are_taken_from_the_including_file_s_directory(
    load: Load,
) -> None:
    project = load(
        compose_yaml="include: [{path: sub/compose.yaml, project_directory: else, env_file: [one.env, two.env]}]\n",
        one_env="A=1\nB=1\n",
        two_env="B=2$A\n",
        sub__compose_yaml="services: {inner: {image: '$A$B', volumes: ['./a:/a']}}\n",
    )
    inner = project.services["inner"]
    assert (inner.image, inner.mounts) == ("121", (Mount("bind", f"{project.directory}/else/a", "/a"),))


def test_a_missing_environment_file_of_an_include_is_an_error(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"include: the env_file .*/gone\.env does not exist"):
        load(compose_yaml="include: [{path: a.yaml, env_file: gone.env}]\n", a_yaml="services: {a: {image: a}}\n")


def test_dev_null_is_no_environment_file(load: Load) -> None:
    project = load(
        compose_yaml="include: [{path: sub/a.yaml, env_file: /dev/null}]\n",
        sub__a_yaml="services: {a: {image: 'a:${X-none}'}}\n",
        sub___env="X=set\n",
    )
    assert project.services["a"].image == "a:none"


def test_an_override_file_changes_what_an_include_brought(load: Load) -> None:
    project = load(
        compose_yaml="include: [a.yaml]\nvolumes: {data: {name: mine}}\n",
        compose_override_yaml="services: {a: {image: b}}\nvolumes: {data: {external: true}}\n",
        a_yaml="services: {a: {image: a, volumes: ['data:/data', 'other:/other']}}\n",
    )
    assert project.services["a"].image == "b"
    assert {key: (volume.name, volume.external) for key, volume in project.volumes.items()} == {
        "data": ("mine", True),
        "other": ("stack_other", False),
    }


def test_the_same_from_two_includes_is_no_conflict(load: Load) -> None:
    project = load(
        compose_yaml="include: [a.yaml, b.yaml]\n",
        a_yaml="include: [common.yaml]\nservices: {a: {image: a}}\n",
        b_yaml="include: [common.yaml]\nservices: {b: {image: b}}\n",
        common_yaml="services: {common: {image: c}}\nvolumes: {v: {name: v}}\n",
    )
    assert set(project.services) == {"a", "b", "common"}
    assert [file.name for file in project.files] == ["compose.yaml", "a.yaml", "common.yaml", "b.yaml"]


def test_volumes_conflict_too(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"volumes\.v from the included .*/a\.yaml is there already"):
        load(
            compose_yaml="include: [a.yaml]\nvolumes: {v: {name: mine}}\nservices: {a: {image: a}}\n",
            a_yaml="volumes: {v: {name: other}}\n",
        )


def test_what_is_extended_keeps_its_own_paths_and_gives_everything(load: Load) -> None:
    project = load(
        compose_yaml="""
services:
  app:
    extends: {service: base, file: common/base.yaml}
    environment: {B: own}
    volumes: ['./own:/b']
""",
        common__base_yaml="""
services:
  base:
    extends: deeper
    image: base
    container_name: name
    environment: {A: base, B: base}
    env_file: base.env
    volumes: ['./a:/a', './b:/b', '${PWD}/p:/p']
  deeper: {image: deeper, hostname: deep, tmpfs: /tmp, links: ['x:y'], networks: {n: {aliases: [z]}}}
""",
        common__base_env="A=file\nC=file\n",
    )
    app, place = project.services["app"], f"{project.directory}/common"
    assert (app.image, app.container_name, app.hostname, app.aliases) == ("base", "name", "deep", ("z",))
    assert app.links == {"y": "x"}
    assert app.environment == {"A": "base", "B": "own", "C": "file"}
    assert {mount.target: mount.source for mount in app.mounts} == {
        "/a": f"{place}/a",
        "/b": f"{project.directory}/own",
        "/p": f"{project.directory}/p",
        "/tmp": "",
    }


def test_a_service_that_extends_itself_is_a_circle(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"a in .*compose\.yaml → a in .*compose\.yaml"):
        load(compose_yaml="services: {a: {extends: a}}\n")


def test_the_file_that_is_extended_must_exist(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"services\.a\.extends: .*/gone\.yaml does not exist"):
        load(compose_yaml="services: {a: {extends: {service: a, file: gone.yaml}}}\n")


def test_reset_and_override_reach_what_stands_in_earlier_files_and_in_what_is_extended(load: Load) -> None:
    project = load(
        compose_yaml="""
services:
  base: {image: base, environment: {A: 1, B: 1}, volumes: ['./a:/a'], profiles: [p]}
  app: {extends: base, volumes: !reset [], profiles: !reset []}
  gone: {image: gone}
  whole: {image: whole, hostname: h}
volumes: {v: {name: old}, w: {name: old}}
configs: {c: {file: ./c}}
""",
        compose_override_yaml="""
services:
  base: {image: !reset null, environment: {A: !reset null, B: !override 2}}
  gone: !reset null
  whole: !override {image: new}
volumes: {v: !override {external: true}, w: !reset null}
configs: !reset {}
""",
    )
    assert set(project.services) == {"base", "app", "whole"}
    base, app, whole = (project.services[name] for name in ("base", "app", "whole"))
    assert (base.image, base.environment, len(base.mounts)) == (None, {"B": "2"}, 1)
    assert (app.environment, app.mounts, app.profiles) == ({"A": "1", "B": "1"}, (), ())
    assert (whole.image, whole.hostname) == ("new", None)
    assert {key: volume.name for key, volume in project.volumes.items()} == {"v": "v"}


def test_volumes_of_other_services_come_below_the_own_ones(load: Load) -> None:
    project = load(
        compose_yaml="""
services:
  app: {volumes_from: ['one:ro', two, 'container:elsewhere'], volumes: ['./own:/c']}
  one: {volumes: ['./a:/a', './c:/c'], volumes_from: [three]}
  two: {volumes: ['./b:/b']}
  three: {volumes: ['data:/data']}
"""
    )
    mounts = {mount.target: (mount.source, mount.read_only) for mount in project.services["app"].mounts}
    place = project.directory
    assert mounts == {
        "/a": (f"{place}/a", True),
        "/b": (f"{place}/b", False),
        "/c": (f"{place}/own", False),
        "/data": ("data", True),
    }


def test_names_of_volumes_are_as_docker_knows_them(load: Load) -> None:
    project = load(
        compose_yaml="""
name: live
services: {a: {volumes: ['used:/u', {type: volume, source: declared, target: /d, volume: {subpath: sub/dir}}]}}
volumes:
  declared:
  named: {name: '${X:-x}-data'}
  outside: {external: true}
  old: {external: {name: old-name}}
  bound: {driver: local, driver_opts: {type: none, o: bind, device: ./here}}
  relative: {driver_opts: {type: none, o: bind, device: ./here}}
  share: {driver_opts: {type: nfs, o: 'addr=10.0.0.7,password=canary', device: ':/x'}}
"""
    )
    assert {key: volume.name for key, volume in project.volumes.items()} == {
        "used": "live_used",
        "declared": "live_declared",
        "named": "x-data",
        "outside": "outside",
        "old": "old-name",
        "bound": "live_bound",
        "relative": "live_relative",
        "share": "live_share",
    }
    assert project.volumes["bound"].options["device"] == f"{project.directory}/here"
    assert project.volumes["relative"].options["device"] == "./here"  # as Compose leaves it
    assert project.volumes["old"].external
    assert project.services["a"].mounts[1].subpath == "sub/dir"
    assert "canary" not in repr(project)
