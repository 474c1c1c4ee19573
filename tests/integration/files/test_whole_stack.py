"""A stack comes back from its backup alone and is the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Self

from support.program import Installation
from support.small_disk import needs_root
from support.stack_world import USERS, access_list, facts_of, users_in
from support.tracker_standin import check_invariant

GRAFANA = Path("storage/grafana/data/grafana.db")
LEFT_OUT = {
    b"storage/tracker/lib/database/tracker.db",
    b"storage/tracker/log/announces.txt",
    b"storage/tracker/lib/tracker.log.1",
    b"storage/prometheus/data/chunks_head",
    b"storage/prometheus/data/chunks_head/000001",
    b"storage/mysql/data/ibdata1",
    b"storage/backup/20260101.tar.gz",
    b".git/objects/ab",
    b".git/objects/ab/cdef",
    b"storage/odd/fifo",
    b"storage/odd/socket",
}


class Writer:
    """Writes to a database all the time, as Grafana does to its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.writes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _write(self) -> None:
        with closing(connect(self._path, timeout=30, isolation_level=None)) as database:
            while not self._end.wait(0.002):
                database.execute("INSERT INTO session (content) VALUES (randomblob(2000))")
                self.writes += 1


def restored_stack(host: Installation, target: Path) -> tuple[Path, Path]:
    """Return where stack and certificates are after the whole backup was restored into an empty directory."""
    done = host.run("restore", "latest", "--to", str(target))
    assert done.returncode == 0, done.stderr
    assert sorted(entry.name for entry in target.iterdir()) == ["files", "tracker.sqlite3"]
    below = target / "files" / str(host.directory).lstrip("/")
    return below / "data", below / "certificates"


@needs_root
def test_a_stack_comes_back_and_is_the_same(host: Installation, tmp_path: Path) -> None:
    before = facts_of(host.data)
    keys = facts_of(host.directory / "certificates")
    with Writer(host.data / GRAFANA) as grafana:
        manifest = host.back_up()
    assert grafana.writes

    stack, certificates = restored_stack(host, tmp_path / "elsewhere")

    after = facts_of(stack)
    database = os.fsencode(GRAFANA)
    assert set(before) - set(after) == LEFT_OUT
    assert set(after) <= set(before)
    # Where SQLite is at work files come and go, which a directory's time tells.
    same = set(after) - {database, os.path.dirname(database), b"storage/tracker/lib/database"}  # noqa: PTH120 - bytes
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert facts_of(certificates) == keys
    assert (after[database].mode, after[database].owner) == (before[database].mode, before[database].owner)
    assert users_in(stack / GRAFANA) == (USERS, "ok")
    assert after[b"storage/odd/shared"].attributes["system.posix_acl_access"] == access_list(1000)
    assert (stack / "storage/odd/sparse").stat().st_blocks < 1000
    assert (stack / "storage/odd/one name").samefile(stack / "storage/odd/another name")
    assert check_invariant(tmp_path / "elsewhere" / "tracker.sqlite3", integrity=True)["ok"]
    assert manifest["state"] == "verified"


def test_the_manifest_says_what_is_in_and_what_is_not(host: Installation) -> None:
    artifact = next(item for item in host.back_up()["artifacts"] if item["source"] == "files")

    assert (artifact["type"], artifact["file"], artifact["method"]) == ("files", "files.tar.zst", "tar")
    assert artifact["checks"][0]["check"] == "tar, integrity_check", "the first one is in full"
    engine = artifact["engine"]
    assert [item["path"] for item in engine["databases"]] == [str(host.data / GRAFANA)]
    assert engine["members"] == engine["files"] + engine["directories"] + engine["links"]
    reasons = {left["path"]: left["reason"] for left in engine["left_out"]}
    assert reasons[str(host.data / "storage/tracker/lib/database/tracker.db")] == "source tracker takes it"
    assert "MySQL" in reasons[str(host.data / "storage/mysql/data")]
    assert "host's system" in reasons["/etc/localtime"]
    assert (engine["changed"], engine["gone"]) == ([], [])


def test_zstd_and_tar_are_enough(host: Installation, tmp_path: Path) -> None:
    """No line of ours is needed to get the files back."""
    host.back_up()
    [backup] = [entry for entry in host.repository.iterdir() if not entry.name.startswith(".")]
    (tmp_path / "by hand").mkdir()
    script = 'zstd -d -c files.tar.zst | tar -x -p --acls --xattrs --delay-directory-restore -C "$0"'

    done = subprocess.run(["sh", "-c", script, tmp_path / "by hand"], cwd=backup, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    stack = tmp_path / "by hand" / str(host.data).lstrip("/")
    assert (stack / ".env").read_text(encoding="utf-8") == "GF_SECURITY_ADMIN_PASSWORD=s3cret\n"
    assert users_in(stack / GRAFANA) == (USERS, "ok")


def test_our_own_configuration_is_in_and_our_repository_is_not(host: Installation, tmp_path: Path) -> None:
    inside = host.data / "backups"
    host.configure(repository=str(inside), state_directory=str(host.data / "state"))
    host.run("init")
    shutil.rmtree(host.repository)
    host.repository = inside
    host.back_up()
    host.back_up()

    stack, _ = restored_stack(host, tmp_path / "elsewhere")

    assert list((stack / "backups").iterdir()) == []
    assert (stack / "state/jobs.json").is_file()  # beside it may lie what is not ours
    assert (stack.parent / "etc/default.yml").read_bytes() == (host.config_directory / "default.yml").read_bytes()


def test_an_unchanged_stack_makes_the_same_archive(host: Installation) -> None:
    """So that a repository that stores what is the same once stores it once."""
    # SQLite changes its directory's time, and tar writes its process's number beside a sparse file's name.
    host.configure(files={"exclude": ["storage/tracker/lib", "sparse"]})
    first, second = host.back_up(), host.back_up()

    hashes = [manifest["artifacts"][1]["raw_sha256"] for manifest in (first, second)]
    assert hashes[0] == hashes[1]


def test_verify_reads_it_all_back(host: Installation) -> None:
    host.back_up()

    done = host.run("verify", "--latest", "--full")

    assert done.returncode == 0, done.stderr
    assert "files: checksums agree, tar, integrity_check ok" in done.stdout


def test_only_the_files_can_be_restored(host: Installation, tmp_path: Path) -> None:
    host.back_up()

    done = host.run("restore", "latest", "--source", "files", "--to", str(tmp_path / "elsewhere"))

    assert done.returncode == 0
    assert [entry.name for entry in (tmp_path / "elsewhere").iterdir()] == ["files"]
    again = host.run("restore", "latest", "--source", "files", "--to", str(tmp_path / "elsewhere"))
    assert again.returncode == 2
    assert "there is already" in again.stderr
