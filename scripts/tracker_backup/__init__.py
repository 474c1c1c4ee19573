"""Back up a BitTorrent tracker that runs as a Docker Compose stack, from its host, while it is used."""

__version__ = "0.1.0"
