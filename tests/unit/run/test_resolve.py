"""What discovery finds becomes sources; whole runs are in tests/integration."""

from __future__ import annotations

from pathlib import Path

from tracker_backup.config.load import load_config
from tracker_backup.run.resolve import resolve_sources

COMPOSE = "services: {tracker: {image: torrust/tracker, volumes: ['./lib:/var/lib/torrust/tracker']}}\n"


def test_containers_are_looked_for_where_the_project_is(tmp_path: Path) -> None:
    """A COMPOSE_FILE that leads elsewhere makes that directory the project's, and the containers' labels name it."""
    stack, project = tmp_path / "stack", tmp_path / "project"
    stack.mkdir()
    project.mkdir()
    (stack / ".env").write_text("COMPOSE_FILE=../project/compose.yaml\n")
    (project / "compose.yaml").write_text(COMPOSE)
    configuration = tmp_path / "live.yml"
    configuration.write_text(f"stack: {stack}\nrepository: {tmp_path}/backups\nfiles: {{enabled: false}}\n")
    configuration.chmod(0o600)
    (source,) = resolve_sources(load_config(configuration)).sources
    assert source.path == project / "lib/database/sqlite3.db"
    assert source.project == project
