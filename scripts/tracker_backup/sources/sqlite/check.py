"""SQLite's own check of a copy, in a child process."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from tracker_backup.sources.interface import CheckResult
from tracker_backup.system.stream import Child, describe_exit

_CHILD = Path(__file__).with_name("check_child.py")


class SqliteCheck:
    """A running quick_check or integrity_check (https://www.sqlite.org/pragma.html#pragma_integrity_check)."""

    def __init__(self, path: Path, *, full: bool, low_priority: bool) -> None:
        """Start the check of a file that nobody else uses."""
        self._pragma = "integrity_check" if full else "quick_check"
        self._began = time.monotonic()
        argv = [sys.executable, "-I", str(_CHILD), str(path), self._pragma]
        self._child = Child(argv, low_priority=low_priority)

    def abandon(self) -> None:
        """End the check, whatever it is doing."""
        self._child.__exit__(None, None, None)

    def result(self) -> CheckResult:
        """Wait for the end of the check.

        A check that dies is a check that failed: the copy, or the disk under it, made it die.
        """
        with self._child as child:
            said = child.stdout.read()
            code = child.finish()
            seconds = time.monotonic() - self._began
            if code != 0:
                message = f"the check {describe_exit(code)}: {child.last_words()}"
                return CheckResult(self._pragma, ok=False, seconds=seconds, messages=(message,))
        return self._judge(json.loads(said), seconds)

    def _judge(self, found: dict[str, Any], seconds: float) -> CheckResult:
        facts = {key: found[key] for key in ("library", "tables", "empty_tables")}
        messages = tuple(found["messages"])
        if found["unverifiable"]:
            return CheckResult(self._pragma, None, seconds, (found["unverifiable"],), facts)
        sound = messages == ("ok",)
        if sound and found["tables"] == []:
            return CheckResult(self._pragma, None, seconds, ("the database has no table",), facts)
        if sound and found["newer_schema"]:
            messages = (f"ok; its schema needs a newer SQLite than {found['library']} and was not parsed",)
        return CheckResult(self._pragma, sound, seconds, messages, facts)
