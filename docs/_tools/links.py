"""Links of pages that lead to a file in the checkout: on the site they lead to what stands for it there."""

import re

import reference

CODE = re.compile(r"\[`([\w.]+)`\]\((?:\.\./)+(?:jaxdl|kernels)/[^)]*\)")
GALLERY = re.compile(r"\]\((?:\.\./)+examples/README\.md(#[^)]*)?\)")
OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[\w./]*\.md)(?:#[^)]*)?\)")


def _entry(match: re.Match[str]) -> str:
    names = {f"{module}.{name}" for module, names in reference.public().items() for name in names}
    exact = {f"jaxdl.{match[1]}"} & names
    found = [*(exact or {name for name in names if name.endswith(f".{match[1]}")})]
    return f"{{py:obj}}`{match[1]} <{found[0]}>`" if len(found) == 1 else match[0]


def mend(app: object, page: str, source: list[str]) -> None:
    """Rewrite the links of a page; connected to `source-read`.

    A name leads to its entry in the reference, where only one public name ends so, the README of the examples
    is the gallery, and other pages outside of docs/ are files to download.
    """

    def outside(match: re.Match[str]) -> str:
        up = match[2].count("../")
        return f"{{download}}`{match[1]} <{match[2]}>`" if up > page.count("/") else match[0]

    text = GALLERY.sub(r"](/gallery.md\1)", CODE.sub(_entry, source[0]))
    source[0] = OUTSIDE.sub(outside, text)
