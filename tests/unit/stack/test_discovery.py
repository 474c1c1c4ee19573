from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import discovery
from tracker_backup.stack.discovery import HostMount, discover, find_environment, find_mounts

Find = Callable[[str], Path]
Write = Callable[[dict[str, str]], Path]
TRACKER = """
services:
  tracker:
    image: torrust/tracker
    volumes: [./etc:/etc/torrust/tracker, ./lib:/var/lib/torrust/tracker]
"""
TOML = '[core.database]\npath = "/var/lib/torrust/tracker/database/tracker.db"\n'


def test_a_deployer_like_stack(stack: Find) -> None:
    directory = stack("deployer-like")
    found = discover(directory)
    (source,) = found.sources
    database = directory / "storage/tracker/lib/database/tracker.db"
    assert (source.name, source.type, source.service) == ("tracker", "sqlite", "tracker")
    assert (source.path, source.mount) == (database, "directory")
    assert source.container_path == "/var/lib/torrust/tracker/database/tracker.db"
    assert (found.unsupported, found.notes, found.project) == ((), (), "deployer-like")
    assert found.images == {
        "tracker": "torrust/tracker:develop",
        "prometheus": "prom/prometheus:v3.5.0",
        "grafana": "grafana/grafana:12.3.1",
    }
    for said in (
        f"{directory}/storage/tracker/etc/tracker.toml",
        "TORRUST_TRACKER_CONFIG_TOML_PATH in docker-compose.yml with .env",
        "[core.database] path in tracker.toml",
        str(database),
        "bind mount at /var/lib/torrust/tracker",
    ):
        assert said in source.why


def test_the_mounts_of_all_services_are_listed(stack: Find) -> None:
    directory = stack("deployer-like")
    mounts = discover(directory).mounts
    assert {(mount.service, str(mount.path.relative_to(directory)), mount.target) for mount in mounts} == {
        ("tracker", "storage/tracker/lib", "/var/lib/torrust/tracker"),
        ("tracker", "storage/tracker/log", "/var/log/torrust/tracker"),
        ("tracker", "storage/tracker/etc", "/etc/torrust/tracker"),
        ("prometheus", "storage/prometheus/etc", "/etc/prometheus"),
        ("grafana", "storage/grafana/data", "/var/lib/grafana"),
    }
    (grafana,) = [mount for mount in mounts if mount.service == "grafana"]
    assert (grafana.kind, grafana.volume, grafana.read_only) == ("bind", None, False)
    assert grafana.image == "grafana/grafana:12.3.1"


def test_mounts_are_listed_where_there_is_no_database(write_stack: Write) -> None:
    text = "services: {web: {build: ., volumes: ['./html:/srv:ro', 'data:/data', '/etc/ssl:/ssl', '/cache']}}\n"
    directory = write_stack({"compose.yaml": text})
    assert find_mounts(directory) == (
        HostMount(directory / "html", "/srv", "web", "bind", read_only=True),
        HostMount(Path("/etc/ssl"), "/ssl", "web", "bind"),
    )


def test_json_has_the_keys_of_the_contract(stack: Find) -> None:
    source = discover(stack("deployer-like")).sources[0].to_json()
    assert set(source) == {"name", "type", "service", "path", "why"}
    assert json.loads(json.dumps(source))["path"].endswith("/tracker.db")
    (source,) = discover(stack("mysql")).sources
    assert set(source.to_json()) == {"name", "type", "service", "schema", "why"}


def test_overrides_and_their_values_from_env(stack: Find) -> None:
    (source,) = discover(stack("overrides-in-env")).sources
    assert source.path == Path("/srv/tracker/data/db/tracker.db")
    assert source.container_path == "/data/db/tracker.db"


def test_a_mounted_file_is_told_from_a_mounted_directory(stack: Find) -> None:
    directory = stack("file-mount")
    (source,) = discover(directory).sources
    assert (source.path, source.mount) == (directory / "data/tracker.db", "file")


