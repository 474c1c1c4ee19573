"""What can be backed up: one sub-package per type of source, all behind the driver of `interface`."""
