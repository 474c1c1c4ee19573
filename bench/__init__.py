"""The benchmark: ways to back up a live tracker database, measured side by side in one run. `make bench`."""