def test_a_named_volume_is_found_where_docker_keeps_it(stack: Find, no_docker: Path) -> None:
    (no_docker / "named-volume_tracker-data/_data").mkdir(parents=True)
    found = discover(stack("named-volume"))
    (source,) = found.sources
    assert source.path == no_docker / "named-volume_tracker-data/_data/database/sqlite3.db"
    assert "on the volume named-volume_tracker-data at /var/lib/torrust/tracker" in source.why
    assert found.unsupported == found.notes == ()
    (volume,) = [mount for mount in found.mounts if mount.kind == "volume"]
    assert (volume.path, volume.volume) == (
        no_docker / "named-volume_tracker-data/_data",
        "named-volume_tracker-data",
    )


def test_a_named_volume_that_is_not_found_is_an_error_with_what_was_looked_at(stack: Find, no_docker: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        discover(stack("named-volume"))
    assert "lies on the volume tracker-data, which the host cannot reach" in error.value.message
    assert f"{no_docker}/named-volume_tracker-data/_data" in error.value.message
    assert "the program docker is not installed" in error.value.message
    assert "sources:" in str(error.value.hint)


def test_mysql_is_found_with_its_server(stack: Find) -> None:
    found = discover(stack("mysql"))
    (source,) = found.sources
    assert found.unsupported == ()
    assert (source.type, source.schema) == ("mysql", "torrust_tracker")
    endpoint = source.endpoint
    assert endpoint is not None
    assert (endpoint.host, endpoint.port, endpoint.server_service) == ("mysql", 3306, "mysql")
    assert (endpoint.user, endpoint.password) == ("tracker", "canary@pass:/#%\"'$ word")
    assert "its server is the service mysql, port 3306" in source.why
    assert found.notes == ()


def test_mysql_without_a_configuration_is_told_to_wait_for(write_stack: Write) -> None:
    """The image's default names a schema and no server."""
    text = "services: {t: {image: torrust/tracker, environment: {TORRUST_TRACKER_DATABASE: mysql}}}\n"
    found = discover(write_stack({"compose.yaml": text}))
    assert found.sources == ()
    assert "no configuration says yet which server it is on" in found.unsupported[0].reason


def test_the_environment_of_a_service_is_given_where_it_is_asked_for(stack: Find) -> None:
    assert find_environment(stack("mysql"), "mysql") == {"MYSQL_PASSWORD": "canary@pass:/#%\"'$ word"}
    with pytest.raises(ConfigurationError, match="has no service db"):
        find_environment(stack("mysql"), "db")


@pytest.mark.parametrize(
    ("host", "body", "server"),
    [
        ("the-db", "container_name: the-db", "db"),
        ("sql", "networks: {back: {aliases: [sql]}}", "db"),
        ("named", "hostname: named", "db"),
        ("elsewhere.example", "hostname: named", None),
    ],
)
def test_the_server_s_service_is_found_by_any_of_its_names(
    write_stack: Write, host: str, body: str, server: str | None
) -> None:
    text = f"""
services:
  tracker:
    image: torrust/tracker
    environment:
      TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER: mysql
      TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PATH: mysql://u:canary@{host}/live
  db:
    image: mariadb:11.8
    {body}
"""
    found = discover(write_stack({"compose.yaml": text}))
    endpoint = found.sources[0].endpoint
    assert endpoint is not None
    assert endpoint.server_service == server
    assert bool(found.notes) == (server is None)
    assert "canary" not in repr(found) + json.dumps(found.sources[0].to_json())


def test_a_database_server_that_nothing_uses_is_noted(write_stack: Write) -> None:
    text = TRACKER + "  mysql: {image: 'docker.io/library/mysql:8.4'}\n  web: {image: phpmyadmin}\n"
    found = discover(write_stack({"compose.yaml": text, "etc/tracker.toml": TOML}))
    assert len(found.sources) == 1
    (note,) = found.notes
    assert note.startswith("service mysql (docker.io/library/mysql:8.4) is a database server that no tracker")


def test_two_services_with_one_schema_on_one_server_are_one_source(write_stack: Write) -> None:
    lines = [
        f"  {name}: {{image: torrust/tracker, environment: {{"
        f"TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER: mysql, "
        f"TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PATH: 'mysql://{name}@{host}/live'}}}}"
        for name, host in (("one", "db"), ("two", "the-db"))
    ]
    text = "\n".join(["services:", *lines, "  db: {image: mysql, container_name: the-db}"])
    found = discover(write_stack({"compose.yaml": text}))
    assert [source.service for source in found.sources] == ["one"]
    assert found.notes == ("services one and two name the same database",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "include",
            {"tracker": "tracker/data/database/tracker.db", "index": "index/data/database/index.db"},
        ),
        ("extends", {"tracker": "common/data/database/own.db", "second": "second/database/base.db"}),
        ("volumes-from", {"tracker": "storage/database/flat.db"}),
        ("compose-file-variable", {"tracker": "deploy/data/database/variable.db"}),
        ("tags", {"tracker": "second/database/first.db"}),
        ("raw-env-file", {"tracker": 'lib/it\'s $5 # "really".db'}),
        ("configs-and-secrets", {"tracker": "tracker/database/config.db", "index": "index/database/inline.db"}),
        ("profiles", {"tracker": "lib/database/sqlite3.db"}),
        (
            "several-trackers",
            {
                "public": "public/lib/database/public.db",
                "private": "private/lib/database/private.db",
                "new": "new/lib/database/sqlite3.db",
            },
        ),
    ],
)
def test_every_form_of_compose_file_is_followed(stack: Find, name: str, expected: dict[str, str]) -> None:
    found = discover(stack(name))
    assert {source.service: source.path for source in found.sources} == {
        service: stack(name) / path for service, path in expected.items()
    }
    assert found.unsupported == ()


