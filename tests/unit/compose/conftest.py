"""Compose files to read."""

from support.stackfixtures import no_docker, stack, write_stack

__all__ = ["no_docker", "stack", "write_stack"]
