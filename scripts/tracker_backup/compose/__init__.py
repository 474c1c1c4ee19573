"""Compose: a directory's Compose files, .env and environment files in, one project out, as Docker Compose reads them.

`project.load_project` is the way in. Nothing here knows what runs in the containers; only `reading` touches files.
"""
