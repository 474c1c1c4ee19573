"""What may stand on the command line."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, NoReturn

from tracker_backup import __version__
from tracker_backup.cli.copyarguments import add_copies, add_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EXIT_CODES = """\
exit codes: 0 done; 1 failed, nothing published; 2 usage, configuration or privilege; 3 partial, pending, or a
source of less than half its usual size; 4 another run holds the lock; 5 a check failed; 129, 130, 143 hung up,
interrupted, terminated.
`status` has those of Nagios: 0 ok, 1 warning, 2 critical, 3 unknown.
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors say what to do next."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2, as every mistake in usage does."""
        self.exit(2, f"{self.prog}: {message}\n  see: {self.prog} --help\n")


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; `command` is the function that carries them out.

    Exits with 0 after --help and --version, with 2 when they make no sense.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.now and arguments.chosen:
        parser.error(f"--now and {arguments.chosen} are two commands")
    given = [option for option, name in _NOW_OPTIONS.items() if getattr(arguments, name)]
    if given and not arguments.now:
        # Passed over, --dry-run before `prune` would delete, and --job without --now would back nothing up.
        place = "; an option of a command stands after it" if arguments.chosen else ""
        parser.error(f"{given[0]} goes with --now only{place}")
    if arguments.chosen == "restore" and arguments.to is not None and not arguments.to.strip():
        # A variable that is not set, perhaps: it would mean the directory that one happens to be in.
        parser.error("--to names no directory: for the one that you are in, say --to .")
    if arguments.chosen == "restore" and not arguments.in_place:
        given = [option for option, name in _IN_PLACE_OPTIONS.items() if getattr(arguments, name)]
        if given:
            parser.error(f"{given[0]} goes with --in-place only")
    return arguments


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; nothing that a command needs is imported by that."""
    parser = _Parser(
        prog="tracker-backup",
        description="Back up a live BitTorrent tracker, prove the copy, restore it.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common(top=True)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tracker-backup {__version__}")
    _add_now(parser)
    commands = parser.add_subparsers(title="commands", dest="chosen", metavar="COMMAND", parser_class=_Parser)
    for add in (_add_list, _add_show, _add_verify, _add_restore, _add_prune, _add_marks, _add_status):
        add(commands)
    add_copies(lambda *given: _command(commands, *given))
    for add in (
        _add_discover,
        _add_doctor,
        _add_notify,
        _add_schedule,
        _add_config,
        _add_init,
        _add_move,
        _add_compose,
    ):
        add(commands)
    parser.set_defaults(command=_lazy("status", "default"))
    return parser


def _common(*, top: bool = False) -> _Parser:
    """Options that may stand before or after a command; there they must not put back what stood before it."""
    common = _Parser(add_help=False, argument_default=None if top else argparse.SUPPRESS)
    group = common.add_argument_group("options of every command")
    group.add_argument("--instance", metavar="NAME", help="the instance; needed where there are several")
    group.add_argument("--config", metavar="PATH", help="a configuration file outside /etc/tracker-backup")
    default = False if top else argparse.SUPPRESS
    help_verbose = "say more; show where an error came from"
    group.add_argument("-v", "--verbose", action="store_true", default=default, help=help_verbose)
    help_quiet = (
        "silent unless something is wrong. With --now it also says that a schedule runs it, not a person, as crontab "
        "entries do: the dead man's switch is told, and what keeps the run from starting goes into log and status"
    )
    group.add_argument("-q", "--quiet", action="store_true", default=default, help=help_quiet)
    return common


def _lazy(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """Return a function that imports the command's module when it is called: start-up is felt."""

    def command(arguments: argparse.Namespace) -> int:
        found: Callable[[argparse.Namespace], int] = getattr(
            importlib.import_module(f"tracker_backup.cli.{module}"), function
        )
        return found(arguments)

    return command


class _Now(argparse.Action):
    """--now is a command, though it looks like an option."""

    def __call__(self, _parser: object, namespace: argparse.Namespace, *_: object) -> None:
        """Choose the command."""
        namespace.now = True
        namespace.command = _lazy("backup", "now")


