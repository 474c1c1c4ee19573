"""The stack's containers: found by Compose's labels, frozen and thawed by plain docker, without Compose."""
