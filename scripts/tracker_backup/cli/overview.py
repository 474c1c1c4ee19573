"""discover and doctor."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tracker_backup.cli.context import load, say
from tracker_backup.system.space import format_bytes
from tracker_backup.system.text import on_one_line, visible

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.health.finding import Finding


def discover(arguments: Namespace) -> int:
    """Print the sources and why they are ones; exit 2 when one of them cannot be backed up."""
    from tracker_backup.run.resolve import describe_sources

    described = describe_sources(load(arguments))
    if arguments.json:
        say(json.dumps(described.sources, indent=2))
    else:
        for source in described.sources:
            say(on_one_line(f"{source['name']}  {source['type']}  {source.get('path') or source.get('schema')}"))
            for line in (source["why"], *_server_lines(source), *_files_lines(source)):
                say(f"    {on_one_line(line)}")
        for note in described.notes:
            say(f"note: {on_one_line(note)}")
    sys.stdout.flush()
    if described.problem is not None:
        raise described.problem
    return 0


def doctor(arguments: Namespace) -> int:
    """Print what would go wrong tonight; exit 1 when something would."""
    from tracker_backup.health.doctor import examine
    from tracker_backup.health.finding import FAIL

    findings = examine(load(arguments))
    if arguments.json:
        say(json.dumps([finding.to_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            if not (arguments.quiet and finding.level == "ok"):
                _print_finding(finding)
    return 1 if any(finding.level == FAIL for finding in findings) else 0


def _server_lines(source: dict[str, Any]) -> list[str]:
    """Return how a schema's server is reached, and what was passed over or is in the way, a line each."""
    lines = [f"reached by {source['reach']}"] if "reach" in source else []
    lines += [f"passed over: {reason}" for reason in source.get("passed_over", ())]
    return lines + [f"problem: {line}" for line in source.get("problem", "").splitlines()]


def _files_lines(source: dict[str, Any]) -> list[str]:
    """Return what of a stack's files is in and what is out, a line each; nothing for another source."""
    if "in" not in source:
        return []
    lines = [f"in: {source['count']} files and directories with {format_bytes(source['bytes'])} of contents"]
    lines += [f"  {root['path']}: {root['why']}" for root in source["in"]]
    lines += [
        f"  {database['path']}: {format_bytes(database['bytes'])}, a SQLite database, copied as one"
        for database in source["databases"]
    ]
    lines += ["out:"] if source["out"] else []
    lines += [f"  {left['path']}: {left['reason']}" for left in source["out"]]
    more = source["out_count"] - len(source["out"])
    lines += [f"  and {more} more"] if more else []
    return [*lines, *(f"cannot be read: {problem}" for problem in source["unreadable"])]


def _print_finding(finding: Finding) -> None:
    say(visible(f"{finding.level.upper():<5} {finding.what}", indented="      "))
    if finding.remedy:
        say(visible(f"      {finding.remedy}", indented="      "))
