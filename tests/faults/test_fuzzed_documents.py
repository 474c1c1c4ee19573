"""Every reader of the program, given documents that were sound once: a sentence, or something to work with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from support.faults import rounds
from support.instance import a_manifest, an_artifact
from support.manifests import unsealed
from support.mutation import altered, mutated
from support.stackfixtures import FIXTURES
from tracker_backup.cli.backups import describe
from tracker_backup.cli.status import _job_line
from tracker_backup.compose.envfile import parse_env, parse_raw_env
from tracker_backup.compose.yamlfile import parse_yaml
from tracker_backup.config.document import parse_document
from tracker_backup.config.load import load_config
from tracker_backup.config.model import Keep
from tracker_backup.errors import ConfigurationError, TrackerBackupError
from tracker_backup.health.since import first_seen, note_jobs
from tracker_backup.health.statefile import read_status, write_status
from tracker_backup.health.status import (
    LastRun,
    Newest,
    Reason,
    Status,
    backup_reasons,
    is_due,
    job_status,
    newest_backup,
)
from tracker_backup.inplace.marker import Marker, Part, Stopped, read_marker
from tracker_backup.moving.note import Arriving, Leaving, Notebook
from tracker_backup.moving.rows import rows_in
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.report.tables import backup_table
from tracker_backup.repository.manifest import Failure, decode_manifest, encode_manifest
from tracker_backup.repository.retention import decide
from tracker_backup.repository.store import Backup
from tracker_backup.run.capacity import Capacity
from tracker_backup.run.restore import restore_to
from tracker_backup.run.sizes import compare_size
from tracker_backup.sources.files.check import TarCheck
from tracker_backup.sources.mysql.check import DumpCheck
from tracker_backup.sources.mysql.dumptext import DumpReader
from tracker_backup.sources.mysql.proof import NoProofError, Wanted
from tracker_backup.sources.mysql.rowcount import RowCounter
from tracker_backup.stack.databases import parse_toml
from tracker_backup.stack.discovery import discover, find_belongings

pytestmark = pytest.mark.guarantee(11, 14)

EXAMPLES = rounds(800, short=60)
hard = settings(
    max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
WHERE = Path("/repository/20261122T030000Z-daily/manifest.json")


@pytest.fixture(autouse=True)
def counted(tally: Callable[[str, int], None]) -> None:
    """Count what every test of this module tries."""
    tally("inputs tried", EXAMPLES)


CONFIGURATION = {
    "stack": "/opt/torrust",
    "repository": "/var/backups/x",
    "jobs": [
        {"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 2, "daily": 7}},
        {"name": "weekly", "schedule": "@weekly", "sources": ["tracker"], "keep": {"weekly": 4}},
    ],
    "sources": [
        {"name": "tracker", "type": "sqlite", "path": "/opt/torrust/tracker.db", "service": "tracker"},
        {"name": "index", "type": "mysql", "service": "mysql", "schema": "torrust_index"},
    ],
    "schedule": {"target": "cron.d", "user": "root"},
    "files": {"enabled": True, "extra_paths": ["/etc/nginx"], "exclude": ["*.log"]},
    "min_free": "64 MiB",
    "max_run_seconds": 3600,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "default.yml"


def loaded(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    file.chmod(0o600)
    with suppress(ConfigurationError):
        config = load_config(file)
        assert config.repository.is_absolute()
        config.command_line("accept", "x", sudo=True)
        for job in config.jobs:
            assert job.keep.most > 0
            job_status(job, [], NOW, NOW)


@hard
@given(data=mutated([yaml.safe_dump(CONFIGURATION).encode(), json.dumps(CONFIGURATION).encode()]))
def test_a_configuration(file: Path, data: bytes) -> None:
    loaded(file, data)


@hard
@given(document=altered([CONFIGURATION]))
def test_values_of_a_configuration(file: Path, document: Any) -> None:
    with suppress(yaml.YAMLError, UnicodeEncodeError):
        loaded(file, yaml.safe_dump(document).encode())


FILES = an_artifact(
    "files",
    type="files",
    file="files.tar.zst",
    engine={
        "name": "tar",
        "members": 3,
        "names_sha256": "0" * 64,
        "databases": [{"path": "/opt/torrust/x.db", "check": "quick_check", "messages": ["ok"]}],
        "left_out": [{"path": "/opt/torrust/logs", "why": "a log"}],
        "left_out_count": 1,
    },
)
DUMP = an_artifact(
    "index",
    type="mysql",
    file="index.sql.zst",
    engine={
        "name": "mysql",
        "server": "9.7.0",
        "rows": {"torrents": 3},
        "objects": {"tables": ["torrents"], "views": [], "trigger": 1},
        "sums": {"torrents": [3, "7"]},
        "bytes": 4096,
        "charset": "utf8mb4",
        "collation": "utf8mb4_bin",
        "trial": {"image": "sha256:0", "sums": {"torrents": [3, "7"]}},
    },
)
WHOLE = a_manifest(
    artifacts=(an_artifact(usual_raw_bytes=9000, size_drop=True, sizes_since=3), FILES, DUMP),
    errors=(Failure("other", "it is gone"),),
    seconds={"copy": 1.0},
    images={"tracker": "sha256:0"},
    deployment={"project": "torrust", "services": {"tracker": {"image": "torrust/tracker"}}, "ran": ["tracker"]},
    sequence=7,
)


def used(data: bytes, directory: Path) -> None:
    """Read a manifest and, if it can be read, do with it what the commands do."""
    try:
        manifest = decode_manifest(data, WHERE)
    except TrackerBackupError:
        return
    job = type("Job", (), {"name": "daily", "schedule": "0 3 * * *", "keep": Keep(last=2, daily=3)})()
    config = type("Config", (), {"jobs": (job,), "command_line": lambda *_words, **_sudo: "accept"})()
    describe(manifest)
    backup_table([Backup(manifest.id, WHERE.parent, manifest)])
    json.dumps(manifest.to_json())
    decide([manifest, a_manifest()], {"daily": Keep(last=1, monthly=2)}, NOW)
    backup_reasons(config, [manifest], [], NOW)
    newest_backup(config, [manifest], NOW)
    job_status(job, [manifest], NOW, NOW)
    is_due(job, [manifest], NOW, NOW)
    for artifact in manifest.artifacts:
        compare_size(artifact, [manifest])
        if artifact.type == "files":
            TarCheck(directory / "none.tar", artifact.engine, full=True, low_priority=False).result()
        if artifact.type == "mysql":
            DumpCheck(artifact.engine.get("rows"), artifact.engine.get("objects")).result()
            with suppress(NoProofError):
                Wanted.from_json(artifact.engine)
    rows_in(manifest)
    with suppress(TrackerBackupError):
        restore_to(Backup(manifest.id, directory, manifest), directory / "restored", None, SilentReporter())
    assert decode_manifest(encode_manifest(manifest), WHERE).id == manifest.id


@hard
@given(data=mutated([json.dumps(unsealed(WHOLE), indent=2).encode(), encode_manifest(WHOLE)]))
def test_a_manifest(tmp_path: Path, data: bytes) -> None:
    used(data, tmp_path)


@hard
@given(document=altered([unsealed(WHOLE)]))
def test_values_of_a_manifest(tmp_path: Path, document: Any) -> None:
    used(json.dumps(document).encode(), tmp_path)


STATUS = Status(
    "default",
    "2026-11-28T03:00:00Z",
    (job_status(type("Job", (), {"name": "daily", "schedule": "0 3 * * *"})(), [a_manifest()], NOW, NOW),),
    (Reason(1, "something"),),
    (LastRun("daily", "20261122T030000Z-daily", "2026-11-22T03:00:00Z", 1, "failed"),),
    Capacity(2, 10, 10, 10, 100),
    Newest("20261122T030000Z-daily", "daily", "2026-11-22T03:00:00Z", 10, 5, 0.0),
)


def judged(directory: Path, data: bytes) -> None:
    """Read a status and, if it can be read, do with it what `status` does."""
    (directory / "status.json").write_bytes(data)
    found = read_status(directory)
    if found is not None:
        json.dumps(found.to_json(NOW))
        found.level(NOW)
        [_job_line(job) for job in found.jobs]
        f"{found.room} {found.room.fits if found.room else ''} {found.last_run}"
        write_status(directory, found, NOW)
        assert read_status(directory) is not None


@hard
@given(data=mutated([json.dumps(STATUS.to_json(NOW), indent=1).encode()]))
def test_a_status(tmp_path: Path, data: bytes) -> None:
    judged(tmp_path, data)


@hard
@given(document=altered([STATUS.to_json(NOW)]))
def test_values_of_a_status(tmp_path: Path, document: Any) -> None:
    judged(tmp_path, json.dumps(document).encode())


NOTED = {"daily": {"schedule": "0 3 * * *", "since": "2026-11-22T03:00:00Z"}}


@hard
@given(document=altered([NOTED]))
def test_the_note_of_jobs(tmp_path: Path, document: Any) -> None:
    job = type("Job", (), {"name": "daily", "schedule": "0 3 * * *"})()
    (tmp_path / "default.yml").touch()
    config = type("Config", (), {"jobs": (job,), "state_directory": tmp_path, "file": tmp_path / "default.yml"})()
    (tmp_path / "jobs.json").write_text(json.dumps(document))

    since = first_seen(config, NOW)["daily"]

    assert since <= NOW
    job_status(job, [], since, NOW)
    is_due(job, [], since, NOW)
    note_jobs(config, NOW)


MARKER = asdict(
    Marker(
        "20261122T030000Z-daily",
        "/repository/x",
        "swap",
        (Part("sqlite", "tracker", {"target": "/opt/x"}),),
        (Stopped("0" * 64, "tracker"),),
        {"/opt": 3},
    )
)


@hard
@given(document=altered([MARKER]))
def test_the_note_of_a_restore(tmp_path: Path, document: Any) -> None:
    (tmp_path / "restoring.json").write_text(json.dumps(document))
    with suppress(TrackerBackupError):
        noted = read_marker(tmp_path)
        assert noted is None or all(isinstance(part.state, dict) for part in noted.parts)
        assert noted is None or all(isinstance(each.id, str) for each in noted.stopped)


LEAVING = asdict(Leaving("stopping", ("tracker",), {"0" * 64: "always"}, "x", {"index": {"torrents": 3}}))
ARRIVING = asdict(Arriving("20261122T030000Z-daily", "placed", ("tracker",)))


@hard
@given(leaving=altered([LEAVING]), arriving=altered([ARRIVING]))
def test_the_notes_of_a_move(tmp_path: Path, leaving: Any, arriving: Any) -> None:
    (tmp_path / "leaving.json").write_text(json.dumps(leaving))
    (tmp_path / "arriving.json").write_text(json.dumps(arriving))
    for read in (Notebook(tmp_path).leaving, Notebook(tmp_path).arriving):
        with suppress(TrackerBackupError):
            note = read()
            assert note is None or isinstance(note.step, str)


def stack_files(suffixes: tuple[str, ...]) -> list[bytes]:
    """Return the files of the fixture stacks."""
    return [
        path.read_bytes() for path in sorted(FIXTURES.rglob("*")) if path.is_file() and path.name.endswith(suffixes)
    ]


def as_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


@hard
@given(data=mutated(stack_files((".env",)) or [b"A=b\n"]))
def test_an_environment_file(data: bytes) -> None:
    for parse in (parse_env, parse_raw_env):
        with suppress(ConfigurationError):
            parse(as_text(data), file=".env", environment={"HOME": "/root"})


@hard
@given(data=mutated(stack_files((".toml",))))
def test_toml(data: bytes) -> None:
    with suppress(ConfigurationError):
        parse_toml(as_text(data), where="tracker.toml")


@hard
@given(data=mutated(stack_files((".yml", ".yaml"))))
def test_yaml(data: bytes) -> None:
    for parse in (lambda: parse_yaml(as_text(data), file="f"), lambda: parse_document(data, "f")):
        with suppress(ConfigurationError):
            parse()


COMPOSE = {
    "name": "torrust",
    "services": {
        "tracker": {
            "image": "torrust/tracker:latest",
            "environment": {"TORRUST_TRACKER_CONFIG_TOML_PATH": "/etc/torrust/tracker/tracker.toml", "A": "${B:-c}"},
            "env_file": [".env", {"path": "other.env", "required": False}],
            "volumes": [
                "./storage:/var/lib/torrust/tracker:Z",
                {"type": "bind", "source": "./etc", "target": "/etc/torrust"},
            ],
            "profiles": [],
            "depends_on": {"mysql": {"condition": "service_healthy"}},
        },
        "mysql": {"image": "mysql:8", "environment": ["MYSQL_ROOT_PASSWORD=x"], "volumes": ["data:/var/lib/mysql"]},
    },
    "volumes": {"data": {"name": "data", "driver_opts": {"type": "none", "device": "/srv", "o": "bind"}}},
    "configs": {"one": {"content": "x"}},
    "secrets": {"two": {"file": "./secret"}},
}
ENV = b"B=value\nMYSQL_DATABASE=torrust\n"
TOML = b"""[metadata]
schema_version = "2.0.0"
[core.database]
driver = "sqlite3"
path = "/var/lib/torrust/tracker/x.db"
"""


def found(directory: Path, compose: bytes, env: bytes, toml: bytes) -> None:
    """Look for databases and files in a stack."""
    (directory / "etc" / "tracker").mkdir(parents=True, exist_ok=True)
    (directory / "compose.yaml").write_bytes(compose)
    (directory / ".env").write_bytes(env)
    (directory / "etc" / "tracker" / "tracker.toml").write_bytes(toml)
    for look in (discover, find_belongings):
        with suppress(TrackerBackupError):
            look(directory)


@hard
@given(compose=mutated([yaml.safe_dump(COMPOSE).encode()]), env=mutated([ENV]), toml=mutated([TOML]))
def test_a_stack(tmp_path: Path, compose: bytes, env: bytes, toml: bytes) -> None:
    found(tmp_path, compose, ENV, TOML)
    found(tmp_path, yaml.safe_dump(COMPOSE).encode(), env, toml)


@hard
@given(document=altered([COMPOSE]))
def test_values_of_a_stack(tmp_path: Path, document: Any) -> None:
    with suppress(yaml.YAMLError, UnicodeEncodeError):
        found(tmp_path, yaml.safe_dump(document).encode(), ENV, TOML)


SQL = rb"""-- MySQL dump 10.13
CREATE TABLE `tor``rents` (
  `a` int
);
INSERT INTO `tor``rents` VALUES (1,'a\'b),(\\'),(2,NULL),(3,'x\\\\');
/*!50001 CREATE VIEW `v` AS SELECT
 1 AS `a`*/;
/*!50001 VIEW `v` (`a`) AS select 1 */;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 TRIGGER `t` BEFORE INSERT ON `x` FOR EACH ROW BEGIN
END */;;
DELIMITER ;
INSERT INTO `b` VALUES
(1,'x'),
(2,'y');
-- Dump completed on 2026-11-28
"""


@hard
@given(data=mutated([SQL, SQL.replace(b"\n", b"\r\n")]))
def test_a_dump(data: bytes) -> None:
    """However it is cut into blocks, the same is read."""
    read = []
    for size in (len(data) or 1, 7, 1):
        reader = DumpReader()
        for position in range(0, len(data), size):
            reader.feed(data[position : position + size])
        read.append(reader.finish())
    assert read[0] == read[1] == read[2]


@hard
@given(data=mutated([rb"(1,'a\'b),(\\'),(2,NULL),(3,'x\\\\')"]))
def test_rows(data: bytes) -> None:
    counters = [RowCounter(), RowCounter()]
    counters[0].feed(data)
    for number in range(len(data)):
        counters[1].feed(data[number : number + 1])
    assert counters[0].rows == counters[1].rows <= len(re.findall(rb"\(", data)) + 1
