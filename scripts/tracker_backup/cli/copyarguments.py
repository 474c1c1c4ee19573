"""The arguments of the commands that have to do with copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Making = Callable[[str, tuple[str, str], str], argparse.ArgumentParser]


def add_copies(command: Making) -> None:
    """Add `init-copy`, `copy` and `fetch`."""
    parser = command("init-copy", ("copies", "init_copy"), "make the restic or borg repository of a copy")
    parser.add_argument("names", metavar="NAME", nargs="*", help="the copy, by its name in the configuration")
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--again", action="store_true", help="also where one was, with copies in it, and is gone")
    parser = command("copy", ("copies", "copy"), "copy the newest backup of each job to where it is missing")
    parser.add_argument("names", metavar="NAME", nargs="*", help="to this copy only")
    parser = command("fetch", ("copies", "fetch"), "bring a backup back from a copy, for restore to take")
    parser.add_argument("id", metavar="ID|latest", help="its id, or latest")
    parser.add_argument("--to", metavar="DIR", required=True, help="where its directory is put")
    parser.add_argument("--json", action="store_true", help="an object with its path")
    add_origin(parser, required=True)


def add_origin(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add the options that say which copy is meant, also where there is no configuration."""
    group = parser.add_argument_group("a copy in restic or borg")
    group.add_argument(
        "--from",
        dest="origin",
        metavar="NAME|PROGRAM:ADDRESS",
        required=required,
        help="a copy of the configuration, or, on a host without one, restic:ADDRESS or borg:ADDRESS",
    )
    group.add_argument("--host", metavar="NAME", help="the host whose backups are meant, where there are several")
    help_file = "the repository's password, where there is no configuration"
    group.add_argument("--password-file", metavar="FILE", help=help_file)
    group.add_argument("--environment-file", metavar="FILE", help="lines NAME=VALUE, such as the keys for S3")
    group.add_argument("--ssh-key", metavar="FILE", help="private key for SFTP and SSH")
    group.add_argument("--ssh-known-hosts", metavar="FILE", help="host keys for SFTP and SSH")
