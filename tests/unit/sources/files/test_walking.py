"""What is met on the way through what was selected, on a real file system."""

from __future__ import annotations

from pathlib import Path

from tracker_backup.sources.files.selection import Facts, MountFact, select
from tracker_backup.sources.files.walking import links_on_the_way, survey


def mount(path: Path, target: str) -> MountFact:
    return MountFact(str(path), str(path), target, "service")


def filled(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("content")
    return root


def taken(root: Path, **facts: object) -> set[str]:
    found = survey(select(Facts(stack=str(root), **facts)))  # type: ignore[arg-type]
    return {member.path.removeprefix(f"{root}/") for member in found.members if Path(member.path).is_file()}


def test_a_mount_inside_a_directory_whose_contents_stay_out_is_taken(tmp_path: Path) -> None:
    root = filled(tmp_path / "stack", "mysql/ibdata1", "mysql/conf.d/my.cnf", "repository/a/b", "no/in/c")
    mounts = (
        mount(root / "mysql", "/var/lib/mysql"),
        mount(root / "mysql/conf.d", "/etc/mysql/conf.d"),
        mount(root / "mysql/not-there", "/nothing"),
        mount(root / "repository/a", "/a"),
        mount(root / "no/in", "/in"),
    )

    found = taken(root, mounts=mounts, own={str(root / "repository"): "our own repository"}, exclude=("no",))

    assert found == {"mysql/conf.d/my.cnf"}


def test_a_name_to_exclude_does_not_mean_the_stack_itself(tmp_path: Path) -> None:
    root = filled(tmp_path / "tracker", "compose.yaml", "storage/tracker/cache")

    assert taken(root, exclude=("tracker*",)) == {"compose.yaml"}


def test_each_link_of_a_chain_that_leads_to_a_mount_is_met(tmp_path: Path) -> None:
    filled(tmp_path / "real", "data/file")
    (tmp_path / "current").symlink_to("real")
    (tmp_path / "stack").symlink_to(tmp_path / "current")

    found = list(links_on_the_way(str(tmp_path / "stack" / "data")))

    assert found == [str(tmp_path / "stack"), str(tmp_path / "current")]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")

    assert {Path(path).name for path in links_on_the_way(str(tmp_path / "one"))} == {"one", "two"}


def test_what_sqlite_keeps_beside_a_database_is_not_taken_as_files(tmp_path: Path) -> None:
    """Put back beside a journal of a later day, a super-journal would undo what was committed."""
    beside = ("tracker.db-journal", "tracker.db-mj96A7EA93B", "tracker.db-shm", "tracker.db-wal")
    others = ("tracker.db-notes", "tracker.db-mj96A7EA93B.txt", "letters.db-mj96A7EA93B")
    root = filled(tmp_path / "stack", *beside, *others)
    (root / "tracker.db").write_bytes(b"SQLite format 3\0" + bytes(4080))

    assert taken(root) == set(others)


def test_what_a_container_does_not_see_is_a_problem_and_what_the_host_has_not_is_none(tmp_path: Path) -> None:
    """On a host Docker has made whatever is mounted; a container of ours sees what was mounted when it was made."""
    root = filled(tmp_path / "stack", "compose.yaml")
    mounts = (mount(tmp_path / "added-later", "/later"), mount(tmp_path / "nowhere", "/nowhere"))
    nowhere = frozenset({str(tmp_path / "nowhere")})

    on_host = survey(select(Facts(stack=str(root), mounts=mounts)))
    inside = survey(select(Facts(stack=str(root), mounts=mounts, in_container=True, absent=nowhere)))

    assert on_host.problems == []
    assert inside.problems == [f"{tmp_path / 'added-later'} cannot be seen in this container: run the role again"]
