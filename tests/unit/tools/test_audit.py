"""What is made of the answers about the pins: nothing unknown is called sound, and no network is no vulnerability."""

from __future__ import annotations

import pytest

import audit

SOUND = {"name": "sh", "version": "2.4.0", "vulns": []}
BAD = {
    "name": "pyyaml",
    "version": "5.3",
    "vulns": [{"id": "PYSEC-2021-142", "fix_versions": ["5.4"]}, {"id": "PYSEC-0", "fix_versions": []}],
}
UNKNOWN = {"name": "rich", "skip_reason": "Dependency not found on PyPI and could not be audited: rich (15.0.0)"}


def test_a_known_vulnerability_is_a_failure_with_what_mends_it() -> None:
    code, said = audit.verdict(audit.read([SOUND, BAD, UNKNOWN]))

    assert code == 1
    assert said.splitlines() == ["pyyaml 5.3: PYSEC-2021-142, mended in 5.4", "pyyaml 5.3: PYSEC-0, mended in none"]


def test_what_was_asked_about_is_counted() -> None:
    assert audit.verdict(audit.read([SOUND])) == (0, "note: no vulnerability is known of any of 1 packages")


def test_what_is_not_known_there_is_named() -> None:
    assert audit.verdict(audit.read([SOUND, UNKNOWN])) == (0, "note: 1 of 2 are not known there: rich")


def test_that_nobody_could_be_asked_is_said_and_no_failure() -> None:
    code, said = audit.verdict(None)

    assert code == 0
    assert said.startswith("note: NOT AUDITED")


@pytest.mark.parametrize(
    "printed", ['{"dependencies": [{"name": "rich", "skip_reason": "not found"}]}', "", "Traceback", "[]", "{}"]
)
def test_a_service_that_knows_nothing_has_not_answered(monkeypatch: pytest.MonkeyPatch, printed: str) -> None:
    """As a mirror of packages does, which pip-audit takes for a clean bill: it exits with 0."""
    monkeypatch.setattr(audit, "answers", lambda _address: True)
    done = type("Done", (), {"stdout": printed})
    monkeypatch.setattr(audit.subprocess, "run", lambda *_arguments, **_options: done)

    assert audit.ask("pypi") is None


def test_an_address_that_nobody_answers_at_is_no_service() -> None:
    assert not audit.answers("http://127.0.0.1:9/")
