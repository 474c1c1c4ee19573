"""One instance's configuration: its schema, its frozen form, and how it is found and loaded."""
