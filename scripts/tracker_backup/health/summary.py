"""How a run ended, in a sentence: for the log, the status, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.health.runs import until_accepted
from tracker_backup.run.sizes import drop_words
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from tracker_backup.config.model import Config
    from tracker_backup.run.outcome import Outcome


def summary(outcome: Outcome, config: Config) -> str:
    """Say in a sentence how a run ended."""
    published = outcome.published
    failures = "; ".join(f"{failure.source}: {failure.message}" for failure in outcome.failures)
    if published is None:
        kept = f"; the damaged copy is in quarantine as {outcome.id}" if outcome.quarantined is not None else ""
        return f"nothing was published: {failures}{kept}"
    sizes = f"{format_bytes(published.raw_bytes)} raw, {format_bytes(published.bytes)} stored"
    said = f"{published.id} {published.state}, {sizes}, {sum(published.seconds.values()):.1f} s"
    if published.doubtful:
        accepting = config.command_line("accept", published.id, sudo=True)
        small = ", ".join(drop_words(artifact) for artifact in published.doubtful)
        said += f"; {small}{until_accepted(accepting)}"
    if outcome.unpruned is not None:
        said += f"; old backups were not deleted: {outcome.unpruned}"
    if outcome.uncopied:
        said += f"; copied elsewhere it is not, or not in order: {'; '.join(outcome.uncopied)}"
    return f"{said}; missing: {failures}" if failures else said
