"""An instance below a directory of the test's own, and the program run on it as a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from support.tracker_standin import build_database
from tracker_backup.config.load import load_config
from tracker_backup.config.model import Config
from tracker_backup.repository.manifest import Artifact, Manifest, encode_manifest
from tracker_backup.repository.store import Repository

PROGRAM = Path(__file__).resolve().parent.parent.parent / "scripts" / "tracker_backup"


@dataclass
class Instance:
    """Paths of an instance, and what a test does with it."""

    base: Path
    name: str = "default"

    @property
    def etc(self) -> Path:
        return self.base / "etc"

    @property
    def file(self) -> Path:
        return self.etc / f"{self.name}.yml"

    @property
    def database(self) -> Path:
        return self.base / f"{self.name}-stack" / "tracker.db"

    @property
    def path(self) -> Path:
        """The repository's directory."""
        return self.base / f"{self.name}-repository"

    @property
    def state(self) -> Path:
        return self.base / f"{self.name}-state"

    @property
    def log(self) -> Path:
        return self.base / f"{self.name}.log"

    @property
    def crontab(self) -> Path:
        return self.base / f"{self.name}.crontab"

    @property
    def repository(self) -> Repository:
        return Repository(self.path)

    @property
    def environment(self) -> dict[str, str]:
        """What the program runs with: nothing of the developer's shell."""
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TRACKER_BACKUP_CONFIG_DIRECTORY": str(self.etc)}

    def document(self) -> dict[str, Any]:
        """The configuration that a test starts from: one database, named; the schedule in a plain file."""
        return {
            "stack": str(self.database.parent),
            "repository": str(self.path),
            "state_directory": str(self.state),
            "log_file": str(self.log),
            "sources": [{"name": "tracker", "type": "sqlite", "path": str(self.database)}],
            "schedule": {"target": str(self.crontab)},
        }

    def configure(self, **changes: Any) -> Config:
        """Write the configuration and return it loaded; a key of None is left out."""
        document = {key: value for key, value in {**self.document(), **changes}.items() if value is not None}
        self.etc.mkdir(exist_ok=True)
        self.file.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.file.chmod(0o600)
        return load_config(self.file)

    def build(self, mib: float = 0.1) -> None:
        """Make the database."""
        self.database.parent.mkdir(exist_ok=True)
        build_database(self.database, mib=mib)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", str(PROGRAM), *arguments]

    def _command_for_all(self, *arguments: str) -> list[str]:
        """Return a command that any user can run: the checkout or its interpreter may be root's alone."""
        program = self.base / "program" / "tracker_backup"
        if not program.exists():
            program.parent.mkdir(mode=0o755)
            shutil.copytree(PROGRAM, program, ignore=shutil.ignore_patterns("__pycache__"))
            for path in (program, *program.rglob("*")):
                path.chmod(0o755)
        return ["/usr/bin/python3", "-I", str(program), *arguments]

    def run(
        self,
        *arguments: str,
        user: int | None = None,
        environment: Mapping[str, str] | None = None,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to its end, where asked as another user, and return what it said."""
        return subprocess.run(
            self.command(*arguments) if user is None else self._command_for_all(*arguments),
            env=self.environment | dict(environment or {}),
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            capture_output=True,
            text=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the program and return at once.

        Whoever runs the tests in the background may have made them ignore signals, and a program inherits that.
        """
        return subprocess.Popen(
            ["/usr/bin/env", "--default-signal=HUP,INT,TERM,PIPE", *self.command(*arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )

    def status(self) -> dict[str, Any]:
        """Return what stands in status.json."""
        document: dict[str, Any] = json.loads((self.state / "status.json").read_text(encoding="utf-8"))
        return document

    def ids(self) -> list[str]:
        """Return the ids of the backups, oldest first."""
        return [backup.id for backup in self.repository.backups()]

    def add(self, manifest: Manifest) -> Path:
        """Put a backup into the repository that has a manifest, and nothing but files of the right size behind it."""
        directory = self.path / manifest.id
        directory.mkdir(mode=0o700)
        for artifact in manifest.artifacts:
            with (directory / artifact.file).open("wb") as file:
                file.truncate(artifact.bytes)
        (directory / "manifest.json").write_bytes(encode_manifest(manifest))
        return directory


def a_manifest(
    started_at: str = "2026-11-22T03:00:00Z",
    job: str = "daily",
    *,
    state: str = "verified",
    sources: Sequence[str] = ("tracker",),
    **changes: Any,
) -> Manifest:
    """Return a manifest as a run writes it; the sources' artifacts are verified unless all of it is unverified."""
    artifact_state = "unverified" if state == "unverified" else "verified"
    compact = started_at.replace("-", "").replace(":", "")
    manifest = Manifest(
        id=f"{compact}-{job}",
        instance="default",
        host="host",
        stack="/opt/torrust",
        job=job,
        manual=job == "manual",
        version="0.1.0",
        started_at=started_at,
        finished_at=started_at,
        state=state,
        trigger="schedule",
        artifacts=tuple(an_artifact(name, artifact_state) for name in sources),
    )
    return replace(manifest, **changes)


def an_artifact(source: str = "tracker", state: str = "verified", **changes: Any) -> Artifact:
    """Return an artifact as a run describes it."""
    artifact = Artifact(
        source=source,
        type="sqlite",
        file=f"{source}.sqlite3.zst",
        state=state,
        snapshot_at="2026-11-22T03:00:00Z",
        bytes=400,
        raw_bytes=1000,
        sha256="0" * 64,
        raw_sha256="1" * 64,
        method="pinned",
        copy_seconds=0.1,
        write_stall_seconds=0.0,
        pause_seconds=0.0,
        path=f"/opt/torrust/{source}.db",
        checks=({"check": "quick_check", "ok": True, "seconds": 0.1, "messages": ["ok"]},),
    )
    return replace(artifact, **changes)


def nobody() -> int | None:
    """Return the id of a user without rights where the tests run as root; None where they have none anyway."""
    return 65534 if os.geteuid() == 0 else None