def test_what_is_noted_of_these_forms(stack: Find) -> None:
    assert discover(stack("include")).notes == ()
    assert discover(stack("volumes-from")).notes == ("services tracker and storage name the same database",)
    (passed,) = discover(stack("profiles")).notes
    assert passed == "service tracker-mysql is in no profile that is enabled (mysql): passed over"
    (template,) = discover(stack("extends")).notes
    assert template.startswith("service base was passed over: service base: its database")
    assert any("db (mariadb:11.8) is a database server" in note for note in discover(stack("several-trackers")).notes)


def test_all_files_that_were_read_are_listed(stack: Find) -> None:
    directory = stack("include")
    assert [str(file.relative_to(directory)) for file in discover(directory).files] == [
        *("compose.yaml", "tracker/compose.yaml", "index/compose.yaml", "index/live.yaml")
    ]


def test_configs_and_secrets_that_are_files_are_mounts(stack: Find) -> None:
    directory = stack("configs-and-secrets")
    mounts = {mount.target: mount for mount in discover(directory).mounts}
    assert mounts["/run/secrets/token"].path == directory / "token.txt"
    assert mounts["/etc/torrust/tracker/tracker.toml"].read_only
    assert "/etc/torrust/index/index.toml" not in mounts


def test_an_index_and_a_tracker(stack: Find) -> None:
    directory = stack("index-and-tracker")
    found = discover(directory)
    assert [(source.name, source.path) for source in found.sources] == [
        ("index", directory / "storage/index/lib/database/index of all.db"),
        ("tracker", directory / "storage/tracker/lib/database/sqlite3.db"),
    ]
    assert found.project == "torrents"
    assert "is configured by TORRUST_TRACKER_CONFIG_TOML in compose.yaml;" in found.sources[1].why


def test_spaces_quotes_and_other_alphabets_in_paths_and_names(stack: Find) -> None:
    directory = stack("odd-paths")
    (source,) = discover(directory).sources
    assert source.path == directory / 'große "Datenbank" $5 & it\'s/my database/träcker #1.db'
    assert (source.name, source.service) == ("tr-cker-eins", "träcker.Eins")


def test_an_override_file_moves_the_mount_and_the_image(stack: Find) -> None:
    found = discover(stack("override-file"))
    assert found.sources[0].path == Path("/mnt/big/lib/database/tracker.db")
    assert found.images == {"tracker": "torrust/tracker:v3.0.0"}
    assert [file.name for file in found.files] == ["docker-compose.yml", "docker-compose.override.yml"]


def test_a_missing_variable_is_empty_and_noted(stack: Find) -> None:
    found = discover(stack("missing-variable"))
    assert found.sources[0].path == stack("missing-variable") / "data/database/tracker.db"
    assert [note.split()[2] for note in found.notes] == ["TRACKER_TOML", "TRACKER_TAG"]


