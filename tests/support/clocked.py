"""The program under another clock: Debian's libfaketime gives its process whatever time a test wants."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.program import PROGRAM, Installation

_AS_IT_IS = Path(__file__).with_name("as_it_is.py")
_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class ClockedInstallation(Installation):
    """An installation on a host whose clock the test sets; what it does not set goes on as it really does.

    What the kernel notes of files stays in real time, and the monotonic clock is the real one, as on a host whose clock
    is set. The program must not sleep: libfaketime 0.9.10 makes an error of that.
    """

    def __init__(self, directory: Path, **settings: Any) -> None:
        """Make it with the right clock, in UTC."""
        super().__init__(directory, **settings)
        self.zone = "UTC"
        self._clock = directory / "clock"
        self._set("+0")

    def set_clock(self, moment: datetime) -> None:
        """Let it be that moment now, for processes that run already as well."""
        self._set(f"{(moment - datetime.now(UTC)).total_seconds():+.3f}")

    def stop_clock(self, moment: datetime) -> None:
        """Let it be that moment, in UTC, and stay so."""
        assert self.zone == "UTC"
        self._set(f"{moment:%Y-%m-%d %H:%M:%S}")

    def made(self, moment: datetime) -> None:
        """Let repository and configuration have been made then."""
        for file in (self.repository / ".tracker-backup", self.config_directory / "default.yml"):
            os.utime(file, (moment.timestamp(), moment.timestamp()))

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the program, which is to keep that clock."""
        return [str(_AS_IT_IS) if word == str(PROGRAM) else word for word in super().command(*arguments)]

    def environment(self) -> dict[str, str]:
        """Return an environment with that clock."""
        assert _LIBRARIES, "the Debian package faketime is missing"
        return {
            **super().environment(),
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "TZ": self.zone,
        }

    def _set(self, text: str) -> None:
        new = self._clock.with_name("clock.new")
        new.write_text(f"{text}\n", encoding="ascii")
        new.rename(self._clock)
