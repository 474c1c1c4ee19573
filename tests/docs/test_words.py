"""Words that have no place in the project's files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.documents import ROOT, documents

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
EMPTY = re.compile(
    r"\b(simply|obviously|of course|seamless\w*|effortless\w*|blazing\w*|state[- ]of[- ]the[- ]art|"
    r"cutting[- ]edge|robust|powerful|elegant|leverag\w+|world[- ]class|enterprise[- ]grade|"
    r"production[- ]ready|lorem)\b",
    re.IGNORECASE,
)


def kept_files() -> list[Path]:
    """Return the text files that are under version control, or would be, but for this one."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.splitlines() if ROOT / name != Path(__file__)]
    return [path for path in paths if path.is_file() and not path.is_symlink() and b"\0" not in path.read_bytes()]


def test_nothing_is_left_for_later() -> None:
    found = [path for path in kept_files() if UNFINISHED.search(path.read_text(encoding="utf-8"))]

    assert found == []


def test_no_file_knows_where_it_was_written() -> None:
    """A path of the machine that it was made on helps nobody."""
    found = [path for path in kept_files() if str(ROOT) in path.read_text(encoding="utf-8")]

    assert found == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_do_not_praise(document: Path) -> None:
    assert EMPTY.findall(document.read_text(encoding="utf-8")) == []