def test_an_env_file_that_services_share_makes_none_of_them_a_tracker(stack: Find) -> None:
    found = discover(stack("shared-env-file"))
    assert [source.service for source in found.sources] == ["tracker"]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("no-database", "no database found in the stack", "`sources:`"),
        ("broken-yaml", "compose.yaml, line 5: not valid YAML", "docker compose -f"),
        ("broken-toml", "etc/tracker.toml, line 3: not valid TOML", "`sources:`"),
        (
            "required-variable",
            "services.tracker.volumes[0]: the variable DATA is required and not set",
            "set DATA in .env",
        ),
        ("include-cycle", "`include` goes in a circle: ", "`sources:`"),
        ("include-missing", "include: ", "`sources:`"),
        ("include-conflict", "services.tracker from the included ", "override"),
        ("include-remote", "is no file of this host", "`sources:`"),
        ("extends-cycle", "`extends` goes in a circle: tracker in ", "`sources:`"),
        ("extends-missing", "services.tracker.extends: there is no service gone in ", "`sources:`"),
        ("volumes-from-cycle", "`volumes_from` goes in a circle: tracker → other → tracker", "refuses"),
        (
            "container-layer",
            "is on no mount: it is lost with the container",
            "mount the directory /var/lib/torrust/tracker/d",
        ),
    ],
)
def test_a_wrong_turn_is_an_error_that_says_where_and_what_to_do(
    stack: Find, name: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        discover(stack(name))
    assert message in error.value.message
    assert error.value.hint
    assert hint in error.value.hint
    assert error.value.exit_code == 2


def test_where_no_database_is_found_what_was_looked_at_is_listed(stack: Find) -> None:
    with pytest.raises(ConfigurationError) as error:
        discover(stack("no-database"))
    for looked_at in ("compose.yaml and .env", "web (nginx:1.29)", "cache", str(stack("no-database"))):
        assert looked_at in error.value.message


def test_a_missing_stack_directory_and_a_missing_compose_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"stack directory .*/gone does not exist"):
        discover(tmp_path / "gone")
    with pytest.raises(ConfigurationError, match="no Compose file in"):
        discover(tmp_path)