def _add_now(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a backup, now")
    group.add_argument("--now", action=_Now, nargs=0, default=False, help="back up")
    group.add_argument("--job", metavar="NAME", help="the job; without it the first of the configuration")
    help_source = "this source only; counts for no job"
    group.add_argument("--source", dest="only_sources", metavar="NAME", action="append", help=help_source)
    group.add_argument("--if-due", action="store_true", help="only what a job's schedule has missed")
    group.add_argument("--wait", action="store_true", help="wait while another run is at work")
    group.add_argument("--after-boot", action="store_true", help="wait up to 10 minutes for the stack's disks")
    help_dry = "say what would be done, and do nothing"
    group.add_argument("--dry-run", dest="rehearse", action="store_true", help=help_dry)


# Names of their own where a command has such an option, too: its default would replace what stands before it.
_NOW_OPTIONS = {
    "--job": "job",
    "--source": "only_sources",
    "--if-due": "if_due",
    "--wait": "wait",
    "--after-boot": "after_boot",
    "--dry-run": "rehearse",
}


_IN_PLACE_OPTIONS = {"--yes": "yes", "--discard-current": "discard_current", "--leave-stopped": "leave_stopped"}


def _command(commands: argparse._SubParsersAction[_Parser], name: str, function: tuple[str, str], text: str) -> _Parser:
    parser = commands.add_parser(name, help=text, description=text, parents=[_common()], allow_abbrev=False)
    parser.set_defaults(command=_lazy(*function))
    return parser


def _add_list(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "list", ("backups", "list_backups"), "the backups, oldest first")
    parser.add_argument("--all", action="store_true", help="also what is in quarantine")
    parser.add_argument("--copies", action="store_true", help="what is in the copies, in restic and borg, instead")
    parser.add_argument("--json", action="store_true", help="an array of manifests")
    add_origin(parser)


def _add_show(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "show", ("backups", "show"), "one backup")
    parser.add_argument("id", metavar="ID", help="its id, or latest")
    parser.add_argument("--json", action="store_true", help="its manifest")


def _add_verify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "verify", ("recover", "verify"), "read stored backups again, from the disk")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("id", metavar="ID", nargs="?", help="its id")
    which.add_argument("--latest", action="store_true", help="the newest one (the default)")
    which.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--full", action="store_true", help="also unpack, and run the engine's own check")


def _add_restore(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands, "restore", ("recover", "restore"), "put a backup into a directory, or in the place of what is live"
    )
    parser.add_argument("id", metavar="ID|latest|PATH", help="a backup's id, latest, or the path of its directory")
    parser.add_argument("--source", metavar="NAME", action="append", help="this source only")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", metavar="DIR", help="the directory; nothing in it is replaced")
    where.add_argument("--into", metavar="SCHEMA", help="a new or empty schema of the source's MySQL or MariaDB server")
    where.add_argument("--in-place", action="store_true", help="replace what is live; what it replaces is kept")
    help_path = "this file or directory only, of the source files, by its path in the stack"
    parser.add_argument("--path", metavar="PATH", action="append", help=help_path)
    help_table = "this table only, without its triggers; with one source, and --to or --into"
    parser.add_argument("--table", metavar="NAME", action="append", help=help_table)
    help_user = "log in as this user, where the source's own may not do it"
    parser.add_argument("--mysql-user", metavar="NAME", help=help_user)
    parser.add_argument("--mysql-password-file", metavar="FILE", help="his password, in a file that only you can read")
    group = parser.add_argument_group("with --in-place")
    group.add_argument("--yes", action="store_true", help="do not ask")
    help_discard = "keep nothing of what is replaced; where there is no room it is deleted first"
    group.add_argument("--discard-current", action="store_true", help=help_discard)
    group.add_argument("--leave-stopped", action="store_true", help="do not start again what was stopped for it")
    add_origin(parser)


