"""What Compose is told: which services, what each of them sees and may do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracker_backup.config.load import build_config
from tracker_backup.config.model import Config
from tracker_backup.errors import ConfigurationError
from tracker_backup.placement.composing import Image, Stack, compose_document, render
from tracker_backup.sources.interface import Source
from tracker_backup.sources.mysql.target import Target
from tracker_backup.stack.result import HostMount

STACK = Path("/opt/torrust")
DATA = STACK / "storage" / "tracker" / "database"
VOLUME = Path("/var/lib/docker/volumes/torrust_index/_data")
IMAGE = Image("tracker-backup:abc", "debian:13-slim")
SQLITE = Source("tracker", "sqlite", DATA / "tracker.db")
INDEX = Source("index", "sqlite", VOLUME / "database" / "index.db")
MYSQL = Source("web", "mysql", STACK, target=Target(schema="web", user="u", host="mysql"))
FILES = Source("files", "files", STACK)


def config_of(placement: str, **changes: Any) -> Config:
    document = {"stack": str(STACK), "repository": "/var/backups/default", "placement": placement, **changes}
    return build_config(document, Path("/etc/tracker-backup/default.yml"))


def stack_of(*sources: Source, writable: tuple[Path, ...] = (DATA,), services: frozenset[str] = frozenset()) -> Stack:
    mounts = (
        HostMount(STACK / "storage" / "tracker", "/data", "tracker", "bind"),
        HostMount(VOLUME, "/index", "index", "volume", volume="torrust_index"),
        HostMount(Path("/srv/certificates"), "/certificates", "proxy", "bind"),
        HostMount(Path("/var/run/docker.sock"), "/var/run/docker.sock", "proxy", "bind"),
    )
    networks: dict[str, tuple[str, ...]] = {"mysql": ("database_network",), "at-the-host": ()}
    return Stack(STACK, sources, mounts, services, networks, writable, {"torrust_index": "index_data"})


def services_of(placement: str, stack: Stack, **changes: Any) -> dict[str, Any]:
    services: dict[str, Any] = compose_document(config_of(placement, **changes), stack, IMAGE)["services"]
    return services


def seen(service: dict[str, Any]) -> dict[str, str]:
    """Return how a service sees what it does, by the place: ro or rw."""
    return {each["target"]: "ro" if each.get("read_only") else "rw" for each in service["volumes"]}


def test_one_service_sees_all_data_and_writes_where_wal_needs_it_alone() -> None:
    services = services_of("service", stack_of(SQLITE, INDEX, MYSQL, FILES))

    assert list(services) == ["backup"]
    assert seen(services["backup"]) == {
        "/etc/tracker-backup": "ro",
        "/opt/torrust": "ro",
        str(DATA): "rw",
        str(VOLUME): "ro",
        "/srv/certificates": "ro",
        "/var/backups/default": "rw",
        "/var/lib/tracker-backup/default": "rw",
        "/var/log/tracker-backup": "rw",
        "/opt/torrust/tracker-backup/restored": "rw",
    }
    assert services["backup"]["networks"] == ["default", "database_network"]


def test_without_wal_nothing_of_the_stack_is_written_to() -> None:
    service = services_of("service", stack_of(SQLITE, INDEX, writable=()))["backup"]

    assert {place for place, how in seen(service).items() if how == "rw"} == {
        "/var/backups/default",
        "/var/lib/tracker-backup/default",
        "/var/log/tracker-backup",
        "/opt/torrust/tracker-backup/restored",
    }


def test_a_volume_is_mounted_by_the_name_that_the_stack_has_for_it() -> None:
    """Another definition of the same volume could be taken for a change: Compose would offer to make it anew."""
    document = compose_document(config_of("service"), stack_of(INDEX, writable=(VOLUME / "database",)), IMAGE)

    (mount,) = [each for each in document["services"]["backup"]["volumes"] if each["type"] == "volume"]
    assert mount == {"type": "volume", "source": "index_data", "target": str(VOLUME)}
    assert "volumes" not in document


def test_each_sidecar_has_the_tools_and_the_data_of_its_own_source() -> None:
    services = services_of("sidecar", stack_of(SQLITE, MYSQL, FILES))

    assert {name: each["image"] for name, each in services.items()} == {
        "backup-tracker": "tracker-backup:abc-sqlite",
        "backup-web": "tracker-backup:abc-mysql",
        "backup-files": "tracker-backup:abc-none",
    }
    assert str(DATA) not in seen(services["backup-web"])
    assert "/srv/certificates" in seen(services["backup-files"])
    assert "/srv/certificates" not in seen(services["backup-tracker"])
    assert services["backup-web"]["networks"] == ["default", "database_network"]
    assert services["backup-tracker"]["networks"] == ["default"]
    assert services["backup-tracker"]["environment"]["TRACKER_BACKUP_SOURCE"] == "tracker"


def test_a_server_that_is_called_by_an_alias_is_found_in_its_service_s_network() -> None:
    stack = stack_of(replace(MYSQL, target=Target(schema="web", user="u", host="db", service="mysql")))

    assert services_of("service", stack)["backup"]["networks"] == ["default", "database_network"]


@pytest.mark.parametrize("placement", ["service", "sidecar"])
@pytest.mark.parametrize("host", ["at-the-host", "localhost", "127.0.0.1"])
def test_a_server_in_the_network_of_the_host_is_for_who_can_reach_it(placement: str, host: str) -> None:
    stack = stack_of(SQLITE, replace(MYSQL, target=Target(schema="web", user="u", host=host)))

    with pytest.raises(ConfigurationError, match=f"the server of web is reached as {host}"):
        services_of(placement, stack)
    assert services_of(placement, stack, jobs=[{"name": "daily", "sources": ["tracker"]}])
    assert services_of("orchestrator", stack)


@pytest.mark.parametrize("placement", ["service", "sidecar"])
def test_nobody_but_the_orchestrator_has_the_docker_socket(placement: str) -> None:
    services = services_of(placement, stack_of(SQLITE, MYSQL, FILES))

    assert not any("docker.sock" in place for each in services.values() for place in seen(each))


def test_the_orchestrator_has_the_socket_and_of_the_stack_only_what_is_ours() -> None:
    service = services_of("orchestrator", stack_of(SQLITE, MYSQL, FILES))["backup"]

    assert seen(service) == {
        "/etc/tracker-backup": "ro",
        "/var/backups/default": "rw",
        "/var/lib/tracker-backup/default": "rw",
        "/var/log/tracker-backup": "rw",
        "/opt/torrust/tracker-backup/restored": "rw",
        "/var/run/docker.sock": "rw",
        "/etc/cron.d": "rw",
    }
    assert service["image"] == "tracker-backup:abc-docker"
    assert service["environment"]["TRACKER_BACKUP_PLACES"].splitlines() == ["/srv/certificates", str(VOLUME)]


@pytest.mark.guarantee(20)
@pytest.mark.parametrize("placement", ["service", "sidecar", "orchestrator"])
def test_a_container_has_the_least_that_it_can_do_with(placement: str) -> None:
    for service in services_of(placement, stack_of(SQLITE, MYSQL, FILES)).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert set(service["cap_add"]) <= {"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "SETGID", "SETUID"}
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert "ports" not in service


@pytest.mark.guarantee(20)
@pytest.mark.parametrize("placement", ["service", "sidecar"])
def test_whoever_may_write_into_others_directories_may_give_away_what_he_makes_there(placement: str) -> None:
    """A -shm that a reader has made, and that stays root's, locks the tracker out: seen on a real one."""
    for service in services_of(placement, stack_of(SQLITE, FILES)).values():
        assert "DAC_OVERRIDE" not in service["cap_add"] or "CHOWN" in service["cap_add"]


