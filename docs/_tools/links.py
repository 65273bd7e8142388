"""Links of pages into the code, which on GitHub lead to a file, lead into the reference on the site."""

import re

import reference

CODE = re.compile(r"\[`([\w.]+)`\]\((?:\.\./)+(?:jaxdl|kernels)/[^)]*\)")


def _entry(match: re.Match[str]) -> str:
    names = {f"{module}.{name}" for module, names in reference.public().items() for name in names}
    exact = {f"jaxdl.{match[1]}"} & names
    found = [*(exact or {name for name in names if name.endswith(f".{match[1]}")})]
    return f"{{py:obj}}`{match[1]} <{found[0]}>`" if len(found) == 1 else match[0]


def mend(app: object, page: str, source: list[str]) -> None:
    """Link a name to its entry in the reference, where only one public name ends so; at `source-read`."""
    source[0] = CODE.sub(_entry, source[0])
