"""A stack with what a Docker of the tests' own says of it; tests/integration has a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tracker_backup.compose import reading
from tracker_backup.containers.inventory import ContainerMount, StackContainer, VolumeFacts
from tracker_backup.errors import CommandError, ConfigurationError
from tracker_backup.stack.discovery import find_databases
from tracker_backup.stack.hostmounts import host_mounts, unreached_volumes
from tracker_backup.stack.result import Discovery
from tracker_backup.stack.survey import survey

Find = Callable[[str], Path]
Write = Callable[[dict[str, str]], Path]
DATA = "/var/lib/torrust/tracker"
DATABASE = "database/sqlite3.db"


@dataclass
class FakeDocker:
    """What is asked of Docker, answered from lists; `broken` is what it complains of instead."""

    listed: list[StackContainer] = field(default_factory=list)
    known: list[VolumeFacts] = field(default_factory=list)
    broken: str | None = None

    def containers(self) -> tuple[StackContainer, ...]:
        """Return the containers."""
        if self.broken:
            raise CommandError(self.broken)
        return tuple(self.listed)

    def volumes(self, names: Iterable[str]) -> dict[str, VolumeFacts]:
        """Return the volumes."""
        wanted = set(names)
        return {facts.name: facts for facts in self.known if facts.name in wanted}

    def volumes_directory(self) -> Path:
        """Return a place of Docker's own."""
        return Path("/docker/volumes")


def local(name: str, **options: str) -> VolumeFacts:
    return VolumeFacts(name, "local", f"/docker/volumes/{name}/_data", options)


def find(directory: Path, docker: FakeDocker) -> Discovery:
    return find_databases(survey(directory, docker), reading.read_text_if_there)


def tracker(volumes: str, more: str = "") -> dict[str, str]:
    return {"compose.yaml": f"services: {{tracker: {{image: torrust/tracker, volumes: [{volumes}]}}}}\n{more}"}


def test_volumes_in_all_forms_are_found_on_the_host(stack: Find) -> None:
    directory = stack("volume-forms")
    hexadecimal, declared = "ab" * 32, "cd" * 32
    docker = FakeDocker(
        listed=[
            StackContainer("vf", "anonymous", str(directory), volumes=(ContainerMount(hexadecimal, DATA),)),
            StackContainer("vf", "declared-by-image", str(directory), volumes=(ContainerMount(declared, DATA),)),
        ],
        known=[
            *map(local, ("vf_plain", "the-named-one", "from-outside", hexadecimal, declared)),
            local("vf_bound", type="none", o="bind", device=str(directory / "bound")),
        ],
    )
    found = find(directory, docker)
    assert {source.service: str(source.path) for source in found.sources} == {
        "plain": f"/docker/volumes/vf_plain/_data/{DATABASE}",
        "named": f"/docker/volumes/the-named-one/_data/{DATABASE}",
        "external": f"/docker/volumes/from-outside/_data/{DATABASE}",
        "bound": f"{directory}/bound/{DATABASE}",
        "part": f"/docker/volumes/vf_plain/_data/part/{DATABASE}",
        "anonymous": f"/docker/volumes/{hexadecimal}/_data/{DATABASE}",
        "declared-by-image": f"/docker/volumes/{declared}/_data/{DATABASE}",
    }
    assert found.project == "vf"
    assert found.notes == ()
    assert {(mount.service, mount.volume) for mount in found.mounts} >= {
        ("bound", "vf_bound"),
        ("anonymous", hexadecimal),
        ("part", "vf_plain"),
    }


def test_a_volume_that_is_still_to_be_made_is_pending_where_docker_will_make_it(stack: Find) -> None:
    """Its database is missing, which the run judges: pending, or an error once it has been in a backup."""
    found = find(stack("named-volume"), FakeDocker())
    (source,) = found.sources
    assert str(source.path) == f"/docker/volumes/named-volume_tracker-data/_data/{DATABASE}"
    (note,) = found.notes
    assert note.startswith("Docker has no volume named-volume_tracker-data yet, or no more")


