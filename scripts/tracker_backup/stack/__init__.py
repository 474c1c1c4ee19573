"""The stack: its Compose files, .env and the services' configuration in, the databases they name out.

`discovery.discover` is the way in. What decides is pure, text in and result out; only `reading` touches files, and
only `survey` asks Docker.
"""
