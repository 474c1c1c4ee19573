"""Change a manifest as somebody would who wants to do harm, and takes care that it is not seen at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracker_backup.repository.manifest import Manifest, encode_manifest


def unsealed(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as its file has it, without the seal that every change would break."""
    document: dict[str, Any] = json.loads(encode_manifest(manifest))
    del document["seal"]
    return document


def rewrite(backup: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest in a backup's directory, and take its seal off."""
    file = backup / "manifest.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document.pop("seal", None)
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")
