"""A small self-contained SVG, written without a library: text stays text, and it follows a light or a dark page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
# Class by class: fill and stroke on a light and on a dark page. The picture has a page of its own, since what is around
# it may be of the other kind.
_COLOURS = {
    "page": ("fill:#ffffff", "fill:#0d1117"),
    "ink": ("fill:#1f2328", "fill:#e6edf3"),
    "soft": ("fill:#59636e", "fill:#9198a1"),
    "grid": ("stroke:#d8dee4", "stroke:#30363d"),
    "span": ("fill:#eaeef2", "fill:#1c222b"),
    "ours": ("fill:#0969da", "fill:#4493f8"),
    "other": ("fill:#8c959f", "fill:#7d8590"),
    "stop": ("fill:#d1242f", "fill:#f85149"),
}


class Drawing:
    """Collects elements; coordinates are in pixels from the left upper corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        """Begin with an empty page; `title` is for who cannot see it."""
        self.width, self.height = width, height
        self._title = title
        self._parts: list[str] = []

    def text(self, x: float, y: float, words: str, *, kind: str = "ink", size: int = 12, at: str = "start") -> None:
        """Write words; `at` is which end of them is at x: start, middle or end."""
        anchor = "" if at == "start" else f' text-anchor="{at}"'
        self._parts.append(
            f'<text class="{kind}" x="{_number(x)}" y="{_number(y)}" font-size="{size}"{anchor}>{escape(words)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, kind: str, hint: str = "") -> None:
        """Draw a filled box, which says `hint` to who points at it."""
        said = f"<title>{escape(hint)}</title>" if hint else ""
        place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(max(0.5, width))}" height="{_number(height)}"'
        self._parts.append(f'<rect class="{kind}" {place}>{said}</rect>' if said else f'<rect class="{kind}" {place}/>')

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Draw a thin line of a grid."""
        self._parts.append(f'<path class="grid" d="M{_number(x)} {_number(y)}L{_number(to_x)} {_number(to_y)}"/>')

    def area(self, points: Iterable[tuple[float, float]], floor: float, kind: str) -> None:
        """Fill what is between a line and the floor."""
        line = list(points)
        if len(line) > 1:
            along = "".join(f"L{_number(x)} {_number(y)}" for x, y in line)
            (first, _), (last, _) = line[0], line[-1]
            ends = f"M{_number(first)} {_number(floor)}", f"L{_number(last)} {_number(floor)}Z"
            self._parts.append(f'<path class="{kind}" d="{ends[0]}{along}{ends[1]}"/>')

    def write(self, path: Path) -> None:
        """Write the file."""
        light = "".join(f".{name}{{{colours[0]}}}" for name, colours in _COLOURS.items())
        dark = "".join(f".{name}{{{colours[1]}}}" for name, colours in _COLOURS.items())
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(self._title)}>\n'
            f"<style>text{{font-family:{_FONT}}}{light}@media (prefers-color-scheme:dark){{{dark}}}</style>\n"
            f'<rect class="page" width="{self.width}" height="{self.height}" rx="6"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n",
            encoding="utf-8",
        )


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
