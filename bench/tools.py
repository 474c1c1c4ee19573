"""The contenders' programs: which are there, in which version, and their installation, on request only."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.settings import ROOT

REQUIREMENTS = ROOT / "requirements-bench.txt"
PACKAGES = ROOT / "tools" / "packages-bench.txt"
_VERSIONS = {
    "sqlite3": ("sqlite3", "--version"),
    "zstd": ("zstd", "--version"),
    "gzip": ("gzip", "--version"),
    "cp": ("cp", "--version"),
    "borg": ("borg", "--version"),
    "restic": ("restic", "version"),
    "mydumper": ("mydumper", "--version"),
}


def tools_directory(directory: Path) -> Path:
    """Return the virtual environment of the benchmark's own."""
    return directory / "tools"


def borgmatic(directory: Path) -> tuple[str, ...]:
    """Return the command borgmatic."""
    return (str(tools_directory(directory) / "bin" / "borgmatic"),)


def first_missing(names: Iterable[str], directory: Path) -> str | None:
    """Return the first of these programs that is not installed, None when all are."""
    for name in names:
        found = Path(borgmatic(directory)[0]).exists() if name == "borgmatic" else shutil.which(name)
        if not found:
            return name
    return None


def install(directory: Path) -> None:
    """Install what contenders need, and say what; as root, since some are Debian packages."""
    print(
        f"installing what {PACKAGES.relative_to(ROOT)} lists, and {REQUIREMENTS.name} into {tools_directory(directory)}"
    )
    subprocess.run([ROOT / "tools" / "system.sh", PACKAGES], check=True)
    place = tools_directory(directory)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)


def versions(directory: Path) -> dict[str, str]:
    """Return the versions of the programs that are installed, by name."""
    found = {"python": sys.version.split()[0]}
    commands = {**_VERSIONS, "borgmatic": (*borgmatic(directory), "--version")}
    for name, command in commands.items():
        if first_missing([name], directory) is None:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            version = re.search(r"\d+(\.\d+)+", done.stdout)
            found[name] = version[0] if version else "?"
    return found
