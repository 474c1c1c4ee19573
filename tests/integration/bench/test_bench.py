"""The benchmark on databases of a few MiB: everybody runs, is measured, and is checked. How fast is no matter here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench import role, sqlite, startup
from bench.contenders import Contender
from bench.databases import RoomError, build_missing, check, path_of, require_room
from bench.load import environment
from bench.ours import OursScheduled
from bench.settings import Case, Settings, parse
from bench.world import World
from support.program import Installation, Running, is_running, wait_until
from support.small_disk import needs_root

TINY = (
    "SIZE=3M",
    "ORDER=random",
    "MODE=wal",
    "RATE=100",
    "RUNS=1",
    "SETTLE=0.2",
    "AFTER=0.2",
    "LIMIT=5",
    "STARTUP=0",
    "ROLE=0",
)
CASE = Case("3M", "random", "wal", "100")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings for a few MiB, with the database built."""
    found = parse([*TINY, "ROWS=0", f"BENCH_DIR={tmp_path}/bench"])
    build_missing(found)
    return found


class Stub(Contender):
    """Does as a test says."""

    name = "stub"
    title = "a stub"
    script: ClassVar[str] = ""

    def take(self, world: World) -> None:
        world.call(sys.executable, "-c", self.script, world.stored / "tracker.db", world.database)

    def restore(self, world: World) -> None:
        world.call("cp", world.stored / "tracker.db", world.restored)


def run_stub(settings: Settings, script: str, case: Case = CASE) -> dict[str, Any]:
    stub = type("Stub", (Stub,), {"script": f"import shutil, sys, time\n{script}"})()
    found = sqlite.run_once(settings, case, stub, 1)
    assert not (settings.directory / "run").exists()
    return found


