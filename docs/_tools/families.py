"""Pages of the families and the table: a name that is linked to its file leads to the reference instead."""

import re

import reference
from sphinx.application import Sphinx

NAME = re.compile(r"\[`([\w.]+)`\]\(\.\./\.\./(?:jaxdl|kernels)/[^)]*\)")


def linked(app: Sphinx, page: str, source: list[str]) -> None:
    """Put references in the place of links to files, where the reference has the name."""
    if page.startswith("families/"):
        known = {f"{module}.{name}" for module, names in reference.public().items() for name in names}
        source[0] = NAME.sub(lambda match: _reference(match, known), source[0])


def _reference(match: re.Match[str], known: set[str]) -> str:
    target = f"jaxdl.{match[1]}"
    return f"{{py:obj}}`{match[1]} <{target}>`" if target in known else match[0]
