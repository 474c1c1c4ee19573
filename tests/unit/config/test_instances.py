"""What two instances of one host cannot share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.instance import Instance
from tracker_backup.config.instances import between, conflicts, doubles, require_no_conflict
from tracker_backup.config.load import DIRECTORY_VARIABLE, build_config
from tracker_backup.errors import ConfigurationError


def said(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return what is wrong between two, whichever is asked, without their differing words."""
    first, second = (
        build_config(
            {"stack": f"/opt/{name}", "repository": f"/backups/{name}", **document}, Path(f"/etc/x/{name}.yml")
        )
        for name, document in (("north", one), ("south", other))
    )
    told = [problem.partition(":")[0] for problem in between(first, second)]
    assert bool(told) == bool(list(between(second, first)))
    return told


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({}, {}, []),
        ({"stack": "/opt/south"}, {}, []),
        ({"staging": "/scratch"}, {"staging": "/scratch"}, []),
        ({"repository": "/backups/south"}, {}, ["repository"]),
        ({"repository": "/backups/south/x"}, {}, ["repository"]),
        ({"repository": "/backups/x/../south/"}, {}, ["repository"]),
        ({"state_directory": "/var/lib/tracker-backup/south"}, {}, ["state_directory"]),
        ({"staging": "/backups/south"}, {}, ["staging"]),
        ({"staging": "/backups/south/.staging"}, {}, ["staging"]),
        ({"stack": "/backups/south/stack"}, {}, ["stack"]),
        ({"repository": "/opt/south/backups"}, {}, ["repository"]),
        ({"repository": "/backups/southern"}, {}, []),
    ],
)
def test_what_is_refused(one: dict[str, Any], other: dict[str, Any], expected: list[str]) -> None:
    assert said(one, other) == expected


def test_links_lead_to_the_same_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert said({"repository": str(tmp_path / "real")}, {"repository": str(tmp_path / "link")}) == ["repository"]


def test_others_are_found_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    north, south = Instance(tmp_path, "north"), Instance(tmp_path, "south")
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(north.etc))
    config = north.configure()
    south.configure()
    assert list(conflicts(config)) == []

    south.configure(repository=str(north.path))

    with pytest.raises(ConfigurationError, match=r"(?s)repository: .*that of south, are not apart.*south.yml"):
        require_no_conflict(config)
    south.file.write_text("stack: [", encoding="utf-8")
    assert list(conflicts(config)) == [], "what cannot be read claims nothing"


@pytest.mark.parametrize(
    ("mine", "theirs", "twice"),
    [
        (None, None, True),
        (["a"], None, True),
        (["a"], ["a", "b"], True),
        (["a"], ["b"], False),
    ],
)
def test_two_that_back_up_one_stack_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: list[str] | None, theirs: list[str] | None, twice: bool
) -> None:
    north, south = Instance(tmp_path, "north"), Instance(tmp_path, "south")
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(north.etc))

    def sources(names: list[str] | None) -> list[dict[str, str]] | None:
        return None if names is None else [{"name": n, "type": "sqlite", "path": f"/opt/{n}.db"} for n in names]

    config = north.configure(stack="/opt/torrust", sources=sources(mine))
    south.configure(stack="/opt/torrust/", sources=sources(theirs))

    assert [text.split(" (")[0] for text in doubles(config)] == [
        "instance south backs up the stack /opt/torrust, too"
    ] * twice
    assert list(conflicts(config)) == []
