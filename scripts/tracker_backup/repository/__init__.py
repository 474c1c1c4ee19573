"""The repository (format 1): backups under final names are complete; everything else lies under dot names."""
