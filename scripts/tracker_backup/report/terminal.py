"""Progress bars on a terminal, with rate and time left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from tracker_backup.system.space import format_bytes
from tracker_backup.system.text import visible

if TYPE_CHECKING:
    from rich.progress import Task, TaskID


class _Amount(ProgressColumn):
    """How much is done, how fast, how long it will take; nothing for a phase that does not move bytes."""

    def render(self, task: Task) -> Text:
        """Return the words behind a bar."""
        if not task.fields["moves_bytes"]:
            return Text("")
        words = [f"{format_bytes(task.completed)}/{format_bytes(task.total or 0)}"]
        rate = task.finished_speed if task.finished else task.speed
        if rate:
            words.append(f"{format_bytes(rate)}/s")
        if task.time_remaining and not task.finished:
            words.append(f"{task.time_remaining:.0f} s left")
        return Text(" ".join(words), no_wrap=True)


class TerminalReporter:
    """Draws a bar for each phase on stderr."""

    def __init__(self) -> None:
        """Begin to draw."""
        self._console = Console(stderr=True)
        self._task: TaskID | None = None
        self._progress = self._bars()

    def phase(self, name: str, source: str | None = None) -> None:
        """Fill the bar of the phase before, and begin another."""
        self._fill()
        self._progress.start()
        self._task = self._progress.add_task(f"{name} {source}" if source else name, total=None, moves_bytes=False)

    def ended(self, seconds: float) -> None:
        """Pass over: the bar is filled when the next phase begins."""

    def progress(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total, moves_bytes=True)

    def note(self, text: str) -> None:
        """Print above the bars."""
        self._console.print(f"note: {visible(text, indented='  ')}", markup=False, highlight=False)

    def warn(self, text: str) -> None:
        """Print above the bars."""
        self._console.print(f"warning: {visible(text, indented='  ')}", style="yellow", markup=False, highlight=False)

    def hold(self) -> None:
        """Leave the bars as they are; the next phase begins below what is written meanwhile."""
        self.close()
        self._progress = self._bars()

    def close(self) -> None:
        """Stop drawing and leave the bars as they are."""
        self._fill()
        self._progress.stop()

    def _bars(self) -> Progress:
        return Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=10),
            TimeElapsedColumn(),
            _Amount(),
            console=self._console,
        )

    def _fill(self) -> None:
        if self._task is None:
            return
        task = self._progress.tasks[-1]
        total = task.total or task.completed or 1
        self._progress.update(self._task, completed=total, total=total)
        self._task = None
