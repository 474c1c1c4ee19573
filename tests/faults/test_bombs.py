"""A few lines that stand for more than any memory holds, or for no end: refused at once, in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from support.program import Installation

pytestmark = [pytest.mark.guarantee(14), pytest.mark.guarantee(16)]

LEVELS = range(1, 10)
SERVICES = "services:\n  tracker:\n    image: torrust/tracker\n"
LIMITED = ("timeout", "--signal=KILL", "60", "prlimit", f"--as={600 * 1024**2}")
"""So much that the program needs the tenth of it, and no more than a small host can spare."""


def aliases_of_aliases() -> str:
    return "x-a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"x-a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]\n" for level in LEVELS
    )


def merges_of_merges() -> str:
    return "x-a0: &a0 {a: x, b: x}\n" + "".join(
        f"x-a{level}: &a{level} {{<<: [{','.join([f'*a{level - 1}'] * 9)}]}}\n" for level in LEVELS
    )


def doubled_variables() -> str:
    return "V0=" + "x" * 100 + "\n" + "".join(f"V{n}=${{V{n - 1}}}${{V{n - 1}}}\n" for n in range(1, 40))


STACKS: dict[str, dict[str, str]] = {
    "aliases": {"compose.yaml": aliases_of_aliases() + SERVICES + "    environment: *a9\n"},
    "merges": {"compose.yaml": merges_of_merges() + SERVICES + "    environment: *a9\n"},
    "itself": {"compose.yaml": "services: &s\n  tracker: *s\n"},
    "brackets": {"compose.yaml": SERVICES + "    labels: " + "[" * 50_000 + "]" * 50_000 + "\n"},
    "defaults": {"compose.yaml": SERVICES.replace("torrust/tracker", "${A:-" * 5000 + "}" * 5000)},
    "variables": {"compose.yaml": SERVICES, ".env": doubled_variables()},
    "a variable that is long": {"compose.yaml": SERVICES + "    environment: {A: '" + "$B" * 3000 + "'}\n",
                                ".env": "B=" + "x" * 1000 + "\n"},
    "toml": {"compose.yaml": SERVICES + "    volumes: ['./etc:/etc/torrust']\n",
             "etc/tracker/tracker.toml": "a = " + "[" * 50_000 + "]" * 50_000},
    "extends": {"compose.yaml": SERVICES + "    extends: {file: compose.yaml, service: tracker}\n"},
    "include": {"compose.yaml": "include: [compose.yaml]\n" + SERVICES},
}  # fmt: skip


@pytest.mark.parametrize("kind", STACKS)
def test_a_stack(host: Installation, kind: str) -> None:
    for name, text in STACKS[kind].items():
        (host.data / name).parent.mkdir(parents=True, exist_ok=True)
        (host.data / name).write_text(text)
    host.configure(sources=None)

    done = host.run("discover", wrap=LIMITED)

    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("tracker-backup: ")
    assert "internal error" not in done.stderr
    assert len(done.stderr) < 2000


CONFIGURATIONS: dict[str, Callable[[str], str]] = {
    "aliases": lambda text: aliases_of_aliases() + text + "jobs: *a9\n",
    "merges": lambda text: merges_of_merges() + text + "schedule: *a9\n",
    "itself": lambda text: text + "jobs: &j [*j]\n",
    "brackets": lambda text: text + "jobs: " + "[" * 50_000,
    "an object of Python's": lambda text: text + "log_file: !!python/object/apply:os.system ['touch canary']\n",
    "digits": lambda text: text + "max_run_seconds: " + "9" * 100_000 + "\n",
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_a_configuration(host: Installation, kind: str) -> None:
    file = host.config_directory / "default.yml"
    needed = {"stack": str(host.data), "repository": str(host.repository)}
    file.write_text(CONFIGURATIONS[kind](yaml.safe_dump(needed)))

    done = host.run("config", "check", wrap=LIMITED)

    assert done.returncode == 2, done.stdout + done.stderr
    assert "internal error" not in done.stderr
    assert not Path("canary").exists()
    assert not (host.directory / "canary").exists()


@pytest.mark.guarantee(11)
@pytest.mark.parametrize("inner", ['{"a":', "["])
def test_a_manifest(host: Installation, inner: str) -> None:
    newer = max(host.repository.glob("[0-9]*"))
    (newer / "manifest.json").write_text('{"format": 1, "seconds": ' + inner * 200_000)

    done = host.run("list", wrap=LIMITED)

    assert done.returncode == 0, done.stderr
    assert f"{newer.name} is unreadable" in done.stdout
