"""The demo's stack with its live database, and what of it came back from a backup."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from showing import DEMO, ROOT, DemoError, announce, ask, shown

STACK = DEMO / "opt" / "torrust"
DATABASE = STACK / "storage" / "tracker" / "lib" / "database" / "tracker.db"
KEY = STACK / "storage" / "caddy" / "data" / "example.org.key"
GRAFANA = STACK / "storage" / "grafana" / "data" / "grafana.db"
TOML = Path("storage", "tracker", "etc", "tracker.toml")
RESTORED = DEMO / "restored"
REPORT = DEMO / "writer.json"
PROGRAM = DEMO / "usr" / "local" / "bin" / "tracker-backup"
STANDIN = ROOT / "tests" / "support" / "tracker_standin.py"

WRITES_PER_SECOND = 100
WRITER_SECONDS_AT_MOST = 900
MIB = 1024 * 1024


def make_stack(mib: int, env: dict[str, str]) -> None:
    """Lay out the stack's directory with a database of that many MiB in WAL mode."""
    shutil.copytree(ROOT / "demo" / "stack", STACK)
    (STACK / "dot.env").rename(STACK / ".env")
    DATABASE.parent.mkdir(parents=True)
    (STACK / "storage" / "tracker" / "log").mkdir()
    make_neighbours()
    ask(sys.executable, STANDIN, "build", DATABASE, "--mib", str(mib), "--journal-mode", "wal", env=env)
    print(
        f"{shown(STACK)}: docker-compose.yml, .env, tracker.toml, a key, Grafana's database, "
        f"and a tracker's database of {size(DATABASE)} in WAL mode"
    )


def make_neighbours() -> None:
    """Lay down what else a stack has: a key that only its owner reads, and Grafana's database with its users."""
    KEY.parent.mkdir(parents=True)
    KEY.write_text("the private key of a certificate\n", encoding="utf-8")
    KEY.chmod(0o600)
    GRAFANA.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(GRAFANA)) as database, database:
        database.execute("CREATE TABLE user (login TEXT UNIQUE)")
        database.executemany("INSERT INTO user VALUES (?)", [("admin",), ("operator",)])


@contextlib.contextmanager
def live_tracker(env: dict[str, str]) -> Iterator[None]:
    """Write to the database as the tracker would until the block is left, however that happens."""
    options = ("--rate", str(WRITES_PER_SECOND), "--seconds", str(WRITER_SECONDS_AT_MOST), "--report", str(REPORT))
    writer = subprocess.Popen(
        [sys.executable, STANDIN, "write", DATABASE, *options],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us; we stop it
    )
    try:
        print(f"a stand-in for the tracker writes {WRITES_PER_SECOND} transactions a second to it", flush=True)
        yield
        if writer.poll() is not None:
            raise DemoError(f"the writer ended on its own, exit code {writer.returncode}")
    finally:
        writer.terminate()
        writer.wait()


def compare(env: dict[str, str]) -> None:
    """Compare what was restored with the manifest and with the live stack, whose database has gone on meanwhile."""
    copy = RESTORED / "tracker.sqlite3"
    command = (sys.executable, STANDIN, "check", copy, "--integrity")
    announce(("python3", *command[1:]))
    restored, live = ask(*command, env=env), ask(sys.executable, STANDIN, "check", DATABASE, env=env)
    artifact = ask(PROGRAM, "list", "--json", env=env)[-1]["artifacts"][0]
    findings = {
        "every transaction is in the copy whole or not at all, SQLite's integrity_check is ok": restored["ok"],
        "byte for byte what was copied: the SHA-256 is the manifest's": sha256(copy) == artifact["raw_sha256"],
        f"the tracker went on: {restored['counter']} transactions in the copy, {live['counter']} in the live database":
            0 < restored["counter"] < live["counter"],
        "the stack's files are what they are in the stack: Compose file, .env, configuration, key":
            all(same(path) for path in (STACK / "docker-compose.yml", STACK / ".env", STACK / TOML, KEY)),
        "Grafana's users are in its restored database":
            users(restored_place(GRAFANA)) == users(GRAFANA) != [],
    }  # fmt: skip
    for finding, true in findings.items():
        print(f"  {'yes' if true else 'NO '}  {finding}")
    if not all(findings.values()):
        raise DemoError("what was restored is not what was backed up")


def restored_place(path: Path) -> Path:
    """Return where a file of the stack lies after the restore."""
    return RESTORED / "files" / path.relative_to("/")


def same(path: Path) -> bool:
    """Return whether a file of the stack came back with its content, mode and time."""
    copy = restored_place(path)
    one, other = path.stat(), copy.stat()
    facts_agree = (one.st_mode, one.st_mtime_ns) == (other.st_mode, other.st_mtime_ns)
    return facts_agree and sha256(path) == sha256(copy)


def users(path: Path) -> list[str]:
    """Return the users in a database of Grafana's."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute("SELECT login FROM user ORDER BY login")]


def size(path: Path) -> str:
    """Return a file's size in MiB."""
    return f"{path.stat().st_size / MIB:.0f} MiB"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
