"""What people see: progress, tables and sentences; and what a dead man's switch hears."""
