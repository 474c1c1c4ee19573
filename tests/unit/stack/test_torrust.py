from __future__ import annotations

from typing import Any

import pytest

from tracker_backup.compose.model import Mount, Service, Variable
from tracker_backup.stack import torrust
from tracker_backup.stack.torrust import INDEX, TRACKER, Product, Recognised

DRIVER = "TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER"
PATH = "TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PATH"
CONNECT_URL = "TORRUST_INDEX_CONFIG_OVERRIDE_DATABASE__CONNECT_URL"


def service(environment: dict[str, str] | None = None, *, from_env_file: bool = False, **other: Any) -> Service:
    variables = {
        name: Variable(value, "compose.yaml", from_env_file=from_env_file)
        for name, value in (environment or {}).items()
    }
    return Service("tracker", variables=variables, **other)


@pytest.mark.parametrize(
    ("image", "product"),
    [
        ("torrust/tracker", TRACKER),
        ("torrust/tracker:develop", TRACKER),
        ("docker.io/torrust/tracker@sha256:0123", TRACKER),
        ("registry.example:5000/mirror/torrust/tracker:v3", TRACKER),
        ("torrust-tracker", TRACKER),
        ("ghcr.io/torrust/torrust-tracker:v4", TRACKER),
        ("torrust/index:v4", INDEX),
        ("torrust/index-backend:v3", INDEX),
        ("torrust/index-gui:v4", None),
        ("torrust/tracker-backup:latest", None),
        ("nottorrust/tracker2", None),
        ("grafana/grafana", None),
        (None, None),
    ],
)
def test_a_service_is_known_by_its_image(image: str | None, product: Product | None) -> None:
    expected = Recognised(product, certain=True, by_image=True) if product else None
    assert torrust.recognise(service(image=image)) == expected


def test_a_service_is_known_by_its_mounts_and_variables() -> None:
    tracker, shared = Recognised(TRACKER, certain=True), Recognised(TRACKER, certain=False)
    for target in ("/etc/torrust/tracker", "/etc/torrust/tracker/tracker.toml"):
        assert torrust.recognise(service(mounts=(Mount("bind", "/x", target),))) == tracker
    assert torrust.recognise(service({DRIVER: "sqlite3"})) == tracker
    assert torrust.recognise(service({DRIVER: "sqlite3"}, from_env_file=True)) == shared
    assert torrust.recognise(service({CONNECT_URL: "x"})) == Recognised(INDEX, certain=True)
    assert torrust.recognise(service({"TORRUST_TRACKER_API": "x"}, mounts=(Mount("bind", "/x", "/data"),))) is None


def test_inline_configuration_goes_before_a_path_and_a_path_before_the_default() -> None:
    both = {"TORRUST_TRACKER_CONFIG_TOML": "canary", "TORRUST_TRACKER_CONFIG_TOML_PATH": "/a/b.toml"}
    inline = torrust.reference(service(both), TRACKER)
    assert inline.inline == "canary"
    assert "canary" not in repr(inline)
    by_path = torrust.reference(service({"TORRUST_TRACKER_CONFIG_TOML_PATH": "/a/./b.toml"}), TRACKER)
    assert (by_path.path, by_path.inline) == ("/a/b.toml", None)
    assert by_path.said == "TORRUST_TRACKER_CONFIG_TOML_PATH in compose.yaml"
    assert torrust.reference(service({"TORRUST_TRACKER_CONFIG_TOML_PATH": ""}), TRACKER).path == TRACKER.default_toml
    assert torrust.reference(service(), INDEX).path == "/etc/torrust/index/index.toml"
    assert torrust.reference(service({"TORRUST_INDEX_CONFIG_TOML_PATH": "/i.toml"}), INDEX).path == "/i.toml"
    relative = service({"TORRUST_TRACKER_CONFIG_TOML_PATH": "etc/t.toml"}, working_dir="/srv")
    assert torrust.reference(relative, TRACKER).path == "/srv/etc/t.toml"
