"""Helpers of the orchestrator: the same program, in a short-lived container that sees what the tracker's does.

The orchestrator itself sees nothing of the stack. What needs its data is run in a container that is made for it and
gone after it: the stack's directory and all that its containers have mounted, each under the host's path, and what the
orchestrator has. A helper that has begun goes on when whoever has started it is killed.
"""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.config.model import ABSENT_VARIABLE, ORCHESTRATOR
from tracker_backup.containers.docker import OWN_LABEL, TIMEOUT_SECONDS, docker_program
from tracker_backup.containers.pause import FREEZER_VARIABLE
from tracker_backup.containers.reachable import reachable
from tracker_backup.containers.services import stack_containers
from tracker_backup.errors import CommandError
from tracker_backup.inplace.marker import MARKER_NAME as RESTORING_NAME
from tracker_backup.placement.outside import CALL as CALL_VARIABLE
from tracker_backup.sources.files.systemplaces import belongs_to_the_system
from tracker_backup.system.container import PLACEMENT_VARIABLE
from tracker_backup.system.files import unused_name
from tracker_backup.system.process import clean_environment, run
from tracker_backup.system.trust import TRUSTED_VARIABLE

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.containers.services import ServiceContainer
    from tracker_backup.placement.here import Here

HELPER_LABEL = "org.tracker-backup.helper"
_COMMANDS = frozenset({"restore", "discover", "doctor"})
"""Beside --now: what looks at the stack, or changes it."""

_STOP_SECONDS = 90  # less than the containers have themselves, see composing.py
_UNSTARTED = "10m"
_MISSING = re.compile(r"bind source path does not exist: (.+)")


def is_delegated(arguments: Namespace) -> bool:
    """Return whether a command is about the stack, so that in the orchestrator a helper has to carry it out."""
    return bool(arguments.now) or arguments.chosen in _COMMANDS


def delegate(config: Config, here: Here, words: Sequence[str], *, in_place: bool) -> None:
    """Become the command that runs these words in a helper; its exit code is theirs.

    Raises CommandError where the helper cannot be made.
    """
    helper = _made(config, here, words, in_place=in_place)
    docker = docker_program()
    heard = ["--interactive"] if _at_terminal() else []
    # The command on the host finds us by this variable, to end us.
    environment = clean_environment({name: os.environ[name] for name in (CALL_VARIABLE,) if name in os.environ})
    # Not a child: signals and exit code are the helper's without our doing.
    os.execve(docker, [docker, "start", "--attach", *heard, helper], environment)  # noqa: S606 - no shell is wanted


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def stop_helpers(instance: str) -> None:
    """End the helpers of an instance, each as it would end by itself after SIGTERM.

    Raises CommandError when Docker cannot.
    """
    label = f"label={HELPER_LABEL}={instance}"
    listed = run([docker_program(), "ps", "--quiet", "--no-trunc", "--filter", label], timeout_seconds=TIMEOUT_SECONDS)
    if helpers := listed.stdout.split():
        stop = [docker_program(), "stop", "--time", str(_STOP_SECONDS), *helpers]
        run(stop, timeout_seconds=_STOP_SECONDS + TIMEOUT_SECONDS, check=False)


def _made(config: Config, here: Here, words: Sequence[str], *, in_place: bool) -> str:
    """Make a helper and return its id; a place that the host does not have is left out, and the helper told so."""
    _forget_unstarted(config.instance)
    places = stack_places(config.stack, stack_containers([config.stack]), here.places.splitlines())
    absent: list[str] = []
    while True:
        options = _options(config, here, in_place=in_place)
        options += ["--env", f"{ABSENT_VARIABLE}={chr(10).join(absent)}"]
        options += [word for place in places for word in ("--mount", mount_option(place))]
        command = [docker_program(), "create", *options, reachable(here.container).image, "tracker-backup", *words]
        made = run(command, timeout_seconds=TIMEOUT_SECONDS, check=False)
        if made.exit_code == 0:
            return made.stdout.split()[-1]
        missing = _MISSING.search(made.stderr)
        if missing is None or missing[1].strip() not in places:
            raise CommandError(
                f"a helper cannot be made: {made.stderr.strip()[:300]}", hint="look at `docker ps --all`"
            )
        places.remove(missing[1].strip())
        absent.append(missing[1].strip())


def _forget_unstarted(instance: str) -> None:
    """Remove helpers that were made a while ago and never started, as their makers were killed in between."""
    filters = ["--filter", f"label={HELPER_LABEL}={instance}", "--filter", f"until={_UNSTARTED}"]
    run([docker_program(), "container", "prune", "--force", *filters], timeout_seconds=TIMEOUT_SECONDS, check=False)


def _options(config: Config, here: Here, *, in_place: bool) -> list[str]:
    name = f"tracker-backup-{config.instance}-{unused_name()}"
    options = ["--rm", "--init", *(["--interactive", "--tty"] if _at_terminal() else []), "--name", name]
    options += ["--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp", "--workdir", str(config.restored)]  # noqa: S108 - its own
    options += ["--pull", "never", "--uts", "host", "--network", f"container:{here.container}"]
    options += ["--security-opt", "no-new-privileges:true", "--cap-drop", "ALL"]
    capabilities = ["CHOWN", "FOWNER", "DAC_OVERRIDE"]
    if in_place or (config.state_directory / RESTORING_NAME).exists():
        options += ["--pid", "host"]  # who else has the live file open is seen in /proc only
        capabilities.append("SYS_PTRACE")
    options += [word for capability in capabilities for word in ("--cap-add", capability)]
    options += ["--label", f"{HELPER_LABEL}={config.instance}", "--label", f"{OWN_LABEL}={ORCHESTRATOR}"]
    told = {FREEZER_VARIABLE: here.container, PLACEMENT_VARIABLE: ORCHESTRATOR, TRUSTED_VARIABLE: here.trusted}
    told |= {name: os.environ[name] for name in ("TERM", "NO_COLOR", "COLUMNS", "LINES", "TZ") if name in os.environ}
    options += [word for variable, value in told.items() for word in ("--env", f"{variable}={value}")]
    return [*options, "--volumes-from", here.container]


def mount_option(place: str) -> str:
    """Return what `docker create --mount` takes for a place under its own name; it is read as a line of CSV."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(["type=bind", f"source={place}", f"target={place}"])
    return written.getvalue()


def stack_places(stack: Path, containers: Iterable[ServiceContainer], noted: Iterable[str] = ()) -> list[str]:
    """Return the directory of a stack, and what of the host beside it is `noted`, or its containers have mounted.

    Of what they have mounted, but not of what is noted, the host's own system is left out.
    """
    mounted = [Path(bind.source) for container in containers for bind in container.binds]
    places = [stack]
    for place in (*map(Path, noted), *(each for each in mounted if _is_of_the_stack(each))):
        if not any(place.is_relative_to(known) for known in places):
            places.append(place)
    return list(map(str, places))


def _is_of_the_stack(place: Path) -> bool:
    return place.is_absolute() and belongs_to_the_system(str(place)) is None and place.suffix != ".sock"
