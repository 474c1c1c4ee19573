"""How the program's package travels: what belongs to it, the archive, and putting it in place."""

from __future__ import annotations

import base64
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from role.playing import ROLE, ROOT, snapshot

PACKAGE = ROOT / "scripts/tracker_backup"


def load_module() -> ModuleType:
    specification = importlib.util.spec_from_file_location("role_package", ROLE / "files/package.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


package = load_module()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a small package."""
    directory = tmp_path / "source"
    (directory / "inner/__pycache__").mkdir(parents=True)
    (directory / "__main__.py").write_text("import time\ntime.sleep(60)\n")
    (directory / "inner/module.py").write_text("VALUE = 1\n")
    (directory / "inner/schema.json").write_text("{}\n")
    (directory / "inner/__pycache__/module.cpython-311.pyc").write_bytes(b"compiled")
    (directory / "inner/notes.txt").write_text("not the program\n")
    return directory


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return an empty directory of versions."""
    directory = tmp_path / "library"
    directory.mkdir()
    return directory


def deploy(source: Path, library: Path) -> str:
    """Send a package and put it in place as the role does; return its digest."""
    digest = str(package.describe(source)["digest"])
    package.unpack(library, digest, send(source, library))
    return digest


def send(source: Path, library: Path) -> Path:
    """Copy a package's archive to the host as the role does; return the file."""
    sent = library / ".default.archive"
    sent.write_bytes(base64.b64encode(package.archive(source)))
    return sent


def test_what_is_deployed_is_what_git_has() -> None:
    """Nothing of the program stays behind, and nothing else goes along."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PACKAGE,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()

    assert list(package.package_files(PACKAGE)) == sorted(listed, key=Path)


def test_archive_depends_on_names_and_contents_alone(source: Path) -> None:
    before = package.archive(source)
    os.utime(source / "__main__.py", (1, 1))
    (source / "__main__.py").chmod(0o600)

    assert package.archive(source) == before
    (source / "inner/module.py").write_text("VALUE = 2\n")
    assert package.archive(source) != before


def test_a_directory_without_main_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no __main__"):
        package.describe(tmp_path)


def test_version_is_put_behind_the_link(source: Path, library: Path) -> None:
    digest = deploy(source, library)

    assert snapshot(library) == {
        "current": digest,
        f"{digest}/tracker_backup/__main__.py": b"import time\ntime.sleep(60)\n".hex(),
        f"{digest}/tracker_backup/inner/module.py": b"VALUE = 1\n".hex(),
        f"{digest}/tracker_backup/inner/schema.json": b"{}\n".hex(),
    }


def test_what_was_changed_on_the_host_is_healed(source: Path, library: Path) -> None:
    digest = deploy(source, library)
    sound = snapshot(library)
    deployed = library / digest / "tracker_backup"
    (deployed / "__main__.py").write_text("changed\n")
    (deployed / "inner/module.py").unlink()
    (deployed / "copy.py").write_text("added\n")

    assert deploy(source, library) == digest
    assert snapshot(library) == sound


def test_the_version_before_is_kept_and_older_ones_go(source: Path, library: Path) -> None:
    digests = []
    for number in range(3):
        (source / "inner/module.py").write_text(f"VALUE = {number}\n")
        digests.append(deploy(source, library))

    assert {path.name for path in library.iterdir()} == {"current", *digests[1:]}
    assert (library / "current").readlink() == Path(digests[2])


def test_a_version_that_a_process_runs_is_kept(source: Path, library: Path) -> None:
    """A run of hours may see two deployments; its modules are imported when they are needed."""
    first = deploy(source, library)
    with subprocess.Popen([sys.executable, "-I", library / first / "tracker_backup"]) as running:
        try:
            for number in (2, 3):
                (source / "inner/module.py").write_text(f"VALUE = {number}\n")
                deploy(source, library)
            kept = (library / first).exists()
        finally:
            running.kill()
    (source / "inner/module.py").write_text("VALUE = 4\n")
    deploy(source, library)

    assert kept
    assert not (library / first).exists()


def test_an_archive_that_arrives_damaged_changes_nothing(source: Path, library: Path) -> None:
    deploy(source, library)
    sound = snapshot(library)
    (source / "inner/module.py").write_text("VALUE = 2\n")
    digest = str(package.describe(source)["digest"])
    (source / "inner/module.py").write_text("VALUE = 3\n")

    with pytest.raises(SystemExit, match="arrived with digest"):
        package.unpack(library, digest, send(source, library))

    assert {name: text for name, text in snapshot(library).items() if not name.startswith(".")} == sound


def test_interrupted_deployments_leave_nothing_for_good(source: Path, library: Path) -> None:
    (library / ".0123456789abcdef.new/tracker_backup").mkdir(parents=True)

    digest = deploy(source, library)

    assert {path.name for path in library.iterdir()} == {"current", digest}
