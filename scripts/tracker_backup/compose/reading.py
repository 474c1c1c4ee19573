"""Read a stack's text files; the only module of this package that touches the file system."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from tracker_backup.containers.inventory import VolumeFacts
from tracker_backup.errors import ConfigurationError

DOCKER_CONFIGURATION = Path("/etc/docker/daemon.json")
DOCKER_ROOT = Path("/var/lib/docker")
"""Where Docker keeps its data when its configuration names no other place."""
MAX_BYTES = 4 * 1024 * 1024
"""No Compose, .env or TOML file is near this; what is larger is something else."""


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file.

    Raises ConfigurationError when it is missing, unreadable, no regular file, too large, or not UTF-8.
    """
    text = read_text_if_there(path)
    if text is None:
        raise ConfigurationError(f"{path} does not exist")
    return text


def read_text_if_there(path: Path) -> str | None:
    """Return the text of a UTF-8 file, or None when there is no such file.

    Raises ConfigurationError for everything else that keeps it from being read.
    """
    try:
        content = _read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise ConfigurationError(
            f"{path} cannot be read: permission denied", hint="run the same command as root (sudo)"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL character in it
        raise ConfigurationError(f"{str(path)!r} cannot be the path of a file") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Without its cause: the decoder's error carries the whole content.
        raise ConfigurationError(f"{path}, line {line}: not UTF-8 text") from None


def exists(path: Path) -> bool:
    """Tell whether there is something at a path; what cannot be looked at counts as there, and is told when read."""
    try:
        os.stat(path)  # noqa: PTH116 - Path.exists() takes what cannot be looked at for missing
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True


def volumes_directory() -> Path:
    """Return where Docker keeps its volumes, as its configuration has it: for when it cannot be asked itself.

    Raises ConfigurationError when the configuration is there and cannot be read.
    """
    text = read_text_if_there(DOCKER_CONFIGURATION)
    try:
        given = json.loads(text) if text and text.strip() else {}
        root = given.get("data-root") or given.get("graph") or str(DOCKER_ROOT)
        return Path(root) / "volumes"
    except (ValueError, TypeError, AttributeError):
        raise ConfigurationError(f"{DOCKER_CONFIGURATION}: not the JSON that Docker reads", hint="correct it") from None


def volume_on_disk(directory: Path, name: str) -> VolumeFacts | None:
    """Return what Docker's own directory of volumes says of one, None when it is not there.

    Raises ConfigurationError when that cannot be read.
    """
    if not exists(directory / name / "_data"):
        return None
    text = read_text_if_there(directory / name / "opts.json")
    try:
        given = json.loads(text) if text else {}
        named = {"type": "MountType", "o": "MountOpts", "device": "MountDevice"}
        options = {option: str(given[key]) for option, key in named.items() if given.get(key)}
    except (ValueError, TypeError, AttributeError):
        raise ConfigurationError(f"{directory / name / 'opts.json'} cannot be understood") from None
    return VolumeFacts(name, "local", str(directory / name / "_data"), options)


def list_names(directory: Path) -> frozenset[str]:
    """Return the names in a directory.

    Raises ConfigurationError when it is missing, no directory, or not readable.
    """
    hint = "`stack:` in the configuration (tracker_backup_stack_dir for the role) must name the Compose project"
    try:
        return frozenset(path.name for path in directory.iterdir())
    except FileNotFoundError as error:
        raise ConfigurationError(f"the stack directory {directory} does not exist", hint=hint) from error
    except NotADirectoryError as error:
        raise ConfigurationError(f"the stack {directory} is not a directory", hint=hint) from error
    except OSError as error:
        raise ConfigurationError(
            f"the stack directory {directory} cannot be read: {error.strerror}",
            hint="run the same command as root (sudo)",
        ) from error


def _read_bytes(path: Path) -> bytes:
    # O_NONBLOCK: a FIFO in a file's place must not hold the run up for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
            raise ConfigurationError(f"{path} is {kind}, not a text file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"{path} is larger than {MAX_BYTES // 1024 // 1024} MiB: not a configuration file")
    return content
