"""How the tests run in several processes; `make check`, `make test`, `make test-all` and `make faults` do it alike.

A file's tests run one after the other in one process, since they share what is expensive to make. Files run side by
side in the order in which they are found: what takes long, faults and integration, comes before the unit tests, which
fill what is left in the end.
"""

from __future__ import annotations

PROCESSES = 3
"""More than the two cores that the budgets are for: many tests wait for a server or for a process."""

OPTIONS = (f"--numprocesses={PROCESSES}", "--dist=loadfile", "--no-loadscope-reorder")
"""Of pytest."""

SLOW_UNTIL = "TRACKER_BACKUP_SLOW_TESTS_UNTIL"
"""A variable with the Unix time after which no test that is marked `slow` begins; tools/stages.py sets it."""
