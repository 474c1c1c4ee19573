from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.compose.composefile import read_document
from tracker_backup.compose.context import Context
from tracker_backup.compose.drafts import ServiceDraft
from tracker_backup.compose.model import Mount, Variable
from tracker_backup.errors import ConfigurationError

pytestmark = pytest.mark.guarantee(14)

KEYS = st.sampled_from(
    ["services", "tracker", "image", "environment", "env_file", "path", "volumes", "tmpfs", "type", "source", "target"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.text()
    | st.sampled_from(["./a:/b", "a:/b:ro", "A=1", "${A}", "${", "bind", "/x", "~/y:/z"])
)
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)
SERVICES = st.dictionaries(KEYS, DOCUMENTS, max_size=6)


def context() -> Context:
    return Context(Path("/opt/stack"), Path("/root"), {"A": "alpha"}, Path("/opt/stack"))


@given(DOCUMENTS | st.fixed_dictionaries({"services": st.fixed_dictionaries({"tracker": SERVICES})}))
def test_any_document_gives_services_or_a_configuration_error(document: Any) -> None:
    try:
        drafts = read_document(document, Path("/opt/stack/compose.yaml"), context()).services
    except ConfigurationError:
        return
    for draft in drafts.values():
        assert all(mount.target.startswith("/") for mount in draft.volumes.values())


def test_later_files_replace_values_and_add_to_the_rest() -> None:
    one, two, lib = Variable("1", "a"), Variable("2", "b"), Mount("bind", "/lib", "/data")
    draft = ServiceDraft(image="a", container_name="c", environment={"A": one, "B": one}, volumes={"/data": lib})
    other = Mount("bind", "/other", "/other")
    draft.merge(ServiceDraft(image="b", environment={"B": two, "C": None}, volumes={"/other": other}))
    assert (draft.image, draft.container_name) == ("b", "c")
    assert draft.environment == {"A": one, "B": two, "C": None}
    assert draft.volumes == {"/data": lib, "/other": other}


def test_values_are_not_in_reprs() -> None:
    document = {"services": {"app": {"environment": {"PASSWORD": "canary"}}}}
    assert "canary" not in repr(read_document(document, Path("compose.yaml"), context()))
    assert "canary" not in repr(Context(Path("/"), Path("/"), {"PASSWORD": "canary"}, Path("/")))
