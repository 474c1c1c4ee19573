from __future__ import annotations

from pathlib import Path

from tracker_backup.compose.deployment import Deployment, deployment_of
from tracker_backup.containers.inventory import StackContainer


def container(
    service: str,
    directory: Path | str,
    *,
    created: str = "2026-11-23T03:00:00Z",
    project: str = "live",
    config_files: str = "compose.yaml",
    env_files: str = "",
) -> StackContainer:
    return StackContainer(project, service, str(directory), config_files, env_files, created)


def test_the_newest_container_says_how_the_stack_was_started(tmp_path: Path) -> None:
    old = container("tracker", tmp_path, created="2026-11-22T03:00:00Z")
    new = container("index", tmp_path, config_files=f"{tmp_path}/a.yaml,{tmp_path}/sub/../b.yaml", env_files="live.env")
    assert deployment_of(tmp_path, [new, old]) == Deployment(
        "live", (tmp_path / "a.yaml", tmp_path / "b.yaml"), (tmp_path / "live.env",), (new, old)
    )


def test_a_directory_is_the_same_by_any_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = deployment_of(tmp_path / "link", [container("tracker", tmp_path / "real")])
    assert found
    assert found.services == {"tracker"}


def test_other_stacks_and_one_off_commands_do_not_count(tmp_path: Path) -> None:
    other = container("tracker", tmp_path / "other")
    one_off = StackContainer("live", "tracker", str(tmp_path), one_off=True)
    assert deployment_of(tmp_path, [other, one_off, container("tracker", "")]) is None


def test_of_two_projects_in_one_directory_the_newer_one_counts(tmp_path: Path) -> None:
    old = container("old", tmp_path, created="2026-11-22T03:00:00Z", project="before")
    found = deployment_of(tmp_path, [old, container("tracker", tmp_path)])
    assert found
    assert (found.project, found.services) == ("live", {"tracker"})
