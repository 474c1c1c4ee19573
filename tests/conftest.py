"""What all tests share: an environment that does not depend on who runs them, and where things are."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from side_by_side import SLOW_UNTIL
from support.enginefixtures import engine
from support.faults import FULL, rounds

__all__ = ["engine"]

ROOT = Path(__file__).resolve().parent.parent

set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
# A loaded machine is slow, that is no failure.
settings.register_profile(
    "tracker-backup",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    max_examples=rounds(1000, short=100),
)
settings.load_profile("tracker-backup")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the settings that a developer's shell may carry, and give Ansible what it insists on."""
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    for name in ("TRACKER_BACKUP_CONFIG_DIRECTORY", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TZ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("ANSIBLE_HOME", str(ROOT / ".cache" / "ansible"))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the top directory of the checkout."""
    return ROOT


@pytest.fixture
def open_path() -> Iterator[Path]:
    """Return a directory that other users may enter; `tmp_path` lies below what pytest closes whenever one starts."""
    base = Path(tempfile.mkdtemp(prefix="tracker-backup-test-"))
    base.chmod(0o755)
    yield base
    shutil.rmtree(base)


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Return what counts for the table of guarantees: tally("instants killed", 300) goes into the JUnit report."""

    def count(what: str, number: int) -> None:
        record_property(f"tally {what}", number)

    return count


class SaysAtOnce:
    """Names what fails when it fails: whoever waits an hour for the summary, or never gets it, knows already."""

    def __init__(self, config: pytest.Config) -> None:
        """Write where pytest writes."""
        self._plugins = config.pluginmanager

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a line about a test, or its preparation, that has failed."""
        terminal = self._plugins.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line(f"\n{report.nodeid} FAILED in its {report.when} after {report.duration:.0f} s")


def pytest_configure(config: pytest.Config) -> None:
    """Tell at once, where one process shows what many do."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(SaysAtOnce(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note in the report which promises of docs/guarantees.md a test tries to break; leave what is thorough to faults.

    Raises pytest.UsageError for a thorough test that `make faults` would not find.
    """
    thorough = [item for item in items if item.get_closest_marker("thorough")]
    if lost := [item.nodeid for item in thorough if not item.get_closest_marker("guarantee")]:
        raise pytest.UsageError(f"thorough, but without a guarantee, so that nothing would ever run it: {lost}")
    if not FULL:
        config.hook.pytest_deselected(items=thorough)
        items[:] = [item for item in items if item not in thorough]
    for item in items:
        for mark in item.iter_markers("guarantee"):
            item.user_properties += [("guarantee", number) for number in mark.args]


@pytest.hookimpl(tryfirst=True)  # before anything is made for it
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a slow test for which this machine leaves no time; the count of skipped ones tells."""
    until = os.environ.get(SLOW_UNTIL)
    if until is not None and item.get_closest_marker("slow") and time.time() > float(until):
        pytest.skip("no time is left for slow tests: this machine has been too slow with the others")
