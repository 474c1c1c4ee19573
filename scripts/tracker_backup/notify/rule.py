"""What is worth a notification, and its words. Pure: how a run ended in, a title and a text out, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from tracker_backup.system.text import on_one_line, visible

FAILURE, RECOVERY, ALWAYS = "failure", "recovery", "always"
"""What `notifications.when` says."""

_MOST_CHARACTERS = 2000
"""Of a text: some services take no more, and none tells more than its beginning."""

_ENDINGS = {
    0: "done",
    2: "refused, for its configuration or for want of privilege",
    3: "not all of it, or with something to look at",
    4: "kept waiting by another run",
    5: "a check failed",
}
_PARTIAL, _FIRST_SIGNAL = 3, 129


@dataclass(frozen=True)
class Ended:
    """How a scheduled run ended; `message` is what is logged of it, `finished_at` UTC (RFC 3339)."""

    host: str
    instance: str
    job: str
    finished_at: str
    exit_code: int
    message: str

    @property
    def well(self) -> bool:
        """Whether there is nothing to look at."""
        return self.exit_code == 0


@dataclass(frozen=True)
class Note:
    """What is sent; `kind` is one of Apprise's: success, warning, failure, info."""

    title: str
    body: str
    kind: str


def worth_telling(when: str, *, ended_well: bool, was_bad: bool) -> bool:
    """Return whether the end of a run is told of; `was_bad`: the job's last run that was told of did not end well."""
    if not ended_well:
        return True
    return when == ALWAYS or (when == RECOVERY and was_bad)


def words(ended: Ended, *, was_bad: bool, log: str, status_command: str) -> Note:
    """Return what is sent of a run: where, what, how it ended, the cause, and where to read on."""
    result = _result(ended, was_bad=was_bad)
    facts = (
        f"host: {ended.host}",
        f"instance: {ended.instance}",
        f"job: {ended.job}",
        f"ended: {ended.finished_at}, {_ending(ended.exit_code)} (exit {ended.exit_code})",
    )
    lines = [*map(on_one_line, facts), "", visible(ended.message)]
    next_step = [] if ended.well else ["", on_one_line(f"more: {status_command}"), on_one_line(f"log: {log}")]
    # What a message says first is the cause: of one that is too long the end is left out, never what stands behind it.
    room = _MOST_CHARACTERS - sum(len(line) + 1 for line in next_step)
    body = "\n".join(lines)
    body = body if len(body) <= room else f"{body[: room - 2]} …"
    kind = "success" if ended.well else "warning" if ended.exit_code == _PARTIAL else "failure"
    title = on_one_line(f"tracker-backup on {ended.host}: {ended.instance}, job {ended.job} {result}")
    return Note(title, "\n".join([body, *next_step]), kind)


def _result(ended: Ended, *, was_bad: bool) -> str:
    if not ended.well:
        return "needs a look" if ended.exit_code == _PARTIAL else "FAILED"
    return "works again" if was_bad else "done"


def trial(host: str, instance: str, sent_at: str) -> Note:
    """Return what `notify --test` sends."""
    title = on_one_line(f"tracker-backup on {host}: {instance}, a test")
    facts = map(on_one_line, (f"host: {host}", f"instance: {instance}", f"sent: {sent_at}"))
    return Note(title, "\n".join([*facts, "", "Notifications arrive here."]), "info")


def _ending(exit_code: int) -> str:
    if exit_code >= _FIRST_SIGNAL:
        return "stopped by a signal"
    return _ENDINGS.get(exit_code, "failed, nothing was published")
