"""SQLite databases among the files: live, asleep, damaged, too large to be copied at a bearable cost."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from support.program import Installation, sqlite_source
from support.sqlite_world import OtherProcess
from support.stack_world import USERS, make_users, users_in
from support.taking import context_in, files_of, unpacked
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository
from tracker_backup.sources.files.driver import FilesDriver

FILES = {"name": "files", "type": "files"}


def an_installation(tmp_path: Path, **settings: object) -> Installation:
    """Return an installation of a tracker's database and files, without any Compose file."""
    made = Installation(tmp_path / "host")
    made.configure(sources=[sqlite_source("tracker", made.database), FILES], **settings)
    build_database(made.database, mib=0.1)
    Repository(made.repository).init()
    return made


def test_rows_that_are_in_the_wal_alone_are_copied(tmp_path: Path) -> None:
    stack = tmp_path / "stack"
    make_users(stack / "users.db")
    with OtherProcess(stack / "users.db") as application:
        application.run("PRAGMA journal_mode=WAL")
        application.run("INSERT INTO user (login) VALUES ('newest')")

        taken = FilesDriver().take(files_of(stack), context_in(tmp_path / "staging"))

    out = unpacked(taken, tmp_path / "out")
    assert users_in(out / "users.db") == ((*USERS, "newest"), "ok")
    assert os.listdir(out) == ["users.db"]  # noqa: PTH208 - names
    assert [item["method"] for item in taken.engine["databases"]] == ["pinned"]


def test_what_only_looks_like_one_is_a_file(tmp_path: Path) -> None:
    stack = tmp_path / "stack"
    stack.mkdir()
    (stack / "short").write_bytes(b"SQLite format 3\x00")
    (stack / "a.db-wal").write_text("nobody's")
    (stack / "empty.db").touch()

    taken = FilesDriver().take(files_of(stack), context_in(tmp_path / "staging"))

    assert taken.engine["databases"] == []
    assert sorted(os.listdir(unpacked(taken, tmp_path / "out"))) == ["a.db-wal", "empty.db", "short"]  # noqa: PTH208


def test_a_copy_that_was_put_aside_is_given_the_time_it_takes(tmp_path: Path) -> None:
    stack = tmp_path / "stack"
    make_users(stack / "users.db.before-update")
    long_ago = time.time() - 3 * 86400
    os.utime(stack / "users.db.before-update", (long_ago, long_ago))

    context = context_in(tmp_path / "staging", max_write_stall_seconds=1e-9, when_busy="refuse", last_rate=1e5)
    taken = FilesDriver().take(files_of(stack), context)

    assert taken.write_stall_seconds == 0
    assert users_in(unpacked(taken, tmp_path / "out") / "users.db.before-update") == (USERS, "ok")
    assert (tmp_path / "out" / str(stack).lstrip("/") / "users.db.before-update").stat().st_mtime == long_ago


def test_one_that_cannot_be_copied_costs_the_tracker_nothing_and_names_the_way_out(tmp_path: Path) -> None:
    host = an_installation(tmp_path, max_write_stall_seconds=1e-6)
    make_users(host.data / "grafana.db")

    done = host.run("--now")

    assert done.returncode == 3
    assert "grafana.db has a rollback journal" in done.stderr
    assert "files.exclude" in done.stderr
    [manifest] = host.manifests()
    assert [item["source"] for item in manifest["artifacts"]] == ["tracker"]
    assert host.left_over() == []
    host.configure(files={"exclude": ["grafana.db"]})
    assert host.back_up()["state"] == "verified"


def test_a_damaged_one_brings_the_files_into_quarantine(tmp_path: Path) -> None:
    host = an_installation(tmp_path)
    make_users(host.data / "grafana.db")
    with closing(sqlite3.connect(host.data / "grafana.db")) as database:
        pages = database.execute("PRAGMA page_count").fetchone()[0]
    with (host.data / "grafana.db").open("r+b") as file:
        file.seek(4096 * (pages // 2))
        file.write(b"\xff" * 4096 * 4)

    done = host.run("--now")

    assert done.returncode == 3
    assert "grafana.db" in done.stderr
    [quarantined] = host.quarantined()
    assert (quarantined / "files.tar.zst").exists()
    [manifest] = host.manifests()
    assert [item["source"] for item in manifest["artifacts"]] == ["tracker"]
    assert [(error["source"], error["state"]) for error in manifest["errors"]] == [("files", "damaged")]


def test_damage_that_only_a_full_check_finds_is_found(tmp_path: Path) -> None:
    """An index that disagrees with its table, which quick_check does not look at."""
    stack = tmp_path / "stack"
    make_users(stack / "users.db")
    with closing(sqlite3.connect(stack / "users.db")) as database:
        database.execute("CREATE INDEX by_login ON user (login)")
        database.execute("PRAGMA writable_schema=ON")
        database.execute("UPDATE sqlite_schema SET sql='CREATE INDEX by_login ON user (id)' WHERE name='by_login'")
        database.commit()
    taken = FilesDriver().take(files_of(stack), context_in(tmp_path / "staging"))

    quick, full = (
        FilesDriver().start_check(taken.path, full=full, low_priority=False, facts=taken.engine).result()
        for full in (False, True)
    )

    assert (quick.check, quick.ok) == ("tar", True)
    assert (full.check, full.ok) == ("tar, integrity_check", False)
    assert f"{stack}/users.db: " in full.messages[0]
    assert [path.name for path in (tmp_path / "staging").iterdir() if path.is_file()] == ["files.tar"]


def test_a_job_of_its_own_takes_the_files_without_the_tracker(tmp_path: Path) -> None:
    """What another source takes is none of the files', also when that source is not of the job."""
    host = an_installation(tmp_path)
    host.configure(jobs=[{"name": "hourly", "sources": ["tracker"]}, {"name": "weekly", "sources": ["files"]}])

    [artifact] = host.back_up("--job", "weekly")["artifacts"]

    assert artifact["source"] == "files"
    assert artifact["engine"]["databases"] == []
    left = {Path(item["path"]).name: item["reason"] for item in artifact["engine"]["left_out"]}
    assert left["tracker.db"] == "source tracker takes it"
