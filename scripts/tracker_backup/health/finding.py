"""What the doctor finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `level` is ok, warn or fail, `pause_seconds` how long a service will be frozen."""

    level: str
    what: str
    remedy: str = ""
    pause_seconds: float = 0.0

    def to_json(self) -> dict[str, str | float]:
        """Return it as `doctor --json` shows it."""
        return asdict(self)
