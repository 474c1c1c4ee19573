"""Places of the host's system that services like to see, and that no backup of a stack should hold."""

from __future__ import annotations

_TREES = (
    "/bin", "/boot", "/dev", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/cache",
    "/var/lib/containerd", "/var/lib/docker", "/var/run",
    "/etc/ca-certificates", "/etc/ssh", "/etc/ssl/certs", "/etc/systemd",
)  # fmt: skip
_THEMSELVES = frozenset({
    "/", "/etc", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/usr/local", "/var", "/var/backups",
    "/tmp", "/var/tmp",  # noqa: S108 - nothing is put there
    "/var/lib", "/var/log", "/var/spool",
    "/etc/group", "/etc/hostname", "/etc/hosts", "/etc/localtime", "/etc/machine-id", "/etc/nsswitch.conf",
    "/etc/os-release", "/etc/passwd", "/etc/resolv.conf", "/etc/shadow", "/etc/timezone",
})  # fmt: skip
_NOT_OF_IT = ("/usr/local/", "/var/lib/docker/volumes/")
_EXTRA = "if it belongs to the stack, name it in files.extra_paths"


def belongs_to_the_system(path: str) -> str | None:
    """Return why a mounted path is no part of the stack but of the system itself, or None."""
    if path in _THEMSELVES or any(path == tree or path.startswith(f"{tree}/") for tree in _TREES):
        return None if path.startswith(_NOT_OF_IT) else f"part of the host's system; {_EXTRA}"
    return None
