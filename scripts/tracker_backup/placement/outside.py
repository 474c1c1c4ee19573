#!/usr/bin/python3 -I
"""The command tracker-backup on a host whose backups run in containers of the stack: the same words, run there.

The role puts this file into /usr/local/bin as it is; standard library only. `--instance NAME` chooses whose containers,
by their labels. Of sidecars each is asked what concerns its own source, and JSON is put together; what concerns the
repository, which they share, one of them does.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
from typing import Any

INSTANCE = "org.tracker-backup.instance"
SOURCE = "org.tracker-backup.source"
HELPER = "org.tracker-backup.helper"
ONE_OFF = "com.docker.compose.oneoff"
COMMANDS = (
    "accept", "compose", "config", "copy", "discover", "doctor", "fetch", "init", "init-copy", "keep", "list", "move",
    "notify", "prune", "restore", "schedule", "show", "status", "unkeep", "verify",
)  # fmt: skip
OF_EACH = {"--now", "config", "copy", "discover", "doctor", "init-copy", "schedule", "status", ""}
"""What sidecars do each for itself; without a command it is `status` in short."""
OF_ITS_SOURCE = {"--now", "restore"}
"""Commands whose `--source` says whose sidecar is meant."""
LOOKS = {"status", ""}
NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
"""Of the exit codes of `status`."""
STATES = ["CRITICAL", "WARNING", "UNKNOWN", "OK"]
CRITICAL, USAGE = 2, 2
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
CALL = "TRACKER_BACKUP_CALL"
# Of `docker exec` without a terminal no signal arrives inside: the run is found by what it was started with.
END = """for each in /proc/[0-9]*; do
    if tr '\\0' '\\n' <"$each/environ" 2>/dev/null | grep -qx "$1"; then kill -TERM "${each#/proc/}" && exit; fi
done"""


class RefusalError(Exception):
    """What keeps us from doing anything: what is wrong, and what to do."""


def main(words: list[str]) -> int:
    """Run the words where they belong and return the exit code."""
    try:
        return run(words)
    except RefusalError as refused:
        what, remedy = refused.args
        sys.stderr.write(f"tracker-backup: {what}\n  {remedy}\n")
        return USAGE


def run(words: list[str]) -> int:
    """Find the containers and run the words in them; raises RefusalError."""
    instance, command = value_of(words, "--instance"), command_of(words)
    containers = containers_of(instance)
    instances = sorted({each["instance"] for each in containers})
    if not containers:
        whose = f" of instance {instance}" if instance else ""
        raise RefusalError(
            f"there is no container of the backup{whose} on this host",
            "start it, in the stack's directory: docker compose up --detach",
        )
    if len(instances) > 1 and command not in LOOKS:
        raise RefusalError(
            f"several instances are on this host: {', '.join(instances)}", "choose one with --instance NAME"
        )
    named = instance is not None or value_of(words, "--config") is not None
    calls = [
        (each, [*([] if named else ["--instance", each["instance"]]), *words_for(each, words, command)])
        for each in chosen(containers, words, command)
    ]
    if len(calls) == 1 or (command not in OF_EACH and len(instances) == 1):
        container, given = calls[0]
        require_running(container)
        return in_container(container, given)
    return in_each(calls, command)


def chosen(containers: list[dict[str, str]], words: list[str], command: str) -> list[dict[str, str]]:
    """Return the containers that are meant: of sidecars those of the sources that are named; raises RefusalError."""
    known = [each["source"] for each in containers if each["source"]]
    wanted = values_of(words, "--source") if command in OF_ITS_SOURCE else []
    job = value_of(words, "--job") if command == "--now" else None
    if job is not None:
        wanted += [source for source in known if job.endswith(f"-{source}")]
    if not known or not wanted:
        return containers
    found = [each for each in containers if each["source"] in wanted]
    if not found:
        raise RefusalError(f"there is no sidecar of {', '.join(wanted)}", f"there are: {', '.join(known)}")
    return found if command == "--now" else found[:1]


def words_for(container: dict[str, str], words: list[str], command: str) -> list[str]:
    """Return the words for one container: a sidecar knows no source but its own."""
    if command != "--now" or not container["source"]:
        return words
    kept, skipped = [], False
    for word, after in itertools.zip_longest(words, words[1:]):
        if skipped:
            skipped = False
        elif word == "--source" and after != container["source"]:
            skipped = True
        elif not word.startswith("--source=") or word == f"--source={container['source']}":
            kept.append(word)
    return kept


def containers_of(instance: str | None) -> list[dict[str, str]]:
    """Return the containers of an instance, or of all, by their sources' names, also those that do not run."""
    label = f"{INSTANCE}={instance}" if instance else INSTANCE
    labels = (INSTANCE, SOURCE, HELPER, ONE_OFF)
    form = "\t".join(["{{.ID}}", "{{.State}}", "{{.Names}}", *(f'{{{{.Label "{name}"}}}}' for name in labels)])
    command = ["docker", "ps", "--all", "--no-trunc", "--filter", f"label={label}", "--format", form]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(), check=False
        )
    except OSError as error:
        raise RefusalError(f"docker cannot be run: {error.strerror}", "install Docker, or look at its PATH") from None
    if done.returncode != 0:
        raise RefusalError(f"docker: {done.stderr.strip()}", "run the same command with sudo")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    keys = ("id", "state", "name", "instance", "source")
    found = [dict(zip(keys, row, strict=False)) for row in rows if not row[5] and row[6].lower() != "true"]
    return sorted(found, key=lambda each: (each["instance"], each["source"]))


def require_running(container: dict[str, str]) -> None:
    """Raise RefusalError where a container cannot run anything."""
    if container["state"] != "running":
        raise RefusalError(not_running(container), "start it, in the stack's directory: docker compose up --detach")


