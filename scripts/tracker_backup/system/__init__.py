"""The machine: programs, files, signals, time and the logs. Knows nothing of backups."""
