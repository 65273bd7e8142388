"""The gallery: examples/README.md as a page of the site, with its links and pictures found from there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGET = re.compile(r"(\]\()(?!https?://|#|mailto:)([^)\s]+)(\))")
IMAGE = re.compile(r'(<img [^>]*?src=")([^"]+)(")')


def _moved(match: re.Match[str]) -> str:
    target, _, fragment = match[2].partition("#")
    path = (ROOT / "examples" / target).resolve()
    inside = path.is_relative_to(ROOT / "docs")
    new = str(path.relative_to(ROOT / "docs")) if inside else f"../{path.relative_to(ROOT)}"
    return f"{match[1]}{new}{'#' * bool(fragment)}{fragment}{match[3]}"


def page() -> str:
    """Return the walk with paths from docs/ in the place of those from examples/."""
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    return IMAGE.sub(_moved, TARGET.sub(_moved, text))