def _add_prune(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "prune", ("manage", "prune"), "delete what the jobs' policies no longer keep")
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and why, and do nothing")
    parser.add_argument("--json", action="store_true", help="an array of backups, each with `keep` and `why`")


def _add_marks(commands: argparse._SubParsersAction[_Parser]) -> None:
    for name, text in (
        ("keep", "pin a backup: no policy deletes it"),
        ("unkeep", "give a pinned backup back to its job's policy"),
        ("accept", "say that a backup's sudden drop in size is right"),
    ):
        parser = _command(commands, name, ("marks", name), text)
        parser.add_argument("id", metavar="ID", help="its id")


def _add_status(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "status", ("status", "status"), "is all well? with exit codes of Nagios")
    parser.add_argument("--json", action="store_true", help="an object with state, reasons and jobs")
    help_html = "also write a page for a browser, in one file: the newest backups, their age, the past as charts"
    parser.add_argument("--html", metavar="FILE", help=help_html)


def _add_discover(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "discover", ("overview", "discover"), "the sources in the stack, and why")
    parser.add_argument("--json", action="store_true", help="an array of sources")


def _add_doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "doctor", ("overview", "doctor"), "what would go wrong tonight, and what to do")
    parser.add_argument("--json", action="store_true", help="an array of findings")


def _add_notify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "notify", ("notify", "notify"), "does a notification arrive? docs/monitoring.md")
    help_test = "send a test message to every address, and say what came of each"
    parser.add_argument("--test", action="store_true", required=True, help=help_test)


def _add_schedule(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "schedule", ("manage", "schedule"), "the crontab entries")
    parser.add_argument("action", choices=("show", "apply", "remove"), help="look, put in place, or take out")
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and do nothing")


def _add_config(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "config", ("manage", "config"), "the configuration")
    parser.add_argument("action", choices=("check", "show", "schema"), help="check it, show it, or its JSON Schema")


def _add_init(commands: argparse._SubParsersAction[_Parser]) -> None:
    _command(commands, "init", ("manage", "init"), "make the repository")


def _add_compose(commands: argparse._SubParsersAction[_Parser]) -> None:
    text = "the Compose file of a placement in containers, which the role puts beside the stack's own"
    parser = _command(commands, "compose", ("compose", "compose"), text)
    parser.add_argument("--image-name", metavar="NAME", required=True, help="the images' name, without their tools")
    help_base = "the image that they are built from, a Debian (default: %(default)s)"
    parser.add_argument("--base-image", metavar="IMAGE", default="docker.io/library/debian:13-slim", help=help_base)
    parser.add_argument("--localtime", metavar="FILE", help="the host's time zone, /etc/localtime where it has one")
    _command(commands, "serve", ("compose", "serve"), "run the schedule in the foreground, in such a container")


def _add_move(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(commands, "move", ("move", "move"), "the stack leaves this host, or arrives on it")
    parser.description = _MOVING
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = ("plan", "leave", "back", "images", "arrive", "withdraw")
    parser.add_argument("action", choices=actions, help="see above")
    parser.add_argument("backup", metavar="BACKUP", nargs="?", help="the directory of a backup, for images and arrive")
    parser.add_argument("--left", metavar="FILE", help="what `leave --json` said: rows that arrive compares with")
    parser.add_argument("--pull", action="store_true", help="images: pull by digest what a registry has, and name it")
    help_lose = "withdraw: also where the tracker has been at work on this host"
    parser.add_argument("--lose-what-is-new", action="store_true", help=help_lose)
    parser.add_argument("--json", action="store_true", help="an object with what there is to say")


_MOVING = """\
The stack leaves this host, or arrives on it; a playbook does both ends: docs/moving.md.

  plan      what would be carried, and what not; changes nothing
  leave     stop the stack, make its last backup, and stay stopped
  back      start again what `leave` has stopped
  images    which images of a backup's stack are on this host
  arrive    put a backup's stack on this host, and start it
  withdraw  stop what has arrived on this host
"""
