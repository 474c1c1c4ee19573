"""When backups run: the crontab entries, where they stand, and the times they stand for."""
