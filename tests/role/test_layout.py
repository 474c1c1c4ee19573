"""What can be told from the role's files alone: defaults, specification, README and stages agree."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from role.playing import ROLE, ROOT

TASK_FILES = sorted((ROLE / "tasks").glob("*.yml"))
HOST_STAGES = ["preflight", "install", "deploy", "monitoring"]
ENTRY_POINTS = {"main.yml", "program.yml", "status.yml"}
"""The last two are for playbooks, with `tasks_from`."""

INSTANCE_STAGES = ["configure", "schedule", "verify", "remove"]
CONTAINER_STAGES = ["container_build", "configuration_along", "container_start", "container_leave", "container_leave"]
"""Included, so that a host without containers has no line about them: to a placement, away from it, away for good."""


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def options() -> dict[str, dict[str, Any]]:
    """Return the specification of the role's variables."""
    found: dict[str, dict[str, Any]] = load(ROLE / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    return found


def test_defaults_and_specification_have_the_same_variables_in_the_same_order(
    options: dict[str, dict[str, Any]],
) -> None:
    assert list(load(ROLE / "defaults/main.yml")) == list(options)


def test_defaults_are_the_ones_specified(options: dict[str, dict[str, Any]]) -> None:
    assert load(ROLE / "defaults/main.yml") == {name: option["default"] for name, option in options.items()}


def test_every_variable_is_described_and_used(options: dict[str, dict[str, Any]]) -> None:
    """A variable that nothing reads is a promise that is not kept."""
    texts = [path.read_text(encoding="utf-8") for path in [*TASK_FILES, ROLE / "vars/main.yml", *templates()]]

    assert [name for name, option in options.items() if not option["description"]] == []
    assert [name for name in options if not any(re.search(rf"\b{name}\b", text) for text in texts)] == []


def test_every_default_has_a_comment() -> None:
    lines = (ROLE / "defaults/main.yml").read_text(encoding="utf-8").splitlines()
    # Two pairs share the comment of their first.
    commented = ("#", "tracker_backup_owner:", "tracker_backup_legacy_cron_file:")
    pairs = itertools.pairwise(lines)
    bare = [line for before, line in pairs if line[:15] == "tracker_backup_" and not before.startswith(commented)]

    assert bare == []


def test_only_secrets_are_marked_as_such(options: dict[str, dict[str, Any]]) -> None:
    marked = [name for name, option in options.items() if option.get("no_log")]
    secret_keys = load(ROLE / "vars/main.yml")["__tracker_backup_secret_keys"]

    # The addresses that are told are in no configuration: they have a file of their own.
    assert marked == [*(f"tracker_backup_{key}" for key in secret_keys), "tracker_backup_notification_urls"]


def templates() -> list[Path]:
    return sorted((ROLE / "templates").iterdir())


def test_main_is_a_table_of_contents() -> None:
    """Stages are imported: an include with tags of a stage would run none of its tasks when that tag is asked for.

    What is done for each instance can only be included, always; the stages in it have their tags.
    """
    main, instance = ((ROLE / f"tasks/{name}.yml").read_text(encoding="utf-8") for name in ("main", "instance"))

    assert called(main) == [
        ("import_tasks", "preflight", "always"),
        ("include_tasks", "preflight_instance", "always"),
        *(("import_tasks", name, f"tracker_backup_{name}") for name in HOST_STAGES[1:]),
        ("include_tasks", "instance", "always"),
    ]
    assert [each for each in called(instance) if each[0] == "import_tasks"] == [
        ("import_tasks", "presence", "always"),
        *(("import_tasks", name, f"tracker_backup_{name}") for name in INSTANCE_STAGES),
    ]
    assert [name for module, name, _ in called(instance) if module == "include_tasks"] == CONTAINER_STAGES
    assert (len(main.splitlines()) <= 45, len(instance.splitlines()) <= 85) == (True, True)


def called(text: str) -> list[tuple[str, str, str]]:
    """Return what a file of tasks calls: how, which file, with which tag."""
    found = re.findall(
        r"ansible\.builtin\.(\w+_tasks):\s+(?:file: )?(\w+)\.yml(.*?)\n *tags: \[([\w, ]+)\]", text, re.DOTALL
    )
    return [(module, name, tag) for module, name, _, tag in found]


def test_an_instance_can_differ_in_whatever_is_its_own(options: dict[str, dict[str, Any]]) -> None:
    """What stands in the program's configuration, and where; not what all instances of a host share."""
    own = {name: option for name, option in options["tracker_backup_instances"]["options"].items() if name != "name"}
    settings = str(load(ROLE / "vars/main.yml")["__tracker_backup_settings"])
    values = load(ROLE / "vars/main.yml")

    assert own == {name: options[f"tracker_backup_{name}"] for name in own}
    assert re.findall(r"(?<!_)tracker_backup_\w+", settings) == [
        "tracker_backup_state_dir", "tracker_backup_instance", "tracker_backup_log_dir", "tracker_backup_instance",
    ]  # fmt: skip
    assert [name for name in own if f"__tracker_backup_{name}" not in values] == []
    tasks = "".join(path.read_text(encoding="utf-8") for path in TASK_FILES if path.name != "install.yml")
    assert [name for name in own if re.search(rf"\{{\{{[^}}]*(?<!_)tracker_backup_{name}\b", tasks)] == []


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: path.name)
def test_task_files_are_short_and_leave_privileges_to_the_play(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 100
    assert not re.search(r"become(?!: false)", text)  # giving rights up is another matter
    # What is included elsewhere hands the tags of its stage on to what is in it.
    assert path.name == "main.yml" or text.count("include_tasks") == text.count("apply: {tags: [")


def test_every_task_file_is_imported() -> None:
    imported = {
        name
        for path in TASK_FILES
        for name in re.findall(r"(?:import|include)_tasks:\s+(?:file: )?(\w+\.yml)", path.read_text("utf-8"))
    }

    assert imported == {path.name for path in TASK_FILES} - ENTRY_POINTS


def test_internal_names_are_recognisable() -> None:
    """Registered results and the role's own facts cannot be mistaken for variables that a user sets."""
    names = [
        name
        for path in TASK_FILES
        for name in re.findall(r"register: (\w+)", path.read_text(encoding="utf-8"))
        + list(load(ROLE / "vars/main.yml"))
    ]

    assert [name for name in names if not name.startswith("__tracker_backup_")] == []


def test_configuration_template_has_no_logic() -> None:
    assert "{%" not in (ROLE / "templates/config.yml.j2").read_text(encoding="utf-8")


def test_configuration_has_the_keys_of_the_schema() -> None:
    """A key that the program gains has to get its variable, or be left out on purpose here."""
    schema = yaml.safe_load((ROOT / "scripts/tracker_backup/config/schema.json").read_text(encoding="utf-8"))
    values = load(ROLE / "vars/main.yml")

    assert set(values["__tracker_backup_settings"]) == set(schema["properties"])
    for inner, key in (("schedule_settings", "schedule"), ("notifications", "notifications")):
        assert set(values[f"__tracker_backup_{inner}"]) == set(schema["properties"][key]["properties"])


def test_packages_differ_by_the_mysql_client_only() -> None:
    debian, ubuntu = (load(ROLE / f"vars/{name}.yml")["__tracker_backup_packages"] for name in ("Debian", "Ubuntu"))

    assert set(debian) ^ set(ubuntu) == {"default-mysql-client", "mysql-client"}


def test_links_and_playbooks_use_the_short_role_name() -> None:
    """A fully qualified name does not resolve in a checkout."""
    assert (ROOT / "playbooks/roles").readlink() == Path("../roles")
    assert "role: tracker_backup\n" in (ROOT / "playbooks/deploy.yml").read_text(encoding="utf-8")
    assert load(ROOT / "site.yml")[0]["ansible.builtin.import_playbook"] == "playbooks/deploy.yml"


def test_readme_table_is_current() -> None:
    done = subprocess.run([sys.executable, "tools/role_readme.py", "--check"], cwd=ROOT, check=False)

    assert done.returncode == 0
