"""An S3 server of moto's, which keeps all in memory; installed once, into the cache, as pinned in s3-server.txt."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from support.databases import cache_directory

PINNED = Path(__file__).with_name("s3-server.txt")


def s3_server() -> Path:
    """Return the program; whoever comes first installs it, and others wait."""
    recipe = hashlib.sha256(PINNED.read_bytes() + sys.version.encode()).hexdigest()[:16]
    root = cache_directory().parent / "s3-server"
    root.mkdir(parents=True, exist_ok=True)
    directory = root / recipe
    program = directory / "bin" / "moto_server"
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "whole").exists():
            venv.create(directory, clear=True, with_pip=True)
            pip = [directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--requirement", PINNED], check=True)
            (directory / "whole").touch()
    return program
