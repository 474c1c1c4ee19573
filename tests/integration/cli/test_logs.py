"""The log of real runs, in each of its forms: every line can be parsed, and names its run; its numbers are right."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from support.instance import Instance
from support.logs import records

FORMS = ["text", "logfmt", "json"]
RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z0-9-]+")


def phases(log: list[dict[str, Any]], run: str) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Return the records of a run's phases."""
    return {(item["phase"], item.get("source")): item for item in log if "phase" in item and item["run"] == run}


@pytest.mark.parametrize("form", FORMS)
def test_every_line_is_a_record_of_its_run(instance: Instance, form: str) -> None:
    instance.configure(log_format=form)
    instance.run("--now")
    instance.run("--now", "--quiet")

    log = records(instance.log, form)

    assert {item["run"] for item in log} == set(instance.ids())
    for run in instance.ids():
        own = [item for item in log if item["run"] == run]
        assert (own[0]["msg"], own[0]["job"]) == ("begins", "daily")
        assert (str(own[-1]["exit"]), own[-1]["level"]) == ("0", "info")
        assert run in own[-1]["msg"]
    assert all(RUN.search(line) for line in instance.log.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("form", FORMS)
def test_a_phase_is_one_line_with_the_numbers_of_the_manifest(instance: Instance, form: str) -> None:
    instance.database.unlink()
    instance.build(mib=2)
    instance.configure(log_format=form)
    instance.run("--now")

    [backup] = instance.repository.backups()
    manifest = backup.manifest
    assert manifest is not None
    [artifact] = manifest.artifacts
    told = phases(records(instance.log, form), backup.id)

    assert list(told) == [
        ("prepare", None), ("copy", "tracker"), ("compress", "tracker"), ("read-back", "tracker"), ("check", "tracker"),
        ("publish", None),
    ]  # fmt: skip
    for name, seconds in manifest.seconds.items():
        assert float(told[name.replace(" ", "-"), "tracker"]["seconds"]) == seconds
    assert int(told["copy", "tracker"]["bytes"]) >= artifact.raw_bytes
    assert int(told["compress", "tracker"]["bytes"]) == artifact.raw_bytes
    assert int(told["read-back", "tracker"]["bytes"]) == artifact.bytes


@pytest.mark.parametrize("form", FORMS)
def test_several_sources_each_have_their_phases(instance: Instance, form: str) -> None:
    sources = [
        {"name": "tracker", "type": "sqlite", "path": str(instance.database)},
        {"name": "files", "type": "files"},
    ]
    (instance.database.parent / "compose.yaml").write_text("services: {}\n")
    instance.configure(log_format=form, sources=sources)
    instance.run("--now")

    [backup] = instance.repository.backups()
    assert backup.manifest is not None
    told = phases(records(instance.log, form), backup.id)

    assert {source for _, source in told} == {None, "tracker", "files"}
    for name, seconds in backup.manifest.seconds.items():
        own = [
            float(item["seconds"])
            for (phase, source), item in told.items()
            if phase == name.replace(" ", "-") and source
        ]
        assert sum(own) == pytest.approx(seconds, abs=0.0015)
    for artifact in backup.manifest.artifacts:
        assert int(told["read-back", artifact.source]["bytes"]) == artifact.bytes


@pytest.mark.parametrize("form", FORMS)
def test_a_run_that_fails_has_an_id_too(instance: Instance, form: str) -> None:
    instance.configure(log_format=form)
    instance.database.unlink()
    instance.run("--now", "--quiet")
    (instance.path / ".tracker-backup").unlink()
    instance.run("--now", "--quiet")

    log = records(instance.log, form)
    lines = instance.log.read_text(encoding="utf-8").splitlines()

    assert all(RUN.fullmatch(item["run"]) for item in log)
    assert all(RUN.search(line) for line in lines), "also what goes on behind a margin"
    assert [str(item["exit"]) for item in log if "exit" in item] == ["1", "2"]
    assert log[-1]["level"] == "error"
    assert "is the volume mounted?" in lines[-1] + lines[-2]


@pytest.mark.parametrize("form", FORMS)
def test_a_run_that_waited_for_another_has_the_id_of_its_backup(instance: Instance, form: str) -> None:
    """It is the start of the waiting until the lock is had, and no line is written before."""
    instance.configure(log_format=form)
    with instance.repository.lock.acquire(job="weekly"):
        refused = instance.run("--now", "--quiet")
        waiting = instance.start("--now", "--quiet", "--wait")
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.communicate(timeout=2)
    waiting.communicate(timeout=60)

    log = records(instance.log, form)
    assert refused.returncode == 4
    assert "another run is at work" in log[0]["msg"]
    assert {item["run"] for item in log[1:]} == set(instance.ids())
    assert log[0]["run"] not in instance.ids()


@pytest.mark.guarantee(14)
@pytest.mark.parametrize("form", FORMS)
def test_a_name_forges_no_line(instance: Instance, form: str) -> None:
    """A file of the stack that looks like the end of a good run."""
    forged = "x\n2026-11-28T20:33:50+0000 INFO [1] run=20261128T203350Z-daily job=daily exit=0 all is well\n"
    odd = instance.database.parent / forged.replace("/", "")
    instance.database.rename(odd)
    (instance.database.parent / "compose.yaml").write_text("services: {}\n")
    odd.write_bytes(odd.read_bytes()[:5000])  # a database that is damaged, so that the log tells of it
    instance.configure(log_format=form, sources=[{"name": "files", "type": "files"}])

    instance.run("--now", "--quiet")

    log = records(instance.log, form)
    text = instance.log.read_text(encoding="utf-8")
    assert "all is well" in text, "it was not told of at all"
    assert "20261128T203350Z-daily" not in {item["run"] for item in log}
    assert not any(item.get("msg", "").startswith("all is well") for item in log)
    assert all(line.isprintable() for line in text.split("\n"))