def not_running(container: dict[str, str]) -> str:
    """Say that a container does not run."""
    return f"container {container['name']} is {container['state']}: no backup is made by it"


def in_container(container: dict[str, str], words: list[str]) -> int:
    """Run the command in a container: at a terminal by becoming it, else such that signals reach it all the same."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        command = [*start(["--interactive", "--tty"]), container["id"], "tracker-backup", *words]
        os.execvpe("docker", command, environment())  # noqa: S606 - its terminal, signals and exit code are ours
    return called(container, words)[0]


def called(container: dict[str, str], words: list[str], *, keep: bool = False) -> tuple[int, bytes]:
    """Run the command in a container and return its exit code, and with `keep` what it has printed."""
    call = f"{CALL}={os.urandom(8).hex()}"
    command = [*start([f"--env={call}"]), container["id"], "tracker-backup", *words]
    output = subprocess.PIPE if keep else None
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, env=environment()) as running:

        def end(number: int, _frame: object) -> None:
            ending = ["docker", "exec", container["id"], "sh", "-c", END, "sh", call]
            subprocess.run(ending, stdin=subprocess.DEVNULL, env=environment(), check=False)
            ended.append(number)

        ended: list[int] = []
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        printed = running.communicate()[0] or b""
    return running.returncode, printed


def in_each(calls: list[tuple[dict[str, str], list[str]]], command: str) -> int:
    """Run the command in each of the containers, one after the other; return the exit code that says most."""
    several = len({container["instance"] for container, _ in calls}) > 1
    codes: dict[str, int] = {}
    printed: dict[str, bytes] = {}
    words = calls[0][1]
    as_json, quiet = "--json" in words, "--quiet" in words or "-q" in words
    kept = as_json or command in LOOKS
    for container, own_words in calls:
        name = "/".join(filter(None, [container["instance"] if several else "", container["source"]]))
        if not kept and not quiet:
            say(f"{name}:")
        if container["state"] == "running":
            codes[name], printed[name] = called(container, own_words, keep=kept)
        elif kept and not as_json:
            codes[name], printed[name] = CRITICAL, f"CRITICAL: {not_running(container)}".encode()
        else:
            sys.stderr.write(f"tracker-backup: {not_running(container)}\n")
            codes[name], printed[name] = (CRITICAL if command in LOOKS else 1), b""
    code = worst(list(codes.values()), command)
    if as_json:
        say(json.dumps(together({name: document(name, text) for name, text in printed.items()}), indent=2))
    elif command == "status":
        say(f"{NAMES[code]}: {', '.join(f'{name} {NAMES[state_of(each)]}' for name, each in codes.items())}")
    for name, text in printed.items() if kept and not as_json else ():
        say(f"\n{name}: {text.decode(errors='replace').strip()}")
    return code


def state_of(code: int) -> int:
    """Return the state that an exit code of `status` says; one of `docker exec` is critical."""
    return code if code in range(len(NAMES)) else CRITICAL


def document(name: str, text: bytes) -> Any:
    """Return what a container has printed as JSON; where it has printed none, a state that says so."""
    try:
        return json.loads(text)
    except ValueError:
        reason = {"level": "CRITICAL", "text": f"the container of {name} does not answer"}
        return {"state": "CRITICAL", "reasons": [reason], "jobs": []}


def together(documents: dict[str, Any]) -> Any:
    """Return what several containers have printed as one document of the form that one prints."""
    lists = [item for item in documents.values() if isinstance(item, list)]
    if lists:
        return [item for each in lists for item in each]
    state = min((item.get("state", "UNKNOWN") for item in documents.values()), key=STATES.index)
    return {
        "state": state,
        "reasons": [{"instance": name, **entry} for name, item in documents.items() for entry in item["reasons"]],
        "jobs": [{"instance": name, **entry} for name, item in documents.items() for entry in item["jobs"]],
        "instances": list(documents.values()),
    }


def worst(codes: list[int], command: str) -> int:
    """Return the exit code that says most; those of `status` are Nagios's."""
    if not command:
        return 0  # it only shows
    if command == "status":
        known = {state_of(code) for code in codes}
        return next(code for code in (2, 1, 3, 0) if code in known)
    if command == "--now" and set(codes) - {USAGE}:
        codes = [code for code in codes if code != USAGE]  # a job that another sidecar has
    return next((code for code in (1, 5, 2, 4, 3) if code in codes), max(codes))


def command_of(words: list[str]) -> str:
    """Return the command that the words hold, "--now", or "" where there is none."""
    if "--now" in words:
        return "--now"
    values = {after for word, after in itertools.pairwise(words) if word in {"--instance", "--config"}}
    return next((word for word in words if word in COMMANDS and word not in values), "")


def values_of(words: list[str], option: str) -> list[str]:
    """Return all values of an option."""
    found = [after for word, after in itertools.pairwise(words) if word == option]
    return found + [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]


def value_of(words: list[str], option: str) -> str | None:
    """Return the value of an option, None where it is not given."""
    for word, after in itertools.zip_longest(words, words[1:]):
        if word == option:
            return after
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def start(terminal: list[str]) -> list[str]:
    """Return how a command in a container begins; the terminal's width goes along."""
    kept = [f"--env={name}" for name in ("TERM", "COLUMNS", "LINES", "NO_COLOR") if name in os.environ]
    return ["docker", "exec", *terminal, *kept]


def environment() -> dict[str, str]:
    """Return the environment of docker: our own PATH, and what it needs to know of the terminal."""
    kept = ("TERM", "COLUMNS", "LINES", "NO_COLOR", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT")
    return {**{name: os.environ[name] for name in kept if name in os.environ}, **ENVIRONMENT}


def say(text: str) -> None:
    """Print a line at once, before what others print."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