def test_from_words_to_the_report(tmp_path: Path) -> None:
    words = [*TINY, "ONLY=ours-copy,ours-scheduled,incumbent,backup", "ROWS=500", f"BENCH_DIR={tmp_path}/bench"]
    command = [sys.executable, "-m", "bench", *words]

    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (tmp_path / "bench" / "trials").iterdir()
    head, *runs = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert head["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert [run["of"] for run in runs if run["kind"] == "whole"] == ["sqlite", "mysql"]
    found = {(run["kind"], run["contender"]): run for run in runs if run["kind"] != "whole"}
    for name in ("cp", "ours-copy", "ours-scheduled", "incumbent"):
        run = found["sqlite", name]
        assert (run["outcome"], run["said"]) == ("ok", ""), name
        assert run["writes"]["count"] + run["reads"]["count"] > 0, name
        assert min(run["seconds"], run["stored_bytes"], run["restore_seconds"]) > 0, name
    assert found["sqlite", "ours-copy"]["sound"] is found["sqlite", "ours-scheduled"]["sound"] is True
    assert found["sqlite", "ours-scheduled"]["state"] == "verified"
    assert found["sqlite", "ours-scheduled"]["cpu_seconds"] > 0  # cp takes less than the kernel's tick
    assert found["sqlite", "incumbent"]["outage_seconds"] > 0
    assert found["sqlite", "ours-scheduled"]["outage_seconds"] == 0
    for name in ("gzip", "ours-scheduled"):
        assert found["mysql", name]["sound"] is True, found["mysql", name]
        assert found["mysql", name]["server_cpu_seconds"] >= 0
    text = (tmp_path / "bench" / "report" / "benchmarks.md").read_text(encoding="utf-8")
    assert "## 3 MiB, random hashes, WAL, 100 writes/s" in text
    assert "| stop, .backup, gzip, start |" in text
    assert "## MySQL 9.7" in text


def test_a_rollback_journal_s_writer_is_frozen_for_a_long_copy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a copy may not keep the writer waiting at all, it is paused through the engine's stand-in."""
    monkeypatch.setattr(OursScheduled, "settings", {"max_write_stall_seconds": 0.001})

    run = sqlite.run_once(settings, replace(CASE, mode="rollback"), OursScheduled(), 1)

    assert (run["outcome"], run["said"]) == ("ok", "")
    assert run["method"] == "paused"
    assert run["reported_stall_seconds"] > 0
    assert run["sound"] is True
    assert run["writes"]["failed"] == 0


def test_a_copy_that_is_none_is_not_sound(settings: Settings) -> None:
    damaged = run_stub(settings, "open(sys.argv[1], 'wb').write(open(sys.argv[2], 'rb').read()[:-1_000_000])")
    empty = run_stub(settings, "open(sys.argv[1], 'wb').close()")

    assert (damaged["outcome"], damaged["sound"]) == ("ok", False)
    assert (empty["outcome"], empty["sound"]) == ("ok", False)


def test_a_contender_that_fails_is_said_to(settings: Settings) -> None:
    run = run_stub(settings, "sys.exit('no disk, no copy')")

    assert (run["outcome"], run["said"]) == ("failed", "exit 1: no disk, no copy")
    assert run["sound"] is False


def test_a_contender_that_does_not_end_is_ended(settings: Settings, tmp_path: Path) -> None:
    script = f"import os\nopen('{tmp_path}/pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"

    run = run_stub(replace(settings, limit=0.05), script)

    assert (run["outcome"], run["said"]) == ("too long", "not within 3 s")
    assert not is_running(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_ends_the_benchmark_ends_its_load(settings: Settings, number: signal.Signals) -> None:
    words = [*TINY, "SETTLE=600", "ROWS=0", "ONLY=cp", f"BENCH_DIR={settings.directory}"]
    with Running([sys.executable, "-m", "bench", *words], environment()) as running:

        def load() -> list[int]:
            command = ["pgrep", "--parent", str(running.pid), "--full", "bench.load"]
            found = subprocess.run(command, capture_output=True, text=True, check=False)
            return [int(line) for line in found.stdout.split()]

        wait_until(lambda: len(load()) == 2, running.said, running)
        pids = load()
        running.signal(number)
        running.wait()

        wait_until(lambda: not any(map(is_running, pids)), lambda: f"{pids} are still at work")


def test_memory_and_processor_of_the_whole_tree_are_counted(settings: Settings) -> None:
    script = """
import subprocess
work = "import time; held = bytearray(80_000_000); began = time.process_time()\\nwhile time.process_time() < 0.5: pass"
subprocess.run([sys.executable, "-c", work], check=True)
shutil.copy(sys.argv[2], sys.argv[1])
"""

    run = run_stub(settings, script)

    assert 80_000_000 < run["anonymous_bytes"] < 160_000_000
    assert run["cpu_seconds"] >= 0.5


def test_start_up_is_measured_on_two_hundred_backups(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_TIMES", 1)
    multiply, seen = startup.multiply, []

    def counted(installation: Installation, number: int) -> None:
        multiply(installation, number)
        seen.extend(installation.listed())

    monkeypatch.setattr(startup, "multiply", counted)

    runs = list(startup.runs(settings))

    assert [(run["contender"], run["outcome"]) for run in runs] == [
        ("--version", "ok"),
        ("status on 200 backups", "ok"),
        ("whole run on 1 MiB", "ok"),
    ]
    assert len(seen) == 200
    assert all(run["cpu_seconds"] > 0 for run in runs)


@needs_root
@pytest.mark.slow
def test_the_role_s_second_run_is_measured(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role, "HOSTS", 1)

    runs = list(role.runs(replace(settings, runs=1, role=True)))

    assert [run["contender"] for run in runs] == [role.ALONE, role.AGAIN, role.FLEET_ALONE, role.FLEET]
    assert all((run["outcome"], run["changed"]) == ("ok", 0) for run in runs), runs
    assert not (settings.directory / "role").exists()


def test_databases_are_kept(settings: Settings) -> None:
    path = path_of(settings.directory, "3M", "random")
    before = path.stat().st_ino

    build_missing(settings)

    assert path.stat().st_ino == before
    assert check(path)[0]


def test_without_room_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(RoomError, match=r"GiB needed in .*, .* GiB free"):
        require_room(parse(["SIZE=100000G", f"BENCH_DIR={tmp_path}"]))

    assert list(tmp_path.iterdir()) == []
