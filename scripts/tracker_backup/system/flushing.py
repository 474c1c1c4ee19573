"""Flush a file that grows, beside the writing: neither the disk nor whoever writes waits for the other."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Self

from tracker_backup.system import lastresort
from tracker_backup.system.files import flush, flush_and_drop
from tracker_backup.system.signals import start_undisturbed

if TYPE_CHECKING:
    from types import TracebackType


UNFLUSHED_BYTES = 4 * 1024 * 1024
"""How far whoever writes may be ahead of the disk; more would make the tracker's own flushes wait behind it."""


class Flusher:
    """Writes a file's pages to the disk, in a thread, for as long as the `with` block lasts, and forgets them there.

    When the block has ended well, the whole file is on the disk. The main thread never waits for a disk itself, where
    it would hear no signal.

    At most `most_bytes` of what was announced are not on the disk yet, so that a fast writer fills neither the memory
    nor the queue of a disk that others use as well. Nothing is opened or closed: SQLite's locks may depend on it.
    """

    def __init__(self, descriptor: int, most_bytes: int = UNFLUSHED_BYTES, *, keep_cached: bool = False) -> None:
        """Keep which file, open for writing, how much of it may wait, and whether its pages are wanted again soon."""
        self._descriptor = descriptor
        self._flush_file = flush if keep_cached else flush_and_drop
        self._most_bytes = most_bytes
        self._waiting = 0
        self._over = self._complete = False
        self._error: OSError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._flush, daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        start_undisturbed(self._thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread, after what it is doing; where all went well, once the rest is on the disk too.

        Where something has gone wrong, a disk that does not answer is left alone after a minute.

        Raises OSError when the disk has failed meanwhile, unless something else has.
        """
        with self._changed:
            self._over, self._complete = True, kind is None
            self._changed.notify_all()
        self._thread.join(None if kind is None else lastresort.PATIENCE_SECONDS)
        if kind is None and self._error is not None:
            raise self._error

    def wrote(self, size: int) -> None:
        """Announce that so many bytes more were written, and wait while too many are not on the disk.

        Raises OSError when the disk has failed.
        """
        with self._changed:
            self._waiting += size
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._error is not None or self._waiting <= self._most_bytes)
            if self._error is not None:
                raise self._error

    def _flush(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._waiting > 0)
                over, taken = self._over, self._waiting
            try:
                if over:
                    if self._complete:
                        os.fsync(self._descriptor)
                    return
                self._flush_file(self._descriptor)
            except OSError as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._waiting -= taken
                self._changed.notify_all()
