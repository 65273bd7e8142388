"""The gallery: examples/README.md as a page of the site, with its links and pictures found from there."""

import re
from pathlib import Path

import reference

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"\[`([\w.]+)`\]\(\.\./jaxdl/[^)]*\)")
TARGET = re.compile(r"(\]\()(?!https?://|#|mailto:)([^)\s]+)(\))")
IMAGE = re.compile(r'(<img [^>]*?src=")([^"]+)(")')


def _entry(match: re.Match[str]) -> str:
    """A function's place in the reference instead of its file, where only one public name ends so."""
    names = {f"{module}.{name}" for module, names in reference.public().items() for name in names}
    found = [name for name in names if name.endswith(f".{match[1]}")]
    return f"{{py:obj}}`{match[1]} <{found[0]}>`" if len(found) == 1 else match[0]


def _moved(match: re.Match[str]) -> str:
    target, _, fragment = match[2].partition("#")
    path = (ROOT / "examples" / target).resolve()
    inside = path.is_relative_to(ROOT / "docs")
    new = str(path.relative_to(ROOT / "docs")) if inside else f"../{path.relative_to(ROOT)}"
    return f"{match[1]}{new}{'#' * bool(fragment)}{fragment}{match[3]}"


def page() -> str:
    """Return the walk with paths from docs/ in the place of those from examples/."""
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    return IMAGE.sub(_moved, TARGET.sub(_moved, CODE.sub(_entry, text)))
