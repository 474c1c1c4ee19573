"""What the generators of documents share: write the file, or say that it is not current."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def publish(description: str, target: Path, text: str) -> int:
    """Write `text` to `target`, or with `--check` on the command line only compare; return the exit code.

    A file that is not current is shown as a diff, with the command that mends it.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if it would")
    check = parser.parse_args().check
    present = target.read_text(encoding="utf-8") if target.exists() else ""
    if present == text:
        return 0
    name = str(target.relative_to(ROOT))
    if check:
        lines = difflib.unified_diff(present.splitlines(), text.splitlines(), name, "as it should be", n=1, lineterm="")
        print(*lines, f"{name} is not current. Run: make docs", sep="\n", file=sys.stderr)
        return 1
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"wrote {name}")
    return 0
