"""What a configuration says of who hears of runs: the addresses of notifications, and whom cron mails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracker_backup.config.model import NotificationSettings, ScheduleSettings

DEFAULT_WHEN = "recovery"


def mail_errors(schedule: Any) -> list[str]:
    """Refuse a variable in a table that is not all ours: it would count for everybody's lines below."""
    if not isinstance(schedule, dict) or "mailto" not in schedule or schedule.get("target", "cron.d") == "cron.d":
        return []
    return ["schedule.mailto: it goes with the target cron.d only; set MAILTO in the table yourself, above our lines"]


def schedule_settings(schedule: dict[str, Any]) -> ScheduleSettings:
    """Return where the crontab entries go, once that was found free of errors."""
    return ScheduleSettings(
        target=schedule.get("target", "cron.d"),
        user=schedule.get("user", "root"),
        command=Path(schedule.get("command", "/usr/local/bin/tracker-backup")),
        mailto=schedule.get("mailto"),
    )


def notification_settings(settings: dict[str, Any] | None) -> NotificationSettings | None:
    """Return who is told through Apprise, None where nobody is."""
    if settings is None:
        return None
    return NotificationSettings(Path(settings["urls_file"]), settings.get("when", DEFAULT_WHEN))
