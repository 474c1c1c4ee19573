"""The shell scripts behind `make dev` and `make system`, on machines that lack this or that."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BASE_TOOLS = ("cat", "cksum", "dirname", "grep", "id", "mktemp", "rm", "sed", "sh")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a directory of programs that stands for a machine with the base system alone."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in BASE_TOOLS:
        (programs / name).symlink_to(shutil.which(name) or name)
    return programs


def add(machine: Path, name: str, script: str) -> None:
    """Put a program on the machine."""
    (machine / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (machine / name).chmod(0o755)


def run(machine: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script on the machine."""
    return subprocess.run(
        ["/bin/sh", *command], env={"PATH": str(machine)}, capture_output=True, text=True, check=False
    )


def test_packages_that_are_there_are_not_installed(machine: Path, checkout: Path) -> None:
    add(machine, "dpkg-query", "echo installed | tr -d '\\n'")
    (machine / "tr").symlink_to(shutil.which("tr") or "tr")

    done = run(machine, checkout / "tools" / "system.sh", "zstd")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_user_is_told_the_command(machine: Path, checkout: Path, tmp_path: Path) -> None:
    add(machine, "dpkg-query", "exit 1")
    (machine / "id").unlink()
    add(machine, "id", "echo 1000")
    (tmp_path / "list.txt").write_text("# for the tests\nzstd   # compression\n\nsqlite3\n", encoding="utf-8")

    done = run(machine, checkout / "tools" / "system.sh", "make", tmp_path / "list.txt", tmp_path / "not-there.txt")

    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends make zstd sqlite3" in done.stderr


def test_root_sees_what_is_installed_and_why_it_failed(machine: Path, checkout: Path) -> None:
    add(machine, "dpkg-query", "exit 1")
    (machine / "id").unlink()
    add(machine, "id", "echo 0")
    add(machine, "apt-get", 'echo "apt-get $*"; [ "$1" = update ] || { echo "no room left"; exit 100; }')

    done = run(machine, checkout / "tools" / "system.sh", "zstd")

    assert done.returncode == 1
    assert "Installing with apt-get: zstd" in done.stdout
    assert "no room left" in done.stderr


def test_another_distribution_is_told_what_is_needed(machine: Path, checkout: Path) -> None:
    done = run(machine, checkout / "tools" / "system.sh", "zstd", "sqlite3")

    assert done.returncode == 0
    assert "zstd sqlite3" in done.stderr


def test_an_interpreter_that_was_named_and_is_too_old_is_refused(machine: Path, checkout: Path) -> None:
    add(machine, "old-python", "exit 1")

    done = subprocess.run(
        ["/bin/sh", checkout / "tools" / "dev.sh"],
        env={"PATH": str(machine), "PYTHON": "old-python"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "No Python >= 3.11" in done.stderr
    assert "old-python" in done.stderr


@pytest.fixture
def copy(checkout: Path, tmp_path: Path) -> Path:
    """Return a checkout with a Python that only notes down which virtual environments it was to make."""
    directory = tmp_path / "checkout"
    shutil.copytree(checkout / "tools", directory / "tools")
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(checkout / name, directory)
    python = directory / "python"
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "  *' venv '*) echo made >>made; mkdir -p .venv/bin; cp python .venv/bin/python ;;\n"
        '  *_base_executable*) echo "$PWD/python" ;;\n'
        "esac\n",
        encoding="utf-8",
    )
    python.chmod(0o755)
    return directory


def make_dev(directory: Path) -> int:
    """Run dev.sh and return how many virtual environments were made so far."""
    subprocess.run(
        ["/bin/sh", "tools/dev.sh"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHON": str(directory / "python")},
        check=True,
        capture_output=True,
    )
    return len((directory / "made").read_text(encoding="utf-8").splitlines())


def test_a_virtual_environment_that_fits_is_left_alone(copy: Path) -> None:
    assert [make_dev(copy), make_dev(copy)] == [1, 1]


def test_a_changed_pin_makes_it_anew(copy: Path) -> None:
    make_dev(copy)
    with (copy / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("another==1.0\n")

    assert make_dev(copy) == 2


def test_one_that_was_not_finished_is_made_anew(copy: Path) -> None:
    make_dev(copy)
    (copy / ".venv" / ".made-from").unlink()

    assert make_dev(copy) == 2


def test_a_checkout_that_was_moved_makes_it_anew(copy: Path) -> None:
    """The scripts in a virtual environment hold its path."""
    make_dev(copy)

    assert make_dev(copy.rename(copy.parent / "moved")) == 2
