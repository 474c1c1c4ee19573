"""Call restic or borg: at low priority, never longer than we live, with its secrets where nobody else looks."""

from __future__ import annotations

import contextlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.copies.interface import LOOK_SECONDS, without_password
from tracker_backup.errors import ConfigurationError, CopyError, DeadlineError
from tracker_backup.system.signals import time_limit
from tracker_backup.system.stream import Child, describe_exit
from tracker_backup.system.text import on_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tracker_backup.config.model import CopySettings, Keep

_BLOCK_BYTES = 1024 * 1024
_MOST_ANSWER_BYTES = 64 * 1024 * 1024
"""An answer longer than this is no list of copies."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OTHERS_BITS = 0o077


@dataclass(frozen=True)
class Complaint:
    """What a program says in a certain case, and what can be done about it."""

    pattern: str
    hint: str


def complaints(settings: CopySettings, making: str, *, refused: str, missing: str, locked: str) -> list[Complaint]:
    """Return what both programs complain of, each in its own words; what ssh says is the same for both."""
    password = f"{settings.password_file} does not hold the password that the repository was made with"
    host_key = "put the host's key, once you have seen that it is the right one, into ssh_known_hosts"
    return [
        Complaint(refused, password),
        Complaint(missing, f"look at the address; if there is to be a new repository: {making}"),
        Complaint(locked, "another host is at work there, or has died there"),
        Complaint("Host key verification failed", host_key),
        Complaint("Permission denied", "may this user log in there, and write there? try it by hand, with ssh"),
    ]


def rules(keep: Keep) -> list[str]:
    """Return a policy as the options of either program, which have our words for it."""
    return [word for rule, number in vars(keep).items() if number for word in (f"--keep-{rule}", str(number))]


class Program:
    """One of the programs, with the environment that names a repository."""

    def __init__(
        self, name: str, settings: CopySettings, environment: Mapping[str, str], complaints: Sequence[Complaint]
    ) -> None:
        """Keep what every call needs; the first of the `complaints` that fits what it says gives an error's hint."""
        self._name = name
        self._settings = settings
        self._environment = environment
        self._complaints = complaints

    def answer(self, *arguments: str) -> str:
        """Return what a call prints.

        Raises CopyError unless it ends well.
        """
        parts: list[bytes] = []
        self.read(arguments, parts.append, most_bytes=_MOST_ANSWER_BYTES)
        return b"".join(parts).decode(errors="replace")

    def works(self, *arguments: str) -> bool:
        """Return whether a call ends well, whatever it says."""
        with self._child(arguments) as child:
            child.stdin.close()
            while child.stdout.read(_BLOCK_BYTES):
                pass
            return child.end() == 0

    def read(self, arguments: Sequence[str], sink: Callable[[bytes], None], *, most_bytes: int | None = None) -> None:
        """Give what a call prints to `sink`, in parts.

        Raises CopyError unless it ends well: what was given until then is not all.
        """
        given = 0
        with self._child(arguments) as child:
            child.stdin.close()  # whatever it would ask, nobody answers
            try:
                while part := child.stdout.read(_BLOCK_BYTES):
                    given += len(part)
                    if most_bytes is not None and given > most_bytes:
                        raise CopyError(f"{self._name} says more than {most_bytes} bytes, which is no answer")
                    sink(part)
                code = child.end()
            except DeadlineError as error:
                child.kill()  # it may have tried again and again, and has said why
                raise self._error(arguments, error.message, child.stderr_text()) from error
            if code != 0:
                raise self._error(arguments, describe_exit(code), child.stderr_text())

    @contextmanager
    def understanding(self) -> Iterator[None]:
        """Raise CopyError where an answer is not what the program's documentation says."""
        try:
            yield
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise CopyError(
                f"copy {self._settings.name}: what {self._name} says cannot be understood: {type(error).__name__}",
                hint="is this a version of it that came after this program? docs/offsite.md says what was tried",
            ) from error

    @contextmanager
    def clearing_up(self) -> Iterator[None]:
        """Give clearing up after a failure a time of its own; that it failed, too, must not hide the first one."""
        with contextlib.suppress(CopyError, DeadlineError), time_limit(LOOK_SECONDS, "clearing up"):
            yield

    def _child(self, arguments: Sequence[str]) -> Child:
        return Child([self._name, *arguments], low_priority=True, dies_with_us=True, env=self._environment)

    def _error(self, arguments: Sequence[str], end: str, said: str) -> CopyError:
        lines = [line for line in said.splitlines() if line.strip()][-4:]
        words = without_password(on_one_line(" / ".join(lines)))[:600] or "it said nothing"
        verb = next((word for word in arguments if not word.startswith("-")), "")
        hint = next((each.hint for each in self._complaints if re.search(each.pattern, said)), None)
        return CopyError(f"copy {self._settings.name}: {self._name} {verb}: {end}: {words}", hint=hint)


def read_environment(path: Path | None) -> dict[str, str]:
    """Return the variables of an environment file: lines `NAME=VALUE`, empty ones and comments aside.

    Raises ConfigurationError where others may read it, or where a line is none of these.
    """
    if path is None:
        return {}
    require_private(path)
    variables = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or "\0" in value or not _NAME.fullmatch(name.strip()):
            raise ConfigurationError(
                f"{path}, line {number} is not NAME=VALUE", hint="what it says is not shown: it may be a secret"
            )
        variables[name.strip()] = value.strip()
    return variables


def require_private(path: Path) -> None:
    """Raise ConfigurationError where a file with a secret is missing, or where others may read it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is not there", hint="it holds a secret that the copy needs: docs/offsite.md says how to make it"
        ) from None
    if status.st_mode & _OTHERS_BITS:
        raise ConfigurationError(f"others can read {path}, which holds a secret", hint=f"sudo chmod 600 {path}")
