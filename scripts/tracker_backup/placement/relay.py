"""Pass on what is written to a log, from now on, to a container's output; to the last line, which `tail` would not."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Self

from tracker_backup.system.signals import start_undisturbed

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_LOOK_EVERY_SECONDS = 0.5
_BLOCK_BYTES = 64 * 1024


class Relay:
    """A thread that follows a file by its name, for as long as the `with` block lasts, through rotations too."""

    def __init__(self, path: Path, output: int = 1) -> None:
        """Name the file, which may come later, and the descriptor that is written to."""
        self._path = path
        self._output = output
        self._file: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        """Start at the file's present end."""
        self._open()
        if self._file is not None:
            os.lseek(self._file, 0, os.SEEK_END)
        start_undisturbed(self._thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pass on what is there by now, and end."""
        self._over.set()
        self._thread.join(timeout=10 * _LOOK_EVERY_SECONDS)  # an output that nobody reads must not keep us

    def _follow(self) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            while not self._over.wait(_LOOK_EVERY_SECONDS):
                self._pass_on()
                if self._is_replaced():
                    self._pass_on()  # what came between the two looks
                    self._open()
            self._pass_on()
        if self._file is not None:
            os.close(self._file)

    def _open(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None
        with contextlib.suppress(OSError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def _is_replaced(self) -> bool:
        """Return whether another file has the name now, or this one was cut off."""
        try:
            now = self._path.stat()
        except OSError:
            return False  # a rotation under way
        if self._file is None:
            return True
        return not os.path.samestat(now, os.fstat(self._file)) or now.st_size < os.lseek(self._file, 0, os.SEEK_CUR)

    def _pass_on(self) -> None:
        while self._file is not None and (block := os.read(self._file, _BLOCK_BYTES)):
            while block:
                block = block[os.write(self._output, block) :]
