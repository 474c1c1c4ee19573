"""The stack: its Compose project and the services' configuration in, the databases they name out.

`discovery.discover` is the way in. What decides is pure; `compose.reading` touches files, only `survey` asks Docker.
"""
