from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracker_backup.compose.model import Mount
from tracker_backup.compose.mounts import parse_mount, parse_tmpfs
from tracker_backup.errors import ConfigurationError


def parse(entry: Any) -> Mount:
    return parse_mount(entry, directory=Path("/opt/stack"), home=Path("/home/me"), where="volumes[0]")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("./a:/b", Mount("bind", "/opt/stack/a", "/b")),
        ("./a/:/b/:Z", Mount("bind", "/opt/stack/a", "/b")),
        ("../a:/b:ro", Mount("bind", "/opt/a", "/b", read_only=True)),
        (".:/b:rw,z", Mount("bind", "/opt/stack", "/b")),
        ("/a/../c:/b:z,ro", Mount("bind", "/c", "/b", read_only=True)),
        ("~/a:/b", Mount("bind", "/home/me/a", "/b")),
        ("~:/b", Mount("bind", "/home/me", "/b")),
        ("./with space/ü:/b c", Mount("bind", "/opt/stack/with space/ü", "/b c")),
        ("data:/b", Mount("volume", "data", "/b")),
        ("data:/b:ro", Mount("volume", "data", "/b", read_only=True)),
        ("/b", Mount("volume", "", "/b")),
        ({"type": "bind", "source": "./a", "target": "/b"}, Mount("bind", "/opt/stack/a", "/b")),
        ({"type": "bind", "source": "a", "target": "/b"}, Mount("bind", "/opt/stack/a", "/b")),
        (
            {"type": "bind", "source": "/a:b", "target": "/b", "read_only": True, "bind": {"create_host_path": True}},
            Mount("bind", "/a:b", "/b", read_only=True),
        ),
        ({"type": "volume", "source": "data", "target": "/b"}, Mount("volume", "data", "/b")),
        ({"type": "tmpfs", "target": "/b", "tmpfs": {"size": "1g"}}, Mount("tmpfs", "", "/b")),
        ({"type": "image", "source": "x", "target": "/b"}, Mount("other", "x", "/b")),
    ],
)
def test_reads_short_and_long_syntax(entry: Any, expected: Mount) -> None:
    assert parse(entry) == expected


def test_reads_tmpfs_entries() -> None:
    assert parse_tmpfs("/run:size=64m", where="tmpfs") == Mount("tmpfs", "", "/run")


@pytest.mark.parametrize(
    "entry",
    ["", ":/b", "./a:", "./a:b", "a:/b:ro:x", 5, None, ["./a:/b"], {"type": "bind", "target": "/b"}, {"source": "./a"}],
)
def test_what_cannot_be_read_is_an_error_that_names_the_place(entry: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^volumes\[0\]: "):
        parse(entry)
