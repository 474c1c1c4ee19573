"""An instance whose scheduled runs are told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.instance import Instance


class Telling(Instance):
    """An instance with addresses that are told."""

    @property
    def urls(self) -> Path:
        return self.base / "default.urls"

    def tell(self, *urls: str, when: str = "recovery", mode: int = 0o600, **changes: Any) -> None:
        """Configure who is told, and of what."""
        self.urls.write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
        self.urls.chmod(mode)
        self.configure(notifications={"urls_file": str(self.urls), "when": when}, **changes)

    def night(self, *, good: bool) -> int:
        """Run the job as cron does, with its database or without it, and return the exit code."""
        if good != self.database.exists():
            self.build() if good else self.database.unlink()
        done = self.run("--now", "--quiet")
        assert (done.stderr == "") == good, done.stderr
        return done.returncode

    def complaints(self) -> list[str]:
        """Return what status.json says of notifications."""
        reasons = [reason["text"] for reason in self.status()["reasons"] if reason["level"] == "WARNING"]
        return [text for text in reasons if text.startswith("notifications do not arrive")]
