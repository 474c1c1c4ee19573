"""A dump that was stored: read to its end, and tried on a throw-away server once more, its source gone or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracker_backup.errors import TrackerBackupError
from tracker_backup.sources.interface import CheckResult
from tracker_backup.sources.mysql.check import DumpCheck
from tracker_backup.sources.mysql.checks import DumpChecks
from tracker_backup.sources.mysql.checksums import Sum
from tracker_backup.sources.mysql.facts import Identity
from tracker_backup.sources.mysql.proof import NO_CONTAINER, Evidence, NoProofError, Wanted, require_here
from tracker_backup.sources.mysql.restorecheck import RESTORE, RestoreCheck
from tracker_backup.sources.mysql.trial import Kind, has_image
from tracker_backup.system.files import opened_for_reading

_BLOCK_BYTES = 1024 * 1024
_DIRECTORY = "trial"
_NO_SUMS = "the backup was made without a restore check"


class FileCheck:
    """Checks a dump that lies in a file; `facts` are those of the manifest, as far as they are known.

    With `full` it is loaded into a throw-away server as well, where that can be had.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], *, full: bool) -> None:
        """Keep the path; it is read when the result is wanted."""
        self._path = path
        self._facts = facts
        self._full = full

    def abandon(self) -> None:
        """Nothing runs."""

    def result(self) -> CheckResult:
        """Read the file and say whether it is a whole dump, and that one."""
        checks = self._checks()
        try:
            with (
                opened_for_reading(self._path) as descriptor,
                open(descriptor, "rb", buffering=0, closefd=False) as file,
            ):
                while block := file.read(_BLOCK_BYTES):
                    checks.feed(block)
            return _in_one(*checks.results())
        finally:
            checks.abandon()

    def _checks(self) -> DumpChecks:
        quick = DumpCheck(self._facts.get("rows"), self._facts.get("objects"))
        if not self._full:
            return DumpChecks(quick)
        try:
            evidence = stored_evidence(self._facts, self._path)
        except NoProofError as error:
            return DumpChecks(quick, why_not=error.why)
        return DumpChecks(quick, RestoreCheck(evidence, self._path.parent / _DIRECTORY, str(self._path.parent)))


def stored_evidence(facts: Mapping[str, Any], dump: Path) -> Evidence:
    """Return what the manifest says that the restored schema must be, and the server that takes it here.

    Raises NoProofError when the manifest does not say it, or there is no such server.
    """
    wanted = Wanted.from_json(facts)
    identity = Identity(wanted.kind.flavour, str(facts.get("server")), "")
    kind = _here(wanted.kind)
    no_image = NO_CONTAINER if kind == wanted.kind else f"the image {wanted.kind.image} is not on this host"
    require_here(kind, identity, dump.parent, dump.stat().st_size, no_image=no_image)
    sums = facts.get("trial", {}).get("sums")
    return Evidence(
        kind=kind,
        schema=wanted.schema,
        create=wanted.create,
        inventory=None,
        objects=facts.get("objects"),
        rows=facts["rows"],
        sums=None if sums is None else {table: Sum(*each) for table, each in sums.items()},
        why_not=_NO_SUMS,
    )


def _here(kind: Kind) -> Kind:
    """Return the kind as it can be had here: where the image is gone, a server program will do."""
    try:
        there = kind.image is not None and has_image(kind.image)
    except TrackerBackupError:
        there = False  # no Docker here
    return kind if there else replace(kind, image=None)


def _in_one(quick: CheckResult, restore: CheckResult | None = None) -> CheckResult:
    """Return the check that says most; where the restore could not be tried, the quick one with the reason."""
    if restore is None or quick.ok is False:
        return quick
    if restore.ok is None:
        return replace(quick, messages=(*quick.messages, f"{RESTORE} {'; '.join(restore.messages)}"))
    return restore
