"""Show the whole of tracker-backup on this machine: provision, back up a live database, verify, restore, compare.

Everything happens below .demo, without root and without Docker. A stand-in writes to the tracker's database at
100 transactions a second from the first step to the last.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
STACK = DEMO / "opt" / "torrust"
DATABASE = STACK / "storage" / "tracker" / "lib" / "database" / "tracker.db"
KEY = STACK / "storage" / "caddy" / "data" / "example.org.key"
GRAFANA = STACK / "storage" / "grafana" / "data" / "grafana.db"
TOML = Path("storage", "tracker", "etc", "tracker.toml")
RESTORED = DEMO / "restored"
REPORT = DEMO / "writer.json"
PROGRAM = DEMO / "usr" / "local" / "bin" / "tracker-backup"
STANDIN = ROOT / "tests" / "support" / "tracker_standin.py"
PLAYBOOK = ("ansible-playbook", "-i", "demo/inventory.yml", "site.yml")

WRITES_PER_SECOND = 100
WRITER_SECONDS_AT_MOST = 900
MIB = 1024 * 1024


class DemoError(Exception):
    """A step did not do what it should; the message says which and what to look at."""


def environment() -> dict[str, str]:
    """Return this process's environment with the homes of all programs below .demo."""
    home = DEMO / "home"
    home.mkdir(parents=True)
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "ANSIBLE_HOME": str(DEMO / "ansible"),
        # The default's ~ would be the home in /etc/passwd.
        "ANSIBLE_REMOTE_TMP": str(home / "ansible-remote"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        # What is as it should be already goes without saying here.
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_FORCE_COLOR": str(sys.stdout.isatty()),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }


def heading(text: str) -> None:
    """Print what the next step is."""
    line = f"== {text} "
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{line}{'=' * max(3, 100 - len(line))}{plain}", flush=True)


def shown(word: str | Path) -> str:
    """Return a word of a command as a user in the checkout would type it."""
    return shlex.quote(str(word).removeprefix(f"{ROOT}/"))


def announce(command: tuple[str | Path, ...]) -> None:
    """Print a command as a user would type it."""
    print("$", *(shown(word) for word in command), flush=True)


def call(*command: str | Path, env: dict[str, str]) -> None:
    """Show a command and run it; raise DemoError when it fails."""
    announce(command)
    code = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        raise DemoError(f"{shown(command[0])} ended with exit code {code}")


def ask(*command: str | Path, env: dict[str, str]) -> Any:
    """Run a command without showing it and return the JSON that it prints; raise DemoError when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise DemoError(f"{shown(command[0])} ended with exit code {done.returncode}: {done.stdout}")
    return json.loads(done.stdout)


def play(env: dict[str, str]) -> int:
    """Show and run the playbook and return how many tasks changed something."""
    announce(PLAYBOOK)
    changes = 0
    with subprocess.Popen(
        PLAYBOOK, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            changes += changed_tasks(line)
    if running.returncode != 0:
        raise DemoError(f"ansible-playbook ended with exit code {running.returncode}")
    return changes


def changed_tasks(line: str) -> int:
    """Return how many changes a line of the playbook's output tells of: the recap has a line for each host."""
    return sum(int(count) for count in re.findall(r"changed=(\d+)", line))


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


def size(path: Path) -> str:
    """Return a file's size in MiB."""
    return f"{path.stat().st_size / MIB:.0f} MiB"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def show(path: Path) -> None:
    """Show a file as `cat` would."""
    announce(("cat", path))
    print(path.read_text(encoding="utf-8"), end="", flush=True)


def steps(env: dict[str, str]) -> int:
    """Run all steps after the stack stands; return the number of changes of the playbook's second run."""
    heading("2  Provision: the role sets up program, configuration, schedule and makes a first backup")
    play(env)
    heading("3  A backup, now, while the database is written to")
    call(PROGRAM, "--now", env=env)
    heading("4  What there is")
    call(PROGRAM, "list", env=env)
    heading("5  Read the newest backup back from the disk, unpack it, have SQLite check it")
    call(PROGRAM, "verify", "--latest", "--full", env=env)
    heading("6  Restore it beside the live stack")
    call(PROGRAM, "restore", "latest", "--to", RESTORED, env=env)
    heading("7  Compare what was restored with the live stack")
    compare(env)
    heading("8  The schedule: on a real host this file is in /etc/cron.d")
    show(DEMO / "etc" / "cron.d" / "tracker-backup-default")
    call(PROGRAM, "status", env=env)
    heading("9  The playbook once more: nothing is left to change")
    return play(env)


def summary(started: float, env: dict[str, str]) -> None:
    """Print what was shown, where it is, and what to try next; raise DemoError if a write failed."""
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    manifest = ask(PROGRAM, "list", "--json", env=env)[-1]
    artifact = manifest["artifacts"][0]
    repository = DEMO / "var" / "backups" / "tracker-backup" / "default"
    heading("Done")
    print(
        f"{time.monotonic() - started:.0f} s in all. Meanwhile the tracker made {report['transactions']} transactions, "
        f"{report['failed']} failed, the slowest took {report['max_ms']:.0f} ms.\n"
        f"The last backup: {artifact['raw_bytes'] / MIB:.0f} MiB of database in {artifact['bytes'] / MIB:.0f} MiB, "
        f"and the stack's files; {manifest['state']}.\n\n"
        f"  program        {shown(PROGRAM)}\n"
        f"  backups        {shown(repository)}\n"
        f"  configuration  {shown(DEMO / 'etc' / 'tracker-backup' / 'default.yml')}\n"
        f"  restored       {shown(RESTORED)}\n\n"
        f"Try next (the writer is stopped now):\n"
        f"  {shown(PROGRAM)} --help\n"
        f"  {shown(PROGRAM)} show {manifest['id']}\n"
        f"  {shown(PROGRAM)} discover\n"
        f"  {shown(PROGRAM)} doctor\n"
        f"  zstd -dc {shown(repository / manifest['id'] / artifact['file'])} > .demo/copy.db\n"
        f"  sqlite3 .demo/copy.db .tables\n"
        f"\nFor a real host: cp inventory.example inventory, edit it, .venv/bin/ansible-playbook site.yml"
    )
    if report["failed"]:
        raise DemoError(f"writes failed: {report['errors']}")


def prepare() -> None:
    """Remove what an earlier demo left; raise DemoError where the demo cannot work."""
    if re.search(r"[\s\"']", str(ROOT)):
        raise DemoError(f"Ansible's script module needs a path without blanks and quotes, and this is {ROOT}")
    try:
        if DEMO.exists():
            shutil.rmtree(DEMO)
    except PermissionError as error:
        raise DemoError(f"{error.filename} belongs to somebody else. Remove {shown(DEMO)} and start again.") from error


def run(mib: int) -> None:
    """Run the demo from an empty directory to the summary."""
    started = time.monotonic()
    prepare()
    env = environment()
    heading("1  A stack as it is on a host, with a live database")
    make_stack(mib, env)
    with live_tracker(env):
        changes = steps(env)
    if changes:
        raise DemoError(f"the second run of the playbook changed {changes} things")
    summary(started, env)


def stop(number: int, _frame: FrameType | None) -> NoReturn:
    """End as the shell expects it of a process that got a signal; the writer is stopped on the way."""
    sys.exit(128 + number)


def main() -> int:
    """Run the demo; return 1 when a step failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=96, help="size of the database (default: %(default)s)")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        run(parser.parse_args().mib)
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
