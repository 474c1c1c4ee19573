"""Every link between the project's own files leads somewhere, headings included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.documents import ROOT, documents, headings, without_code

LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")


def links(document: Path) -> list[str]:
    """Return the targets of a document's links that stay within the project."""
    targets = LINK.findall(without_code(document))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for target in links(document):
        name, _, fragment = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        if not file.exists() or (fragment and file.suffix == ".md" and fragment not in headings(file)):
            broken.append(target)

    assert broken == []
