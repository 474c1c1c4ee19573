"""A docker program of the tests' own: it keeps the state of each container in a file, and fails when it is told to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FAKE = """\
#!/bin/sh
cd {directory} || exit 99
printf '%s %s\\n' "$1" "$(eval echo \\${{$#}})" >> calls
test ! -e hang-$1 || {{ : > hanging; while test -e hang-$1; do sleep 0.02; done; }}
if test -e broken-$1; then cat broken-$1 >&2; exit 1; fi
for last; do :; done
test -e container-$last || {{ echo "Error response from daemon: No such container: $last" >&2; exit 1; }}
state=$(cat container-$last)
case $1 in
pause)
    test $state != paused || {{ echo "Container $last is already paused" >&2; exit 1; }}
    echo paused > container-$last ;;
unpause)
    test $state = paused || {{ echo "Container $last is not paused" >&2; exit 1; }}
    echo running > container-$last ;;
inspect)
    case "$*" in *Paused*) test $state = paused && echo true || echo false ;; *) echo $state ;; esac ;;
esac
"""


class FakeDocker:
    """The program and what it knows."""

    def __init__(self, directory: Path) -> None:
        """Make it."""
        self.directory = directory
        self.path = directory / "docker"
        self.path.write_text(FAKE.format(directory=directory))
        self.path.chmod(0o755)

    def add(self, name: str, state: str = "running") -> None:
        """Let there be a container."""
        (self.directory / f"container-{name}").write_text(f"{state}\n")

    def remove(self, name: str) -> None:
        """Remove a container."""
        (self.directory / f"container-{name}").unlink()

    def state(self, name: str) -> str:
        """Return a container's state."""
        return (self.directory / f"container-{name}").read_text().strip()

    def calls(self) -> list[str]:
        """Return what was asked for, such as `pause one`."""
        file = self.directory / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def fail(self, command: str, complaint: str = "Cannot connect to the Docker daemon") -> None:
        """Let a command fail from now on."""
        (self.directory / f"broken-{command}").write_text(complaint)

    def mend(self, command: str) -> None:
        """Let a command work again."""
        (self.directory / f"broken-{command}").unlink()

    def hang(self, command: str) -> None:
        """Let a command stand still from now on."""
        (self.directory / f"hang-{command}").touch()

    def go_on(self, command: str) -> None:
        """Let a command that stands still go on."""
        (self.directory / f"hang-{command}").unlink()

    @property
    def hangs(self) -> bool:
        """Whether a command has been standing still."""
        return (self.directory / "hanging").exists()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    """Return a docker program that the package takes for the real one, with a container `one` that runs."""
    directory = tmp_path / "docker-fake"
    directory.mkdir()
    made = FakeDocker(directory)
    made.add("one")
    for name in ("tracker_backup.containers.docker", "tracker_backup.containers.pause"):
        __import__(name)
        monkeypatch.setattr(sys.modules[name], "docker_program", lambda: str(made.path))
    return made