def test_a_service_of_the_stack_with_our_name_is_not_taken_over() -> None:
    with pytest.raises(ConfigurationError, match="has a service backup of its own"):
        services_of("service", stack_of(SQLITE, services=frozenset({"tracker", "backup"})))


def test_what_the_configuration_asks_for_is_installed_and_seen() -> None:
    service = services_of(
        "service",
        stack_of(SQLITE),
        staging="/mnt/scratch",
        metrics_file="/var/lib/prometheus/node-exporter/x.prom",
        copies=[{"name": "nas", "program": "restic", "repository": "/mnt/nas/restic", "keep": {"last": 1}}],
    )["backup"]

    extra = service["build"]["args"]["EXTRA_PACKAGES"].split()
    assert {"restic", "python3-prometheus-client"} <= set(extra)
    assert {"/mnt/scratch", "/var/lib/prometheus/node-exporter", "/mnt/nas/restic"} <= set(seen(service))


def test_the_file_says_whose_it_is_and_is_what_compose_reads() -> None:
    text = render(compose_document(config_of("service"), stack_of(SQLITE), IMAGE), "service")

    assert "made by tracker-backup" in text.splitlines()[0]
    assert yaml.safe_load(text)["services"]["backup"]["command"] == [
        "tracker-backup", "--instance", "default", "serve",
    ]  # fmt: skip


def test_time_zone_and_trusted_users_are_those_of_the_host() -> None:
    image = Image("tracker-backup:abc", "debian", localtime="/etc/localtime", trusted="1000,1001")
    service = compose_document(config_of("service"), stack_of(SQLITE), image)["services"]["backup"]

    assert seen(service)["/etc/localtime"] == "ro"
    assert service["environment"]["TRACKER_BACKUP_TRUSTED_USERS"] == "1000,1001"


def test_a_source_that_no_job_takes_has_no_sidecar() -> None:
    jobs = [{"name": "daily", "sources": ["tracker"]}]

    assert list(services_of("sidecar", stack_of(SQLITE, FILES), jobs=jobs)) == ["backup-tracker"]


def test_what_the_configuration_names_elsewhere_is_seen() -> None:
    service = services_of(
        "service",
        stack_of(SQLITE),
        files={"extra_paths": ["/etc/letsencrypt"]},
        notifications={"urls_file": "/root/urls"},
    )["backup"]

    assert seen(service)["/etc/letsencrypt"] == "ro"
    assert seen(service)["/root/urls"] == "ro"


def test_a_database_behind_a_link_is_seen_where_it_is() -> None:
    stack = replace(stack_of(SQLITE, writable=(DATA, Path("/mnt/fast"))), linked={"tracker": Path("/mnt/fast")})

    assert seen(services_of("service", stack)["backup"])["/mnt/fast"] == "rw"


def test_nothing_in_the_file_is_a_variable_of_compose() -> None:
    document = compose_document(config_of("service", repository="/var/$HOME/x"), stack_of(SQLITE), IMAGE)

    assert "/var/$$HOME/x" in render(document, "service")