def test_a_relative_stack_directory_gives_absolute_paths(write_stack: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = write_stack({"compose.yaml": TRACKER, "etc/tracker.toml": TOML})
    monkeypatch.chdir(directory.parent)
    assert discover(Path("stack")).sources[0].path == directory / "lib/database/tracker.db"


def test_a_toml_that_cannot_be_read_says_which(write_stack: Write) -> None:
    directory = write_stack({"compose.yaml": TRACKER, "etc/tracker.toml/x": "a directory in its place"})
    with pytest.raises(ConfigurationError, match=r"etc/tracker\.toml is a directory"):
        discover(directory)


def test_before_the_first_start_the_image_s_defaults_hold(write_stack: Write) -> None:
    """The images write their own configuration at the first start; the database is not there yet either."""
    directory = write_stack({"compose.yaml": TRACKER})
    found = discover(directory)
    assert found.sources[0].path == directory / "lib/database/sqlite3.db"
    assert "etc/tracker.toml does not exist yet" in found.notes[0]


def test_a_configuration_in_the_image_s_layer_leaves_its_defaults_and_the_overrides(write_stack: Write) -> None:
    text = "services: {t: {image: torrust/tracker, volumes: ['./lib:/var/lib/torrust/tracker']}}\n"
    directory = write_stack({"compose.yaml": text})
    assert discover(directory).sources[0].path == directory / "lib/database/sqlite3.db"


def test_a_configuration_path_of_its_own_must_exist(write_stack: Write) -> None:
    text = """
services:
  tracker:
    environment: {TORRUST_TRACKER_CONFIG_TOML_PATH: /etc/torrust/tracker/live.toml}
    volumes: [./etc:/etc/torrust/tracker]
"""
    with pytest.raises(
        ConfigurationError, match=r"live\.toml .* is .*/etc/live\.toml on the host, which does not exist"
    ):
        discover(write_stack({"compose.yaml": text}))


def test_a_configuration_on_a_named_volume_is_read_there(write_stack: Write, no_docker: Path) -> None:
    text = "services: {t: {image: torrust/tracker, volumes: ['etc:/etc/torrust/tracker', './lib:/var/lib/torrust']}}\n"
    directory = write_stack({"compose.yaml": text})
    with pytest.raises(ConfigurationError, match=r"its configuration /etc/torrust/.* lies on the volume etc, which"):
        discover(directory)
    (no_docker / "stack_etc/_data").mkdir(parents=True)
    (no_docker / "stack_etc/_data/tracker.toml").write_text(
        TOML.replace("/var/lib/torrust/tracker", "/var/lib/torrust")
    )
    assert discover(directory).sources[0].path == directory / "lib/database/tracker.db"


def test_a_configuration_from_what_is_no_file_is_an_error(write_stack: Write) -> None:
    text = """
services:
  tracker:
    image: torrust/tracker
    configs: [{source: toml, target: /etc/torrust/tracker/tracker.toml}]
    volumes: ["./lib:/var/lib/torrust"]
configs: {toml: {environment: TOML}}
"""
    with pytest.raises(ConfigurationError, match=r"is mounted at .* from what is no file of the host"):
        discover(write_stack({"compose.yaml": text}))


def test_a_database_on_a_tmpfs_is_an_error(write_stack: Write) -> None:
    text = "services: {t: {image: torrust/tracker, tmpfs: /var/lib/torrust, volumes: ['./etc:/etc/torrust/tracker']}}\n"
    with pytest.raises(ConfigurationError, match="is on a tmpfs"):
        discover(write_stack({"compose.yaml": text, "etc/tracker.toml": TOML}))


def test_a_database_in_memory_is_none(write_stack: Write) -> None:
    text = """
services:
  index:
    image: torrust/index
    environment: {TORRUST_INDEX_CONFIG_OVERRIDE_DATABASE__CONNECT_URL: "sqlite::memory:"}
"""
    with pytest.raises(ConfigurationError, match="no database found") as error:
        discover(write_stack({"compose.yaml": text}))
    assert "keeps its database in memory" in error.value.message


def test_all_that_is_wrong_is_told_at_once(write_stack: Write) -> None:
    text = """
services:
  one: {image: torrust/tracker, volumes: ["./one:/etc/torrust/tracker"]}
  two: {image: torrust/tracker, volumes: ["./two:/etc/torrust/tracker"]}
"""
    directory = write_stack({"compose.yaml": text, "one/tracker.toml": "x", "two/tracker.toml": TOML})
    with pytest.raises(ConfigurationError) as error:
        discover(directory)
    assert "several things in the stack are wrong" in error.value.message
    assert "one/tracker.toml, line 1: not valid TOML" in error.value.message
    assert "service two: its database" in error.value.message
    assert "mount the directory" in error.value.message


def test_two_services_with_one_file_are_one_source(write_stack: Write) -> None:
    text = """
services:
  worker: {image: torrust/tracker, volumes: [./etc:/etc/torrust/tracker, ./lib:/var/lib/torrust/tracker]}
  tracker: {image: torrust/tracker, volumes: [./etc:/etc/torrust/tracker, ./lib:/var/lib/torrust/tracker]}
"""
    found = discover(write_stack({"compose.yaml": text, "etc/tracker.toml": TOML}))
    assert [source.service for source in found.sources] == ["worker"]
    assert found.notes == ("services worker and tracker name the same database",)


def test_schemas_of_one_name_on_two_servers_stay_two(write_stack: Write) -> None:
    text = "\n".join(
        [
            "services:",
            *(
                f"  {name}: {{image: torrust/tracker, environment: {{"
                f"TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER: mysql, "
                f"TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PATH: 'mysql://{name}-db/live'}}}}"
                for name in ("one", "two")
            ),
        ]
    )
    found = discover(write_stack({"compose.yaml": text}))
    assert [source.name for source in found.sources] == ["one", "two"]


def test_names_are_unique_short_and_never_files(write_stack: Write) -> None:
    services = ["files", "a.b", "a-b", "A_B", "..", "x" * 40, "x" * 50]
    lines = [
        f"  '{name}': {{image: torrust/tracker, volumes: ['./{number}:/var/lib/torrust/tracker']}}"
        for number, name in enumerate(services)
    ]
    found = discover(write_stack({"compose.yaml": "\n".join(["services:", *lines])}))
    assert [source.name for source in found.sources] == [
        *("files-2", "a-b", "a-b-2", "a-b-3", "database", "x" * 32, "x" * 30 + "-2")
    ]


def test_the_database_itself_is_not_looked_at(write_stack: Write) -> None:
    """Missing is for the run to judge: pending, or an error once it has been in a backup."""
    directory = write_stack({"compose.yaml": TRACKER, "etc/tracker.toml": TOML})
    (source,) = discover(directory).sources
    assert source.path is not None
    assert not source.path.exists()


@pytest.mark.parametrize(
    "name",
    [
        *("deployer-like", "overrides-in-env", "mysql", "index-and-tracker", "no-database", "broken-yaml"),
        *("broken-toml", "file-mount", "named-volume", "missing-variable", "shared-env-file"),
        *("include-remote", "configs-and-secrets", "profiles", "several-trackers"),
    ],
)
def test_no_secret_of_a_stack_comes_out(stack: Find, name: str) -> None:
    try:
        found = discover(stack(name))
        shown = repr(found) + "".join(map(str, found.unsupported))
    except ConfigurationError as error:
        shown = f"{error!r} {error} {error.__cause__!r}"
    assert "canary" not in shown
    assert "%40" not in shown


def test_the_fixtures_do_hold_canaries(stack: Find) -> None:
    """Else the test above would prove nothing."""
    holding = ["deployer-like", "overrides-in-env", "mysql", "index-and-tracker", "broken-yaml", "broken-toml"]
    for name in (*holding, "include-remote", "configs-and-secrets", "profiles", "several-trackers"):
        files = [path for path in stack(name).rglob("*") if path.is_file()]
        assert any("canary" in file.read_text(encoding="utf-8") for file in files), name


def test_slow_libraries_are_loaded_only_when_a_stack_is_read() -> None:
    command = (
        "import sys; import tracker_backup.stack.discovery; "
        "print([name for name in ('yaml', 'rich', 'jsonschema', 'sh') if name in sys.modules])"
    )
    scripts = Path(discovery.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=scripts, capture_output=True, text=True, check=True, timeout=60
    )
    assert ast.literal_eval(done.stdout) == []


def test_a_home_made_image_is_known_by_variables_and_data(write_stack: Write) -> None:
    """Its configuration is inside the image, its variables come from a file that others share."""
    text = """
services:
  tracker: {build: ./t, env_file: .env, volumes: ["./tracker:/var/lib/torrust/tracker"]}
  index: {build: ./i, env_file: .env, volumes: ["./index:/var/lib/torrust/index"]}
  web: {image: nginx, env_file: .env}
"""
    env = "TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER=sqlite3\nTORRUST_INDEX_DATABASE=sqlite3\n"
    directory = write_stack({"compose.yaml": text, ".env": env})
    found = discover(directory)
    assert [source.path for source in found.sources] == [
        directory / "tracker/database/sqlite3.db",
        directory / "index/database/sqlite3.db",
    ]
    assert found.notes == ()


def test_what_might_have_been_a_tracker_is_told(write_stack: Write) -> None:
    text = "services: {app: {build: ., env_file: .env}}\n"
    directory = write_stack({"compose.yaml": text, ".env": "TORRUST_TRACKER_CONFIG_TOML_PATH=/x.toml\n"})
    with pytest.raises(ConfigurationError, match="service app has variables of a Torrust tracker from an env_file"):
        discover(directory)


def test_an_uncertain_service_s_broken_configuration_is_a_note(write_stack: Write) -> None:
    text = """
services:
  app: {build: ., env_file: .env, volumes: ["./app.toml:/x.toml"]}
  tracker: {image: torrust/tracker, volumes: ["./lib:/var/lib/torrust/tracker"]}
"""
    env = "TORRUST_TRACKER_CONFIG_TOML_PATH=/x.toml\n"
    directory = write_stack({"compose.yaml": text, ".env": env, "app.toml": "broken"})
    found = discover(directory)
    assert [source.service for source in found.sources] == ["tracker"]
    assert any("service app was passed over" in note and "app.toml, line 1" in note for note in found.notes)