def test_an_external_volume_that_is_gone_is_an_error(write_stack: Write) -> None:
    directory = write_stack(tracker(f"'data:{DATA}'", "volumes: {data: {external: true}}\n"))
    with pytest.raises(ConfigurationError, match="Docker has no volume of that name") as error:
        find(directory, FakeDocker())
    assert error.value.hint


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (VolumeFacts("stack_data", "rclone", "", {}), "kept by the driver rclone"),
        (local("stack_data", type="tmpfs", device="tmpfs"), "it is a tmpfs"),
        (local("stack_data", type="none", o="bind", device="./canary"), "is not an absolute path"),
        (local("stack_data", type="nfs", o="addr=10.0.0.7,password=canary", device=":/x"), r"a file system \(nfs\)"),
    ],
)
def test_a_volume_that_is_no_directory_is_an_error_without_its_options(
    write_stack: Write, facts: VolumeFacts, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        find(write_stack(tracker(f"'data:{DATA}'")), FakeDocker(known=[facts]))
    assert "canary" not in str(error.value) + repr(facts)


def test_a_limit_of_size_leaves_a_volume_a_directory(write_stack: Write) -> None:
    found = find(write_stack(tracker(f"'data:{DATA}'")), FakeDocker(known=[local("stack_data", o="size=1g")]))
    assert str(found.sources[0].path) == f"/docker/volumes/stack_data/_data/{DATABASE}"


def test_without_docker_volumes_are_looked_for_where_its_configuration_says(
    write_stack: Write, no_docker: Path, tmp_path: Path
) -> None:
    directory = write_stack(tracker(f"'data:{DATA}'"))
    reading.DOCKER_CONFIGURATION.write_text('{"data-root": "%s"}' % (tmp_path / "elsewhere"))
    (no_docker / "stack_data/_data").mkdir(parents=True)
    down = FakeDocker(broken="docker exited with 1: Cannot connect")
    with pytest.raises(ConfigurationError, match=r"/elsewhere/volumes/stack_data/_data, which .* Cannot connect"):
        find(directory, down)
    (tmp_path / "elsewhere/volumes/stack_data/_data").mkdir(parents=True)
    assert find(directory, down).sources[0].path == tmp_path / f"elsewhere/volumes/stack_data/_data/{DATABASE}"


def test_a_volume_that_only_docker_could_find_is_told_from_one_that_has_no_place(
    write_stack: Write, no_docker: Path
) -> None:
    options = "volumes: {data: {}, far: {driver: rclone}}\n"
    directory = write_stack(tracker(f"'data:{DATA}', 'far:/far'", options))
    (no_docker / "elsewhere").mkdir(parents=True)

    found = unreached_volumes(survey(directory, FakeDocker(broken="Cannot connect")))

    assert {item.target: item.unasked for item in found} == {DATA: True, "/far": False}


def test_without_docker_a_bound_volume_is_where_docker_s_own_note_or_the_compose_file_says(
    write_stack: Write, no_docker: Path
) -> None:
    options = "volumes: {data: {driver_opts: {type: none, o: bind, device: /from/compose}}}\n"
    directory = write_stack(tracker(f"'data:{DATA}'", options))
    down = FakeDocker(broken="no Docker")
    assert find(directory, down).sources[0].path == Path("/from/compose") / DATABASE
    (no_docker / "stack_data/_data").mkdir(parents=True)
    note = '{"MountType": "none", "MountOpts": "rbind,rw", "MountDevice": "/from/docker", "Quota": {"Size": 0}}'
    (no_docker / "stack_data/opts.json").write_text(note)
    assert find(directory, down).sources[0].path == Path("/from/docker") / DATABASE


def test_what_docker_wrote_and_cannot_be_understood_is_an_error(write_stack: Write, no_docker: Path) -> None:
    directory, down = write_stack(tracker(f"'data:{DATA}'")), FakeDocker(broken="no Docker")
    (no_docker / "stack_data/_data").mkdir(parents=True)
    (no_docker / "stack_data/opts.json").write_text("canary")
    with pytest.raises(ConfigurationError, match=r"opts\.json cannot be understood") as error:
        find(directory, down)
    assert "canary" not in str(error.value)
    reading.DOCKER_CONFIGURATION.write_text("[canary]")
    with pytest.raises(ConfigurationError, match=r"daemon\.json: not the JSON"):
        find(directory, down)


def test_an_anonymous_volume_needs_a_container(write_stack: Write) -> None:
    directory = write_stack(tracker(DATA))
    for docker, why in ((FakeDocker(), "has no container"), (FakeDocker(broken="no Docker"), "not asked: no Docker")):
        with pytest.raises(ConfigurationError, match=f"lies on an anonymous volume.*{why}"):
            find(directory, docker)


def test_the_newest_container_of_a_service_says_which_volume_it_has(write_stack: Write) -> None:
    directory = write_stack(tracker(DATA))
    docker = FakeDocker(
        listed=[
            StackContainer("stack", "tracker", str(directory), created=f"2026-11-2{day}", volumes=(volume,))
            for day, volume in ((3, ContainerMount("new", DATA)), (2, ContainerMount("old", DATA)))
        ],
        known=[local("old"), local("new")],
    )
    assert str(find(directory, docker).sources[0].path) == f"/docker/volumes/new/_data/{DATABASE}"


def test_volumes_of_a_container_outside_the_stack_are_those_of_the_own_container(write_stack: Write) -> None:
    text = "services: {tracker: {image: torrust/tracker, volumes_from: ['container:data']}}\n"
    directory = write_stack({"compose.yaml": text})
    volumes = (ContainerMount("shared", DATA, read_only=True),)
    listed = [StackContainer("stack", "tracker", str(directory), volumes=volumes)]
    found = find(directory, FakeDocker(listed=listed, known=[local("shared")]))
    assert str(found.sources[0].path) == f"/docker/volumes/shared/_data/{DATABASE}"
    assert found.mounts[0].read_only


def test_the_files_that_the_stack_was_started_with_are_read(write_stack: Write) -> None:
    directory = write_stack(
        {
            "compose.yaml": "services: {web: {image: caddy}}\n",
            "base.yaml": "services: {tracker: {image: torrust/tracker}}\n",
            "live.yaml": f"services: {{tracker: {{volumes: ['$DATA:{DATA}']}}}}\n",
            "live.env": "DATA=./live\n",
        }
    )
    labels = {"config_files": f"{directory}/base.yaml,{directory}/live.yaml", "env_files": f"{directory}/live.env"}
    docker = FakeDocker([StackContainer("live", "tracker", str(directory), **labels)])
    assert find(directory, docker).sources[0].path == directory / "live" / DATABASE
    with pytest.raises(ConfigurationError, match="no database found"):
        find(directory, FakeDocker(broken="no Docker"))


def test_a_service_of_a_profile_counts_where_it_has_a_container(write_stack: Write) -> None:
    text = f"""
services:
  one: {{image: torrust/tracker, profiles: [one], volumes: ["./one:{DATA}"]}}
  two: {{image: torrust/tracker, profiles: [two], volumes: ["./two:{DATA}"]}}
"""
    directory = write_stack({"compose.yaml": text})
    both = find(directory, FakeDocker(broken="no Docker"))
    assert [source.service for source in both.sources] == ["one", "two"]
    started = find(directory, FakeDocker([StackContainer("stack", "two", str(directory))]))
    assert [source.service for source in started.sources] == ["two"]
    assert started.notes == ("service one is in no profile that is enabled (one): passed over",)
    (directory / ".env").write_text("COMPOSE_PROFILES=*\n")
    enabled = find(directory, FakeDocker([StackContainer("stack", "two", str(directory))]))
    assert [source.service for source in enabled.sources] == ["one", "two"]


def test_containers_of_a_project_in_another_directory_that_compose_file_names_are_found(stack: Find) -> None:
    directory = stack("compose-file-variable")
    listed = [StackContainer("deploy", "tracker", str(directory / "deploy"))]
    assert survey(directory, FakeDocker(listed)).started == {"tracker"}


def test_a_volume_whose_place_is_not_known_is_no_mount(write_stack: Write) -> None:
    directory = write_stack({"compose.yaml": "services: {db: {image: mysql, volumes: ['data:/var/lib/mysql', /x]}}\n"})
    assert host_mounts(survey(directory, FakeDocker(broken="no Docker"))) == ()
    (mount,) = host_mounts(survey(directory, FakeDocker(known=[local("stack_data")])))
    assert (mount.kind, str(mount.path), mount.image) == ("volume", "/docker/volumes/stack_data/_data", "mysql")
