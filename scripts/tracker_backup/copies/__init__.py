"""Backups copied to restic and borg repositories, and brought back from there."""
